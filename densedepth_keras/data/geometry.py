"""Geometric changes of a picture and its depth map, which may be of different sizes: always both, by one geometry.

Positions are continuous, pixel `i` covering `i` to `i + 1` and its centre at `i + 0.5`, so that what is said relative
to the sides holds at every size. Nothing is changed in place; a result may be a view of the input or the input itself.
"""

import itertools
import math
from typing import NamedTuple

import numpy as np
from PIL import Image

from densedepth_keras.data.sample import Sample


class Window(NamedTuple):
    """Rows `top` to `top + height` and columns `left` to `left + width` of a picture, pixels."""

    top: int
    left: int
    height: int
    width: int


def place_window(size: tuple[int, int], zoom: float, down: float, right: float) -> Window:
    """The window of 1 / `zoom` of each side, in whole pixels.

    Args:
        size: `(height, width)` of the picture.
        zoom: at least 1.
        down: where in the room that is left, from 0 (touches the top) up to, not including, 1 (touches the bottom).
        right: likewise from left to right.
    """
    height, width = (max(1, round(side / zoom)) for side in size)
    return Window(int(down * (size[0] - height + 1)), int(right * (size[1] - width + 1)), height, width)


def window_zoom(size: tuple[int, int], window: Window) -> float:
    """By how much a window grows when it is enlarged to `size`: the geometric mean over both sides."""
    return math.sqrt(size[0] / window.height * size[1] / window.width)


def cut_window(sample: Sample, window: Window) -> Sample:
    """The window of image and depth, with its depth divided by the zoom.

    A pinhole camera of focal length f shows a width X at depth Z as `f X / Z` pixels. Enlarged z times it is
    `z f X / Z = f X / (Z / z)`: what the same camera shows at depth Z / z. A network knows of one camera and judges
    distance by apparent size, so Z / z is the depth that belongs to the enlarged window; with Z it would have to learn
    that a door may be of any height. Depths that leave the model's range are masked by that range like all others.
    Holes stay 0. A window beside the middle is an image plane moved sideways, which changes no depth along the axis.

    Args:
        sample: image `(H, W, 3)` and depth `(H, W)` of one size.
        window: of that size.

    Returns:
        A Sample of the window's size, which is still to be enlarged; the image is a view.

    Raises:
        ValueError: image and depth of different sizes.
    """
    image, depth = sample
    if image.shape[:2] != depth.shape:
        raise ValueError(
            "A window is cut before resizing, from an image and a depth map of one size. "
            f"Received: image.shape={image.shape}, depth.shape={depth.shape}"
        )
    top, left, height, width = window
    inside = np.s_[top : top + height, left : left + width]
    return Sample(image[inside], depth[inside] / np.float32(window_zoom(depth.shape, window)))


def rotate(sample: Sample, degrees: float) -> Sample:
    """Rolls the camera: turns image and depth about their middle, and keeps their sizes.

    Depth along the optical axis does not change when the camera rolls about that axis. Pixels of the depth map that
    come from outside are holes (0), those of the image mirror its border. Depth takes the nearest pixel, so neither
    holes nor edges are blended.

    Args:
        sample: image `(H, W, 3)` and depth `(h, w)`, of the same view but of any sizes. The pixels of the image are
            taken as square.
        degrees: counter-clockwise as seen.
    """
    if degrees == 0:
        return sample
    return Sample(_rotate_image(sample.image, degrees), _rotate_depth(sample.depth, sample.image.shape, degrees))


