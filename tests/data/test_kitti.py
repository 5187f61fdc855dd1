"""KITTI: trees and lists written here in the real formats, and real frames."""

import os
import shutil
from collections import Counter

import numpy as np
import pytest
from pair_folders import SHARED
from PIL import Image

from densedepth_keras.data import kitti
from densedepth_keras.data.kitti import KITTI
from densedepth_keras.data.kitti_splits import VALIDATION_DRIVES, Frame, eigen_test_frames, read_list
from densedepth_keras.data.sample import check_row, content_key, row_name

TRAIN, OTHER, VALIDATION, TEST = (
    f"2011_09_26_drive_{n}_sync" for n in ("0001", "0011", "0005", "0009")
)  # 0005 is one of KITTI's `val` drives, 0009 one of Eigen's test drives
SIZES = {TRAIN: (37, 124), OTHER: (36, 122), VALIDATION: (37, 124), TEST: (38, 124)}
FRAMES = (5, 6, 16)
"""With images and depth; frames 0 and 4 have images alone, as in KITTI, whose depth starts at frame 5."""


def write_frame(image, depth, size, rng):
    stored = rng.integers(256, 80 * 256, size).astype(np.uint16) * (rng.random(size) < 0.2)
    image.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(image)
    if depth is not None:
        depth.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(stored.astype(np.uint16)).save(depth)


def write_tree(root, raw="", depth="", suffix="png"):
    rng = np.random.default_rng(0)
    for drive, size in SIZES.items():
        part = "val" if drive == VALIDATION else "train"
        for camera in ("image_02", "image_03"):
            for number in (0, 4, *FRAMES):
                image = root / raw / drive[:10] / drive / camera / "data" / f"{number:010d}.{suffix}"
                truth = root / depth / part / drive / "proj_depth/groundtruth" / camera / f"{number:010d}.png"
                write_frame(image, truth if number in FRAMES else None, size, rng)
    return root


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return write_tree(tmp_path_factory.mktemp("kitti"))


@pytest.fixture
def own_tree(tree, tmp_path):
    """A copy to spoil."""
    shutil.copytree(tree, tmp_path / "kitti")
    return tmp_path / "kitti"


def frames_of(source):
    return [row.frame for row in source.rows]


def test_metres_and_holes_are_the_stored_ones(tree):
    source = KITTI(tree, "validation", camera="left")
    image, depth = source[1]
    paths = tree / "2011_09_26" / VALIDATION / "image_02/data", tree / "val" / VALIDATION / "proj_depth/groundtruth"
    stored = np.asarray(Image.open(paths[1] / "image_02/0000000006.png"))
    assert stored.max() > 255 and depth.dtype == np.float32  # noqa: PT018
    np.testing.assert_array_equal(depth, stored.astype(np.float32) / np.float32(256))
    assert 0.7 < (depth == 0).mean() < 0.9
    np.testing.assert_array_equal(image, np.asarray(Image.open(paths[0] / "0000000006.png")))


@pytest.mark.parametrize(
    ("raw", "depth", "suffix"),
    [("raw", "data_depth_annotated", "jpg"), ("kitti_raw", "depth", "png"), ("raw_data", "", "jpeg")],
)
def test_layouts_that_people_have(tree, tmp_path, raw, depth, suffix):
    root = write_tree(tmp_path, raw, depth, suffix)
    here, there = KITTI(root, "validation"), KITTI(tree, "validation")
    assert frames_of(here) == frames_of(there)
    np.testing.assert_array_equal(here[0].depth, there[0].depth)
    assert here.rows[0].image.endswith(suffix)


def test_depth_without_train_and_val_or_inside_the_raw_drives(own_tree):
    expected = {split: frames_of(KITTI(own_tree, split)) for split in ("train", "validation")}
    for part in ("train", "val"):
        for drive in (own_tree / part).iterdir():
            shutil.move(drive, own_tree / drive.name)
    assert {split: frames_of(KITTI(own_tree, split)) for split in expected} == expected
    for drive in SIZES:
        shutil.move(own_tree / drive / "proj_depth", own_tree / drive[:10] / drive / "proj_depth")
    assert {split: frames_of(KITTI(own_tree, split)) for split in expected} == expected


