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

MAX_DEPTH_KITTI = 80.0
"""Farthest depth of KITTI's protocols, metres."""

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

    def pixels(self, height: int, width: int) -> tuple[int, int, int, int]:
        """`(top, bottom, left, right)`; a ValueError for a frame of any size but the crop's own."""
        if (height, width) != (self.height, self.width):
            raise ValueError(
                f"The crop is defined on {self.width}x{self.height} frames. "
                f"Received: ground truth of {width}x{height} (width x height)"
            )
        return self[:4]


class OwnCrop(NamedTuple):
    """Rows `top:bottom` and columns `left:right`, pixels, of any frame that has them; what `dataset.json` may say."""

    top: int
    bottom: int
    left: int
    right: int

    def pixels(self, height: int, width: int) -> tuple[int, int, int, int]:
        """`(top, bottom, left, right)`; a ValueError for a smaller frame."""
        if self.bottom > height or self.right > width:
            raise ValueError(
                f"The crop {list(self)} of dataset.json leaves the frame. Received: ground truth of {width}x{height} "
                "(width x height)"
            )
        return tuple(self)


class RelativeCrop(NamedTuple):
    """Rows `top:bottom` and columns `left:right` as fractions of a frame's height and width.

    KITTI's frames are of several sizes, 1224x370 to 1242x376 (width x height).
    """

    top: float
    bottom: float
    left: float
    right: float

    def pixels(self, height: int, width: int) -> tuple[int, int, int, int]:
        """`(top, bottom, left, right)` on a frame of any size, each cut down to a whole pixel as monodepth does."""
        return int(self.top * height), int(self.bottom * height), int(self.left * width), int(self.right * width)


EIGEN_CROP_NYU = Crop(45, 471, 41, 601, 480, 640)
"""Eigen, Puhrsch, Fergus (NeurIPS 2014); used by BTS, AdaBins and the toolboxes on NYU's 654 test frames."""

DENSEDEPTH_CROP_NYU = Crop(20, 460, 24, 616, 480, 640)
"""Alhashim, Wonka (arXiv 1812.11941): `eigen_test_crop.npy` holds the inclusive corners 20, 459, 24, 615."""

GARG_CROP_KITTI = RelativeCrop(0.40810811, 0.99189189, 0.03594771, 0.96405229)
"""Garg, Kumar, Carneiro, Reid (ECCV 2016), in the digits of monodepth's evaluation, which everybody uses."""

EIGEN_CROP_KITTI = RelativeCrop(0.3324324, 0.91351351, 0.0359477, 0.96405229)
"""Eigen, Puhrsch, Fergus (NeurIPS 2014), in the digits of monodepth's evaluation."""


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
