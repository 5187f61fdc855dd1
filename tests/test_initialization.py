"""take_over_weights: which layers get a trained model's weights, what metres they answer, what is said of the rest."""

import keras
import numpy as np
import pytest

from densedepth_keras.initialization import Taken, summary, take_over_weights
from densedepth_keras.models import build_model
from densedepth_keras.models.encoders import Normalization
from densedepth_keras.models.heads import depth_head

SIZE = (32, 48)
HEADS = ("depth", "depth_s2_own_size", "depth_s3_own_size")
"""Of a model with two companions, at their own size: behind it, interpolation mixes depths of both kinds."""


def unet(seed=0, **arguments):
    """The smallest network with this package's decoder and heads: a U-Net of 2 channels."""
    keras.utils.set_random_seed(seed)
    return build_model(architecture="unet", **{"base_filters": 2, "image_size": SIZE, **arguments})


def mobilenet(seed, **arguments):
    keras.utils.set_random_seed(seed)
    return build_model("mobilenet_v2", weights=None, decoder_filters=16, image_size=SIZE, **arguments)


@keras.saving.register_keras_serializable(package="test_initialization")
class Scale(keras.layers.Layer):
    """A layer whose weight has no name, as ConvNeXt's: Keras calls it `variable_<number>`."""

    def build(self, input_shape):
        self.factor = self.add_weight(shape=input_shape[-1:])

    def call(self, inputs):
        return inputs * self.factor


def with_encoder(blocks, *, name="depth", scale=(1.0, 1.0, 1.0)):
    """An encoder of named convolutions and a layer that Keras names itself, a bridge, a head."""
    x = image = keras.Input((None, None, 3))
    for block in blocks:
        x = Scale(name=f"{block}_scale")(keras.layers.Conv2D(4, 1, name=block)(x))
    encoder = keras.Model(image, keras.layers.LayerNormalization()(x), name="encoder")
    image = keras.Input((*SIZE, 3), name="image")
    features = encoder(Normalization(scale, (0.0, 0.0, 0.0), name="normalization")(image))
    features = keras.layers.Conv2D(2, 1, name="bridge")(features)
    return keras.Model(image, depth_head(features, 0.1, 10.0, name=name), name="tiny")


def randomize(model, seed=1):
    """Every weight, batch statistics included, gets a value of its own; variances stay positive."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        weight.assign(rng.uniform(0.1, 1.0, weight.shape))
    return model


def values(model):
    """Path of a weight -> its value."""
    return {weight.path: keras.ops.convert_to_numpy(weight) for weight in model.weights}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run folder with a U-Net of two companions that answers from 2 to more than 10 m, and that U-Net."""
    model = unet(deep_supervision=2)
    rng = np.random.default_rng(0)
    for name in HEADS:
        head = model.get_layer(f"{name}_reciprocal")
        kernel, bias = head.get_weights()
        reciprocal = keras.Model(model.input, head.output)(rng.integers(0, 256, (1, *SIZE, 3), dtype=np.uint8))
        mean, spread = np.mean(reciprocal) - bias, np.std(reciprocal)
        head.set_weights([kernel / spread, 2.2 - mean / spread])  # 2.2 on average, 1 in standard deviation
    folder = tmp_path_factory.mktemp("run")
    model.save(folder / "model.keras")
    return folder, model


@pytest.fixture
def image(rng):
    return rng.integers(0, 256, (1, *SIZE, 3), dtype=np.uint8)


def metres(model, image):
    heads = keras.Model(model.input, {name: model.get_layer(name).output for name in HEADS})
    return {name: keras.ops.convert_to_numpy(depth) for name, depth in heads(image).items()}


def test_same_network_gets_everything(trained):
    folder, model = trained
    new = unet(1, deep_supervision=2)
    for source in (folder, str(folder / "model.keras")):
        taken = take_over_weights(new, source)
        assert taken[2:4] == ([], [])
        assert taken.layers_taken == taken.layers == 25
        assert taken.parameters_taken == taken.parameters == model.count_params()
        assert taken.source == str(folder / "model.keras")
    for path, value in values(model).items():
        np.testing.assert_array_equal(values(new)[path], value, err_msg=path)


