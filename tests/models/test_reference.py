"""The reference's weight files: the metres of an independent Keras 2 network, and refusals that change nothing."""

import json
import shutil

import h5py
import keras
import numpy as np
import pytest
import tf_keras
from keras import ops
from reference_network import BilinearUpSampling2D, build_original, enliven, metres, picture, save_original

from densedepth_keras import cli
from densedepth_keras.models.heads import ReciprocalToDepth
from densedepth_keras.models.reference import assign_weights, load_reference_weights, resolve
from densedepth_keras.models.reference_file import read_reference_file
from densedepth_keras.prediction import depth_range, load_model

TOLERANCE = 1e-5
"""Of `max_depth`, 0.1 mm of NYU's 10 m. Float32 sums in another order over 180 layers leave a quarter of it, see
benchmarks/results/reference_import.json; half-pixel up-sampling makes 10 000 times as much."""


@pytest.fixture(scope="module")
def original():
    model = build_original()
    enliven(model, picture(480, 640))
    return model


@pytest.fixture(scope="module")
def nyu_file(original, tmp_path_factory):
    path = tmp_path_factory.mktemp("reference") / "nyu.h5"
    save_original(original, path)
    return path


@pytest.fixture(scope="module")
def imported(nyu_file):
    return load_reference_weights(nyu_file, image_size=(None, None))


@pytest.fixture(scope="module")
def reference_file(nyu_file):
    return read_reference_file(nyu_file)


@pytest.fixture
def config(original):
    return json.loads(original.to_json())


def clipped(model, image, max_depth):
    return np.clip(ops.convert_to_numpy(model(image)), max_depth / 100, max_depth)


@pytest.mark.parametrize("size", [(480, 640), (320, 448)])
def test_metres_are_the_original_s(original, imported, size):
    image = picture(*size)
    r, expected = metres(original, image, 10.0)
    assert 0 < r.min() < 2
    assert r.max() > 10  # a constant answer would prove nothing
    np.testing.assert_allclose(clipped(imported, image, 10.0), expected, rtol=0, atol=10 * TOLERANCE)


