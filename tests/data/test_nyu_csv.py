"""DenseDepth's nyu_data.zip and its tree, written here in the real layout; real frames where they are at hand."""

import io
import os
import pickle
import shutil
import struct
import subprocess
import sys
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from densedepth_keras.data import load_dataset, nyu_csv
from densedepth_keras.data.nyu_csv import NYUCsv

SIZE = (48, 64)
SCENES = ("bedroom_0010_out", "kitchen_0029a_out", "kitchen_0029b_out", "office_0004_out")


def encoded(array, kind, **options):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, kind, **options)
    return buffer.getvalue()


def archive_files(rows=5, scenes=SCENES, seed=0):
    """Files of the archive by name, and what was stored: `rows` training pairs a scene, three test pairs."""
    rng = np.random.default_rng(seed)
    files, stored, lists = {}, {}, {"train": [], "test": []}
    names = [
        (f"data/nyu2_train/{scene}/{n}.jpg", f"data/nyu2_train/{scene}/{n}.png")
        for scene in scenes
        for n in range(rows)
    ]
    tests = [(f"data/nyu2_test/{n:05d}_colors.png", f"data/nyu2_test/{n:05d}_depth.png") for n in range(3)]
    for split, pairs in (("train", names), ("test", tests)):
        dtype, largest = (np.uint8, 256) if split == "train" else (np.uint16, 10_000)
        for image, depth in pairs:
            stored[image] = rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8)
            stored[depth] = rng.integers(0, largest, SIZE).astype(dtype)
            files[image] = encoded(stored[image], "JPEG" if split == "train" else "PNG")
            files[depth] = encoded(stored[depth], "PNG")
            lists[split].append(f"{image},{depth}")
        files[f"data/nyu2_{split}.csv"] = ("\n".join(lists[split]) + "\n").encode()
    return files, stored


def write(path, files, packed=True):
    """A zip at `path`, or the same tree unpacked."""
    if packed:
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        return path
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    files, stored = archive_files()
    folder = tmp_path_factory.mktemp("nyu")
    return write(folder / "nyu_data.zip", files), write(folder / "tree", files, packed=False), files, stored


def names_of(source, index):
    image, depth = source.row_name(index).split("(")[1].rstrip(")").split(", ")
    return image, depth


@pytest.mark.parametrize("split", ["train", "validation", "test"])
@pytest.mark.parametrize("packed", [True, False], ids=["packed", "unpacked"])
def test_samples_are_the_stored_ones(published, split, packed):
    archive, tree, files, stored = published
    source = NYUCsv(archive if packed else tree, split)
    for index in range(len(source)):
        source.check_row(index)
        image, depth = names_of(source, index)
        sample = source[index]
        np.testing.assert_array_equal(sample.image, np.asarray(Image.open(io.BytesIO(files[image]))))
        # 255 stands for 10 m in training, 1000 for 1 m in the test; both divisors are exact in float32
        divisor = np.float32(1000 if split == "test" else 25.5)
        np.testing.assert_array_equal(sample.depth, stored[depth].astype(np.float32) / divisor)
        assert (sample.image.dtype, sample.depth.dtype) == (np.uint8, np.float32)


def test_ends_of_the_training_depth(tmp_path):
    files, _ = archive_files(1, SCENES[:1])
    files["data/nyu2_train/bedroom_0010_out/0.png"] = encoded(np.tile(np.uint8([0, 1, 51, 255]), (48, 16)), "PNG")
    depth = NYUCsv(write(tmp_path / "a.zip", files), "train")[0].depth
    assert depth[0, :4].tolist() == [0, np.float32(10 / 255), 2, 10]


def test_packed_and_unpacked_rows_have_one_content_key(published):
    archive, tree, *_ = published
    packed, unpacked = NYUCsv(archive, "train"), NYUCsv(tree, "train")
    keys = [packed.content_key(i) for i in range(len(packed))]
    assert keys == [unpacked.content_key(i) for i in range(len(unpacked))]
    assert len(set(keys)) == len(packed)
    assert {len(key) for key in keys} == {16}


def test_content_key_follows_the_reader(published, monkeypatch):
    source = NYUCsv(published[0], "test")
    key = source.content_key(0)
    monkeypatch.setattr(nyu_csv, "_READER", "NYUCsv of another year")
    assert source.content_key(0) != key


