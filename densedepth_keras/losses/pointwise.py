"""Losses that compare pixel with pixel."""

from keras import ops

from densedepth_keras.losses.masked import masked_mean


def mean_absolute_error(y_true, y_pred, valid_mask):
    """`mean |y_true - y_pred|` over the valid pixels of each image.

    Args:
        y_true: float32 `(B, H, W, 1)`, any unit; finite everywhere.
        y_pred: same shape and unit.
        valid_mask: float32 `(B, H, W, 1)`, 1 where the pixel counts, else 0.

    Returns:
        `(B,)`, best 0; 0 for an image without a valid pixel.

    Reference:
        Krishna & Beura, equation 2.
    """
    return masked_mean(ops.abs(y_true - y_pred), valid_mask)
