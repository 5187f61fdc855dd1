"""NYU Depth v2 as tensorflow-datasets prepares it."""

import hashlib
import importlib.util
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from densedepth_keras.data.sample import Sample
from densedepth_keras.data.tfrecord import TFRecords
from densedepth_keras.names import check_name

NAME = "nyu_depth_v2"
DOWNLOAD_BYTES, PREPARED_BYTES = 34_276_493_134, 80_000_000_000
"""Of nyudepthv2.tar.gz, as tensorflow-datasets records it; of the prepared copy, about (float32 depth, PNG images)."""

_SIZES = (
    f"{NAME}: {DOWNLOAD_BYTES / 1e9:.0f} GB to download, about {PREPARED_BYTES / 1e9:.0f} GB prepared, and the "
    "unpacked archive (34 GB or more) beside it meanwhile. Research use: Silberman, Hoiem, Kohli, Fergus (ECCV 2012), "
    "in the packing of FastDepth (Wofk et al., ICRA 2019)."
)
_NEEDED_BYTES = 2 * DOWNLOAD_BYTES + PREPARED_BYTES
"""Archive, unpacked archive and prepared copy lie side by side in the end."""

_READER = b"NYUTfds 1"
"""Part of every content key; another number where the same records come to be read as another sample."""

_TFDS_SPLITS = {"train": "train", "validation": "train", "test": "validation"}
_HELD_OUT = 20
"""One in so many training examples validates, the last ones."""


class NYUTfds:
    """tensorflow-datasets' `nyu_depth_v2`: 47,584 training frames of NYU's raw videos, and its 654 test frames.

    An example is `image`, uint8 (480, 640, 3), and `depth`, float16 (480, 640), metres; half precision has steps of
    2 to 8 mm between 2 and 10 m. What is not finite and positive becomes 0, a hole. Splits: `test` is what the catalog
    calls `validation` (654). `validation` is the last twentieth of the catalog's `train` (2,379), `train` the rest
    (45,205). Preparation shuffles the examples by a hash of their names and does not keep the names, so this
    validation is drawn at random from *the same scenes* that train: it shows when fitting goes wrong, and flatters a
    model. Judge by `test`.

    Copies prepared as array_record are read through `as_data_source`. Those prepared as TFRecord, the catalog's
    default, have no random access of their own: here the start of each record is found at opening (one small read per
    record) and every record is checked when it is read; `tfds.load` would go through a split from its beginning.

    Args:
        split: `"train"`, `"validation"` or `"test"`.
        data_dir: the folder tensorflow-datasets prepares data in (it holds `nyu_depth_v2/`), or the folder of the
            prepared version itself; None for its default, `~/tensorflow_datasets` or `$TFDS_DATA_DIR`.
        download: prepare the data if it is not there.
        announce: gets a line about size and licence before a download.

    Raises:
        ImportError: tensorflow-datasets is missing, or array_record is and the copy needs it.
        FileNotFoundError: not prepared, and no `download`.
        ValueError: an unknown split, a damaged copy or one that holds something else, too little room. Reading raises
            it for an example that cannot be decoded; the message names it.
    """

    def __init__(
        self,
        split: str,
        *,
        data_dir: str | os.PathLike | None = None,
        download: bool = False,
        announce: Callable[[str], None] = lambda line: None,
    ):
        check_name(split, _TFDS_SPLITS, "split", "split")
        self.split, self._tfds_split = split, _TFDS_SPLITS[split]
        builder = _builder(data_dir)
        self.directory = str(builder.data_dir)
        if not builder.is_prepared():
            _prepare(builder, download, announce)
        self._examples = _examples(builder, self._tfds_split)
        count = len(self._examples)
        train_end = count - max(1, count // _HELD_OUT)
        parts = {"train": range(train_end), "validation": range(train_end, count), "test": range(count)}
        self._indices = parts[split]
        if not self._indices:
            raise ValueError(f"The split is empty: {count} examples in {self.directory}. Received: split={split!r}")

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: int) -> Sample:
        example = self._read(index, self._examples)
        try:
            image, depth = example["image"], np.asarray(example["depth"], np.float32)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{self.row_name(index)}: expected `image` and `depth`. Received: {error}") from error
        if image.dtype != np.uint8 or image.shape != (*depth.shape, 3):
            raise ValueError(
                f"{self.row_name(index)}: expected a uint8 image (H, W, 3) and depth (H, W). "
                f"Received: {image.dtype} {image.shape} and {depth.shape}"
            )
        return Sample(image, np.where(np.isfinite(depth) & (depth > 0), depth, np.float32(0)))

    def row_name(self, index: int) -> str:
        return f"Example {self._indices[index]} of {NAME}'s {self._tfds_split!r} in {self.directory}"

    def check_row(self, index: int) -> None:
        """Looks at nothing: opening has found the records, and the checksum of one takes as long as decoding it."""
        self._indices[index]

    def content_key(self, index: int) -> bytes:
        """A digest of the stored record."""
        return hashlib.blake2b(_READER + self._read(index, self._examples.data_source), digest_size=16).digest()

    def _read(self, index, rows):
        number = self._indices[index]
        try:
            return rows[number]
        except Exception as error:  # readers and decoders of the catalog raise what they like on damaged files
            raise ValueError(f"{self.row_name(index)} cannot be read: {error}") from error

    def __repr__(self):
        return f"NYUTfds({self.split!r}, data_dir={self.directory!r})"


