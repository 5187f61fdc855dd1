"""What the loss classes share: a range, a formula per image, and arguments that survive serialization."""

import keras

from densedepth_keras.depth import check_range


class MaskedLoss(keras.losses.Loss):
    """Base of the losses on metres; a subclass names its formula and its arguments.

    `formula(y_true, y_pred, **arguments)` takes metres and gives one value per image, divided by what is valid in that
    image. A batch's loss is the mean of its images', an image without a single measurement counting as 0, so it does
    not depend on how the batch is divided over devices. Computed in float32 whatever comes in.

    Args:
        min_depth: metres; ground truth below takes no part.
        max_depth: metres; ground truth beyond takes no part.
        name: of the loss.
        reduction: over the batch, as in every Keras loss.
        **arguments: what else the formula takes.

    Raises:
        ValueError: a range that is none.
    """

    formula = None

    def __init__(self, min_depth: float, max_depth: float, *, name: str, reduction: str, **arguments):
        super().__init__(name=name, reduction=reduction, dtype="float32")
        check_range(min_depth, max_depth)
        self._arguments = {**arguments, "min_depth": min_depth, "max_depth": max_depth}

    def call(self, y_true, y_pred):
        return self.formula(y_true, y_pred, **self._arguments)

    def term_metrics(self) -> list[keras.metrics.Metric]:
        """Metrics for `model.compile` that log the terms of the loss one by one; none for a loss of one term."""
        return []

    def get_config(self):
        return {"name": self.name, "reduction": self.reduction, **self._arguments}


def check_weights(**weights: float) -> None:
    """Raises a ValueError unless all weights are finite and not negative, and one is positive."""
    if not (all(0 <= w < float("inf") for w in weights.values()) and any(weights.values())):
        received = ", ".join(f"{k}={v}" for k, v in weights.items())
        raise ValueError(f"Weights must not be negative, and not all 0. Received: {received}")
