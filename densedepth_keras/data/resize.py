"""Changing the size of pictures and of depth maps, which are not pictures."""

import numpy as np
from PIL import Image


def resize_image(image: np.ndarray, image_size: tuple[int, int]) -> np.ndarray:
    """Bilinear, anti-aliased where it shrinks. uint8 `(H, W, 3)` in and out, `image_size=(height, width)`."""
    if image.shape[:2] == tuple(image_size):
        return image
    return np.asarray(Image.fromarray(image).resize(image_size[::-1], Image.Resampling.BILINEAR))


def resize_depth(depth: np.ndarray, image_size: tuple[int, int]) -> np.ndarray:
    """Resizes a depth map without blending holes into it.

    Shrinking averages the *valid* pixels that fall on each new one (a new pixel is a hole only where all of them
    are); enlarging takes the nearest, so that no depth appears that was not measured.

    Args:
        depth: float32 `(H, W)`, metres, 0 = hole.
        image_size: `(height, width)`.

    Returns:
        float32 `(height, width)`, metres, 0 = hole.
    """
    if depth.shape == tuple(image_size):
        return depth
    height, width = image_size
    if height > depth.shape[0] or width > depth.shape[1]:
        return _resize_float(depth, image_size, Image.Resampling.NEAREST)
    valid = depth > 0
    if valid.all():
        return _resize_float(depth, image_size, Image.Resampling.BOX)
    total = _resize_float(depth, image_size, Image.Resampling.BOX)
    share = _resize_float(valid.astype(np.float32), image_size, Image.Resampling.BOX)
    return np.where(share > 1e-6, total / np.maximum(share, 1e-6), 0).astype(np.float32)


def enlarge_prediction(depth: np.ndarray, image_size: tuple[int, int]) -> np.ndarray:
    """Bilinear, half-pixel centres: brings a prediction, which has no holes, to an image's size."""
    if depth.shape == tuple(image_size):
        return depth
    return _resize_float(depth, image_size, Image.Resampling.BILINEAR)


def _resize_float(array, image_size, method):
    return np.asarray(Image.fromarray(np.ascontiguousarray(array, np.float32)).resize(image_size[::-1], method))
