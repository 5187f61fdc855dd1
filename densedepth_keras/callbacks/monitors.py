"""Callbacks that watch one value of the validation: stop early, lower the learning rate."""

import math

import keras


class EarlyStopping(keras.callbacks.EarlyStopping):
    """Stops once val_rmse, metres, has not fallen below its lowest for `patience` epochs.

    Args:
        patience: epochs, at least 1.
        first_epoch: from 0 on; those before it do not count, e.g. those with a frozen encoder.

    Raises:
        ValueError: a patience below 1.
    """

    def __init__(self, patience: int, first_epoch: int = 0):
        if patience < 1:
            raise ValueError(f"`patience` must be at least 1, in epochs. Received: patience={patience}")
        super().__init__(monitor="val_rmse", mode="min", patience=patience, start_from_epoch=first_epoch)
        self.best = math.inf  # Keras' None would take a first NaN for the best there can be

    @property
    def stopped(self) -> bool:
        """Whether the run is over; the model's own `stop_training` is forgotten by the next `fit`."""
        return self.wait >= self.patience

    def on_train_begin(self, logs=None):
        """Nothing is forgotten here, other than Keras does: a run is several fits."""

    def state(self) -> dict:
        return {"best": _or_none(self.best), "wait": self.wait}

    def set_state(self, state: dict) -> None:
        self.best, self.wait = _or_inf(state["best"]), state["wait"]


class ReduceOnPlateau(keras.callbacks.ReduceLROnPlateau):
    """Multiplies the learning rate by 0.7 once val_loss has not fallen by 0.01 for 5 epochs, down to 9e-5.

    A rate that starts below 9e-5 stays as it is. It adds the epoch's `learning_rate` to the logs.

    Reference: DenseDepth, callbacks.py of the published code (its rate starts at 1e-4: it is lowered once).
    """

    def __init__(self):
        super().__init__(monitor="val_loss", mode="min", factor=0.7, patience=5, min_delta=1e-2, min_lr=9e-5)
        self.best = math.inf

    def on_train_begin(self, logs=None):
        """Nothing is forgotten here, other than Keras does: a run is several fits."""

    def state(self) -> dict:
        return {"best": _or_none(self.best), "wait": self.wait}

    def set_state(self, state: dict) -> None:
        self.best, self.wait = _or_inf(state["best"]), state["wait"]


def _or_none(best):
    """JSON has no infinity."""
    return None if math.isinf(best) else float(best)


def _or_inf(best):
    return math.inf if best is None else best
