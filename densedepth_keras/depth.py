"""Vocabulary of depth: range, validity, reciprocal, and the crops that published numbers use.

Depth is the distance along the optical axis in metres. 0 is the one mark of "no measurement".
Nothing here imports anything but the standard library; the functions work on NumPy arrays and on Keras tensors.
"""

from typing import NamedTuple

MIN_DEPTH = 0.1
"""Nearest depth of NYU Depth v2's protocols, metres."""

MAX_DEPTH = 10.0
"""Farthest depth of NYU Depth v2's protocols, metres."""

MIN_IMAGE_SIDE = 32
"""Smallest height and width a five-level pyramid can be built on, pixels."""

UNITS = {"m": 1.0, "cm": 0.01, "mm": 0.001}
"""Metres per stored unit."""


class Crop(NamedTuple):
    """Rows `top:bottom` and columns `left:right` of a frame of `height` x `width`."""

    top: int
    bottom: int
    left: int
    right: int
    height: int
    width: int


EIGEN_CROP_NYU = Crop(45, 471, 41, 601, 480, 640)
"""Eigen, Puhrsch, Fergus (NeurIPS 2014); used by BTS, AdaBins and the toolboxes on NYU's 654 test frames."""

DENSEDEPTH_CROP_NYU = Crop(20, 460, 24, 616, 480, 640)
"""Alhashim, Wonka (arXiv 1812.11941): `eigen_test_crop.npy` holds the inclusive corners 20, 459, 24, 615."""


def check_range(min_depth: float, max_depth: float) -> None:
    """Raises a ValueError unless `0 < min_depth < max_depth < inf`."""
    if not 0 < min_depth < max_depth < float("inf"):
        raise ValueError(
            "`min_depth` must be positive and below `max_depth`, both finite and in metres. "
            f"Received: min_depth={min_depth}, max_depth={max_depth}. Depths here are metres; 1000 cm is 10 m."
        )


def in_range(depth, min_depth: float = MIN_DEPTH, max_depth: float = MAX_DEPTH):
    """Boolean `valid_mask` of the pixels measured within the range; False for 0, NaN and infinity."""
    return (depth >= min_depth) & (depth <= max_depth)


def reciprocal(depth, max_depth: float = MAX_DEPTH):
    """`max_depth / depth`, what the reference regresses: 1 at `max_depth`, growing towards the camera.

    Exactly its own inverse. The caller keeps zeros out.
    """
    return max_depth / depth


def paired_maps(y_true, y_pred):
    """Two tensors `(B, H, W)` or `(B, H, W, 1)` as `(B, H, W, 1)`; a ValueError unless they are of one such shape.

    Sides that are not known yet, in a graph, fit everything.
    """
    y_true, y_pred = (y[..., None] if len(y.shape) == 3 else y for y in (y_true, y_pred))
    true, pred = tuple(y_true.shape), tuple(y_pred.shape)
    same = len(true) == len(pred) == 4 and all(a == b or None in (a, b) for a, b in zip(true, pred, strict=True))
    if not same or true[3] != 1:
        raise ValueError(
            "`y_true` and `y_pred` must both be (batch, height, width, 1). "
            f"Received: y_true.shape={true}, y_pred.shape={pred}"
        )
    return y_true, y_pred
