"""Run folders: made, filled, found and read back."""

import contextlib
import importlib.metadata
import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np

from densedepth_keras.atomic import check_writable, written_beside
from densedepth_keras.config import CONFIG_FILE, LAST_FILE, MODEL_FILE, STATE_FILE, TrainConfig


class BestModel(keras.callbacks.Callback):
    """Keeps the model of the lowest val_rmse: written to the side, then renamed over the last one.

    Args:
        path: of the `.keras` file; None only remembers the epoch, where another process writes.
        alone: makes the context to save in, where several processes share the model's variables.

    Attributes:
        best: the lowest val_rmse, metres.
        best_epoch: from 1 on; 0 before there is one.
    """

    def __init__(
        self, path: Path | None, alone: Callable[[], contextlib.AbstractContextManager] = contextlib.nullcontext
    ):
        super().__init__()
        self.path, self.alone, self.best, self.best_epoch = path, alone, float("inf"), 0

    def on_epoch_end(self, epoch, logs=None):
        if not logs["val_rmse"] < self.best:
            return
        if self.path is not None:
            save_model(self.model, self.path, self.alone)
        self.best, self.best_epoch = logs["val_rmse"], epoch + 1

    def state(self) -> dict:
        """What a resumed run has to know."""
        return {"best": self.best, "best_epoch": self.best_epoch}

    def set_state(self, state: dict) -> None:
        """Takes back what `state` gave."""
        self.best, self.best_epoch = state["best"], state["best_epoch"]


def save_model(model: keras.Model, path: Path, alone: Callable[[], contextlib.AbstractContextManager]) -> None:
    """Saves a model, whole or not at all, in the context that `alone` makes; an OSError where that cannot be done."""
    try:
        with written_beside(path) as side, alone():
            model.save(side)
    except Exception as error:  # h5py reports a full disk as RuntimeError or OSError, zipfile as OSError
        raise OSError(f"The model could not be saved as {path}: {error}") from error


def new_path(config: TrainConfig) -> Path:
    """Where a run will lie; FileExistsError where a run of that name lies already."""
    check_writable(config.output_dir, "output_dir")
    name = config.name or f"{config.dataset}-{config.encoder or config.architecture}-{time.strftime('%Y%m%d-%H%M%S')}"
    folder, number = Path(config.output_dir) / name, 2
    while os.path.lexists(folder) and not (config.name and never_began(folder)):
        if config.name:
            raise FileExistsError(
                f"The run folder exists and is left as it is: {folder}. Choose another --name. Received: name={name!r}"
            )
        folder, number = Path(config.output_dir) / f"{name}-{number}", number + 1
    return folder


def never_began(folder: Path) -> bool:
    """Whether a run was killed between making its folder and writing its settings: there is nothing in it to keep."""
    return folder.is_dir() and all(path.name.startswith(".") for path in folder.iterdir())


def remove_parts(folder: Path) -> None:
    """Removes what writers that were killed have left, each as large as a whole state; nobody else may be writing."""
    for part in folder.glob(".partial-*"):
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def created(folder: Path, lock: Callable[[Path], contextlib.AbstractContextManager]) -> Iterator[None]:
    """Makes the run folder; takes it away again where the run fails before there is a model or a state in it.

    Args:
        folder: to make, or one of a run that never began.
        lock: makes the context in which it is this process's alone; raises where it is another's, whose it stays.
    """
    new_parent = not folder.parent.exists()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        if not never_began(folder):
            folder.mkdir()  # fails where another run has been quicker, and then that one's folder stays
    except OSError:
        _remove_if_empty(folder.parent, new_parent)
        raise
    with lock(folder):
        if not never_began(folder):  # another process has been here meanwhile
            raise FileExistsError(f"The run folder exists and is left as it is. Received: folder={str(folder)!r}")
        try:
            yield
        except BaseException:
            if not any((folder / name).exists() for name in (MODEL_FILE, STATE_FILE)):
                shutil.rmtree(folder, ignore_errors=True)
                _remove_if_empty(folder.parent, new_parent)
            raise


def _remove_if_empty(folder, is_ours):
    with contextlib.suppress(OSError):  # not empty: somebody else's
        if is_ours:
            folder.rmdir()


def provenance() -> dict:
    """Versions, backend, commit and command line, for config.json."""
    packages = ("densedepth_keras", "keras", "tensorflow", "jax", "torch", "keras-tuner", "numpy", "pillow", "h5py")
    versions = {"python": platform.python_version()}
    for package in packages:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    commit = _git("rev-parse", "HEAD") or None
    return {
        "versions": versions,
        "backend": keras.backend.backend(),
        "git_commit": commit,
        "git_dirty": None if commit is None else bool(_git("status", "--porcelain", "--", ".")),
        "command": shlex.join(sys.argv),
        "time": time.strftime("%Y-%m-%d %H:%M:%S %z"),
    }


def _git(*words) -> str | None:
    """What git says of the folder this package was run from; None where it is no checkout."""
    here = Path(__file__).resolve().parent
    if not (here.parent / ".git").exists():
        return None  # installed below another project's checkout
    command = ["git", "-C", str(here), *words]
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    return None


def newest_run(output_dir: str | os.PathLike) -> Path:
    """The run folder below `output_dir` whose model was saved last; FileNotFoundError where there is none."""
    models = sorted(Path(output_dir).glob(f"*/{MODEL_FILE}"), key=lambda path: path.stat().st_mtime_ns)
    if not models:
        raise FileNotFoundError(
            f"No run below {str(output_dir)!r} yet: train one with train.py, or name a run folder or .keras file with "
            "--checkpoint PATH. Received: checkpoint=None"
        )
    return models[-1].parent


def read_run(checkpoint: Path) -> tuple[Path, TrainConfig | None]:
    """The checkpoint's folder, and its TrainConfig, or None for a model that came without one."""
    folder = checkpoint if checkpoint.is_dir() else checkpoint.parent
    file = folder / CONFIG_FILE
    if not file.is_file() or (checkpoint.is_file() and checkpoint.name not in (MODEL_FILE, LAST_FILE)):
        return folder, None
    try:
        return folder, TrainConfig.from_json(json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ValueError(f"Not the config.json of a run: {error}. Received: {str(file)!r}") from error


def read_mean_depth(file: Path) -> np.ndarray | None:
    """The run's mean training depth, None where it has none."""
    if not file.is_file():
        return None
    try:
        with open(file, "rb") as stream:
            mean = np.lib.format.read_array(stream, allow_pickle=False)
    except Exception as error:  # NumPy raises ValueError, EOFError and more on broken files
        raise ValueError(f"The run's mean depth cannot be read: {error}. Received: {str(file)!r}") from error
    if mean.ndim != 2 or not np.isfinite(mean).all() or not (mean > 0).all():
        raise ValueError(f"The run's mean depth is no map of metres: shape {mean.shape}. Received: {str(file)!r}")
    return mean
