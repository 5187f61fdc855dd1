"""Photos that strangers send: looked at before a pixel is decoded, and told in words what is wrong with them."""

import os
from pathlib import Path

import numpy as np

from densedepth_keras.data.images import check_sides, image_header, read_image
from densedepth_keras.names import printable

MEGA = 10**6

MEGABYTE = 2**20
"""As Gradio counts, which refuses most files that are too large itself."""


def read_photo(path: str | os.PathLike, *, max_mb: int, max_megapixels: int) -> np.ndarray:
    """A photo as uint8 RGB `(H, W, 3)`, upright; errors call it by its file's name alone.

    Args:
        path: of the file.
        max_mb: largest file, megabytes.
        max_megapixels: largest picture.

    Raises:
        ValueError: too large, too small, or whatever `data.images.read_image` refuses.
    """
    path = Path(path)
    try:
        _check_limits(path, max_mb, max_megapixels)
        image = read_image(path)
        check_sides(image, path.name)
    except (ValueError, OSError) as error:
        raise ValueError(str(error).replace(str(path), printable(path.name))) from error
    return image


def _check_limits(path, max_mb, max_megapixels):
    size = path.stat().st_size
    if size > max_mb * MEGABYTE:
        raise ValueError(f"Files of at most {max_mb} MB are taken. Received: {size / MEGABYTE:.1f} MB in {path.name!r}")
    (width, height), _ = image_header(path)
    if width * height > max_megapixels * MEGA:
        raise ValueError(
            f"Pictures of at most {max_megapixels} megapixels are taken; make it smaller first. "
            f"Received: {width}x{height}, {width * height / MEGA:.1f} megapixels, in {path.name!r}"
        )
