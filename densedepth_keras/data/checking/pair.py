"""What one reading of a pair tells about it, small enough to be kept for every row."""

from typing import NamedTuple

import numpy as np
from PIL import Image

from densedepth_keras.data.checking.alignment import THUMBNAIL_SIZE, Edges, depth_edges, fits, picture_edges
from densedepth_keras.data.checking.fingerprints import digest, fingerprint, thumbnail
from densedepth_keras.data.checking.histogram import count_depths
from densedepth_keras.data.files import check_pair
from densedepth_keras.data.resize import resize_depth
from densedepth_keras.data.sample import Sample
from densedepth_keras.depth import in_range

_SAMPLED_PIXELS = 20_000
"""Median, histogram and levels look at a regular grid of about so many pixels of a map; the counts look at all."""

_FLAT = 2.0
"""A picture whose thumbnail spreads less, of 255, shows nothing: a lens cap, a failed capture."""

_LEAST_MEASURED = 300
"""Cells of a thumbnail that must be measured before its picture is compared with its depth."""


class PairFacts(NamedTuple):
    """What one pair holds.

    Attributes:
        size: `(height, width)`, pixels.
        measured: pixels that are no holes.
        valid: measured pixels inside the range.
        nearest: metres, 0 where nothing is measured; so are the next two.
        median: metres, over the sampled pixels.
        farthest: metres.
        histogram: int64, of the sampled pixels; see `count_depths`.
        levels: the different depths among the sampled pixels, float32 in ascending order.
        picture_digest: equal for equal pixels.
        depth_digest: likewise.
        fingerprint: near for near pictures, uint64 `(2,)`.
        thumbnail: grey, uint8, 200 bytes.
        flat: whether the picture is of one colour.
        grey: whether its three channels are equal.
        likeness: rank correlation of brightness and depth; 1 or -1 for a rendering of the depth, NaN if unknown.
        below_over_above: median depth of the lower third over that of the upper one, NaN if unknown.
        fits: see `alignment.fits`.
        picture_edges: for the comparison with the rows beside it.
        depth_edges: likewise.
    """

    size: tuple[int, int]
    measured: int
    valid: int
    nearest: float
    median: float
    farthest: float
    histogram: np.ndarray
    levels: np.ndarray
    picture_digest: bytes
    depth_digest: bytes
    fingerprint: np.ndarray
    thumbnail: np.ndarray
    flat: bool
    grey: bool
    likeness: float
    below_over_above: float
    fits: dict[str, float]
    picture_edges: Edges
    depth_edges: Edges


def measure_pair(sample: Sample, min_depth: float, max_depth: float) -> PairFacts:
    """Looks at a pair; a ValueError or TypeError where it is no pair at all."""
    image, depth = sample
    _check_arrays(image, depth)
    check_pair(image, depth)
    stride = int(np.ceil((depth.size / _SAMPLED_PIXELS) ** 0.5))
    sampled = depth[::stride, ::stride]
    sampled = sampled[sampled > 0]
    measured = int(np.count_nonzero(depth))
    nearest = float(np.min(depth, where=depth > 0, initial=np.inf)) if measured else 0.0
    picture, small = Image.fromarray(image).convert("L"), resize_depth(depth, THUMBNAIL_SIZE)
    grey = np.asarray(picture.resize(THUMBNAIL_SIZE[::-1], Image.Resampling.BOX), np.float32)
    of_picture, of_depth = picture_edges(grey), depth_edges(small)
    return PairFacts(
        size=depth.shape,
        measured=measured,
        valid=int(np.count_nonzero(in_range(depth, min_depth, max_depth))),
        nearest=nearest,
        median=float(np.median(sampled)) if len(sampled) else nearest,
        farthest=float(depth.max()),
        histogram=count_depths(sampled),
        levels=np.unique(sampled),
        picture_digest=digest(image),
        depth_digest=digest(depth),
        fingerprint=fingerprint(picture),
        thumbnail=thumbnail(picture),
        flat=bool(grey.std() < _FLAT),
        grey=bool((image[::stride, ::stride] == image[::stride, ::stride, :1]).all()),
        likeness=_rank_correlation(grey[small > 0], small[small > 0]),
        below_over_above=_below_over_above(small),
        fits=fits(of_picture, of_depth),
        picture_edges=of_picture,
        depth_edges=of_depth,
    )


def _check_arrays(image, depth):
    """What a Sample promises; own readers may break it."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise TypeError(f"An image must be uint8 (height, width, 3). Received: {image.dtype} {image.shape}")
    if depth.dtype != np.float32 or depth.ndim != 2:
        raise TypeError(f"Depth must be float32 (height, width), metres. Received: {depth.dtype} {depth.shape}")
    if not np.isfinite(depth).all() or (depth < 0).any():
        raise ValueError("Depth must be finite and not negative; 0 marks a hole. Received: NaN, infinity or below 0")


def _below_over_above(small):
    third = len(small) // 3
    above, below = small[:third], small[-third:]
    above, below = above[above > 0], below[below > 0]
    least = _LEAST_MEASURED // 3
    return float(np.median(below) / np.median(above)) if min(len(above), len(below)) >= least else float("nan")


def _rank_correlation(a, b):
    if len(a) < _LEAST_MEASURED or np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(np.corrcoef(_ranks(a), _ranks(b))[0, 1])


def _ranks(values):
    """0, 1, 2, ... from the smallest on; equal values share their mean rank, as Spearman's correlation wants."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place]
