"""The PROTOCOLS table: which pixels of a test frame count. Standard library only; works on NumPy arrays."""

from types import MappingProxyType
from typing import NamedTuple

from densedepth_keras.depth import (
    DENSEDEPTH_CROP_NYU,
    EIGEN_CROP_KITTI,
    EIGEN_CROP_NYU,
    GARG_CROP_KITTI,
    Crop,
    OwnCrop,
    RelativeCrop,
)


class Protocol(NamedTuple):
    """Which pixels of a frame count.

    Attributes:
        name: how papers and flags call it.
        crop: rows and columns that count, in pixels of one frame size or in fractions of any; None for all.
        nearest: metres; ground truth must lie beyond it.
        capped: whether ground truth must lie below `max_depth`.
        source: where the numbers come from.
    """

    name: str
    crop: Crop | OwnCrop | RelativeCrop | None
    nearest: float
    capped: bool
    source: str

    def mask_text(self, max_depth: float) -> str:
        return f"{self.nearest:g} < depth" + (f" < {max_depth:g}" if self.capped else "")

    def valid_mask(self, depth, max_depth: float):
        """Boolean `(H, W)`: inside the crop and with usable ground truth.

        Raises:
            ValueError: the crop is defined on frames of another size.
        """
        valid = (depth > self.nearest) & (depth < (max_depth if self.capped else float("inf")))
        if self.crop is None:
            return valid
        top, bottom, left, right = self._pixels(*depth.shape)
        valid[:top], valid[bottom:] = False, False
        valid[:, :left], valid[:, right:] = False, False
        return valid

    def _pixels(self, height, width):
        try:
            return self.crop.pixels(height, width)
        except ValueError as error:
            raise ValueError(f"Protocol {self.name!r} (--protocol full takes any size): {error}") from None


PROTOCOLS = MappingProxyType(
    {
        "densedepth": Protocol("densedepth", DENSEDEPTH_CROP_NYU, 0.0, False, "Alhashim & Wonka, arXiv 1812.11941"),
        "eigen": Protocol("eigen", EIGEN_CROP_NYU, 1e-3, True, "Eigen et al. 2014; BTS, AdaBins and the toolboxes"),
        "garg": Protocol("garg", GARG_CROP_KITTI, 1e-3, True, "KITTI: Garg et al. 2016, as monodepth evaluates"),
        "eigen-kitti": Protocol("eigen-kitti", EIGEN_CROP_KITTI, 1e-3, True, "KITTI: Eigen et al. 2014"),
        "full": Protocol("full", None, 0.0, False, "every measured pixel; Krishna & Beura, equation 5"),
    }
)
"""Name -> Protocol. Read-only. The reference masks nothing; here `densedepth` leaves out holes, which have no truth."""
