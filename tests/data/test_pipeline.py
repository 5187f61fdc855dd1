"""The tf.data pipeline against its NumPy definition: order, augmentation, hosts, caches, going on; and the survey."""

import gc
import threading
import weakref

import numpy as np
import pytest
import tensorflow as tf

from densedepth_keras.data.augment import PRESETS, Augmentation
from densedepth_keras.data.cache import CachedOnDisk
from densedepth_keras.data.checks import survey
from densedepth_keras.data.pipeline import Pipeline
from densedepth_keras.data.resize import Resized
from densedepth_keras.data.sample import Sample

PAPER = PRESETS["paper"]
CROPPED = Augmentation(mirror=0.5, channel_order=0.5, crop=1.5)


class Painted:
    """Images painted from their own depth: red is depth in 1/25 m, green its column, blue the sample's number."""

    def __init__(self, count=11, size=(40, 48), bad=None):
        self.count, self.size, self.bad, self.reads = count, size, bad, []

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        self.reads.append(index)
        if index == self.bad:
            raise ValueError(f"Row {index}: broken")
        red = np.random.default_rng(index).integers(25, 240, self.size)
        green = np.broadcast_to(np.arange(self.size[1]), self.size)
        image = np.stack([red, green, np.full(self.size, index)], axis=-1).astype(np.uint8)
        return Sample(image, (red / 25).astype("float32"))

    def __repr__(self):
        return f"Painted({self.count}, {self.size})"


def pipeline(source=None, **arguments):
    defaults = {"image_size": (40, 48), "depth_size": (40, 48), "batch_size": 4, "seed": 3}
    return Pipeline(Painted() if source is None else source, **{**defaults, **arguments})


def batches(line, *arguments, **keywords):
    return list(line.dataset(*arguments, **keywords).as_numpy_iterator())


def assert_same_batches(got, expected):
    for (images, depths), (expected_images, expected_depths) in zip(got, expected, strict=True):
        assert images.dtype == np.uint8
        assert depths.dtype == np.float32
        np.testing.assert_array_equal(images, expected_images)
        np.testing.assert_array_equal(depths, expected_depths)


