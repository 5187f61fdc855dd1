"""Dataclass fields as command-line flags, and the checks that configs share."""

import argparse
import dataclasses
import difflib
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from densedepth_keras.depth import MIN_IMAGE_SIDE
from densedepth_keras.names import check_name


def flag(help_text: str, default=None, **arguments):
    """A dataclass field that is also a command-line flag; `arguments` go to `add_argument`.

    `shown` says what the help gives as the default where it is not the field's; `positional` makes it no flag.
    """
    return field(default=default, metadata={"help": help_text, **arguments})


def add_flags(parser: argparse.ArgumentParser, config_class: type) -> None:
    """Adds one `--flag` for every field of the dataclass; a bool has a `--no-flag`, too.

    Flags that are not given leave no value behind, so that a config file, a preset or a run can give one.
    """
    for item in dataclasses.fields(config_class):
        options = dict(item.metadata)
        text, shown = options.pop("help"), options.pop("shown", None)
        choices = options.pop("choices", None)
        if choices:  # checked by the config, whose errors name the nearest
            options["metavar"] = f"{{{','.join(choices)}}}"
        if shown is None and item.default is not None and item.default is not False:
            shown = item.default
        text += f" (default: {shown})" if shown is not None else ""
        if item.type is bool:
            options["action"] = argparse.BooleanOptionalAction
        if options.pop("positional", False):
            parser.add_argument(item.name, help=text, **options)
            continue
        parser.add_argument("--" + item.name.replace("_", "-"), help=text, default=argparse.SUPPRESS, **options)


def check_values(config_class: type, values: Any, file: str) -> None:
    """Refuses what JSON says of a dataclass's fields in the wrong type, and names that are nearly a field's.

    Keys that are no fields, such as the versions in a run's config.json, are left alone.

    Raises:
        ValueError: no object, a value of another type, a key that is nearly a field's name.
    """
    if not isinstance(values, dict):
        raise ValueError(f"A file of flags must be a JSON object. Received: {values!r:.200} in {file!r}")
    fields = {item.name: _written(item.type) for item in dataclasses.fields(config_class)}
    for name, value in values.items():
        near = [] if name in fields else difflib.get_close_matches(name, fields, n=1, cutoff=0.85)
        if near:
            raise ValueError(f"Unknown flag {name!r}. Did you mean {near[0]!r}? Received: config={file!r}")
        if name in fields and not _is_of_type(value, fields[name]):
            raise ValueError(f"`{name}` must be {fields[name]}. Received: {name}={value!r} in {file!r}")


def _written(kind):
    """'bool', 'int | None', 'tuple[int, int]'."""
    return kind.__name__ if type(kind) is type else str(kind)


def _is_of_type(value, written):
    """Whether a value of JSON fits a type as it is written."""
    kinds = [kind.strip().split("[")[0] for kind in written.split(" | ")]
    if value is None:
        return "None" in kinds
    if isinstance(value, bool):
        return "bool" in kinds or "str" in kinds  # runs of versions that had one augmentation
    accepted = {"int": int, "float": (int, float), "str": str, "tuple": (list, tuple)}
    return any(isinstance(value, accepted[kind]) for kind in kinds if kind in accepted)


def check(name: str, value, is_good, expected: str) -> None:
    """Raises a ValueError unless `value` is None or good."""
    if value is not None and not is_good(value):
        raise ValueError(f"`{name}` must be {expected}. Received: {name}={value!r}")


def check_at_least_one(config, *names: str) -> None:
    """Raises a ValueError unless the fields are None or 1 and more."""
    for name in names:
        check(name, getattr(config, name), lambda value: value >= 1, "at least 1")


def check_choices(config) -> None:
    """Raises a ValueError that suggests the nearest where a field with choices has another value."""
    for item in dataclasses.fields(config):
        value, choices = getattr(config, item.name), item.metadata.get("choices")
        if choices and value is not None:
            check_name(value, choices, item.name.replace("_", " "), item.name)


def settle_image_size(config) -> None:
    """Makes `image_size` a tuple; raises a ValueError where a side is below 32 pixels."""
    if config.image_size is not None:
        object.__setattr__(config, "image_size", tuple(config.image_size))
        check("image_size", config.image_size, lambda size: min(size) >= MIN_IMAGE_SIDE, "32 or more a side")


def default_text(defaults: Mapping[str, Mapping[str, Any]], name: str) -> str:
    """What the help says of a default that depends on the data set."""
    usual, rooms = (_shown(defaults[dataset][name]) for dataset in ("folder", "rooms"))
    return usual if usual == rooms else f"{usual}; rooms: {rooms}"


def _shown(value):
    if value is None:
        return "the encoder's own"
    return " ".join(map(str, value)) if isinstance(value, tuple) else f"{value}"
