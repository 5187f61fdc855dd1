"""DenseDepth's `nyu_test.zip`: NYU Depth v2's 654 test frames as NumPy arrays inside a zip."""

import hashlib
import io
import shutil
import tempfile
import weakref
import zipfile

import numpy as np

from densedepth_keras.data.archive import Archive, read_at
from densedepth_keras.data.pictures import check_pixels
from densedepth_keras.data.sample import Sample
from densedepth_keras.depth import MIN_IMAGE_SIDE

RGB, DEPTH = "eigen_test_rgb.npy", "eigen_test_depth.npy"

ARRAY_BYTES = 2**32
"""Most bytes of one array; 654 frames of 640x480 are 0.6 GB of colours and 0.8 GB of float32 depth."""

_HEADER_BYTES = 4096
_READER = "EigenFrames 1"
"""Part of every content key; another number where the same files come to be read as another sample."""


class EigenFrames:
    """The test frames of `nyu_test.zip`: `eigen_test_rgb.npy` (N, 480, 640, 3) uint8, `eigen_test_depth.npy` (N, 480,
    640) float metres. What is no positive number is a hole. (`eigen_test_crop.npy` is the crop of the protocol
    `densedepth`; it is not read.)

    Opening reads both arrays once and compares them with their CRC-32. Stored arrays are then read in place, a frame
    at a time. Deflated ones cannot be: they are inflated to a temporary file without a name (1.4 GB in TMPDIR for the
    654 frames), which is gone with the source or the process. Neither is ever in memory whole.

    Args:
        archive: of the zip file.
        split: `"test"`; there is no other in it.

    Raises:
        ValueError: arrays of other kinds or sizes, pickled ones among them, frames of more than
            `pictures.MAX_PIXELS`, a damaged archive, too little temporary space.
        FileNotFoundError: another split; one of the arrays is not in the archive.
    """

    def __init__(self, archive: Archive, split: str):
        self._archive = archive
        if split != "test":
            raise FileNotFoundError(
                f"The archive holds the test split alone. Received: split={split!r}: {archive.path}"
            )
        headers = _header(archive, RGB), _header(archive, DEPTH)
        _check_arrays(*headers, archive.path)
        self._images, self._depths = (_Frames(archive, *header) for header in headers)

    def __len__(self) -> int:
        return self._images.count

    def __getitem__(self, index: int) -> Sample:
        frame = range(len(self))[index]
        image, depth = self._images.read(frame), self._depths.read(frame)
        with np.errstate(over="ignore", invalid="ignore"):  # too large for float32 is infinite, a hole
            depth = depth.astype(np.float32)
        return Sample(image, np.where(np.isfinite(depth) & (depth > 0), depth, np.float32(0)))

    def row_name(self, index: int) -> str:
        return f"Frame {range(len(self))[index]} of {self._archive.path}"

    def check_row(self, index: int) -> None:
        """Nothing is left to find: opening has compared all of it with its checksums."""
        range(len(self))[index]

    def content_key(self, index: int) -> bytes:
        stated = [self._archive.fingerprint(name) for name in (RGB, DEPTH)]
        return hashlib.blake2b(f"{_READER} {range(len(self))[index]} {stated}".encode(), digest_size=16).digest()


class _Frames:
    """The frames of one array, by number, from any thread."""

    def __init__(self, archive, name, shape, dtype, header_bytes):
        self.count, *self._shape = shape
        self._dtype, self._archive, self._name = dtype, archive, name
        self._frame_bytes = dtype.itemsize * int(np.prod(self._shape))
        member, blocks = archive.member(name), archive.blocks(name, ARRAY_BYTES)
        if member.compress_type == zipfile.ZIP_STORED:
            for _ in blocks:
                pass  # for its checksum
            self._file, self._start = archive.file, archive.data_offset(member) + header_bytes
        else:
            self._file, self._start = _temporary_copy(blocks, member.file_size), header_bytes
            weakref.finalize(self, self._file.close)

    def read(self, frame):
        data = read_at(self._file, self._start + frame * self._frame_bytes, self._frame_bytes)
        in_place = self._file is self._archive.file
        if len(data) < self._frame_bytes or (in_place and not self._archive.unchanged()):
            raise ValueError(
                f"Frame {frame} of {self._name} cannot be read: the file was changed meanwhile. "
                f"Received: {self._archive.path}"
            )
        return np.frombuffer(data, self._dtype).reshape(self._shape)


def _header(archive, name):
    """Name, shape, dtype and length of the header of an array; nothing of it is unpickled."""
    start = io.BytesIO(archive.head(name, _HEADER_BYTES, ARRAY_BYTES))
    try:
        version = np.lib.format.read_magic(start)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, by_column, dtype = read(start)
    except Exception as error:  # NumPy raises ValueError, EOFError, SyntaxError and more on broken headers
        raise ValueError(f"{name} is not a NumPy array: {error}. Received: {archive.path}") from error
    stated = start.tell() + dtype.itemsize * int(np.prod(shape, dtype=object))
    if by_column or dtype.hasobject or stated != archive.member(name).file_size:
        raise ValueError(
            "An array must be plain numbers, row after row, and fill its file. Received: "
            f"shape={shape}, dtype={dtype}, fortran_order={by_column} in {archive.fingerprint(name)[0]:,} bytes: "
            f"{name} in {archive.path}"
        )
    return name, shape, dtype, start.tell()


def _check_arrays(rgb, depth, path):
    (_, images, image_type, _), (_, depths, depth_type, _) = rgb, depth
    fits = len(images) == 4 and images[-1] == 3 and images[:3] == depths
    if (
        not fits
        or image_type != np.uint8
        or depth_type.kind != "f"
        or not images[0]
        or min(depths[1:]) < MIN_IMAGE_SIDE
    ):
        raise ValueError(
            f"Expected {RGB} (N, H, W, 3) of uint8 and {DEPTH} (N, H, W) of floats, {MIN_IMAGE_SIDE} pixels or more a "
            f"side. Received: {image_type} {images}, {depth_type} {depths}: {path}"
        )
    check_pixels(depths[:0:-1], path)


def _temporary_copy(blocks, size):
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    if free < size:
        raise ValueError(
            f"{size:,} bytes of temporary space are needed: let TMPDIR name a folder that has them. "
            f"Received: {free:,} bytes free in {folder}"
        )
    file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 (open as long as its reader is)
    try:
        for block in blocks:
            file.write(block)
    except BaseException:
        file.close()
        raise
    return file
