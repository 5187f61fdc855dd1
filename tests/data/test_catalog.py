"""tensorflow-datasets' nyu_depth_v2: mocked, and prepared in miniature in both formats; TFRecord files alone."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from densedepth_keras.data import catalog
from densedepth_keras.data.catalog import NYUTfds
from densedepth_keras.data.sample import check_row, content_key, row_name
from densedepth_keras.data.tfrecord import TFRecords, masked_crc32c

tfds = pytest.importorskip("tensorflow_datasets")

FORMATS = ("array_record", "tfrecord")
TRAIN, TEST = 3, 2
VERSION = Path("nyu_depth_v2/0.0.1")
MARKS = [np.nan, np.inf, -np.inf, -1.0, 0.0]
"""The first five depths of every example, none of them a measurement."""


def example(number):
    """Image and depth of one example; the image's first value tells which: preparation shuffles."""
    rng = np.random.default_rng(number)
    image = np.repeat(rng.integers(0, 256, (480, 1, 3), dtype=np.uint8), 640, axis=1)
    image[0, 0] = number
    depth = np.repeat(rng.uniform(0.7, 9.9, (480, 1)), 640, axis=1).astype(np.float16)
    depth[0, :5] = MARKS
    return image, depth


def miniature(root, train=TRAIN):
    """A builder of the catalog's name, version and features."""
    with tfds.core.registered.skip_registration():

        class NyuDepthV2(tfds.core.GeneratorBasedBuilder):
            VERSION = tfds.core.Version("0.0.1")

            def _info(self):
                image = tfds.features.Image(shape=(480, 640, 3))
                depth = tfds.features.Tensor(shape=(480, 640), dtype=np.float16)
                return tfds.core.DatasetInfo(
                    builder=self, features=tfds.features.FeaturesDict({"image": image, "depth": depth})
                )

            def _split_generators(self, dl_manager):
                test = range(100, 100 + TEST)
                return {
                    "train": self._generate_examples(range(train)),
                    "validation": self._generate_examples(test),
                }

            def _generate_examples(self, numbers):
                for number in numbers:
                    image, depth = example(number)
                    yield str(number), {"image": image, "depth": depth}

    return NyuDepthV2(data_dir=root)


@pytest.fixture(scope="module", params=FORMATS)
def prepared(request, tmp_path_factory):
    root = tmp_path_factory.mktemp(request.param)
    miniature(root).download_and_prepare(file_format=request.param)
    return root


@pytest.fixture
def own_copy(prepared, tmp_path):
    """A copy to spoil."""
    shutil.copytree(prepared, tmp_path / "copy")
    return tmp_path / "copy"


def numbers_of(source):
    return [int(source[i].image[0, 0, 0]) for i in range(len(source))]


def test_examples_are_the_prepared_ones(prepared):
    for split in ("train", "test"):
        source = NYUTfds(split, data_dir=prepared)
        for index in (0, -1):
            image, depth = source[index]
            true_image, true_depth = example(int(image[0, 0, 0]))
            np.testing.assert_array_equal(image, true_image)
            assert depth.dtype == np.float32
            assert (depth[0, :5] == 0).all()
            np.testing.assert_array_equal(depth.ravel()[5:], true_depth.ravel()[5:].astype(np.float32))


def test_splits_are_disjoint_and_complete(prepared):
    train, validation, test = (NYUTfds(split, data_dir=prepared) for split in ("train", "validation", "test"))
    assert (len(train), len(validation), len(test)) == (TRAIN - 1, 1, TEST)
    assert sorted(numbers_of(train) + numbers_of(validation)) == list(range(TRAIN))
    assert sorted(numbers_of(test)) == [100, 101]
    for source in (train, validation, test):
        for index in (len(source), -len(source) - 1):
            with pytest.raises(IndexError):
                source[index]


def test_order_stays_and_threads_agree(prepared):
    source = NYUTfds("train", data_dir=prepared)
    with ThreadPoolExecutor(4) as threads:
        read = list(threads.map(lambda i: int(source[i % len(source)].image[0, 0, 0]), range(8 * len(source))))
    assert read == 8 * numbers_of(NYUTfds("train", data_dir=prepared))


