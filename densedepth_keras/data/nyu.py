"""NYU Depth v2's densely labelled frames, read where they lie."""

import hashlib
import os
import warnings
from pathlib import Path

import h5py
import numpy as np

from densedepth_keras.data.hdf5 import dataset_in
from densedepth_keras.data.nyu_frames import FRAMES, split_frames
from densedepth_keras.data.pictures import check_pixels
from densedepth_keras.data.sample import Sample
from densedepth_keras.depth import MIN_IMAGE_SIDE

FILE_NAME = "nyu_depth_v2_labeled.mat"
DAMAGED = (OSError, RuntimeError, KeyError, TypeError, OverflowError, MemoryError)
"""What h5py raises on damaged files."""

URL = "http://horatio.cs.nyu.edu/mit/silberman/nyu_depth_v2/nyu_depth_v2_labeled.mat"


class NYULabeled:
    """`nyu_depth_v2_labeled.mat`: 1449 indoor frames, 640x480, Kinect depth, read one frame at a time.

    The file (2.8 GB) is MATLAB v7.3, that is HDF5. `images` (1449, 3, 640, 480) uint8 and `depths` (1449, 640, 480)
    float32 metres hold every frame transposed; `depths` is in-painted and has no holes, `rawDepths` is what the
    sensor saw, 0 where it saw nothing. Research use; Silberman, Hoiem, Kohli, Fergus, ECCV 2012.

    Args:
        path: the file, or the folder that holds it.
        split: `"train"` (official 715, paper 1000), `"validation"` (80, 224) or `"test"` (654, 225).
        partition: `"official"` or `"paper"`; see `nyu_frames.split_frames`.
        raw_depth: the sensor's depth with holes instead of the in-painted one.

    Attributes:
        frames: frame numbers from 0 on, in the order of the samples.

    Raises:
        FileNotFoundError: no such file; the message says where it is to be had.
        ValueError: not HDF5, truncated, without the three arrays, or with arrays that lie in another file or hold
            frames of more than `pictures.MAX_PIXELS`; a split with no frame in this file.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        split: str,
        *,
        partition: str = "official",
        raw_depth: bool = False,
    ):
        self.path = _locate(path)
        self._place = self.path.resolve()
        file = _open(self.path)
        self._images, self._depths = file["images"], file["rawDepths" if raw_depth else "depths"]
        available = len(self._images)
        if available != FRAMES:
            warnings.warn(f"{self.path} holds {available} of {FRAMES} frames: not the published splits.", stacklevel=2)
        self.frames = split_frames(split, partition, available)
        if not self.frames:
            raise ValueError(
                f"The split is empty: none of the {available} frames of {self.path} belongs to it. "
                f"Received: split={split!r}, partition={partition!r}"
            )

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> Sample:
        frame = self.frames[index]
        try:
            image, depth = self._images[frame], self._depths[frame]
        except DAMAGED as error:
            raise ValueError(
                f"Frame {frame} of {self.path} cannot be read: {error}. The file is damaged; download it again."
            ) from error
        depth = np.ascontiguousarray(depth.T)
        usable = np.isfinite(depth) & (depth > 0)
        return Sample(np.ascontiguousarray(image.transpose(2, 1, 0)), np.where(usable, depth, np.float32(0)))

    def row_name(self, index: int) -> str:
        return f"Frame {self.frames[index]} of {self.path}"

    def content_key(self, index: int) -> bytes:
        """Of the file's place, size and time, and the frame: hashing a frame would take as long as reading it."""
        # Of the file that is open: another one may lie in its place by now, and the frames do not come from that.
        status = os.fstat(self._images.file.id.get_vfd_handle())
        text = f"{self._place} {status.st_size} {status.st_mtime_ns} {self._depths.name} {self.frames[index]}"
        return hashlib.blake2b(text.encode(errors="surrogateescape"), digest_size=16).digest()

    def __repr__(self):
        return f"NYULabeled({str(self.path)!r}, {len(self)} frames)"


def _locate(path):
    path = Path(path)
    file = path / FILE_NAME if path.is_dir() else path
    if not file.is_file():
        raise FileNotFoundError(
            f"No such file: download {FILE_NAME} (2.8 GB, research use) from {URL} and name it or its folder. "
            f"Received: data_dir={str(path)!r}"
        )
    return file


def _open(path):
    try:
        file = h5py.File(path, "r")
        try:
            _check_arrays(file, path)
        except Exception:
            file.close()
            raise
    except DAMAGED as error:
        raise ValueError(
            f"Not a complete MATLAB v7.3 (HDF5) file: {error}. If the download broke off, repeat it. "
            f"Received: data_dir={str(path)!r}"
        ) from error
    return file


def _check_arrays(file, path):
    for name, rank in (("images", 4), ("depths", 3), ("rawDepths", 3)):
        try:
            found = f"its shape is {dataset_in(file, name).shape}"
        except ValueError as error:
            found = str(error)
        else:
            if file[name].ndim == rank:
                continue
        raise ValueError(
            f"The file has no array {name!r} of {rank} dimensions, so it is not {FILE_NAME}: {found}. "
            f"Received: data_dir={str(path)!r}"
        )
    shapes = {name: file[name].shape for name in ("images", "depths", "rawDepths")}
    count, channels, *size = shapes["images"]
    check_pixels(size, path)
    kinds = [file[name].dtype.kind for name in ("depths", "rawDepths")]
    if file["images"].dtype != np.uint8 or kinds != ["f", "f"] or min(size) < MIN_IMAGE_SIDE:
        raise ValueError(
            f"Expected uint8 images of {MIN_IMAGE_SIDE} pixels or more a side and float depths. "
            f"Received: images {file['images'].dtype} {shapes['images']}, depths {file['depths'].dtype}: {path}"
        )
    if channels != 3 or not shapes["depths"] == shapes["rawDepths"] == (count, *size):
        raise ValueError(f"The arrays do not fit together: {shapes}. Received: data_dir={str(path)!r}")
