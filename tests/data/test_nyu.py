"""The labelled .mat file: written here in the real layout, and against real frames."""

import os
import subprocess
import sys

import h5py
import numpy as np
import pytest

from densedepth_keras.data import load_dataset
from densedepth_keras.data.cache import CachedOnDisk
from densedepth_keras.data.nyu import NYULabeled
from densedepth_keras.data.nyu_frames import official_test, split_frames

pytestmark = pytest.mark.filterwarnings("ignore:.*frames. not the published splits")


def write_mat(path, frames=12, rng=None):
    """MATLAB v7.3: HDF5 behind a 512-byte user block, every frame transposed."""
    rng = rng or np.random.default_rng(0)
    images = rng.integers(0, 256, (frames, 3, 640, 480), dtype=np.uint8)
    depths = rng.uniform(0.7, 9.9, (frames, 640, 480)).astype("float32")
    raw = depths.copy()
    raw[:, :8] = 0
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in (("images", images), ("depths", depths), ("rawDepths", raw)):
            file.create_dataset(name, data=array, chunks=(1, *array.shape[1:]))
    with open(path, "r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
    return images, depths, raw


@pytest.fixture(scope="module")
def mat(tmp_path_factory):
    path = tmp_path_factory.mktemp("nyu") / "nyu_depth_v2_labeled.mat"
    return path, write_mat(path)


@pytest.mark.parametrize("raw_depth", [False, True])
def test_frames_are_turned_the_right_way(mat, raw_depth):
    path, (images, depths, raw) = mat
    source = NYULabeled(path, "train", partition="paper", raw_depth=raw_depth)
    frame = source.frames[2]
    sample = source[2]
    np.testing.assert_array_equal(sample.image, images[frame].transpose(2, 1, 0))
    np.testing.assert_array_equal(sample.depth, (raw if raw_depth else depths)[frame].T)
    assert (sample.depth[:, :8] == 0).all() == raw_depth


def test_folder_of_the_file_is_enough(mat):
    assert len(load_dataset("nyu-labeled", "train", data_dir=mat[0].parent)) == len(NYULabeled(mat[0], "train"))


def test_incomplete_file_is_said(mat):
    with pytest.warns(UserWarning, match="12 of 1449 frames"):
        NYULabeled(mat[0], "train")


def test_splits_of_the_whole_file():
    official = {split: split_frames(split) for split in ("train", "validation", "test")}
    assert {k: len(v) for k, v in official.items()} == {"train": 715, "validation": 80, "test": 654}
    assert official["train"][-1] < official["validation"][0]
    paper = {split: split_frames(split, "paper") for split in ("train", "validation", "test")}
    assert {k: (v[0], v[-1]) for k, v in paper.items()} == {
        "train": (0, 999),
        "validation": (1000, 1223),
        "test": (1224, 1448),
    }
    for splits in (official, paper):
        assert sorted(frame for frames in splits.values() for frame in frames) == list(range(1449))
    with pytest.raises(ValueError, match="partition='mine'"):
        split_frames("train", "mine")


def test_official_test_frames_are_the_published_ones(nyu_folder):
    assert official_test() == [int(line) for line in (nyu_folder / "splits/official_test.txt").read_text().split()]
    train = (nyu_folder / "train.csv").read_text().split()[1:]
    assert split_frames("train") == [int(row[4:8]) for row in train]


def test_real_frames_are_the_folder_s(nyu_folder, tmp_path):
    """The packer of the real layout writes 60 frames; every one must read as in the folder."""
    packer = nyu_folder.parent / "tools" / "pack_nyu.py"
    path = tmp_path / "nyu_depth_v2_labeled.mat"
    subprocess.run([sys.executable, packer, "mat", path, "--limit", "60"], check=True, timeout=240)
    compared = 0
    for split in ("train", "test"):
        folder = load_dataset("folder", split, data_dir=nyu_folder, depth_unit="mm")
        rows = {int(row.image.stem): i for i, row in enumerate(folder.rows)}
        source = NYULabeled(path, split)
        for i, frame in enumerate(source.frames):
            np.testing.assert_array_equal(source[i].image, folder[rows[frame]].image)
            np.testing.assert_array_equal(source[i].depth, folder[rows[frame]].depth)
            compared += 1
    assert compared >= 50


def test_missing_file_says_where_to_get_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"download nyu_depth_v2_labeled\.mat.*http"):
        load_dataset("nyu-labeled", "train", data_dir=tmp_path)


