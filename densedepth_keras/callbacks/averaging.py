"""AveragedWeights: validation sees the moving average of the weights, training goes on from the weights."""

from collections.abc import Callable

import keras
from keras import ops


class AveragedWeights(keras.callbacks.Callback):
    """Puts the averages into the model when a validation begins, and the weights back when the epoch ends.

    In between the model is the averaged one: `val_` metrics, the best model, pictures. The weights wait in the host's
    memory, and the averages are never written to, so that both are, to the bit, what they were. (Keras' own
    SwapEMAWeights adds and subtracts under TensorFlow, which rounds.)

    It stands behind all callbacks that look at the averaged model, in front of the one that saves the state.

    Args:
        averages: gives the average of each of `model.trainable_variables`, or None where nothing is averaged.
    """

    def __init__(self, averages: Callable[[], list | None]):
        super().__init__()
        self.averages = averages
        self._weights = None

    def on_test_begin(self, logs=None):
        averages = self.averages()
        if averages is None or self._weights is not None:
            return
        variables = self.model.trainable_variables
        _check_parallel(variables, averages)
        self._weights = [ops.convert_to_numpy(variable) for variable in variables]
        for variable, average in zip(variables, averages, strict=True):
            # A copy: under JAX both would hold one buffer, which the next compiled step frees.
            variable.assign(ops.copy(average))

    def on_epoch_end(self, epoch, logs=None):
        self.restore()

    def restore(self) -> None:
        """Puts the weights back where the averages are in the model: after a validation that did not end, too."""
        if self._weights is None:
            return
        for variable, weight in zip(self.model.trainable_variables, self._weights, strict=True):
            variable.assign(weight)
        self._weights = None


def _check_parallel(variables, averages):
    shapes, averaged = ([tuple(variable.shape) for variable in some] for some in (variables, averages))
    if shapes != averaged:
        raise ValueError(
            "`averages` must give one average for each trainable variable, of its shape. "
            f"Received: averages of {len(averaged)} variables, the model has {len(shapes)}"
        )
