"""Layers that change sizes: against keras.ops.image.resize, TensorFlow's old resize, and by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from densedepth_keras.models.resizing import CropLike, CropToLevel, PadToMultiple, UpsampleLike


def open_graph(layer, *channels):
    """The layer in a model that does not know its sizes."""
    inputs = [keras.Input((None, None, count)) for count in channels]
    return keras.Model(inputs, layer(inputs if len(inputs) > 1 else inputs[0]))


@pytest.mark.parametrize("factor", [2, 4, 8])
@pytest.mark.parametrize(("height", "width"), [(7, 9), (4, 6), (2, 3)])
def test_upsampling_is_half_pixel_bilinear_and_cut(height, width, factor, rng):
    x = rng.normal(size=(2, height, width, 3)).astype("float32")
    like = np.zeros((2, factor * height - 1, factor * width, 1), "float32")
    whole = ops.image.resize(x, (factor * height, factor * width), interpolation="bilinear")
    layer = UpsampleLike(factor)
    np.testing.assert_allclose(layer([x, like]), whole[:, :-1], atol=1e-6)
    # sums in another order
    np.testing.assert_allclose(open_graph(layer, 3, 1).predict([x, like], verbose=0), whole[:, :-1], atol=1e-5)


@pytest.mark.parametrize("is_open", [False, True])
def test_aligned_corners_are_tensorflow_s(is_open, rng):
    x, like = rng.normal(size=(2, 5, 7, 3)).astype("float32"), np.zeros((2, 10, 14, 1), "float32")
    expected = tf.compat.v1.image.resize_bilinear(x, (10, 14), align_corners=True)
    layer = UpsampleLike(2, align_corners=True)
    got = open_graph(layer, 3, 1).predict([x, like], verbose=0) if is_open else layer([x, like])
    np.testing.assert_allclose(got, expected, atol=1e-5)


@pytest.mark.parametrize("is_open", [False, True])
def test_padding_mirrors_below_and_to_the_right(is_open, rng):
    x = rng.normal(size=(1, 33, 64, 2)).astype("float32")
    layer = PadToMultiple(32)
    got = open_graph(layer, 2).predict(x, verbose=0) if is_open else ops.convert_to_numpy(layer(x))
    assert got.shape == (1, 64, 64, 2) == layer.compute_output_shape(x.shape)
    np.testing.assert_array_equal(got, np.pad(x, ((0, 0), (0, 31), (0, 0), (0, 0)), mode="symmetric"))


@pytest.mark.parametrize("is_open", [False, True])
def test_levels_are_cut_to_ceil(is_open, rng):
    level, image = rng.normal(size=(1, 16, 16, 3)).astype("float32"), np.zeros((1, 33, 61, 1), "float32")
    layer = CropToLevel(4)
    got = open_graph(layer, 3, 1).predict([level, image], verbose=0) if is_open else layer([level, image])
    np.testing.assert_array_equal(got, level[:, :9])
    assert layer.compute_output_shape([level.shape, image.shape]) == (1, 9, 16, 3)
    np.testing.assert_array_equal(CropLike()([level, image[:, :9, :5]]), level[:, :9, :5])


@pytest.mark.parametrize("layer", [UpsampleLike(4, align_corners=True), PadToMultiple(8), CropToLevel(16), CropLike()])
def test_layers_survive_their_config(layer):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.get_config() == layer.get_config()


def test_features_do_not_slide_at_odd_sizes():
    """A ramp over the columns, halved by averages four times and brought back, still lies on itself."""
    width = 67
    ramp = np.broadcast_to(np.arange(width, dtype="float32")[:, None], (1, 32, width, 1))
    padded = ops.convert_to_numpy(PadToMultiple(32)(ramp))
    level, likes = padded, []
    for n in range(1, 5):
        level = level.reshape(1, level.shape[1] // 2, 2, level.shape[2] // 2, 2, 1).mean((2, 4))
        likes.append(ops.convert_to_numpy(CropToLevel(2**n)([level, ramp])))
    x = likes[-1]
    for like in [*likes[-2::-1], ramp]:
        x = UpsampleLike(2)([x, like])
    # away from the mirror at the right, where the ramp turns; and from the left edge, where interpolation holds it
    np.testing.assert_allclose(ops.convert_to_numpy(x)[0, 16, 16:40, 0], np.arange(16, 40), atol=1e-3)
