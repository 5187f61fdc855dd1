"""Losses on metres that see holes as what they are: nothing."""

from densedepth_keras.losses.composite import DepthLoss, depth_loss, depth_loss_terms
from densedepth_keras.losses.gradient import gradient_error
from densedepth_keras.losses.pointwise import mean_absolute_error
from densedepth_keras.losses.ssim import ssim

__all__ = ["DepthLoss", "depth_loss", "depth_loss_terms", "gradient_error", "mean_absolute_error", "ssim"]
