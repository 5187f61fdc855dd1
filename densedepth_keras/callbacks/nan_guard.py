"""NanGuard: the first batch whose loss is no finite number ends the run, by name."""

import math
from collections.abc import Callable

import keras

ROWS_NAMED = 8


class NanGuard(keras.callbacks.Callback):
    """Raises at the first step whose loss is NaN or infinite.

    Keras logs the mean of the epoch so far, which is finite up to that step. A gradient that is no number shows one
    step later, in the loss of the next batch, and with accumulation at the next change of the weights. Under loss
    scaling gradients may overflow while the loss stays finite; those steps the optimiser leaves out by itself.

    Args:
        rows: names of the rows of one batch, given its epoch and step in the run, both from 0.
        position: epoch and step in the run, both from 0, of a batch by its number in this `fit`, which counts from 0
            again where a run goes on in the middle of an epoch.
        kept: a sentence on what is left of the run: "The model of epoch 3 is kept."
    """

    def __init__(
        self,
        rows: Callable[[int, int], list[str]],
        position: Callable[[int], tuple[int, int]],
        kept: Callable[[], str] = lambda: "",
    ):
        super().__init__()
        self.rows, self.position, self.kept = rows, position, kept

    def on_train_batch_end(self, batch, logs=None):
        """Raises ValueError. Does not touch `self.model`: JAX would copy its state at every step."""
        if math.isfinite(logs["loss"]):
            return
        epoch, step = self.position(batch)
        message = (
            f"Training diverged: the loss is no finite number in step {step + 1} of epoch {epoch + 1}. "
            f"Rows of that batch: {_listed(self.rows(epoch, step))}. Try a lower --learning-rate or --clip-norm 1, and "
            f"look at the depth of these rows; if it is sound, the step before has spoilt the weights. {self.kept()}"
        )
        raise ValueError(f"{message.rstrip()} Received: loss={logs['loss']}")


def _listed(rows):
    more = f" and {len(rows) - ROWS_NAMED} more" if len(rows) > ROWS_NAMED else ""
    return ", ".join(rows[:ROWS_NAMED]) + more
