"""build_model: sizes, counts, freezing, weights, precision, saving."""

import http.client

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from densedepth_keras.losses import DepthLoss
from densedepth_keras.models import ENCODERS, MODELS, build_model
from densedepth_keras.models.build import check_model, output_size
from densedepth_keras.models.encoders import (
    batch_norm_layers,
    build_encoder,
    calibrate_batch_norm,
    normalization_layer,
)
from densedepth_keras.models.heads import ReciprocalToDepth
from densedepth_keras.models.options import ARCHITECTURES


@pytest.mark.parametrize(
    ("encoder", "decoder_filters", "parameters", "trainable"),
    [
        ("densenet169", None, 42_816_089, 42_657_689),
        ("densenet169", 832, 21_523_805, 21_365_405),
        ("densenet201", None, 58_035_145, 57_806_089),
        ("densenet121", 512, 10_706_209, 10_622_561),
    ],
)
def test_parameter_counts_are_the_reference_s(encoder, decoder_filters, parameters, trainable):
    model = build_model(encoder, weights=None, decoder_filters=decoder_filters)
    assert model.count_params() == parameters
    assert sum(int(np.prod(w.shape)) for w in model.trainable_weights) == trainable


@pytest.fixture(scope="module", params=["densenet121", "mobilenet_v2"])
def model(request):
    keras.utils.set_random_seed(0)
    return build_model(request.param, weights=None, decoder_filters=16)


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (64, 96), (97, 130)])
def test_any_size_gives_metres_at_half_of_it(model, size, rng):
    image = rng.integers(0, 256, (1, *size, 3), dtype=np.uint8)
    depth = ops.convert_to_numpy(model(image))
    assert depth.shape == (1, -(-size[0] // 2), -(-size[1] // 2), 1)
    assert depth.dtype == np.float32
    assert np.isfinite(depth).all()
    assert (depth > 0).all()


def test_uint8_and_float_images_are_the_same(small_model, rng):
    image = rng.integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    np.testing.assert_array_equal(small_model(image), small_model(image.astype("float32")))


@pytest.mark.parametrize("size", [(33, 47), (64, 96)])
def test_graph_of_open_size_gives_the_eager_values(small_model, size, rng):
    """`predict` traces unknown sizes: the interpolation by matrix must equal keras.ops.image.resize."""
    image = rng.integers(0, 256, (1, *size, 3), dtype=np.uint8)
    # 1e-4 of metres around 1..50: float32 sums in another order
    np.testing.assert_allclose(small_model.predict(image, verbose=0), small_model(image), rtol=1e-4)


def test_full_resolution_answers_at_the_image_s_size(rng):
    model = build_model("mobilenet_v2", weights=None, decoder_filters=16, full_resolution=True)
    assert model(rng.integers(0, 256, (1, 45, 70, 3), dtype=np.uint8)).shape == (1, 45, 70, 1)


def test_head_is_the_reference_s_up_to_max_depth_and_positive_beyond():
    head = ReciprocalToDepth(0.1, 10.0)
    r = np.array([100.0, 10.0, 4.0, 1.0], "float32")
    np.testing.assert_allclose(head(r), 10 / r, rtol=1e-6)
    far = ops.convert_to_numpy(head(np.array([0.5, 0.0, -3.0, -1e4], "float32")))
    np.testing.assert_allclose(far[:3], 10 / np.exp([-0.5, -1.0, -4.0]), rtol=1e-6)  # elu(r - 1) + 1 = exp(r - 1)
    assert np.isfinite(far).all()
    assert (np.diff(far) > 0).all()


@pytest.mark.parametrize(("max_depth", "start"), [(10.0, 2.5), (80.0, 20.0)])
def test_untrained_model_answers_a_quarter_of_max_depth(max_depth, start, rng):
    keras.utils.set_random_seed(0)
    model = build_model("densenet121", weights=None, decoder_filters=16, max_depth=max_depth)
    depth = ops.convert_to_numpy(model(rng.integers(0, 256, (1, 64, 64, 3), dtype=np.uint8)))
    np.testing.assert_allclose(depth, start, rtol=0.25)  # a random network's output around its bias


def backbone(model):
    return model.get_layer("encoder").get_layer("backbone")


def _fit_once(model, rng):
    model.compile(keras.optimizers.Adam(1e-3), loss=DepthLoss())
    x = rng.integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    y = rng.uniform(1, 9, (2, 32, 32, 1)).astype("float32")
    model.fit(x, y, epochs=2, batch_size=2, verbose=0)


def test_frozen_encoder_keeps_weights_and_statistics_under_fit(rng):
    model = build_model("mobilenet_v2", weights=None, decoder_filters=16, freeze_encoder=True)
    before = [w.copy() for w in model.get_layer("encoder").get_weights()]
    head = model.get_layer("depth_reciprocal").get_weights()[0].copy()
    _fit_once(model, rng)
    for old, new in zip(before, model.get_layer("encoder").get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert np.abs(model.get_layer("depth_reciprocal").get_weights()[0] - head).max() > 0


def test_encoder_with_fixed_batch_norm_trains_the_rest_under_fit(rng):
    """The Keras 3 trap: `training=False` in the graph would not do it, since `fit` sends training=True through it."""
    model = build_model("mobilenet_v3_small", weights=None, decoder_filters=16, freeze_batch_norm=True)
    norms = batch_norm_layers(model)
    before = [[weight.copy() for weight in layer.get_weights()] for layer in norms]
    kernel = backbone(model).get_layer("conv").get_weights()[0].copy()
    _fit_once(model, rng)
    assert len(norms) == 34
    for old, layer in zip(before, norms, strict=True):
        for weight, now in zip(old, layer.get_weights(), strict=True):
            np.testing.assert_array_equal(weight, now)
    assert np.abs(backbone(model).get_layer("conv").get_weights()[0] - kernel).max() > 0


def test_what_is_frozen_stays_so_in_a_saved_model(tmp_path):
    for frozen in ("freeze_encoder", "freeze_batch_norm"):
        model = build_model("mobilenet_v3_small", weights=None, decoder_filters=16, **{frozen: True})
        model.save(tmp_path / f"{frozen}.keras")
        loaded = keras.saving.load_model(tmp_path / f"{frozen}.keras", safe_mode=True)
        assert len(loaded.trainable_weights) == len(model.trainable_weights)
        assert not any(layer.trainable for layer in batch_norm_layers(loaded))


def test_trainable_encoder_gets_gradients(rng):
    """Not by `fit`: compiling the training graph of a whole backbone takes most of a minute on two cores."""
    model = build_model("mobilenet_v2", weights=None, decoder_filters=16)
    images = rng.integers(0, 256, (4, 64, 64, 3), dtype=np.uint8)
    depths = rng.uniform(1, 9, (4, 32, 32, 1)).astype("float32")
    before = backbone(model).get_layer("bn_Conv1").moving_mean.numpy().copy()
    with tf.GradientTape() as tape:
        loss = DepthLoss()(depths, model(images, training=True))
    weights = model.get_layer("encoder").trainable_weights
    slopes = tape.gradient(loss, [weight.value for weight in weights])
    assert len(weights) == 156  # 52 kernels, 52 gammas, 52 betas
    assert all(float(ops.max(ops.abs(slope))) > 0 for slope in slopes)
    assert np.abs(backbone(model).get_layer("bn_Conv1").moving_mean.numpy() - before).max() > 0


def test_save_and_load_give_the_same_metres(small_model, tmp_path, rng):
    image = rng.integers(0, 256, (1, 50, 70, 3), dtype=np.uint8)
    small_model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(loaded(image), small_model(image))
    assert loaded.get_layer("depth").max_depth == 10.0


@pytest.mark.parametrize("encoder", ["convnext_tiny", "efficientnet_b0", "efficientnet_v2_b0"])
def test_backbones_with_layers_of_their_own_are_saved_and_loaded(encoder, tmp_path, rng):
    """In safe mode, without custom objects: LayerScale, Sequential blocks, cut-off normalisation."""
    model = build_model(encoder, weights=None, decoder_filters=16, decoder="separable")
    model.save(tmp_path / "m.keras")
    image = rng.integers(0, 256, (1, 33, 47, 3), dtype=np.uint8)
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "m.keras", safe_mode=True)(image), model(image))


@pytest.mark.parametrize("suffix", [".h5", ".weights.h5"])
def test_backbone_weights_from_a_file(suffix, tmp_path, rng):
    """`.h5` is the layout keras.applications ships, see `_save_legacy_h5`."""
    backbone = keras.applications.DenseNet121(include_top=False, weights=None, input_shape=(None, None, 3))
    path = tmp_path / f"backbone{suffix}"
    if suffix == ".h5":
        _save_legacy_h5(backbone, path)
    else:
        backbone.save_weights(path)
    image = rng.normal(size=(1, 64, 64, 3)).astype("float32")
    encoder = build_encoder("densenet121", path)
    np.testing.assert_allclose(encoder(image)[-1], backbone(image), atol=1e-6)


def _save_legacy_h5(backbone, path):
    """The layout of the published files: one group per layer, `layer_names` and `weight_names` as attributes."""
    import h5py

    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.name.encode() for layer in backbone.layers]
        file.attrs["backend"], file.attrs["keras_version"] = b"tensorflow", b"2.1.6"
        for layer in backbone.layers:
            group = file.create_group(layer.name)
            names = [f"{layer.name}/{weight.name}:0" for weight in layer.weights]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, weight in zip(names, layer.weights, strict=True):
                group.create_dataset(name, data=ops.convert_to_numpy(weight))


