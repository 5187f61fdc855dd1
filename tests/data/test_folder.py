"""Own data: every layout and list, units, and what can be wrong with it."""

import contextlib
import json
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from pair_folders import SHARED
from PIL import Image

from densedepth_keras.data import load_dataset
from densedepth_keras.data.folder import Folder


def save_pair(folder, name, depth, *, suffix=".png", image=None):
    folder.mkdir(parents=True, exist_ok=True)
    image = np.full((*depth.shape[:2], 3), 90, np.uint8) if image is None else image
    Image.fromarray(image).save(folder / f"{name}.png")
    path = folder / f"{name}_depth{suffix}"
    if suffix == ".npy":
        np.save(path, depth)
    else:
        Image.fromarray(depth).save(path)
    return f"{name}.png,{path.name}"


@pytest.fixture
def metres(rng):
    return rng.uniform(0.5, 9.5, (40, 50)).astype("float32")


@pytest.mark.parametrize(
    ("suffix", "unit", "stored", "tolerance"),
    [
        (".png", "mm", lambda m: np.round(m * 1000).astype(np.uint16), 0.5e-3),
        (".png", "cm", lambda m: np.round(m * 100).astype(np.uint16), 0.5e-2),
        (".png", 10 / 255, lambda m: np.round(m * 25.5).astype(np.uint8), 5 / 255),
        (".png", "0.00390625", lambda m: np.round(m * 256).astype(np.uint16), 0.5 / 256),
        (".tif", "m", lambda m: m, 0),
        (".tiff", "mm", lambda m: np.round(m * 1000).astype(np.uint16), 0.5e-3),
        (".npy", "m", lambda m: m, 0),
        (".npy", "mm", lambda m: (m * 1000)[..., None].astype("float64"), 1e-6),
    ],
)
def test_depth_formats_become_metres(tmp_path, metres, suffix, unit, stored, tolerance):
    row = save_pair(tmp_path, "a", stored(metres), suffix=suffix)
    (tmp_path / "train.csv").write_text(row + "\n")
    sample = Folder(tmp_path, "train", depth_unit=unit)[0]
    assert sample.depth.dtype == np.float32
    assert sample.image.dtype == np.uint8
    np.testing.assert_allclose(sample.depth, metres, atol=tolerance + 1e-6, rtol=0)  # rounding of the file


@pytest.mark.parametrize("hole", [0, np.nan, np.inf, -np.inf, -2.0])
def test_every_kind_of_hole_becomes_zero(tmp_path, metres, hole):
    metres[3, 4] = hole
    (tmp_path / "train.csv").write_text(save_pair(tmp_path, "a", metres, suffix=".npy"))
    depth = Folder(tmp_path, "train", depth_unit="m")[0].depth
    assert depth[3, 4] == 0
    assert np.count_nonzero(depth == 0) == 1


