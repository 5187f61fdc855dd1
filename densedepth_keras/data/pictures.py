"""Pictures opened with care: kind, size and wholeness are looked at before a pixel is decoded."""

import contextlib
import functools
import io
import os
import stat
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image, UnidentifiedImageError

MAX_PIXELS = 2**26
"""A picture or depth map of more pixels (8192x8192) is refused before it is decoded; Pillow's own limit is higher."""

MAX_FILE_BYTES = 2**30
"""A file that has to be read whole (all but HDF5 and EXR) is refused above this size."""

_IMAGE_FORMATS = ("JPEG", "PNG", "BMP", "DIB", "PPM", "GIF", "TIFF", "WEBP", "JPEG2000", "TGA", "AVIF")
_ORIENTATION = 0x0112
_TURNS = {  # EXIF orientation -> what brings the stored array upright
    2: lambda array: array[:, ::-1],
    3: lambda array: array[::-1, ::-1],
    4: lambda array: array[::-1],
    5: lambda array: array.swapaxes(0, 1),
    6: lambda array: array[::-1].swapaxes(0, 1),
    7: lambda array: array[::-1, ::-1].swapaxes(0, 1),
    8: lambda array: array[:, ::-1].swapaxes(0, 1),
}


@contextlib.contextmanager
def naming(path: str | os.PathLike, what: str) -> Iterator[None]:
    """Turns whatever a decoder raises into a ValueError that names the file.

    Broken files make Pillow, NumPy and HDF5 raise nearly everything: struct.error, KeyError, MemoryError, warnings as
    errors. A file that is not there or closed to the user, and a package that is missing, stay what they are.
    """
    try:
        yield
    except (FileNotFoundError, PermissionError, IsADirectoryError, ImportError):
        raise
    except Exception as error:
        text = str(error).rstrip(".") or type(error).__name__
        raise ValueError(f"{what}: {text}. Received: {str(path)!r}") from error


def check_regular(path: str | os.PathLike, max_bytes: int | None = None) -> None:
    """Raises a ValueError for a pipe or device, which could be read for ever, and for more than `max_bytes`."""
    status = os.stat(path)
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):  # open() says it better of a folder
        raise ValueError(f"Expected a regular file. Received: {str(path)!r}")
    if max_bytes is not None and status.st_size > max_bytes:
        raise ValueError(f"Expected at most {max_bytes} bytes. Received: {status.st_size} bytes in {str(path)!r}")


def stored_bytes(path: str | os.PathLike) -> bytes:
    """The file's bytes, at most `MAX_FILE_BYTES`.

    Decoded from memory, not from the file: Pillow maps some formats into memory, and a mapped file that another
    process makes shorter kills the reader.
    """
    check_regular(path, MAX_FILE_BYTES)
    with open(path, "rb", buffering=0) as file:
        return file.readall()


def open_picture(file, path: str | os.PathLike, formats: tuple[str, ...] | None = None) -> Image.Image:
    """Opens a picture without decoding it.

    Args:
        file: open for reading bytes.
        path: for messages.
        formats: Pillow's names of the formats to accept; None for those in which photographs come.

    Raises:
        ValueError: none of the formats, more than `MAX_PIXELS`, or several pictures in one file.
    """
    try:
        picture = Image.open(file, formats=_known_formats() if formats is None else formats)
    except UnidentifiedImageError:
        kind = "picture that Pillow can read" if formats is None else "picture in " + " or ".join(formats)
        raise ValueError(f"Not a {kind}. Received: {str(path)!r}") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ValueError(f"{_TOO_LARGE}. Received: {str(path)!r}") from None
    except Exception as error:
        raise ValueError(f"The picture cannot be read: {error}. Received: {str(path)!r}") from error
    check_pixels(picture.size, path)
    with naming(path, "The picture cannot be read"):
        count = 1 if picture.format == "MPO" else getattr(picture, "n_frames", 1)  # a phone's JPEG and its extras
    if count != 1:
        raise ValueError(f"Expected one picture, not an animation or several pages. Received: {count} in {str(path)!r}")
    return picture


