"""What rendering does to every pixel: the same bits in C as by NumPy, and arrays that do not fit are refused."""

import random
import shutil

import numpy as np
import pytest

from densedepth_keras.data.rendering import atlas, boxes, draw_scene, pixels, render, shading

# Where there is a compiler the part in C must have been built; without one the package goes without.
pytestmark = pytest.mark.skipif(
    shading.expose is pixels.expose and shutil.which("cc") is None and shutil.which("cl") is None,
    reason="no C compiler",
)
PLACES = ((boxes, "cover"), (atlas, "fetch"), (shading, "lighten"), (shading, "expose"), (shading, "develop"))


def draw(seed, image_size):
    return render(draw_scene(random.Random(f"pixels/{seed}")), image_size)


@pytest.mark.parametrize("image_size", [(240, 320), (32, 32), (33, 70), (48, 64), (37, 129), (480, 640)])
def test_c_draws_what_numpy_draws(image_size, monkeypatch):
    count = 24 if image_size[0] < 100 else 4
    fast = [draw(seed, image_size) for seed in range(count)]
    for module, name in PLACES:
        assert getattr(module, name) is not getattr(pixels, name), f"{name} is not the one in C"
        monkeypatch.setattr(module, name, getattr(pixels, name))
    for seed, sample in enumerate(fast):
        expected = draw(seed, image_size)
        np.testing.assert_array_equal(sample.image, expected.image)
        np.testing.assert_array_equal(sample.depth, expected.depth)


def test_the_last_of_equally_near_stretches_shows():
    starts, counts, numbers = np.array([9, 8, 10]), np.array([2, 4, 1]), np.array([1, 2, 3], np.uint16)
    level, slope = np.array([2, 2, 1], np.float32), np.zeros(3, np.float32)
    for cover in (boxes.cover, pixels.cover):
        inverse_depth, surface = np.ones((2, 8), np.float32), np.zeros((2, 8), np.uint16)
        inverse_depth[1, 3] = 3  # nearer than all
        cover(starts, counts, numbers, level, slope, np.zeros(8, np.float32), inverse_depth, surface)
        np.testing.assert_array_equal(surface[1], [2, 2, 2, 0, 0, 0, 0, 0])
        np.testing.assert_array_equal(inverse_depth[1], [2, 2, 2, 3, 1, 1, 1, 1])
        assert not surface[0].any()


def fitting():
    """Arguments of each function that belong together: two rows of four pixels in two runs of three stretches."""
    floats, levels = np.ones((3, 2, 4), np.float32), np.ones((3, 2, 4), np.int16)
    runs, stretches = np.array([3, 5]), np.array([3, 1, 4])
    parts, whole = np.ones((3, 2), np.float32), np.ones((3, 3), np.float32)
    line, flat = np.ones(4, np.float32), np.ones(8, np.float32)
    texture, ints = np.zeros(8, np.uint8), np.zeros(8, np.int32)
    pair = np.ones((2, 2), np.float32)
    numbers = np.ones(2, np.uint16)
    return {
        "cover": [np.array([0, 4]), np.array([4, 2]), numbers, line[:2], line[2:], line, flat, numbers.repeat(4)],
        "fetch": [runs, ints[:2], ints[2:4], pair, pair, flat, ints, line, np.ones(2048, np.uint8), texture, 5],
        "lighten": [stretches, whole, whole, runs, parts, parts, texture, line, floats],
        "expose": [floats, floats[0], levels, 0.5, 255.0],
        "develop": [levels, levels, np.empty((4, 4), np.int16), np.empty((2, 4, 3), np.uint8), 8],
    }


@pytest.mark.parametrize("name", fitting())
def test_arrays_that_do_not_fit_are_refused(name):
    function = {key: getattr(module, key) for module, key in PLACES}[name]
    function(*fitting()[name])
    for index, argument in enumerate(fitting()[name]):
        if not isinstance(argument, np.ndarray):
            continue
        wrong = fitting()[name]
        wrong[index] = np.concatenate([argument.ravel(), argument.ravel()])[: argument.size + 1]
        if name == "fetch" and index == 8:
            continue  # an atlas may have any size: what would lie behind it is its last texel
        with pytest.raises(ValueError, match="lengths"):
            function(*wrong)
    with pytest.raises((TypeError, IndexError)):
        function(*fitting()[name][:-1])


@pytest.mark.parametrize("counts", [[4, 5], [-1, 9], [8, 0], [2**62, 2**62]])
def test_runs_that_do_not_add_up_are_refused(counts):
    arguments = fitting()["lighten"]
    arguments[3] = np.array(counts)
    with pytest.raises(ValueError, match="lengths"):
        shading.lighten(*arguments)


@pytest.mark.parametrize(("start", "count"), [(-1, 1), (8, 1), (6, 3), (0, -1)])
def test_a_stretch_outside_its_row_is_refused(start, count):
    arguments = fitting()["cover"]
    arguments[0][1], arguments[1][1] = start, count
    with pytest.raises(ValueError, match="lengths"):
        boxes.cover(*arguments)
