"""DepthLoss: the paper's composite loss on reciprocal depth, blind to holes."""

import keras
from keras import ops

from densedepth_keras.depth import MAX_DEPTH, MIN_DEPTH, check_range, in_range, paired_maps, reciprocal
from densedepth_keras.losses.gradient import gradient_error
from densedepth_keras.losses.pointwise import mean_absolute_error
from densedepth_keras.losses.ssim import ssim


def depth_loss(
    y_true,
    y_pred,
    depth_weight: float = 0.1,
    gradient_weight: float = 1.0,
    ssim_weight: float = 1.0,
    min_depth: float = MIN_DEPTH,
    max_depth: float = MAX_DEPTH,
):
    """`depth_weight * L_depth + gradient_weight * L_grad + ssim_weight * L_SSIM`, one value per image.

    Both sides become reciprocals `max_depth / depth` first. A pixel whose ground truth is 0, NaN, infinite or outside
    the range takes part in none of the three terms and gets no gradient. `L_SSIM = clip((1 - SSIM) / 2, 0, 1)` with
    `max_val = max_depth / min_depth`.

    Args:
        y_true: metres, `(B, H, W, 1)` or `(B, H, W)`, any float type; H and W at least 11.
        y_pred: metres, positive, same shape.
        depth_weight: the paper's lambda.
        gradient_weight: weight of the edge term.
        ssim_weight: weight of the structure term.
        min_depth: metres.
        max_depth: metres.

    Returns:
        float32 `(B,)`, best 0; 0 for an image without a valid pixel.

    Raises:
        ValueError: shapes differ, or a side is smaller than SSIM's window.

    Reference:
        Krishna & Beura, equations 1-4; Alhashim & Wonka, arXiv 1812.11941, section 3.2.
    """
    depth, gradient, structure = depth_loss_terms(y_true, y_pred, min_depth, max_depth)
    return depth_weight * depth + gradient_weight * gradient + ssim_weight * structure


def depth_loss_terms(y_true, y_pred, min_depth: float = MIN_DEPTH, max_depth: float = MAX_DEPTH):
    """The three terms of `depth_loss` before weighting: `(L_depth, L_grad, L_SSIM)`, each float32 `(B,)`."""
    true, pred, valid = _masked_reciprocals(y_true, y_pred, min_depth, max_depth)
    similarity = ssim(true, pred, valid, max_val=max_depth / min_depth)
    return (
        mean_absolute_error(true, pred, valid),
        gradient_error(true, pred, valid),
        ops.clip((1.0 - similarity) / 2.0, 0.0, 1.0),
    )


def _masked_reciprocals(y_true, y_pred, min_depth, max_depth):
    y_true, y_pred = paired_maps(*(ops.cast(ops.convert_to_tensor(y), "float32") for y in (y_true, y_pred)))
    # NaN compares False, so this one mask covers holes of every kind. Substitute before dividing: where() afterwards
    # would leave NaN in the gradient.
    valid = in_range(y_true, min_depth, max_depth)
    true = reciprocal(ops.where(valid, y_true, max_depth), max_depth)
    # A foreign model may answer 0 or less; a millionth of the range keeps it finite and costs a sane one nothing.
    pred = ops.maximum(ops.where(valid, y_pred, max_depth), 1e-6 * max_depth)
    return true, reciprocal(pred, max_depth), ops.cast(valid, "float32")


@keras.saving.register_keras_serializable(package="densedepth_keras")
class DepthLoss(keras.losses.Loss):
    """The paper's composite loss for `model.compile`; see `depth_loss` for the formula.

    Every image's loss divides by what is valid in that image; the batch's is their mean, an image without a single
    measurement counting as 0. Computed in float32 whatever comes in.

    Args:
        depth_weight: the paper's lambda, 0.1.
        gradient_weight: weight of the edge term.
        ssim_weight: weight of the structure term.
        min_depth: metres.
        max_depth: metres, the numerator of the reciprocal.
        name: of the loss.
        reduction: over the batch, as in every Keras loss.

    Raises:
        ValueError: a negative weight, all weights 0, or a range that is none.

    Example:
        >>> model.compile("adam", loss=DepthLoss(max_depth=10.0))

    Reference:
        Krishna & Beura, equations 1-4.
    """

    def __init__(
        self,
        depth_weight: float = 0.1,
        gradient_weight: float = 1.0,
        ssim_weight: float = 1.0,
        min_depth: float = MIN_DEPTH,
        max_depth: float = MAX_DEPTH,
        *,
        name: str = "depth_loss",
        reduction: str = "sum_over_batch_size",
    ):
        super().__init__(name=name, reduction=reduction, dtype="float32")
        check_range(min_depth, max_depth)
        weights = {"depth_weight": depth_weight, "gradient_weight": gradient_weight, "ssim_weight": ssim_weight}
        if not (all(0 <= w < float("inf") for w in weights.values()) and any(weights.values())):
            received = ", ".join(f"{k}={v}" for k, v in weights.items())
            raise ValueError(f"Weights must not be negative, and not all 0. Received: {received}")
        self._arguments = {**weights, "min_depth": min_depth, "max_depth": max_depth}

    def call(self, y_true, y_pred):
        return depth_loss(y_true, y_pred, **self._arguments)

    def get_config(self):
        return {"name": self.name, "reduction": self.reduction, **self._arguments}
