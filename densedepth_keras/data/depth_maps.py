"""One depth map as float32 metres."""

import io
import os

import numpy as np

from densedepth_keras.data.arrays import READERS, array_size, read_array
from densedepth_keras.data.grey_png import decode_grey
from densedepth_keras.data.pictures import (
    MAX_FILE_BYTES,
    check_crc,
    check_regular,
    check_whole,
    naming,
    open_picture,
    orientation,
    stored_bytes,
)

DEPTH_SUFFIXES = (".png", ".tif", ".tiff", *READERS)
_FORMATS = ("PNG", "TIFF")
_MODES = ("L", "I;16", "I;16B", "I;16L", "I;16N", "I", "F")
_UNDECODABLE = "The depth map cannot be decoded"


def read_depth(
    path: str | os.PathLike, metres_per_unit: float | None = None, *, units_per_metre: float | None = None
) -> np.ndarray:
    """Reads a depth map as float32 metres `(H, W)`; 0, negative, NaN and infinite values become 0, a hole.

    Args:
        path: PNG of 8 or 16 bits, TIFF of 8, 16 or 32 bits or float, PFM, `.npy`, `.npz` (one array, or `depth`),
            EXR (needs OpenEXR; channel Z, Y or R), HDF5 (dataset `depth`); one channel, at most `MAX_PIXELS`.
        metres_per_unit: what one stored unit is in metres, e.g. 0.001 for millimetres. One of it and
            `units_per_metre` must be given.
        units_per_metre: stored units per metre, e.g. 1000 for millimetres.

    Raises:
        ValueError: a colour picture, an array that is no map, a file that is damaged or cannot be decoded.
        FileNotFoundError: no such file.
        ImportError: EXR without OpenEXR.
    """
    if (metres_per_unit is None) == (units_per_metre is None):
        raise ValueError(
            "Give one of `metres_per_unit` and `units_per_metre`. "
            f"Received: metres_per_unit={metres_per_unit}, units_per_metre={units_per_metre}"
        )
    scale = 1 / metres_per_unit if units_per_metre is None else units_per_metre
    return _metres(read_array(path) if _suffix(path) in READERS else _read_picture(path), scale)


def depth_size(path: str | os.PathLike) -> tuple[int, int]:
    """(width, height); raises as `read_depth`, as far as can be told without decoding."""
    return array_size(path) if _suffix(path) in READERS else _picture_size(path)


def _read_picture(path):
    data = stored_bytes(path)
    with open_picture(io.BytesIO(data), path, _FORMATS) as picture:
        _check_mode(picture, path)
        with naming(path, _UNDECODABLE):
            if picture.format == "PNG":
                check_crc(data)
            _check_upright(orientation(picture, io.BytesIO(data)))
            pixels = decode_grey(data) if picture.format == "PNG" else None
            return np.asarray(picture) if pixels is None else pixels


def _suffix(path):
    return os.path.splitext(path)[1].lower()


def _picture_size(path):
    check_regular(path, MAX_FILE_BYTES)
    with open(path, "rb") as file, open_picture(file, path, _FORMATS) as picture:
        size = picture.size
        _check_mode(picture, path)
        with naming(path, _UNDECODABLE):
            _check_upright(orientation(picture, file))
            check_whole(picture, file)
    return size


def _metres(stored, units_per_metre):
    # Divided, not multiplied: 1000 and 256 are exact in float32, 0.001 is not, and every reader must agree to the bit.
    with np.errstate(over="ignore"):  # infinite, a hole
        depth = stored.astype(np.float32)
        depth /= np.float32(units_per_metre)
    if stored.dtype.kind == "u":
        return depth
    usable = np.isfinite(depth) & (depth > 0)
    return depth if usable.all() else np.where(usable, depth, np.float32(0))


def _check_upright(turn):
    if turn != 1:
        raise ValueError(f"a depth map must be stored upright; its EXIF orientation is {turn}")


def _check_mode(picture, path):
    if picture.mode in _MODES:
        return
    kinds = {"P": "a palette", "1": "a 1-bit"}
    kind = kinds.get(picture.mode, f"a {len(picture.getbands())}-channel 8-bit")
    raise ValueError(
        f"depth is {kind} picture. Expected one channel, 8- or 16-bit or float. A colour rendering no longer "
        f"holds metres. Received: {str(path)!r}"
    )
