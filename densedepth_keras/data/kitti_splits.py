"""Which of KITTI's frames belong to which split: lists that users have, and the facts that stand in for them."""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

CAMERAS = {"left": ("image_02",), "right": ("image_03",), "both": ("image_02", "image_03")}
"""Folders of the colour cameras."""

LIST_NAMES = {
    "train": ("eigen_train_files.txt", "eigen_train_files_with_gt.txt", "train_files.txt"),
    "validation": ("eigen_val_files.txt", "eigen_validation_files.txt", "eigen_val_files_with_gt.txt", "val_files.txt"),
    "test": ("eigen_test_files.txt", "eigen_test_files_with_gt.txt", "test_files.txt"),
}
"""What the lists are called in monodepth, BTS and monodepth2, in this order."""

LIST_FOLDERS = ("", "splits/eigen", "splits/eigen_full")
"""Below the folder of the lists, and below the data."""

_VALIDATION = """
    2011_09_26_drive_0002 2011_09_26_drive_0005 2011_09_26_drive_0013 2011_09_26_drive_0020 2011_09_26_drive_0023
    2011_09_26_drive_0036 2011_09_26_drive_0079 2011_09_26_drive_0095 2011_09_26_drive_0113 2011_09_28_drive_0037
    2011_09_29_drive_0026 2011_09_30_drive_0016 2011_10_03_drive_0047
"""

VALIDATION_DRIVES = frozenset(f"{drive}_sync" for drive in _VALIDATION.split())
"""The 13 drives below `val` in data_depth_annotated.zip (Uhrig et al., 3DV 2017); seven are Eigen test drives."""

# Frame numbers: inclusive runs, "first-last/step". Source: the list of Eigen, Puhrsch, Fergus (NeurIPS 2014) as
# monodepth and monodepth2 publish it; there each drive is shuffled. 27 drives of 25 frames and one of 22.
_EIGEN_TEST = """
    2011_09_26_drive_0002: 0-63/3 69-75/3
    2011_09_26_drive_0009: 0-176/16 196-388/16
    2011_09_26_drive_0013: 0-10/5 20 30-50/5 60-70/5 80-140/5
    2011_09_26_drive_0020: 0-21/3 27 33-36/3 42-78/3 84
    2011_09_26_drive_0023: 18-216/18 252-468/18
    2011_09_26_drive_0027: 0-98/7 112-147/7 161-182/7
    2011_09_26_drive_0029: 0-196/14 268 296-408/14
    2011_09_26_drive_0036: 0-704/32 768-800/32
    2011_09_26_drive_0046: 0-120/5
    2011_09_26_drive_0048: 0-21/1
    2011_09_26_drive_0052: 0-22/2 26-32/2 36-52/2
    2011_09_26_drive_0056: 11-121/11 143-286/11
    2011_09_26_drive_0059: 0-154/14 182-238/14 274-372/14
    2011_09_26_drive_0064: 0-110/22 154-550/22
    2011_09_26_drive_0084: 49-153/13 179-374/13
    2011_09_26_drive_0086: 7-520/27 574-682/27
    2011_09_26_drive_0093: 0-256/16 305-417/16
    2011_09_26_drive_0096: 0-456/19
    2011_09_26_drive_0101: 80-216/34 284-930/34
    2011_09_26_drive_0106: 15 35-219/8
    2011_09_26_drive_0117: 0-494/26 546-650/26
    2011_09_28_drive_0002: 0-12/3 18-24/3 30-39/3 45-63/3 72 78-90/3
    2011_09_29_drive_0071: 0-612/36 735-807/36 879-951/36 1054
    2011_09_30_drive_0016: 0-88/11 110-275/11
    2011_09_30_drive_0018: 0-214/107 428-2247/107 2419-2740/107
    2011_09_30_drive_0027: 0-656/41 753-958/41 1040-1081/41
    2011_10_03_drive_0027: 0-543/181 734-2001/181 2363-4535/181
    2011_10_03_drive_0047: 0-224/32 288-800/32
"""