def test_splits_without_lists_are_disjoint_by_drive(tree):
    train = KITTI(tree, "train")
    assert frames_of(train) == [
        Frame(drive, camera, number)
        for drive in (TRAIN, OTHER)
        for camera in ("image_02", "image_03")
        for number in FRAMES
    ]
    assert {frame.drive for frame in frames_of(KITTI(tree, "validation"))} == {VALIDATION}
    assert len({train[i].depth.shape for i in (0, -1)}) == 2  # sizes of drives differ
    assert len(KITTI(tree, "train", camera="right")) == 2 * len(FRAMES)


def test_built_in_test_frames_drop_those_without_depth(tree):
    with pytest.warns(UserWarning, match="696 of 697 frames.* test split have no annotated depth"):
        source = KITTI(tree, "test")
    assert frames_of(source) == [Frame(TEST, "image_02", 16)]
    assert source.dropped == 696
    assert source[0].depth.shape == SIZES[TEST]


def test_built_in_test_frames_are_eigen_s():
    frames = eigen_test_frames()
    assert len(frames) == len(set(frames)) == 697
    assert sorted(Counter(frame.drive for frame in frames).values()) == [22] + 27 * [25]
    assert {frame.camera for frame in frames} == {"image_02"}
    for drive, numbers in {  # lines of the published list, from its start, middle and end
        "2011_09_26_drive_0002": (69, 54, 42, 57, 30, 27, 12, 75, 36, 33, 15, 72, 3, 39, 9, 51, 60, 21, 0, 24, 45),
        "2011_09_29_drive_0071": (252, 540, 1054, 36, 360, 807, 879, 288, 771, 0, 216, 951, 324, 432, 504, 576, 108),
        "2011_10_03_drive_0027": (2906, 2544, 362, 4535, 734, 1096, 4173, 543, 1277, 4354, 1458, 1820, 3449, 3268, 915),
    }.items():
        assert {Frame(f"{drive}_sync", "image_02", number) for number in numbers} <= set(frames)
    assert len(VALIDATION_DRIVES) == 13
    assert len(VALIDATION_DRIVES & {frame.drive for frame in frames}) == 7


LISTS = {
    "monodepth2": "2011_09_26/{d} 5 l\n2011_09_26/{d} 0000000016 r\n\n2011_09_26/{d} 4 l\n",
    "bts": "2011_09_26/{d}/image_02/data/0000000005.png {d}/proj_depth/groundtruth/image_02/0000000005.png 721.5377\n"
    "{d}/image_03/data/0000000016.png train/{d}/proj_depth/groundtruth/image_03/0000000016.png 721.5377\n\n"
    "2011_09_26/{d}/image_02/data/0000000006.png None 721.5377\n",
    "monodepth": "2011_09_26/{d}/image_02/data/0000000005.jpg 2011_09_26/{d}/image_03/data/0000000005.jpg\n"
    "2011_09_26/{d}/image_03/data/0000000016.jpg\n\n"
    "2011_09_26/{d}/image_02/data/0000000004.jpg 2011_09_26/{d}/image_03/data/0000000004.jpg\n",
}


@pytest.mark.parametrize("form", LISTS)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_lists_in_every_form(tree, tmp_path, form, newline):
    text = LISTS[form].format(d=OTHER).replace("\n", newline)
    (tmp_path / "eigen_train_files.txt").write_text("\ufeff" + text, encoding="utf-8", newline="")
    (tmp_path / "eigen_val_files.txt").write_text(f"2011_09_26/{TRAIN} 5 l")
    with pytest.warns(UserWarning, match="1 of 3 frames"):
        source = KITTI(tree, "train", split_dir=tmp_path)
    assert frames_of(source) == [Frame(OTHER, "image_02", 5), Frame(OTHER, "image_03", 16)]
    assert row_name(source, 1) == f"Row 2 of eigen_train_files.txt ({OTHER}/image_03, frame 16)"
    assert frames_of(KITTI(tree, "train", split_dir=tmp_path, camera="right")) == [Frame(OTHER, "image_03", 16)]
    assert frames_of(KITTI(tree, "validation", split_dir=tmp_path)) == [Frame(TRAIN, "image_02", 5)]


