"""One trial: its runs, each in a run folder, and what came of them."""

import contextlib
import gc
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import keras

from densedepth_keras.config import CONFIG_FILE, TrainConfig, write_json
from densedepth_keras.config.search import SearchConfig
from densedepth_keras.search.shared_data import SharedData
from densedepth_keras.search.space import trial_config
from densedepth_keras.training import Run, train

TRIALS_FOLDER = "trials"

COMPLETED, FAILED, UNFINISHED = "completed", "failed", "unfinished"

_OUT_OF_MEMORY = ("ResourceExhaustedError", "OutOfMemoryError", "MemoryError")


class Outcome(NamedTuple):
    """What came of a trial; `trials/<id>.json`.

    Attributes:
        trial: its id.
        values: field of TrainConfig -> value, of the searched dimensions.
        status: `"completed"`, `"failed"` (diverged, out of memory) or `"unfinished"`.
        val_rmse: metres, of the best epoch; the mean over the trial's runs.
        best_epoch: from 1 on, of the run with the lowest.
        epochs: that the trial trained; Hyperband's differ.
        seconds: of training, all runs together.
        reason: of a failure.
    """

    trial: str
    values: dict[str, Any]
    status: str = UNFINISHED
    val_rmse: float | None = None
    best_epoch: int | None = None
    epochs: int | None = None
    seconds: float | None = None
    reason: str | None = None


class Trials:
    """Runs trials in a search folder, or goes on with them.

    Args:
        config: of the search, resolved.
        folder: of the search.
        announce: gets every line worth reading.

    Raises:
        ValueError, FileNotFoundError: data that is bad or not there; it is opened at once, for all trials.
    """

    def __init__(self, config: SearchConfig, folder: Path, announce: Callable[[str], None]):
        self.config, self.folder, self.announce = config, folder / TRIALS_FOLDER, announce
        self.data = SharedData(config, announce)

    def run(
        self, trial: str, values: dict[str, Any], *, epochs: int | None = None, after: str | None = None
    ) -> Outcome:
        """Trains a trial to its end, from where it was left if it was begun.

        Args:
            trial: its id, which names its folders.
            values: field of TrainConfig -> value.
            epochs: to train; None for the search's.
            after: id of the trial whose runs this one goes on with (Hyperband).

        Raises:
            ValueError, OSError: what goes wrong for every trial alike, such as bad data.
            KeyboardInterrupt: Ctrl-C or SIGTERM; the run is saved.
        """
        done = read_outcome(self.folder.parent, trial)
        if done is not None and done.values == values:  # killed before KerasTuner had it
            return done
        wanted = [
            trial_config(self.config, values, epochs=epochs, execution=execution)
            for execution in range(self.config.executions_per_trial)
        ]
        facts = {"trial": trial, "values": values, "epochs": wanted[0].resolved().epochs}
        try:
            runs = [self._execute(trial, after, number, config) for number, config in enumerate(wanted)]
        except Exception as error:
            if not _is_of_this_trial(error):
                raise
            outcome = Outcome(**facts, status=FAILED, reason=str(error).splitlines()[0])
        else:
            outcome = Outcome(**facts, status=COMPLETED, **_summary(runs))
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.folder / f"{trial}.json", outcome._asdict())
        return outcome

    def _execute(self, trial, after, execution, config: TrainConfig) -> Run:
        """One run; afterwards nothing of it is left in memory."""
        folder = self._run_folder(trial, execution)
        if after is not None and not folder.exists():
            _copy(self._run_folder(after, execution), folder)
        resume = folder if (folder / CONFIG_FILE).is_file() else None
        if resume is None:
            shutil.rmtree(folder, ignore_errors=True)  # killed before its first file
        data = self.data.of(config)
        try:
            # Hyperband's runs go on to more epochs than they began with, and are meant to.
            return train(config, self.announce, resume=resume, force=after is not None, folder=folder, data=data)
        finally:
            _forget_models()

    def _run_folder(self, trial, execution):
        return self.folder / (trial if self.config.executions_per_trial == 1 else f"{trial}-{execution}")


def read_outcome(search_folder: Path, trial: str) -> Outcome | None:
    """What came of a trial, or None where it has not ended."""
    file = search_folder / TRIALS_FOLDER / f"{trial}.json"
    try:
        return Outcome(**json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise ValueError(f"Not the outcome of a trial: {error}. Received: {str(file)!r}") from error


def earlier_outcomes(search_folder: Path) -> list[Outcome]:
    """What came of the trials that have ended already."""
    files = sorted((search_folder / TRIALS_FOLDER).glob("*.json"))
    return [read_outcome(search_folder, file.stem) for file in files]


def _forget_models():
    """Else memory would grow from run to run."""
    keras.backend.clear_session()
    gc.collect()


def _summary(runs):
    best = min(runs, key=lambda run: run.best_rmse)
    return {
        "val_rmse": sum(run.best_rmse for run in runs) / len(runs),
        "best_epoch": best.best_epoch,
        "seconds": round(sum(run.seconds for run in runs), 1),
    }


def _is_of_this_trial(error):
    """Whether other values may do better, or the search is to end."""
    out_of_memory = type(error).__name__ in _OUT_OF_MEMORY or "RESOURCE_EXHAUSTED" in str(error)  # JAX has no type
    return out_of_memory or str(error).startswith("Training diverged")


def _copy(source, target):
    """Copies a run folder; the copy is complete or not there."""
    if not source.is_dir():
        raise FileNotFoundError(
            "The run that a trial is to go on with is not there; several machines need one search folder, on a disk "
            f"they share. Received: {str(source)!r}"
        )
    side = target.with_name(f".partial-{os.getpid()}-{target.name}")
    try:
        shutil.copytree(source, side, ignore=shutil.ignore_patterns(".*"))
        os.rename(side, target)
    finally:
        with contextlib.suppress(OSError):
            shutil.rmtree(side)
