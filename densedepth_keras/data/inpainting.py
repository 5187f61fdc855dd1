"""Depth where the sensor saw none: holes filled by colorization, guided by the image."""

import hashlib

import numpy as np
from scipy.sparse import csc_array
from scipy.sparse.linalg import splu

from densedepth_keras.data.sample import Sample, Source, check_row, content_key, row_name

MAX_HOLE_PIXELS = 2**21
"""Of one frame. The factors of so many in one piece take about 4 GB, and of twice as many more than twice that."""

_LUMA = (0.299, 0.587, 0.114)  # Rec. 601, the Y of the paper's YUV
_VARIANCE_FACTOR = 0.6  # these three as in the NYU toolbox's fill_depth_colorization
_LEAST_WEIGHT = 0.01
_LEAST_SPREAD = 2e-6
_LEAF = 8


def fill_holes(image: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Fills the holes of a depth map: neighbours of one brightness get one depth.

    For every hole pixel r, over its eight neighbours s (fewer at the border), measured or not,

        depth(r) = sum_s w(r, s) depth(s),    w(r, s) ~ exp(-(Y(r) - Y(s))^2 / v(r)),    sum_s w(r, s) = 1

    with Y the luma in 0..1 and v(r) = max(0.6 var(r), min_s (Y(r) - Y(s))^2 / ln 100, 2e-6), var(r) the variance of Y
    over the window: the NYU toolbox's 2 sigma^2. Measured pixels are given, holes alone are unknown. One sparse linear
    system, solved directly: a filled depth is a weighted mean of measured ones and never leaves their range.

    Time and memory grow with the number of holes: a third of a 640x480 frame takes half a second, all of it 2 to 3 s
    and 0.6 GB.

    Args:
        image: uint8 `(H, W, 3)`, RGB.
        depth: floating point `(H, W)`, metres; 0, negative and non-finite values are holes.

    Returns:
        float32 `(H, W)`, metres, without a hole; measured pixels keep their value to the bit. A float32 map without
        holes is returned itself, not copied.

    Raises:
        TypeError: an image that is not uint8, a depth that is not floating point (and so hardly metres).
        ValueError: other shapes or unequal sizes, no measurement at all, more than `MAX_HOLE_PIXELS` holes.

    Example:
        >>> depth = np.array([[1, 0, 3]], np.float32)
        >>> fill_holes(np.zeros((1, 3, 3), np.uint8), depth)
        array([[1., 2., 3.]], dtype=float32)

    Reference:
        Levin, Lischinski, Weiss, "Colorization using Optimization", SIGGRAPH 2004, equations 1 and 2; Silberman,
        Hoiem, Kohli, Fergus, ECCV 2012, for depth.
    """
    _check_arrays(image, depth)
    depth = depth.astype(np.float32, copy=False)
    measured = np.isfinite(depth) & (depth > 0)
    if measured.all():
        return depth
    _check_holes(measured)
    measurements = depth[measured]
    pixels = _elimination_order(~measured)
    matrix, constants = _linear_system(image, np.where(measured, depth, 0), pixels)
    # Diagonally dominant by rows, so its transpose is by columns: stable without pivoting, the order can be kept.
    factors = splu(matrix, permc_spec="NATURAL", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    filled = depth.copy()
    # The clip takes off rounding errors: up to 4 mm on pictures made to be ill-conditioned, 1e-6 m on real ones.
    filled.flat[pixels] = np.clip(factors.solve(constants, trans="T"), measurements.min(), measurements.max())
    return filled


class Filled:
    """A source with the holes of its depth maps filled; see `fill_holes`.

    Reading a sample without any measurement, or one that memory does not suffice to fill, raises a ValueError that
    names its row.

    Args:
        source: any source.
    """

    def __init__(self, source: Source):
        self.source = source

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> Sample:
        image, depth = self.source[index]
        try:
            return Sample(image, fill_holes(image, depth))
        except (TypeError, ValueError) as error:
            raise ValueError(f"{self.row_name(index)}: {error}") from error
        except (MemoryError, RuntimeError) as error:  # SuperLU reports a failed allocation as one or the other
            reason, (height, width) = str(error).rstrip(".") or type(error).__name__, depth.shape
            raise ValueError(
                f"{self.row_name(index)}: the holes could not be filled, most likely for want of memory: {reason}. "
                f"Shrink image and depth first, or use fewer processes. Received: a frame of {width}x{height}"
            ) from error

    def row_name(self, index: int) -> str:
        return row_name(self.source, index)

    def check_row(self, index: int) -> None:
        check_row(self.source, index)

    def content_key(self, index: int) -> bytes:
        return hashlib.blake2b(content_key(self.source, index), digest_size=16, person=b"filled").digest()

    def __repr__(self):
        return f"Filled({self.source!r})"


def _check_arrays(image, depth):
    if image.dtype != np.uint8:
        raise TypeError(f"`image` must be uint8, RGB 0..255. Received: image of dtype {image.dtype}")
    if depth.dtype.kind != "f":
        raise TypeError(f"`depth` must be metres in floating point. Received: depth of dtype {depth.dtype}")
    if depth.ndim != 2 or image.shape != (*depth.shape, 3):
        raise ValueError(
            "`image` must be (height, width, 3) and `depth` (height, width), of one size. "
            f"Received: image.shape={image.shape}, depth.shape={depth.shape}"
        )


def _check_holes(measured):
    holes = measured.size - np.count_nonzero(measured)
    if holes == measured.size:
        raise ValueError("`depth` holds no measurement to fill the holes from: every pixel is a hole.")
    if holes > MAX_HOLE_PIXELS:
        raise ValueError(
            f"At most {MAX_HOLE_PIXELS} hole pixels can be filled, for want of memory; shrink image and depth first. "
            f"Received: {holes} hole pixels in a frame of {measured.shape[1]}x{measured.shape[0]}"
        )


def _elimination_order(holes):
    """Flat indices of the holes by nested dissection: both halves of a window first, then the line between them.

    Keeps the factors of a grid's matrix as sparse as any order can, n log n entries for n pixels (George, 1973).
    SuperLU's own orders see no grid: minimum degree takes 1.2 to 1.7 times as long, column minimum degree 1.5 to 2.
    """
    height, width = holes.shape
    numbers = np.arange(holes.size).reshape(height, width)
    parts = []

    def dissect(top, bottom, left, right):
        if not holes[top:bottom, left:right].any():
            return
        middle, centre = (top + bottom) // 2, (left + right) // 2
        if max(bottom - top, right - left) <= _LEAF:
            line = slice(top, bottom), slice(left, right)
        elif bottom - top >= right - left:
            dissect(top, middle, left, right)
            dissect(middle + 1, bottom, left, right)
            line = slice(middle, middle + 1), slice(left, right)
        else:
            dissect(top, bottom, left, centre)
            dissect(top, bottom, centre + 1, right)
            line = slice(top, bottom), slice(centre, centre + 1)
        parts.append(numbers[line][holes[line]])

    dissect(0, height, 0, width)
    return np.concatenate(parts)


def _linear_system(image, depth, pixels):
    """Transpose of the matrix, and the right-hand side, with one unknown per entry of `pixels`, in that order."""
    frame_width = depth.shape[1] + 2  # a frame one pixel wide around everything: every pixel has eight neighbours
    framed = (pixels // depth.shape[1] + 1) * frame_width + pixels % depth.shape[1] + 1
    steps = [row * frame_width + column for row in (-1, 0, 1) for column in (-1, 0, 1) if row or column]
    neighbours = framed + np.array(steps)[:, None]
    weights = _weights(np.pad(image @ np.array(_LUMA) / 255, 1, constant_values=np.nan).ravel(), framed, neighbours)
    constants = (weights * np.pad(depth, 1).ravel()[neighbours]).sum(axis=0)

    unknowns = np.full((depth.shape[0] + 2) * frame_width, -1, np.int32)
    own = unknowns[framed] = np.arange(len(pixels), dtype=np.int32)
    neighbours = unknowns[neighbours]
    inner = neighbours >= 0
    rows = np.concatenate([own, neighbours[inner]])
    columns = np.concatenate([own, np.broadcast_to(own, neighbours.shape)[inner]])
    values = np.concatenate([np.ones(len(own)), -weights[inner]])
    return csc_array((values, (rows, columns)), shape=(len(own), len(own))), constants


def _weights(luma, pixels, neighbours):
    """Weights `(8, pixels)` that sum to 1 over the neighbours inside the image; NaN luma marks those outside."""
    difference = luma[neighbours] - luma[pixels]
    inside = np.isfinite(difference)
    difference[~inside] = 0
    squares = difference**2
    count = inside.sum(axis=0) + 1  # of the window: the neighbours and the pixel itself, whose difference is 0
    variance = squares.sum(axis=0) / count - (difference.sum(axis=0) / count) ** 2
    nearest = squares.min(axis=0, where=inside, initial=1.0)
    spread = np.maximum(_VARIANCE_FACTOR * variance, nearest / -np.log(_LEAST_WEIGHT))
    weights = np.exp(-squares / np.maximum(spread, _LEAST_SPREAD)) * inside
    return weights / weights.sum(axis=0)
