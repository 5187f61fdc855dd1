"""Optimisers for runs in stages: Keras' own, and what several `fit` calls and an encoder of its own rate need."""

from collections.abc import Collection

import keras
from keras import ops


class Staged:
    """Adds to an optimiser what a run in stages needs; stands in front of a Keras class.

    - Weights named in `encoder_paths` step, and decay, with `learning_rate * encoder_scale`. (To scale their
      gradients would do nothing: Adam divides by the gradients' size.)
    - With `use_ema`, the end of a `fit` leaves the weights alone: Keras would put their averages in their place, and
      the next stage would go on from those. `averaged_weights` gives the averages.
    - With gradient accumulation, averages move with the weights, once an update. Keras moves them every batch, which
      makes `ema_momentum` to the power of the steps out of it.
    - Under tf.distribute, `global_clipnorm` bounds the gradient of the whole batch. Keras clips every replica's
      share of it, before they are added up.

    Args:
        learning_rate: float or schedule.
        encoder_scale: factor on the learning rate of the encoder's weights.
        encoder_paths: `path` of every weight of the encoder; those that are not trained may be among them.
        encoder_positions: places of the encoder's weights among the trainable ones. Found by `build`, and kept by the
            config: in a model read from a file, weights of nested layers have other paths.

    Raises:
        ValueError: gradient accumulation under tf.distribute.MirroredStrategy.
    """

    def __init__(
        self,
        learning_rate,
        *,
        encoder_scale: float = 1.0,
        encoder_paths: Collection[str] = (),
        encoder_positions: Collection[int] | None = None,
        **kwargs,
    ):
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.encoder_scale, self.encoder_paths = float(encoder_scale), tuple(encoder_paths)
        self.encoder_positions = None if encoder_positions is None else tuple(encoder_positions)
        if self.gradient_accumulation_steps and "Mirrored" in type(self._strategy).__name__:
            raise ValueError(
                "`accumulate_steps` must be 1 under tf.distribute.MirroredStrategy: Keras accumulates in a branch, and "
                f"in a branch replicas cannot meet. Received: accumulate_steps={self.gradient_accumulation_steps}"
            )

    @property
    def _strategy(self):
        return getattr(self, "_distribution_strategy", None)  # TensorFlow's; JAX sees the whole batch at once

    def build(self, variables):
        if self.encoder_positions is None:
            paths = set(self.encoder_paths)
            self.encoder_positions = tuple(i for i, variable in enumerate(variables) if variable.path in paths)
        super().build(variables)

    def update_step(self, gradient, variable, learning_rate):
        scale = self.encoder_scale if self._get_variable_index(variable) in self.encoder_positions else 1.0
        learning_rate = ops.multiply(ops.cast(learning_rate, variable.dtype), scale)
        if self.weight_decay is not None and self._use_weight_decay(variable):
            self.assign_sub(variable, ops.multiply(variable, ops.multiply(learning_rate, self.weight_decay)))
        super().update_step(gradient, variable, learning_rate)

    def _apply_weight_decay(self, variables):
        """Nothing: `update_step` does it, which knows each weight's rate."""

    def _clip_gradients(self, grads):
        if not self.global_clipnorm or getattr(self._strategy, "num_replicas_in_sync", 1) == 1:
            return super()._clip_gradients(grads)
        summed = [ops.sum(ops.square(grad)) for grad, _ in self._all_reduce_sum_gradients([(g, None) for g in grads])]
        norm = ops.sqrt(ops.sum(ops.stack(summed)))
        return [grad * (self.global_clipnorm / ops.maximum(norm, self.global_clipnorm)) for grad in grads]

    def _update_model_variables_moving_average(self, trainable_variables):
        updated = ops.equal((self._iterations + 1) % (self.gradient_accumulation_steps or 1), 0)
        momentum = ops.where(ops.equal(self.iterations, 0), 0.0, self.ema_momentum)  # the first update is taken whole
        momentum = ops.where(updated, momentum, 1.0)
        for variable, average in zip(trainable_variables, self._model_variables_moving_average, strict=True):
            if average is not None:
                average.assign(ops.add(ops.multiply(momentum, average), ops.multiply(1 - momentum, variable)))

    def finalize_variable_values(self, var_list):
        """Leaves the weights as they are; see the class."""

    def get_config(self):
        return {
            **super().get_config(),
            "encoder_scale": self.encoder_scale,
            "encoder_paths": list(self.encoder_paths),
            "encoder_positions": None if self.encoder_positions is None else list(self.encoder_positions),
        }


@keras.saving.register_keras_serializable(package="densedepth_keras")
class StagedAdam(Staged, keras.optimizers.Adam):
    """Adam for a run in stages; see `Staged`."""


@keras.saving.register_keras_serializable(package="densedepth_keras")
class StagedAdamW(Staged, keras.optimizers.AdamW):
    """AdamW for a run in stages; see `Staged`. All weights decay, biases too, as in the paper (arXiv:1711.05101)."""


@keras.saving.register_keras_serializable(package="densedepth_keras")
class StagedSGD(Staged, keras.optimizers.SGD):
    """Gradient descent with momentum for a run in stages; see `Staged`."""
