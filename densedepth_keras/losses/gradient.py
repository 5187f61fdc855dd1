"""Losses that compare edges."""

from keras import ops

from densedepth_keras.losses.masked import masked_mean


def gradient_error(y_true, y_pred, valid_mask):
    """`mean |d_x e| + mean |d_y e|` with `e = y_true - y_pred` and forward differences, per image.

    A difference counts where both its ends are valid, and each mean divides by the number of such pairs. Without
    holes it equals the reference, which pads the last row and column with zeros and counts them: hence the factors
    `(H - 1) / H` and `(W - 1) / W`.

    Args:
        y_true: float32 `(B, H, W, 1)`, any unit; finite everywhere. H and W at least 2.
        y_pred: same shape and unit.
        valid_mask: float32 `(B, H, W, 1)`, 1 where the pixel counts, else 0.

    Returns:
        `(B,)`, best 0; 0 for an image without a valid pair.

    Reference:
        Krishna & Beura, equation 3; the zero row and column: `tf.image.image_gradients`, which the reference calls.
    """
    error = y_true - y_pred
    height, width = ops.shape(error)[1:3]
    vertical = masked_mean(ops.abs(error[:, 1:] - error[:, :-1]), valid_mask[:, 1:] * valid_mask[:, :-1])
    horizontal = masked_mean(ops.abs(error[:, :, 1:] - error[:, :, :-1]), valid_mask[:, :, 1:] * valid_mask[:, :, :-1])
    return vertical * _share(height) + horizontal * _share(width)


def _share(size):
    size = ops.cast(size, "float32")
    return (size - 1.0) / size
