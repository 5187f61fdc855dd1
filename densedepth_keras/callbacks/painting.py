"""Depth maps as pictures, pixel by pixel, in the colours of the figures."""

import io

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import Normalize
from PIL import Image

from densedepth_keras.plots import COLORMAP

HOLE = (0.6, 0.6, 0.6)
"""Grey, as in the figures."""


def painted_depth(depth: np.ndarray, *, min_depth: float, max_depth: float) -> np.ndarray:
    """uint8 `(H, W, 3)` of a depth map `(H, W)`, metres; 0 = hole, depths beyond the range in its last colour."""
    colours = colormaps[COLORMAP].with_extremes(bad=HOLE)
    shown = np.ma.masked_less_equal(depth, 0)
    return colours(Normalize(min_depth, max_depth)(shown), bytes=True)[..., :3]


def painted_row(image: np.ndarray, depths, *, min_depth: float, max_depth: float) -> np.ndarray:
    """Image and depth maps side by side, the maps enlarged to the image's size by the nearest pixel.

    Args:
        image: uint8 `(H, W, 3)`.
        depths: maps of any size, metres.
        min_depth: near end of the colour range, metres.
        max_depth: far end.

    Returns:
        uint8 `(H, (1 + len(depths)) W, 3)`.
    """
    maps = [painted_depth(depth, min_depth=min_depth, max_depth=max_depth) for depth in depths]
    return np.concatenate([image, *(_enlarged(picture, image.shape[:2]) for picture in maps)], axis=1)


def png(picture: np.ndarray) -> bytes:
    """The PNG file of a uint8 `(H, W, 3)`."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format="PNG")
    return file.getvalue()


def _enlarged(picture, size):
    rows, columns = (np.arange(many) * few // many for many, few in zip(size, picture.shape[:2], strict=True))
    return picture[rows[:, None], columns]
