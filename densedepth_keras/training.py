"""One training run: check the data, build, compile, fit, and leave a run folder behind."""

import contextlib
import csv
import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from densedepth_keras.atomic import check_writable, written_beside
from densedepth_keras.config import (
    CONFIG_FILE,
    HISTORY_FILE,
    LAST_FILE,
    MEAN_FILE,
    MODEL_FILE,
    STATE_FILE,
    TrainConfig,
    write_json,
)
from densedepth_keras.distribution import Distribution, open_distribution, unused_gpu
from densedepth_keras.fitting import Course, Position, fit_course
from densedepth_keras.headline import headline, small_batches
from densedepth_keras.interruption import Interruption, run_lock
from densedepth_keras.model_setup import blank_model, encoder_weights, model_arguments, start_model
from densedepth_keras.models.build import check_model, output_size
from densedepth_keras.models.encoders import check_weights
from densedepth_keras.resuming import RESULT, check_same_run, read_config
from densedepth_keras.run_folder import created, new_path, provenance, remove_parts, save_model
from densedepth_keras.saved_state import read_state
from densedepth_keras.training_data import TrainingData, open_training_data
from densedepth_keras.watching import Log, Watched, draw_results, make_callbacks


class Run(NamedTuple):
    """A finished run.

    Attributes:
        folder: where config.json, model.keras, history.csv and the pictures lie.
        best_epoch: from 1 on.
        best_rmse: validation RMSE of that epoch, metres, pooled, at network resolution.
        seconds: of training.
        history: name -> one value per epoch: `loss`, `rmse`, `val_loss`, `val_rmse`, `learning_rate`, ...
    """

    folder: Path
    best_epoch: int
    best_rmse: float
    seconds: float
    history: dict[str, list[float]]


def train(
    config: TrainConfig,
    announce: Callable[[str], None] = lambda line: None,
    *,
    resume: str | os.PathLike | None = None,
    force: bool = False,
    folder: str | os.PathLike | None = None,
    data: TrainingData | None = None,
) -> Run:
    """Runs a training from a config to a run folder, or goes on with one that was stopped.

    Args:
        config: what to do; None stands for the preset's or the data set's default.
        announce: gets every line worth reading.
        resume: a run folder to go on with, from its last saved state, or from its start where there is none. A run that
            has ended is answered at once.
        force: lets `resume` change what does no harm, e.g. the number of epochs.
        folder: the run folder to make, instead of one in `config.output_dir`.
        data: both splits, where they are open already.

    Returns:
        The finished `Run`.

    Raises:
        ValueError: bad configuration or bad data (row and file named); training that diverged; `resume` of a run that
            began otherwise.
        FileNotFoundError: data, weights or a run that are not there.
        FileExistsError: the run folder exists.
        OSError: the disk is full, the folder cannot be written; another process of the run has died.
        KeyboardInterrupt: Ctrl-C or SIGTERM; once training has begun, the state is saved and the message says how to go
            on.
    """
    config, previous = config.resolved(), None
    if resume is not None:
        folder, previous = Path(resume), read_config(Path(resume))
        for line in check_same_run(TrainConfig.from_json(previous).resolved(), config, force):
            announce(f"changed under way:{line}")
        if RESULT in previous and (way_on := _way_on(config, previous)):
            announce(f"{folder} has ended after {previous[RESULT]['epochs']} epochs; {way_on} goes on.")
            return _ended(folder, previous[RESULT])
        _check_can_go_on(folder, previous)
    _check(config, is_new=previous is None)
    folder = new_path(config) if folder is None else Path(folder)
    distribution = open_distribution(
        config.distribute,
        batch_size=config.batch_size,
        coordinator=config.coordinator,
        num_processes=config.num_processes,
        process_id=config.process_id,
        deterministic=config.deterministic,
    )
    if distribution.kind == "mirrored":
        _check_mirrored(config)
    log = Log(announce if distribution.is_chief else _ignore)
    keras.utils.set_random_seed(config.seed)
    with Interruption() as interruption, distribution.together():
        data = data or _open_data(config, distribution, log.say)
        _check_accumulation(config, config.steps_per_epoch or data.training.steps_per_epoch)
        job = _Job(config, folder, data, distribution, interruption, log, previous)
        with _place(job), distribution.scope():
            return _run(job)


