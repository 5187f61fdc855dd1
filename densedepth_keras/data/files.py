"""The pair of image and depth map that belong to one frame, read from files; images and depth maps alone as well."""

import os

import numpy as np

from densedepth_keras.data.depth_maps import DEPTH_SUFFIXES, depth_size, read_depth
from densedepth_keras.data.hdf5 import hdf5_image_size, is_hdf5, read_hdf5_image
from densedepth_keras.data.images import IMAGE_SUFFIXES, image_header, read_image, read_stored_image, rgb_array
from densedepth_keras.data.pictures import MAX_FILE_BYTES, MAX_PIXELS, turned
from densedepth_keras.depth import MIN_IMAGE_SIDE

__all__ = [
    "DEPTH_SUFFIXES",
    "IMAGE_SUFFIXES",
    "MAX_FILE_BYTES",
    "MAX_PIXELS",
    "check_header",
    "check_pair",
    "read_depth",
    "read_image",
    "read_pair",
    "rgb_array",
]


def read_pair(
    image: str | os.PathLike, depth: str | os.PathLike, *, units_per_metre: float
) -> tuple[np.ndarray, np.ndarray]:
    """Reads image and depth map of one frame, both upright and of one size, 32 pixels or more a side.

    Where EXIF says that the image is stored turned, a depth map of the size it is stored in is turned along with it,
    and one of the upright size is taken as it is. Where the two sizes are one, nothing says which it is.

    Args:
        image: a picture, or a HDF5 file that holds both, `rgb` and `depth`; then `depth` is the same path.
        depth: see `read_depth`.
        units_per_metre: see `read_depth`.

    Raises:
        ValueError: as `read_image`, `read_depth` and `check_pair` do, and for a turned image of which nothing says
            whether its depth map is turned as well.
        FileNotFoundError: no such file.
    """
    if is_hdf5(image):
        rgb, turn = read_hdf5_image(image), 1
        metres = read_depth(depth, units_per_metre=units_per_metre)
    else:
        rgb, stored_size, stored_turn = read_stored_image(image)
        metres = read_depth(depth, units_per_metre=units_per_metre)
        turn = _depth_turn(stored_size, stored_turn, metres.shape[::-1], image)
    metres = turned(metres, turn)
    check_pair(rgb, metres)
    return rgb, metres


def check_pair(image: np.ndarray, depth: np.ndarray) -> None:
    """Raises a ValueError unless image and depth have one size, of 32 pixels or more a side."""
    _check_sizes(image.shape[1::-1], depth.shape[::-1])


def check_header(image: str | os.PathLike, depth: str | os.PathLike) -> None:
    """What can be known of a pair without decoding it: kind, size, and that neither file is cut short.

    Raises as `read_pair` does.
    """
    if is_hdf5(image):
        size, turn = hdf5_image_size(image), 1
    else:
        size, turn = image_header(image)
    stored_size = depth_size(depth)
    if _depth_turn(size, turn, stored_size, image) > 4:
        stored_size = stored_size[::-1]
    _check_sizes(_upright(size, turn), stored_size)


def _upright(size, turn):
    return size[::-1] if turn > 4 else size


def _depth_turn(size, turn, depth_size, path):
    """By which orientation the depth map has to be turned; `size` is the image's as stored."""
    if turn == 1 or tuple(depth_size) != tuple(size):
        return 1
    if tuple(_upright(size, turn)) == tuple(size):
        raise ValueError(
            "The image is stored turned (EXIF orientation), its depth map may be or not: both ways have one size. "
            f"Store both upright. Received: orientation {turn} in {str(path)!r}"
        )
    return turn


def _check_sizes(image_size, depth_size):
    """(width, height) of both."""
    if tuple(image_size) != tuple(depth_size):
        texts = ["{}x{}".format(*size) for size in (image_size, depth_size)]
        raise ValueError(
            f"image and depth must have one size. Received: image of {texts[0]}, depth of {texts[1]} (width x height)"
        )
    if min(depth_size) < MIN_IMAGE_SIDE:
        raise ValueError(
            f"both sides must be at least {MIN_IMAGE_SIDE} pixels. Received: {depth_size[0]}x{depth_size[1]}"
        )
