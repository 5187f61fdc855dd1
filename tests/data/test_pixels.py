"""What rendering does to every pixel: the same bits in C as by NumPy, and arguments that do not fit are refused."""

import random

import numpy as np
import pytest
from compiler import CAN_BUILD

from densedepth_keras.data.rendering import draw_scene, kernels, pixels, render

pytestmark = pytest.mark.skipif(kernels.cover is pixels.cover and not CAN_BUILD, reason="no C compiler")
NAMES = ("cover", "fetch", "lighten", "expose", "develop")


def draw(seed, image_size):
    return render(draw_scene(random.Random(f"pixels/{seed}")), image_size)


@pytest.mark.parametrize("image_size", [(240, 320), (32, 32), (33, 70), (48, 64), (37, 129), (480, 640)])
def test_c_draws_what_numpy_draws(image_size, monkeypatch):
    count = 24 if image_size[0] < 100 else 4
    fast = [draw(seed, image_size) for seed in range(count)]
    for name in NAMES:
        assert getattr(kernels, name) is not getattr(pixels, name), f"{name} is not the one in C"
        monkeypatch.setattr(kernels, name, getattr(pixels, name))
    for seed, sample in enumerate(fast):
        expected = draw(seed, image_size)
        np.testing.assert_array_equal(sample.image, expected.image)
        np.testing.assert_array_equal(sample.depth, expected.depth)


def cut(rng, size):
    """Lengths, one or more, that add up to `size`."""
    ends = np.unique(np.append(rng.integers(1, size + 1, rng.integers(0, 12)), size))
    return np.diff(ends, prepend=0)


def draw_arguments(name, rng):
    """Random arguments of a function, of the lengths and ranges that it has in use."""
    height, width = (int(side) for side in rng.integers(2, 90, 2))
    size = height * width

    def floats(*shape, low=-2.0, high=2.0):
        return rng.uniform(low, high, shape).astype(np.float32)

    def ints(high, *shape, dtype=np.int32, low=0):
        return rng.integers(low, high, shape).astype(dtype)

    if name == "cover":
        number = int(rng.integers(0, 40))
        starts = rng.integers(0, size + 1, number)
        counts = rng.integers(0, np.minimum(width - starts % width, size - starts) + 1)
        level, slope = floats(number).round(1), floats(number).round(0)  # ties are frequent
        drawn = floats(height, width, low=0).round(1), ints(9, height, width, dtype=np.uint16)
        return [starts, counts, ints(900, number, dtype=np.uint16), level, slope, floats(width).round(1), *drawn]
    if name == "fetch":
        levels, counts = int(rng.integers(3, 10)), cut(rng, size)
        table = ints(256, 3 * 2 * 4**levels, dtype=np.uint8)
        starts = ints(3, len(counts)) * np.int32(2 * 4**levels)
        fineness = ints(6 << 23, len(counts), low=-90 << 23)
        surface = floats(2, len(counts)), floats(2, len(counts), low=16, high=20)
        per_pixel = floats(size, low=0.5, high=10), ints(1 << 23, size)
        texture = np.zeros(size, np.uint8)
        return [counts, fineness, starts, *surface, *per_pixel, floats(width), table, texture, levels]
    if name == "lighten":
        stretches, changes = cut(rng, size), cut(rng, size).cumsum()
        runs = np.diff(np.intersect1d(np.append(changes, size), stretches.cumsum()), prepend=0)
        lines, albedo = floats(2, 3, len(stretches)), floats(2, 3, len(runs), low=0)
        light = np.zeros((3, height, width), np.float32)
        columns = np.arange(width, dtype=np.float32)
        return [stretches, *lines, runs, *albedo, ints(256, size, dtype=np.uint8), columns, light]
    if name == "expose":
        light, inverse_depth = floats(3, height, width, low=0), floats(height, width, low=0.1)
        return [light, inverse_depth, np.zeros(light.shape, np.int16), float(rng.uniform(0.01, 3)), 1650.5]
    grey, grain = ints(1650, 3, height, width, dtype=np.int16), ints(41, 3, height, width, dtype=np.int16, low=-40)
    image = np.zeros((height, width, 3), np.uint8)
    return [grey, grain, np.zeros((4, width), np.int16), image, int(rng.integers(0, 40))]


WRITTEN = {"cover": (6, 7), "fetch": (9,), "lighten": (8,), "expose": (2,), "develop": (3,)}


@pytest.mark.parametrize("name", NAMES)
def test_c_computes_what_numpy_computes(name):
    rng, changed = np.random.default_rng(7), 0
    for _ in range(200):
        arguments = draw_arguments(name, rng)
        copies = [np.copy(value) if isinstance(value, np.ndarray) else value for value in arguments]
        getattr(kernels, name)(*arguments)
        getattr(pixels, name)(*copies)
        for index in WRITTEN[name]:
            np.testing.assert_array_equal(arguments[index], copies[index])
            changed += bool(np.ptp(arguments[index]))
    assert changed > 100


