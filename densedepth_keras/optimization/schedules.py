"""The learning rate over a run."""

from collections.abc import Callable
from types import MappingProxyType

import keras
from keras import ops

from densedepth_keras.names import check_name

COSINE_END = 0.01
"""Share of the peak that the cosine falls to."""

POLYNOMIAL_POWER, POLYNOMIAL_END = 0.9, 0.1
"""Of the polynomial fall. Source: BTS (Lee et al., arXiv:1907.10326); the end is the default of its published code."""

ONE_CYCLE_RISE, ONE_CYCLE_START, ONE_CYCLE_END = 0.3, 1 / 25, 1 / 25 / 1e4
"""Share of the run in which the rate rises, shares of the peak at both ends. Source: Smith & Topin, Super-Convergence
(arXiv:1708.07120), with the constants and the two phases that fastai and PyTorch settled on."""


@keras.saving.register_keras_serializable(package="densedepth_keras")
class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """A straight rise from `start` to `peak`, then another schedule; may begin in the middle, with a rise of its own.

    Args:
        after: what comes behind the rise, counted from its end: a schedule, or a float.
        peak: learning rate at the end of the rise.
        warmup_steps: length of the rise.
        start: learning rate at step 0.
        first_step: what step 0 of the optimiser is of the run.
        fresh_steps: over which all of it is raised from 0, counted from the optimiser's step 0.
    """

    def __init__(
        self, after, peak: float, warmup_steps: int, start: float = 0.0, first_step: int = 0, fresh_steps: int = 0
    ):
        super().__init__()
        self.after, self.peak, self.start = after, float(peak), float(start)
        self.warmup_steps, self.first_step, self.fresh_steps = int(warmup_steps), int(first_step), int(fresh_steps)

    def __call__(self, step):
        rate = self._rate_at(ops.add(step, self.first_step))
        if not self.fresh_steps:
            return rate
        return rate * (ops.cast(ops.minimum(step, self.fresh_steps), keras.config.floatx()) / self.fresh_steps)

    def _rate_at(self, step):
        risen = ops.cast(ops.minimum(step, self.warmup_steps), keras.config.floatx()) / max(1, self.warmup_steps)
        behind = ops.maximum(ops.subtract(step, self.warmup_steps), 0)
        after = self.after(behind) if callable(self.after) else self.after
        return ops.where(ops.less(step, self.warmup_steps), self.start + (self.peak - self.start) * risen, after)

    def get_config(self):
        return {
            "after": keras.saving.serialize_keras_object(self.after),
            "peak": self.peak,
            "warmup_steps": self.warmup_steps,
            "start": self.start,
            "first_step": self.first_step,
            "fresh_steps": self.fresh_steps,
        }

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "after": keras.saving.deserialize_keras_object(config["after"])})


def _constant(peak, steps):
    return peak


def _cosine(peak, steps):
    return keras.optimizers.schedules.CosineDecay(peak, steps, alpha=COSINE_END)


def _polynomial(peak, steps):
    return keras.optimizers.schedules.PolynomialDecay(peak, steps, peak * POLYNOMIAL_END, power=POLYNOMIAL_POWER)


def _one_cycle(peak, steps):
    return keras.optimizers.schedules.CosineDecay(peak, steps, alpha=ONE_CYCLE_END)


SCHEDULES: MappingProxyType[str, Callable] = MappingProxyType(
    {
        "constant": _constant,
        "plateau": _constant,  # a callback lowers it
        "cosine": _cosine,
        "polynomial": _polynomial,
        "one-cycle": _one_cycle,
    }
)
"""Name -> the learning rate behind its warm-up, as a function of the peak and the steps that are left. Read-only."""


def make_schedule(
    name: str, peak: float, total_steps: int, *, warmup_steps: int = 0, first_step: int = 0, fresh_steps: int = 0
):
    """The learning rate over a run, in training steps (batches), also where gradients are accumulated over several.

    Args:
        name: of `SCHEDULES`.
        peak: highest learning rate; positive.
        total_steps: of the whole run.
        warmup_steps: in which the rate rises from 0 to the peak, before anything else.
        first_step: of the run, at which the optimiser begins: it counts its own steps from 0.
        fresh_steps: over which an optimiser that begins late is led from 0 to the schedule, in a straight rise.

    Returns:
        A float where it stays the same (the optimiser then holds it as a variable that callbacks may assign), else a
        `LearningRateSchedule`.

    Raises:
        ValueError: an unknown name; a warm-up as long as the run, or of a schedule that takes none.
    """
    check_name(name, SCHEDULES, "schedule", "schedule")
    check("learning_rate", peak, 0 < peak < float("inf"), "positive")
    check("total_steps", total_steps, total_steps >= 1, "1 or more")
    check("first_step", first_step, 0 <= first_step < total_steps, f"a step of the run, 0 to {total_steps - 1}")
    check("warmup_steps", warmup_steps, 0 <= warmup_steps < total_steps, f"shorter than the run's {total_steps} steps")
    check("fresh_steps", fresh_steps, fresh_steps >= 0, "0 or more")
    if name == "one-cycle":
        check("warmup_steps", warmup_steps, warmup_steps == 0, "0: the one-cycle schedule has a rise of its own")
    if name == "plateau":
        check("warmup_steps", warmup_steps, warmup_steps == 0, "0: under plateau a callback sets the learning rate")
        check("fresh_steps", fresh_steps, fresh_steps == 0, "0: under plateau a callback sets the learning rate")
    peak, start = float(peak), 0.0
    if name == "one-cycle":
        warmup_steps, start = int(ONE_CYCLE_RISE * total_steps), peak * ONE_CYCLE_START
    after = SCHEDULES[name](peak, total_steps - warmup_steps)
    if not warmup_steps and not fresh_steps and (not first_step or not callable(after)):
        return after
    return WarmUp(after, peak, warmup_steps, start, first_step, fresh_steps)


def check(argument, value, fine, expected):
    if not fine:
        raise ValueError(f"`{argument}` must be {expected}. Received: {argument}={value!r}")