_DRIVE = r"([0-9]{4}_[0-9]{2}_[0-9]{2}_drive_[0-9]{4}_sync)"
_SHORT = re.compile(rf"(?:\S*/)?{_DRIVE}\s+([0-9]{{1,10}})\s+([lr23])")
_IMAGE = re.compile(rf"(?:\S*/)?{_DRIVE}/(image_0[23])/data/([0-9]{{1,10}})\.(?:png|jpe?g)", re.IGNORECASE)
_DEPTH = re.compile(rf"(?:\S*/)?{_DRIVE}/proj_depth/groundtruth/(image_0[23])/([0-9]{{1,10}})\.png", re.IGNORECASE)
_SIDES = {"l": "image_02", "2": "image_02", "r": "image_03", "3": "image_03"}


class Frame(NamedTuple):
    """One picture: its drive (`2011_09_26_drive_0002_sync`), the camera's folder, its number."""

    drive: str
    camera: str
    number: int

    def __str__(self):
        return f"{self.drive}/{self.camera}, frame {self.number}"


class ListRow(NamedTuple):
    """One line of a list: the frame, and whether the list says that it has depth."""

    frame: Frame
    line: int
    has_depth: bool


def eigen_test_frames() -> list[Frame]:
    """The 697 test frames of Eigen et al., left camera, by drive and number."""
    drives = (line.split(":") for line in _EIGEN_TEST.strip().splitlines())
    return [Frame(f"{name.strip()}_sync", "image_02", n) for name, runs in drives for n in _numbers(runs)]


def _numbers(runs: str) -> Iterable[int]:
    for run in runs.split():
        first, _, rest = run.partition("-")
        last, _, step = rest.partition("/")
        yield from range(int(first), int(last or first) + 1, int(step or 1))


def is_drive(name: str) -> bool:
    return re.fullmatch(_DRIVE, name) is not None


def find_lists(folders: Iterable[Path]) -> dict[str, Path | None]:
    """The list of each split in the folders, or in the places below them where people keep lists; None for none.

    Training and validation lists of two places may share frames, so both come from the first place that holds a
    training list. The test list does, too, if it is there; else it is the first one found, as all are where no place
    holds a training list.
    """
    places = [_lists_in(folder / below) for folder in folders for below in LIST_FOLDERS]
    first = {split: next((lists[split] for lists in places if lists[split]), None) for split in LIST_NAMES}
    chosen = next((lists for lists in places if lists["train"]), first)
    return {**chosen, "test": chosen["test"] or first["test"]}


def _lists_in(place):
    return {
        split: next((place / name for name in names if os.path.isfile(place / name)), None)
        for split, names in LIST_NAMES.items()
    }


def read_list(path: Path) -> list[ListRow]:
    """Reads a list; every row may be of another form.

    - monodepth2: `2011_09_26/2011_09_26_drive_0057_sync 311 l` (or `r`);
    - BTS: image, depth or `None`, focal length; paths as below;
    - monodepth: the left image and the right one. The first names the frame; and an image alone is enough.

    Paths only say which frame is meant: it is looked up in the tree at hand, whatever folders and suffix they name.

    Raises:
        ValueError: not text in UTF-8, no row, or a row of no such form; the message names it.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (UnicodeDecodeError, OSError) as error:
        raise ValueError(f"{path.name} cannot be read as text in UTF-8: {error}. Received: {path}") from error
    rows = [_row(line.strip(), number, path) for number, line in enumerate(lines, start=1) if line.strip()]
    if not rows:
        raise ValueError(f"The split is empty: no row in {path.name}. Received: {path}")
    return rows


def _row(line, number, path):
    short = _SHORT.fullmatch(line)
    if short:
        return ListRow(Frame(short[1], _SIDES[short[3]], int(short[2])), number, True)
    columns = line.replace("\\", "/").split()
    frame, second = _frame(_IMAGE, columns[0]), (columns[1] if len(columns) > 1 else "")
    depth = _frame(_DEPTH, second)
    known = second in ("", "None") or depth == frame or _frame(_IMAGE, second)
    if frame is None or len(columns) > 3 or not known:
        raise ValueError(
            f"Row {number} of {path.name}: expected `date/drive_sync frame l|r` or `image depth focal`, both of one "
            f"frame, such as '2011_09_26/2011_09_26_drive_0057_sync 311 l'. Received: {line[:200]!r}"
        )
    return ListRow(frame, number, second != "None")


def _frame(pattern, text):
    match = pattern.fullmatch(text)
    return match and Frame(match[1], match[2].lower(), int(match[3]))
