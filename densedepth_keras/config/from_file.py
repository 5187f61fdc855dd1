"""Flags from a JSON file: those that are not given on the command line."""

import dataclasses
import json
from typing import Any, TypeVar

from densedepth_keras.config.flags import check_values
from densedepth_keras.config.loop import PRESETS
from densedepth_keras.config.search import SearchConfig

Config = TypeVar("Config")

OF_A_PROCESS = ("coordinator", "num_processes", "process_id")
"""Flags that say which process this is: never those of a run or a file."""


def config_with(file: str | None, config_class: type[Config], values: dict[str, Any]) -> Config:
    """The config of flags, those of a file where they are not given.

    Args:
        file: JSON, a run's config.json or a search's best_config.json; None for none.
        config_class: what to make.
        values: the flags given, by field.

    Raises:
        ValueError: as `flags_of`, or values that do not go together; the file that had a part in it is named.
    """
    of_file = flags_of(file, config_class, values)
    try:
        return config_class.from_json({"dataset": "rooms", **of_file, **values})
    except ValueError as error:
        raise ValueError(str(error) if not of_file else f"{error}; flags not given are those of {file!r}") from error


def flags_of(file: str | None, config_class: type, values: dict[str, Any]) -> dict[str, Any]:
    """Settings of a config file, none without one, and none that are of the run or the process that wrote it.

    Args:
        file: JSON; None for none.
        config_class: whose fields are wanted.
        values: the flags given; those that their preset sets are not taken from the file.

    Raises:
        ValueError: no JSON object, a value of the wrong type, a misspelt name.
    """
    if file is None:
        return {}
    try:
        with open(file, encoding="utf-8") as stream:
            found = json.load(stream)
    except (OSError, ValueError) as error:
        raise ValueError(f"Not a JSON file of flags: {error}. Received: config={file!r}") from error
    check_values(config_class, found, file)
    left_out = {"name", "output_dir", "resume", *OF_A_PROCESS, *PRESETS.get(values.get("preset"), ())}
    if config_class is SearchConfig:
        left_out |= {"learning_rate", "depth_weight"}  # a run's config has values of its own
    known = {item.name for item in dataclasses.fields(config_class)} - left_out
    return {name: value for name, value in found.items() if name in known}