def test_kitti_s_metres_are_the_original_s_and_survive_saving(original, nyu_file, tmp_path):
    shutil.copy(nyu_file, tmp_path / "kitti.h5")
    model, image = load_reference_weights(tmp_path / "kitti.h5", image_size=(96, 160)), picture(96, 160)
    r, expected = metres(original, image, 80.0)
    assert 0 < 3 * r.min() < r.max()
    np.testing.assert_allclose(clipped(model, image, 80.0), expected, rtol=0, atol=80 * TOLERANCE)
    head = model.get_layer("depth")
    assert (head.min_depth, head.max_depth, model.input_shape) == (0.8, 80.0, (None, 96, 160, 3))
    model.save(tmp_path / "kitti.keras")
    loaded = keras.saving.load_model(tmp_path / "kitti.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded(image), model(image))


def test_half_pixel_up_sampling_would_be_seen(original, imported, monkeypatch):
    image = picture(96, 160)
    monkeypatch.setattr(BilinearUpSampling2D, "align_corners", False)
    _, expected = metres(original, image, 10.0)
    assert np.abs(clipped(imported, image, 10.0) - expected).max() > 1000 * (10 * TOLERANCE)


def test_file_from_before_the_last_relu(original, nyu_file, config, tmp_path, monkeypatch):
    by_name(config, "conv2")["inbound_nodes"] = [[["bn", 0, 0, {}]]]
    write_file(tmp_path / "nyu.h5", config, weights=nyu_file)
    model, image = load_reference_weights(tmp_path / "nyu.h5", image_size=(96, 160)), picture(96, 160)
    monkeypatch.setattr(original.get_layer("relu"), "activation", tf_keras.activations.linear)
    r, expected = metres(original, image, 10.0)
    near = np.abs(clipped(model, image, 10.0) - expected)[r >= 1]
    assert near.size > 1000
    assert near.max() < 10 * TOLERANCE


def test_beyond_the_range_both_are_at_its_end_but_for_negative_answers():
    r = np.array([0.01, 0.5, 1.0, -0.01, -30.0], "float32")
    original = np.clip(10 / r, 0.1, 10)
    here = np.clip(ReciprocalToDepth(0.1, 10.0)(r), 0.1, 10)
    np.testing.assert_allclose(original, [10, 10, 10, 0.1, 0.1])
    np.testing.assert_allclose(here, [10, 10, 10, 10, 10])


def test_files_as_keras_2_2_wrote_them(nyu_file, reference_file, tmp_path):
    """Names as bytes, class `Model`, the slope as NumPy's scalar."""
    path = shutil.copy(nyu_file, tmp_path / "nyu.h5")
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        config["class_name"] = "Model"
        for layer in config["config"]["layers"]:
            if layer["class_name"] == "LeakyReLU":
                layer["config"]["alpha"] = {"type": "ndarray", "value": 0.20000000298023224}
        file.attrs["model_config"], file.attrs["keras_version"] = json.dumps(config).encode(), np.bytes_("2.2.4")
        group = file["model_weights"]
        names = group.attrs["layer_names"]
        group.attrs["layer_names"] = np.array([name.encode() for name in names])
        for name in names:
            group[name].attrs["weight_names"] = np.array([w.encode() for w in group[name].attrs["weight_names"]], "S")
    old = read_reference_file(path)
    assert (old.decoder, old.last_relu) == (reference_file.decoder, reference_file.last_relu)
    assert old.weights.keys() == reference_file.weights.keys()
    assert sum(value.size for layer in old.weights.values() for value in layer.values()) == 42_816_089


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("nyu.h5", (None, None), (10.0, (480, 640))),
        ("NYU-v2.h5", (None, (64, 96)), (10.0, (64, 96))),
        ("kitti.h5", (None, None), (80.0, (384, 1280))),
        ("Kitti.h5", (10, None), (10.0, (480, 640))),
        ("model.h5", (80.0, None), (80.0, (384, 1280))),
        ("model.h5", (20.0, None), (20.0, (None, None))),
    ],
)
def test_depths_and_size_follow_from_the_name_or_are_given(name, arguments, expected):
    assert resolve(f"kitti/{name}", *arguments) == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, r"pass `max_depth`, in metres \(--max-depth\)\. Received: path='model\.h5', max_depth=None"),
        ({"max_depth": -1.0}, r"max_depth=-1\.0"),
        ({"max_depth": float("nan")}, "max_depth=nan"),
        ({"max_depth": 10.0, "image_size": (16, 16)}, r"image_size=\(16, 16\)"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        resolve("model.h5", *(arguments.get(name) for name in ("max_depth", "image_size")))


def test_missing_file(tmp_path):
    for path in (tmp_path / "nyu.h5", tmp_path):
        with pytest.raises(FileNotFoundError, match=r"No such file.*Received: path="):
            load_reference_weights(path, max_depth=10.0)


@pytest.mark.parametrize("content", [b"", b"<html>Quota exceeded</html>"])
def test_no_hdf5(content, tmp_path):
    (tmp_path / "nyu.h5").write_bytes(content)
    with pytest.raises(ValueError, match=r"Empty, or no HDF5 file.*nyu\.h5'"):
        load_reference_weights(tmp_path / "nyu.h5")


def by_name(config, name):
    return next(layer for layer in config["config"]["layers"] if layer["config"]["name"] == name)


def write_file(path, config, *, weights=None, version="2.2.4"):
    """A file with this description and, for weights, a link to another file's."""
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = config if isinstance(config, str) else json.dumps(config)
        file.attrs["keras_version"] = version
        if weights is None:
            file.create_group("model_weights").attrs["layer_names"] = np.array([], "S1")
        else:
            file["model_weights"] = h5py.ExternalLink(weights, "/model_weights")


def refused(path, *parts):
    with pytest.raises(ValueError, match="Received: path=") as caught:
        load_reference_weights(path)
    for part in (*parts, path.name):
        assert part in str(caught.value)


def test_damaged_files(config, tmp_path):
    path = tmp_path / "nyu.h5"
    write_file(path, config)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    refused(path, "Truncated or damaged")
    write_file(path, json.dumps(config)[:-100])
    refused(path, "Truncated or damaged")
    by_name(config, "up4_convA")["inbound_nodes"] = [[["nowhere", 0, 0, {}]]]
    write_file(path, config)
    refused(path, "Truncated or damaged: 'nowhere'")


def test_weights_of_a_layer_that_are_not_there(config, nyu_file, tmp_path):
    path = tmp_path / "nyu.h5"
    write_file(path, config)
    with h5py.File(path, "r+") as file, h5py.File(nyu_file) as other:
        file["model_weights"].attrs["layer_names"] = ["conv3"]
        other.copy("model_weights/conv3", file["model_weights"])
        del file["model_weights/conv3/conv3/bias:0"]
    refused(path, "Truncated or damaged", "bias:0")


def test_weight_files_without_the_architecture(tmp_path):
    path = tmp_path / "nyu.h5"
    with h5py.File(path, "w") as file:  # Keras 2's save_weights, and keras.applications' own files
        file.attrs["layer_names"] = ["conv1/conv"]
        file.create_group("conv1/conv")
    refused(path, "`model_config` and `model_weights`; the file has weights alone")
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save_weights(tmp_path / "nyu.weights.h5")
    refused(tmp_path / "nyu.weights.h5", "the file has weights alone")
    with h5py.File(path, "w") as file:
        file["depths"] = np.zeros(3)
    refused(path, "`model_config` and `model_weights`; the file has ['depths']")


def half_width(config):
    by_name(config, "conv2")["config"]["filters"] = 832


def two_activations(config):
    for stage in (1, 2, 3, 4):
        between = json.loads(json.dumps(by_name(config, "up1_leaky")))
        between["name"] = between["config"]["name"] = f"between{stage}"
        between["inbound_nodes"] = [[[f"up{stage}_convA", 0, 0, {}]]]
        config["config"]["layers"].append(between)
        by_name(config, f"up{stage}_convB")["inbound_nodes"] = [[[f"between{stage}", 0, 0, {}]]]


def densenet121(config):
    gone = tuple(f"conv4_block{n}_" for n in range(25, 33)) + tuple(f"conv5_block{n}_" for n in range(17, 33))
    layers = config["config"]["layers"]
    config["config"]["layers"] = [layer for layer in layers if not layer["config"]["name"].startswith(gone)]
    by_name(config, "conv2")["config"]["filters"] = 1024


def another_encoder(config):
    config["config"]["layers"] = [by_name(config, "input_1"), by_name(config, "conv2"), by_name(config, "conv3")]


def two_outputs(config):
    config["config"]["output_layers"].append(["up4_convB", 0, 0])


def channels_first(config):
    by_name(config, "conv1/conv")["config"]["data_format"] = "channels_first"


def swapped_skip(config):
    by_name(config, "up2_concat")["inbound_nodes"][0].reverse()


def other_skip(config):
    by_name(config, "up3_concat")["inbound_nodes"][0][1][0] = "pool1_relu"


def keras_upsampling(config):
    by_name(config, "up4_upsampling2d")["class_name"] = "UpSampling2D"


def steeper(config):
    by_name(config, "up4_leaky")["config"]["alpha"] = 0.3


def activated(config):
    by_name(config, "conv3")["config"]["activation"] = "sigmoid"


def wider(config):
    by_name(config, "conv2")["config"]["filters"] = 2048


def used_twice(config):
    by_name(config, "up4_convB")["inbound_nodes"] *= 2


@pytest.mark.parametrize(
    ("change", "expected", "received"),
    [
        (half_width, "starts with 1664 filters", "has 832: the reference's later half-width code"),
        (two_activations, "Expected one LeakyReLU per stage", "has two: the reference's later code"),
        (densenet121, "Expected weights on the encoder DenseNet169", "has DenseNet121"),
        (another_encoder, "Expected weights on the encoder DenseNet169", "has layers ['input_1', 'conv2', 'conv3']"),
        (two_outputs, "Expected one output", "has 2: ['conv3', 'up4_convB']"),
        (channels_first, "channels_last", "has 'channels_first'"),
        (swapped_skip, "as layer 15: Concatenate with pool2_pool", "has Concatenate with up2_upsampling2d"),
        (other_skip, "Concatenate with pool1;", "has Concatenate with pool1_relu"),
        (keras_upsampling, "as layer 6: BilinearUpSampling2D", "has UpSampling2D"),
        (steeper, "as layer 2: LeakyReLU 0.2", "has LeakyReLU 0.3"),
        (activated, "as layer 1: Conv2D 3x3 1;", "has Conv2D 3x3 1 activation=sigmoid"),
        (wider, "as layer 22: Conv2D 1x1 1664", "has Conv2D 1x1 2048"),
        (used_twice, "every layer to be used once", "has 'up4_convB' used twice"),
    ],
)
def test_another_architecture_is_refused_by_name(change, expected, received, config, tmp_path):
    change(config)
    write_file(tmp_path / "nyu.h5", config)
    refused(tmp_path / "nyu.h5", expected, received)


def test_file_of_keras_3_is_refused(config, tmp_path):
    write_file(tmp_path / "nyu.h5", config, version="3.15.1")
    refused(tmp_path / "nyu.h5", "Expected a file of Keras 2", "3.15.1")


def without_a_layer(weights):
    del weights["conv5_block32_2_conv"]


def with_another_layer(weights):
    weights["dense"] = {"kernel": np.zeros((3, 3))}


def of_another_width(weights):
    weights["up4_convB"] = {"kernel": np.zeros((3, 3, 52, 52)), "bias": np.zeros(52)}


def without_statistics(weights):
    del weights["bn"]["moving_variance"]


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (without_a_layer, ["Expected 347 layers", "lacks 1 (conv5_block32_2_conv)"]),
        (with_another_layer, ["lacks none and has 1 (dense)"]),
        (of_another_width, ["'up4_convB'", "(3, 3, 104, 104)", "the file has {'kernel': (3, 3, 52, 52)"]),
        (without_statistics, ["'bn'", "'moving_variance': (1664,)}; the file has", "'moving_mean': (1664,)}"]),
    ],
)
def test_weights_that_do_not_fit_change_nothing(change, parts, imported, reference_file):
    before = [ops.convert_to_numpy(weight).copy() for weight in imported.weights]
    other = {name: {key: value + 1 for key, value in own.items()} for name, own in reference_file.weights.items()}
    change(other)
    with pytest.raises(ValueError, match="the file") as caught:
        assign_weights(imported, reference_file._replace(weights=other))
    assert all(part in str(caught.value) for part in parts)
    for old, weight in zip(before, imported.weights, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(weight), old)


def test_command_writes_a_model_that_loads(nyu_file, tmp_path, capsys):
    output = tmp_path / "densedepth.keras"
    assert cli.main(["import", str(nyu_file), "--output", str(output), "--image-size", "64", "96"]) == 0
    assert "42.8 M parameters; sees images at 96x64, answers metres up to 10" in capsys.readouterr().out
    model = load_model(output)
    assert model.output_shape == (None, 32, 48, 1)
    assert depth_range(model) == (0.1, 10.0)
    assert [path.name for path in tmp_path.iterdir()] == ["densedepth.keras"]
