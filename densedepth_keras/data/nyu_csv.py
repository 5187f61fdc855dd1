"""NYU Depth v2 as DenseDepth published it: 50,688 training pairs in lists, read from the zip where it lies."""

import contextlib
import hashlib
import os
from pathlib import Path

from densedepth_keras.data.archive import Archive, Tree, open_archive
from densedepth_keras.data.files import check_pair
from densedepth_keras.data.nyu_arrays import RGB, EigenFrames
from densedepth_keras.data.nyu_lists import read_list, share_rows
from densedepth_keras.data.nyu_pictures import check_headers, decode_depth, decode_image
from densedepth_keras.data.sample import Sample, Source

FILE_NAME, TEST_FILE_NAME = "nyu_data.zip", "nyu_test.zip"
URL = "https://s3-eu-west-1.amazonaws.com/densedepth/"
LISTS = {"train": "nyu2_train.csv", "validation": "nyu2_train.csv", "test": "nyu2_test.csv"}
_ROOT = "data/"
_BASES = (_ROOT, "", "nyu_data/data/")
_READER = "NYUCsv 1"
"""Part of every content key; another number where the same files come to be read as another sample."""


class NYUCsv:
    """DenseDepth's `nyu_data.zip` (4.1 GB), the same tree unpacked, or its `nyu_test.zip`.

    Tree: `data/nyu2_train.csv` lists 50,688 pairs `data/nyu2_train/<scene>_out/<n>.jpg,....png`, `data/nyu2_test.csv`
    654 pairs `data/nyu2_test/<n>_colors.png,<n>_depth.png`; 640x480, no header line. Training depth is 8-bit,
    in-painted, metres = value / 25.5: steps of 4 cm, and 255 stands for 10 m and beyond. Test depth is 16-bit,
    millimetres. 0 is a hole. Depth of another bit depth than its split's is refused: nothing says what its unit would
    be. Research use; Silberman, Hoiem, Kohli, Fergus, ECCV 2012; Alhashim, Wonka, arXiv 1812.11941.

    The archive has no validation split: whole scenes of the training list are held out, so no scene is on both sides
    (`nyu_lists.held_out_scenes`). From a list of a single scene the last tenth of the rows is taken.

    `nyu_test.zip` holds the 654 test frames as arrays (`nyu_arrays.EigenFrames`); it has the test split alone.

    Args:
        path: of either zip, or of a folder that holds one, or `data/nyu2_train.csv`, or `nyu2_train.csv`.
        split: `"train"`, `"validation"` or `"test"`.

    Raises:
        FileNotFoundError: nothing of that kind there, or not this split; the message says where it is to be had.
        ValueError: a damaged or a wrong zip, a list that is none, a row that leaves the archive, an empty split.
            Reading a sample raises it for damaged, oversized or unequal pictures. The message names row and file.
    """

    def __init__(self, path: str | os.PathLike, split: str):
        self.path, self.split = Path(path), split
        if split not in LISTS:
            raise ValueError(f"Unknown split. Expected one of: {', '.join(LISTS)}. Received: split={split!r}")
        self._pairs = _open_pairs(self.path, split)

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, index: int) -> Sample:
        return self._pairs[index]

    def row_name(self, index: int) -> str:
        return self._pairs.row_name(index)

    def check_row(self, index: int) -> None:
        self._pairs.check_row(index)

    def content_key(self, index: int) -> bytes:
        return self._pairs.content_key(index)

    def __reduce__(self):
        return type(self), (self.path, self.split)

    def __repr__(self):
        return f"NYUCsv({str(self.path)!r}, {self.split!r})"


class ListedPairs:
    """The pairs of a split's list, from a zip or a folder.

    Args:
        files: where the list and the pictures are.
        base: folder of the list within it, "" or ending with a slash; stands for the `data/` of the rows.
        split: as in `NYUCsv`.
    """

    def __init__(self, files: Archive | Tree, base: str, split: str):
        self._files, self._base, self._split = files, base, split
        self._list = base + LISTS[split]
        rows = read_list(files, self._list)
        self.rows = rows if split == "test" else share_rows(rows, split)
        if not self.rows:
            raise ValueError(
                f"The split is empty: {len(rows)} rows in {self._list} of {files.path}. Received: split={split!r}"
            )

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Sample:
        with self._named(index) as (image, depth):
            read = self._files.read
            sample = Sample(decode_image(read(image), image), decode_depth(read(depth), depth, self._bits))
            check_pair(*sample)
            return sample

    def row_name(self, index: int) -> str:
        row = self.rows[index]
        return f"Row {row.number} of {self._list} in {self._files.path} ({row.image}, {row.depth})"

    def check_row(self, index: int) -> None:
        with self._named(index) as (image, depth):
            check_headers(self._files, image, depth, self._bits)

    def content_key(self, index: int) -> bytes:
        """Of sizes and CRC-32 of both files: the directory of a zip states them. Packed or unpacked, it is the same."""
        with self._named(index) as names:
            stated = [self._files.fingerprint(name) for name in names]
        return hashlib.blake2b(f"{_READER} {self._bits} {stated}".encode(), digest_size=16).digest()

    @property
    def _bits(self):
        return 16 if self._split == "test" else 8

    @contextlib.contextmanager
    def _named(self, index):
        """The two files of a row; errors get the row's name in front."""
        row = self.rows[index]
        try:
            yield tuple(self._base + name.removeprefix(_ROOT) for name in (row.image, row.depth))
        except FileNotFoundError as error:
            raise FileNotFoundError(f"{self.row_name(index)}: {error}") from error
        except (ValueError, OSError) as error:
            raise ValueError(f"{self.row_name(index)}: {error}") from error


def _open_pairs(path, split) -> Source:
    files = _open_files(path)
    base = _base_of(files, LISTS[split])
    if base is not None:
        return ListedPairs(files, base, split)
    if RGB in files:
        return EigenFrames(files, split)
    held = ", ".join(repr(name[:60]) for name in list(files)[:8]) if isinstance(files, Archive) else "another list"
    another = any(_base_of(files, name) is not None for name in set(LISTS.values()))
    raise (FileNotFoundError if another else ValueError)(
        f"Expected {_ROOT}{LISTS[split]}, as in {URL}{FILE_NAME}, or {RGB}, as in {URL}{TEST_FILE_NAME}. "
        f"Received: split={split!r}, data_dir={str(path)!r}, which holds {held or 'nothing'}"
    )


def _open_files(path):
    if path.is_file():
        return open_archive(path)
    tree = Tree(path)
    if any(_base_of(tree, name) is not None for name in set(LISTS.values())):
        return tree
    for name in (FILE_NAME, TEST_FILE_NAME):
        if (path / name).is_file():
            return open_archive(path / name)
    raise FileNotFoundError(
        f"No {FILE_NAME} there, neither packed nor unpacked: download it (4.1 GB, research use) from {URL}{FILE_NAME}, "
        f"or the test frames alone from {URL}{TEST_FILE_NAME}, and name the file or its folder. "
        f"Received: data_dir={str(path)!r}"
    )


def _base_of(files, name):
    return next((base for base in _BASES if base + name in files), None)
