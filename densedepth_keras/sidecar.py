"""`dataset.json`: what a data folder says about itself, and what its stored depths are in metres."""

import dataclasses
import json
import os
from pathlib import Path

from densedepth_keras.depth import UNITS, check_range
from densedepth_keras.names import check_name

FILE_NAME = "dataset.json"
MAX_BYTES = 2**16
"""A larger `dataset.json` is refused."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sidecar:
    """What a data set says about itself; None where it says nothing.

    Attributes:
        name: what it is called.
        depth_unit: `"m"`, `"cm"`, `"mm"`, or metres per stored unit. At most one of it and `depth_scale`.
        depth_scale: stored units per metre: 1000 for millimetres, 256 for KITTI, 5000 for TUM.
        min_depth: metres.
        max_depth: metres.
        crop: `(top, bottom, left, right)`, the rows and columns of a frame that an evaluation counts, pixels.
        licence: its name or address.
        source: where the data come from.

    Raises:
        ValueError: a value of the wrong type or out of its range; both of unit and scale.
    """

    name: str | None = None
    depth_unit: str | float | None = None
    depth_scale: float | None = None
    min_depth: float | None = None
    max_depth: float | None = None
    crop: tuple[int, int, int, int] | None = None
    licence: str | None = None
    source: str | None = None

    def __post_init__(self):
        for key in ("name", "licence", "source"):
            _check(key, getattr(self, key), _is_text, "a printable text")
        for key in ("depth_scale", "min_depth", "max_depth"):
            _check(key, getattr(self, key), _is_positive, "a positive number")
        _check("crop", self.crop, _is_crop, "[top, bottom, left, right], whole pixels, top < bottom and left < right")
        if isinstance(self.depth_unit, bool | list | dict):
            raise ValueError(_UNIT_ERROR.format(self.depth_unit))
        if (self.depth_unit, self.depth_scale) != (None, None):
            units_per_metre(self.depth_unit, self.depth_scale)
        if None not in (self.min_depth, self.max_depth):
            check_range(self.min_depth, self.max_depth)

    @property
    def units_per_metre(self) -> float | None:
        """Stored units per metre, from whichever of the two is given."""
        if self.depth_unit is None and self.depth_scale is None:
            return None
        return units_per_metre(self.depth_unit, self.depth_scale)


def read_sidecar(data_dir: str | os.PathLike) -> Sidecar:
    """Reads `dataset.json` of a folder: one JSON object in UTF-8 with the attributes of `Sidecar` as keys.

    Returns:
        What it says; an empty `Sidecar` where there is no such file.

    Raises:
        ValueError: no JSON object, an unknown key, a wrong value, larger than `MAX_BYTES`. Names file and key.

    Example:
        >>> read_sidecar("no/such/folder").units_per_metre is None
        True
    """
    path = Path(data_dir) / FILE_NAME
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return Sidecar()
    except OSError as error:
        raise ValueError(f"{FILE_NAME} cannot be read: {error}") from error
    try:
        return _parsed(data)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{str(path)!r}: {error}") from error


def units_per_metre(depth_unit: str | float | None = None, depth_scale: float | str | None = None) -> float:
    """Stored units per metre, from one of two ways of saying it; numbers may come as text.

    Args:
        depth_unit: `"m"`, `"cm"`, `"mm"`, or metres per stored unit, e.g. 1/256 for KITTI's PNG.
        depth_scale: stored units per metre, e.g. 256 for KITTI's PNG.

    Raises:
        ValueError: neither, both, an unknown unit, or a number that no depth is stored in.

    Example:
        >>> units_per_metre("mm"), units_per_metre(depth_scale=256)
        (1000.0, 256.0)
    """
    if depth_scale is None:
        return _from_unit(depth_unit)
    if depth_unit is not None:
        raise ValueError(
            "`depth_unit` and `depth_scale` say the same in two ways: give one of them. "
            f"Received: depth_unit={depth_unit!r}, depth_scale={depth_scale!r}"
        )
    scale = _number(depth_scale)
    if not 1e-3 <= scale <= 1e6:
        raise ValueError(
            "`depth_scale` must be the number of stored units per metre, 0.001 to 1e6: 1000 for millimetres, 256 for "
            f"KITTI, 5000 for TUM. Received: depth_scale={depth_scale!r}"
        )
    return scale


_UNIT_ERROR = (
    "`depth_unit` must say what one stored unit is: 'm', 'cm', 'mm', or a number of metres, 1e-6 to 1000 "
    "(0.00390625 for KITTI's value/256); `depth_scale` says it the other way round. It is never guessed. "
    "Received: depth_unit={!r}"
)


def _from_unit(depth_unit):
    if isinstance(depth_unit, str) and depth_unit in UNITS:
        return 1 / UNITS[depth_unit]  # 1000.0, 100.0 and 1.0 exactly
    metres = _number(depth_unit)
    if not 1e-6 <= metres <= 1e3:
        raise ValueError(_UNIT_ERROR.format(depth_unit))
    return 1 / metres


def _number(value):
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return 0.0


def _parsed(data):
    if len(data) > MAX_BYTES:
        raise ValueError(f"expected at most {MAX_BYTES} bytes")
    try:
        values = json.loads(data.decode("utf-8-sig"), object_pairs_hook=_once_each)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"not JSON in UTF-8: {error}") from error
    if not isinstance(values, dict):
        raise ValueError(f"expected one JSON object, {{...}}. Received: {type(values).__name__}")
    keys = [field.name for field in dataclasses.fields(Sidecar)]
    for key in values:
        check_name(key, keys, "key", "key")
    if isinstance(values.get("crop"), list):
        values["crop"] = tuple(values["crop"])
    return Sidecar(**values)


def _once_each(pairs):
    keys = [key for key, _ in pairs]
    twice = {key for key in keys if keys.count(key) > 1}
    if twice:
        raise ValueError(f"a key stands there twice. Received: key={min(twice)!r}")
    return dict(pairs)


def _check(key, value, is_right, expected):
    if value is not None and not is_right(value):
        raise ValueError(f"`{key}` must be {expected}. Received: {key}={value!r}")


def _is_text(value):
    return isinstance(value, str) and value.strip() != "" and value.isprintable()


def _is_positive(value):
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < _number(value) < float("inf")


def _is_crop(value):
    if not isinstance(value, tuple) or len(value) != 4 or not all(type(side) is int for side in value):
        return False
    top, bottom, left, right = value
    return 0 <= top < bottom and 0 <= left < right
