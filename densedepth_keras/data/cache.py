"""Sources that keep what they have read: in memory, or as files on disk."""

import hashlib
import os
import re
import struct
import threading
import uuid
import warnings
import zlib
from pathlib import Path

import numpy as np

from densedepth_keras.data.sample import Sample, Source, check_row, content_key, row_name

UNITS_PER_METRE = (1000.0, 256.0, 100.0, 5000.0, 25.5, 1.0)
"""Stored units per metre that depth files use: millimetres, KITTI, centimetres, TUM, 255 for 10 m, metres."""

_MAGIC = b"DDsample"
# magic, key, height and width of image and depth, kind of depth, its units per metre, CRC-32 of all else
_HEADER = struct.Struct("<8s16s4I4sd8xI")
_HEADER_CHECKED = _HEADER.size - 4
_DEPTH_KINDS = {b"<u2": np.dtype("<u2"), b"<f2": np.dtype("<f2"), b"<f4": np.dtype("<f4")}
_FILE_NAME = re.compile(r"[0-9a-f]{32}\.sample")


class _Cached:
    """What both caches hand on to the source that they stand in front of."""

    def __init__(self, source: Source):
        self.source = source

    def __len__(self) -> int:
        return len(self.source)

    def row_name(self, index: int) -> str:
        return row_name(self.source, index)

    def check_row(self, index: int) -> None:
        check_row(self.source, index)

    def content_key(self, index: int) -> bytes:
        return content_key(self.source, index)


class CachedInMemory(_Cached):
    """A source whose samples are kept once they have been read, all of them or none.

    Whether all fit is told from the first one read. Where later ones are larger than that one, keeping stops at
    `most_bytes`. The arrays handed out are read-only, because every reader gets the same ones.

    Args:
        source: any source.
        most_bytes: of images and depths together; `None` keeps everything.
    """

    def __init__(self, source: Source, most_bytes: float | None = None):
        super().__init__(source)
        self.most_bytes = float("inf") if most_bytes is None else most_bytes
        self._kept: dict[int, Sample] = {}
        self._bytes_left: float | None = None
        self._lock = threading.Lock()

    def __getitem__(self, index: int) -> Sample:
        index = range(len(self))[index]
        sample = self._kept.get(index)
        return self._read(index) if sample is None else sample

    def _read(self, index):
        sample = self.source[index]
        size = sum(part.nbytes for part in sample)
        with self._lock:
            if self._bytes_left is None:
                self._bytes_left = self.most_bytes if size * len(self) <= self.most_bytes else 0
            if index in self._kept or size > self._bytes_left:
                return sample
            self._bytes_left -= size
            self._kept[index] = Sample(*map(_read_only, sample))
            return self._kept[index]

    def __repr__(self):
        return f"{self.source!r}, kept in memory"


def _read_only(array):
    array = array.view()  # the source's own array stays as it is
    array.flags.writeable = False
    return array


class CachedOnDisk(_Cached):
    """A source whose samples are written to a folder once they have been read, as they came: decoded, at full size.

    A sample's file is named after the source's `content_key`, `ab/ab34....sample`, so several data sets and several
    processes can share a folder. The key must therefore say everything that the sample depends on: the bytes stored,
    and how they are read (the unit, whether holes are filled).

    The image takes 3 bytes per pixel; the depth takes 2 where it is a multiple of one of `UNITS_PER_METRE` or was
    stored in 16-bit floats, else 4: 1.5 MB or 2.1 MB per pair of 640x480. It comes back to the bit. Files are written
    beside their place and renamed, and carry a CRC-32: one that is short, damaged or of another kind is read as if it
    were not there, and written anew. Nothing is ever deleted. Where nothing more can be written (disk full), a warning
    says so once, and reading goes on.

    Args:
        source: any source.
        folder: made where it is not there.

    Raises:
        ValueError: the folder cannot be made; nothing tells the source's samples from those of another.
    """

    def __init__(self, source: Source, folder: str | os.PathLike):
        super().__init__(source)
        if not _tells_itself(source):
            raise ValueError(
                "A source to be kept on disk must say what it holds, by a `content_key` or a `__repr__` of its own. "
                f"Received: source={source!r}"
            )
        self.folder = Path(folder)
        self._writes = True
        self._lock = threading.Lock()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except (OSError, ValueError) as error:  # ValueError: a name that no folder can have
            raise ValueError(f"The cache must be a folder: {error}. Received: cache={str(folder)!r}") from error

    def __getitem__(self, index: int) -> Sample:
        index = range(len(self))[index]
        key = self._key(index)
        if key is None:
            return self.source[index]  # which says what is wrong with the row
        path = self.folder / key.hex()[:2] / f"{key.hex()}.sample"
        sample = _read_sample(path, key)
        if sample is None:
            sample = self.source[index]
            if self._writes and self._key(index) == key:  # else the files were changed while they were read
                self._write(path, key, sample)
        return sample

    def _key(self, index):
        try:
            return hashlib.blake2b(_MAGIC + content_key(self.source, index), digest_size=16).digest()
        except (OSError, ValueError):
            return None

    def stored_bytes(self) -> int:
        """What the samples in the folder take on disk, those of other sources included."""
        return sum(
            file.stat().st_size for file in self.folder.glob("[0-9a-f][0-9a-f]/*") if _FILE_NAME.fullmatch(file.name)
        )

    def _write(self, path, key, sample):
        try:
            _write_sample(path, key, sample)
        except OSError as error:
            with self._lock:
                first, self._writes = self._writes, False
            if first:
                warnings.warn(f"The cache takes no more samples: {error}. Received: cache={self.folder}", stacklevel=3)

    def __repr__(self):
        return f"{self.source!r}, kept in {str(self.folder)!r}"


