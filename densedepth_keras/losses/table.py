"""The LOSSES table: every loss by name."""

from types import MappingProxyType

from densedepth_keras.losses.base import MaskedLoss
from densedepth_keras.losses.composite import DepthLoss
from densedepth_keras.losses.gradient import MultiScaleGradientLoss
from densedepth_keras.losses.pointwise import BerHuLoss, L1Loss, L2Loss
from densedepth_keras.losses.silog import SILogLoss

LOSSES: MappingProxyType[str, type[MaskedLoss]] = MappingProxyType(
    {
        "densedepth": DepthLoss,
        "l1": L1Loss,
        "l2": L2Loss,
        "berhu": BerHuLoss,
        "silog": SILogLoss,
        "multi_scale_gradient": MultiScaleGradientLoss,
    }
)
"""Name -> class, called as `LOSSES[name](min_depth=..., max_depth=...)`. Read-only."""
