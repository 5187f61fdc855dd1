"""Decoders: every variant at any size, what each flag builds, BatchNorm and dropout under fit, cost."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops

from densedepth_keras.losses import DepthLoss
from densedepth_keras.models import DECODERS, build_model
from densedepth_keras.models.cost import multiply_adds
from densedepth_keras.models.decoder import ACTIVATIONS, UPSAMPLINGS, Block, EqualTaps, decode
from densedepth_keras.models.encoders import batch_norm_layers


def model_of(**arguments):
    keras.utils.set_random_seed(0)
    return build_model("mobilenet_v2", weights=None, decoder_filters=16, **arguments)


@pytest.mark.parametrize(("decoder", "upsampling"), list(itertools.product(DECODERS, UPSAMPLINGS)))
def test_any_size_gives_metres_at_half_of_it(decoder, upsampling, rng):
    model = model_of(decoder=decoder, upsampling=upsampling, batch_norm=True, num_convs=3, dropout=0.5)
    for size in ((32, 32), (33, 47), (97, 130)):
        depth = ops.convert_to_numpy(model(rng.integers(0, 256, (1, *size, 3), dtype=np.uint8)))
        assert depth.shape == (1, -(-size[0] // 2), -(-size[1] // 2), 1)
        assert np.isfinite(depth).all()
        assert (depth > 0).all()


def decoder_of(decoder="densedepth", **block):
    """Only a decoder of 16 filters, on a pyramid of 1280, 576, 192, 144 and 96 channels (MobileNetV2's)."""
    pyramid = [keras.Input((None, None, channels)) for channels in (96, 144, 192, 576, 1280)]
    return keras.Model(pyramid, decode(pyramid, 16, decoder, Block(**block)))


@pytest.mark.parametrize("num_convs", [1, 2, 3, 4])
@pytest.mark.parametrize("decoder", list(DECODERS))
def test_num_convs_and_batch_norm_are_counted(decoder, num_convs):
    plain, normalized = (decoder_of(decoder, num_convs=num_convs, batch_norm=on) for on in (False, True))
    for model in (plain, normalized):
        convolutions = [layer for layer in model.layers if "_conv_" in layer.name]
        assert len(convolutions) == 4 * num_convs
        assert {layer.use_bias for layer in convolutions} == {model is plain}  # BatchNormalization brings its own
        assert len(batch_norm_layers(model)) == (0 if model is plain else 4 * num_convs)


def test_reference_s_parameters_by_hand():
    """Bridge and first stage of F = 16 on MobileNetV2: 1280 and 576 channels."""
    model, transposed = decoder_of(), decoder_of(upsampling="transpose")
    assert model.get_layer("bridge").count_params() == 1280 * 16 + 16
    assert model.get_layer("up1_conv_a").count_params() == 9 * (16 + 576) * 8 + 8
    assert model.get_layer("up1_conv_b").count_params() == 9 * 8 * 8 + 8
    assert transposed.get_layer("up1_transpose").count_params() == 4 * 16 * 8 + 8
    assert transposed.get_layer("up1_conv_a").count_params() == 9 * (8 + 576) * 8 + 8


def test_default_activation_is_leaky_relu_of_slope_0_2():
    layer = model_of().get_layer("up1_activation_a")
    np.testing.assert_allclose(layer(np.array([-1.0, 2.0], "float32")), [-0.2, 2.0])


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_are_keras_own_by_that_name(activation):
    x = np.linspace(-3, 3, 7, dtype="float32")
    layer = decoder_of(activation=activation).get_layer("up4_activation_b")
    np.testing.assert_allclose(layer(x), keras.activations.get(activation)(x))


def _data(rng, count=4):
    images = rng.integers(0, 256, (count, 64, 64, 3), dtype=np.uint8)
    return images, rng.uniform(1, 9, (count, 32, 32, 1)).astype("float32")


def test_frozen_encoder_with_batch_norm_in_the_decoder(rng):
    """Under fit the encoder's statistics stay, the decoder's move, and in use both are what fit left."""
    model = model_of(freeze_encoder=True, batch_norm=True)
    encoder, norm = model.get_layer("encoder"), model.get_layer("up1_norm_a")
    before = [weight.copy() for weight in encoder.get_weights()]
    assert norm.trainable
    model.compile(keras.optimizers.Adam(1e-3), loss=DepthLoss())
    images, depth = _data(rng)
    model.fit(images, depth, epochs=2, batch_size=2, verbose=0)
    for old, new in zip(before, encoder.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    gamma, beta, mean, variance = norm.get_weights()
    assert np.abs(gamma - 1).max() > 0
    assert np.abs(beta).max() > 0
    assert np.abs(mean).max() > 0
    assert np.abs(variance - 1).max() > 0


@pytest.mark.parametrize("arguments", [{}, {"upsampling": "transpose"}, {"decoder": "separable"}], ids=str)
def test_no_decoder_lets_its_signal_fade(arguments, rng):
    """What comes up from the coarser stage keeps the order of size of the skip it meets (1).

    With Keras' usual initial kernels depthwise convolutions leave a sixth and less.
    """
    pyramid = [keras.Input((64 >> n, 64 >> n, 96)) for n in range(5)]
    keras.utils.set_random_seed(0)
    stages = decode(
        pyramid, 128, arguments.get("decoder", "densedepth"), Block(arguments.get("upsampling", "bilinear"))
    )
    layers = keras.Model(pyramid, stages).layers
    model = keras.Model(pyramid, [layer.output for layer in layers if layer.name.endswith(("_crop", "_resize"))])
    spreads = [float(ops.std(up)) for up in model([rng.normal(size=(1, *level.shape[1:])) for level in pyramid])]
    assert len(spreads) == 4
    assert min(spreads) > 0.3
    assert max(spreads) < 3


def test_transposed_convolution_starts_as_repeated_pixels(rng):
    keras.utils.set_random_seed(0)
    layer = keras.layers.Conv2DTranspose(
        3, 2, strides=2, padding="same", kernel_initializer=EqualTaps("glorot_uniform")
    )
    x = rng.normal(size=(1, 5, 7, 6)).astype("float32")
    out = ops.convert_to_numpy(layer(x))
    np.testing.assert_allclose(out, np.repeat(np.repeat(out[:, ::2, ::2], 2, 1), 2, 2), rtol=1e-6)
    kernel = layer.get_weights()[0]
    np.testing.assert_allclose(out[0, ::2, ::2], x[0] @ kernel[0, 0].T, rtol=1e-4, atol=1e-5)
    assert np.unique(kernel).size == 3 * 6  # one number per pair of channels
    assert abs(kernel).max() < np.sqrt(6 / (3 + 6))  # Glorot's bound for a 1x1 convolution
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer.kernel_initializer))
    assert again.get_config() == {"initializer": "glorot_uniform"}