def test_folder_of_the_version_is_enough(prepared):
    assert numbers_of(NYUTfds("test", data_dir=prepared / VERSION)) == numbers_of(NYUTfds("test", data_dir=prepared))


def test_rows_are_named_and_told_apart(prepared, monkeypatch):
    source = NYUTfds("validation", data_dir=prepared)
    assert row_name(source, 0) == f"Example {TRAIN - 1} of nyu_depth_v2's 'train' in {prepared / VERSION}"
    train = NYUTfds("train", data_dir=prepared)
    keys = [content_key(train, i) for i in range(len(train))] + [content_key(source, 0)]
    assert len(set(keys)) == TRAIN
    assert keys[0] == content_key(NYUTfds("train", data_dir=prepared), 0)
    monkeypatch.setattr(catalog, "_READER", b"NYUTfds of another year")
    assert content_key(train, 0) != keys[0]


@pytest.fixture
def room(monkeypatch):
    """A disk with 200 GB free."""
    monkeypatch.setattr(catalog.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 200e9}))


@pytest.mark.usefixtures("room")
def test_mocked_catalog_of_full_size():
    with tfds.testing.mock_data(num_examples=47_584):
        announced = []
        source = NYUTfds("train", download=True, announce=announced.append)
        validation = NYUTfds("validation", download=True)
        image, depth = source[40_000]
    assert (len(source), len(validation)) == (45_205, 2_379)
    assert (image.shape, image.dtype) == ((480, 640, 3), np.uint8)
    assert (depth.shape, depth.dtype) == ((480, 640), np.float32)
    assert "34 GB to download" in announced[0]
    assert "Research use" in announced[0]


def test_not_prepared_says_what_it_takes(tmp_path):
    message = r"not prepared in .*--download.* 34 GB to download, about 80 GB prepared.*Research use.*download=False"
    with pytest.raises(FileNotFoundError, match=message):
        NYUTfds("train", data_dir=tmp_path)
    (tmp_path / VERSION).mkdir(parents=True)  # preparation that broke off
    with pytest.raises(FileNotFoundError, match=message):
        NYUTfds("train", data_dir=tmp_path)
    with pytest.raises(ValueError, match="split='val'"):
        NYUTfds("val", data_dir=tmp_path)


@pytest.mark.usefixtures("room")
@pytest.mark.parametrize(("has_array_record", "file_format"), [(True, "array_record"), (False, "tfrecord")])
def test_download_announces_and_prepares(tmp_path, monkeypatch, has_array_record, file_format):
    monkeypatch.setattr(catalog, "_builder", lambda data_dir: miniature(data_dir, train=2))
    monkeypatch.setattr(catalog.importlib.util, "find_spec", lambda name: has_array_record or None)
    announced = []
    source = NYUTfds("train", data_dir=tmp_path, download=True, announce=announced.append)
    assert len(announced) == 1
    assert f"Into {tmp_path / VERSION}" in announced[0]
    assert f"as {file_format}" in announced[0]
    assert list((tmp_path / VERSION).glob(f"*-train.{file_format}-*"))
    assert len(source) == 1
    assert source[0].depth.max() > 0.7


def test_too_little_room_is_said_before_the_download(tmp_path, monkeypatch):
    monkeypatch.setattr(catalog, "_builder", miniature)
    needed = 2 * 34_276_493_134 + 80_000_000_000  # archive, unpacked archive, prepared copy
    usage = type("Usage", (), {"free": needed - 1})
    monkeypatch.setattr(catalog.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(ValueError, match=r"Too little room.* 149 GB or more.*--data-dir.*Received: 149 GB free in"):
        NYUTfds("train", data_dir=tmp_path, download=True)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "downloads").mkdir()
    (tmp_path / "downloads/a.tar.gz").write_bytes(b"1")  # a byte that is there need not find room
    assert len(NYUTfds("train", data_dir=tmp_path, download=True)) == TRAIN - 1


def test_unfinished_preparation_is_not_prepared_over(tmp_path):
    (tmp_path / VERSION).mkdir(parents=True)
    with pytest.raises(ValueError, match=r"unfinished preparation.*Received: .*0.0.1"):
        NYUTfds("train", data_dir=tmp_path, download=True)


