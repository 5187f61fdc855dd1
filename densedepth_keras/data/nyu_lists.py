"""The lists of DenseDepth's NYU archive, and which of its training scenes validate."""

import csv
import hashlib
import io
import re
from collections import Counter
from typing import NamedTuple

from densedepth_keras.data.archive import Archive, Tree


class Row(NamedTuple):
    """A line of a list, from 1 on, and the two files it names."""

    number: int
    image: str
    depth: str


def read_list(files: Archive | Tree, name: str) -> list[Row]:
    """The rows of a list: CSV in UTF-8, `image,depth`, empty lines left out.

    Raises:
        ValueError: no such CSV, or a row that is no pair of one frame, or names a path that leaves the archive.
    """
    try:
        lines = list(csv.reader(io.StringIO(files.read(name).decode("utf-8-sig"), newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{name} is not a CSV file in UTF-8: {error}. Received: {files.path}") from error
    if lines and [cell.strip().lower() for cell in lines[0]] == ["image", "depth"]:
        lines[0] = []
    where = f"{name} in {files.path}"
    return [_row(number, line, where) for number, line in enumerate(lines, start=1) if any(map(str.strip, line))]


def _row(number, line, where):
    cells = [cell.strip() for cell in line]
    if len(cells) != 2 or not all(cells):
        raise ValueError(
            f"Row {number} of {where}: expected two columns, image,depth. Received: {','.join(line)[:200]!r}"
        )
    for path in cells:
        if path.startswith("/") or ".." in path.split("/") or "\\" in path or ":" in path or "\0" in path:
            raise ValueError(
                f"Row {number} of {where}: a path must be relative, with slashes, and stay inside the archive. "
                f"Received: {path[:200]!r}"
            )
    image, depth = (cell.rpartition(".")[0] for cell in cells)
    if image.removesuffix("_colors") != depth.removesuffix("_depth"):
        raise ValueError(
            f"Row {number} of {where}: image and depth must be of one frame, <n>.jpg and <n>.png or <n>_colors.png and "
            f"<n>_depth.png. Received: {','.join(cells)[:200]!r}"
        )
    return Row(number, *cells)


def share_rows(rows: list[Row], split: str) -> list[Row]:
    """The rows of the training list that are of the split `"train"` or `"validation"`."""
    folders = [row.image.rpartition("/")[0] for row in rows]
    scene_of = {folder: scene(folder) for folder in set(folders)}
    scenes = [scene_of[folder] for folder in folders]
    held_out = held_out_scenes(Counter(scenes))
    if not held_out:
        end = len(rows) - round(len(rows) / 10)
        return rows[:end] if split == "train" else rows[end:]
    validates = split == "validation"
    return [row for row, name in zip(rows, scenes, strict=True) if (name in held_out) == validates]


def scene(folder: str) -> str:
    """The scene a folder of training files belongs to: `data/nyu2_train/kitchen_0029b_out` to `kitchen_0029`.

    The letter counts the recordings of one room.
    """
    return re.sub(r"(?<=_\d{4})[a-z]$", "", folder.rpartition("/")[2].removesuffix("_out"))


def held_out_scenes(counts: dict[str, int]) -> set[str]:
    """Which scenes validate: the same ones whatever the order of the list.

    In the order of a hash of their names, so that neighbours in the alphabet do not come together, scenes are taken
    until they are 1 % of the rows and one scene in fifty; a scene that would bring them above a tenth of the rows is
    passed over. Where all would, it is the smallest one; of a single scene, none.

    Args:
        counts: rows of every scene.
    """
    if len(counts) < 2:
        return set()
    total, taken = sum(counts.values()), {}
    for name in sorted(counts, key=lambda name: hashlib.blake2b(name.encode(), digest_size=8).digest()):
        if len(taken) >= max(1, len(counts) // 50) and sum(taken.values()) >= total / 100:
            break
        if sum(taken.values()) + counts[name] <= total / 10:
            taken[name] = counts[name]
    return set(taken) or {min(counts, key=lambda name: (counts[name], name))}
