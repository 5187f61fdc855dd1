"""Depth files read back: by this package's readers and by others."""

import errno
import os
import sys

import numpy as np
import pytest
from PIL import Image

from densedepth_keras.data.files import read_depth
from densedepth_keras.outputs.depth_files import FARTHEST_PNG, WRITERS, write_exr, write_npy, write_pfm, write_png16


@pytest.fixture
def depth(rng):
    """Metres over the whole range of a PNG, with holes; odd sides, so that a turned map would show."""
    depth = rng.uniform(0.0, 65.5, (31, 45)).astype(np.float32)
    depth[0, :3] = 0
    return depth


def test_png_is_the_metres_to_half_a_millimetre(tmp_path, depth):
    write_png16(tmp_path / "d.png", depth)
    back = read_depth(tmp_path / "d.png", units_per_metre=1000)
    # half a unit, and the last bit of float32 at 65 m, 4e-6 m, of each of the two
    assert np.abs(back.astype(np.float64) - depth).max() <= 0.0005 + 8e-6
    with Image.open(tmp_path / "d.png") as picture:
        assert (picture.mode, picture.size) == ("I;16", (45, 31))


def test_png_rounds_to_the_nearest_millimetre(tmp_path):
    write_png16(tmp_path / "d.png", np.array([[1.2344, 1.2346, 0.0001, 1e-9, 0.0]]))
    assert np.asarray(Image.open(tmp_path / "d.png")).tolist() == [[1234, 1235, 1, 1, 0]]


def test_every_millimetre_of_a_png_survives(tmp_path):
    units = np.arange(2**16, dtype=np.uint16).reshape(256, 256)
    write_png16(tmp_path / "d.png", units.astype(np.float32) / np.float32(1000))
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "d.png")), units)


def test_png_beyond_its_end_and_holes(tmp_path):
    write_png16(tmp_path / "d.png", np.array([[FARTHEST_PNG, 65.6, 80.0, np.inf, np.nan, -1.0]]))
    assert np.asarray(Image.open(tmp_path / "d.png")).tolist() == [[65535, 65535, 65535, 65535, 0, 0]]


@pytest.mark.parametrize(("write", "suffix"), [(write_npy, ".npy"), (write_pfm, ".pfm"), (write_exr, ".exr")])
def test_float_files_are_the_metres_to_the_bit(tmp_path, depth, write, suffix):
    if write is write_exr:
        pytest.importorskip("OpenEXR")
    path = tmp_path / f"d{suffix}"
    write(path, depth)
    back = read_depth(path, units_per_metre=1)
    assert back.dtype == np.float32
    np.testing.assert_array_equal(back, depth)
    write(path, depth[:, ::-1])  # and not contiguous
    np.testing.assert_array_equal(read_depth(path, units_per_metre=1), depth[:, ::-1])


def test_npy_is_numpy_s_own_and_keeps_what_is_no_depth(tmp_path):
    depth = np.array([[np.nan, np.inf, 0.0, 1e-30]], np.float32)
    write_npy(tmp_path / "d.npy", depth)
    back = np.load(tmp_path / "d.npy", allow_pickle=False)
    assert back.dtype == np.float32
    np.testing.assert_array_equal(back, depth)
    np.save(tmp_path / "numpy.npy", depth)
    assert (tmp_path / "d.npy").read_bytes() == (tmp_path / "numpy.npy").read_bytes()


def test_pfm_s_bytes(tmp_path):
    write_pfm(tmp_path / "d.pfm", np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))
    expected = b"Pf\n3 2\n-1.0\n" + np.array([4, 5, 6, 1, 2, 3], "<f4").tobytes()  # the last row first
    assert (tmp_path / "d.pfm").read_bytes() == expected


@pytest.mark.parametrize("name", WRITERS)
def test_a_failing_write_leaves_the_last_file_and_nothing_else(tmp_path, name, depth, monkeypatch):
    if name == "exr":
        pytest.importorskip("OpenEXR")
    suffix, write = WRITERS[name]
    path = tmp_path / f"d{suffix}"
    write(path, depth)
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="No space left"):
        write(path, depth[:20])
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("room", [0, 200, 2000])
def test_where_the_disk_ends_the_system_s_reason_is_kept(tmp_path, name, rng, room):
    """Whoever writes many files has to tell a full disk from one bad file; libraries lose its number on the way."""
    resource = pytest.importorskip("resource", reason="no file size limits on this system")
    if name == "exr":
        pytest.importorskip("OpenEXR")
    suffix, write = WRITERS[name]
    depth = rng.uniform(0.1, 60, (80, 90)).astype(np.float32)  # noise: no format makes it small
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, usual[1]))
    try:
        with pytest.raises(OSError, match=os.strerror(errno.EFBIG)) as caught:
            write(tmp_path / f"d{suffix}", depth)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    assert caught.value.errno == errno.EFBIG
    assert ".partial" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", WRITERS)
def test_a_folder_that_is_not_there_is_an_os_error(tmp_path, name, depth):
    if name == "exr":
        pytest.importorskip("OpenEXR")
    with pytest.raises(OSError, match="nowhere"):
        WRITERS[name].write(tmp_path / "nowhere" / f"d{WRITERS[name].suffix}", depth)


@pytest.mark.parametrize("bad", [np.zeros((2, 3, 1)), np.zeros((0, 3)), np.array([["a"]])])
def test_what_is_no_map(tmp_path, bad):
    for _, write in WRITERS.values():
        with pytest.raises(ValueError, match="Received: shape="):
            write(tmp_path / "d", bad)
    assert not list(tmp_path.iterdir())


def test_exr_without_its_package_says_what_to_install(tmp_path, monkeypatch, depth):
    monkeypatch.setitem(sys.modules, "OpenEXR", None)
    with pytest.raises(ImportError, match=r"densedepth_keras\[exr\]"):
        write_exr(tmp_path / "d.exr", depth)
