"""Resizing, augmentation, and the tf.data pipeline against its NumPy definition."""

import numpy as np
import pytest
from PIL import Image

from densedepth_keras.data.augment import CHANNEL_ORDERS, augment_as_paper
from densedepth_keras.data.checks import survey
from densedepth_keras.data.pipeline import Pipeline
from densedepth_keras.data.resize import enlarge_prediction, resize_depth, resize_image
from densedepth_keras.data.sample import Sample


class Painted:
    """Images painted from their own depth: red is depth in 1/25 m, green its column, blue the sample's number."""

    def __init__(self, count=11, size=(40, 48), bad=None):
        self.count, self.size, self.bad = count, size, bad

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        if index == self.bad:
            raise ValueError(f"Row {index}: broken")
        red = np.random.default_rng(index).integers(25, 240, self.size)
        green = np.broadcast_to(np.arange(self.size[1]), self.size)
        image = np.stack([red, green, np.full(self.size, index)], axis=-1).astype(np.uint8)
        return Sample(image, (red / 25).astype("float32"))


def pipeline(source=None, **arguments):
    defaults = {"image_size": (40, 48), "depth_size": (40, 48), "batch_size": 4, "seed": 3}
    return Pipeline(Painted() if source is None else source, **{**defaults, **arguments})


def test_image_and_depth_stay_together_under_augmentation():
    """Whatever is done to a painted image, one of its channels still shows its depth, pixel by pixel."""
    sample, kinds = Painted()[5], set()
    for seed in range(60):
        image, depth = augment_as_paper(sample, np.random.default_rng(seed))
        red = [c for c in range(3) if np.array_equal(image[..., c], np.round(depth * 25))]
        assert len(red) == 1
        columns = next(image[0, :, c] for c in range(3) if c != red[0] and len(set(image[0, :, c])) > 1)
        kinds.add((red[0], bool(columns[0] > columns[-1])))
    assert len(kinds) == 6  # every place for red, mirrored and not


def test_half_are_mirrored_and_half_change_colours():
    sample = Painted()[5]
    augmented = [augment_as_paper(sample, np.random.default_rng(seed)) for seed in range(2000)]
    mirrored = np.mean([not np.array_equal(depth, sample.depth) for _, depth in augmented])
    upright = [image if np.array_equal(depth, sample.depth) else image[:, ::-1] for image, depth in augmented]
    recoloured = np.mean([not np.array_equal(image, sample.image) for image in upright])
    # 4.5 standard deviations of 2000 fair coins
    assert mirrored == pytest.approx(0.5, abs=0.05)
    assert recoloured == pytest.approx(0.5, abs=0.05)


def test_channel_orders_all_change_something():
    assert len(set(CHANNEL_ORDERS)) == 5
    assert (0, 1, 2) not in CHANNEL_ORDERS


@pytest.mark.parametrize("augment", [None, augment_as_paper])
def test_tf_data_gives_the_numpy_batches(augment):
    line = pipeline(shuffle=True, augment=augment, image_size=(32, 36), depth_size=(16, 18))
    got = list(line.dataset(first_epoch=1, epochs=2).as_numpy_iterator())
    assert [len(images) for images, _ in got] == [4, 4, 3, 4, 4, 3]  # the partial batch is kept
    expected = [line.batch(epoch, part) for epoch in (1, 2) for part in np.split(line.order(epoch), [4, 8])]
    for (images, depths), (expected_images, expected_depths) in zip(got, expected, strict=True):
        assert images.dtype == np.uint8
        np.testing.assert_array_equal(images, expected_images)
        np.testing.assert_array_equal(depths, expected_depths)


def test_order_is_a_function_of_seed_and_epoch():
    line = pipeline(shuffle=True)
    np.testing.assert_array_equal(line.order(2), pipeline(shuffle=True).order(2))
    assert sorted(line.order(2)) == list(range(11))
    assert not np.array_equal(line.order(2), line.order(3))
    assert not np.array_equal(line.order(2), pipeline(shuffle=True, seed=4).order(2))
    np.testing.assert_array_equal(pipeline().order(7), np.arange(11))


def test_augmentation_does_not_depend_on_the_order():
    line = pipeline(augment=augment_as_paper)
    images, _ = line.batch(0, [2, 7])
    np.testing.assert_array_equal(images[1], line.batch(0, [7])[0][0])
    different = [not np.array_equal(images[1], line.batch(epoch, [7])[0][0]) for epoch in range(1, 6)]
    assert any(different)


def test_endless_dataset_goes_on_where_it_is_told():
    line = pipeline(shuffle=True)
    whole = [images for images, _ in line.dataset().take(6).as_numpy_iterator()]
    late = [images for images, _ in line.dataset(first_epoch=1).take(3).as_numpy_iterator()]
    for a, b in zip(whole[3:], late, strict=True):
        np.testing.assert_array_equal(a, b)


