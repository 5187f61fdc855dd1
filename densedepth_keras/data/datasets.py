"""The DATASETS table: every data set by name, opened the same way."""

import os
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

from densedepth_keras.data.catalog import NYUTfds
from densedepth_keras.data.folder import Folder
from densedepth_keras.data.inpainting import Filled
from densedepth_keras.data.kitti import KITTI
from densedepth_keras.data.nyu import NYULabeled
from densedepth_keras.data.nyu_csv import NYUCsv
from densedepth_keras.data.rooms import Rooms
from densedepth_keras.data.sample import SPLITS, Rows, Source
from densedepth_keras.names import check_name

_ARGUMENTS = MappingProxyType(
    {
        "depth_unit": ("folder",),
        "depth_scale": ("folder",),
        "partition": ("nyu-labeled",),
        "raw_depth": ("nyu-labeled", "rooms"),
        "split_dir": ("kitti",),
        "camera": ("kitti",),
        "download": ("nyu-tfds",),
    }
)
"""Arguments that not every data set has a use for, and whose they are."""


def load_dataset(
    name: str = "rooms",
    split: str = "train",
    *,
    data_dir: str | os.PathLike | None = None,
    depth_unit: str | float | None = None,
    depth_scale: float | None = None,
    partition: str = "official",
    raw_depth: bool = False,
    split_dir: str | os.PathLike | None = None,
    camera: str | None = None,
    download: bool = False,
    fill_holes: bool = False,
    limit: int | None = None,
    announce: Callable[[str], None] = lambda line: None,
) -> Source:
    """Opens a split of a data set.

    Args:
        name: `"rooms"` (rendered, needs nothing), `"folder"` (own data), `"nyu-labeled"`, `"nyu-csv"`, `"nyu-tfds"` or
            `"kitti"`.
        split: `"train"`, `"validation"` or `"test"`.
        data_dir: where the data lies: the folder, NYU's .mat file, the reference's .zip, the folder of
            tensorflow-datasets (None for its usual one). None for rooms.
        depth_unit: of `folder`: `"m"`, `"cm"`, `"mm"`, or metres per stored unit.
        depth_scale: of `folder`, instead of a unit: stored units per metre. With neither, `dataset.json` must say it.
        partition: of `nyu-labeled`: `"official"` or `"paper"`.
        raw_depth: depth with a sensor's holes: of `nyu-labeled` the raw instead of the in-painted one, of `rooms`
            punched into the exact one.
        split_dir: of `kitti`: folder with the split lists; looked for in `data_dir` without.
        camera: of `kitti`: `"left"`, `"right"` or `"both"` (default).
        download: of `nyu-tfds`: whether to download and prepare it where it is not there.
        fill_holes: fills holes by colorization as samples are read; see `data.inpainting`.
        limit: at most so many samples, the first ones.
        announce: gets what is worth reading, the size and licence of a download.

    Returns:
        A source: `len(source)` samples, `source[i]` is `Sample(image, depth)`, uint8 RGB `(H, W, 3)` and float32
        metres `(H, W)` with 0 for a hole.

    Raises:
        ValueError: unknown name or split, an argument that the data set has no use for or lacks, bad data.
        FileNotFoundError: data that is not there.

    Example:
        >>> image, depth = load_dataset("rooms", "test")[0]
        >>> image.shape, depth.shape
        ((240, 320, 3), (240, 320))
    """
    given = {
        "depth_unit": depth_unit,
        "depth_scale": depth_scale,
        "raw_depth": raw_depth,
        "split_dir": split_dir,
        "camera": camera,
        "download": download,
    }
    check_name(name, DATASETS, "data set", "dataset")
    check_name(split, SPLITS, "split", "split")
    if limit is not None and limit < 1:
        raise ValueError(f"`limit` must be at least 1. Received: limit={limit}")
    _check_arguments(name, data_dir, {**given, "partition": None if partition == "official" else partition})
    source = DATASETS[name](split=split, data_dir=data_dir, partition=partition, announce=announce, **given)
    if limit is not None and limit < len(source):
        source = Rows(source, range(limit))
    return Filled(source) if fill_holes else source


def _check_arguments(name: str, data_dir, given: dict[str, Any]) -> None:
    for argument, value in given.items():
        if value not in (None, False) and name not in _ARGUMENTS[argument]:
            owners = " and ".join(map(repr, _ARGUMENTS[argument]))
            raise ValueError(f"`{argument}` belongs to {owners}. Received: dataset={name!r}, {argument}={value!r}")
    if name not in ("rooms", "nyu-tfds") and data_dir is None:
        raise ValueError(f"`data_dir` must say where the data lies. Received: dataset={name!r}, data_dir=None")
    if name == "rooms" and data_dir is not None:
        raise ValueError(
            "'rooms' is rendered and reads no files; --dataset folder is for data of your own. "
            f"Received: data_dir={str(data_dir)!r}"
        )


def _open_rooms(*, split, raw_depth, **_):
    return Rooms(split, holes=raw_depth)


def _open_folder(*, split, data_dir, depth_unit, depth_scale, **_):
    return Folder(data_dir, split, depth_unit=depth_unit, depth_scale=depth_scale)


def _open_nyu_labeled(*, split, data_dir, partition, raw_depth, **_):
    return NYULabeled(data_dir, split, partition=partition, raw_depth=raw_depth)


def _open_nyu_csv(*, split, data_dir, **_):
    return NYUCsv(data_dir, split)


def _open_nyu_tfds(*, split, data_dir, download, announce, **_):
    return NYUTfds(split, data_dir=data_dir, download=download, announce=announce)


def _open_kitti(*, split, data_dir, split_dir, camera, **_):
    return KITTI(data_dir, split, camera=camera or "both", split_dir=split_dir)


DATASETS: MappingProxyType[str, Callable[..., Source]] = MappingProxyType(
    {
        "rooms": _open_rooms,
        "folder": _open_folder,
        "nyu-labeled": _open_nyu_labeled,
        "nyu-csv": _open_nyu_csv,
        "nyu-tfds": _open_nyu_tfds,
        "kitti": _open_kitti,
    }
)
"""Name -> function that opens a split. Read-only."""