@pytest.mark.parametrize(
    "place", ["eigen_test_files.txt", "eigen_test_files_with_gt.txt", "splits/eigen/test_files.txt", "test_files.txt"]
)
def test_lists_are_found_where_people_keep_them(own_tree, place):
    (own_tree / place).parent.mkdir(parents=True, exist_ok=True)
    (own_tree / place).write_text(f"2011_09_26/{OTHER} 6 r\n")
    assert frames_of(KITTI(own_tree, "test")) == [Frame(OTHER, "image_03", 6)]
    assert OTHER not in {frame.drive for frame in frames_of(KITTI(own_tree, "train"))}  # a test drive never trains


def test_training_list_alone_gives_up_kitti_s_validation_drives(own_tree):
    text = "".join(f"2011_09_26/{drive} {n} l\n" for n in FRAMES for drive in (TRAIN, VALIDATION))
    (own_tree / "eigen_train_files.txt").write_text(text)
    with pytest.warns(UserWarning, match="No validation list beside .*eigen_train_files.txt"):
        splits = {split: KITTI(own_tree, split) for split in ("train", "validation")}
    assert frames_of(splits["train"]) == [Frame(TRAIN, "image_02", n) for n in FRAMES]
    assert frames_of(splits["validation"]) == [Frame(VALIDATION, "image_02", n) for n in FRAMES]
    assert row_name(splits["validation"], 0).startswith("Row 2 of")


def test_lists_come_from_the_folder_of_the_training_list(own_tree, tmp_path):
    """Another folder's validation list may hold the frames that train."""
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / "train_files.txt").write_text("".join(f"2011_09_26/{d} 5 l\n" for d in (TRAIN, VALIDATION)))
    (own_tree / "splits/eigen").mkdir(parents=True)
    (own_tree / "splits/eigen/eigen_val_files.txt").write_text(f"2011_09_26/{TRAIN} 5 l\n")
    (own_tree / "splits/eigen/test_files.txt").write_text(f"2011_09_26/{OTHER} 6 l\n")
    with pytest.warns(UserWarning, match="No validation list beside .*lists/train_files.txt"):
        splits = {split: frames_of(KITTI(own_tree, split, split_dir=lists)) for split in ("train", "validation")}
    assert splits == {"train": [Frame(TRAIN, "image_02", 5)], "validation": [Frame(VALIDATION, "image_02", 5)]}
    assert frames_of(KITTI(own_tree, "test", split_dir=lists)) == [Frame(OTHER, "image_02", 6)]
    (own_tree / "splits/eigen/train_files.txt").write_text(f"2011_09_26/{OTHER} 5 l\n")
    assert frames_of(KITTI(own_tree, "validation")) == [Frame(TRAIN, "image_02", 5)]


def test_frames_of_both_lists_do_not_validate(own_tree):
    (own_tree / "eigen_train_files.txt").write_text(f"2011_09_26/{TRAIN} 5 l\n2011_09_26/{TRAIN} 6 l\n")
    text = f"2011_09_26/{TRAIN} 16 l\n2011_09_26/{TRAIN} 5 l\n"
    (own_tree / "eigen_val_files.txt").write_text(text + f"2011_09_26/{TRAIN} 6 r\n")
    with pytest.warns(UserWarning, match=r"1 of 3 frames of .*eigen_val_files\.txt are training frames as well"):
        source = KITTI(own_tree, "validation")
    assert frames_of(source) == [Frame(TRAIN, "image_02", 16), Frame(TRAIN, "image_03", 6)]
    assert len(KITTI(own_tree, "train")) == 2


def test_validation_list_alone_is_refused(own_tree):
    (own_tree / "eigen_val_files.txt").write_text(f"2011_09_26/{TRAIN} 5 l\n")
    assert len(KITTI(own_tree, "validation")) == 1
    with pytest.raises(FileNotFoundError, match=r"eigen_val_files.txt.*Expected eigen_train_files.txt.*split='train'"):
        KITTI(own_tree, "train")