def test_small_sources_are_read_once_and_large_ones_every_epoch():
    class Counted(Painted):
        reads = 0

        def __getitem__(self, index):
            Counted.reads += 1
            return super().__getitem__(index)

    # a sample is 3 * 40 * 48 bytes of image and 4 * 40 * 48 of depth
    for cache_bytes, expected in ((11 * 7 * 40 * 48, 11), (11 * 7 * 40 * 48 - 1, 33)):
        Counted.reads = 0
        line = pipeline(Counted(), augment=augment_as_paper, cache_bytes=cache_bytes)
        batches = list(line.dataset(epochs=3).as_numpy_iterator())
        assert Counted.reads == expected
        np.testing.assert_array_equal(batches[-1][0], line.batch(2, [8, 9, 10])[0])


def test_reading_error_is_kept_as_it_was_raised():
    line = pipeline(Painted(bad=6))
    with pytest.raises(Exception, match="Row 6: broken"):
        list(line.dataset(epochs=1))
    assert isinstance(line.error, ValueError)
    assert str(line.error) == "Row 6: broken"


def test_wrong_arguments():
    with pytest.raises(ValueError, match="no samples"):
        pipeline(Painted(0))
    with pytest.raises(ValueError, match="batch_size=0"):
        pipeline(batch_size=0)


def slow_resize_depth(depth, size):
    """Mean of the valid pixels of each block, for sizes that divide."""
    blocks = depth.reshape(size[0], depth.shape[0] // size[0], size[1], depth.shape[1] // size[1])
    valid = blocks > 0
    return np.divide(blocks.sum((1, 3)), valid.sum((1, 3)), out=np.zeros(size), where=valid.any((1, 3)))


def test_shrunk_depth_is_the_mean_of_valid_pixels(rng):
    depth = rng.uniform(1, 9, (24, 36)).astype("float32")
    depth[rng.random(depth.shape) < 0.5] = 0
    depth[:4, :6] = 0
    small = resize_depth(depth, (6, 6))
    np.testing.assert_allclose(small, slow_resize_depth(depth, (6, 6)), rtol=1e-5)
    assert small[0, 0] == 0


def test_shrinking_never_leaves_the_measured_range(rng):
    depth = np.where(rng.random((48, 64)) < 0.6, 0, rng.uniform(2, 3, (48, 64))).astype("float32")
    for size in ((24, 32), (17, 23), (33, 40), (47, 63)):
        valid = resize_depth(depth, size)
        valid = valid[valid > 0]
        assert 2 - 1e-5 < valid.min() <= valid.max() < 3 + 1e-5


def test_enlarged_depth_takes_the_nearest(rng):
    depth = rng.uniform(1, 9, (5, 6)).astype("float32")
    np.testing.assert_array_equal(resize_depth(depth, (10, 12)), depth.repeat(2, 0).repeat(2, 1))


def test_prediction_is_enlarged_as_the_network_would(rng):
    from keras import ops

    depth = rng.uniform(1, 9, (7, 9)).astype("float32")
    expected = ops.image.resize(depth[None, ..., None], (14, 18), interpolation="bilinear")[0, ..., 0]
    np.testing.assert_allclose(enlarge_prediction(depth, (14, 18)), expected, atol=1e-5)


def test_image_resize_is_pillow_s(rng):
    image = rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)
    assert resize_image(image, (40, 60)) is image
    expected = np.asarray(Image.fromarray(image).resize((30, 20), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(resize_image(image, (20, 30)), expected)


class Maps:
    """Depth maps without interesting images."""

    def __init__(self, *depths):
        self.depths = [np.asarray(d, np.float32) for d in depths]

    def __len__(self):
        return len(self.depths)

    def __getitem__(self, index):
        return Sample(np.zeros((*self.depths[index].shape, 3), np.uint8), self.depths[index])


def test_survey_by_hand():
    facts = survey(Maps([[1, 0], [20, 0]], [[3, 4], [0, 0]]).__getitem__, 2, 0.1, 10)
    np.testing.assert_allclose(facts.mean_depth, [[2, 4], [8 / 3, 8 / 3]], rtol=1e-6)
    assert facts.measured_share == 4 / 8
    assert facts.valid_share == 3 / 4


@pytest.mark.parametrize(
    ("scale", "hint"),
    [(1000, "a thousand times too large"), (100, "a hundred times too large"), (0.001, "a thousand times too small")],
)
def test_survey_recognises_wrong_units(scale, hint, rng):
    depth = rng.uniform(1.5, 6, (8, 8)) * scale
    with pytest.raises(ValueError, match=f"No depth lies inside 0.1..10 m.*{hint}.*--depth-unit mm"):
        survey(Maps(depth).__getitem__, 1, 0.1, 10)


def test_survey_refuses_millimetres_read_as_centimetres_although_some_fit(rng):
    depth = rng.uniform(0.7, 9, (40, 40)) * 10
    with pytest.raises(ValueError, match=r"Only \d\.\d% of the depths"):
        survey(Maps(depth).__getitem__, 1, 0.1, 10)


def test_survey_of_holes_alone():
    with pytest.raises(ValueError, match="Not one depth was measured"):
        survey(Maps(np.zeros((4, 4))).__getitem__, 1, 0.1, 10)