@pytest.mark.parametrize(
    "text",
    [
        "{a}\n{b}\n",
        "image,depth\n{a}\n{b}\n",
        "\ufeffImage,Depth\r\n{a}\r\n\r\n{b}\r\n",
        'id,depth,image\n0,a_depth.png,a.png\n1,"b_depth.png","b.png"\n',
    ],
    ids=["bare", "header", "bom-crlf-blank", "columns-by-name"],
)
def test_csv_variants(tmp_path, metres, text):
    stored = np.round(metres * 1000).astype(np.uint16)
    rows = [save_pair(tmp_path, name, stored // (i + 1)) for i, name in enumerate("ab")]
    (tmp_path / "test.csv").write_text(text.format(a=rows[0], b=rows[1]), encoding="utf-8")
    source = load_dataset("folder", "test", data_dir=tmp_path, depth_unit="mm")
    assert len(source) == 2
    np.testing.assert_allclose(source[1].depth, stored // 2 / 1000, rtol=1e-6)


def test_paired_folders(tmp_path, metres):
    stored = np.round(metres * 1000).astype(np.uint16)
    for kind in ("image", "depth"):
        (tmp_path / "train" / kind).mkdir(parents=True)
    for name in ("b", "a"):
        Image.fromarray(np.full((40, 50, 3), ord(name), np.uint8)).save(tmp_path / f"train/image/{name}.jpg")
        Image.fromarray(stored).save(tmp_path / f"train/depth/{name}.png")
    source = Folder(tmp_path, "train", depth_unit="mm")
    assert [int(source[i].image[0, 0, 0]) for i in range(2)] == [ord("a"), ord("b")]
    (tmp_path / "train/depth/b.png").unlink()
    with pytest.raises(ValueError, match=r"no partner, first 'b'.*train/depth"):
        Folder(tmp_path, "train", depth_unit="mm")


def test_real_frames(nyu_folder):
    sources = {
        s: load_dataset("folder", s, data_dir=nyu_folder, depth_unit="mm") for s in ("train", "validation", "test")
    }
    assert {split: len(source) for split, source in sources.items()} == {"train": 715, "validation": 80, "test": 654}
    image, depth = sources["test"][0]
    assert image.shape == (480, 640, 3)
    assert depth.shape == (480, 640)
    assert 0.5 < depth.min() < depth.max() < 10


def broken(folder, metres, kind):
    """A folder with one good row and one bad one, and what its message must say."""
    good = save_pair(folder, "good", np.round(metres * 1000).astype(np.uint16))
    if kind == "missing":
        return good, "nowhere.png,good_depth.png", r"Row 2 of train\.csv.*nowhere\.png"
    if kind == "outside":
        return good, "../secret.png,good_depth.png", r"Row 2 of train\.csv.*inside it.*\.\./secret\.png"
    if kind == "absolute":
        return good, "/etc/passwd,good_depth.png", r"Row 2 of train\.csv.*/etc/passwd"
    if kind == "one column":
        return good, "good.png", r"Row 2 of train\.csv.*two columns"
    if kind == "size":
        other = np.zeros((40, 60), np.uint16) + 900
        return good, save_pair(folder, "bad", other, image=np.zeros((30, 50, 3), np.uint8)), "Row 2.*50x30.*60x40"
    if kind == "colour":
        return good, save_pair(folder, "bad", np.zeros((40, 50, 3), np.uint8)), "Row 2.*3-channel 8-bit.*metres"
    if kind == "small":
        return good, save_pair(folder, "bad", np.ones((31, 50), np.uint16)), "Row 2.*at least 32.*50x31"
    if kind == "truncated":
        row = save_pair(folder, "bad", np.round(metres * 1000).astype(np.uint16))
        path = folder / "bad_depth.png"
        path.write_bytes(path.read_bytes()[:-900])
        return good, row, "Row 2.*cannot be decoded"
    if kind == "no picture":
        row = save_pair(folder, "bad", np.round(metres * 1000).astype(np.uint16))
        (folder / "bad.png").write_text("hello")
        return good, row, "Row 2.*Not a picture"
    row = save_pair(folder, "bad", np.array([[object()]]), suffix=".npy", image=np.zeros((40, 50, 3), np.uint8))
    return good, row, "Row 2.*two-dimensional numbers.*dtype=object"


KINDS = ["missing", "outside", "absolute", "size", "colour", "small", "truncated", "pickle", "one column", "no picture"]


@pytest.mark.parametrize("kind", KINDS)
def test_bad_row_is_named(tmp_path, metres, kind):
    good, bad, message = broken(tmp_path, metres, kind)
    (tmp_path / "train.csv").write_text(f"{good}\n{bad}\n")
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        Folder(tmp_path, "train", depth_unit="mm")[1]


@pytest.mark.parametrize("kind", sorted({*KINDS} - {"outside", "absolute", "one column"}))
def test_bad_rows_are_all_found_without_decoding(tmp_path, metres, kind):
    good, bad, message = broken(tmp_path, metres, kind)
    (tmp_path / "train.csv").write_text(f"{good}\n{bad}\n{good}\n{bad}\n")
    source, found = Folder(tmp_path, "train", depth_unit="mm"), []
    for index in range(len(source)):
        try:
            source.check_row(index)
        except (ValueError, FileNotFoundError) as error:
            found.append((index, str(error)))
    assert [index for index, _ in found] == [1, 3]
    assert re.search(message, found[0][1])


def test_depth_in_a_lossy_format_is_refused(tmp_path, metres):
    save_pair(tmp_path, "a", np.round(metres * 25).astype(np.uint8), suffix=".jpg")
    (tmp_path / "train.csv").write_text("a.png,a_depth.jpg")
    source = Folder(tmp_path, "train", depth_unit="m")
    for read in (source.check_row, source.__getitem__):
        with pytest.raises(ValueError, match=r"Row 1 of train\.csv.*lossy.*a_depth\.jpg"):
            read(0)


def test_empty_missing_and_wrong(tmp_path):
    (tmp_path / "train.csv").write_text("image,depth\n")
    with pytest.raises(ValueError, match=r"split is empty.*train\.csv"):
        Folder(tmp_path, "train", depth_unit="mm")
    with pytest.raises(FileNotFoundError, match=r"No 'test' split: expected .*test\.csv"):
        Folder(tmp_path, "test", depth_unit="mm")
    with pytest.raises(FileNotFoundError, match="not a folder"):
        Folder(tmp_path / "nowhere", "train", depth_unit="mm")
    (tmp_path / "test.csv").write_bytes(b"\xff\xfe\x00bad")
    with pytest.raises(ValueError, match=r"Row 1 of test\.csv is not in UTF-8"):
        Folder(tmp_path, "test", depth_unit="mm")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "nyu"}, r"Expected one of: .*folder.*Received: dataset='nyu'"),
        ({"split": "val"}, "split='val'"),
        ({"limit": 0}, "limit=0"),
        ({"depth_unit": "mm"}, "`depth_unit` belongs to 'folder'"),
        ({"data_dir": "x"}, "reads no files"),
        ({"name": "folder"}, "`data_dir` must say"),
        ({"name": "folder", "data_dir": ".", "depth_unit": "m", "raw_depth": True}, "raw_depth=True"),
    ],
)
def test_wrong_load_dataset_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        load_dataset(**arguments)