class _RecordExamples:
    """Examples of a copy prepared as TFRecord, by number; shaped like the catalog's own data sources."""

    def __init__(self, builder, split):
        info = builder.info.splits[split]
        self.data_source = TFRecords([os.fspath(path) for path in info.filepaths], info.shard_lengths)
        self._decode = builder.info.features.deserialize_example_np

    def __len__(self):
        return len(self.data_source)

    def __getitem__(self, number):
        return self._decode(self.data_source[number])


def _tfds():
    try:
        import tensorflow_datasets
    except ImportError as error:
        raise ImportError(
            f"'nyu-tfds' needs tensorflow-datasets: pip install tensorflow-datasets. Received: {error}"
        ) from error
    return tensorflow_datasets


def _builder(data_dir):
    tfds = _tfds()
    try:
        if data_dir is not None and os.path.isfile(os.path.join(data_dir, "dataset_info.json")):
            builder = tfds.builder_from_directory(os.fspath(data_dir))
        else:
            builder = tfds.builder(NAME, data_dir=data_dir)
    except Exception as error:  # a broken dataset_info.json raises errors of json, protobuf and more
        raise ValueError(
            f"The prepared copy cannot be opened: {error}. Received: data_dir={_given(data_dir)}"
        ) from error
    if builder.name != NAME:
        raise ValueError(f"Expected a copy of {NAME}, not of {builder.name!r}. Received: data_dir={_given(data_dir)}")
    return builder


def _given(data_dir):
    return repr(None if data_dir is None else str(data_dir))


def _prepare(builder, download, announce):
    if not download:
        raise FileNotFoundError(
            f"{NAME} is not prepared in {builder.data_dir}. Name the folder of a prepared copy with --data-dir, or "
            f"prepare one with --download. {_SIZES} Received: download=False"
        )
    if os.path.isdir(builder.data_dir):
        raise ValueError(f"An unfinished preparation: remove it and try again. Received: {builder.data_dir}")
    # Where array_record cannot be had (it is built for few platforms), TFRecord serves as well.
    file_format = "array_record" if importlib.util.find_spec("array_record") else "tfrecord"
    folder = Path(builder.data_dir)
    free = shutil.disk_usage(next(parent for parent in (folder, *folder.parents) if parent.is_dir())).free
    downloads = folder.parents[1] / "downloads"  # what an earlier try has left there is not needed again
    needed = _NEEDED_BYTES - sum(file.stat().st_size for file in downloads.rglob("*") if file.is_file())
    if free < needed:
        raise ValueError(
            f"Too little room: {_SIZES} Name a folder with {needed / 1e9:.0f} GB or more free with --data-dir. "
            f"Received: {free / 1e9:.0f} GB free in {folder}"
        )
    announce(f"{_SIZES} Into {folder} ({free / 1e9:.0f} GB free), as {file_format}; this takes hours.")
    builder.download_and_prepare(file_format=file_format)


def _examples(builder, split):
    formats = {file_format.value for file_format in builder.info.available_file_formats()}
    if builder.info.splits and split not in builder.info.splits:
        raise ValueError(f"The copy has no split {split!r}: only {sorted(builder.info.splits)} in {builder.data_dir}")
    if formats == {"tfrecord"} and builder.info.splits:
        return _RecordExamples(builder, split)
    try:
        return builder.as_data_source(split)
    except ImportError as error:
        raise ImportError(f"This copy of {NAME} needs array_record: pip install array_record. {error}") from error
    except NotImplementedError:
        raise ValueError(
            f"Expected a copy prepared as array_record or tfrecord. Received: {', '.join(sorted(formats))} in "
            f"{builder.data_dir}"
        ) from None
