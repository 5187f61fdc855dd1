"""DenseDepth's nyu_test.zip, stored and deflated."""

import io
import os
import pickle
import tempfile
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from densedepth_keras.data import nyu_arrays, pictures
from densedepth_keras.data.archive import Archive
from densedepth_keras.data.nyu_csv import NYUCsv

COMPRESSIONS = {"stored": zipfile.ZIP_STORED, "deflated": zipfile.ZIP_DEFLATED}
SIZE = (40, 56)


def saved(array, **options):
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.asanyarray(array), **options)
    return buffer.getvalue()


def frames(count=7, dtype="float32", seed=0):
    rng = np.random.default_rng(seed)
    rgb = rng.integers(0, 256, (count, *SIZE, 3), dtype=np.uint8)
    return rgb, rng.uniform(0.7, 9.9, (count, *SIZE)).astype(dtype)


def write_zip(path, rgb, depth, compression="deflated"):
    """The three arrays; bytes are written as they are."""
    arrays = {"rgb": rgb, "depth": depth, "crop": np.array([20, 459, 24, 615])}
    with zipfile.ZipFile(path, "w", COMPRESSIONS[compression]) as packed:
        for name, array in arrays.items():
            packed.writestr(f"eigen_test_{name}.npy", array if isinstance(array, bytes) else saved(array))
    return path


@pytest.mark.parametrize("dtype", ["float16", "float32", ">f4", "float64"])
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_frames_are_the_stored_ones(tmp_path, compression, dtype):
    rgb, depth = frames(dtype=dtype)
    source = NYUCsv(write_zip(tmp_path / "nyu_test.zip", rgb, depth, compression), "test")
    assert len(source) == 7
    for index in (0, 3, -1, np.int64(6)):
        source.check_row(index)
        np.testing.assert_array_equal(source[index].image, rgb[index])
        np.testing.assert_array_equal(source[index].depth, depth[index].astype(np.float32))
    assert source[0].depth.dtype == np.float32
    assert source.row_name(-1) == f"Frame 6 of {tmp_path / 'nyu_test.zip'}"
    assert len({source.content_key(i) for i in range(7)}) == 7
    assert source.content_key(-1) == source.content_key(6)
    for access in (source.__getitem__, source.row_name, source.check_row, source.content_key):
        for index in (7, -8):
            with pytest.raises(IndexError):
                access(index)


def test_what_is_no_positive_number_is_a_hole(tmp_path):
    rgb, depth = frames(dtype="float64")
    depth[2, 0, :5] = np.nan, np.inf, -1, 0, 1e300  # the last is infinite as float32
    read = NYUCsv(write_zip(tmp_path / "a.zip", rgb, depth), "test")[2].depth
    assert read[0, :5].tolist() == [0] * 5
    assert (read[1:] > 0).all()


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_threads_and_a_pickled_source_read_the_same(tmp_path, compression):
    rgb, depth = frames(30)
    source = NYUCsv(write_zip(tmp_path / "a.zip", rgb, depth, compression), "test")
    again = pickle.loads(pickle.dumps(source))
    indices = np.random.default_rng(1).integers(0, 30, 300)
    with ThreadPoolExecutor(8) as threads:
        for index, sample in zip(indices, threads.map(again.__getitem__, indices), strict=True):
            np.testing.assert_array_equal(sample.depth, depth[index])