class _Job(NamedTuple):
    config: TrainConfig
    folder: Path
    data: TrainingData
    distribution: Distribution
    interruption: Interruption
    log: Log
    previous: dict | None


def _way_on(config, previous):
    """The flags that an ended run goes on with, if those given are not it already."""
    done = previous[RESULT]["epochs"]
    if config.epochs <= done:
        return "--epochs N --force"
    stopped_early = done < previous["epochs"]
    return "a larger --patience, with --force," if stopped_early and config.patience == previous["patience"] else None


def _check_can_go_on(folder, previous):
    """Without a state only a run that has come to nothing yet may start over; with one its config has to be whole."""
    has_state = (folder / STATE_FILE).exists()
    if has_state and "encoder_start" not in previous:  # written before the first state
        raise ValueError(
            f"{CONFIG_FILE} has been changed: it does not say what the encoder began with (encoder_start). "
            f"Received: resume={str(folder)!r}"
        )
    if not has_state and (RESULT in previous or (folder / MODEL_FILE).exists()):
        raise ValueError(
            f"There is a model, but no {STATE_FILE} to go on from: start a new run with --init-from {folder}. "
            f"Received: resume={str(folder)!r}"
        )


def _check_mirrored(config):
    """What Keras' optimizers cannot do under tf.distribute."""
    if config.accumulate_steps > 1:
        raise ValueError(
            "`accumulate_steps` does not go with tf.distribute; use a larger batch or --distribute none. "
            f"Received: accumulate_steps={config.accumulate_steps}, distribute={config.distribute!r}"
        )
    if config.precision == "mixed_float16":  # its loss scaling looks for overflows on the first device alone
        raise ValueError(
            "`precision` mixed_float16 does not go with tf.distribute; use mixed_bfloat16 or --distribute none. "
            f"Received: precision={config.precision!r}, distribute={config.distribute!r}"
        )


def _check(config, is_new):
    given_weights = {} if config.encoder_weights is None else {"weights": encoder_weights(config)}
    check_model(**model_arguments(config), **given_weights)
    check_weights(encoder_weights(config))
    if is_new and config.init_from is not None and not os.path.exists(config.init_from):
        raise FileNotFoundError(f"No run folder and no .keras file. Received: init_from={config.init_from!r}")


def _check_accumulation(config, steps_per_epoch):
    """Refuses to gather more steps than there are: weights would stay as they began, and their averages zeros."""
    if config.weight_ema is not None:
        epochs, part = 1, "an epoch: --weight-ema is judged after each"
    elif config.unfreeze_at is not None:
        epochs, part = min(config.unfreeze_at, config.epochs - config.unfreeze_at), "the run before or from unfreezing"
    else:
        epochs, part = config.epochs, "the run"
    if config.accumulate_steps > epochs * steps_per_epoch:
        raise ValueError(
            f"`accumulate_steps` must be at most {epochs * steps_per_epoch}, the steps of {part}. "
            f"Received: accumulate_steps={config.accumulate_steps}, steps_per_epoch={steps_per_epoch}, "
            f"epochs={config.epochs}, unfreeze_at={config.unfreeze_at}"
        )


def _ignore(line):
    """What processes beside the first say."""


def _open_data(config, distribution, announce):
    depth_size = output_size(config.image_size, config.architecture, config.full_resolution)
    return open_training_data(
        config, depth_size, announce, multiple_of=distribution.num_devices, shard=distribution.shard
    )


@contextlib.contextmanager
def _place(job):
    """The run folder, made or gone on with, and nobody else's meanwhile; only the first process has one."""
    if not job.distribution.is_chief:
        yield
    elif job.previous is None:
        with created(job.folder, run_lock):
            yield
    else:
        check_writable(job.folder, "resume")
        with run_lock(job.folder):
            remove_parts(job.folder)
            yield


