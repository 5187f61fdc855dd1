"""Own data: both layouts, every depth format, and what can be wrong with it."""

import numpy as np
import pytest
from PIL import Image

from densedepth_keras.data import load_dataset
from densedepth_keras.data.folder import Folder, metres_per_unit


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
    return good, row, "Row 2.*cannot be read"


KINDS = ["missing", "outside", "absolute", "size", "colour", "small", "truncated", "pickle", "one column", "no picture"]


@pytest.mark.parametrize("kind", KINDS)
def test_bad_row_is_named(tmp_path, metres, kind):
    good, bad, message = broken(tmp_path, metres, kind)
    (tmp_path / "train.csv").write_text(f"{good}\n{bad}\n")
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        Folder(tmp_path, "train", depth_unit="mm")[1]


@pytest.mark.parametrize("suffix", [".png", ".npy"])
def test_headers_of_every_row_are_checked_without_decoding(tmp_path, metres, suffix):
    good = save_pair(tmp_path, "good", np.round(metres * 1000).astype(np.uint16), suffix=suffix)
    other = save_pair(
        tmp_path, "bad", np.ones((40, 60), np.uint16), suffix=suffix, image=np.zeros((40, 50, 3), np.uint8)
    )
    (tmp_path / "train.csv").write_text(f"{good}\n{good}\n")
    Folder(tmp_path, "train", depth_unit="mm").check()
    (tmp_path / "train.csv").write_text(f"{good}\n{other}\n")
    with pytest.raises(ValueError, match=r"Row 2 of train\.csv \(bad\.png, bad_depth\..*50x40.*60x40"):
        Folder(tmp_path, "train", depth_unit="mm").check()


def test_image_that_exif_would_turn_is_refused_in_a_pair(tmp_path, metres):
    row = save_pair(tmp_path, "a", np.round(metres * 1000).astype(np.uint16))
    picture = Image.open(tmp_path / "a.png")
    exif = picture.getexif()
    exif[0x0112] = 3
    picture.save(tmp_path / "a.png", exif=exif)
    (tmp_path / "train.csv").write_text(row)
    with pytest.raises(ValueError, match=r"Row 1 of train\.csv.*stored turned.*a\.png"):
        Folder(tmp_path, "train", depth_unit="mm")[0]


def test_depth_in_a_lossy_format_is_refused(tmp_path, metres):
    save_pair(tmp_path, "a", np.round(metres * 25).astype(np.uint8), suffix=".jpg")
    (tmp_path / "train.csv").write_text("a.png,a_depth.jpg")
    with pytest.raises(ValueError, match=r"Row 1 of train\.csv.*lossy.*a_depth\.jpg"):
        Folder(tmp_path, "train", depth_unit="m")


def test_empty_missing_and_wrong(tmp_path):
    (tmp_path / "train.csv").write_text("image,depth\n")
    with pytest.raises(ValueError, match=r"split is empty.*train\.csv"):
        Folder(tmp_path, "train", depth_unit="mm")
    with pytest.raises(FileNotFoundError, match=r"No 'test' split: expected .*test\.csv"):
        Folder(tmp_path, "test", depth_unit="mm")
    with pytest.raises(FileNotFoundError, match="not a folder"):
        Folder(tmp_path / "nowhere", "train", depth_unit="mm")
    (tmp_path / "test.csv").write_bytes(b"\xff\xfe\x00bad")
    with pytest.raises(ValueError, match=r"test\.csv is not a CSV file in UTF-8"):
        Folder(tmp_path, "test", depth_unit="mm")


@pytest.mark.parametrize("unit", [None, "km", "0", "-1", "nan", "inf", 0.0, "1e50", "1e-50"])
def test_unit_is_never_guessed(unit):
    with pytest.raises(ValueError, match="`depth_unit` must say"):
        metres_per_unit(unit)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "nyu"}, "Expected one of: rooms, folder, nyu-labeled. Received: dataset='nyu'"),
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