def test_the_last_of_equally_near_stretches_shows():
    starts, counts, numbers = np.array([9, 8, 10]), np.array([2, 4, 1]), np.array([1, 2, 3], np.uint16)
    level, slope = np.array([2, 2, 1], np.float32), np.zeros(3, np.float32)
    for cover in (kernels.cover, pixels.cover):
        inverse_depth, surface = np.ones((2, 8), np.float32), np.zeros((2, 8), np.uint16)
        inverse_depth[1, 3] = 3  # nearer than all
        cover(starts, counts, numbers, level, slope, np.zeros(8, np.float32), inverse_depth, surface)
        np.testing.assert_array_equal(surface[1], [2, 2, 2, 0, 0, 0, 0, 0])
        np.testing.assert_array_equal(inverse_depth[1], [2, 2, 2, 3, 1, 1, 1, 1])
        assert not surface[0].any()


# -- what does not fit


def fitting(name):
    """Arguments that belong together."""
    return draw_arguments(name, np.random.default_rng(3))


@pytest.mark.parametrize("name", NAMES)
def test_lengths_that_do_not_fit_are_refused(name):
    function = getattr(kernels, name)
    function(*fitting(name))
    arrays = [index for index, value in enumerate(fitting(name)) if isinstance(value, np.ndarray)]
    if name == "fetch":
        arrays.remove(8)  # an atlas may have any size: what would lie behind it is its last texel
    for index in arrays:
        wrong = fitting(name)
        wrong[index] = np.append(wrong[index], wrong[index].ravel()[:1])
        with pytest.raises(ValueError, match="lengths"):
            function(*wrong)


@pytest.mark.parametrize("name", NAMES)
def test_arrays_of_another_kind_are_refused(name):
    function = getattr(kernels, name)
    for index, value in enumerate(fitting(name)):
        if not isinstance(value, np.ndarray):
            continue
        other = np.float32 if value.dtype != np.float32 else np.int32
        misplaced = np.frombuffer(b"." + value.tobytes(), np.uint8)[1:].view(value.dtype).reshape(value.shape)
        scattered = np.repeat(value, 2, axis=-1)[..., ::2]
        wrong = [value.astype(other), None]
        wrong += [misplaced] if value.dtype.itemsize > 1 else []
        wrong += [scattered] if not scattered.flags.c_contiguous else []
        for array in wrong:
            arguments = fitting(name)
            arguments[index] = array
            with pytest.raises((TypeError, ValueError, BufferError)):
                function(*arguments)
    for arguments in (fitting(name)[:-1], [*fitting(name), 1]):
        with pytest.raises(TypeError, match=r"Other arguments|must be"):
            function(*arguments)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_to_may_not_be_read_from(name):
    for written in WRITTEN[name]:
        for index, value in enumerate(fitting(name)):
            if not isinstance(value, np.ndarray) or index == written:
                continue
            arguments = fitting(name)
            memory = np.zeros(max(value.nbytes, arguments[written].nbytes) // 8 + 1, np.uint64).view(np.uint8)
            for place in (index, written):
                array = arguments[place]
                arguments[place] = memory[: array.nbytes].view(array.dtype).reshape(array.shape)
            if not arguments[index].nbytes:
                continue
            with pytest.raises(ValueError, match="overlaps"):
                getattr(kernels, name)(*arguments)


@pytest.mark.parametrize("counts", [[4, 5], [-1, 9], [8, 0], [2**62, 2**62]])
def test_runs_that_do_not_add_up_are_refused(counts):
    size = 8
    lines, parts = np.ones((3, 1), np.float32), np.ones((3, 2), np.float32)
    columns, light = np.arange(4, dtype=np.float32), np.zeros((3, 2, 4), np.float32)
    texture, runs = np.zeros(size, np.uint8), np.array(counts)
    with pytest.raises(ValueError, match="lengths"):
        kernels.lighten(np.array([size]), lines, lines, runs, parts, parts, texture, columns, light)
    kernels.lighten(np.array([size]), lines, lines, np.array([3, 5]), parts, parts, texture, columns, light)


@pytest.mark.parametrize(("start", "count"), [(-1, 1), (8, 1), (9, 0), (6, 3), (0, -1), (2**62, 2**62)])
def test_a_stretch_outside_its_row_is_refused(start, count):
    one, row = np.ones(1, np.float32), np.ones(4, np.float32)
    picture = np.zeros((2, 4), np.float32), np.zeros((2, 4), np.uint16)
    with pytest.raises(ValueError, match="lengths"):
        kernels.cover(np.array([start]), np.array([count]), np.ones(1, np.uint16), one, one, row, *picture)


@pytest.mark.parametrize("value", [1e300, -1e300, float("nan"), 2**15])
def test_numbers_out_of_range_are_refused(value):
    for name, place in (("develop", 4), ("fetch", 10), ("expose", 4)):
        arguments = fitting(name)
        arguments[place] = value
        with pytest.raises(ValueError, match="values"):
            getattr(kernels, name)(*arguments)
