"""Mixed precision: head and loss in float32, 50 steps without a NaN, metres close to float32's."""

import keras
import numpy as np
import pytest
from keras import ops

from densedepth_keras.data import load_dataset
from densedepth_keras.data.files import read_image
from densedepth_keras.losses import DepthLoss
from densedepth_keras.model_setup import dtype_policy
from densedepth_keras.models import build_model
from densedepth_keras.models.encoders import calibrate_batch_norm

POLICIES = ["mixed_float16", "mixed_bfloat16"]
VARIANTS = {
    "densedepth": {"encoder": "mobilenet_v2", "decoder_filters": 16, "batch_norm": True},
    "separable": {"encoder": "mobilenet_v2", "decoder_filters": 32, "decoder": "separable", "upsampling": "transpose"},
    "unet": {"architecture": "unet", "base_filters": 4, "deep_supervision": 2},
}


def build(policy, **arguments):
    weights = {} if arguments.get("architecture") == "unet" else {"weights": None, "freeze_encoder": True}
    keras.utils.set_random_seed(0)
    with dtype_policy(policy):
        return build_model(**weights, **arguments)


def test_normalization_head_and_companions_compute_in_float32():
    model = build("mixed_bfloat16", encoder="mobilenet_v2", decoder_filters=16, deep_supervision=2)
    assert model.get_layer("up1_conv_a").compute_dtype == "bfloat16"
    backbone = model.get_layer("encoder").get_layer("backbone")
    kept = {layer.name for layer in backbone.layers if layer.compute_dtype == "float32"}
    assert "block_1_expand_relu" in kept  # P1; see `_keep_float32`
    assert "block_1_depthwise" not in kept
    assert len(kept) == 3 + 5 + 3  # stem, first block, expansion of the second
    names = [layer.name for layer in model.layers if layer.name.startswith(("depth", "normalization"))]
    assert len(names) == 1 + 2 + 2 * 3
    assert {model.get_layer(name).compute_dtype for name in names} == {"float32"}
    assert {output.dtype for output in model.output.values()} == {"float32"}
    assert {weight.dtype for weight in model.weights} <= {"float32", "int32"}


@pytest.mark.parametrize(
    ("policy", "variant"),
    [("mixed_float16", "densedepth"), ("mixed_bfloat16", "separable"), ("mixed_bfloat16", "unet")],
)
def test_50_steps_without_a_nan(policy, variant, rng):
    model = build(policy, **VARIANTS[variant])
    images = rng.integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    side = 32 if variant == "unet" else 16
    depth = rng.uniform(0.2, 10, (4, side, side, 1)).astype("float32")
    depth[rng.random(depth.shape) < 0.2] = 0
    model.compile(keras.optimizers.Adam(1e-3), loss=DepthLoss())
    losses = model.fit(images, depth, epochs=50, batch_size=4, verbose=0).history["loss"]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]
    assert all(np.isfinite(ops.convert_to_numpy(weight)).all() for weight in model.weights)


@pytest.mark.parametrize("policy", POLICIES)
def test_metres_are_within_2_percent_of_float32_s(policy, small_model):
    mixed = build(policy, encoder="mobilenet_v2", decoder_filters=16)
    mixed.set_weights(small_model.get_weights())
    rooms = load_dataset("rooms", "test", limit=2)
    images = np.stack([rooms[i].image[::2, ::2] for i in range(2)])
    expected, got = (ops.convert_to_numpy(model(images)) for model in (small_model, mixed))
    assert expected.max() > 1.5 * expected.min()  # a constant would prove nothing
    difference = np.abs(got / expected - 1)
    assert 0 < difference.mean() < 0.005  # not 0: it did compute in lower precision
    # A random network of 60 layers passes rounding on unchecked: single pixels go up to 3.4 % with bfloat16's 8 bits.
    assert difference.max() < {"mixed_float16": 0.02, "mixed_bfloat16": 0.05}[policy]


@pytest.mark.parametrize("policy", POLICIES)
def test_metres_of_a_photograph_are_within_2_percent(policy, mobilenet_weights, nyu_folder):
    """Real weights, whose first layers lose 1.5 % in bfloat16 unless they are kept in float32."""
    image = read_image(nyu_folder / "rgb" / "0000.jpg")[None, ::2, ::2]
    depths = []
    for name in ("float32", policy):
        keras.utils.set_random_seed(0)
        with dtype_policy(name):
            model = build_model("mobilenet_v2", weights=mobilenet_weights, decoder_filters=64)
        head = model.get_layer("depth_reciprocal")
        kernel, bias = head.get_weights()
        head.set_weights([10 * kernel, bias])
        depths.append(ops.convert_to_numpy(model(image)))
    assert depths[0].max() > 1.3 * depths[0].min()
    difference = np.abs(depths[1] / depths[0] - 1)
    assert 0 < difference.mean() < 0.01
    assert np.percentile(difference, 99) < 0.02


@pytest.mark.parametrize("policy", POLICIES)
def test_policy_travels_with_a_saved_model(policy, tmp_path, rng):
    model = build(policy, encoder="mobilenet_v2", decoder_filters=16)
    calibrate_batch_norm(model, rng.integers(0, 256, (4, 64, 64, 3), dtype=np.uint8))
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras", safe_mode=True)
    assert loaded.get_layer("up1_conv_a").compute_dtype == model.get_layer("up1_conv_a").compute_dtype != "float32"
    image = rng.integers(0, 256, (1, 64, 64, 3), dtype=np.uint8)
    np.testing.assert_array_equal(loaded(image), model(image))