@pytest.mark.parametrize("max_depth", [80.0, 4.0])
def test_metres_stay_the_same_within_both_ranges(trained, image, max_depth):
    folder, model = trained
    new = unet(1, deep_supervision=2, max_depth=max_depth)
    taken = take_over_weights(new, folder)
    old_metres, new_metres = metres(model, image), metres(new, image)
    for name in HEADS:
        old, both = old_metres[name], old_metres[name] <= min(10.0, max_depth)
        assert 0.1 < both.mean() < 0.95, name
        # a sum of products in float32, scaled once more; 1e-5 leaves room for terms that cancel
        np.testing.assert_allclose(new_metres[name][both], old[both], rtol=1e-5)
        farther = new_metres[name][~both] / old[~both]
        assert (farther > 1 - 1e-5 if max_depth > 10 else farther < 1 + 1e-5).all()
        assert abs(farther - 1).max() > 0.1
        assert (new_metres[name][~both] > min(10.0, max_depth) * (1 - 1e-5)).all()
    factor = {80.0: "8", 4.0: "0.4"}[max_depth]
    assert f"multiplied by {factor}, so metres are the same up to {min(10, max_depth):g} m" in taken.notes[0]
    assert ("never saw" in taken.notes[0]) == (max_depth > 10)


def test_what_does_not_fit_stays_and_is_listed(trained):
    folder, model = trained
    new = unet(1, base_filters=2, num_convs=1, upsampling="bilinear", deep_supervision=3)
    before, old = values(new), values(model)
    taken = take_over_weights(new, folder)
    assert taken.left == [
        "up1_conv_a: (3, 3, 32, 16) there, (3, 3, 48, 16) here",
        "up2_conv_a: (3, 3, 16, 8) there, (3, 3, 24, 8) here",
        "up3_conv_a: (3, 3, 8, 4) there, (3, 3, 12, 4) here",
        "up4_conv_a: (3, 3, 4, 2) there, (3, 3, 6, 2) here",
        "depth_s4_own_size_reciprocal: not there",
    ]
    names = {line.split(":")[0] for line in taken.left}
    for path, value in values(new).items():
        np.testing.assert_array_equal(value, (before if path.split("/")[0] in names else old)[path], err_msg=path)
    assert taken.notes == [
        "No place here for the trained model's down1_conv_b, down2_conv_b, down3_conv_b, down4_conv_b and 9 more."
    ]
    assert taken.layers_taken == taken.layers - 5


def test_layer_with_other_weights_than_there_is_left_whole(trained):
    new = unet(1, batch_norm=True)
    taken = take_over_weights(new, trained[0])
    assert "down1_conv_a: kernel, bias there, kernel here" in taken.left
    assert "bottom_norm_a: not there" in taken.left
    assert taken.notes == [
        "No place here for the trained model's depth_s2_own_size_reciprocal, depth_s3_own_size_reciprocal."
    ]
    assert taken.layers_taken == 5  # four transposed convolutions and the head


def test_other_computation_with_the_same_weights_is_said(trained):
    taken = take_over_weights(unet(1, activation="elu", deep_supervision=2), trained[0])
    assert taken.left == []
    assert taken.notes == [
        "Computed otherwise in the trained model: down1_activation_a, down1_activation_b, down2_activation_a, "
        "down2_activation_b and 14 more."
    ]


@pytest.mark.parametrize("wrong", ["other widths", "another architecture", "all but the head"])
def test_nothing_fits(trained, wrong):
    if wrong == "other widths":
        new, reason = unet(1, base_filters=3), r"down1_conv_a: \(3, 3, 3, 2\) there, \(3, 3, 3, 3\) here"
    else:  # both heads read 2 channels, from layers of other names
        name = "other" if wrong == "another architecture" else "depth"
        new, reason = with_encoder(["a"], name=name), "encoder: not there; bridge: not there"
    before = values(new)
    with pytest.raises(ValueError, match=rf"{reason}.*Received: source='.*run"):
        take_over_weights(new, trained[0])
    for path, value in values(new).items():
        np.testing.assert_array_equal(value, before[path])


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    model = randomize(with_encoder(["conv1", "conv2"]))
    file = tmp_path_factory.mktemp("tiny") / "tiny.keras"
    model.save(file)
    return file, model


def test_layers_that_keras_numbered_are_the_same_ones(tiny, image):
    file, model = tiny
    new = with_encoder(["conv1", "conv2"])  # its LayerNormalization and nameless weights have other numbers by now
    assert new.get_layer("encoder").layers[-1].name != model.get_layer("encoder").layers[-1].name
    taken = take_over_weights(new, file)
    assert taken.left == []
    np.testing.assert_array_equal(new(image), model(image))


