"""Losses that compare pixel with pixel, in metres."""

import keras
from keras import ops

from densedepth_keras.depth import MAX_DEPTH, MIN_DEPTH
from densedepth_keras.losses.base import MaskedLoss
from densedepth_keras.losses.masked import masked_mean, masked_metres


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


def l1_loss(y_true, y_pred, min_depth: float = MIN_DEPTH, max_depth: float = MAX_DEPTH):
    """`mean |y_true - y_pred|` in metres over the valid pixels, one value per image.

    Args:
        y_true: metres, `(B, H, W, 1)` or `(B, H, W)`, any float type; 0, NaN, infinity and whatever lies outside the
            range take no part and get no gradient.
        y_pred: metres, same shape.
        min_depth: metres.
        max_depth: metres.

    Returns:
        Metres, float32 `(B,)`, best 0; 0 for an image without a valid pixel.

    Raises:
        ValueError: shapes differ.
    """
    return mean_absolute_error(*masked_metres(y_true, y_pred, min_depth, max_depth))


def l2_loss(y_true, y_pred, min_depth: float = MIN_DEPTH, max_depth: float = MAX_DEPTH):
    """`mean (y_true - y_pred)^2` over the valid pixels, one value per image; arguments as for `l1_loss`.

    Returns:
        Square metres, float32 `(B,)`, best 0; 0 for an image without a valid pixel.

    Raises:
        ValueError: shapes differ.

    Reference:
        Krishna & Beura, equation 5, is its root.
    """
    true, pred, valid = masked_metres(y_true, y_pred, min_depth, max_depth)
    return masked_mean((true - pred) ** 2, valid)


def berhu_loss(y_true, y_pred, threshold: float = 0.2, min_depth: float = MIN_DEPTH, max_depth: float = MAX_DEPTH):
    """Reverse Huber: mean of `|e|` where `|e| <= c`, else `(e^2 + c^2) / (2 c)`; `e = y_true - y_pred` in metres.

    Small errors cost as in L1, large ones as in L2; value and slope agree at `c`. `c = threshold * max |e|` over the
    valid pixels of the image, a constant for the gradient. FCRN takes the maximum over the batch; here it is the
    image's own, so that an image costs the same in whatever company.

    Args:
        y_true: metres, `(B, H, W, 1)` or `(B, H, W)`, any float type; 0, NaN, infinity and whatever lies outside the
            range take no part and get no gradient.
        y_pred: metres, same shape.
        threshold: share of the largest error at which squares begin, above 0 to 1.
        min_depth: metres.
        max_depth: metres.

    Returns:
        Metres, float32 `(B,)`, best 0; 0 for an image without a valid pixel.

    Raises:
        ValueError: shapes differ.

    Reference:
        Owen 2007, "A robust hybrid of lasso and ridge regression"; Laina et al. (FCRN), arXiv 1606.00373.
    """
    true, pred, valid = masked_metres(y_true, y_pred, min_depth, max_depth)
    error = ops.abs(true - pred)  # 0 where nothing counts, so the maximum is the valid pixels'
    limit = ops.stop_gradient(threshold * ops.max(error, axis=(1, 2, 3), keepdims=True))
    safe_limit = ops.where(limit > 0, limit, 1.0)  # a perfect prediction
    squares = (error**2 + limit**2) / (2.0 * safe_limit)
    return masked_mean(ops.where(error <= limit, error, squares), valid)


@keras.saving.register_keras_serializable(package="densedepth_keras")
class L1Loss(MaskedLoss):
    """Mean absolute error in metres for `model.compile`; see `l1_loss` for the formula and `MaskedLoss` for the rest.

    Args:
        min_depth: metres.
        max_depth: metres.
        name: of the loss.
        reduction: over the batch, as in every Keras loss.

    Raises:
        ValueError: a range that is none.
    """

    formula = staticmethod(l1_loss)

    def __init__(
        self,
        min_depth: float = MIN_DEPTH,
        max_depth: float = MAX_DEPTH,
        *,
        name: str = "l1_loss",
        reduction: str = "sum_over_batch_size",
    ):
        super().__init__(min_depth, max_depth, name=name, reduction=reduction)


@keras.saving.register_keras_serializable(package="densedepth_keras")
class L2Loss(MaskedLoss):
    """Mean squared error in square metres for `model.compile`; see `l2_loss`. Arguments and errors as `L1Loss`."""

    formula = staticmethod(l2_loss)

    def __init__(
        self,
        min_depth: float = MIN_DEPTH,
        max_depth: float = MAX_DEPTH,
        *,
        name: str = "l2_loss",
        reduction: str = "sum_over_batch_size",
    ):
        super().__init__(min_depth, max_depth, name=name, reduction=reduction)


@keras.saving.register_keras_serializable(package="densedepth_keras")
class BerHuLoss(MaskedLoss):
    """Reverse Huber loss in metres for `model.compile`; see `berhu_loss` for the formula.

    Args:
        threshold: share of the image's largest error at which squares begin, above 0 to 1; FCRN's is 0.2.
        min_depth: metres.
        max_depth: metres.
        name: of the loss.
        reduction: over the batch, as in every Keras loss.

    Raises:
        ValueError: a threshold outside its range, or a range that is none.

    Reference:
        Laina et al. (FCRN), arXiv 1606.00373.
    """

    formula = staticmethod(berhu_loss)

    def __init__(
        self,
        threshold: float = 0.2,
        min_depth: float = MIN_DEPTH,
        max_depth: float = MAX_DEPTH,
        *,
        name: str = "berhu_loss",
        reduction: str = "sum_over_batch_size",
    ):
        super().__init__(min_depth, max_depth, name=name, reduction=reduction, threshold=threshold)
        if not 0 < threshold <= 1:
            raise ValueError(f"`threshold` must be above 0 and at most 1. Received: threshold={threshold}")