def test_index_is_that_of_a_list(published):
    source = NYUCsv(published[0], "test")
    np.testing.assert_array_equal(source[-1].depth, source[2].depth)
    np.testing.assert_array_equal(source[np.int64(1)].depth, source[1].depth)
    for access in (source.__getitem__, source.row_name, source.check_row, source.content_key):
        for index in (3, -4):
            with pytest.raises(IndexError):
                access(index)


@pytest.mark.parametrize("layout", ["zip", "folder of the zip", "folder of data", "data", "renamed data", "top folder"])
def test_everything_that_holds_the_list_opens(published, tmp_path, layout):
    archive, tree, files, _ = published
    path = {"zip": archive, "folder of the zip": archive.parent, "folder of data": tree, "data": tree / "data"}.get(
        layout
    )
    if layout == "renamed data":
        path = shutil.copytree(tree / "data", tmp_path / "nyu")
    if layout == "top folder":
        path = write(tmp_path / "other.zip", {f"nyu_data/{name}": data for name, data in files.items()})
    expected = NYUCsv(archive, "test")[1]
    np.testing.assert_array_equal(NYUCsv(path, "test")[1].depth, expected.depth)


def test_splits_share_one_directory_until_the_file_changes(tmp_path):
    files, _ = archive_files()
    path = write(tmp_path / "a.zip", files)
    train, validation = NYUCsv(path, "train"), NYUCsv(path, "validation")
    assert train._pairs._files is validation._pairs._files
    os.utime(path, ns=(0, 0))
    assert NYUCsv(path, "train")._pairs._files is not train._pairs._files


def test_threads_and_a_pickled_source_read_the_same(published):
    source = NYUCsv(published[0], "train")
    expected = [source[i].depth for i in range(len(source))]
    again = pickle.loads(pickle.dumps(source))
    with ThreadPoolExecutor(8) as threads:
        for index, sample in zip(
            list(range(len(source))) * 8, threads.map(again.__getitem__, list(range(len(source))) * 8), strict=True
        ):
            np.testing.assert_array_equal(sample.depth, expected[index])


@pytest.mark.parametrize(
    "change",
    [
        lambda text: b"\xef\xbb\xbf" + text,
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: b"\n\n" + text.replace(b"\n", b"\n\n  \n") + b"\n",
        lambda text: b'"' + text.strip().replace(b",", b'","').replace(b"\n", b'"\n"') + b'"',
        lambda text: text.replace(b",", b" , "),
        lambda text: b"image,depth\n" + text,
    ],
    ids=["BOM", "CRLF", "empty lines", "quotes", "blanks", "header"],
)
def test_list_as_other_programs_write_it(published, tmp_path, change):
    archive, _, files, _ = published
    changed = {**files, "data/nyu2_test.csv": change(files["data/nyu2_test.csv"])}
    source, expected = NYUCsv(write(tmp_path / "a.zip", changed), "test"), NYUCsv(archive, "test")
    assert [names_of(source, i) for i in range(len(source))] == [names_of(expected, i) for i in range(3)]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("data/a.jpg", "two columns, image,depth. Received: 'data/a.jpg'"),
        ("a,b,c", "two columns, image,depth. Received: 'a,b,c'"),
        ("a,", "two columns"),
        ("/etc/passwd,b", "stay inside the archive. Received: '/etc/passwd'"),
        ("a,data/../../b", r"stay inside the archive. Received: 'data/\.\./\.\./b'"),
        (r"a,..\b", "with slashes"),
        ("C:/a,b", "must be relative"),
        ("a\0,b", "must be relative"),
        ("data/nyu2_test/00000_colors.png,data/nyu2_test/00001_depth.png", "must be of one frame.*00001_depth"),
    ],
)
@pytest.mark.parametrize("packed", [True, False], ids=["packed", "unpacked"])
def test_bad_line_is_named(published, tmp_path, row, message, packed):
    files = {**published[2], "data/nyu2_test.csv": published[2]["data/nyu2_test.csv"] + row.encode()}
    path = write(tmp_path / "nyu", files, packed)
    with pytest.raises(ValueError, match=r"Row 4 of data/nyu2_test\.csv in .*nyu: .*" + message):
        NYUCsv(path, "test")


@pytest.mark.parametrize("text", [b"\xff\xfe\0bad", b'"' + b"a" * 200_000])
def test_list_that_is_none(published, tmp_path, text):
    path = write(tmp_path / "a.zip", {**published[2], "data/nyu2_test.csv": text})
    with pytest.raises(ValueError, match=r"nyu2_test\.csv is not a CSV file in UTF-8.*a\.zip"):
        NYUCsv(path, "test")


