"""Coloring: the range, the holes, the scale bar."""

import time

import numpy as np
import pytest
from matplotlib import colormaps

from densedepth_keras.outputs.coloring import HOLE, Coloring, check_colormap


@pytest.mark.parametrize("colormap", ["plasma_r", "turbo", "gray"])
def test_colours_are_matplotlib_s(colormap):
    near, far = 0.5, 8.0
    middles = near + (np.arange(256) + 0.5) / 256 * (far - near)  # of the colours, away from any rounding
    expected = colormaps[colormap]((middles - near) / (far - near), bytes=True)[:, :3]
    np.testing.assert_array_equal(Coloring(near, far, colormap).paint(middles.reshape(16, 16)).reshape(-1, 3), expected)


def test_beyond_the_ends_are_the_colours_of_the_ends():
    coloring = Coloring(1.0, 4.0)
    picture = coloring.paint(np.array([[0.5, 1.0, 4.0, 9.0, np.inf]]))
    table = colormaps["plasma_r"]([0.0, 1.0], bytes=True)[:, :3]
    np.testing.assert_array_equal(picture[0], table[[0, 0, 1, 1, 1]])


def test_holes_are_grey_and_change_nothing_else(rng):
    depth = rng.uniform(0.5, 9.0, (12, 17)).astype(np.float32)
    holed = depth.copy()
    holed[3, 4], holed[5, 6], holed[7, 8] = 0, np.nan, -1
    before, after = (Coloring(0.0, 10.0).paint(each) for each in (depth, holed))
    holes = ~(holed > 0)
    assert (after[holes] == HOLE).all()
    np.testing.assert_array_equal(after[~holes], before[~holes])
    assert np.isnan(holed[5, 6])  # the caller's map is left alone


def test_what_comes_out_is_uint8_and_one_s_own(rng):
    picture = Coloring(0.1, 10).paint(rng.uniform(0, 11, (5, 7)))
    assert (picture.shape, picture.dtype) == ((5, 7, 3), np.uint8)
    picture[:] = 0


@pytest.mark.parametrize("height", [32, 47, 100, 480, 1080, 4000])
@pytest.mark.parametrize("ends", [(0.1, 10.0), (1.0, 80.0), (0.0, 0.4), (1.5, 1.52)])
def test_scale_bar_is_readable_at_any_size(height, ends):
    coloring = Coloring(*ends)
    picture = np.zeros((height, 24, 3), np.uint8)
    drawn = coloring.with_scale_bar(picture)
    bar = drawn[:, 24:]
    np.testing.assert_array_equal(drawn[:, :24], picture)
    assert bar.shape[1] % 2 == 0
    paper = (bar == 255).all(-1)
    assert paper[[0, -1]].all() or height < 40  # numbers of the ends are not cut off
    assert paper[:, [0, -1]].all()
    ticks = coloring._ticks(max(2, int(height / (1.8 * max(9, min(height // 20, 96))))))
    assert ticks[0] == ends[0]
    assert ticks[-1] == ends[1]
    assert len(ticks) >= 2
    assert np.diff(ticks).min() > 0


def test_numbers_of_the_bar_stand_apart():
    bar = Coloring(0.1, 10.0).with_scale_bar(np.zeros((480, 1, 3), np.uint8))[:, 1:]
    labels = (bar[:, 48:] < 128).any((1, 2))  # rows with ink of a number, right of colours and ticks
    lines = np.flatnonzero(np.diff(np.r_[0, labels.astype(int)]) == 1)
    assert len(lines) == len(Coloring(0.1, 10.0)._ticks(11))
    assert len(lines) > 5


def test_colours_of_the_bar_lie_at_their_metres():
    coloring = Coloring(0.0, 10.0)
    bar = coloring.with_scale_bar(np.zeros((400, 1, 3), np.uint8))[:, 1:]
    strip = bar[:, 12]  # in the middle of the colours
    at_five = coloring.paint(np.array([[5.0]]))[0, 0].astype(int)
    assert np.abs(strip.astype(int) - at_five).sum(-1).argmin() == pytest.approx(200, abs=2)  # a colour is 1.6 rows


def test_side_by_side():
    coloring = Coloring(0.1, 10.0)
    picture, depth = np.full((40, 60, 3), 7, np.uint8), np.full((40, 60), 3.0)
    pair = coloring.side_by_side(picture, depth, bar=False)
    np.testing.assert_array_equal(pair[:, :60], picture)
    np.testing.assert_array_equal(pair[:, 60:], coloring.paint(depth))
    with_bar = coloring.side_by_side(picture, depth)
    assert with_bar.shape[1] > 120
    np.testing.assert_array_equal(with_bar[:, :120], pair)
    with pytest.raises(ValueError, match=r"depth\.shape=\(40, 61\)"):
        coloring.side_by_side(picture, np.zeros((40, 61)))


@pytest.mark.parametrize("ends", [(1.0, 1.0), (2.0, 1.0), (-1.0, 1.0), (0.0, np.inf), (np.nan, 1.0)])
def test_ends_that_are_none(ends):
    with pytest.raises(ValueError, match=rf"near={ends[0]}, far={ends[1]}"):
        Coloring(*ends)


def test_unknown_colour_map_names_the_nearest():
    with pytest.raises(ValueError, match=r"colormap='plazma'. Did you mean 'plasma'"):
        check_colormap("plazma")


def test_painting_a_frame_of_a_video_takes_less_than_3_ms(rng):
    coloring, depth = Coloring(0.1, 10.0), rng.uniform(0.1, 10, (480, 640)).astype(np.float32)
    spent = []
    for _ in range(20):
        started = time.process_time()
        coloring.paint(depth)
        spent.append(time.process_time() - started)
    assert min(spent) < 3e-3  # of this process's core; measured: 1.1 ms
