"""Own data: a folder with lists of pairs, or with `image` and `depth` sub-folders, or of HDF5 files."""

import hashlib
import os
from pathlib import Path

from densedepth_keras.data.files import DEPTH_SUFFIXES, check_header, read_pair
from densedepth_keras.data.pictures import check_regular
from densedepth_keras.data.sample import Sample
from densedepth_keras.data.tables import Row, read_table
from densedepth_keras.data.trees import paired_rows
from densedepth_keras.names import printable
from densedepth_keras.sidecar import read_sidecar, units_per_metre

TABLE_SUFFIXES = (".csv", ".tsv", ".jsonl")
_READER = b"Folder 1"
"""Part of every content key; another number where the same files come to be read as another sample."""


class Folder:
    """Pairs of images and depth maps on disk.

    Three layouts, all below `data_dir`:

    - `train.csv`, `.tsv` or `.jsonl`, one of them (likewise `validation`, `test`): see `tables.read_table`;
    - `train/image/**` and `train/depth/**`, paired by their path inside these folders without the suffix;
    - `train/**/*.h5`, HDF5 files that hold `rgb` (H, W, 3) or (3, H, W) uint8, and `depth` (H, W).

    Images are pictures of any mode, turned upright; depth is what `files.read_depth` reads, turned along where
    `files.read_pair` says. 0, negative and non-finite depths are holes. Image and depth of a pair have one size. The
    unit is never guessed: `depth_unit` or `depth_scale` say it, or else `dataset.json` in the folder does
    (`sidecar.read_sidecar`). Paths of lists stay inside the folder as they are written; links are followed, wherever
    they lead, so a link is how data elsewhere are used.

    Args:
        data_dir: the folder.
        split: `"train"`, `"validation"` or `"test"`.
        depth_unit: `"m"`, `"cm"`, `"mm"`, or metres per stored unit as a number (1/256 for KITTI's PNG).
        depth_scale: instead of it, stored units per metre (1000 for millimetres, 256 for KITTI, 5000 for TUM).

    Attributes:
        rows: `Row(image, depth, name)` of every sample; no file they name has been looked at.
        sidecar: what `dataset.json` says.
        units_per_metre: stored units per metre.

    Raises:
        FileNotFoundError: the folder or the split is not there. Reading and checking a row: a file is not there.
        ValueError: an empty split, two lists of one, a list that is broken or leaves the folder, an unknown unit or
            none. Reading and checking a row: files that cannot be decoded, colour pictures as depth, pairs of unequal
            size, a file closed to the user. The message names the row.
    """

    def __init__(
        self,
        data_dir: str | os.PathLike,
        split: str,
        *,
        depth_unit: str | float | None = None,
        depth_scale: float | None = None,
    ):
        self.data_dir, self.split = Path(data_dir), split
        if not self.data_dir.is_dir():
            raise FileNotFoundError(f"`data_dir` is not a folder. Received: data_dir={str(data_dir)!r}")
        self.sidecar = read_sidecar(data_dir)
        if depth_unit is None and depth_scale is None:
            depth_unit, depth_scale = self.sidecar.depth_unit, self.sidecar.depth_scale
        self.units_per_metre = units_per_metre(depth_unit, depth_scale)
        self.rows = _rows(self.data_dir, split)

    @property
    def metres_per_unit(self) -> float:
        return 1 / self.units_per_metre

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Sample:
        row = self.rows[index]
        try:
            self._check_suffix(row)
            return Sample(*read_pair(row.image, row.depth, units_per_metre=self.units_per_metre))
        except (ValueError, OSError) as error:
            raise self._named(error, row) from error

    def row_name(self, index: int) -> str:
        """The row and its files, for a message."""
        row = self.rows[index]
        return printable(f"{row.name} ({', '.join(self._files(row))})")

    def check_row(self, index: int) -> None:
        """Raises as reading the row would, as far as can be told from headers and ends of the files, undecoded."""
        row = self.rows[index]
        try:
            self._check_suffix(row)
            check_header(row.image, row.depth)
        except (ValueError, OSError) as error:
            raise self._named(error, row) from error

    def content_key(self, index: int) -> bytes:
        """16 bytes that change with a stored byte of the row's files or with the unit."""
        row = self.rows[index]
        digest = hashlib.blake2b(_READER + repr(self.units_per_metre).encode(), digest_size=16)
        try:
            for path in dict.fromkeys((row.image, row.depth)):
                check_regular(path)
                with open(path, "rb") as file:
                    # Of each file its own digest: else bytes could move from one to the other unseen.
                    content = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16))
                digest.update(path.suffix.lower().encode() + b"\0" + content.digest())
        except (ValueError, OSError) as error:
            raise self._named(error, row) from error
        return digest.digest()

    def __repr__(self):
        return f"Folder({str(self.data_dir)!r}, {self.split!r})"

    def _files(self, row):
        return [os.path.relpath(path, self.data_dir) for path in dict.fromkeys((row.image, row.depth))]

    def _named(self, error, row):
        """The error with the row's name in front, of the kind that callers expect."""
        if isinstance(error, FileNotFoundError):
            missing = [name for name in self._files(row) if not os.path.exists(self.data_dir / name)]
            return FileNotFoundError(
                printable(f"{row.name}: no such file. Received: {', '.join(missing or self._files(row))!r}")
            )
        text = str(error)
        told = any(repr(str(path)) in text for path in (row.image, row.depth))
        files = "" if told else f" ({', '.join(self._files(row))})"
        return ValueError(printable(f"{row.name}{files}: {text}"))

    @staticmethod
    def _check_suffix(row):
        if row.depth.suffix.lower() not in DEPTH_SUFFIXES:
            raise ValueError(
                f"depth must be one of {', '.join(DEPTH_SUFFIXES)}; a lossy format changes metres. "
                f"Received: {str(row.depth)!r}"
            )


def _rows(data_dir, split) -> list[Row]:
    tables = [data_dir / (split + suffix) for suffix in TABLE_SUFFIXES]
    tables = [table for table in tables if table.is_file()]
    if len(tables) > 1:
        names = ", ".join(table.name for table in tables)
        raise ValueError(f"Expected one list for the split {split!r}. Received: {names} in {str(data_dir)!r}")
    return read_table(tables[0]) if tables else paired_rows(data_dir, split)