def test_truncated_file(mat, tmp_path):
    path = tmp_path / "cut.mat"
    path.write_bytes(mat[0].read_bytes()[:5_000_000])
    with pytest.raises(ValueError, match=r"Not a complete MATLAB.*cut\.mat"):
        NYULabeled(path, "train")


def test_foreign_files(tmp_path):
    path = tmp_path / "other.mat"
    path.write_text("hello")
    with pytest.raises(ValueError, match="Not a complete MATLAB"):
        NYULabeled(path, "train")
    with h5py.File(path, "w") as file:
        file["images"] = np.zeros((2, 3, 4, 4), "u1")
        file["accelData"] = np.zeros(3)
    with pytest.raises(ValueError, match=r"no array 'depths' of 3 dimensions.*accelData"):
        NYULabeled(path, "train")


def test_empty_split(tmp_path):
    path = tmp_path / "few.mat"
    write_mat(path, frames=2)
    with pytest.raises(ValueError, match=r"split is empty.*split='validation'"):
        NYULabeled(path, "validation", partition="official")


def write_small(path, depth=1.0, **replaced):
    """Three frames of 60x40; `replaced` stand for the arrays of these names."""
    arrays = {
        "images": np.zeros((3, 3, 60, 40), "u1"),
        "depths": np.full((3, 60, 40), depth, "f4"),
        "rawDepths": np.zeros((3, 60, 40), "f4"),
    }
    with h5py.File(path, "w") as file:
        for name, array in (arrays | replaced).items():
            file[name] = array
    return path


@pytest.mark.skipif(os.name == "nt", reason="an open file cannot be replaced there")
def test_file_replaced_while_open_does_not_spoil_a_cache(tmp_path):
    path = write_small(tmp_path / "a.mat")
    source = NYULabeled(path, "test")
    key = source.content_key(0)
    os.replace(write_small(tmp_path / "new.mat", depth=2.0), path)
    os.utime(path, ns=(0, 0))
    assert source.content_key(0) == key
    assert CachedOnDisk(source, tmp_path / "cache")[0].depth.max() == 1
    again = NYULabeled(path, "test")
    assert again.content_key(0) != key
    assert CachedOnDisk(again, tmp_path / "cache")[0].depth.max() == 2


def test_arrays_of_another_file_are_refused(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["secret"] = np.full((3, 60, 40), 7.0, "f4")
    path = write_small(tmp_path / "a.mat", depths=h5py.ExternalLink(str(tmp_path / "other.h5"), "secret"))
    with pytest.raises(ValueError, match=r"no array 'depths'.*expected a dataset 'depths'.*a\.mat"):
        NYULabeled(path, "test")
    with h5py.File(path, "a") as file:
        del file["depths"]
        layout = h5py.VirtualLayout((3, 60, 40), "f4")
        layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "secret", (3, 60, 40))
        file.create_virtual_dataset("depths", layout)
    with pytest.raises(ValueError, match=r"no array 'depths'.*lies in another file.*a\.mat"):
        NYULabeled(path, "test")


def test_frames_of_too_many_pixels_are_refused(tmp_path):
    with h5py.File(tmp_path / "a.mat", "w") as file:
        file.create_dataset("images", (3, 3, 9000, 9000), "u1", chunks=(1, 1, 100, 100))  # never written: a small file
        for name in ("depths", "rawDepths"):
            file.create_dataset(name, (3, 9000, 9000), "f4", chunks=(1, 100, 100))
    with pytest.raises(ValueError, match=r"at most 67108864 pixels.*9000x9000 in .*a\.mat"):
        NYULabeled(tmp_path / "a.mat", "test")