def test_real_imagenet_weights_from_a_path(mobilenet_weights, nyu_folder):
    """A real photograph through the encoder equals keras.applications with its own preprocessing."""
    from densedepth_keras.data.files import read_image

    image = read_image(nyu_folder / "rgb" / "0000.jpg")[None].astype("float32")
    backbone = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(None, None, 3))
    backbone.load_weights(mobilenet_weights)
    expected = backbone(keras.applications.mobilenet_v2.preprocess_input(image.copy()))
    encoder = build_encoder("mobilenet_v2", mobilenet_weights)
    np.testing.assert_allclose(encoder(normalization_layer("mobilenet_v2")(image))[-1], expected, atol=1e-4)


@pytest.mark.parametrize("freeze_encoder", [False, True])
def test_calibration_sets_the_statistics_of_the_images(freeze_encoder, rng):
    """Afterwards the first normalisation's output over those images has mean beta = 0 and variance gamma = 1."""
    model = build_model("mobilenet_v2", weights=None, decoder_filters=16, freeze_encoder=freeze_encoder)
    images = rng.integers(0, 256, (8, 64, 64, 3), dtype=np.uint8)
    trainable = len(model.trainable_weights)
    calibrate_batch_norm(model, images, momentum=0.8)
    first = keras.Model(backbone(model).input, backbone(model).get_layer("bn_Conv1").output)
    out = ops.convert_to_numpy(first(normalization_layer("mobilenet_v2")(images)))
    np.testing.assert_allclose(out.mean((0, 1, 2)), 0, atol=0.01)
    np.testing.assert_allclose(out.var((0, 1, 2)), 1, atol=0.05)  # epsilon in the normalisation
    assert len(model.trainable_weights) == trainable
    assert {layer.momentum for layer in batch_norm_layers(model)} == {0.8}


