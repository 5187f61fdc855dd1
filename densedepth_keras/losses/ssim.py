"""Structural similarity over what is valid."""

import numpy as np
from keras import ops

from densedepth_keras.losses.masked import masked_mean

WINDOW, SIGMA, K1, K2 = 11, 1.5, 0.01, 0.03
"""Wang, Bovik, Sheikh, Simoncelli (IEEE TIP 2004); the defaults of `tf.image.ssim`."""


def ssim(y_true, y_pred, valid_mask, max_val: float):
    """Mean structural similarity per image, blind to invalid pixels.

    Every window's mean, variance and covariance are taken over its valid pixels alone (normalised convolution: the
    Gaussian weights of valid pixels, rescaled to sum to 1), and the window then counts by the share of Gaussian
    weight that is valid: one in the middle of a hole not at all, one at its rim a little. Without holes every share
    is 1 and the value is `tf.image.ssim`'s.

    Args:
        y_true: float32 `(B, H, W, 1)`; finite everywhere. H and W at least 11.
        y_pred: same shape.
        valid_mask: float32 `(B, H, W, 1)`, 1 where the pixel counts, else 0.
        max_val: the range of the values (100 for the reciprocal of NYU's 0.1..10 m).

    Returns:
        `(B,)` in [-1, 1], best 1; 1 for an image without a valid pixel, which thereby costs nothing.

    Raises:
        ValueError: a side is known to be smaller than the 11-pixel window.

    Reference:
        Wang et al. 2004, equation 13; normalised convolution: Knutsson & Westin, CVPR 1993.
    """
    if any(side is not None and side < WINDOW for side in y_true.shape[1:3]):
        raise ValueError(
            f"SSIM slides an {WINDOW}x{WINDOW} window: height and width must be at least {WINDOW} pixels. "
            f"Received: y_true.shape={tuple(y_true.shape)}"
        )
    # One blur for all five maps: the passes over memory cost more than the arithmetic.
    x, y, m = y_true * valid_mask, y_pred * valid_mask, valid_mask
    share, *moments = ops.split(_blur(ops.concatenate([m, x, y, x * y, x * x + y * y], axis=-1)), 5, axis=-1)
    safe_share = ops.where(share > 0, share, 1.0)
    mean_x, mean_y, mean_xy, mean_squares = (moment / safe_share for moment in moments)
    c1, c2 = (K1 * max_val) ** 2, (K2 * max_val) ** 2
    product, squares = mean_x * mean_y, mean_x**2 + mean_y**2
    luminance = (2.0 * product + c1) / (squares + c1)
    structure = (2.0 * (mean_xy - product) + c2) / (mean_squares - squares + c2)
    measured = ops.cast(ops.any(share > 0, axis=(1, 2, 3)), "float32")
    return masked_mean(luminance * structure, share) + (1.0 - measured)


def _blur(x):
    """Gaussian window over each channel, valid positions only, as a column pass and a row pass."""
    kernel = _gaussian()
    channels = x.shape[-1]
    for shape in ((WINDOW, 1, 1, 1), (1, WINDOW, 1, 1)):
        taps = np.tile(kernel.reshape(shape), (1, 1, channels, 1))
        x = ops.depthwise_conv(x, ops.convert_to_tensor(taps), padding="valid", data_format="channels_last")
    return x


def _gaussian():
    offsets = np.arange(WINDOW) - (WINDOW - 1) / 2
    weights = np.exp(-(offsets**2) / (2 * SIGMA**2))
    return (weights / weights.sum()).astype("float32")
