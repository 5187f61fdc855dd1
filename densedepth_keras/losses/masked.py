"""What every loss shares: maps blind to invalid pixels, and means over what is valid, per image."""

from keras import ops

from densedepth_keras.depth import in_range, paired_maps, reciprocal

LARGEST = 1e15
"""Metres beyond which a prediction is cut: its square, summed over an image, still fits float32."""

FLOOR = 1e-6
"""Share of `max_depth` that a prediction of 0 or less is lifted to before a division or a logarithm."""


def masked_metres(y_true, y_pred, min_depth: float, max_depth: float):
    """Both maps with `max_depth` wherever the truth is unusable, and the mask of the pixels that count.

    Unusable is 0, NaN, infinity and whatever lies outside the range. There both maps are equal and the prediction
    gets no gradient, whatever it is.

    Args:
        y_true: metres, `(B, H, W, 1)` or `(B, H, W)`, any float type.
        y_pred: metres, same shape, any value.
        min_depth: metres.
        max_depth: metres.

    Returns:
        `(true, pred, valid_mask)`, float32 `(B, H, W, 1)`; finite unless the prediction is NaN at a valid pixel.

    Raises:
        ValueError: shapes differ.
    """
    y_true, y_pred = paired_maps(*(ops.cast(ops.convert_to_tensor(y), "float32") for y in (y_true, y_pred)))
    # NaN compares False, so this one mask covers holes of every kind. Substitute before computing: where() afterwards
    # would leave NaN in the gradient.
    valid = in_range(y_true, min_depth, max_depth)
    true, pred = (ops.where(valid, y, max_depth) for y in (y_true, y_pred))
    return true, ops.clip(pred, -LARGEST, LARGEST), ops.cast(valid, "float32")


def masked_reciprocals(y_true, y_pred, min_depth: float, max_depth: float):
    """`masked_metres` as `max_depth / depth`: 1 where nothing counts, at most `1 / FLOOR`."""
    true, pred, valid = masked_metres(y_true, y_pred, min_depth, max_depth)
    return reciprocal(true, max_depth), reciprocal(_lifted(pred, max_depth), max_depth), valid


def masked_logarithms(y_true, y_pred, min_depth: float, max_depth: float):
    """`masked_metres` as natural logarithms: equal where nothing counts."""
    true, pred, valid = masked_metres(y_true, y_pred, min_depth, max_depth)
    return ops.log(true), ops.log(_lifted(pred, max_depth)), valid


def _lifted(pred, max_depth):
    # A foreign model may answer 0 or less; a millionth of the range keeps it finite and costs a sane one nothing.
    return ops.maximum(pred, FLOOR * max_depth)


def masked_mean(values, weights):
    """Mean of `values` weighted by `weights`, per image; 0 for an image without any weight.

    Args:
        values: float32 `(B, H, W, C)`; must be finite where the weight is 0 too.
        weights: float32, same shape, 0 where nothing was measured.

    Returns:
        `(B,)`.
    """
    axes = (1, 2, 3)
    total = ops.sum(weights, axis=axes)
    # Substitute before dividing: an image without measurements gives 0 with a zero gradient, not 0/0.
    return ops.sum(values * weights, axis=axes) / ops.where(total > 0, total, 1.0)