def test_dropout_acts_in_training_alone(rng):
    model = model_of(dropout=0.5, freeze_encoder=True)
    image = _data(rng, 1)[0]
    in_use, in_training = ops.convert_to_numpy(model(image)), ops.convert_to_numpy(model(image, training=True))
    np.testing.assert_array_equal(in_use, model(image, training=False))
    assert np.abs(in_training - in_use).max() > 0


def test_separable_decoder_costs_an_eighth_at_most():
    """Of DenseNet169's default decoder at 480x640: 102 G multiply-adds (1x1 convolution 0.8), encoder 20.6 G."""
    costs = []
    for decoder in ("densedepth", "separable"):
        model = build_model("densenet169", weights=None, decoder=decoder)
        encoder = multiply_adds(model.get_layer("encoder"), (480, 640))
        assert encoder == pytest.approx(20.6e9, rel=0.01)
        costs.append(multiply_adds(model, (480, 640)) - encoder)
    assert costs[0] == pytest.approx(102e9, rel=0.01)
    assert 8 * costs[1] < costs[0]


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (keras.layers.Conv2D(5, 3, strides=2, padding="same"), 9 * 2 * 5 * (4 * 3)),
        (keras.layers.Conv2D(4, 3, padding="same", groups=2), 9 * 4 * 1 * (8 * 6)),
        (keras.layers.DepthwiseConv2D(3, padding="same"), 9 * 2 * (8 * 6)),
        (keras.layers.SeparableConv2D(5, 3, padding="same"), (9 * 2 + 2 * 5) * (8 * 6)),
        (keras.layers.Conv2DTranspose(5, 2, strides=2), 4 * 2 * 5 * (8 * 6)),
        (keras.layers.Dense(5), 2 * 5 * (8 * 6)),
        (keras.layers.ReLU(), 0),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_multiply_adds_by_hand(layer, expected):
    """An 8x6 image of 2 channels through one layer, alone and inside another model."""
    image = keras.Input((None, None, 2))
    model = keras.Model(image, layer(image))
    assert multiply_adds(model, (8, 6)) == expected
    outer = keras.Input((None, None, 2))
    nested = keras.Model(outer, keras.Sequential([keras.layers.ReLU(), model])(outer))
    assert multiply_adds(nested, (8, 6)) == expected
    assert multiply_adds(nested, (8, 6)) == expected  # counting has left no traces
