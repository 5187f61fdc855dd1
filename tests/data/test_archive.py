"""Members of a zip, against `zipfile`; every kind of damage is said or makes no difference."""

import os
import pickle
import struct
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from densedepth_keras.data import archive as archive_module
from densedepth_keras.data.archive import MEMBER_BYTES, Archive, Tree

COMPRESSIONS = {"stored": zipfile.ZIP_STORED, "deflated": zipfile.ZIP_DEFLATED}


def contents(count=12, seed=0):
    """Names and bytes: an empty file, one of one byte, noise and text of up to 3 MB, so of several blocks."""
    rng = np.random.default_rng(seed)
    files = {"data/empty": b"", "data/one": b"x", "data/text.csv": b"data/a.jpg,data/a.png\n" * 2000}
    for i in range(count - len(files) - 1):
        files[f"data/scene_{i:04d}_out/{i}.png"] = rng.bytes(int(rng.integers(2, 30_000)))
    return {**files, "large": rng.bytes(3_000_000)}


def write_zip(path, files, compression="deflated"):
    with zipfile.ZipFile(path, "w", COMPRESSIONS[compression]) as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    return path


def patch_directory(path, offset, value):
    """Overwrites a field of the first member's directory entry, `offset` bytes behind the entry's start."""
    data = bytearray(path.read_bytes())
    start = data.index(b"PK\1\2") + offset
    data[start : start + len(value)] = value
    path.write_bytes(data)


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_members_are_those_of_zipfile(tmp_path, compression):
    files = contents()
    archive = Archive(write_zip(tmp_path / "a.zip", files, compression))
    assert list(archive) == list(files)
    with zipfile.ZipFile(archive.path) as packed:
        for name in files:
            assert archive.read(name) == packed.read(name) == files[name]
            assert archive.fingerprint(name) == (len(files[name]), zlib.crc32(files[name]))
            for count in (0, 1, 100, 5000):
                assert archive.head(name, count) == files[name][:count]


def test_a_tree_is_read_as_its_archive(tmp_path):
    archive = Archive(write_zip(tmp_path / "a.zip", contents()))
    with zipfile.ZipFile(archive.path) as packed:
        packed.extractall(tmp_path / "tree")
    tree = Tree(tmp_path / "tree")
    for name in archive:
        assert name in tree
        assert tree.read(name) == archive.read(name)
        assert tree.head(name, 100) == archive.head(name, 100)
        assert tree.fingerprint(name) == archive.fingerprint(name)
    for files in (tree, archive):
        for absent in ("nowhere", "data", "bad\0name"):
            assert absent not in files
            with pytest.raises(FileNotFoundError, match=r"no such member|No such file"):
                files.read(absent)


def test_tree_refuses_large_files_and_waits_for_no_pipe(tmp_path):
    with open(tmp_path / "large", "wb") as file:
        file.truncate(MEMBER_BYTES + 1)
    with pytest.raises(ValueError, match="67,108,864 bytes"):
        Tree(tmp_path).read("large")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(FileNotFoundError, match="pipe"):
            Tree(tmp_path).read("pipe")


def test_members_beyond_four_gigabytes(tmp_path):
    """ZIP64 offsets, as in an archive of 4.1 GB or more; the gap takes no space on disk."""
    path = tmp_path / "wide.zip"
    with open(path, "wb") as file:
        file.seek(2**32 + 2**20)
        with zipfile.ZipFile(file, "w") as packed:
            packed.writestr("far", b"behind four gigabytes")
    archive = Archive(path)
    assert archive.member("far").header_offset > 2**32
    assert archive.read("far") == b"behind four gigabytes"


def test_more_members_than_16_bits_count(tmp_path):
    names = [f"{i}" for i in range(2**16 + 10)]
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as packed:
        for name in names:
            packed.writestr(zipfile.ZipInfo(name), name)
    archive = Archive(tmp_path / "many.zip")
    assert list(archive) == names
    assert archive.read(names[-1]) == names[-1].encode()


def test_the_last_of_two_members_of_one_name_counts(tmp_path):
    with zipfile.ZipFile(tmp_path / "twice.zip", "w") as packed:
        packed.writestr("a", b"old")
        with pytest.warns(UserWarning, match="Duplicate"):
            packed.writestr("a", b"new")
    assert Archive(tmp_path / "twice.zip").read("a") == b"new"


def test_threads_read_at_once_and_move_no_position(tmp_path):
    files = contents(60)
    archive = Archive(write_zip(tmp_path / "a.zip", files))
    position = archive.file.tell()
    names = np.random.default_rng(1).choice(list(files), 400)
    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(lambda name: archive.read(name) == files[name], names))
    if hasattr(os, "pread"):
        assert archive.file.tell() == position


def test_without_positioned_reads(tmp_path, monkeypatch):
    files = contents(30)
    archive = Archive(write_zip(tmp_path / "a.zip", files))
    monkeypatch.delattr(archive_module.os, "pread", raising=False)
    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(lambda name: archive.read(name) == files[name], list(files) * 10))


