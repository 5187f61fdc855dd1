"""Keras metrics for `fit`: pooled over all valid pixels seen, at whatever size the network answers.

They follow `functional` pixel by pixel, but one RMSE over all pixels is not the mean of per-image RMSEs that gets
published: that one comes from evaluation, at ground-truth size.
"""

import keras
from keras import ops

from densedepth_keras.depth import MAX_DEPTH, MIN_DEPTH, check_range, in_range, paired_maps


class MaskedMetric(keras.metrics.Metric):
    """Running mean of `error(y_true, y_pred)` over valid pixels; subclasses say what `error` is.

    Takes metres, `(B, H, W, 1)` or `(B, H, W)`; `sample_weight` is per image or per pixel. Ground truth that is 0, NaN
    or outside the range is masked; predictions are clipped to the range, as evaluation does. Before any valid pixel
    the result is 0, as Keras metrics answer.

    Args:
        min_depth: metres.
        max_depth: metres.
        name: of the metric.
        dtype: kept float32 by default, whatever the policy.
    """

    def __init__(self, min_depth: float = MIN_DEPTH, max_depth: float = MAX_DEPTH, *, name=None, dtype="float32"):
        super().__init__(name=name, dtype=dtype)
        check_range(min_depth, max_depth)
        self.min_depth, self.max_depth = float(min_depth), float(max_depth)
        self.total = self.add_variable((), "zeros", name="total")
        self.count = self.add_variable((), "zeros", name="count")

    @staticmethod
    def error(y_true, y_pred):
        """Per-pixel value that the metric averages."""
        raise NotImplementedError

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_true, y_pred = paired_maps(*(ops.cast(ops.convert_to_tensor(y), self.dtype) for y in (y_true, y_pred)))
        valid = in_range(y_true, self.min_depth, self.max_depth)
        true = ops.where(valid, y_true, self.max_depth)
        pred = ops.where(valid, ops.clip(y_pred, self.min_depth, self.max_depth), self.max_depth)
        weights = ops.cast(valid, self.dtype)
        if sample_weight is not None:
            sample_weight = ops.cast(ops.convert_to_tensor(sample_weight), self.dtype)
            while len(sample_weight.shape) < 4:  # per image or per pixel
                sample_weight = ops.expand_dims(sample_weight, -1)
            weights = weights * sample_weight
        self.total.assign_add(ops.sum(self.error(true, pred) * weights))
        self.count.assign_add(ops.sum(weights))

    def result(self):
        return ops.divide_no_nan(self.total, self.count)

    def get_config(self):
        return {**super().get_config(), "min_depth": self.min_depth, "max_depth": self.max_depth}


@keras.saving.register_keras_serializable(package="densedepth_keras")
class RMSE(MaskedMetric):
    """Pooled `sqrt(mean((y_true - y_pred)^2))`, metres; see `functional.rmse`."""

    def __init__(self, *args, name="rmse", **kwargs):
        super().__init__(*args, name=name, **kwargs)

    @staticmethod
    def error(y_true, y_pred):
        return (y_true - y_pred) ** 2

    def result(self):
        return ops.sqrt(super().result())


@keras.saving.register_keras_serializable(package="densedepth_keras")
class AbsRel(MaskedMetric):
    """Pooled `mean(|y_true - y_pred| / y_true)`; see `functional.abs_rel`."""

    def __init__(self, *args, name="abs_rel", **kwargs):
        super().__init__(*args, name=name, **kwargs)

    @staticmethod
    def error(y_true, y_pred):
        return ops.abs(y_true - y_pred) / y_true


@keras.saving.register_keras_serializable(package="densedepth_keras")
class Delta1(MaskedMetric):
    """Pooled share of `max(y_true / y_pred, y_pred / y_true) < 1.25`; see `functional.delta1`."""

    def __init__(self, *args, name="delta1", **kwargs):
        super().__init__(*args, name=name, **kwargs)

    @staticmethod
    def error(y_true, y_pred):
        return ops.cast(ops.maximum(y_true / y_pred, y_pred / y_true) < 1.25, y_pred.dtype)
