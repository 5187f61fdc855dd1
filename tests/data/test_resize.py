"""Sizes of pictures and of depth maps."""

import numpy as np
import pytest
from PIL import Image

from densedepth_keras.data.resize import Resized, enlarge_prediction, resize_depth, resize_image
from densedepth_keras.data.sample import Sample


def box(array, size):
    return np.asarray(Image.fromarray(array).resize(size[::-1], Image.Resampling.BOX))


def slow_resize_depth(depth, size):
    """Mean of the valid pixels of each block, for sizes that divide."""
    blocks = depth.reshape(size[0], depth.shape[0] // size[0], size[1], depth.shape[1] // size[1])
    valid = blocks > 0
    return np.divide(blocks.sum((1, 3)), valid.sum((1, 3)), out=np.zeros(size), where=valid.any((1, 3)))


@pytest.mark.parametrize("size", [(6, 6), (12, 18)])
def test_shrunk_depth_is_the_mean_of_valid_pixels(size, rng):
    depth = rng.uniform(1, 9, (24, 36)).astype("float32")
    depth[rng.random(depth.shape) < 0.5] = 0
    depth[:4, :6] = 0
    small = resize_depth(depth, size)
    assert small.dtype == np.float32
    np.testing.assert_allclose(small, slow_resize_depth(depth, size), rtol=1e-5)  # float32 sums of 24 pixels
    assert small[0, 0] == 0


@pytest.mark.parametrize("size", [(48, 64), (24, 32), (31, 40)])
@pytest.mark.parametrize("holes", [0, 0.4])
def test_shrinking_is_pillow_s_to_the_bit(size, holes, rng):
    """Also by 2, which is added up in NumPy, over six orders of magnitude."""
    depth = np.exp(rng.uniform(-7, 7, (96, 128))).astype("float32")
    depth[rng.random(depth.shape) < holes] = 0
    total, share = box(depth, size), box((depth > 0).astype("float32"), size)
    expected = np.where(share > 1e-6, total / np.maximum(share, 1e-6), 0).astype("float32") if holes else total
    np.testing.assert_array_equal(resize_depth(depth, size), expected)


def test_shrinking_never_leaves_the_measured_range(rng):
    depth = np.where(rng.random((48, 64)) < 0.6, 0, rng.uniform(2, 3, (48, 64))).astype("float32")
    for size in ((24, 32), (17, 23), (33, 40), (47, 63)):
        valid = resize_depth(depth, size)
        valid = valid[valid > 0]
        assert 2 - 1e-5 < valid.min() <= valid.max() < 3 + 1e-5  # float32 rounds the weights


def test_enlarged_depth_takes_the_nearest(rng):
    depth = rng.uniform(1, 9, (5, 6)).astype("float32")
    np.testing.assert_array_equal(resize_depth(depth, (10, 12)), depth.repeat(2, 0).repeat(2, 1))


def test_prediction_is_enlarged_as_the_network_would(rng):
    from keras import ops

    depth = rng.uniform(1, 9, (7, 9)).astype("float32")
    expected = ops.image.resize(depth[None, ..., None], (14, 18), interpolation="bilinear")[0, ..., 0]
    np.testing.assert_allclose(enlarge_prediction(depth, (14, 18)), expected, atol=1e-5)  # two orders of summation


def test_image_resize_is_pillow_s(rng):
    image = rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)
    assert resize_image(image, (40, 60)) is image
    expected = np.asarray(Image.fromarray(image).resize((30, 20), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(resize_image(image, (20, 30)), expected)


def test_resized_source_is_a_source(rng):
    sample = Sample(rng.integers(0, 256, (40, 60, 3), dtype=np.uint8), np.ones((40, 60), np.float32))
    source = Resized([sample, sample], (20, 30), (10, 15))
    assert len(source) == 2
    image, depth = source[-1]
    np.testing.assert_array_equal(image, resize_image(sample.image, (20, 30)))
    assert depth.shape == (10, 15)
