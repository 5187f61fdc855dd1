"""One run as several calls of `fit`: split where the encoder is unfrozen and where a resumed epoch goes on."""

import os
import time
from pathlib import Path
from typing import NamedTuple

import keras

from densedepth_keras.callbacks import AveragedWeights
from densedepth_keras.config import TrainConfig
from densedepth_keras.interruption import Interruption
from densedepth_keras.model_setup import compile_model, unfreeze_encoder, warmup_steps
from densedepth_keras.optimization import current_learning_rate
from densedepth_keras.saved_state import State, restore, save_state, state_variables
from densedepth_keras.training_data import TrainingData

MEMORY = "callbacks"
"""Where the callbacks' memories lie among the facts of a saved state."""


class Position(keras.callbacks.Callback):
    """Where a run is: the epoch, the steps done in it, the log so far. First in the list of callbacks.

    Attributes:
        epoch: from 0 on.
        step: steps of this epoch that are done.
        logs: averages over those steps.
    """

    def __init__(self):
        super().__init__()
        self.epoch, self.step, self.logs = 0, 0, {}

    def of_batch(self, batch: int) -> tuple[int, int]:
        """Epoch and step, both from 0, of the batch that has just been trained on."""
        return self.epoch, self.step - 1

    def on_epoch_begin(self, epoch, logs=None):
        if epoch != self.epoch:
            self.epoch, self.step = epoch, 0

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        self.logs = {name: float(value) for name, value in (logs or {}).items()}


class Course(NamedTuple):
    """What stays the same over all parts of a run.

    Attributes:
        config: the run's, resolved.
        state_file: where the state is saved; None where another process does that.
        data: both splits.
        callbacks: in the order of `fit`, without position and saver; those with `state` and `set_state` are remembered.
        position: where the run is; first in the list of callbacks.
        interruption: of the process by a signal.
        resume_command: what goes on with the run, for the message of one that was stopped.
    """

    config: TrainConfig
    state_file: Path | None
    data: TrainingData
    callbacks: dict[str, keras.callbacks.Callback]
    position: Position
    interruption: Interruption
    resume_command: str = "--resume"

    @property
    def steps_per_epoch(self) -> int:
        return self.config.steps_per_epoch or self.data.training.steps_per_epoch

    @property
    def total_steps(self) -> int:
        return self.config.epochs * self.steps_per_epoch


class StateSaver(keras.callbacks.Callback):
    """Saves the state after every epoch, every so many steps, and when a signal asks for the end. Last in the list."""

    def __init__(self, course: Course, seconds: float):
        super().__init__()
        self.course, self.position = course, course.position
        self._seconds, self._started = seconds, time.perf_counter()

    @property
    def seconds(self) -> float:
        """Of training, those before a resume included."""
        return self._seconds + time.perf_counter() - self._started

    def on_train_batch_end(self, batch, logs=None):
        place, every = self.position, self.course.config.save_every
        done = place.epoch * self.course.steps_per_epoch + place.step
        if self._is_asked:
            self._stop()
        elif every and done % every == 0 and place.step < self.course.steps_per_epoch:
            self.save(place.epoch, place.step)

    def on_test_begin(self, logs=None):
        # Validation empties the metrics it shares with training; the log of the epoch is in the position already.
        self._stop_if_asked()

    def on_test_batch_end(self, batch, logs=None):
        self._stop_if_asked()

    def on_epoch_end(self, epoch, logs=None):
        self.save(epoch + 1, 0)
        if self._is_asked:
            raise self._end()

    def save(self, epoch: int, step: int) -> None:
        """Writes the state of the moment, to be gone on with from there."""
        if self.course.state_file is None:
            return
        facts = {
            "epoch": epoch,
            "step": step,
            "logs": self.position.logs,
            "seconds": self.seconds,
            "learning_rate": self.course.config.learning_rate,
            MEMORY: {
                name: callback.state() for name, callback in self.course.callbacks.items() if hasattr(callback, "state")
            },
        }
        save_state(self.course.state_file, state_variables(self.model), facts)

    @property
    def _is_asked(self):
        """Of several processes the one that saves ends the run; the others, asked as well, notice that."""
        return self.course.state_file is not None and self.course.interruption.requested

    def _stop_if_asked(self):
        if self._is_asked:
            self._stop()

    def _stop(self):
        for callback in self.course.callbacks.values():
            if isinstance(callback, AveragedWeights):
                callback.restore()  # the weights that are trained, not their averages
        self.save(self.position.epoch, self.position.step)
        raise self._end()

    def _end(self):
        place, course = self.position, self.course
        return KeyboardInterrupt(
            course.interruption.requested,
            f"stopped in epoch {place.epoch + 1} of {course.config.epochs} after {place.step} of "
            f"{course.steps_per_epoch} steps, all of it saved. Go on with: {course.resume_command}",
        )


class _RestoredMetrics(keras.callbacks.Callback):
    """Puts the averages of an epoch begun earlier back, behind Keras' reset of them."""

    def __init__(self, state: State):
        super().__init__()
        self.state = state

    def on_epoch_begin(self, epoch, logs=None):
        if self.state is not None:
            restore(self.state, {"metrics": state_variables(self.model)["metrics"]})
            self.state = None


