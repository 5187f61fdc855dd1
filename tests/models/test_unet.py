"""The U-Net: size, width, switches, and that it learns."""

import keras
import numpy as np
import pytest
from keras import ops

from densedepth_keras.losses import DepthLoss
from densedepth_keras.models import build_model
from densedepth_keras.models.encoders import batch_norm_layers


def unet(**arguments):
    keras.utils.set_random_seed(0)
    return build_model(architecture="unet", **{"base_filters": 4, **arguments})


@pytest.mark.parametrize("upsampling", ["bilinear", "transpose"])
@pytest.mark.parametrize("size", [(32, 32), (33, 47), (97, 130)])
def test_answers_metres_at_the_image_s_size(upsampling, size, rng):
    model = unet(upsampling=upsampling)
    depth = ops.convert_to_numpy(model(rng.integers(0, 256, (2, *size, 3), dtype=np.uint8)))
    assert depth.shape == (2, *size, 1)
    assert depth.dtype == np.float32
    assert np.isfinite(depth).all()
    assert (depth > 0).all()


def test_is_ronneberger_s_by_default():
    """64 to 1024 filters, two convolutions a block, 2x2 up-convolutions; parameters by hand."""
    model = build_model(architecture="unet")
    widths = [model.get_layer(f"{name}_conv_b").filters for name in ("down1", "down2", "down3", "down4", "bottom")]
    assert widths == [64, 128, 256, 512, 1024]
    blocks = [(3, 64), *((64 * 2**n, 128 * 2**n) for n in range(4))]
    convolutions = sum(9 * a * b + b + 9 * b * b + b for a, b in blocks)
    ups = sum(4 * 2 * b * b + b + 9 * 2 * b * b + b + 9 * b * b + b for b in (512, 256, 128, 64))
    assert model.count_params() == convolutions + ups + 9 * 64 + 1
    assert model.get_layer("up1_activation_a").activation is keras.activations.relu
    assert isinstance(model.get_layer("up1_transpose"), keras.layers.Conv2DTranspose)


def test_batch_norm_is_a_switch_for_all_blocks():
    assert batch_norm_layers(unet()) == []
    assert len(batch_norm_layers(unet(batch_norm=True))) == 2 * 9


def test_learns_one_picture():
    """A small U-Net from scratch tells two planes of one image apart in 60 steps: 6 m left, 2 m right."""
    image = np.zeros((1, 32, 32, 3), np.uint8)
    image[:, :, 16:] = 200
    depth = np.where(image[..., :1] > 0, 2.0, 6.0).astype("float32")
    model = unet(base_filters=8)
    model.compile(keras.optimizers.Adam(1e-3), loss=DepthLoss())
    before = model.evaluate(image, depth, verbose=0)
    model.fit(np.repeat(image, 2, 0), np.repeat(depth, 2, 0), epochs=60, batch_size=2, verbose=0)
    assert model.evaluate(image, depth, verbose=0) < 0.55 * before  # twice what four seeds needed
    metres = ops.convert_to_numpy(model(image))[0, 8:24, :, 0]
    assert np.median(metres[:, 4:12]) > np.median(metres[:, 20:28]) + 2


def test_save_and_load_give_the_same_metres(tmp_path, rng):
    image = rng.integers(0, 256, (1, 50, 70, 3), dtype=np.uint8)
    model = unet(batch_norm=True, dropout=0.1)
    model.save(tmp_path / "unet.keras")
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "unet.keras", safe_mode=True)(image), model(image))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"encoder": "resnet50"}, "Received: encoder='resnet50'"),
        ({"weights": "vgg16.h5"}, r"`weights` does not go with architecture='unet'"),
        ({"freeze_encoder": True}, "freeze_encoder=True"),
        ({"freeze_batch_norm": True}, "freeze_batch_norm=True"),
        ({"decoder": "separable"}, "decoder='separable'"),
        ({"decoder_filters": 32}, "decoder_filters=32"),
        ({"full_resolution": True}, "full_resolution=True"),
        ({"base_filters": 0}, "base_filters=0"),
    ],
)
def test_refuses_what_it_has_not(arguments, message):
    with pytest.raises(ValueError, match=message):
        unet(**arguments)
