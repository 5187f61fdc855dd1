"""Samples kept in memory and on disk: equal to the bit, and never a reason to fail."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from densedepth_keras.data import cache
from densedepth_keras.data.cache import CachedInMemory, CachedOnDisk
from densedepth_keras.data.sample import Rows, Sample


class Counted:
    """Random pictures whose depth is a multiple of `1 / units` metres; counts how often each is read."""

    def __init__(self, count=3, size=(33, 40), units=1000.0):
        self.count, self.size, self.units, self.reads = count, size, units, []

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        self.reads.append(index)
        rng = np.random.default_rng(index)
        stored = rng.integers(0, 10_000, self.size).astype(np.float32)
        return Sample(rng.integers(0, 256, (*self.size, 3), dtype=np.uint8), stored / np.float32(self.units))

    def __repr__(self):
        return "Counted"

    def row_name(self, index):
        return f"Row {index} of a test"

    def check_row(self, index):
        raise ValueError(f"Row {index} was checked")

    def content_key(self, index):
        return b"%d of %d, %r" % (index, self.count, str(self.units).encode())


def assert_same(sample, expected):
    for part, wanted in zip(sample, expected, strict=True):
        assert part.dtype == wanted.dtype
        np.testing.assert_array_equal(part.view(np.uint8), np.ascontiguousarray(wanted).view(np.uint8))


def files_of(folder):
    return sorted(folder.rglob("*.sample"))


@pytest.mark.parametrize("wrap", [CachedInMemory, lambda source: CachedOnDisk(source, source.folder)])
def test_a_cache_is_the_source_it_stands_for(wrap, tmp_path):
    source = Counted()
    source.folder = tmp_path
    cached = wrap(source)
    assert len(cached) == 3
    for _ in range(2):
        assert_same(cached[1], Counted()[1])
        assert_same(cached[-1], Counted()[2])
    assert source.reads == [1, 2]
    assert cached.row_name(2) == "Row 2 of a test"
    assert cached.content_key(2) == source.content_key(2)
    with pytest.raises(ValueError, match="Row 2 was checked"):
        cached.check_row(2)
    with pytest.raises(IndexError):
        cached[3]


SAMPLE_BYTES = (3 + 4) * 33 * 40


@pytest.mark.parametrize(("most_bytes", "reads"), [(None, 3), (3 * SAMPLE_BYTES, 3), (3 * SAMPLE_BYTES - 1, 6), (0, 6)])
def test_memory_keeps_all_or_none(most_bytes, reads):
    source = Counted()
    cached = CachedInMemory(source, most_bytes)
    for index in (0, 1, 2, 0, 1, 2):
        assert_same(cached[index], Counted()[index])
    assert len(source.reads) == reads


def test_memory_stays_within_bounds_where_later_samples_are_larger():
    class Growing(Counted):
        def __getitem__(self, index):
            self.size = (33, 40 * (1 + index))
            return super().__getitem__(index)

    source = Growing()
    cached = CachedInMemory(source, 3 * SAMPLE_BYTES)
    for index in (0, 1, 2, 0, 1, 2):
        assert cached[index].depth.shape == (33, 40 * (1 + index))
    assert source.reads == [0, 1, 2, 2]  # one and two parts of three are kept


def test_memory_hands_out_what_nobody_can_change():
    sample = Sample(np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.float32))
    cached = CachedInMemory([sample])
    with pytest.raises(ValueError, match="read-only"):
        cached[0].depth[0, 0] = 1
    sample.depth[0, 0] = 1  # the source's own is left as it was


def depths():
    rng = np.random.default_rng(1)
    stored = rng.integers(0, 65536, (33, 40)).astype(np.float32)
    for units in cache.UNITS_PER_METRE:
        yield f"uint16 / {units:g}", stored / np.float32(units), 2
    yield "float16", rng.uniform(0, 10, (33, 40)).astype(np.float16).astype(np.float32), 2
    yield "float32", rng.uniform(0, 10, (33, 40)).astype(np.float32), 4
    yield "beyond 16 bits", np.full((33, 40), 65.537, np.float32), 4
    yield "huge", np.full((33, 40), 3e38, np.float32), 4
    yield "signed zero", np.full((33, 40), -0.0, np.float32), 2
    yield "no number", np.full((33, 40), np.nan, np.float32), 2
    yield "another size", rng.uniform(0, 10, (16, 20)).astype(np.float32), None
    yield "all holes", np.zeros((33, 40), np.float32), 2


@pytest.mark.parametrize(("depth", "bytes_per_pixel"), [pytest.param(d, b, id=n) for n, d, b in depths()])
def test_disk_gives_every_depth_back_to_the_bit(depth, bytes_per_pixel, tmp_path, rng):
    sample = Sample(rng.integers(0, 256, (33, 40, 3), dtype=np.uint8), depth)
    CachedOnDisk([sample], tmp_path)[0]
    source = Unreadable([sample])
    assert_same(CachedOnDisk(source, tmp_path)[0], sample)
    if bytes_per_pixel:
        assert files_of(tmp_path)[0].stat().st_size == 64 + (3 + bytes_per_pixel) * 33 * 40


class Unreadable(list):
    """Has keys and names of its samples, which cannot be read."""

    def __getitem__(self, index):
        raise AssertionError("the source was read")


def test_disk_is_read_by_a_later_run_and_views_are_kept_as_seen(tmp_path):
    whole = Counted()[0]
    sample = Sample(whole.image[:, ::-1, ::-1], whole.depth[:, ::-1])
    CachedOnDisk([sample], tmp_path)[0]
    assert_same(CachedOnDisk(Unreadable([sample]), tmp_path)[0], sample)


def test_disk_keeps_sources_apart_and_says_what_they_take(tmp_path):
    cached = CachedOnDisk(Counted(), tmp_path / "new" / "folder")
    assert cached.stored_bytes() == 0
    for source in (Counted(), Counted(units=256.0)):
        samples = [CachedOnDisk(source, cached.folder)[i] for i in range(3)]
        assert_same(samples[2], source[2])
    assert len(files_of(cached.folder)) == 6
    assert cached.stored_bytes() == 6 * (64 + 5 * 33 * 40)
    assert all(file.parent.name == file.name[:2] for file in files_of(cached.folder))


def damage(file, how):
    data = bytearray(file.read_bytes())
    if how == "short":
        data = data[:-1]
    elif how == "header alone":
        data = data[:64]
    elif how == "empty":
        data = b""
    elif how == "long":
        data += b"\0"
    elif how == "another sample's":
        data = next(other for other in files_of(file.parents[1]) if other != file).read_bytes()
    else:
        data[how] ^= 16
    file.write_bytes(data)


@pytest.mark.parametrize(
    "how", ["short", "header alone", "empty", "long", "another sample's", 3, 12, 25, 30, 42, 46, 50, 55, 61, 70, -1]
)
def test_damaged_files_are_read_anew_and_mended(how, tmp_path):
    source = Counted(count=2)
    cached = CachedOnDisk(source, tmp_path)
    cached[0], cached[1]
    good = {file: file.read_bytes() for file in files_of(tmp_path)}
    damage(files_of(tmp_path)[0], how)
    for _ in range(2):
        for index in (0, 1):
            assert_same(cached[index], Counted(count=2)[index])
    assert len(source.reads) == 3
    assert {file: file.read_bytes() for file in files_of(tmp_path)} == good


def test_foreign_files_stay_and_are_not_counted(tmp_path):
    foreign = [tmp_path / "notes.txt", tmp_path / "ab" / "partial-of-a-killed-run"]
    for file in foreign:
        file.parent.mkdir(exist_ok=True)
        file.write_text("mine")
    cached = CachedOnDisk(Counted(), tmp_path)
    cached[0]
    assert [file.read_text() for file in foreign] == ["mine", "mine"]
    assert cached.stored_bytes() == 64 + 5 * 33 * 40


def test_a_full_disk_is_warned_of_once_and_reading_goes_on(tmp_path, monkeypatch):
    def full(file, part):
        file.write(b"a part of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache, "_write_all", full)
    source = Counted()
    cached = CachedOnDisk(source, tmp_path)
    with pytest.warns(UserWarning, match=r"takes no more samples: .*No space left on device.* cache="):
        assert_same(cached[0], Counted()[0])
    for index in (1, 2, 0):  # a second warning would be an error
        assert_same(cached[index], Counted()[index])
    assert source.reads == [0, 1, 2, 0]
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"must be a folder: .*Received: cache='.*file'"):
        CachedOnDisk(Counted(), tmp_path / "file")


def test_a_source_that_nothing_tells_from_another_is_not_kept(tmp_path):
    class Nameless(list):
        __repr__ = object.__repr__

    with pytest.raises(ValueError, match=r"`content_key` or a `__repr__`.*Received: source=.*Nameless object at 0x"):
        CachedOnDisk(Nameless(), tmp_path)


class OwnKeys(list):
    __repr__ = object.__repr__

    def content_key(self, index):
        return b"own %d" % index


def test_keys_of_its_own_are_enough(tmp_path):
    sample = Counted()[0]
    for source in (OwnKeys([sample]), CachedInMemory(OwnKeys([sample])), Rows(OwnKeys([sample]), [0])):
        assert_same(CachedOnDisk(source, tmp_path)[0], sample)
    assert len(files_of(tmp_path)) == 1


def test_a_source_handed_on_by_another_must_tell_itself_as_well(tmp_path):
    class Nameless(list):
        __repr__ = object.__repr__

    for source in (Rows(Nameless([1]), [0]), CachedInMemory(Nameless([1]))):
        with pytest.raises(ValueError, match="Nameless object at 0x"):
            CachedOnDisk(source, tmp_path)


def test_a_sample_that_changed_while_it_was_read_is_not_kept(tmp_path):
    class Changing(Counted):
        def __getitem__(self, index):
            sample = super().__getitem__(index)
            self.units = 256.0  # its key follows
            return sample

    source = Changing()
    cached = CachedOnDisk(source, tmp_path)
    assert_same(cached[0], Counted()[0])
    assert files_of(tmp_path) == []
    assert_same(cached[0], Counted(units=256.0)[0])
    assert len(files_of(tmp_path)) == 1


def test_a_row_without_a_key_says_itself_what_is_wrong(tmp_path):
    class Missing(Counted):
        def content_key(self, index):
            raise FileNotFoundError("unnamed")

        def __getitem__(self, index):
            raise FileNotFoundError(f"Row {index}: no such file")

    with pytest.raises(FileNotFoundError, match="Row 1: no such file"):
        CachedOnDisk(Missing(), tmp_path)[1]


def test_threads_share_a_cache(tmp_path):
    for cached in (CachedInMemory(Counted(8)), CachedOnDisk(Counted(8), tmp_path)):
        with ThreadPoolExecutor(8) as threads:
            for index, sample in zip(
                list(range(8)) * 8, threads.map(cached.__getitem__, list(range(8)) * 8), strict=True
            ):
                assert_same(sample, Counted(8)[index])


FILL = """
import sys
sys.path[:0] = sys.argv[1:3]
from test_cache import CachedOnDisk, Counted
for _ in range(20):
    cached = CachedOnDisk(Counted(20), sys.argv[3])
    for index in range(20):
        cached[index]
    print("filled", flush=True)
"""


def test_two_processes_fill_one_folder_and_one_is_killed(tmp_path, request):
    here = request.path.parent
    command = [sys.executable, "-c", FILL, str(here), str(here.parents[1]), str(tmp_path)]
    first, second = (subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2))
    assert first.stdout.readline() == "filled\n"
    first.kill()
    assert second.communicate()[0].count("filled") == 20
    assert second.returncode == 0
    first.communicate()
    source = Counted(20)
    cached = CachedOnDisk(source, tmp_path)
    for index in range(20):
        assert_same(cached[index], Counted(20)[index])
    assert source.reads == []