_TOO_LARGE = f"Expected at most {MAX_PIXELS} pixels (8192x8192)"


def check_pixels(size: tuple[int, int], path: str | os.PathLike) -> None:
    """Raises a ValueError above `MAX_PIXELS`; `size` is (width, height)."""
    if size[0] * size[1] > MAX_PIXELS:
        raise ValueError(f"{_TOO_LARGE}. Received: {size[0]}x{size[1]} in {str(path)!r}")


@functools.cache
def _known_formats():
    """All but those that start other programs (EPS) or mean nothing here; AVIF where Pillow has it."""
    Image.init()
    return tuple(name for name in _IMAGE_FORMATS if name in Image.OPEN)


def orientation(picture: Image.Image, file) -> int:
    """EXIF's orientation, 1..8, of an opened picture; 1 is upright. `file` is what it was opened from.

    A PNG may say it behind the pixels, so Pillow decodes the whole for it; only done where a chunk may say it.
    """
    if picture.format == "PNG" and not any(_may_turn(kind, head) for kind, head in _png_heads(file)):
        return 1
    return exif_orientation(picture)


def exif_orientation(picture: Image.Image) -> int:
    """EXIF's orientation, 1..8, of any picture, decoded if need be; of a decoded TIFF 1, for Pillow has turned it."""
    value = picture.getexif().get(_ORIENTATION, 1)
    return value if value in _TURNS else 1


def stored_size(picture: Image.Image, turn: int) -> tuple[int, int]:
    """(width, height) as stored, of a picture with this orientation; of a TIFF Pillow says the upright one."""
    return picture.size[::-1] if picture.format == "TIFF" and turn > 4 else picture.size


def turned(array: np.ndarray, orientation: int) -> np.ndarray:
    """A stored array `(H, W)` or `(H, W, C)` brought upright."""
    return np.ascontiguousarray(_TURNS[orientation](array)) if orientation in _TURNS else array


def check_whole(picture: Image.Image, file) -> None:
    """Finds a JPEG or PNG that is cut short without decoding it; the picture cannot be decoded afterwards."""
    if picture.format == "PNG":
        for _ in _png_heads(file):
            pass
    elif picture.format in ("JPEG", "MPO"):
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 64))
        if b"\xff\xd9" not in file.read(64):  # or something follows the picture, as cameras do: look closely
            file.seek(0)
            Image.open(file).load()


def check_crc(data: bytes) -> None:
    """Raises a ValueError unless every chunk of a PNG agrees with its checksum.

    Pillow does not look at the checksums of the pixels' chunks, and stops before zlib has seen its own: of 1,000 copies
    of a real depth map with one flipped bit, 85 were decoded to other depths without a word.
    """
    view = memoryview(data)
    for kind, start, end in png_chunks(io.BytesIO(data)):
        if zlib.crc32(view[start - 4 : end]) != int.from_bytes(view[end : end + 4]):
            raise ValueError(f"damaged: the checksum of chunk {kind!r} at byte {start - 8} does not fit")


def _may_turn(kind, head):
    return kind == b"eXIf" or head.startswith((b"Raw profile type exif\0", b"XML:com.adobe.xmp\0"))


def _png_heads(file):
    """Kind of each chunk, and the first bytes of those that hold text."""
    for kind, start, end in png_chunks(file):
        file.seek(start)
        yield kind, file.read(min(32, end - start)) if kind in (b"tEXt", b"zTXt", b"iTXt") else b""


def png_chunks(file):
    """Kind, start and end of the data of each chunk; a ValueError where the file ends before the last of them."""
    size, position, kind = file.seek(0, os.SEEK_END), 8, b""
    while kind != b"IEND":
        file.seek(position)
        head = file.read(8)
        start = position + 8
        end = start + int.from_bytes(head[:4])
        if len(head) < 8 or end + 4 > size:
            raise ValueError("truncated: the PNG ends inside a chunk")
        kind, position = head[4:], end + 4
        yield kind, start, end
