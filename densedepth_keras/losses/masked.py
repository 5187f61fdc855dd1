"""Means over what is valid, per image."""

from keras import ops


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