def test_limit_takes_the_first(own_data):
    whole = load_dataset("folder", "train", data_dir=own_data, depth_unit="mm")
    part = load_dataset("folder", "train", data_dir=own_data, depth_unit="mm", limit=2)
    assert len(part) == 2
    np.testing.assert_array_equal(part[1].image, whole[1].image)
    with pytest.raises(IndexError):
        part[2]


def write_hdf5(path, image, depth):
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file["rgb"], file["depth"] = image.transpose(2, 0, 1), depth


LISTS = {
    "tsv": ("train.tsv", "a.png\ta_depth.png\nb.png\tb_depth.png\n"),
    "tsv with a header": ("train.tsv", "depth\tid\timage\na_depth.png\t0\ta.png\nb_depth.png\t1\tb.png\n"),
    "jsonl": (
        "train.jsonl",
        '{"image": "a.png", "depth": "a_depth.png"}\n\n{"depth": "b_depth.png", "image": "b.png", "focal": 519}\n',
    ),
    "jsonl of Windows": (
        "train.jsonl",
        '\ufeff{"image": "a.png", "depth": "a_depth.png"}\r\n{"image": "b.png", "depth": "b_depth.png"}\r\n',
    ),
    "csv of Windows": ("train.csv", '\ufeff"IMAGE","Depth"\r\n"a.png","a_depth.png"\r\n\r\nb.png, b_depth.png\r\n'),
}