class _Until(keras.callbacks.Callback):
    """Ends a call of `fit` after so many epochs of the run, while Keras shows how many the whole run has."""

    def __init__(self, end: int):
        super().__init__()
        self.end = end

    def on_epoch_end(self, epoch, logs=None):
        if epoch + 1 >= self.end:
            self.model.stop_training = True


def fit_course(model: keras.Model, course: Course, state: State | None = None) -> float:
    """Fits a model from its start, or from a saved state, to the last epoch.

    Args:
        model: not compiled; frozen where the config says so.
        course: all that stays the same.
        state: to go on from.

    Returns:
        The seconds of training, those before a resume included.

    Raises:
        ValueError: a state that does not fit, a loss that is no number.
        KeyboardInterrupt: Ctrl-C or SIGTERM; the state is saved.
        OSError: the disk is full.
    """
    facts = {"epoch": 0, "step": 0, "logs": {}, "seconds": 0.0, MEMORY: {}} if state is None else state.facts
    position = course.position
    position.epoch, position.step, position.logs = facts["epoch"], facts["step"], facts["logs"]
    for name, memory in facts[MEMORY].items():
        if name in course.callbacks:  # TensorBoard may be left away
            course.callbacks[name].set_state(memory)
    saver = StateSaver(course, facts["seconds"])
    # Saved at the end of the last frozen epoch, a state is of the frozen phase; the next one begins below.
    _start_phase(model, course, position.epoch if position.step else max(position.epoch - 1, 0), state)
    if position.step == course.steps_per_epoch:
        _finish_epoch(model, course, position, saver)
    partial = None if state is None or not position.step else state
    _fit_segments(model, course, position, saver, partial)
    return saver.seconds


def _fit_segments(model, course, position, saver, partial):
    config, unfreeze_at = course.config, course.config.unfreeze_at
    while position.epoch < config.epochs and not _stopped_early(course):
        if unfreeze_at == position.epoch and position.step == 0 and not model.get_layer("encoder").trainable:
            _start_phase(model, course, position.epoch, None)
        if position.step:
            end = position.epoch + 1
        else:
            end = unfreeze_at if unfreeze_at is not None and position.epoch < unfreeze_at else config.epochs
        _fit_segment(model, course, position, saver, end, partial)
        partial = None
        position.epoch, position.step = position.epoch + 1, 0


def _stopped_early(course):
    return any(getattr(callback, "stopped", False) for callback in course.callbacks.values())


def _fit_segment(model, course, position, saver, end, partial):
    data, per_epoch = course.data, course.steps_per_epoch
    first_epoch, first_step = divmod(position.epoch * per_epoch + position.step, data.training.steps_per_epoch)
    restored = [_RestoredMetrics(partial)] if partial else []
    model.fit(
        data.training.dataset(first_epoch, first_step=first_step),
        initial_epoch=position.epoch,
        epochs=course.config.epochs,
        steps_per_epoch=per_epoch - position.step,
        validation_data=data.validation.dataset(epochs=1),
        callbacks=[position, *restored, *course.callbacks.values(), _Until(end), saver],
        shuffle=False,  # the pipeline has shuffled
        verbose=0 if course.state_file is None else 1 if os.isatty(1) else 2,
    )


def _finish_epoch(model, course, position, saver):
    """Validation and the end of an epoch whose steps were done before the run was stopped."""
    callbacks = keras.callbacks.CallbackList([*course.callbacks.values(), saver], model=model)
    validation = model.evaluate(
        course.data.validation.dataset(epochs=1), callbacks=callbacks, return_dict=True, verbose=0
    )
    logs = {**position.logs, **{f"val_{name}": value for name, value in validation.items()}}
    callbacks.on_epoch_end(position.epoch, logs)
    position.epoch, position.step = position.epoch + 1, 0


def _start_phase(model, course, epoch, state):
    """Compiles for the phase an epoch belongs to, the encoder frozen or not, and restores its state."""
    config = course.config
    rate = None if getattr(model, "optimizer", None) is None else current_learning_rate(model.optimizer)
    unfrozen = config.unfreeze_at is not None and epoch >= config.unfreeze_at
    first_step = config.unfreeze_at * course.steps_per_epoch if unfrozen else 0
    if unfrozen:
        unfreeze_encoder(model, train_batch_norm=config.train_batch_norm)
    compile_model(model, config, first_step=first_step, total_steps=course.total_steps)
    if rate is not None and config.schedule == "plateau":
        model.optimizer.learning_rate = rate  # as far down as it has come
    if state is not None:
        groups = state_variables(model)
        restore(state, {"model": groups["model"], "optimizer": groups["optimizer"]})
        is_changed = state.facts.get("learning_rate", config.learning_rate) != config.learning_rate
        is_variable = config.schedule in ("constant", "plateau") and not warmup_steps(config, course.total_steps)
        if is_changed and is_variable:
            model.optimizer.learning_rate = config.learning_rate  # the state holds the rate of before
