"""Which run goes on, and whether what is asked of it fits what it was."""

import dataclasses
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from densedepth_keras.config import CONFIG_FILE, MODEL_FILE, STATE_FILE, TrainConfig, check_values

FREE = (
    *("output_dir", "name", "data_dir", "split_dir", "download", "cache", "skip_bad_rows", "preset"),
    *("save_every", "tensorboard", "deterministic", "distribute", "coordinator", "num_processes", "process_id"),
)
"""Fields a run does not depend on: where things lie, how they are kept, on how many devices. Other data is told by its
fingerprint."""

HARMLESS = (
    *("epochs", "patience", "augment", "depth_weight"),
    *("learning_rate", "encoder_learning_rate_scale", "weight_decay", "clip_norm"),
)
"""Fields that may change under way, if it is meant (`force`): the state of the run still fits, its course changes."""

RESULT = "result"
"""In config.json once a run has ended: best epoch, its val_rmse and the seconds of training."""


def read_config(folder: Path) -> dict[str, Any]:
    """config.json of a run folder, as it is.

    Raises:
        FileNotFoundError: no run folder.
        ValueError: no JSON object that names its dataset, or values that no run has.
    """
    file = Path(folder) / CONFIG_FILE
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        check_values(TrainConfig, values, str(file))
        TrainConfig.from_json(values)
    except FileNotFoundError:
        raise FileNotFoundError(
            f"Not a run folder: there is no {CONFIG_FILE}. Received: resume={str(folder)!r}"
        ) from None
    except NotADirectoryError:
        raise FileNotFoundError(f"Not a run folder but a file. Received: resume={str(folder)!r}") from None
    except ValueError as error:
        raise ValueError(f"Not the {CONFIG_FILE} of a run: {error}. Received: {str(file)!r}") from error
    if RESULT in values and not _is_result(values[RESULT]):
        raise ValueError(f"Not the {CONFIG_FILE} of a run: its result is incomplete. Received: {str(file)!r}")
    return values


def _is_result(values):
    names = ("best_epoch", "best_rmse", "seconds", "epochs")
    return isinstance(values, dict) and all(isinstance(values.get(name), int | float) for name in names)


def find_run(output_dir: str | os.PathLike, which: str | None = None) -> Path:
    """The folder of the run that is to go on.

    Args:
        output_dir: where run folders lie.
        which: the path of a run folder, or the name of one in `output_dir`; None for the newest that has not ended,
            or the newest of all where all have.

    Raises:
        FileNotFoundError: no such run.
    """
    if which is not None:
        named = [path for path in (Path(output_dir) / which, Path(which)) if path.is_dir()]
        if not named:
            raise FileNotFoundError(
                f"No such run, neither in {str(output_dir)!r} nor as a path. Received: resume={os.fspath(which)!r}"
            )
        return named[0]
    files = sorted(Path(output_dir).glob(f"*/{CONFIG_FILE}"), key=lambda file: file.stat().st_mtime_ns, reverse=True)
    if not files:
        raise FileNotFoundError(
            f"No run below {str(output_dir)!r} to go on with: start one without --resume. Received: resume=None"
        )
    return next((file.parent for file in files if not _has_ended(file)), files[0].parent)


def _has_ended(file):
    """Runs of versions that kept no state, too: they have a model."""
    if (file.parent / MODEL_FILE).exists() and not (file.parent / STATE_FILE).exists():
        return True
    try:
        return RESULT in json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return True


def differences(of_run: TrainConfig, now: TrainConfig, fields: Iterable[str] | None = None) -> list[str]:
    """What differs between two resolved configs, a line each; of all fields that a run depends on by default."""
    names = [item.name for item in dataclasses.fields(TrainConfig)] if fields is None else fields
    pairs = ((name, getattr(of_run, name), getattr(now, name)) for name in names if name not in FREE)
    return [f"  {name}: {then!r} in the run, {asked!r} now" for name, then, asked in pairs if then != asked]


def check_same_run(of_run: TrainConfig, now: TrainConfig, force: bool) -> list[str]:
    """Refuses to go on with a run in another way than it began.

    Args:
        of_run: the run's resolved config.
        now: the resolved config asked for.
        force: lets harmless differences pass.

    Returns:
        The differences that `force` let pass, a line each.

    Raises:
        ValueError: differences, all of them listed, and which of them `force` would let pass.
    """
    all_of_them, harmless = differences(of_run, now), differences(of_run, now, HARMLESS)
    serious = [line for line in all_of_them if line not in harmless]
    if serious:
        raise ValueError(
            "The run began otherwise, and its state does not fit: leave these out, or start a new run "
            "(--init-from takes over its weights).\n" + "\n".join(all_of_them)
        )
    if harmless and not force:
        raise ValueError(
            "The run began otherwise; --force goes on all the same, from its last state.\n" + "\n".join(harmless)
        )
    return harmless