def test_batch_norm_layers_finds_those_of_nested_models(small_model):
    assert len(batch_norm_layers(small_model)) == 52  # MobileNetV2's


WRONG = [
    ({"encoder": "densnet169"}, "Received: encoder='densnet169'. Did you mean 'densenet169'"),
    ({"architecture": "u-net"}, "Received: architecture='u-net'. Did you mean 'unet'"),
    ({"decoder": "seperable"}, "Did you mean 'separable'"),
    ({"upsampling": "bilinaer"}, "Did you mean 'bilinear'"),
    ({"activation": "leaky-relu"}, "Did you mean 'leaky_relu'"),
    ({"activation": None, "upsampling": ""}, "upsampling=''"),
    ({"min_depth": 10.0, "max_depth": 1.0}, "min_depth=10.0, max_depth=1.0"),
    ({"min_depth": 0.0}, "min_depth=0.0"),
    ({"image_size": 5}, "image_size=5"),
    ({"image_size": (31, 64)}, r"image_size=\(31, 64\)"),
    ({"decoder_filters": 100}, "decoder_filters=100"),
    ({"decoder_filters": 0}, "decoder_filters=0"),
    ({"decoder_filters": 16.0}, "decoder_filters=16.0"),
    ({"base_filters": 32}, "`base_filters` does not go with architecture='densedepth'"),
    ({"num_convs": 0}, "num_convs=0"),
    ({"num_convs": None}, "num_convs=None"),
    ({"deep_supervision": None}, "deep_supervision=None"),
    ({"batch_norm": "no"}, "`batch_norm` must be True or False. Received: batch_norm='no'"),
    ({"max_depth": "10"}, "max_depth='10'"),
    ({"num_convs": 5}, "num_convs=5"),
    ({"upsampling": "transpose", "dropout": 1.0}, "dropout=1.0"),
    ({"dropout": -0.1}, "dropout=-0.1"),
    ({"dropout": float("nan")}, "dropout=nan"),
    ({"deep_supervision": 4}, "0 to 3 companion heads. Received: deep_supervision=4"),
    ({"deep_supervision": True}, "deep_supervision=True"),
    ({"companion_weight": 0.5}, "companion_weight=0.5, deep_supervision=0"),
    ({"companion_weight": 0.0}, "companion_weight=0.0"),
    ({"companion_decay": 1.5}, "companion_decay=1.5"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG)
def test_wrong_arguments(arguments, message):
    for function in (build_model, check_model):
        with pytest.raises(ValueError, match=message):
            function(**{"weights": None, **arguments})


@pytest.mark.parametrize(
    "arguments",
    [
        {"architecture": "densedepth", "encoder": "mobilenet_v2"},
        {"architecture": "densedepth", "encoder": "mobilenet_v2", "full_resolution": True},
        {"architecture": "unet", "base_filters": 2},
    ],
    ids=str,
)
def test_output_size_is_the_one_said_beforehand(arguments):
    model = build_model(weights=None, image_size=(45, 70), **arguments)
    said = output_size((45, 70), arguments["architecture"], arguments.get("full_resolution", False))
    assert model.output_shape[1:3] == said


def test_architectures_are_the_table_s():
    assert tuple(MODELS) == ARCHITECTURES


def test_numpy_s_numbers_are_taken(tmp_path):
    sizes = {"image_size": (np.int64(64), 32), "base_filters": np.int32(2), "max_depth": np.float32(8)}
    model = build_model(architecture="unet", dropout=np.float32(0.5), num_convs=np.int8(1), **sizes)
    assert model.input_shape == (None, 64, 32, 3)
    model.save(tmp_path / "m.keras")
    assert keras.saving.load_model(tmp_path / "m.keras").get_layer("depth").max_depth == 8.0


def test_fixed_batch_norm_needs_some():
    for function in (build_model, check_model):
        with pytest.raises(ValueError, match="vgg16 has no BatchNormalization layers"):
            function("vgg16", weights=None, decoder_filters=16, freeze_batch_norm=True)


def test_weights_of_another_kind():
    with pytest.raises(TypeError, match="weights=5"):
        build_model("mobilenet_v2", weights=5)


def test_missing_weight_file():
    with pytest.raises(FileNotFoundError, match=r"weights='nowhere\.h5'"):
        build_model("mobilenet_v2", weights="nowhere.h5")


@pytest.mark.parametrize("content", [b"", b"not hdf5"])
def test_broken_weight_file(content, tmp_path):
    path = tmp_path / "weights.h5"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"does not hold weights of 'mobilenet_v2'.*weights\.h5"):
        build_model("mobilenet_v2", weights=path)