def test_pickled_archive_is_opened_again(tmp_path):
    archive = Archive(write_zip(tmp_path / "a.zip", contents()))
    again = pickle.loads(pickle.dumps(archive))
    assert again.file is not archive.file
    assert again.read("large") == archive.read("large")


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_flipped_bit_is_said_or_makes_no_difference(tmp_path, compression):
    rng = np.random.default_rng(2)
    files = {f"data/{i}": rng.integers(0, 20, 400, dtype=np.uint8).tobytes() for i in range(5)}
    good = write_zip(tmp_path / "good.zip", files, compression).read_bytes()
    outcomes = []
    for i in range(300):
        data = bytearray(good)
        data[rng.integers(len(data))] ^= 1 << rng.integers(8)
        (tmp_path / f"{i}.zip").write_bytes(data)
        outcomes.append(outcome(tmp_path / f"{i}.zip", files))
        assert outcomes[-1] == "the same" or f"{i}.zip" in outcomes[-1]
    assert outcomes.count("the same") < 150  # most bytes of the file are content


def outcome(path, files):
    """ "the same" or "altered", or the error; one of another kind than those stated fails the test."""
    try:
        archive = Archive(path)
        assert all(len(archive.head(name, 10)) <= 10 for name in files)  # not verified, but bounded
        return "the same" if all(archive.read(name) == data for name, data in files.items()) else "altered"
    except (ValueError, FileNotFoundError) as error:
        return str(error)


def test_a_cut_off_file_is_said(tmp_path):
    good = write_zip(tmp_path / "good.zip", contents(6), "stored").read_bytes()
    for length in np.linspace(4, len(good) - 1, 40).astype(int):
        (tmp_path / "cut.zip").write_bytes(good[:length])
        with pytest.raises(ValueError, match=r"without its end: if the download broke off.*cut\.zip"):
            Archive(tmp_path / "cut.zip")


def test_not_a_zip(tmp_path):
    for data in (b"", b"hello", b"<html>404</html>" * 9000):
        (tmp_path / "a.zip").write_bytes(data)
        with pytest.raises(ValueError, match=r"Not a zip file.*a\.zip"):
            Archive(tmp_path / "a.zip")
    for absent in (tmp_path / "nowhere.zip", tmp_path):
        with pytest.raises(FileNotFoundError, match="No such file"):
            Archive(absent)


def test_bombs_are_refused_before_inflating(tmp_path):
    path = write_zip(tmp_path / "bomb.zip", {"zeros": bytes(20_000_000)})
    for read in (lambda archive: archive.read("zeros"), lambda archive: archive.head("zeros", 10)):
        with pytest.raises(ValueError, match=r"at most 200 times.*'zeros' of 20,000,000 bytes, stored in 19,\d{3}"):
            read(Archive(path))
    path = write_zip(tmp_path / "large.zip", {"noise": b"0123456789"})
    patch_directory(path, 20, struct.pack("<2I", 2**31, 2**31))  # sizes stored and unpacked
    with pytest.raises(ValueError, match=r"may have 67,108,864 bytes.*'noise' of 2,147,483,648"):
        Archive(path).read("noise")


def test_more_than_declared_is_not_inflated(tmp_path):
    path = write_zip(tmp_path / "liar.zip", {"zeros": bytes(50_000_000)})
    patch_directory(path, 24, struct.pack("<I", 1000))
    blocks = Archive(path).blocks("zeros")
    with pytest.raises(ValueError, match="'zeros' is not what was packed"):
        next(blocks)  # the first block is already too long


def test_encrypted_and_unknown_compression(tmp_path):
    path = write_zip(tmp_path / "secret.zip", {"a": b"text"})
    patch_directory(path, 8, b"\1\0")
    with pytest.raises(ValueError, match=r"must not be encrypted. Received: 'a' in .*secret\.zip"):
        Archive(path).read("a")
    with zipfile.ZipFile(tmp_path / "bz2.zip", "w", zipfile.ZIP_BZIP2) as packed:
        packed.writestr("a", b"text")
    with pytest.raises(ValueError, match=r"pack the archive again. Received: compression method 12 of 'a'"):
        Archive(tmp_path / "bz2.zip").read("a")


def test_a_directory_that_points_elsewhere(tmp_path):
    files = {"a": b"first", "b": b"second"}
    for offset in (1, 36, 10**6, 0xFFFFFFFE):
        path = write_zip(tmp_path / "a.zip", files, "stored")
        patch_directory(path, 42, struct.pack("<I", offset))
        with pytest.raises(ValueError, match=r"'a' is not where the directory says.*a\.zip"):
            Archive(path).read("a")


def test_file_changed_while_open(tmp_path):
    files = contents(6)
    archive = Archive(write_zip(tmp_path / "a.zip", files, "stored"))
    os.replace(write_zip(tmp_path / "b.zip", {"other": b"file"}), tmp_path / "a.zip")
    assert archive.read("large") == files["large"]  # what was opened is still there
    archive = Archive(write_zip(tmp_path / "c.zip", files, "stored"))
    os.truncate(archive.path, 1000)
    with pytest.raises(ValueError, match=r"The file was changed meanwhile.*c\.zip"):
        archive.read("large")
