"""TensorBoard: curves, and pictures of the fixed samples, over training steps."""

from collections.abc import Callable
from pathlib import Path

import keras

from densedepth_keras.callbacks.events import EventFile
from densedepth_keras.callbacks.painting import painted_row, png
from densedepth_keras.callbacks.samples import Samples

RUN_SCALARS = ("learning_rate", "seconds", "images_per_second")
"""Logs that belong neither to training nor to validation."""

DESCRIPTIONS = {
    "rmse": "metres, pooled over all valid pixels, at network resolution",
    "seconds": "of the epoch with its validation",
}


class TensorBoard(keras.callbacks.Callback):
    """Event files for TensorBoard: `tensorboard --logdir runs` compares all runs below a folder.

    Every log of an epoch (`train/loss`, `validation/rmse`, each term, `run/learning_rate`), `steps/loss` in between
    (Keras' mean over the epoch so far), per epoch a row image | ground truth | prediction of each sample in the one
    metric range of the run, and the settings as text. The step is the training step of the run: an epoch's values
    stand at its last step. After a resume TensorBoard is told to hide what had been written behind the saved point.

    Args:
        folder: of the event files.
        steps_per_epoch: training steps.
        position: epoch and step in the run, both from 0, of a batch by its number in this `fit`.
        samples: what to show; None for no pictures.
        settings: name -> value, shown as a table.
        every: steps between two values of `steps/loss`.

    Raises:
        ImportError: tensorboardX is not installed.
    """

    def __init__(
        self,
        folder: Path,
        *,
        steps_per_epoch: int,
        position: Callable[[int], tuple[int, int]],
        samples: Samples | None = None,
        settings: dict | None = None,
        every: int = 50,
    ):
        super().__init__()
        self.events, self.samples, self.settings = EventFile(folder), samples, settings or {}
        self.steps_per_epoch, self.position, self.every = steps_per_epoch, position, every
        self._step, self._is_open = 0, False

    def on_train_batch_end(self, batch, logs=None):
        """Raises OSError where the file cannot be written."""
        self._open()
        epoch, step = self.position(batch)
        self._step = epoch * self.steps_per_epoch + step + 1
        if self._step % self.every == 0:
            self.events.write(self._step, [self.events.scalar("steps/loss", logs["loss"])])

    def on_epoch_end(self, epoch, logs=None):
        """Raises OSError where the file cannot be written."""
        self._open()
        self._step = (epoch + 1) * self.steps_per_epoch
        self.events.write(self._step, [*self._scalars(logs), *self._pictures()])

    def state(self) -> dict:
        return {"step": self._step}

    def set_state(self, state: dict) -> None:
        self._step = state["step"]

    def _open(self):
        """Begins the file of this process: what the run wrote behind the saved step counts no more."""
        if self._is_open:
            return
        self._is_open = True
        if self.events.begin(self._step + 1):
            self.events.write(0, [self.events.text("settings", _table(self.settings))])

    def _scalars(self, logs):
        for name, value in logs.items():
            group, base = _group(name)
            yield self.events.scalar(f"{group}/{base}", value, DESCRIPTIONS.get(base, ""))

    def _pictures(self):
        if self.samples is None:
            return
        images, depths, near, far, _ = self.samples
        description = f"image, ground truth, prediction; depth from {near:g} to {far:g} m, grey: not measured"
        for number, prediction in enumerate(self.samples.predictions()):
            maps = (depths[number, ..., 0], prediction)
            row = painted_row(images[number], maps, min_depth=near, max_depth=far)
            yield self.events.picture(f"samples/{number}", png(row), row.shape[:2], description)


def _group(name):
    if name in RUN_SCALARS:
        return "run", name
    return ("validation", name.removeprefix("val_")) if name.startswith("val_") else ("train", name)


def _table(settings):
    lines = [f"| {name} | {value} |" for name, value in settings.items()]
    return "\n".join(["| setting | value |", "|---|---|", *lines])