@pytest.mark.parametrize(
    "row",
    [
        "2011_09_26/{d} 5",
        "2011_09_26/{d} five l",
        "2011_09_26/{d} 5 m",
        "2011_09_26/2011_09_26_drive_1_sync 5 l",
        "2011_09_26/{d} 99999999999 l",
        "2011_09_26/{d}/image_00/data/0000000005.png None 721.5377",
        "{d}/image_02/data/0000000005.png {d}/proj_depth/groundtruth/image_02/0000000006.png 721.5377",
        "{d}/image_02/data/0000000005.png ../../etc/passwd 721.5377",
        "{d}/image_02/data/0000000005.png None 721.5377 more",
        "{d}/image_02/data/\u0665.png None 721.5377",
        "\0",
    ],
)
def test_row_of_no_known_form_is_named(tmp_path, row):
    path = tmp_path / "eigen_train_files.txt"
    path.write_text(f"2011_09_26/{OTHER} 5 l\n\n{row.format(d=OTHER)}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"Row 3 of eigen_train_files.txt: expected .*Received: "):
        read_list(path)


def test_list_that_is_no_text_or_empty(tmp_path):
    path = tmp_path / "eigen_train_files.txt"
    path.write_bytes(b"2011_09_26/\xff\xfe 5 l")
    with pytest.raises(ValueError, match=r"cannot be read as text in UTF-8.*eigen_train_files.txt"):
        read_list(path)
    path.write_bytes(b"\r\n \n")
    with pytest.raises(ValueError, match=r"no row in eigen_train_files.txt"):
        read_list(path)


def test_paths_in_a_list_lead_nowhere_else(own_tree, tmp_path):
    (own_tree / "eigen_test_files.txt").write_text(
        f"/etc/../../{OTHER}/image_02/data/0000000005.png None\n../../../{OTHER}/image_02/data/0000000006.png\n"
    )
    with pytest.warns(UserWarning, match="1 of 2"):
        source = KITTI(own_tree, "test")
    assert source.rows[0].image == str(own_tree / "2011_09_26" / OTHER / "image_02/data/0000000006.png")


def spoiled(own_tree, what):
    """A training source whose row 1 has been spoiled, and the spoiled path."""
    source = KITTI(own_tree, "train", camera="left")
    image, depth = own_tree / source.rows[1].image, own_tree / source.rows[1].depth
    path = image if what.startswith("image") else depth
    if what.endswith("missing"):
        path.unlink()
        return KITTI(own_tree, "train", camera="left"), path
    if what.endswith("truncated"):
        path.write_bytes(path.read_bytes()[:-40])
    elif what.endswith("no picture"):
        path.write_bytes(b"2011")
    elif what == "image turned":
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.new("RGB", SIZES[TRAIN][::-1]).save(path, exif=exif)
    elif what == "depth in colour":
        Image.new("RGB", SIZES[TRAIN][::-1]).save(path)
    elif what == "depth of 8 bits":
        Image.new("L", SIZES[TRAIN][::-1]).save(path)
    elif what == "depth of another size":
        Image.fromarray(np.ones((36, 124), np.uint16)).save(path)
    return source, path


@pytest.mark.parametrize(
    ("what", "message", "seen_early"),
    [
        ("image missing", "No such file", True),
        ("image truncated", "cannot be decoded", False),
        ("image no picture", "Not a picture", True),
        ("image turned", "stored turned", True),
        ("depth truncated", "cannot be decoded", False),
        ("depth no picture", "Not a picture", True),
        ("depth in colour", "3-channel", True),
        ("depth of 8 bits", "8-bit. Expected 16-bit PNG", True),
        ("depth of another size", "one size", True),
    ],
)
def test_bad_files_are_named(own_tree, what, message, seen_early):
    source, path = spoiled(own_tree, what)
    kind = FileNotFoundError if what.endswith("missing") else ValueError
    with pytest.raises(kind, match=rf"{TRAIN}/image_02, frame 6.*: .*{message}") as caught:
        source[1]
    assert str(path) in str(caught.value)
    for index in (0, 2):
        check_row(source, index)
    if seen_early:
        with pytest.raises(kind, match=rf"{TRAIN}/image_02, frame 6.*: .*{message}"):
            check_row(source, 1)


def test_depth_that_goes_missing_later_is_named(own_tree):
    source, _ = spoiled(own_tree, "nothing")
    (own_tree / source.rows[1].depth).unlink()
    for read in (source.__getitem__, source.check_row, source.content_key):
        with pytest.raises(FileNotFoundError, match=f"{TRAIN}/image_02, frame 6: "):
            read(1)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes as on Unix")
def test_a_pipe_is_refused_not_waited_for(own_tree):
    source, path = spoiled(own_tree, "image untouched")
    path.unlink()
    os.mkfifo(path)
    for read in (source.__getitem__, source.check_row, source.content_key):
        with pytest.raises(ValueError, match="Expected a regular file"):
            read(1)


def test_drives_without_images_are_left_out(own_tree):
    shutil.rmtree(own_tree / "2011_09_26" / TRAIN)
    shutil.rmtree(own_tree / "2011_09_26" / OTHER / "image_03")
    assert frames_of(KITTI(own_tree, "train")) == [Frame(OTHER, "image_02", n) for n in FRAMES]


def test_nothing_there_is_said(own_tree, tmp_path):
    with pytest.raises(FileNotFoundError, match="data_dir='nowhere'"):
        KITTI("nowhere", "train")
    with pytest.raises(FileNotFoundError, match="split_dir='nowhere'"):
        KITTI(own_tree, "train", split_dir="nowhere")
    (tmp_path / "no_lists").mkdir()
    with pytest.raises(FileNotFoundError, match=r"expected eigen_train_files\.txt.*split_dir=.*no_lists"):
        KITTI(own_tree, "train", split_dir=tmp_path / "no_lists")
    with pytest.raises(ValueError, match="camera='middle'"):
        KITTI(own_tree, "train", camera="middle")
    with pytest.raises(ValueError, match="split='val'"):
        KITTI(own_tree, "val")
    with pytest.raises(ValueError, match=r"split is empty.*split='test', camera='right'"):
        KITTI(own_tree, "test", camera="right")
    shutil.rmtree(own_tree / "train" / TEST)
    with pytest.raises(FileNotFoundError, match=r"None of the 697 frames.*data_depth_annotated.zip"):
        KITTI(own_tree, "test")
    for part in ("train", "val"):
        shutil.rmtree(own_tree / part)
    with pytest.raises(FileNotFoundError, match=r"No drive with annotated depth.*data_depth_annotated.*data_dir="):
        KITTI(own_tree, "train")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"No drive with images"):
        KITTI(tmp_path / "empty", "train")


