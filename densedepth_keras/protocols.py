"""The PROTOCOLS table: which pixels of a test frame count. Standard library only; works on NumPy arrays."""

from types import MappingProxyType
from typing import NamedTuple

from densedepth_keras.depth import DENSEDEPTH_CROP_NYU, EIGEN_CROP_NYU, Crop


class Protocol(NamedTuple):
    """Which pixels of a frame count.

    Attributes:
        name: how papers and flags call it.
        crop: rows and columns that count, or None for all.
        nearest: metres; ground truth must lie beyond it.
        capped: whether ground truth must lie below `max_depth`.
        source: where the numbers come from.
    """

    name: str
    crop: Crop | None
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
        if depth.shape != (self.crop.height, self.crop.width):
            crop, height, width = self.crop, *depth.shape
            raise ValueError(
                f"Protocol {self.name!r} is defined on {crop.width}x{crop.height} frames; use --protocol full for "
                f"others. Received: ground truth of {width}x{height} (width x height)"
            )
        valid[: self.crop.top], valid[self.crop.bottom :] = False, False
        valid[:, : self.crop.left], valid[:, self.crop.right :] = False, False
        return valid


PROTOCOLS = MappingProxyType(
    {
        "densedepth": Protocol("densedepth", DENSEDEPTH_CROP_NYU, 0.0, False, "Alhashim & Wonka, arXiv 1812.11941"),
        "eigen": Protocol("eigen", EIGEN_CROP_NYU, 1e-3, True, "Eigen et al. 2014; BTS, AdaBins and the toolboxes"),
        "full": Protocol("full", None, 0.0, False, "every measured pixel; Krishna & Beura, equation 5"),
    }
)
"""Name -> Protocol. Read-only. The reference masks nothing; here `densedepth` leaves out holes, which have no truth."""
