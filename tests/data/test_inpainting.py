"""Holes filled by colorization: against a slow solution of the same system, by hand, and at the corners."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from colorization_oracle import solve_frame
from pair_folders import SHARED
from PIL import Image

from densedepth_keras.data import inpainting
from densedepth_keras.data.inpainting import Filled, fill_holes
from densedepth_keras.data.sample import Rows, Sample, check_row, content_key, row_name


def picture(rng, height, width):
    """Flat patches with noise and one gradient: edges, texture and smooth ground."""
    patches = rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3)).repeat(8, 0).repeat(8, 1)[:height, :width]
    patches[:, : width // 3] = np.linspace(0, 255, height)[:, None, None]
    return np.clip(patches + rng.normal(0, 3, (height, width, 3)), 0, 255).astype(np.uint8)


def scene(rng, height=40, width=48):
    image = picture(rng, height, width)
    return image, rng.uniform(0.7, 9.5, (height, width)).astype(np.float32)


def punch(depth, rng, kind):
    """A copy with holes."""
    depth = depth.copy()
    height, width = depth.shape
    if kind == "scattered":
        depth[rng.random(depth.shape) < 0.3] = 0
    elif kind == "disc":
        y, x = np.mgrid[:height, :width]
        depth[(y - 20) ** 2 + (x - 25) ** 2 < 15**2] = 0
    elif kind == "border":
        depth[:6], depth[-1:], depth[:, :9], depth[:, -3:] = 0, 0, 0, 0
    elif kind == "sparse":  # as from a laser: 5 % measured
        depth[rng.random(depth.shape) < 0.95] = 0
    else:
        kept = depth[7, 9]
        depth[:] = 0
        depth[7, 9], depth[-1, 0] = kept, 1.0
    return depth


@pytest.mark.parametrize("kind", ["scattered", "disc", "border", "sparse", "two pixels"])
def test_equal_to_the_slow_solution_of_the_same_system(rng, kind):
    image, depth = scene(rng)
    depth = punch(depth, rng, kind)
    filled = fill_holes(image, depth)
    np.testing.assert_allclose(filled, solve_frame(image, depth), rtol=0, atol=1e-5)  # float32 of up to 9.5 m: 1e-6
    measured = depth > 0
    np.testing.assert_array_equal(filled[measured], depth[measured])
    assert filled.dtype == np.float32
    assert depth[measured].min() <= filled.min() <= filled.max() <= depth[measured].max()


@pytest.mark.parametrize("size", [(1, 30), (30, 1), (2, 2), (9, 8), (17, 33)])
def test_any_size_of_frame(rng, size):
    image, depth = rng.integers(0, 256, (*size, 3), dtype=np.uint8), rng.uniform(1, 2, size).astype(np.float32)
    depth[rng.random(size) < 0.6] = 0
    depth[0, 0] = 1.5
    np.testing.assert_allclose(fill_holes(image, depth), solve_frame(image, depth), rtol=0, atol=1e-5)  # float32


def test_sharpest_edges_keep_the_range_and_the_accuracy(rng):
    """Black and white at random: weights down to 1e-8, where rounding could show."""
    image = (rng.integers(0, 2, (40, 48, 1), dtype=np.uint8) * 255).repeat(3, 2)
    depth = np.zeros((40, 48), np.float32)
    depth[0, 0], depth[-1, -1] = 0.3, 70.0
    filled = fill_holes(image, depth)
    np.testing.assert_allclose(filled, solve_frame(image, depth), rtol=0, atol=1e-4)  # float32 of 70 m: 8e-6
    assert filled.min() == np.float32(0.3)
    assert filled.max() == np.float32(70)


def test_rounding_cannot_leave_the_range():
    """Rings whose steps double towards the outside: a step out of them weighs 1e-4, seven in a row 1e-28.

    The matrix is as near to singular as a picture makes it. Rounding alone moves depths by millimetres, and where all
    that was measured is 2 m there is but one right answer.
    """
    y, x = np.mgrid[:34, :34]
    ring = np.maximum(abs(y - 17), abs(x - 17))
    image = np.array([0, 0, 0, 1, 3, 7, 15, 31, 63, 127] + 20 * [255], np.uint8)[ring][..., None].repeat(3, 2)
    depth = np.where(ring <= 12, 0, 2).astype(np.float32)
    np.testing.assert_array_equal(fill_holes(image, depth), np.full_like(depth, 2))


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (33, 70), (64, 9)])
def test_every_hole_is_an_unknown_once(rng, size):
    holes = rng.random(size) < 0.8
    holes[0, 0] = True
    np.testing.assert_array_equal(np.sort(inpainting._elimination_order(holes)), np.flatnonzero(holes))


def test_weights_by_hand():
    """One hole at the end of a line of three: its one neighbour's depth. In the middle: a mean by brightness."""
    image = np.array([[0, 51, 255]], np.uint8)[..., None].repeat(3, 2)
    np.testing.assert_array_equal(fill_holes(image, np.array([[0, 2, 7]], np.float32)), [[2, 2, 7]])
    near, far = 0.2**2, 0.8**2  # (51 - 0) / 255 and (255 - 51) / 255, squared
    variance = (0**2 + 0.2**2 + 1**2) / 3 - (1.2 / 3) ** 2
    spread = max(0.6 * variance, near / np.log(100))
    weights = np.exp(-np.array([near, far]) / spread)
    expected = (weights * [1, 7]).sum() / weights.sum()
    filled = fill_holes(image, np.array([[1, 0, 7]], np.float32))
    np.testing.assert_allclose(filled[0, 1], expected, rtol=1e-6)  # float32
    assert expected < 2  # nearer to the pixel of its own brightness