@pytest.mark.parametrize("augment", [None, PAPER, CROPPED])
def test_tf_data_gives_the_numpy_batches(augment):
    line = pipeline(shuffle=True, augment=augment, image_size=(32, 36), depth_size=(16, 18))
    got = batches(line, first_epoch=1, epochs=2)
    assert [len(images) for images, _ in got] == [4, 4, 3, 4, 4, 3]  # the partial batch is kept
    parts = [part for epoch in (1, 2) for part in np.split(line.order(epoch), [4, 8])]
    assert_same_batches(got, [line.batch(1 + i // 3, part) for i, part in enumerate(parts)])


@pytest.mark.parametrize("augment", [PAPER, CROPPED])
def test_a_batch_is_what_its_parts_say(augment):
    """Read, changed at the source's size, resized, changed again: each with the generators promised."""
    line = pipeline(shuffle=True, augment=augment, image_size=(32, 36), depth_size=(16, 18), seed=5)
    for row, index in enumerate(line.indices(2, 1)):
        sample = augment.before_resize(Painted()[index], np.random.default_rng([5, 2, index, 1]))
        sample = Resized([sample], (32, 36), (16, 18))[0]
        image, depth = augment.after_resize(sample, np.random.default_rng([5, 2, index]))
        images, depths = line.batch(2, line.indices(2, 1))
        np.testing.assert_array_equal(images[row], image)
        np.testing.assert_array_equal(depths[row, ..., 0], depth)


def test_order_is_a_function_of_seed_and_epoch():
    line = pipeline(shuffle=True)
    np.testing.assert_array_equal(line.order(2), pipeline(shuffle=True).order(2))
    assert sorted(line.order(2)) == list(range(11))
    assert not np.array_equal(line.order(2), line.order(3))
    assert not np.array_equal(line.order(2), pipeline(shuffle=True, seed=4).order(2))
    np.testing.assert_array_equal(pipeline().order(7), np.arange(11))


@pytest.mark.parametrize("augment", [PAPER, CROPPED])
def test_augmentation_does_not_depend_on_the_order(augment):
    line = pipeline(augment=augment)
    images, _ = line.batch(0, [2, 7])
    np.testing.assert_array_equal(images[1], line.batch(0, [7])[0][0])
    different = [not np.array_equal(images[1], line.batch(epoch, [7])[0][0]) for epoch in range(1, 6)]
    assert any(different)


@pytest.mark.parametrize("augment", [PAPER, CROPPED])
@pytest.mark.parametrize("cache", ["auto", "none"])
def test_batches_are_the_same_for_any_number_of_threads(augment, cache):
    def made(num_threads):
        source = Painted(21, size=(64, 80))
        line = pipeline(source, shuffle=True, augment=augment, cache=cache, num_threads=num_threads)
        return batches(line, epochs=3)

    expected = made(1)
    for num_threads in (2, 8, None):
        assert_same_batches(made(num_threads), expected)


def test_eight_threads_read_at_the_same_time():
    """Also where there are fewer cores: reading over a network waits, it does not compute."""
    together = threading.Barrier(8, timeout=60)

    class Waiting(Painted):
        def __getitem__(self, index):
            together.wait()  # broken, an error, unless eight arrive
            return super().__getitem__(index)

    assert len(batches(pipeline(Waiting(8), batch_size=1, num_threads=8), epochs=1)) == 8


@pytest.mark.parametrize(("first_epoch", "first_step"), [(0, 0), (0, 2), (1, 0), (1, 1), (2, 2)])
def test_a_run_goes_on_where_it_stopped(first_epoch, first_step):
    arguments = {"shuffle": True, "augment": PAPER}
    whole = batches(pipeline(**arguments), epochs=3)
    late = batches(pipeline(**arguments), first_epoch, 3 - first_epoch, first_step=first_step)
    assert_same_batches(late, whole[3 * first_epoch + first_step :])
    endless = pipeline(**arguments).dataset(first_epoch, first_step=first_step)
    assert endless.cardinality() == tf.data.INFINITE_CARDINALITY
    count = len(late)
    assert_same_batches(list(endless.take(count).as_numpy_iterator()), whole[-count:])


def test_skipped_steps_are_not_read():
    source = Painted()
    line = pipeline(source)
    dataset = line.dataset(epochs=1, first_step=2)
    assert dataset.cardinality() == 1
    list(dataset)
    assert sorted(source.reads) == [8, 9, 10]


@pytest.mark.parametrize(("count", "samples"), [(2, 11), (4, 11), (4, 9), (4, 8), (1, 11)])
def test_hosts_share_every_batch_of_a_single_host(count, samples):
    arguments = {"shuffle": True, "augment": PAPER}
    whole = batches(pipeline(Painted(samples), **arguments), epochs=2)
    hosts = [pipeline(Painted(samples), **arguments, shard=(index, count)) for index in range(count)]
    assert {host.steps_per_epoch for host in hosts} == {-(-samples // 4)}
    parts = [batches(host, epochs=2) for host in hosts]
    together = [tuple(map(np.concatenate, zip(*step, strict=True))) for step in zip(*parts, strict=True)]
    assert_same_batches(together, whole)
    for step in zip(*parts, strict=True):
        sizes = [len(images) for images, _ in step]
        assert max(sizes) - min(sizes) <= 1
    rows = [set(np.concatenate([host.indices(1, step) for step in range(host.steps_per_epoch)])) for host in hosts]
    assert set.union(*rows) == set(range(samples))
    assert sum(map(len, rows)) == samples  # disjoint


@pytest.mark.parametrize(
    ("samples", "multiple_of", "weights"),
    [(11, 2, [4 / 3, 4 / 3, 4 / 3, 0]), (9, 4, [4, 0, 0, 0]), (10, 4, [2, 2, 0, 0]), (10, 2, [1, 1]), (8, 4, [1] * 4)],
)
def test_a_last_batch_is_filled_up_to_what_devices_can_divide(samples, multiple_of, weights):
    arguments = {"shuffle": True, "augment": PAPER}
    plain = batches(pipeline(Painted(samples), **arguments), epochs=2)
    filled = batches(pipeline(Painted(samples), **arguments, multiple_of=multiple_of), epochs=2)
    steps = len(plain) // 2
    for step, ((images, depths), (got_images, got_depths, got_weights)) in enumerate(zip(plain, filled, strict=True)):
        assert got_weights.dtype == np.float32
        expected = weights if step % steps == steps - 1 else [1] * 4
        np.testing.assert_allclose(got_weights, expected, rtol=1e-7)  # 4/3 in float32
        real = len(images)
        assert_same_batches([(got_images[:real], got_depths[:real])], [(images, depths)])
        np.testing.assert_array_equal(got_images[real:], np.repeat(images[-1:], len(got_images) - real, axis=0))
        assert not got_depths[real:].any()
        values = images.astype("float32").mean((1, 2, 3))
        every = np.concatenate([values, np.repeat(values[-1:], len(got_images) - real)])
        # as Keras takes the mean of a loss: over all rows
        np.testing.assert_allclose((every * got_weights).mean(), values.mean(), rtol=1e-6)


def test_one_device_gets_no_weights():
    assert {len(batch) for batch in batches(pipeline(multiple_of=1), epochs=1)} == {2}


@pytest.mark.parametrize(("samples", "count", "multiple_of"), [(11, 2, 4), (9, 2, 2), (9, 4, 4), (13, 2, 4)])
def test_hosts_share_a_filled_batch(samples, count, multiple_of):
    arguments = {"shuffle": True, "augment": PAPER, "multiple_of": multiple_of}
    whole = batches(pipeline(Painted(samples), **arguments), epochs=2)
    hosts = [batches(pipeline(Painted(samples), **arguments, shard=(i, count)), epochs=2) for i in range(count)]
    for parts, expected in zip(zip(*hosts, strict=True), whole, strict=True):
        assert len({len(images) for images, *_ in parts}) == 1
        for part, wanted in zip(zip(*parts, strict=True), expected, strict=True):
            np.testing.assert_array_equal(np.concatenate(part), wanted)


def test_metrics_over_valid_pixels_pass_filled_rows_by():
    from densedepth_keras.metrics.streaming import RMSE

    plain, filled = RMSE(), RMSE()
    for images, depths in batches(pipeline(), epochs=1):
        plain.update_state(depths, images[..., :1] / np.float32(30))
    for images, depths, _ in batches(pipeline(multiple_of=4), epochs=1):
        filled.update_state(depths, images[..., :1] / np.float32(30))
    assert float(plain.result()) > 0.1
    # the same pixels; a sum of one more block of zeros may round otherwise
    np.testing.assert_allclose(float(filled.result()), float(plain.result()), rtol=1e-6)


# a sample is 3 * 40 * 48 bytes of image and 4 * 40 * 48 of depth
@pytest.mark.parametrize("augment", [PAPER, CROPPED])
@pytest.mark.parametrize(
    ("cache", "cache_bytes", "expected"),
    [("auto", 11 * 7 * 40 * 48, 11), ("auto", 11 * 7 * 40 * 48 - 1, 33), ("memory", 0, 11), ("none", 2**30, 33)],
)
def test_what_fits_is_read_once(augment, cache, cache_bytes, expected):
    source = Painted()
    line = pipeline(source, augment=augment, cache=cache, cache_bytes=cache_bytes, num_threads=1)
    got = batches(line, epochs=3)
    assert len(source.reads) == expected
    assert_same_batches(got, batches(pipeline(augment=augment, cache="none"), epochs=3))


@pytest.mark.parametrize("augment", [PAPER, CROPPED])
def test_a_folder_keeps_samples_for_later_runs(augment, tmp_path):
    expected = batches(pipeline(augment=augment, cache="none"), epochs=2)
    reads = []
    for _ in range(2):
        source = Painted()
        line = pipeline(source, augment=augment, cache=tmp_path / "cache", cache_bytes=0, num_threads=1)
        assert_same_batches(batches(line, epochs=2), expected)
        reads.append(len(source.reads))
    assert reads == [11, 0]
    kept = CachedOnDisk(Painted(), tmp_path / "cache")
    assert kept[3].image.shape == (40, 48, 3)  # as the source gave it


def test_folder_cache_is_read_once_where_it_fits_into_memory(tmp_path):
    source = Painted()
    line = pipeline(source, cache=str(tmp_path))
    batches(line, epochs=1)
    for file in tmp_path.rglob("*.sample"):
        file.unlink()
    batches(line, epochs=1)
    assert len(source.reads) == 11


def test_reading_a_sample_does_not_augment_it():
    for augment in (None, PAPER, CROPPED):
        line = pipeline(augment=augment, image_size=(20, 24), depth_size=(10, 12))
        expected = Resized(Painted(), (20, 24), (10, 12))[4]
        for part, wanted in zip(line.read(4), expected, strict=True):
            np.testing.assert_array_equal(part, wanted)


def test_batches_wait_on_a_device():
    line = pipeline(shuffle=True, augment=PAPER)
    assert_same_batches(batches(line, epochs=2, device="/CPU:0"), batches(line, epochs=2))
    images, _ = next(iter(line.dataset(device="/CPU:0")))
    assert images.device.endswith("CPU:0")


def test_a_model_is_fitted_from_a_device():
    import keras

    model = keras.Sequential([keras.layers.Rescaling(1 / 255), keras.layers.Conv2D(1, 1)])
    model.compile(loss="mae")
    line = pipeline(augment=PAPER)
    model.fit(line.dataset(device="/CPU:0"), steps_per_epoch=3, epochs=2, shuffle=False, verbose=0)
    history = model.fit(line.dataset(device="/CPU:0", epochs=1), steps_per_epoch=3, shuffle=False, verbose=0)
    assert np.isfinite(history.history["loss"][0])


def test_tensorflow_takes_batches_over_without_a_copy():
    line, seen = pipeline(num_threads=1), []
    made = line.batch

    def recorded(epoch, indices):
        seen.append(made(epoch, indices))
        return seen[-1]

    line.batch = recorded
    got = batches(line, epochs=1)
    for taken, arrays in zip(got, seen, strict=True):
        assert all(np.shares_memory(part, array) for part, array in zip(taken, arrays, strict=True))


def test_reading_error_is_kept_as_it_was_raised():
    line = pipeline(Painted(bad=6))
    with pytest.raises(Exception, match="Row 6: broken"):
        list(line.dataset(epochs=1))
    assert isinstance(line.error, ValueError)
    assert str(line.error) == "Row 6: broken"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"source": Painted(0)}, "no samples"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"num_threads": 0}, "num_threads=0"),
        ({"shard": (2, 2)}, r"shard=\(2, 2\)"),
        ({"shard": (-1, 2)}, r"shard=\(-1, 2\)"),
        ({"shard": (0, 0)}, r"shard=\(0, 0\)"),
        ({"shard": (0, 3)}, r"multiple of 3.*batch_size=4, shard=\(0, 3\)"),
        ({"multiple_of": 0}, "1 or a multiple of 1. Received: multiple_of=0"),
        ({"multiple_of": 3}, "expected a multiple of 3. Received: batch_size=4.*multiple_of=3"),
        ({"multiple_of": 3, "shard": (0, 2)}, r"1 or a multiple of 2. Received: multiple_of=3, shard=\(0, 2\)"),
        ({"cache": __file__}, "cache='.*test_pipeline.py'"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        pipeline(**arguments)


@pytest.mark.parametrize("first_step", [-1, 3])
def test_wrong_step(first_step):
    with pytest.raises(ValueError, match=f"0 to 2. Received: first_step={first_step}"):
        pipeline().dataset(first_step=first_step)


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


def test_a_used_pipeline_does_not_live_on_with_its_samples():
    line = Pipeline(Painted(), image_size=(40, 48), depth_size=(20, 24), batch_size=4)
    batches = line.dataset(epochs=1)
    alive = weakref.ref(line)
    del line
    assert len(list(batches)) == 3  # the dataset alone keeps it
    assert alive() is not None
    del batches
    gc.collect()
    assert alive() is None