def test_empty_split(published, tmp_path):
    path = write(tmp_path / "a.zip", {**published[2], "data/nyu2_test.csv": b"\n\n"})
    with pytest.raises(ValueError, match=r"split is empty: 0 rows in data/nyu2_test\.csv.*split='test'"):
        NYUCsv(path, "test")


def bad_pictures():
    """Kind -> the files to put in place of the first test pair, and what the message says."""
    image = np.random.default_rng(5).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    depth = np.full(SIZE, 900, np.uint16)
    good = encoded(depth, "PNG")
    turned = Image.Exif()
    turned[0x0112] = 3

    def claims(side):
        """A PNG whose header says that it is so large."""
        header = b"IHDR" + struct.pack(">2I", side, side) + good[24:29]
        return good[:12] + header + zlib.crc32(header).to_bytes(4, "big") + good[33:]

    return {
        "missing": (None, None, "no such member|No such file"),
        "8-bit test depth": (None, encoded(np.zeros(SIZE, np.uint8), "PNG"), "depth of 16 bits here.*Received: 8 bits"),
        "colour-rendered": (None, encoded(image, "PNG"), "no longer holds metres.*colour type 2"),
        "JPEG as depth": (None, encoded(np.zeros(SIZE, np.uint8), "JPEG"), "Expected a PNG as depth"),
        "other size": (None, encoded(np.zeros((40, 60), np.uint16), "PNG"), "image of 64x48, depth of 60x40"),
        "too small": (encoded(image[:31], "PNG"), encoded(depth[:31], "PNG"), "at least 32 pixels. Received: 64x31"),
        "no picture": (b"hello", None, "Not a picture in JPEG or PNG"),
        "huge depth": (None, claims(30_000), "67108864 pixels.*Received: 30000x30000"),
        "large image": (claims(9000), None, "67108864 pixels.*Received: 9000x9000"),
        "huge image": (claims(30_000), None, "67108864 pixels"),
        "truncated depth": (None, good[:-20], "cannot be decoded: truncated"),
        "truncated image": (encoded(image, "JPEG")[:-200], None, "cannot be decoded"),
        "truncated PNG": (encoded(image, "PNG")[:-20], None, "cannot be decoded"),
        "turned PNG": (encoded(image, "PNG", exif=turned), None, "stored upright"),
        "turned image": (encoded(image, "JPEG", exif=turned), None, "stored upright"),
        "no pixels": (None, good[: good.index(b"IDAT") - 4] + good[-12:], "cannot be decoded"),
    }  # fmt: skip


SEEN_BY_DECODING = {
    "packed": {
        "truncated depth",
        "truncated PNG",
        "truncated image",
        "no pixels",
    },  # truncated before they were packed, that is
    "unpacked": {"no pixels"},
}


@pytest.mark.parametrize("kind", bad_pictures())
@pytest.mark.parametrize("packed", [True, False], ids=["packed", "unpacked"])
def test_bad_pair_is_named(published, tmp_path, kind, packed):
    image, depth, message = bad_pictures()[kind]
    files = dict(published[2])
    names = "data/nyu2_test/00000_colors.png", "data/nyu2_test/00000_depth.png"
    files.update({name: data for name, data in zip(names, (image, depth), strict=True) if data is not None})
    if kind == "missing":
        del files[names[1]]
    source = NYUCsv(write(tmp_path / "nyu", files, packed), "test")
    message = rf"Row 1 of data/nyu2_test\.csv in .*nyu \({names[0]}, {names[1]}\): .*({message})"
    error = FileNotFoundError if kind == "missing" else ValueError
    with pytest.raises(error, match=message):
        source[0]
    if kind not in SEEN_BY_DECODING["packed" if packed else "unpacked"]:
        with pytest.raises(error, match=message):
            source.check_row(0)
    source.check_row(1)


def test_16_bit_training_depth_is_refused(published, tmp_path):
    files, _ = archive_files(1, SCENES[:1])
    files["data/nyu2_train/bedroom_0010_out/0.png"] = encoded(np.full(SIZE, 900, np.uint16), "PNG")
    source = NYUCsv(write(tmp_path / "a.zip", files), "train")
    for read in (source.check_row, source.__getitem__):
        with pytest.raises(ValueError, match=r"Row 1 .*depth of 8 bits here.*'folder'.*Received: 16 bits"):
            read(0)


