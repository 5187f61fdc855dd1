"""Losses that compare edges."""

import keras
from keras import ops

from densedepth_keras.depth import MAX_DEPTH, MIN_DEPTH
from densedepth_keras.losses.base import MaskedLoss, check_weights
from densedepth_keras.losses.masked import masked_logarithms, masked_mean
from densedepth_keras.losses.pointwise import mean_absolute_error


def gradient_error(y_true, y_pred, valid_mask):
    """`mean |d_x e| + mean |d_y e|` with `e = y_true - y_pred` and forward differences, per image.

    A difference counts where both its ends are valid, and each mean divides by the number of such pairs. Without
    holes it equals the reference, which pads the last row and column with zeros and counts them: hence the factors
    `(H - 1) / H` and `(W - 1) / W`.

    Args:
        y_true: float32 `(B, H, W, 1)`, any unit; finite everywhere. Along a side of 1 there is nothing to compare.
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


def multi_scale_gradient_loss(
    y_true,
    y_pred,
    depth_weight: float = 1.0,
    gradient_weight: float = 0.5,
    scales: int = 4,
    min_depth: float = MIN_DEPTH,
    max_depth: float = MAX_DEPTH,
):
    """`depth_weight * mean |d| + gradient_weight * sum_s gradient_error(d_s)`, `d = ln y_pred - ln y_true`.

    `d_s` is every 2^s-th pixel of `d` in both directions, s = 0..scales - 1: fine scales see edges, coarse ones slopes.
    The point-wise term anchors the metres: gradients alone know no offset, and an offset of logarithms is a factor on
    all depths. A scale at which a single pixel of the map is left has no neighbours and adds nothing.

    Args:
        y_true: metres, `(B, H, W, 1)` or `(B, H, W)`, any float type; 0, NaN, infinity and whatever lies outside the
            range take no part and get no gradient.
        y_pred: metres, positive, same shape.
        depth_weight: weight of the point-wise term.
        gradient_weight: weight of the edges, all scales together; MegaDepth's alpha.
        scales: how many, at least 1; each halves the map.
        min_depth: metres.
        max_depth: metres.

    Returns:
        float32 `(B,)`, best 0; 0 for an image without a valid pixel.

    Raises:
        ValueError: shapes differ, or the map is known to be a single pixel.

    Reference:
        Li & Snavely (MegaDepth), arXiv 1804.00607, section 4.2, the gradient term. Its point-wise term is
        scale-invariant, because its truth has no metres; its code takes differences two pixels apart.
    """
    maps = masked_logarithms(y_true, y_pred, min_depth, max_depth)
    edges = sum(gradient_error(*(each[:, ::step, ::step] for each in maps)) for step in _steps(maps[0].shape, scales))
    return depth_weight * mean_absolute_error(*maps) + gradient_weight * edges


def _steps(shape, scales):
    """Strides that leave neighbours, as far as the size is known."""
    steps = [2**s for s in range(scales) if any(side is None or side > 2**s for side in shape[1:3])]
    if not steps:
        raise ValueError(
            "A gradient needs neighbours: height or width must be at least 2 pixels. "
            f"Received: y_true.shape={tuple(shape)}"
        )
    return steps


@keras.saving.register_keras_serializable(package="densedepth_keras")
class MultiScaleGradientLoss(MaskedLoss):
    """Logarithmic depth and its edges at several scales, for `model.compile`; see `multi_scale_gradient_loss`.

    Args:
        depth_weight: weight of the point-wise term. At 0 the loss knows no metres, only proportions.
        gradient_weight: weight of the edges, all scales together.
        scales: how many, at least 1; each halves the map.
        min_depth: metres.
        max_depth: metres.
        name: of the loss.
        reduction: over the batch, as in every Keras loss.

    Raises:
        ValueError: a negative weight, both weights 0, no scale, or a range that is none.

    Reference:
        Li & Snavely (MegaDepth), arXiv 1804.00607, section 4.2.
    """

    formula = staticmethod(multi_scale_gradient_loss)

    def __init__(
        self,
        depth_weight: float = 1.0,
        gradient_weight: float = 0.5,
        scales: int = 4,
        min_depth: float = MIN_DEPTH,
        max_depth: float = MAX_DEPTH,
        *,
        name: str = "multi_scale_gradient_loss",
        reduction: str = "sum_over_batch_size",
    ):
        weights = {"depth_weight": depth_weight, "gradient_weight": gradient_weight}
        super().__init__(min_depth, max_depth, name=name, reduction=reduction, **weights, scales=scales)
        check_weights(**weights)
        if not (isinstance(scales, int) and scales >= 1):
            raise ValueError(f"`scales` must be a whole number of at least 1. Received: scales={scales!r}")
