"""Changing the size of pictures and of depth maps, which are not pictures."""

import numpy as np
from PIL import Image

from densedepth_keras.data.sample import Sample, Source


class Resized:
    """A source at the sizes of a network's input and output.

    Args:
        source: any source.
        image_size: `(height, width)` of the images, pixels.
        depth_size: `(height, width)` of the depth maps.
    """

    def __init__(self, source: Source, image_size: tuple[int, int], depth_size: tuple[int, int]):
        self.source, self.image_size, self.depth_size = source, tuple(image_size), tuple(depth_size)

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> Sample:
        return self.resize(self.source[index])

    def resize(self, sample: Sample) -> Sample:
        """Any sample at those sizes."""
        return Sample(resize_image(sample.image, self.image_size), resize_depth(sample.depth, self.depth_size))


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
    mean = _mean_of_pixels(depth, image_size)
    if depth.min() > 0:
        return mean
    share = _mean_of_pixels((depth > 0).astype(np.float32), image_size)
    return np.divide(mean, share, out=np.zeros_like(mean), where=share > 1e-6)


def enlarge_prediction(depth: np.ndarray, image_size: tuple[int, int]) -> np.ndarray:
    """Bilinear, half-pixel centres: brings a prediction, which has no holes, to an image's size."""
    if depth.shape == tuple(image_size):
        return depth
    return _resize_float(depth, image_size, Image.Resampling.BILINEAR)


def _mean_of_pixels(array, image_size):
    if array.shape != (2 * image_size[0], 2 * image_size[1]):
        return _resize_float(array, image_size, Image.Resampling.BOX)
    # A network's output is half its input. Adding up is five times as fast as Pillow, and equal to the bit: Pillow adds
    # along rows first, too, and rounds each of the two sums once; halving a sum before or after rounding is the same.
    pairs = array[:, 0::2] + array[:, 1::2]
    mean = pairs[0::2] + pairs[1::2]
    mean *= np.float32(0.25)
    return mean


def _resize_float(array, image_size, method):
    return np.asarray(Image.fromarray(np.ascontiguousarray(array, np.float32)).resize(image_size[::-1], method))