def _tells_itself(source):
    """Whether its keys are its own, and not those of a `repr` that is an address in memory, which the next run may
    give to something else."""
    if not hasattr(source, "content_key"):
        return " at 0x" not in repr(source)
    inner = getattr(source, "source", None)  # sources that stand before another hand its keys on
    return not hasattr(inner, "__getitem__") or _tells_itself(inner)


def _read_sample(path, key) -> Sample | None:
    """None where there is no whole sample of that key."""
    try:
        with open(path, "rb", buffering=0) as file:
            header = file.read(_HEADER.size)
            if len(header) != _HEADER.size:
                return None
            magic, stored_key, *sizes, kind, units, checksum = _HEADER.unpack(header)
            dtype = _DEPTH_KINDS.get(kind.rstrip(b"\0"))
            if magic != _MAGIC or stored_key != key or dtype is None:
                return None
            pixels, depth_pixels = sizes[0] * sizes[1], sizes[2] * sizes[3]
            expected = _HEADER.size + 3 * pixels + dtype.itemsize * depth_pixels
            if os.fstat(file.fileno()).st_size != expected:  # looked at before a damaged header asks for memory
                return None
            image, stored = np.empty((*sizes[:2], 3), np.uint8), np.empty(sizes[2:], dtype)
            whole = file.readinto(stored) == stored.nbytes and file.readinto(image) == image.nbytes
    except OSError:
        return None
    if not whole or _checksum(header, stored, image) != checksum:
        return None
    depth = stored.astype(np.float32, copy=False)
    return Sample(image, depth if units == 1 else depth / np.float32(units))


def _write_sample(path, key, sample):
    image, (stored, units) = np.ascontiguousarray(sample.image), _packed(sample.depth)
    fields = _MAGIC, key, *image.shape[:2], *stored.shape, stored.dtype.str.encode(), units
    checksum = _checksum(_HEADER.pack(*fields, 0), stored, image)
    path.parent.mkdir(exist_ok=True)
    side = path.with_name(f"partial-{uuid.uuid4().hex}")  # two processes may write the same sample
    try:
        with open(side, "xb", buffering=0) as file:
            for part in (_HEADER.pack(*fields, checksum), stored, image):
                _write_all(file, part)
        os.replace(side, path)
    finally:
        side.unlink(missing_ok=True)


def _write_all(file, part):
    view = memoryview(part).cast("B")
    while view:  # a disk that is nearly full takes a part, and refuses the rest
        view = view[file.write(view) :]


def _checksum(header, stored, image):
    return zlib.crc32(image, zlib.crc32(stored, zlib.crc32(header[:_HEADER_CHECKED])))


def _packed(depth):
    """The depth in the fewest bytes that give it back to the bit, and how many of those units are a metre."""
    depth = np.ascontiguousarray(depth, "<f4")
    with np.errstate(over="ignore", invalid="ignore"):  # what does not fit is compared, and refused
        for units in UNITS_PER_METRE:
            stored = np.rint(depth * np.float32(units)).astype("<u2")
            if _same_bits(stored.astype(np.float32) / np.float32(units), depth):
                return stored, units
        half = depth.astype("<f2")
    return (half if _same_bits(half.astype(np.float32), depth) else depth), 1.0


def _same_bits(one, other):
    return np.array_equal(one.view(np.uint32), other.view(np.uint32))