def test_part_of_another_backbone_is_not_taken(tiny):
    file, model = tiny
    new = with_encoder(["conv1", "conv2", "conv3"])
    before = values(new.get_layer("encoder"))
    taken = take_over_weights(new, file)
    assert taken.left == ["encoder: another backbone, 5 layers there, 7 here, 5 of them alike"]
    assert (taken.layers_taken, taken.layers) == (2, 9)
    for path, value in values(new.get_layer("encoder")).items():
        np.testing.assert_array_equal(value, before[path])
    np.testing.assert_array_equal(new.get_layer("bridge").kernel, model.get_layer("bridge").kernel)


def test_smaller_backbone_with_the_same_names_is_another_one(tiny):
    assert take_over_weights(with_encoder(["conv1"]), tiny[0]).left[0].startswith("encoder: another backbone, 5")


def test_encoder_without_a_place_and_another_normalization(tiny):
    file, _ = tiny
    taken = take_over_weights(with_encoder(["conv1", "conv2"], scale=(2.0, 1.0, 1.0)), file)
    assert taken.notes == ["Computed otherwise in the trained model: normalization."]
    image = keras.Input((*SIZE, 3))
    bare = keras.Model(image, depth_head(keras.layers.Conv2D(2, 1, name="bridge")(image), 0.1, 10.0, name="other"))
    with pytest.raises(ValueError, match="No layer below the heads"):  # its bridge has 3 channels in, not 4
        take_over_weights(bare, file)
    image = keras.Input((*SIZE, 4))
    bare = keras.Model(image, depth_head(keras.layers.Conv2D(2, 1, name="bridge")(image), 0.1, 20.0, name="other"))
    taken = take_over_weights(bare, file)
    assert taken.left == ["other_reciprocal: not there"]
    # no head was taken over, so nothing is said of max_depth
    assert taken.notes == ["No place here for the trained model's encoder, depth_reciprocal."]


def test_frozen_in_mixed_precision_from_trainable_in_float32(tmp_path):
    model = randomize(mobilenet(0))
    model.save(tmp_path / "model.keras")
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        new = mobilenet(1, freeze_encoder=True)
    finally:
        keras.config.set_dtype_policy("float32")
    taken = take_over_weights(new, tmp_path)
    assert taken.left == taken.notes == []
    assert taken.parameters_taken == model.count_params()
    assert not new.get_layer("encoder").trainable_weights
    found = values(new)
    assert found.keys() == values(model).keys()
    for path, value in values(model).items():
        assert found[path].dtype == np.float32
        np.testing.assert_array_equal(found[path], value, err_msg=path)


def test_sources_that_are_none(tmp_path):
    new, path = unet(), tmp_path / "x.keras"
    for missing in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(FileNotFoundError, match=r"No model to start from.*Received: source="):
            take_over_weights(new, missing)
    path.write_bytes(b"PK hello")
    with pytest.raises(ValueError, match=r"not a model that Keras can load.*x\.keras"):
        take_over_weights(new, path)
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save(path)
    with pytest.raises(ValueError, match=r"Not a depth model of this package.*x\.keras"):
        take_over_weights(new, path)
    with pytest.raises(TypeError, match=r"`source` must be the path.*Received: source=3"):
        take_over_weights(new, 3)


def test_summary_groups_what_was_left():
    left = ["encoder: not there", "up1_conv_a: not there", "depth_s2: not there", "up1_conv_b: not there"]
    taken = Taken(3, 1200, left, ["A note."], 7, 3400, "run/model.keras")
    assert summary(taken) == [
        "Weights taken over from run/model.keras: 1,200 of 3,400 parameters, 3 of 7 layers",
        "  left as it started: encoder: not there",
        "  left as it started: up1_conv_a: not there; and 1 more of up1",
        "  left as it started: depth_s2: not there",
        "A note.",
    ]


def test_summary_has_twelve_lines_at_most():
    left = [f"s{stage}_conv_{part}: not there" for stage in range(20) for part in "ab"]
    lines = summary(Taken(1, 1, left, ["One.", "Two.", "Three."], 41, 9, "m.keras"))
    assert len(lines) == 12
    assert lines[8] == f"  left as it started: 26 layers of {', '.join(f's{n}' for n in range(7, 20))}"
    *_, last = summary(Taken(1, 1, left[:16], [], 41, 9, "m.keras"))  # eight stages: each has its line
    assert last == "  left as it started: s7_conv_a: not there; and 1 more of s7"
