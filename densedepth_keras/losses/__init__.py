"""Losses on metres that see holes as what they are: nothing."""

from densedepth_keras.losses.composite import DepthLoss, depth_loss
from densedepth_keras.losses.gradient import MultiScaleGradientLoss, gradient_error, multi_scale_gradient_loss
from densedepth_keras.losses.pointwise import (
    BerHuLoss,
    L1Loss,
    L2Loss,
    berhu_loss,
    l1_loss,
    l2_loss,
    mean_absolute_error,
)
from densedepth_keras.losses.silog import SILogLoss, silog_loss
from densedepth_keras.losses.ssim import ssim
from densedepth_keras.losses.table import LOSSES
from densedepth_keras.losses.terms import DepthLossTerm, depth_loss_terms

__all__ = [
    "LOSSES",
    "BerHuLoss",
    "DepthLoss",
    "DepthLossTerm",
    "L1Loss",
    "L2Loss",
    "MultiScaleGradientLoss",
    "SILogLoss",
    "berhu_loss",
    "depth_loss",
    "depth_loss_terms",
    "gradient_error",
    "l1_loss",
    "l2_loss",
    "mean_absolute_error",
    "multi_scale_gradient_loss",
    "silog_loss",
    "ssim",
]
