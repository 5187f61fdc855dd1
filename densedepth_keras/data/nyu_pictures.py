"""Pictures of DenseDepth's NYU archive from their bytes."""

import io
import struct

import numpy as np

from densedepth_keras.data.archive import Archive, Tree
from densedepth_keras.data.files import check_pair
from densedepth_keras.data.grey_png import decode_grey
from densedepth_keras.data.images import decoded_rgb
from densedepth_keras.data.pictures import (
    check_crc,
    check_pixels,
    check_whole,
    exif_orientation,
    naming,
    open_picture,
    orientation,
)

UNITS_PER_METRE = {8: 25.5, 16: 1000.0}
"""Stored units per metre by bit depth: value / 255 of 10 m in training, millimetres in the test. Exact in float32."""

_PNG = b"\x89PNG\r\n\x1a\n"
_HEAD_BYTES = 4096
_IMAGE_FORMATS = ("JPEG", "PNG")
_NO_IMAGE, _NO_DEPTH = "The image cannot be decoded", "The depth map cannot be decoded"


def decode_image(data: bytes, name: str) -> np.ndarray:
    """A JPEG or PNG as uint8 RGB `(H, W, 3)`; `name` is what an error calls it.

    Raises:
        ValueError: not such a picture, damaged, too large, or stored turned (EXIF), since nothing says whether the
            depth map is, too.
    """
    with open_picture(io.BytesIO(data), name, _IMAGE_FORMATS) as picture:
        if picture.format == "PNG":
            with naming(name, _NO_IMAGE):
                check_crc(data)
        pixels = decoded_rgb(picture, data, name)
        _check_upright(exif_orientation(picture), name)
        return pixels


def decode_depth(data: bytes, name: str, bits: int) -> np.ndarray:
    """A grey PNG of 8 or 16 bits as float32 metres `(H, W)`, 0 for a hole.

    Args:
        data: the file.
        name: what an error calls it.
        bits: the bit depth it must have, which says its unit.

    Raises:
        ValueError: not such a PNG, damaged, or too large.
    """
    _depth_size(data, name, bits)
    with naming(name, _NO_DEPTH):
        check_crc(data)
        picture = open_picture(io.BytesIO(data), name, ("PNG",))
        stored = decode_grey(data)
        stored = np.asarray(picture) if stored is None else stored
    return stored.astype(np.float32) / np.float32(UNITS_PER_METRE[bits])


def check_headers(files: Archive | Tree, image: str, depth: str, bits: int) -> None:
    """Raises what decoding the pair would raise, as far as their first bytes tell: kind, bit depth and size.

    Files of a tree may have been cut short, so their ends are looked at as well; in a zip the directory says sizes.
    """
    width, height = _depth_size(files.head(depth, _HEAD_BYTES), depth, bits)
    if isinstance(files, Tree):
        size = _whole_image_size(files, image)
        _check_whole_depth(files, depth)
    else:
        size = _member_size(files, image)
    check_pair(np.broadcast_to(np.uint8(0), (*size[::-1], 3)), np.broadcast_to(np.float32(0), (height, width)))


def _whole_image_size(files, name):
    with files.open(name) as file, open_picture(file, name, _IMAGE_FORMATS) as picture:
        size = picture.size
        with naming(name, _NO_IMAGE):
            turn = orientation(picture, file)
            check_whole(picture, file)
    _check_upright(turn, name)
    return size


def _check_whole_depth(files, name):
    with files.open(name) as file, open_picture(file, name, ("PNG",)) as picture, naming(name, _NO_DEPTH):
        check_whole(picture, file)


def _member_size(files, name):
    try:
        return _image_size(files.head(name, _HEAD_BYTES), name)
    except ValueError:  # the size of a JPEG stands behind whatever it carries along
        return _image_size(files.read(name), name)


def _image_size(data, name):
    with open_picture(io.BytesIO(data), name, _IMAGE_FORMATS) as picture:
        if picture.format != "PNG" or "exif" in picture.info:  # of other PNG Pillow would decode the pixels for it
            _check_upright(exif_orientation(picture), name)
        return picture.size


def _check_upright(turn, name):
    if turn != 1:
        raise ValueError(f"The image must be stored upright, not turned by EXIF. Received: {name!r}")


def _depth_size(data, name, bits):
    """(width, height) of a grey PNG of so many bits."""
    if not data.startswith(_PNG) or data[12:16] != b"IHDR" or len(data) < 26:
        raise ValueError(f"Expected a PNG as depth. Received: {name!r}")
    width, height, found, colour = struct.unpack(">2I2B", data[16:26])
    check_pixels((width, height), name)
    if colour != 0:
        raise ValueError(
            f"Expected depth in one channel of {bits} bits; a colour rendering no longer holds metres. "
            f"Received: a PNG of colour type {colour}: {name!r}"
        )
    if found != bits:
        raise ValueError(
            f"Expected depth of {bits} bits here: training maps have 8 (value / 255 of 10 m), test maps 16 "
            "(millimetres). Data in other units is read by the data set 'folder', which is told them. "
            f"Received: {found} bits: {name!r}"
        )
    return width, height