def test_temporary_file_has_no_name_and_goes_with_the_source(tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    source = NYUCsv(write_zip(tmp_path / "a.zip", *frames()), "test")
    copy = source._pairs._images._file
    assert list((tmp_path / "temporary").iterdir()) == []
    assert not copy.closed
    del source
    assert copy.closed


def test_too_little_temporary_space_is_said(tmp_path, monkeypatch):
    path = write_zip(tmp_path / "a.zip", *frames())
    monkeypatch.setattr(nyu_arrays.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    with pytest.raises(ValueError, match=r"47,\d{3} bytes of temporary space.*TMPDIR.*Received: 1,000 bytes free in"):
        NYUCsv(path, "test")


def test_frames_of_too_many_pixels_are_refused(tmp_path, monkeypatch):
    path = write_zip(tmp_path / "a.zip", *frames())
    monkeypatch.setattr(pictures, "MAX_PIXELS", 40 * 56 - 1)
    with pytest.raises(ValueError, match=r"at most .* pixels.*Received: 56x40 in .*a\.zip"):
        NYUCsv(path, "test")


@pytest.mark.parametrize("split", ["train", "validation"])
def test_other_splits_are_not_in_it(tmp_path, split):
    write_zip(tmp_path / "nyu_test.zip", *frames())
    for path in (tmp_path, tmp_path / "nyu_test.zip"):
        with pytest.raises(
            FileNotFoundError, match=rf"holds the test split alone. Received: split='{split}'.*nyu_test\.zip"
        ):
            NYUCsv(path, split)
    assert len(NYUCsv(tmp_path, "test")) == 7


RGB, DEPTH = frames()


@pytest.mark.parametrize(
    ("rgb", "depth", "message"),
    [
        (b"hello", DEPTH, "eigen_test_rgb.npy is not a NumPy array"),
        (saved(RGB)[:60], DEPTH, "eigen_test_rgb.npy is not a NumPy array"),
        (saved(RGB)[:-1], DEPTH, "fill its file"),
        (saved(RGB) + b"x", DEPTH, "fill its file"),
        (RGB, saved(np.array([{}], object), allow_pickle=True), "plain numbers.*dtype=object"),
        (RGB, np.asfortranarray(DEPTH), "fortran_order=True"),
        (RGB.astype(np.float32), DEPTH, r"Expected .*uint8.*Received: float32 \(7, 40, 56, 3\)"),
        (RGB, (DEPTH * 1000).astype(np.uint16), r"floats.*uint16 \(7, 40, 56\)"),
        (RGB, DEPTH[1:], r"Received: uint8 \(7, 40, 56, 3\), float32 \(6, 40, 56\)"),
        (RGB[..., :1], DEPTH, r"\(7, 40, 56, 1\)"),
        (RGB[:, :20], DEPTH[:, :20], "32 pixels or more"),
        (RGB[:0], DEPTH[:0], r"\(0, 40, 56, 3\)"),
        (RGB, saved(DEPTH)[:80].replace(b"(7", b"(-7") + saved(DEPTH)[80:], "fill its file|not a NumPy"),
    ],
)
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_wrong_arrays_are_refused(tmp_path, rgb, depth, message, compression):
    path = write_zip(tmp_path / "wrong.zip", rgb, depth, compression)
    with pytest.raises(ValueError, match=rf"(?s){message}.*wrong\.zip"):
        NYUCsv(path, "test")


def test_an_absent_array_is_said(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr("eigen_test_rgb.npy", saved(RGB))
    with pytest.raises(FileNotFoundError, match=r"no such member. Received: 'eigen_test_depth\.npy' in .*a\.zip"):
        NYUCsv(tmp_path / "a.zip", "test")


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_flipped_bit_is_found_on_opening(tmp_path, compression):
    path = write_zip(tmp_path / "a.zip", RGB, DEPTH, compression)
    good, rng = path.read_bytes(), np.random.default_rng(4)
    member = Archive(path).member("eigen_test_depth.npy")
    for position in rng.integers(member.header_offset + 300, member.header_offset + member.compress_size, 20):
        data = bytearray(good)
        data[position] ^= 1 << rng.integers(8)
        path.write_bytes(data)
        with pytest.raises(ValueError, match=r"'eigen_test_depth\.npy' (is not what was packed|cannot be inflated)"):
            NYUCsv(path, "test")


def test_zip_changed_while_open(tmp_path):
    """Stored frames lie in the zip: nothing of another file may pass as one. Inflated ones are safe."""
    for compression in COMPRESSIONS:
        path = write_zip(tmp_path / f"{compression}.zip", RGB, DEPTH, compression)
        source = NYUCsv(path, "test")
        os.utime(path, ns=(0, 0))
        if compression == "stored":
            with pytest.raises(ValueError, match=r"Frame 1 of eigen_test_rgb\.npy.*changed meanwhile.*stored\.zip"):
                source[1]
        else:
            np.testing.assert_array_equal(source[1].depth, DEPTH[1])
