"""The search folder: made, or taken up again by the search it belongs to."""

import json
import os
from pathlib import Path

from densedepth_keras.atomic import check_writable
from densedepth_keras.config import SEARCH_FILE, check_values, write_json
from densedepth_keras.config.search import SearchConfig
from densedepth_keras.resuming import FREE
from densedepth_keras.run_folder import provenance

_MAY_CHANGE = {"resume", *FREE} - {"skip_bad_rows"}
"""Fields in which a search that goes on may differ from what it was; and in the number of trials, but for a grid."""


_DATA = "data_fingerprint"


def folder_of(config: SearchConfig) -> Path:
    """Where a search lies."""
    return Path(config.output_dir) / config.folder_name()


def check_folder(config: SearchConfig, folder: Path) -> None:
    """Raises what `open_folder` would raise, and makes nothing.

    Raises:
        FileExistsError: the folder is there, and `resume` was not asked for, or is no search.
        FileNotFoundError: `resume`, but no such search.
        ValueError: the search there began otherwise.
        OSError: nothing can be written there.
    """
    if (folder / SEARCH_FILE).exists():
        if not config.resume:
            raise FileExistsError(
                f"The search folder exists and is left as it is: {folder}. Choose another --name, or go on with "
                f"--resume. Received: name={config.name!r}"
            )
        check_same(config, folder)
    elif folder.is_dir() and _holds_something(folder):
        raise FileExistsError(f"The folder exists and is no search: {folder}. Received: name={config.name!r}")
    elif config.resume and not folder.exists():
        raise FileNotFoundError(
            f"No such search to go on with: start it without --resume. Received: resume=True, folder={str(folder)!r}"
        )
    check_writable(folder, "output_dir")


def open_folder(config: SearchConfig, folder: Path) -> None:
    """Makes the search folder with its search.json, unless it is there."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / SEARCH_FILE).exists():
        write_json(folder / SEARCH_FILE, {**config.to_json(), **provenance()})


def check_same(config: SearchConfig, folder: Path) -> None:
    """Refuses to mix two searches in one folder.

    Raises:
        ValueError: the config differs from the one the search began with, difference by difference.
        FileNotFoundError: no search there.
    """
    file = folder / SEARCH_FILE
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        check_values(SearchConfig, values, str(file))
        begun = SearchConfig.from_json(values)
    except FileNotFoundError:
        raise FileNotFoundError(
            "The search folder is not there; chief and workers need one on a disk they share. "
            f"Received: {str(folder)!r}"
        ) from None
    except ValueError as error:
        raise ValueError(f"Not the search.json of a search: {error}. Received: {str(file)!r}") from error
    free = _MAY_CHANGE if config.tuner == "grid" else _MAY_CHANGE | {"max_trials"}
    pairs = ((name, then, getattr(config, name)) for name, then in vars(begun).items() if name not in free)
    lines = [f"  {name}: {then!r} in the search, {now!r} now" for name, then, now in pairs if then != now]
    if lines:
        raise ValueError(
            "The search began otherwise: leave these as they were, or choose another --name.\n" + "\n".join(lines)
        )


def check_data(fingerprint: str, folder: Path) -> None:
    """Refuses to compare trials on other data; the first process that has opened the data notes which they are.

    Raises:
        ValueError: data of another number or content than those the search began with.
    """
    file = folder / SEARCH_FILE
    noted = json.loads(file.read_text(encoding="utf-8"))
    if noted.setdefault(_DATA, fingerprint) != fingerprint:
        raise ValueError(
            "The data are others than those the search began with, by number or content: choose another --name. "
            f"Received: fingerprint {fingerprint}, the search's {noted[_DATA]}"
        )
    write_json(file, noted)


def _holds_something(folder):
    return any(not name.startswith(".") for name in os.listdir(folder))