@pytest.mark.parametrize("kind", LISTS)
def test_lists(tmp_path, metres, kind):
    stored = np.round(metres * 1000).astype(np.uint16)
    for i, name in enumerate("ab"):
        save_pair(tmp_path, name, stored // (i + 1))
    file, text = LISTS[kind]
    (tmp_path / file).write_text(text, encoding="utf-8", newline="")
    source = Folder(tmp_path, "train", depth_unit="mm")
    assert len(source) == 2
    np.testing.assert_array_equal(source[1].depth, (stored // 2).astype(np.float32) / np.float32(1000))
    np.testing.assert_array_equal(source[-1].depth, source[1].depth)
    with pytest.raises(IndexError):
        source[2]


def test_hdf5_pairs_in_lists_and_trees(tmp_path, metres, rng):
    image = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
    for name in ("train/kitchen/2.h5", "train/kitchen/1.h5", "train/attic/1.h5"):
        write_hdf5(tmp_path / name, image, metres + len(name))
    tree = Folder(tmp_path, "train", depth_unit="m")
    assert [tree.row_name(i).split(" of ")[0] for i in range(3)] == [
        "Pair 'attic/1'",
        "Pair 'kitchen/1'",
        "Pair 'kitchen/2'",
    ]
    np.testing.assert_array_equal(tree[0].depth, metres + len("train/attic/1.h5"))
    np.testing.assert_array_equal(tree[0].image, image)
    for name, text in (
        ("b.csv", "train/attic/1.h5\n"),
        ("h.csv", "image\ntrain/attic/1.h5\n"),
        ("j.jsonl", '{"image": "train/attic/1.h5"}'),
    ):
        split = name.split(".")[0]
        (tmp_path / name).write_text(text)
        source = Folder(tmp_path, split, depth_unit="m")
        source.check_row(0)
        np.testing.assert_array_equal(source[0].depth, tree[0].depth)
        assert source.row_name(0) == f"Row {1 + (split == 'h')} of {name} (train/attic/1.h5)"


def test_trees_are_paired_by_place(tmp_path, metres):
    stored = np.round(metres * 1000).astype(np.uint16)
    for i, place in enumerate(("b/1", "a/x/1", "a/1", "1")):
        for kind in ("image", "depth"):
            (tmp_path / "train" / kind / place).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((40, 50, 3), i, np.uint8)).save(tmp_path / f"train/image/{place}.png")
        Image.fromarray(stored).save(tmp_path / f"train/depth/{place}.tiff")
    (tmp_path / "train/image/.thumbnails").mkdir()
    (tmp_path / "train/image/.thumbnails/1.png").write_bytes(b"")
    (tmp_path / "train/image/notes.txt").write_text("not a picture")
    source = Folder(tmp_path, "train", depth_unit="mm")
    assert [source.row_name(i).split("'")[1] for i in range(4)] == ["1", "a/1", "a/x/1", "b/1"]
    assert [int(source[i].image[0, 0, 0]) for i in range(4)] == [3, 2, 1, 0]
    (tmp_path / "train/depth/a/x/1.tiff").rename(tmp_path / "train/depth/a/2.tiff")
    with pytest.raises(ValueError, match=r"2 files .* have no partner, first 'a/2'"):
        Folder(tmp_path, "train", depth_unit="mm")


def test_links_are_followed_and_loops_are_not(tmp_path, metres):
    elsewhere = tmp_path / "elsewhere"
    save_pair(elsewhere, "a", np.round(metres * 1000).astype(np.uint16))
    data = tmp_path / "data"
    (data / "train").mkdir(parents=True)
    for kind, name in (("image", "a.png"), ("depth", "a_depth.png")):
        (elsewhere / kind).mkdir()
        (elsewhere / name).rename(elsewhere / kind / "a.png")
        (elsewhere / kind / "loop").symlink_to(elsewhere / kind)
        (data / "train" / kind).symlink_to(elsewhere / kind)
    source = Folder(data, "train", depth_unit="mm")
    assert [row.image.name for row in source.rows] == ["a.png"]
    assert source[0].depth.shape == (40, 50)
    (data / "link.png").symlink_to(elsewhere / "image/a.png")
    (data / "test.csv").write_text("link.png,train/depth/a.png")
    assert Folder(data, "test", depth_unit="mm")[0].image.shape == (40, 50, 3)


def test_links_among_folders_do_not_multiply(tmp_path, metres):
    """Twelve folders that each link to all others: as many paths without a loop as there are orders of twelve."""
    for kind in ("image", "depth"):
        for i in range(12):
            folder = tmp_path / "train" / kind / f"{i:02d}"
            folder.mkdir(parents=True)
            (folder / f"{i}.png").write_bytes(b"")
            for j in range(12):
                (folder / f"0{j:02d}").symlink_to(folder.parent / f"{j:02d}")
    source = Folder(tmp_path, "train", depth_unit="mm")
    assert [source.row_name(i).split("'")[1] for i in range(len(source))] == [f"{i:02d}/{i}" for i in range(12)]


BAD_LISTS = {
    "two": ({"train.csv": "a.png,b.png", "train.tsv": "a.png\tb.png"}, r"one list.*train\.csv, train\.tsv"),
    "wrong header": (
        {"train.csv": "rgb,depth_map\na.png,b.png"},
        r"Row 1 of train\.csv: expected a header.*rgb,depth_map",
    ),
    "header alone": ({"train.csv": "image,depth"}, r"split is empty.*train\.csv"),
    "header without depth": ({"train.csv": "image,mask\na.png,b.png"}, r"Row 2 of train\.csv: expected two columns"),
    "semicolons": (
        {"train.csv": "a.png;b.png"},
        r"Row 1 of train\.csv: expected two columns, image and depth, a comma between them.*a\.png;b\.png",
    ),
    "two depths": (
        {"train.csv": "image,depth,depth\na.png,b.png,c.png"},
        r"Row 1 of train\.csv: the header names .*twice",
    ),
    "empty cell": ({"train.csv": "\na.png,b.png\na.png,"}, r"Row 3 of train\.csv: expected two columns"),
    "endless cell": ({"train.csv": "a.png,b.png\n" + "x" * 200_000}, r"Row 2 or later of train\.csv: field larger"),
    "parent": ({"train.tsv": "a.png\tx/../../b.png"}, r"Row 1 of train\.tsv.*inside it.*x/\.\./\.\./b\.png"),
    "absolute in JSON": ({"train.jsonl": '{"image": "/a.png", "depth": "b.png"}'}, r"Row 1 of train\.jsonl.*'/a\.png'"),
    "no JSON": ({"train.jsonl": '\n{"image": "a.png"'}, r"Row 2 of train\.jsonl is not JSON"),
    "nested JSON": ({"train.jsonl": "[" * 100_000}, r"Row 1 of train\.jsonl is not JSON"),
    "no object": ({"train.jsonl": '["a.png", "b.png"]'}, r"Row 1 of train\.jsonl: expected"),
    "no text": ({"train.jsonl": '{"image": "a.png", "depth": 3}'}, r"Row 1 of train\.jsonl: expected.*\"depth\": 3"),
    "no depth": ({"train.jsonl": '{"image": "a.png"}'}, r"Row 1 of train\.jsonl: expected two columns"),
    "HDF5 and a picture": ({"train.csv": "a.h5,a.png"}, r"Row 1 of train\.csv: a HDF5 file holds image and depth"),
}


@pytest.mark.parametrize("kind", BAD_LISTS)
def test_broken_lists_are_refused_at_once(tmp_path, kind):
    files, message = BAD_LISTS[kind]
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        Folder(tmp_path, "train", depth_unit="mm")


def test_unit_from_arguments_or_the_folder_itself(tmp_path, metres):
    stored = np.round(metres * 5000).astype(np.uint16)
    (tmp_path / "train.csv").write_text(save_pair(tmp_path, "a", stored))
    with pytest.raises(ValueError, match="never guessed"):
        Folder(tmp_path, "train")
    with pytest.raises(ValueError, match="give one of them"):
        Folder(tmp_path, "train", depth_unit="mm", depth_scale=1000)
    expected = stored.astype(np.float32) / np.float32(5000)
    np.testing.assert_array_equal(Folder(tmp_path, "train", depth_scale=5000)[0].depth, expected)
    (tmp_path / "dataset.json").write_text(json.dumps({"name": "desks", "depth_scale": 5000, "max_depth": 8}))
    source = Folder(tmp_path, "train")
    assert (source.sidecar.name, source.sidecar.max_depth, source.units_per_metre) == ("desks", 8, 5000)
    np.testing.assert_array_equal(source[0].depth, expected)
    assert Folder(tmp_path, "train", depth_unit="mm").units_per_metre == 1000  # what is said aloud counts
    (tmp_path / "dataset.json").write_text('{"scale": 5000}')
    with pytest.raises(ValueError, match=r"dataset\.json.*key='scale'"):
        Folder(tmp_path, "train")


def test_content_key_changes_with_every_byte_and_the_unit(own_data):
    source = Folder(own_data, "train", depth_unit="mm")
    key = source.content_key(0)
    assert len(key) == 16
    assert key == Folder(own_data, "train", depth_scale=1000).content_key(0)
    assert len({source.content_key(i) for i in range(6)}) == 6
    assert key != Folder(own_data, "train", depth_unit="cm").content_key(0)
    depth = own_data / "train/0_depth.png"
    depth.write_bytes(depth.read_bytes() + b"x")
    assert key != source.content_key(0)
    depth.unlink()
    with pytest.raises(FileNotFoundError, match=r"Row 2 of train\.csv: no such file\. Received: 'train/0_depth\.png'"):
        source.content_key(0)


def test_file_replaced_by_a_shorter_one_after_the_check(own_data):
    source = Folder(own_data, "train", depth_unit="mm")
    source.check_row(2)
    depth = own_data / "train/2_depth.png"
    depth.write_bytes(depth.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"Row 4 of train\.csv: .*truncated.*2_depth\.png"):
        source[2]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse names that are not UTF-8")
def test_names_that_are_not_utf8(tmp_path, metres):
    name = os.fsdecode(b"caf\xe9")
    save_pair(tmp_path, name, np.round(metres * 1000).astype(np.uint16))
    for kind, file in (("image", f"{name}.png"), ("depth", f"{name}_depth.png")):
        (tmp_path / "train" / kind).mkdir(parents=True)
        (tmp_path / file).rename(tmp_path / f"train/{kind}/{name}.png")
    source = Folder(tmp_path, "train", depth_unit="mm")
    source.check_row(0)
    assert source[0].depth.shape == (40, 50)
    assert r"caf\udce9" in source.row_name(0)
    source.row_name(0).encode("utf-8")  # can be printed
    (tmp_path / f"train/depth/{name}.png").write_bytes(b"hello")
    for read in (source.__getitem__, source.check_row):
        with pytest.raises(ValueError, match="Not a picture") as caught:
            read(0)
        str(caught.value).encode("utf-8")
    (tmp_path / f"train/depth/{name}.png").rename(tmp_path / f"train/depth/{name}2.png")
    with pytest.raises(ValueError, match="no partner") as caught:
        Folder(tmp_path, "train", depth_unit="mm")
    str(caught.value).encode("utf-8")


@contextlib.contextmanager
def ordinary_user():
    """Root may read everything."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="permissions as on Unix")
def test_closed_files_and_folders_are_named(metres):
    folder = Path(tempfile.mkdtemp())  # the test's own folder is closed to other users
    try:
        (folder / "train.csv").write_text(save_pair(folder, "a", np.round(metres * 1000).astype(np.uint16)))
        folder.chmod(0o755)
        (folder / "a_depth.png").chmod(0)
        source = Folder(folder, "train", depth_unit="mm")
        with ordinary_user():
            for read in (source.__getitem__, source.check_row, source.content_key):
                with pytest.raises(ValueError, match=r"Row 1 of train\.csv.*Permission denied.*a_depth\.png"):
                    read(0)
        (folder / "train.csv").unlink()
        for kind in ("image", "depth"):
            (folder / "train" / kind).mkdir(parents=True)
        (folder / "train/depth").chmod(0)
        with ordinary_user(), pytest.raises(ValueError, match=r"cannot be read: Permission denied.*train/depth"):
            Folder(folder, "train", depth_unit="mm")
        (folder / "train").chmod(0)
        with ordinary_user(), pytest.raises(ValueError, match=r"cannot be read: Permission denied.*train'"):
            Folder(folder, "train", depth_unit="mm")
        (folder / "train").chmod(0o755)
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("name", "unit", "shape", "holes"), [("kitti", 256, (375, 1242), 0.8), ("nyu_raw", 1000, (480, 640), 0.2)]
)
def test_real_frames_with_holes(tmp_path, name, unit, shape, holes):
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"real frames are not at hand: {folder} (set DENSEDEPTH_TEST_DATA)")
    (tmp_path / "test").symlink_to(folder)
    source = Folder(tmp_path, "test", depth_scale=unit)
    for index in range(len(source)):
        source.check_row(index)
        image, depth = source[index]
        assert image.shape == (*shape, 3)
        stored = np.asarray(Image.open(source.rows[index].depth))
        np.testing.assert_array_equal(depth, stored.astype(np.float32) / np.float32(unit))
        assert holes / 2 < np.mean(depth == 0) < min(1, 2 * holes)