def test_a_jpeg_s_size_behind_much_else_is_found(published, tmp_path):
    files = dict(published[2])
    name = "data/nyu2_test/00000_colors.png"
    files[name] = encoded(np.zeros((*SIZE, 3), np.uint8), "JPEG", comment=b"x" * 60_000)
    source = NYUCsv(write(tmp_path / "a.zip", files), "test")
    source.check_row(0)
    files[name] = encoded(np.zeros((50, 70, 3), np.uint8), "JPEG", comment=b"x" * 60_000)
    with pytest.raises(ValueError, match="image of 70x50, depth of 64x48"):
        NYUCsv(write(tmp_path / "b.zip", files), "test").check_row(0)


@pytest.mark.parametrize("packed", [True, False], ids=["packed", "unpacked"])
def test_a_flipped_bit_never_alters_depth_silently(published, tmp_path, packed):
    """Zip and PNG both carry checksums: 200 flips in depth maps are said, or change no pixel."""
    rng = np.random.default_rng(3)
    name, files = "data/nyu2_test/00000_depth.png", published[2]
    expected = NYUCsv(published[0], "test")[0].depth
    said = 0
    for i in range(200):
        path = write(tmp_path / f"{i}", files if packed or i == 0 else {}, packed)
        target = path if packed else tmp_path / "0" / name
        data = bytearray(path.read_bytes() if packed else files[name])
        start = data.index(files[name]) if packed else 0
        data[start + rng.integers(len(files[name]))] ^= 1 << rng.integers(8)
        target.write_bytes(data)
        try:
            np.testing.assert_array_equal(NYUCsv(path if packed else tmp_path / "0", "test")[0].depth, expected)
        except ValueError as error:
            said += "Row 1 of data/nyu2_test.csv" in str(error)
    assert said == 200  # every byte of a PNG is under a checksum but the chunks' lengths, which lead astray


def test_wrong_and_missing_archives(published, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"download it \(4\.1 GB.*https://.*/nyu_data\.zip.*nyu_test\.zip"):
        NYUCsv(tmp_path, "train")
    wrong = write(tmp_path / "photos.zip", {"holiday.jpg": b"", "b.jpg": b""})
    with pytest.raises(ValueError, match=r"Expected data/nyu2_train\.csv, as in https.*holds 'holiday\.jpg', 'b\.jpg'"):
        NYUCsv(wrong, "train")
    lists = {name: data for name, data in published[2].items() if "train" not in name}
    with pytest.raises(FileNotFoundError, match=r"Expected data/nyu2_train\.csv.*which holds another list"):
        NYUCsv(write(tmp_path / "tree", lists, packed=False), "train")
    with pytest.raises(FileNotFoundError, match=r"Expected data/nyu2_train\.csv.*split='validation'"):
        NYUCsv(write(tmp_path / "test.zip", lists), "validation")
    with pytest.raises(ValueError, match="split='val'"):
        NYUCsv(published[0], "val")


def test_file_replaced_by_a_shorter_one_while_read(tmp_path):
    files, _ = archive_files()
    path = write(tmp_path / "a.zip", files)
    source = NYUCsv(path, "train")
    os.truncate(path, 100)
    with pytest.raises(ValueError, match=r"Row \d+ of data/nyu2_train\.csv.*changed meanwhile"):
        source[3]
    tree = write(tmp_path / "tree", files, packed=False)
    source = NYUCsv(tree, "test")
    os.truncate(tree / "data/nyu2_test/00001_depth.png", 60)
    with pytest.raises(ValueError, match=r"Row 2 of data/nyu2_test\.csv.*cannot be decoded: truncated"):
        source[1]


def test_real_frames_are_the_folder_s(nyu_folder, tmp_path):
    """The packer of the real layout writes 8 frames a split: the test's must read as in the folder."""
    packer, path = nyu_folder.parent / "tools" / "pack_nyu.py", tmp_path / "nyu_data.zip"
    subprocess.run([sys.executable, packer, "csv", path, "--limit", "8"], check=True, timeout=120)
    folder, source = load_dataset("folder", "test", data_dir=nyu_folder, depth_unit="mm"), NYUCsv(path, "test")
    for index in range(8):
        np.testing.assert_array_equal(source[index].image, folder[index].image)
        np.testing.assert_array_equal(source[index].depth, folder[index].depth)
    assert (len(NYUCsv(path, "train")), len(NYUCsv(path, "validation"))) == (7, 1)
    coarse, fine = (
        NYUCsv(path, "train")[0].depth,
        load_dataset("folder", "train", data_dir=nyu_folder, depth_unit="mm")[0].depth,
    )
    # 8 bits over 10 m: half a step of 10 / 255 m, and float32's rounding
    assert np.abs(coarse - fine).max() <= 5 / 255 + 1e-5