def _rotate_depth(depth, image_shape, degrees):
    """Nearest: position p of the result comes from `S⁻¹ R S (p - middle) + middle`, S from depth to image pixels."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    height, width = depth.shape
    ratio = (image_shape[0] / height) / (image_shape[1] / width)
    a, b, d, e = cos, -sin * ratio, sin / ratio, cos
    x, y = width / 2, height / 2
    matrix = (a, b, x - a * x - b * y, d, e, y - d * x - e * y)  # Pillow adds the half-pixel of the centres
    turned = Image.fromarray(np.ascontiguousarray(depth)).transform(
        (width, height), Image.Transform.AFFINE, matrix, Image.Resampling.NEAREST, fillcolor=0
    )
    return np.asarray(turned)


def _rotate_image(image, degrees):
    """Three shears, each linear along one axis: less than half of Pillow's time at 2.5 degrees, all of it at 15.

    Reference:
        Paeth, A Fast Algorithm for General Raster Rotation, Graphics Interface 1986.
    """
    height, width = image.shape[:2]
    along, across = -math.tan(math.radians(degrees) / 2), math.sin(math.radians(degrees))
    # What every shear reads beyond the sides of its result, and one pixel for the interpolation.
    last = math.ceil(abs(along) * height / 2) + 1
    rows = math.ceil(abs(across) * (width / 2 + last)) + 1
    columns = last + math.ceil(abs(along) * (height / 2 + rows)) + 1
    image = np.pad(image, ((rows, rows), (columns, columns), (0, 0)), mode="symmetric")
    image = _shear_rows(image, along * _offsets(height + 2 * rows), width + 2 * last)
    image = _shear_columns(image, across * _offsets(width + 2 * last), height)
    return _shear_rows(image, along * _offsets(height), width)


def _offsets(count):
    """Of `count` pixels, how far the centres lie from the middle."""
    return np.arange(count) + 0.5 - count / 2


def _shear_rows(image, shifts, width):
    """Result `(H, width, C)` whose row y, column x is the image's column `x + margin + shifts[y]`."""
    height, full, channels = image.shape
    flat, result = image.reshape(height, -1), np.empty((height, width * channels), np.uint8)
    for first, last, start, share in _runs(shifts, (full - width) // 2):
        near, far = (flat[first:last, i * channels : (i + width) * channels] for i in (start, start + 1))
        result[first:last] = _blend(near, far, share[:, None])
    return result.reshape(height, width, channels)


def _shear_columns(image, shifts, height):
    """Result `(height, W, C)` whose column x, row y is the image's row `y + margin + shifts[x]`."""
    full, width, channels = image.shape
    flat, result = image.reshape(full, -1), np.empty((height, width * channels), np.uint8)
    for first, last, start, share in _runs(shifts, (full - height) // 2):
        columns = np.s_[first * channels : last * channels]
        near, far = flat[start : start + height, columns], flat[start + 1 : start + 1 + height, columns]
        result[:, columns] = _blend(near, far, share.repeat(channels))
    return result.reshape(height, width, channels)


def _runs(shifts, margin):
    """Neighbours whose shift has one whole part: `(first, last, margin + whole part, fractions in 1/256)`.

    A small angle has few of them, so that each is one operation on many pixels which fit into the cache.
    """
    steps = np.rint(256 * shifts).astype(np.int64)
    whole, fraction = steps >> 8, (steps & 255).astype(np.uint16)
    ends = [0, *(np.flatnonzero(np.diff(whole)) + 1).tolist(), len(shifts)]
    for first, last in itertools.pairwise(ends):
        yield first, last, margin + int(whole[first]), fraction[first:last]


def _blend(near, far, share):
    """`near + (far - near) share / 256`, rounded, in place; 255 * 256 + 128 at most, which uint16 holds."""
    near, far = near.astype(np.uint16), far.astype(np.uint16)
    near *= 256 - share
    far *= share
    near += far
    near += np.uint16(128)
    near >>= 8
    return near


def cut_out(depth: np.ndarray, share: float, *, shape: float, down: float, right: float) -> np.ndarray:
    """Marks a rectangle of the depth map as holes.

    Args:
        depth: float32 `(h, w)`, metres.
        share: of the map's area that the rectangle covers, at most; 0..1.
        shape: from 0 (half as high as wide, relative to the map) to 1 (twice as high as wide).
        down: where in the room that is left, 0 at the top, 1 at the bottom.
        right: likewise from left to right.
    """
    tall = min(1.0, max(share, math.sqrt(share * 2 ** (2 * shape - 1))))
    height, width = int(tall * depth.shape[0]), int(share / tall * depth.shape[1]) if share else 0
    if not height * width:
        return depth
    top, left = round(down * (depth.shape[0] - height)), round(right * (depth.shape[1] - width))
    depth = depth.copy()
    depth[top : top + height, left : left + width] = 0
    return depth