@pytest.mark.parametrize("encoder", ["mobilenet", "vgg16", "convnext_tiny"])
def test_weights_of_another_or_wider_backbone(encoder, tmp_path):
    """Written by MobileNetV2 of half the width: the family is not enough, and nothing is loaded by halves."""
    arguments = {"include_top": False, "weights": None, "input_shape": (None, None, 3)}
    _save_legacy_h5(keras.applications.MobileNetV2(alpha=0.5, **arguments), tmp_path / "half.h5")
    keras.applications.MobileNetV2(alpha=0.5, **arguments).save_weights(tmp_path / "half.weights.h5")
    for wanted in (encoder, "mobilenet_v2"):
        for file in ("half.h5", "half.weights.h5"):
            with pytest.raises(ValueError, match=f"does not hold weights of '{wanted}'.*{file}"):
                build_encoder(wanted, tmp_path / file)


def test_weights_of_another_backbone(mobilenet_weights):
    with pytest.raises(ValueError, match="does not hold weights of 'densenet121'"):
        build_model("densenet121", weights=mobilenet_weights)


FAILURES = [
    Exception("URL fetch failure on https://host/densenet169.h5: None -- no route"),  # what get_file makes of URLError
    ConnectionResetError(104, "Connection reset by peer"),
    TimeoutError("timed out"),
    http.client.IncompleteRead(b"", 10),
]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
def test_failed_download_names_file_place_and_choices(failure, monkeypatch, tmp_path):
    def refuse(**_):
        raise failure

    spec = ENCODERS["densenet169"]._replace(constructor=refuse)
    monkeypatch.setattr("densedepth_keras.models.encoders.ENCODERS", {"densenet169": spec})
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    file = tmp_path / "models" / "densenet169_weights_tf_dim_ordering_tf_kernels_notop.h5"
    with pytest.raises(FileNotFoundError) as caught:
        build_model()
    for part in (str(file), "could not be downloaded", "--encoder-weights PATH", "--encoder-weights none"):
        assert part in str(caught.value)
    file.parent.mkdir()
    file.write_text("<html>log in first</html>")
    with pytest.raises(FileNotFoundError, match="is there but cannot be used; delete it"):
        build_model()


def test_real_weight_file_has_the_name_in_the_table(mobilenet_weights):
    assert mobilenet_weights.name == ENCODERS["mobilenet_v2"].weight_file
