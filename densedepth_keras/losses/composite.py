"""DepthLoss: the paper's composite loss on reciprocal depth, blind to holes."""

import keras

from densedepth_keras.depth import MAX_DEPTH, MIN_DEPTH
from densedepth_keras.losses.base import MaskedLoss, check_weights
from densedepth_keras.losses.terms import TERMS, DepthLossTerm, depth_loss_terms


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


@keras.saving.register_keras_serializable(package="densedepth_keras")
class DepthLoss(MaskedLoss):
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
        >>> loss = DepthLoss(max_depth=10.0)
        >>> model.compile("adam", loss=loss, metrics=loss.term_metrics())

    Reference:
        Krishna & Beura, equations 1-4.
    """

    formula = staticmethod(depth_loss)

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
        weights = {"depth_weight": depth_weight, "gradient_weight": gradient_weight, "ssim_weight": ssim_weight}
        super().__init__(min_depth, max_depth, name=name, reduction=reduction, **weights)
        check_weights(**weights)

    def term_metrics(self) -> list[keras.metrics.Metric]:
        """`l_depth`, `l_grad` and `l_ssim` for the training log, with the loss's own range."""
        limits = self._arguments["min_depth"], self._arguments["max_depth"]
        return [DepthLossTerm(term, *limits) for term in TERMS]
