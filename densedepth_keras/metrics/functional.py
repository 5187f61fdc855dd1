"""The definition of every metric: one image, NumPy, float64.

All take `(y_true, y_pred, valid_mask)`: metres of one image, any equal shape, and a boolean mask of the pixels that
count (`None`: all). All return a float, NaN where the mask is empty, and raise a ValueError on unequal shapes, or where
a valid pixel is NaN, infinite, or (for the metrics that divide or take logarithms) not positive.

Reference:
    Eigen, Puhrsch, Fergus, NeurIPS 2014, section 4.1, unless a function says otherwise.
"""

from collections.abc import Callable
from types import MappingProxyType

import numpy as np


def rmse(y_true, y_pred, valid_mask=None) -> float:
    """`sqrt(mean((y_true - y_pred)^2))`, metres; best 0. Krishna & Beura, equation 5."""
    true, pred = _valid(y_true, y_pred, valid_mask)
    return float(np.sqrt(_mean((true - pred) ** 2)))


def abs_rel(y_true, y_pred, valid_mask=None) -> float:
    """`mean(|y_true - y_pred| / y_true)`; best 0. Relative to the truth (the reference's code divides by the guess)."""
    true, pred = _valid(y_true, y_pred, valid_mask, positive=True)
    return float(_mean(np.abs(true - pred) / true))


def sq_rel(y_true, y_pred, valid_mask=None) -> float:
    """`mean((y_true - y_pred)^2 / y_true)`, metres; best 0."""
    true, pred = _valid(y_true, y_pred, valid_mask, positive=True)
    return float(_mean((true - pred) ** 2 / true))


def log10(y_true, y_pred, valid_mask=None) -> float:
    """`mean(|log10 y_true - log10 y_pred|)`; best 0. Saxena et al., TPAMI 2009."""
    true, pred = _valid(y_true, y_pred, valid_mask, positive=True)
    return float(_mean(np.abs(np.log10(true) - np.log10(pred))))


def rmse_log(y_true, y_pred, valid_mask=None) -> float:
    """`sqrt(mean((ln y_true - ln y_pred)^2))`; best 0."""
    true, pred = _valid(y_true, y_pred, valid_mask, positive=True)
    return float(np.sqrt(_mean((np.log(true) - np.log(pred)) ** 2)))


def silog(y_true, y_pred, valid_mask=None) -> float:
    """`100 * sqrt(mean(g^2) - mean(g)^2)` with `g = ln y_pred - ln y_true`; best 0, blind to one common scale.

    Reference:
        The KITTI depth prediction benchmark's SILog (x100), as BTS and its successors print it.
    """
    true, pred = _valid(y_true, y_pred, valid_mask, positive=True)
    if not true.size:
        return float("nan")
    return float(100 * np.std(np.log(pred) - np.log(true)))


def delta1(y_true, y_pred, valid_mask=None) -> float:
    """Share of pixels with `max(y_true / y_pred, y_pred / y_true) < 1.25`; best 1."""
    return _threshold(y_true, y_pred, valid_mask, 1.25)


def delta2(y_true, y_pred, valid_mask=None) -> float:
    """Share of pixels with `max(y_true / y_pred, y_pred / y_true) < 1.25^2`; best 1."""
    return _threshold(y_true, y_pred, valid_mask, 1.25**2)


def delta3(y_true, y_pred, valid_mask=None) -> float:
    """Share of pixels with `max(y_true / y_pred, y_pred / y_true) < 1.25^3`; best 1."""
    return _threshold(y_true, y_pred, valid_mask, 1.25**3)


METRICS: MappingProxyType[str, Callable[..., float]] = MappingProxyType(
    {
        "rmse": rmse,
        "abs_rel": abs_rel,
        "sq_rel": sq_rel,
        "log10": log10,
        "rmse_log": rmse_log,
        "silog": silog,
        "delta1": delta1,
        "delta2": delta2,
        "delta3": delta3,
    }
)
"""Name -> function, in the order reports print them."""


def _threshold(y_true, y_pred, valid_mask, limit):
    true, pred = _valid(y_true, y_pred, valid_mask, positive=True)
    return float(_mean(np.maximum(true / pred, pred / true) < limit))


def _mean(values):
    return values.mean() if values.size else np.nan


def _valid(y_true, y_pred, valid_mask, positive=False):
    true, pred = np.asarray(y_true), np.asarray(y_pred)
    mask = None if valid_mask is None else np.asarray(valid_mask)
    if true.shape != pred.shape or (mask is not None and (mask.shape != true.shape or mask.dtype != bool)):
        received = "" if mask is None else f", valid_mask={mask.dtype}{mask.shape}"
        raise ValueError(
            "`y_true`, `y_pred` and the boolean `valid_mask` must have one shape. Received: "
            f"y_true.shape={true.shape}, y_pred.shape={pred.shape}{received}"
        )
    if mask is not None:
        true, pred = true[mask], pred[mask]
    true, pred = true.astype(np.float64, copy=False).ravel(), pred.astype(np.float64, copy=False).ravel()
    for name, values in (("y_true", true), ("y_pred", pred)):
        if not np.isfinite(values).all() or (positive and (values <= 0).any()):
            kind = "finite and positive" if positive else "finite"
            bad = values[~np.isfinite(values) | (positive & (values <= 0))][0]
            raise ValueError(
                f"`{name}` must be {kind} at every valid pixel; mask holes out and clip predictions to the range "
                f"first. Received: {name} with a valid pixel of {bad}"
            )
    return true, pred