def test_damaged_record_is_named(own_copy):
    (file,) = (own_copy / VERSION).glob("*-validation*")
    true = numbers_of(NYUTfds("test", data_dir=own_copy))
    file.write_bytes(_flipped(file.read_bytes(), 2000))  # in the first record's data, in both formats
    source = NYUTfds("test", data_dir=own_copy)
    for read in (source.__getitem__, source.content_key):
        with pytest.raises(ValueError, match=r"Example 0 of nyu_depth_v2's 'validation' in .* cannot be read"):
            read(0)
    check_row(source, 0)  # reads no record
    with pytest.raises(IndexError):
        check_row(source, TEST)
    assert source[1].image[0, 0, 0] == true[1]


def test_copy_that_is_broken_or_of_something_else(own_copy):
    info = own_copy / VERSION / "dataset_info.json"
    text = info.read_text()
    info.write_text(text.replace('"nyu_depth_v2"', '"mnist"'))
    with pytest.raises(ValueError, match=r"Expected a copy of nyu_depth_v2, not of 'mnist'.*data_dir="):
        NYUTfds("train", data_dir=own_copy / VERSION)
    info.write_text(text[:-20])
    for data_dir in (own_copy, own_copy / VERSION):
        with pytest.raises(ValueError, match=r"The prepared copy cannot be opened: .*data_dir="):
            NYUTfds("train", data_dir=data_dir)


def test_missing_shard_is_named(own_copy):
    (file,) = (own_copy / VERSION).glob("*-validation*")
    file.unlink()
    with pytest.raises((FileNotFoundError, ValueError), match="validation"):
        NYUTfds("test", data_dir=own_copy)[0]


def write_records(path, records):
    import tensorflow as tf

    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)


LENGTHS = (0, 1, 3, 4, 5, 8, 255, 256, 257, 511, 513, 5000, 100_003)
"""Around the number of bytes at which the checksum's lanes begin and double."""


def test_records_are_tensorflow_s(tmp_path, rng):
    records = [rng.bytes(length) for length in LENGTHS]
    write_records(tmp_path / "a", records[:4])
    write_records(tmp_path / "b", records[4:])
    read = TFRecords([tmp_path / "a", tmp_path / "b"], [4, len(records) - 4])
    assert [read[i] for i in range(len(read))] == records  # every checksum TensorFlow wrote has been compared
    assert read[-1] == records[-1]
    assert read.place(4) == (tmp_path / "b", 0)
    with pytest.raises(IndexError):
        read[len(records)]


def test_checksum_by_hand():
    # The check value of CRC-32C is 0xE3069283; masked: rotated right by 15 bits, plus 0xA282EAD8, modulo 2^32.
    crc = 0xE3069283
    assert masked_crc32c(b"123456789") == (((crc >> 15) | (crc << 17)) + 0xA282EAD8) % 2**32


@pytest.mark.parametrize("length", LENGTHS[1:])
def test_every_flipped_bit_changes_the_checksum(rng, length):
    data = bytearray(rng.bytes(length))
    before = masked_crc32c(bytes(data))
    for place in {0, length // 2, length - 1}:
        data[place] ^= 1 << int(rng.integers(8))
        assert masked_crc32c(bytes(data)) != before
        before = masked_crc32c(bytes(data))


def test_damaged_files_are_refused(tmp_path, rng):
    path = tmp_path / "records"
    write_records(path, [rng.bytes(1000) for _ in range(3)])
    whole = path.read_bytes()
    for stored in (
        whole[:-1],
        whole[:1016],
        whole[:5],
        whole + b"\0",
        b"\xff" * 40,
        _flipped(whole, 2),
        _flipped(whole, 9),
    ):
        path.write_bytes(stored)
        with pytest.raises(ValueError, match=r"truncated or damaged. Received: .*records|Expected 3 records"):
            TFRecords([path], [3])
    path.write_bytes(_flipped(whole, 1016 + 500))
    read = TFRecords([path], [3])
    assert read[0] == whole[12:1012]
    with pytest.raises(ValueError, match=r"Record 1 does not fit its checksum.*records"):
        read[1]
    with pytest.raises(FileNotFoundError):
        TFRecords([tmp_path / "none"], [3])


def _flipped(data, place):
    changed = bytearray(data)
    changed[place] ^= 1
    return bytes(changed)
