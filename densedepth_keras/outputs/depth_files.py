"""Depth maps as files that others read: 16-bit PNG in millimetres; .npy, PFM and EXR in metres."""

import errno
import os
from collections.abc import Callable
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from densedepth_keras.atomic import written_beside
from densedepth_keras.outputs.coloring import write_picture

UNITS_PER_METRE = 1000
"""Of the PNG: what `data.read_depth(path, units_per_metre=1000)` divides by."""

FARTHEST_PNG = 65.535
"""Metres; the largest depth that 16 bits of millimetres hold. Beyond it a PNG says 65.535 m."""


class DepthFile(NamedTuple):
    """One line of `WRITERS`."""

    suffix: str
    write: Callable[[str | os.PathLike, np.ndarray], None]


def write_png16(path: str | os.PathLike, depth: np.ndarray) -> None:
    """16-bit grey PNG, millimetres, rounded to the nearest; 0 = hole.

    What is farther than `FARTHEST_PNG` is written as that; ask for .npy, PFM or EXR where it matters. A depth that is
    measured never becomes a hole: what would round to 0 mm is written as 1 mm.

    Args:
        path: replaced as a whole or not at all.
        depth: `(H, W)`, metres; 0, negative and NaN are holes.

    Raises:
        ValueError: no map `(H, W)`.
        OSError: the file cannot be written.
    """
    depth = _checked(depth)
    measured = depth > 0  # false for NaN
    units = np.where(measured, depth, np.float32(0))
    units *= np.float32(UNITS_PER_METRE)
    np.rint(units, out=units)
    np.clip(units, measured, 2**16 - 1, out=units)
    write_picture(path, units.astype(np.uint16))


def write_npy(path: str | os.PathLike, depth: np.ndarray) -> None:
    """NumPy's .npy: float32, metres, to the bit. Arguments and errors as of `write_png16`."""
    depth = _checked(depth)
    with written_beside(path) as side, open(side, "wb") as file:
        # Not np.save: it appends a suffix, and where the disk is full, says how many numbers went there, not why.
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(depth))
        file.write(depth.data)


def write_pfm(path: str | os.PathLike, depth: np.ndarray) -> None:
    """PFM: float32, metres, to the bit, little-endian, the last row first. As `write_png16` otherwise."""
    depth = _checked(depth)
    with written_beside(path) as side, open(side, "wb") as file:
        file.write(f"Pf\n{depth.shape[1]} {depth.shape[0]}\n-1.0\n".encode())
        file.write(np.ascontiguousarray(depth[::-1], "<f4").tobytes())


def write_exr(path: str | os.PathLike, depth: np.ndarray) -> None:
    """OpenEXR: one channel `Z`, float32, metres, to the bit. As `write_png16` otherwise.

    Raises:
        ImportError: OpenEXR is not installed.
    """
    depth = _checked(depth)
    check_exr()
    from OpenEXR import ZIP_COMPRESSION, File, scanlineimage

    header = {"compression": ZIP_COMPRESSION, "type": scanlineimage}
    with written_beside(path) as side:
        try:
            File(header, {"Z": depth}).write(os.fspath(side))
        except RuntimeError as error:  # the library's one kind, for a full disk and a closed folder as well
            raise _system_error(str(error), path) from error


def check_exr() -> None:
    """Raises an ImportError that says what to install unless OpenEXR is there."""
    try:
        import OpenEXR  # noqa: F401
    except ImportError as error:
        raise ImportError(
            'EXR needs OpenEXR 3.3 or newer: pip install "densedepth_keras[exr]". Received: formats=exr'
        ) from error


WRITERS: MappingProxyType[str, DepthFile] = MappingProxyType(
    {
        "png16": DepthFile(".png", write_png16),
        "npy": DepthFile(".npy", write_npy),
        "pfm": DepthFile(".pfm", write_pfm),
        "exr": DepthFile(".exr", write_exr),
    }
)
"""Name in `--formats` -> suffix and function. Read-only."""


def _system_error(text, path):
    """The OSError that a library has put into words, with its number where the words are the system's."""
    for number in errno.errorcode:
        if os.strerror(number) in text:
            return OSError(number, os.strerror(number), str(path))
    return OSError(f"The EXR file could not be written: {text}. Received: {str(path)!r}")


def _checked(depth):
    depth = np.asarray(depth)
    if depth.ndim != 2 or not depth.size or depth.dtype.kind not in "fiu":
        raise ValueError(
            f"A depth map is numbers, (height, width), metres. Received: shape={depth.shape}, dtype={depth.dtype}"
        )
    return np.ascontiguousarray(depth, np.float32)
