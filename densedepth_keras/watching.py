"""What watches a run and what it leaves to look at: its callbacks and its pictures."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from densedepth_keras.callbacks import (
    AveragedWeights,
    EarlyStopping,
    History,
    NanGuard,
    ReduceOnPlateau,
    RunLog,
    SamplePictures,
    Samples,
    TensorBoard,
)
from densedepth_keras.config import HISTORY_FILE, LOG_FILE, MODEL_FILE, STATE_FILE, TrainConfig
from densedepth_keras.data.sample import evenly_spaced, row_name
from densedepth_keras.depth import in_range
from densedepth_keras.distribution import Distribution, peak_memory
from densedepth_keras.fitting import Position
from densedepth_keras.models import inference_model
from densedepth_keras.optimization import averaged_weights, current_learning_rate
from densedepth_keras.plots import plot_loss_curves
from densedepth_keras.run_folder import BestModel
from densedepth_keras.training_data import TrainingData

SAMPLES = 5
"""Rows of samples.png: validation images, evenly spaced."""


class Watched(NamedTuple):
    """A run, for those who watch it.

    Attributes:
        config: resolved.
        folder: the run folder.
        data: both splits.
        distribution: over devices; only the first process writes and shows.
        model: that is trained.
        position: where the run is.
    """

    config: TrainConfig
    folder: Path
    data: TrainingData
    distribution: Distribution
    model: keras.Model
    position: Position


class Log:
    """Lines for who started the run and, from the moment there is one, for the run folder's log."""

    def __init__(self, announce: Callable[[str], None]):
        self.announce, self.early, self.file = announce, [], None

    def say(self, line: str) -> None:
        """Announces a line and keeps it."""
        self.announce(line)
        if self.file is None:
            self.early.append(line)
        else:
            self.file.log(line)

    def open(self, folder: Path, epochs: int) -> None:
        """Goes on in the run folder, with what was said before."""
        self.file = RunLog(folder / LOG_FILE, epochs=epochs, peak_memory=_fullest)
        for line in self.early:
            self.file.log(line)


def _fullest():
    """Bytes of the fullest device, of the process where there is none."""
    peaks = dict(peak_memory())
    host = peaks.pop("host", None)
    return max(peaks.values(), default=host)


def make_callbacks(run: Watched, log: Log) -> dict[str, keras.callbacks.Callback]:
    """By the names their memories are saved under, in the order in which an epoch ends."""
    config, folder, model, training = run.config, run.folder, run.model, run.data.training
    is_chief = run.distribution.is_chief
    steps = config.steps_per_epoch or training.steps_per_epoch

    def rows(epoch, step):
        at_epoch, at_step = divmod(epoch * steps + step, training.steps_per_epoch)
        return [row_name(training.source, int(index)) for index in training.indices(at_epoch, at_step)]

    callbacks = {"nan_guard": NanGuard(rows, run.position.of_batch, _kept(folder))}
    if config.schedule == "plateau":
        callbacks["plateau"] = ReduceOnPlateau()
    if config.patience is not None:
        callbacks["patience"] = EarlyStopping(config.patience, first_epoch=config.unfreeze_at or 0)
    callbacks["history"] = History(
        folder / HISTORY_FILE if is_chief else None,
        learning_rate=lambda: current_learning_rate(model.optimizer),
        images=steps * config.batch_size if config.steps_per_epoch else len(training.source),
        batch_size=config.batch_size,
    )
    callbacks["best_model"] = BestModel(folder / MODEL_FILE if is_chief else None, run.distribution.alone)
    if is_chief:
        callbacks |= _shown(run, steps, log)
    if config.weight_ema is not None:
        callbacks["averages"] = AveragedWeights(lambda: averaged_weights(model.optimizer))
    return callbacks


def _shown(run, steps, log):
    """Callbacks for people who watch."""
    samples = _samples(run)
    callbacks = {"pictures": SamplePictures(run.folder / "samples.png", samples)}
    if run.config.tensorboard:
        callbacks["tensorboard"] = TensorBoard(
            run.folder / "tensorboard",
            steps_per_epoch=steps,
            position=run.position.of_batch,
            samples=samples,
            settings=run.config.to_json(),
        )
    return {**callbacks, "log": log.file}


def _samples(run) -> Samples:
    config, validation = run.config, run.data.validation
    images, depths = validation.batch(0, evenly_spaced(len(validation.source), SAMPLES))

    def predict(images):
        return run.distribution.predict(inference_model(run.model), images)

    # Copies: a pipeline uses the memory of its batches again.
    return Samples(images.copy(), depths.copy(), config.min_depth, config.max_depth, predict)


def _kept(folder):
    """What the message of a diverged run says is left."""

    def text():
        files = [name for name in (MODEL_FILE, STATE_FILE) if (folder / name).exists()]
        return f"{' and '.join(files)} of before are kept in {folder}." if files else ""

    return text


def draw_results(run: Watched, history: dict[str, list[float]]) -> None:
    """loss_curves.png, and samples.png of the best model."""
    config, folder = run.config, run.folder
    plot_loss_curves(folder / "loss_curves.png", history, baseline_rmse=_baseline_rmse(run.data, config))
    with run.distribution.alone():  # the variables of the run's model belong to all processes
        best = keras.saving.load_model(folder / MODEL_FILE, compile=False)
        SamplePictures(folder / "samples.png", _samples(run._replace(model=best))).on_epoch_end(config.epochs)


def _baseline_rmse(data, config) -> float:
    """RMSE of answering the mean training depth, counted as val_rmse is: pooled, at network resolution."""
    squares, pixels, mean = 0.0, 0, data.facts.mean_depth
    for index in range(len(data.validation.source)):
        depth = data.validation.read(index).depth
        valid = in_range(depth, config.min_depth, config.max_depth)
        squares += float(np.sum((mean - depth)[valid].astype(np.float64) ** 2))
        pixels += int(np.count_nonzero(valid))
    return (squares / max(pixels, 1)) ** 0.5
