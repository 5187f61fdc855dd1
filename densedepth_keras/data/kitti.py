"""KITTI: raw drives with the annotated depth maps, in the trees that people have on disk."""

import hashlib
import os
import warnings
from pathlib import Path

from PIL import Image

from densedepth_keras.data.files import check_header, check_pair, read_depth, read_image
from densedepth_keras.data.images import image_header
from densedepth_keras.data.kitti_splits import (
    CAMERAS,
    LIST_NAMES,
    VALIDATION_DRIVES,
    eigen_test_frames,
    find_lists,
    read_list,
)
from densedepth_keras.data.kitti_tree import WHERE, Tree
from densedepth_keras.data.pictures import check_regular
from densedepth_keras.data.sample import Sample
from densedepth_keras.names import check_name

_READER = b"KITTI 1"
"""Part of every content key; another number where the same files come to be read as another sample."""

METRES_PER_UNIT = 1 / 256
"""Of the annotated depth's 16-bit PNG."""


class KITTI:
    """Street scenes from a car: the raw drives' colour images with the annotated (accumulated) LiDAR depth.

    Geiger, Lenz, Stiller, Urtasun (IJRR 2013); depth: Uhrig et al. (3DV 2017). CC BY-NC-SA 3.0. On disk, below
    `data_dir` or one of its sub-folders named in `FOLDERS`:

        2011_09_26/2011_09_26_drive_0001_sync/image_02/data/0000000005.png                       left camera; or .jpg
        train/2011_09_26_drive_0001_sync/proj_depth/groundtruth/image_02/0000000005.png          also `val`, or neither

    `image_03` is the right camera; the date's folder may be left out, and `proj_depth` may stand in the raw drive.
    Depth is 16-bit PNG, metres = stored / 256, 0 = no measurement (about four fifths of a frame). Frames are 1224x370
    to 1242x376 (width x height) and keep their size. Protocols cap depth at 80 m, the maps do not.

    Splits are Eigen's (NeurIPS 2014), read from lists in the formats of monodepth, monodepth2 and BTS: in `split_dir`
    or `data_dir`, in its `splits/eigen` or `splits/eigen_full`, as `eigen_train_files.txt` and the other names of
    `LIST_NAMES`. All come from the first of these folders that holds a training list, but for the test list, which is
    looked for elsewhere where it is not there. Listed frames without annotated depth are left out, and of validation
    those of the training list, each with one warning that counts them. Without lists:

    - test: Eigen's 697 left frames, built in; 652 of them have annotated depth;
    - validation: the annotated frames of the six of KITTI's own `val` drives that are no test drives;
    - train: the annotated frames of all other drives but the 28 test drives. This is not the published division into
      22,600 and 888 frames, which takes both from the same drives. Drives whose images are not at hand are left out.

    With a training list alone, its rows of KITTI's `val` drives validate and do not train.

    Args:
        data_dir: the folder.
        split: `"train"`, `"validation"` or `"test"`.
        camera: `"left"`, `"right"` or `"both"`: which frames of a list, or of a drive, are taken.
        split_dir: where the lists are, if not with the data.

    Attributes:
        rows: images, depth maps and frames, in the list's order or by drive.
        dropped: listed frames that were left out for want of depth.

    Raises:
        FileNotFoundError: no folder, no images, no depth, no list in `split_dir`, a validation list without a training
            list.
        ValueError: an unknown split or camera, an empty split, a list row of no known form. Reading a sample raises
            one of both for files that are not there or cannot be decoded, for depth that is not 16-bit and for pairs
            of unequal size; the message names the row.
    """

    def __init__(
        self,
        data_dir: str | os.PathLike,
        split: str,
        *,
        camera: str = "both",
        split_dir: str | os.PathLike | None = None,
    ):
        self.data_dir, self.split, self.camera = Path(data_dir), split, camera
        check_name(split, ("train", "validation", "test"), "split", "split")
        check_name(camera, CAMERAS, "camera", "camera")
        for name, folder in (("data_dir", data_dir), ("split_dir", split_dir)):
            if folder is not None and not os.path.isdir(folder):
                raise FileNotFoundError(f"`{name}` is not a folder. Received: {name}={str(folder)!r}")
        tree = Tree(self.data_dir)
        if split_dir is not None and not any(find_lists([Path(split_dir)]).values()):
            names = ", ".join(names[0] for names in LIST_NAMES.values())
            raise FileNotFoundError(f"No split list there: expected {names}. Received: split_dir={str(split_dir)!r}")
        folders = [Path(folder) for folder in (split_dir, data_dir) if folder is not None]
        lists = find_lists(folders)
        frames = self._listed(lists)
        if frames is None:
            frames = self._annotated(lists, tree)
        self.rows = [row for frame, listed in frames if (row := tree.row(frame, listed))]
        self.dropped = len(frames) - len(self.rows)
        if not self.rows:
            self._raise_empty(len(frames), tree)
        if self.dropped:
            text = f"{self.dropped} of {len(frames)} frames of KITTI's {split} split have no annotated depth: left out."
            warnings.warn(text, stacklevel=2)

    def _listed(self, lists):
        """(frame, name of its list row or None where the list denies it depth) of a list; None where there is none."""
        path, cameras = lists[self.split], CAMERAS[self.camera]
        borrowed = lists["train"] is not None and lists["validation"] is None and self.split != "test"
        if path is None and self.split == "test":
            return [(frame, "") for frame in eigen_test_frames() if frame.camera in cameras]
        if path is None and not borrowed:
            return None
        rows = [row for row in read_list(path or lists["train"]) if row.frame.camera in cameras]
        if borrowed:
            text = f"No validation list beside {lists['train']}: its rows of KITTI's own validation drives are held out"
            warnings.warn(f"{text} of training.", stacklevel=3)
            rows = [row for row in rows if (row.frame.drive in VALIDATION_DRIVES) == (self.split == "validation")]
        elif self.split == "validation" and lists["train"] is not None:
            rows = _without_training(rows, lists)
        name = (path or lists["train"]).name
        return [(row.frame, f"Row {row.line} of {name}" if row.has_depth else None) for row in rows]

    def _annotated(self, lists, tree):
        """Every annotated frame of the split's drives, where no list says which."""
        if self.split == "train" and lists["validation"] is not None:
            raise FileNotFoundError(
                f"A validation list without a training list: {lists['validation']}. Expected eigen_train_files.txt "
                "beside it, or neither. Received: split='train'"
            )
        test = {frame.drive for frame in eigen_test_frames()}
        test |= {row.frame.drive for row in read_list(lists["test"])} if lists["test"] else set()
        validation = self.split == "validation"
        drives = [d for d in tree.depth_drives if d not in test and (d in VALIDATION_DRIVES) == validation]
        return [(frame, "") for drive in sorted(drives) for frame in tree.frames(drive, CAMERAS[self.camera])]

    def _raise_empty(self, listed, tree):
        if listed:
            raise FileNotFoundError(
                f"None of the {listed} frames of the split has annotated depth below {self.data_dir}; {WHERE}. "
                f"Received: split={self.split!r}"
            )
        raise ValueError(
            f"The split is empty: no frame of it is at hand, among {len(tree.depth_drives)} drives with "
            f"depth and {len(tree.image_drives)} with images. Received: split={self.split!r}, camera={self.camera!r}"
        )

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Sample:
        row = self.rows[index]
        try:
            sample = Sample(read_image(row.image, turn=False), read_depth(row.depth, METRES_PER_UNIT))
            _check_16_bit(row.depth)
            check_pair(*sample)
        except (ValueError, OSError) as error:
            raise self._named(error, index) from error
        return sample

    def row_name(self, index: int) -> str:
        row = self.rows[index]
        return f"{row.listed} ({row.frame})" if row.listed else str(row.frame)

    def check_row(self, index: int) -> None:
        """Opens both files without decoding them: presence, kind and size."""
        row = self.rows[index]
        try:
            check_header(row.image, row.depth)
            _check_upright(row.image)
            _check_16_bit(row.depth)
        except (ValueError, OSError) as error:
            raise self._named(error, index) from error

    def content_key(self, index: int) -> bytes:
        """A digest of both files' bytes."""
        row, digest = self.rows[index], hashlib.blake2b(_READER, digest_size=16)
        try:
            for path in (row.image, row.depth):
                check_regular(path)
                with open(path, "rb") as file:
                    digest.update(hashlib.file_digest(file, hashlib.blake2b).digest())
        except (ValueError, OSError) as error:
            raise self._named(error, index) from error
        return digest.digest()

    def _named(self, error, index):
        kind = FileNotFoundError if isinstance(error, FileNotFoundError) else ValueError
        row, text = self.rows[index], str(error)
        told = any(str(path) in text for path in (row.image, row.depth))
        files = "" if told else f" ({row.image}, {row.depth})"
        return kind(f"{self.row_name(index)}{files}: {text}")

    def __repr__(self):
        return f"KITTI({str(self.data_dir)!r}, {self.split!r}, camera={self.camera!r})"


def _without_training(rows, lists):
    """The rows of a validation list without those frames that its training list holds as well."""
    training = {row.frame for row in read_list(lists["train"])}
    apart = [row for row in rows if row.frame not in training]
    if len(apart) < len(rows):
        text = f"{len(rows) - len(apart)} of {len(rows)} frames of {lists['validation']} are training frames as well"
        warnings.warn(f"{text}, by {lists['train']}: left out of validation.", stacklevel=4)
    return apart


def _check_upright(path):
    turn = image_header(path)[1]
    if turn != 1:
        raise ValueError(f"The image is stored turned (EXIF orientation {turn}). Received: {path!r}")


def _check_16_bit(path):
    with Image.open(path) as picture:
        if not picture.mode.startswith("I"):
            raise ValueError(f"depth is 8-bit. Expected 16-bit PNG, metres = stored / 256. Received: {path}")
