"""Grey PNG, as depth maps are stored, straight into arrays."""

import io

import numpy as np
from isal import isal_zlib

from densedepth_keras.data.pictures import png_chunks

try:
    from densedepth_keras.data._unfilter import unfilter
except ImportError:  # installed without a compiler
    unfilter = None

_HEAD = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
_DTYPES = {8: np.dtype(np.uint8), 16: np.dtype(np.uint16)}


def decode_grey(data: bytes) -> np.ndarray | None:
    """The numbers `(H, W)` of a grey PNG of 8 or 16 bits, uint8 or uint16, in under half of Pillow's time.

    Args:
        data: the file, whose size in pixels and whose checksums have been looked at.

    Returns:
        What Pillow makes of it, or None where this is not such a PNG, is interlaced, damaged or in any way unusual, or
        the part in C has not been built. Then let Pillow judge.
    """
    if unfilter is None or len(data) < 29 or not data.startswith(_HEAD):
        return None
    width, height = (int.from_bytes(data[start : start + 4]) for start in (16, 20))
    bits, *others = data[24:29]  # colour type, compression, filters, interlacing
    if bits not in _DTYPES or any(others):
        return None
    pixels = np.empty((height, width), _DTYPES[bits])
    rows = _inflate(data, pixels.nbytes + height)
    if rows is None or not unfilter(rows, pixels, height, width * pixels.itemsize, pixels.itemsize):
        return None
    return pixels


def _inflate(data, size):
    """The pixels' chunks inflated, if that makes `size` bytes."""
    view = memoryview(data)
    try:
        parts = [view[start:end] for kind, start, end in png_chunks(io.BytesIO(data)) if kind == b"IDAT"]
        stream = isal_zlib.decompressobj()
        rows = stream.decompress(parts[0] if len(parts) == 1 else b"".join(parts), size + 1)
    except (ValueError, isal_zlib.error):
        return None
    return rows if stream.eof and len(rows) == size else None