def test_indices_are_a_list_s(tree):
    source = KITTI(tree, "validation")
    np.testing.assert_array_equal(source[-1].depth, source[len(source) - 1].depth)
    with pytest.raises(IndexError):
        source[len(source)]


def test_content_key_follows_the_bytes(own_tree):
    source = KITTI(own_tree, "train")
    keys = [content_key(source, i) for i in range(len(source))]
    assert len(set(keys)) == len(keys)
    depth = own_tree / source.rows[0].depth
    shutil.copy(source.rows[1].depth, depth)
    again = [content_key(KITTI(own_tree, "train"), i) for i in range(len(source))]
    assert again[0] != keys[0]
    assert again[1:] == keys[1:]


def test_content_key_follows_the_reader(tree, monkeypatch):
    source = KITTI(tree, "validation")
    key = content_key(source, 0)
    monkeypatch.setattr(kitti, "_READER", b"KITTI of another year")
    assert content_key(source, 0) != key


def test_real_frames(tmp_path):
    real = SHARED / "kitti"
    if not real.is_dir():
        pytest.skip(f"real KITTI frames are not at hand: {real} (set DENSEDEPTH_TEST_DATA)")
    for number in (0, 1):
        image = tmp_path / "raw/2011_09_26" / TRAIN / f"image_02/data/{number:010d}.png"
        depth = tmp_path / f"train/{TRAIN}/proj_depth/groundtruth/image_02/{number:010d}.png"
        for path, kind in ((image, "image"), (depth, "depth")):
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(real / kind / f"{number:04d}.png", path)
    source = KITTI(tmp_path, "train")
    assert len(source) == 2
    for index in range(2):
        source.check_row(index)
        image, depth = source[index]
        stored = np.asarray(Image.open(real / "depth" / f"{index:04d}.png"))
        np.testing.assert_array_equal(depth, stored.astype(np.float32) / np.float32(256))
        assert image.shape == (375, 1242, 3)
        # LiDAR sees the street from a few metres to some 85 m, on about a fifth of the pixels.
        assert 1 < depth[depth > 0].min() < np.median(depth[depth > 0]) < depth.max() < 100
        assert 0.05 < (depth > 0).mean() < 0.3