def _run(job) -> Run:
    config, folder, data, log = job.config, job.folder, job.data, job.log
    state, is_chief = _saved_state(job), job.distribution.is_chief
    if is_chief:
        _write_start(job)
        log.open(folder, config.epochs)
    if state is None:
        model, encoder_start = start_model(config, data.training, log.say)
    else:
        encoder_start = job.previous["encoder_start"]
        model = blank_model(config, encoder_start)
    if is_chief:
        _add_facts(folder, {"encoder_start": encoder_start, "parameters": model.count_params()})
    position = Position()
    watched = Watched(config, folder, data, job.distribution, model, position)
    log.say(headline(config, model, data, job.distribution))
    for warning in (unused_gpu(), small_batches(config, job.distribution)):
        if warning:
            log.say(warning)
    callbacks = make_callbacks(watched, log)
    command = f"--resume {shlex.quote(str(folder))}"
    state_file = folder / STATE_FILE if is_chief else None
    course = Course(config, state_file, data, callbacks, position, job.interruption, command)
    job.interruption.defer()
    seconds = _fit(model, course, state)
    if (patience := callbacks.get("patience")) is not None and patience.stopped:
        log.say(f"Stopped early (--patience {config.patience}): val_rmse has not fallen below {patience.best:.3f} m.")
    best, history = callbacks["best_model"], callbacks["history"].columns()
    if not best.best_epoch:
        raise ValueError(
            "Training diverged: val_rmse is no number. Try a lower --learning-rate. "
            f"Received: learning_rate={config.learning_rate}"
        )
    result = {"best_epoch": best.best_epoch, "best_rmse": best.best, "seconds": seconds, "epochs": len(history["loss"])}
    _save_last(model, folder if is_chief else None, callbacks.get("averages"), job.distribution)
    if is_chief:
        draw_results(watched, history)
        _add_facts(folder, {RESULT: result})
    return Run(folder, best.best_epoch, best.best, seconds, history)


def _saved_state(job):
    """The state to go on from; None for a new run, or one that was stopped before the first was saved."""
    if job.previous is None:
        return None
    fingerprint = job.previous.get("data_fingerprint")
    if fingerprint not in (None, job.data.fingerprint):
        raise ValueError(
            "The data are others than those the run began with, by number or content: start a new run (--init-from "
            f"takes over its weights). Received: fingerprint {job.data.fingerprint}, the run's {fingerprint}"
        )
    file = job.folder / STATE_FILE
    if not file.exists():
        job.log.say(f"{job.folder} has no saved state yet: it starts over.")
        return None
    state = read_state(file)
    done = f"{state.facts['epoch']} epochs and {state.facts['step']} steps"
    job.log.say(f"Going on with {job.folder} after {done}.")
    return state


def _write_start(job):
    """config.json and the mean depth of a new run, first of all; what is different now, of one that goes on."""
    now = provenance()
    if job.previous is None:
        values = {**job.config.to_json(), "data_fingerprint": job.data.fingerprint, **now}
    else:
        kept = {name: value for name, value in job.previous.items() if name != RESULT}
        values = {**kept, **job.config.to_json(), "resumed": [*kept.get("resumed", []), now]}
    with written_beside(job.folder / MEAN_FILE) as side:
        np.save(side, job.data.facts.mean_depth)
    write_json(job.folder / CONFIG_FILE, values)


def _save_last(model, folder, averages, distribution):
    """The model of the last epoch, of averaged weights where those are judged; all processes put those into it."""
    if averages is not None:
        averages.set_model(model)  # no `fit` has, where a run was killed behind its last epoch
        averages.on_test_begin()
    if folder is not None:
        save_model(model, folder / LAST_FILE, distribution.alone)
    if averages is not None:
        averages.restore()


def _add_facts(folder, facts):
    write_json(folder / CONFIG_FILE, {**read_config(folder), **facts})


def _fit(model, course, state) -> float:
    data = course.data
    try:
        return fit_course(model, course, state)
    except Exception:
        for pipeline in (data.training, data.validation):
            if pipeline.error is not None:
                raise pipeline.error from None
        raise


def _ended(folder, result) -> Run:
    return Run(folder, result["best_epoch"], result["best_rmse"], result["seconds"], _read_history(folder))


def _read_history(folder):
    file = folder / HISTORY_FILE
    try:
        with open(file, newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        names = [name for name in rows[0] if name != "epoch"]
        return {name: [float("nan" if row[name] == "NA" else row[name]) for row in rows] for name in names}
    except (OSError, ValueError, TypeError, IndexError) as error:
        raise ValueError(f"The run's history cannot be read: {error}. Received: {str(file)!r}") from error
