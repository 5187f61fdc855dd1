"""Own data: a folder with CSV lists, or with `image` and `depth` sub-folders."""

import csv
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from densedepth_keras.data.files import DEPTH_SUFFIXES, IMAGE_SUFFIXES, check_header, check_pair, read_depth, read_image
from densedepth_keras.data.sample import Sample
from densedepth_keras.depth import UNITS


class Row(NamedTuple):
    """One pair of files, and what to call it in a message."""

    image: Path
    depth: Path
    name: str


class Folder:
    """Pairs of images and depth maps on disk.

    Two layouts, both below `data_dir`:

    - `train.csv`, `validation.csv`, `test.csv` with columns `image,depth` (a header is optional; with one, the two
      columns may stand anywhere), paths relative to the folder and inside it;
    - `train/image/*` and `train/depth/*` (likewise `validation`, `test`), paired by file stem.

    Depth is an 8- or 16-bit PNG, a TIFF or a `.npy`; 0, negative and non-finite values are holes. The unit is never
    guessed. Image and depth of a pair have one size. Links are followed, wherever they lead.

    Args:
        data_dir: the folder.
        split: `"train"`, `"validation"` or `"test"`.
        depth_unit: `"m"`, `"cm"`, `"mm"`, or metres per stored unit as a number (1/256 for KITTI's PNG).

    Raises:
        FileNotFoundError: the folder, the split, or a file that a row names is not there.
        ValueError: an empty split, a row that is no pair or leaves the folder, an unknown unit. Reading a sample
            raises it for files that cannot be decoded, colour pictures as depth and pairs of unequal size. The
            message names the row.
    """

    def __init__(self, data_dir: str | os.PathLike, split: str, *, depth_unit: str | float):
        self.data_dir, self.split = Path(data_dir), split
        self.metres_per_unit = metres_per_unit(depth_unit)
        if not self.data_dir.is_dir():
            raise FileNotFoundError(f"`data_dir` is not a folder. Received: data_dir={str(data_dir)!r}")
        table = self.data_dir / f"{split}.csv"
        self.rows = _csv_rows(table) if table.is_file() else _paired_rows(self.data_dir, split)
        for row in self.rows:
            _check_row(row, self.data_dir)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Sample:
        row = self.rows[index]
        try:
            sample = Sample(read_image(row.image, turn=False), read_depth(row.depth, self.metres_per_unit))
            check_pair(*sample)
        except (ValueError, OSError) as error:
            raise _named(error, row) from error
        return sample

    def check(self) -> None:
        """Opens the pictures of every row without decoding them: kind and size, a tenth of a millisecond each."""

        def check_row(row):
            try:
                check_header(row.image, row.depth)
            except (ValueError, OSError) as error:
                raise _named(error, row) from error

        with ThreadPoolExecutor(os.cpu_count()) as threads:
            for _ in threads.map(check_row, self.rows):
                pass

    def __repr__(self):
        return f"Folder({str(self.data_dir)!r}, {self.split!r})"


def _named(error, row):
    """The error with the row's name in front, of the kind that callers expect."""
    kind = FileNotFoundError if isinstance(error, FileNotFoundError) else ValueError
    text = str(error)
    where = "" if str(row.image) in text or str(row.depth) in text else f" ({row.image.name}, {row.depth.name})"
    return kind(f"{row.name}{where}: {text}")


def metres_per_unit(depth_unit: str | float | None) -> float:
    """Metres per stored unit of `"m"`, `"cm"`, `"mm"` or a positive number, also one written as text."""
    if depth_unit in UNITS:
        return UNITS[depth_unit]
    try:
        scale = float(depth_unit)
    except (TypeError, ValueError):
        scale = 0.0
    if not 1e-6 <= scale <= 1e3:
        raise ValueError(
            "`depth_unit` must say what one stored unit is: 'm', 'cm', 'mm', or a number of metres, 1e-6 to 1000 "
            f"(0.00390625 for KITTI's value/256). It is never guessed. Received: depth_unit={depth_unit!r}"
        )
    return scale


def _csv_rows(table):
    try:
        with open(table, newline="", encoding="utf-8-sig") as file:
            lines = [
                (number, line) for number, line in enumerate(csv.reader(file), start=1) if any(c.strip() for c in line)
            ]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{table.name} is not a CSV file in UTF-8: {error}. Received: {table}") from error
    columns = (0, 1)
    if lines and {"image", "depth"} <= {cell.strip().lower() for cell in lines[0][1]}:
        header = [cell.strip().lower() for cell in lines.pop(0)[1]]
        columns = (header.index("image"), header.index("depth"))
    if not lines:
        raise ValueError(f"The split is empty: no row in {table.name}. Received: {table}")
    return [_csv_row(table, number, line, columns) for number, line in lines]


def _csv_row(table, number, line, columns):
    name = f"Row {number} of {table.name}"
    if len(line) <= max(columns) or not all(line[c].strip() for c in columns):
        raise ValueError(f"{name}: expected two columns, image,depth. Received: {','.join(line)[:200]!r}")
    image, depth = (line[c].strip() for c in columns)
    for path in (image, depth):
        inside = os.path.normpath(path)
        if os.path.isabs(path) or inside == ".." or inside.startswith(".." + os.sep):
            raise ValueError(f"{name}: the path must be relative to {table.parent} and inside it. Received: {path!r}")
    return Row(table.parent / image, table.parent / depth, name)


def _paired_rows(data_dir, split):
    folders = data_dir / split / "image", data_dir / split / "depth"
    if not all(folder.is_dir() for folder in folders):
        raise FileNotFoundError(
            f"No {split!r} split: expected {data_dir / (split + '.csv')} (columns image,depth), or the folders "
            f"{folders[0]} and {folders[1]}. Received: data_dir={str(data_dir)!r}"
        )
    images, depths = (
        _by_stem(folder, suffixes) for folder, suffixes in zip(folders, (IMAGE_SUFFIXES, DEPTH_SUFFIXES), strict=True)
    )
    if not images and not depths:
        raise ValueError(f"The split is empty: no image in {folders[0]}. Received: split={split!r}")
    alone = sorted(images.keys() ^ depths.keys())
    if alone:
        missing = folders[1] if alone[0] in images else folders[0]
        raise ValueError(
            f"{len(alone)} files of {data_dir / split} have no partner, first {alone[0]!r}: nothing of that stem in "
            f"{missing}. Every image needs a depth map of its stem, and the other way round."
        )
    return [Row(images[stem], depths[stem], f"Pair {stem!r} of {data_dir / split}") for stem in sorted(images)]


def _by_stem(folder, suffixes):
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in suffixes or path.name.startswith("."):
            continue
        if path.stem in files:
            raise ValueError(f"Two files of one stem in {folder}. Received: {files[path.stem].name}, {path.name}")
        files[path.stem] = path
    return files


def _check_row(row, data_dir):
    for path in (row.image, row.depth):
        if not os.path.isfile(path):  # False, not an error, for names that no file can have
            raise FileNotFoundError(f"{row.name}: no such file. Received: {str(path.relative_to(data_dir))!r}")
    if row.depth.suffix.lower() not in DEPTH_SUFFIXES:
        raise ValueError(
            f"{row.name}: depth must be one of {', '.join(DEPTH_SUFFIXES)}; a lossy format changes metres. "
            f"Received: {row.depth.name!r}"
        )