def test_edge_of_the_image_stops_depth():
    """Two areas, black at 2 m and white at 5 m, the hole across both: each goes on up to the edge."""
    image = np.zeros((32, 32, 3), np.uint8)
    image[:, 16:] = 255
    truth = np.where(image[..., 0] > 0, 5, 2).astype(np.float32)
    depth = truth.copy()
    depth[8:24, 6:26] = 0
    error = np.abs(fill_holes(image, depth) - truth)
    # Across the edge the weight is 1.1e-4, not 0 (v is at least 0.6 of the variance over it): 0.0096 m here.
    assert error.max() < 0.02
    assert np.abs(fill_holes(np.full_like(image, 90), depth) - truth).max() > 1  # nothing to see: blurred across


def test_constant_image_is_a_plain_mean_of_neighbours(rng):
    image, depth = np.full((32, 40, 3), 7, np.uint8), np.tile(np.linspace(1, 5, 40, dtype=np.float32), (32, 1))
    holed = depth.copy()
    holed[5:27, 5:35] = 0
    np.testing.assert_allclose(fill_holes(image, holed), depth, rtol=0, atol=1e-5)  # a linear ramp is harmonic


@pytest.mark.parametrize("hole", [0, -1.0, np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_every_mark_of_a_hole_and_every_float(rng, hole, dtype):
    image, depth = scene(rng)
    depth = depth.astype(dtype)
    expected = fill_holes(image, punch(depth, rng, "disc"))
    marked = np.where(punch(depth, rng, "disc") == 0, dtype(hole), depth)
    before = marked.copy()
    filled = fill_holes(image, marked)
    np.testing.assert_array_equal(filled, expected)
    np.testing.assert_array_equal(marked, before)
    assert filled.dtype == np.float32
    assert np.isfinite(filled).all()
    assert (filled > 0).all()


def test_a_map_without_holes_is_returned_itself(rng):
    image, depth = scene(rng)
    assert fill_holes(image, depth) is depth


@pytest.mark.parametrize(
    ("image", "depth", "kind", "message"),
    [
        (np.zeros((4, 5, 3), np.uint8), np.zeros((4, 5), np.float32), ValueError, "no measurement"),
        (np.zeros((4, 5, 3), np.uint8), np.full((4, 5), np.nan, np.float32), ValueError, "no measurement"),
        (np.zeros((4, 5, 3), np.uint8), np.ones((5, 4), np.float32), ValueError, r"depth\.shape=\(5, 4\)"),
        (np.zeros((4, 5), np.uint8), np.ones((4, 5), np.float32), ValueError, r"image\.shape=\(4, 5\)"),
        (np.zeros((4, 5, 3), np.uint8), np.ones((4, 5, 1), np.float32), ValueError, r"depth\.shape=\(4, 5, 1\)"),
        (np.zeros((4, 5, 3), np.float32), np.ones((4, 5), np.float32), TypeError, "image of dtype float32"),
        (np.zeros((4, 5, 3), np.uint8), np.ones((4, 5), np.uint16), TypeError, "depth of dtype uint16"),
    ],
)
def test_what_cannot_be_filled_is_refused(image, depth, kind, message):
    with pytest.raises(kind, match=message):
        fill_holes(image, depth)


def test_more_holes_than_memory_holds_are_refused(rng, monkeypatch):
    image, depth = scene(rng)
    depth[:, :10] = 0
    monkeypatch.setattr(inpainting, "MAX_HOLE_PIXELS", 399)
    with pytest.raises(ValueError, match=r"At most 399 .*Received: 400 hole pixels in a frame of 48x40"):
        fill_holes(image, depth)
    monkeypatch.setattr(inpainting, "MAX_HOLE_PIXELS", 400)
    assert fill_holes(image, depth).all()


def test_a_frame_with_a_tenth_of_holes_is_quick(rng):
    image, depth = picture(rng, 480, 640), np.ones((480, 640), np.float32)
    depth[100:300, 200:354] = 0
    seconds = []
    for _ in range(3):
        start = time.thread_time()  # of this thread: other processes do not count
        fill_holes(image, depth)
        seconds.append(time.thread_time() - start)
    assert min(seconds) < 1.5


@pytest.mark.parametrize("frame", range(3))
def test_real_frames(frame):
    """A part of each frame, as the oracle is slow; its holes are real."""
    folder = SHARED / "nyu_raw"
    if not folder.is_dir():
        pytest.skip(f"real Kinect frames are not at hand: {folder} (set DENSEDEPTH_TEST_DATA)")
    image = np.asarray(Image.open(folder / f"image/{frame:04d}.jpg"))[:100, :120]
    depth = np.asarray(Image.open(folder / f"depth/{frame:04d}.png"))[:100, :120] / np.float32(1000)
    assert 0.1 < (depth == 0).mean() < 0.9
    np.testing.assert_allclose(fill_holes(image, depth), solve_frame(image, depth), rtol=0, atol=1e-5)  # float32


class Frames:
    """A source with all that a source may offer."""

    def __init__(self, samples):
        self.samples, self.checked = samples, []

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, index):
        return Sample(*self.samples[index])

    def row_name(self, index):
        return f"Row {index} of frames.csv"

    def check_row(self, index):
        self.checked.append(index)

    def content_key(self, index):
        return b"key %d" % index

    def __repr__(self):
        return "Frames"


@pytest.fixture
def frames(rng):
    pairs = [scene(rng) for _ in range(3)]
    samples = [(image, punch(depth, rng, "disc")) for image, depth in pairs]
    return Frames([*samples, (pairs[0][0], np.zeros_like(pairs[0][1]))])


def test_filled_source(frames):
    source = Filled(frames)
    assert len(source) == 4
    assert repr(source) == "Filled(Frames)"
    for index in (0, -2):
        image, depth = source[index]
        np.testing.assert_array_equal(image, frames[index].image)
        np.testing.assert_array_equal(depth, fill_holes(*frames[index]))
    with pytest.raises(ValueError, match=r"Row 3 of frames\.csv: .*no measurement"):
        source[3]
    with pytest.raises(IndexError):
        source[4]


@pytest.mark.parametrize(
    ("error", "reason"), [(MemoryError(), "MemoryError"), (RuntimeError("malloc fails."), "malloc fails")]
)
def test_want_of_memory_names_the_row(frames, monkeypatch, error, reason):
    def splu(*args, **kwargs):
        raise error

    monkeypatch.setattr(inpainting, "splu", splu)
    with pytest.raises(ValueError, match=rf"^Row 1 of .*want of memory: {reason}\. .*Received: a frame of 48x40$"):
        Filled(frames)[1]


def test_filled_source_delegates(frames):
    source = Filled(frames)
    assert row_name(source, 1) == "Row 1 of frames.csv"
    check_row(source, 2)
    assert frames.checked == [2]
    keys = [content_key(chosen, i) for chosen in (frames, source, Filled(source)) for i in (0, 1)]
    assert len(set(keys)) == 6
    assert content_key(source, 1) == content_key(Filled(frames), 1) == content_key(Rows(source, [1]), 0)


def test_filled_source_is_read_by_threads(frames):
    source = Filled(frames)
    expected = [source[i].depth for i in range(3)]
    with ThreadPoolExecutor(4) as threads:
        for i, sample in enumerate(threads.map(lambda i: source[i % 3], range(12))):
            np.testing.assert_array_equal(sample.depth, expected[i % 3])
