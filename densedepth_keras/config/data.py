"""Flags that say which data, and the configs of `densedepth data check|show|fill`."""

import os
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from densedepth_keras.config.flags import check, check_at_least_one, check_choices, flag, settle_image_size
from densedepth_keras.depth import MAX_DEPTH, MIN_DEPTH, check_range
from densedepth_keras.sidecar import FILE_NAME, read_sidecar

_INDOORS = MappingProxyType({"min_depth": MIN_DEPTH, "max_depth": MAX_DEPTH})
_DRIVING = MappingProxyType({"min_depth": 0.8, "max_depth": 80.0})
"""The usual cap of KITTI; the nearest is a hundredth of it, as the reference's reciprocals have it."""

RANGES = MappingProxyType(
    {
        "rooms": _INDOORS,
        "folder": _INDOORS,
        "nyu-labeled": _INDOORS,
        "nyu-csv": _INDOORS,
        "nyu-tfds": _INDOORS,
        "kitti": _DRIVING,
    }
)
"""Nearest and farthest depth per data set, metres; its keys are the names of the data sets."""

SPLITS = ("train", "validation", "test")
DATA_DIR_HELP = (
    "where the data lies: the folder of 'folder' and 'kitti', the .mat file of 'nyu-labeled', the .zip or folder of "
    "'nyu-csv', the tfds folder of 'nyu-tfds'"
)
UNIT_HELP = "what one stored unit of 'folder' depth is: m, cm, mm, or metres as a number"
SCALE_HELP = "stored units of 'folder' depth per metre: 1000 for millimetres, 256 for KITTI, 5000 for TUM"
PARTITION_HELP = (
    "how NYU's 1449 frames are divided: 795/654 (80 of the 795 validate) or the paper's 1000/224/225; of 'nyu-labeled'"
)


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Which data: the fields that training and the data commands share."""

    dataset: str = flag("which data set", "rooms", choices=tuple(RANGES))
    data_dir: str | None = flag(DATA_DIR_HELP)
    depth_unit: str | None = flag(UNIT_HELP, metavar="m|cm|mm|FLOAT")
    depth_scale: float | None = flag(SCALE_HELP, type=float, metavar="UNITS")
    split_dir: str | None = flag(
        "folder with the split lists of 'kitti'; default: looked for in --data-dir", metavar="DIR"
    )
    camera: str | None = flag("whose pictures of 'kitti'", shown="both", choices=("left", "right", "both"))
    raw_depth: bool = flag(
        "depth with a sensor's holes: of 'nyu-labeled' the raw instead of the in-painted one, on rooms punched", False
    )
    download: bool = flag("let tensorflow-datasets download and prepare 'nyu-tfds' where it is not there", False)
    limit: int | None = flag("at most so many samples per split", type=int, metavar="N")
    min_depth: float | None = flag(
        "nearest depth, metres", type=float, metavar="METRES", shown="dataset.json's, or 0.1; kitti: 0.8"
    )
    max_depth: float | None = flag(
        "farthest depth, metres", type=float, metavar="METRES", shown="dataset.json's, or 10; kitti: 80"
    )

    def __post_init__(self):
        check_choices(self)
        check_at_least_one(self, "limit")
        for name in ("min_depth", "max_depth"):
            check(name, getattr(self, name), lambda value: 0 < value < float("inf"), "positive, in metres")
        given = {name: getattr(self, name) for name in ("min_depth", "max_depth") if getattr(self, name) is not None}
        if self.dataset != "folder" or len(given) == 2:  # else dataset.json may say the other end
            check_range(**{**RANGES[self.dataset], **given})
        if self.depth_unit is not None and self.depth_scale is not None:
            raise ValueError(
                "`depth_unit` and `depth_scale` say the same thing; give one. "
                f"Received: depth_unit={self.depth_unit!r}, depth_scale={self.depth_scale!r}"
            )

    def data_defaults(self) -> dict[str, Any]:
        """Values for the fields left open: the range, from the side-car or the data set; paths made absolute."""
        values: dict[str, Any] = dict(RANGES[self.dataset])
        if self.dataset == "folder" and self.data_dir is not None:
            sidecar = read_sidecar(self.data_dir)
            values |= {name: getattr(sidecar, name) or value for name, value in values.items()}
            self._check_range_with(sidecar, values)
        values = {name: value for name, value in values.items() if getattr(self, name) is None}
        paths = {name: getattr(self, name) for name in ("data_dir", "split_dir")}
        return values | {name: os.path.abspath(path) for name, path in paths.items() if path is not None}

    def _check_range_with(self, sidecar, values):
        """Names dataset.json where an end of the range comes from it and does not fit; others are checked later."""
        own = [name for name in values if getattr(self, name) is None and getattr(sidecar, name) is not None]
        if not own:
            return
        try:
            check_range(**{name: getattr(self, name) or value for name, value in values.items()})
        except ValueError as error:
            raise ValueError(f"{error} {' and '.join(own)}: of {FILE_NAME} in {self.data_dir!r}.") from error

    def source_arguments(self) -> dict[str, Any]:
        """The arguments of `load_dataset` but for the split and the partition."""
        names = ("data_dir", "depth_unit", "depth_scale", "split_dir", "camera", "raw_depth", "download", "limit")
        return {"name": self.dataset, **{name: getattr(self, name) for name in names}}


@dataclass(frozen=True, kw_only=True)
class CheckConfig(DataConfig):
    """What `densedepth data check` does. Its flags are described by `densedepth data check --help`.

    Raises:
        ValueError: a value out of bounds.
    """

    partition: str = flag(PARTITION_HELP, "official", choices=("official", "paper"))
    split: str | None = flag("look at one split only", choices=SPLITS)
    samples: int | None = flag("read so many pairs per split, evenly spaced; default: every one", type=int, metavar="N")
    workers: int | None = flag("threads that read; default: one per core", type=int, metavar="N")
    json: bool = flag("print the verdict as JSON", False)
    report: str | None = flag("folder for report.json, report.txt and pictures", metavar="DIR")

    def __post_init__(self):
        super().__post_init__()
        check_at_least_one(self, "samples", "workers")


@dataclass(frozen=True, kw_only=True)
class ShowConfig(DataConfig):
    """What `densedepth data show` does. Its flags are described by `densedepth data show --help`.

    Raises:
        ValueError: a value out of bounds.
    """

    partition: str = flag(PARTITION_HELP, "official", choices=("official", "paper"))
    split: str = flag("which split", "train", choices=SPLITS)
    count: int = flag("so many samples, evenly spaced", 6, type=int, metavar="N")
    augment: str | None = flag(
        "show them augmented: a preset or name=value, as of train.py", nargs="?", const="paper", metavar="WHAT"
    )
    seed: int = flag("of the augmentation", 0, type=int)
    fill_holes: bool = flag("show the depth with its holes filled", False)
    image_size: tuple[int, int] | None = flag("bring them to this size first", type=int, nargs=2, metavar=("H", "W"))
    output: str = flag("the picture to write", "samples.png", metavar="FILE.png")

    def __post_init__(self):
        super().__post_init__()
        check_at_least_one(self, "count")
        check("seed", self.seed, lambda value: 0 <= value < 2**32, "between 0 and 2^32 - 1")
        check("output", self.output, lambda path: path.endswith(".png"), "a file name that ends with .png")
        settle_image_size(self)


@dataclass(frozen=True, kw_only=True)
class FillConfig:
    """What `densedepth data fill` does. Its flags are described by `densedepth data fill --help`.

    Raises:
        ValueError: a value out of bounds.
    """

    source: str = flag("the folder of images and depth maps with holes", None, positional=True, metavar="SRC")
    destination: str = flag("the folder to make, or to go on with", None, positional=True, metavar="DST")
    depth_unit: str | None = flag(UNIT_HELP, metavar="m|cm|mm|FLOAT")
    depth_scale: float | None = flag(SCALE_HELP, type=float, metavar="UNITS")
    workers: int | None = flag("processes; default: one per core", type=int, metavar="N")

    def __post_init__(self):
        check_at_least_one(self, "workers")
