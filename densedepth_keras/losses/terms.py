"""The three terms of DepthLoss, and the metric that puts one of them in the log."""

from collections.abc import Callable
from types import MappingProxyType
from typing import NamedTuple

import keras
from keras import ops

from densedepth_keras.depth import MAX_DEPTH, MIN_DEPTH, check_range
from densedepth_keras.losses.gradient import gradient_error
from densedepth_keras.losses.masked import masked_reciprocals
from densedepth_keras.losses.pointwise import mean_absolute_error
from densedepth_keras.losses.ssim import ssim
from densedepth_keras.names import check_name


def structure_error(y_true, y_pred, valid_mask, max_val: float):
    """`clip((1 - SSIM) / 2, 0, 1)`, arguments as `ssim`'s; `(B,)`, best 0. Krishna & Beura, equation 4."""
    return ops.clip((1.0 - ssim(y_true, y_pred, valid_mask, max_val=max_val)) / 2.0, 0.0, 1.0)


class Term(NamedTuple):
    """One term of DepthLoss.

    Attributes:
        log_name: what it is called in the training log.
        error: `(true, pred, valid_mask, max_val)` of reciprocals -> `(B,)`.
    """

    log_name: str
    error: Callable


TERMS = MappingProxyType(
    {
        "depth": Term("l_depth", lambda true, pred, valid, max_val: mean_absolute_error(true, pred, valid)),
        "gradient": Term("l_grad", lambda true, pred, valid, max_val: gradient_error(true, pred, valid)),
        "ssim": Term("l_ssim", structure_error),
    }
)
"""Name -> Term, in the order of the paper's equation 1. Read-only."""


def depth_loss_terms(y_true, y_pred, min_depth: float = MIN_DEPTH, max_depth: float = MAX_DEPTH):
    """The three terms of `depth_loss` before weighting: `(L_depth, L_grad, L_SSIM)`, each float32 `(B,)`."""
    maps = masked_reciprocals(y_true, y_pred, min_depth, max_depth)
    return tuple(term.error(*maps, max_depth / min_depth) for term in TERMS.values())


@keras.saving.register_keras_serializable(package="densedepth_keras")
class DepthLossTerm(keras.metrics.Mean):
    """Running mean over images of one term of `DepthLoss`, before weighting.

    An image without a valid pixel counts as 0, as in the loss: the weighted sum of the three is the logged loss.
    Computes its own term and no other, so the three together cost one more evaluation of the loss, without gradient.
    `sample_weight` is per image.

    Args:
        term: `"depth"`, `"gradient"` or `"ssim"`.
        min_depth: metres.
        max_depth: metres.
        name: None for the term's: `l_depth`, `l_grad`, `l_ssim`.
        dtype: kept float32 by default, whatever the policy.

    Raises:
        ValueError: an unknown term, or a range that is none.

    Example:
        >>> model.compile("adam", loss=DepthLoss(), metrics=[DepthLossTerm("ssim")])
    """

    def __init__(
        self, term: str, min_depth: float = MIN_DEPTH, max_depth: float = MAX_DEPTH, *, name=None, dtype="float32"
    ):
        check_name(term, TERMS, "term", "term")
        check_range(min_depth, max_depth)
        super().__init__(name=name or TERMS[term].log_name, dtype=dtype)
        self.term, self.min_depth, self.max_depth = term, float(min_depth), float(max_depth)

    def update_state(self, y_true, y_pred, sample_weight=None):
        maps = masked_reciprocals(y_true, y_pred, self.min_depth, self.max_depth)
        values = TERMS[self.term].error(*maps, self.max_depth / self.min_depth)
        super().update_state(values, sample_weight=sample_weight)

    def get_config(self):
        own = {"term": self.term, "min_depth": self.min_depth, "max_depth": self.max_depth}
        return {**super().get_config(), **own}
