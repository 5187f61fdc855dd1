"""The scale-invariant logarithmic loss."""

import keras
from keras import ops

from densedepth_keras.depth import MAX_DEPTH, MIN_DEPTH
from densedepth_keras.losses.base import MaskedLoss
from densedepth_keras.losses.masked import masked_logarithms, masked_mean


def silog_loss(
    y_true, y_pred, variance_focus: float = 0.85, min_depth: float = MIN_DEPTH, max_depth: float = MAX_DEPTH
):
    """`sqrt(mean d^2 - variance_focus * (mean d)^2)`, `d = ln y_pred - ln y_true` over the valid pixels of an image.

    Equally `sqrt(var d + (1 - variance_focus) (mean d)^2)`: at 1 a common factor on all depths costs nothing, at 0 it
    is the RMSE of logarithms. Eigen et al. train with 0.5 and without the root. BTS and its successors train with 0.85
    and the root, times 10 (a factor that Adam does not notice, left out) and over all valid pixels of the batch; here
    it is each image's own value, so that an image costs the same in whatever company.

    Args:
        y_true: metres, `(B, H, W, 1)` or `(B, H, W)`, any float type; 0, NaN, infinity and whatever lies outside the
            range take no part and get no gradient.
        y_pred: metres, positive, same shape.
        variance_focus: lambda, 0 to 1: the share of a common factor that is forgiven.
        min_depth: metres.
        max_depth: metres.

    Returns:
        float32 `(B,)`, best 0; 0 for an image without a valid pixel.

    Raises:
        ValueError: shapes differ.

    Reference:
        Eigen, Puhrsch, Fergus, NeurIPS 2014, equation 4; Lee et al. (BTS), arXiv 1907.10326.
    """
    true, pred, valid = masked_logarithms(y_true, y_pred, min_depth, max_depth)
    difference = pred - true
    mean = masked_mean(difference, valid)
    # Centred: mean d^2 - (mean d)^2 in float32 would lose every digit to a common factor, and could fall below 0.
    variance = masked_mean((difference - ops.reshape(mean, (-1, 1, 1, 1))) ** 2, valid)
    return _root(variance + (1.0 - variance_focus) * mean**2)


def _root(squares):
    """Square root with a gradient of 0 at 0, where it would be infinite."""
    zero = squares == 0  # and not NaN, which must stay NaN
    return ops.where(zero, 0.0, ops.sqrt(ops.where(zero, 1.0, squares)))


@keras.saving.register_keras_serializable(package="densedepth_keras")
class SILogLoss(MaskedLoss):
    """Scale-invariant logarithmic loss for `model.compile`; see `silog_loss` for the formula.

    Args:
        variance_focus: lambda, 0 to 1; BTS's is 0.85. At 1 the loss knows no metres, only proportions.
        min_depth: metres.
        max_depth: metres.
        name: of the loss.
        reduction: over the batch, as in every Keras loss.

    Raises:
        ValueError: a variance focus outside 0..1, or a range that is none.

    Reference:
        Eigen, Puhrsch, Fergus, NeurIPS 2014, equation 4; Lee et al. (BTS), arXiv 1907.10326.
    """

    formula = staticmethod(silog_loss)

    def __init__(
        self,
        variance_focus: float = 0.85,
        min_depth: float = MIN_DEPTH,
        max_depth: float = MAX_DEPTH,
        *,
        name: str = "silog_loss",
        reduction: str = "sum_over_batch_size",
    ):
        super().__init__(min_depth, max_depth, name=name, reduction=reduction, variance_focus=variance_focus)
        if not 0 <= variance_focus <= 1:
            raise ValueError(f"`variance_focus` must lie in 0..1. Received: variance_focus={variance_focus}")
