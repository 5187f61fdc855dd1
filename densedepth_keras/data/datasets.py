"""The DATASETS table: every data set by name, opened the same way."""

import os
from collections.abc import Callable
from types import MappingProxyType

from densedepth_keras.data.folder import Folder
from densedepth_keras.data.nyu import NYULabeled
from densedepth_keras.data.rooms import Rooms
from densedepth_keras.data.sample import Sample, Source

SPLITS = ("train", "validation", "test")


def load_dataset(
    name: str = "rooms",
    split: str = "train",
    *,
    data_dir: str | os.PathLike | None = None,
    depth_unit: str | float | None = None,
    partition: str = "official",
    raw_depth: bool = False,
    limit: int | None = None,
) -> Source:
    """Opens a split of a data set.

    Args:
        name: `"rooms"` (rendered, needs nothing), `"folder"` (own data) or `"nyu-labeled"`.
        split: `"train"`, `"validation"` or `"test"`.
        data_dir: where the data lies: the folder, or NYU's .mat file. None for rooms.
        depth_unit: of `folder`: `"m"`, `"cm"`, `"mm"`, or metres per stored unit.
        partition: of `nyu-labeled`: `"official"` or `"paper"`.
        raw_depth: depth with a sensor's holes: of `nyu-labeled` the raw instead of the in-painted one, of `rooms`
            punched into the exact one.
        limit: at most so many samples, the first ones.

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
    if name not in DATASETS:
        raise ValueError(f"Unknown data set. Expected one of: {', '.join(DATASETS)}. Received: dataset={name!r}")
    if split not in SPLITS:
        raise ValueError(f"Unknown split. Expected one of: {', '.join(SPLITS)}. Received: split={split!r}")
    if limit is not None and limit < 1:
        raise ValueError(f"`limit` must be at least 1. Received: limit={limit}")
    if name != "folder" and depth_unit is not None:
        raise ValueError(f"`depth_unit` belongs to 'folder'. Received: dataset={name!r}, depth_unit={depth_unit!r}")
    if name == "folder" and raw_depth:
        raise ValueError("`raw_depth` belongs to 'nyu-labeled' and 'rooms'. Received: dataset='folder', raw_depth=True")
    if name != "rooms" and data_dir is None:
        raise ValueError(f"`data_dir` must say where the data lies. Received: dataset={name!r}, data_dir=None")
    if name == "rooms" and data_dir is not None:
        raise ValueError(f"'rooms' is rendered and reads no files. Received: data_dir={str(data_dir)!r}")
    source = DATASETS[name](
        split=split, data_dir=data_dir, depth_unit=depth_unit, partition=partition, raw_depth=raw_depth
    )
    return source if limit is None or limit >= len(source) else First(source, limit)


class First:
    """The first `count` samples of a source."""

    def __init__(self, source: Source, count: int):
        self.source, self.count = source, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Sample:
        return self.source[range(self.count)[index]]

    def __repr__(self):
        return f"First {self.count} of {self.source!r}"


def _open_rooms(*, split, raw_depth, **_):
    return Rooms(split, holes=raw_depth)


def _open_folder(*, split, data_dir, depth_unit, **_):
    return Folder(data_dir, split, depth_unit=depth_unit)


def _open_nyu_labeled(*, split, data_dir, partition, raw_depth, **_):
    return NYULabeled(data_dir, split, partition=partition, raw_depth=raw_depth)


DATASETS: MappingProxyType[str, Callable[..., Source]] = MappingProxyType(
    {"rooms": _open_rooms, "folder": _open_folder, "nyu-labeled": _open_nyu_labeled}
)
"""Name -> function that opens a split. Read-only."""
