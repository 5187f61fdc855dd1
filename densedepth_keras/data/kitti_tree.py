"""KITTI's trees on disk: which drives are at hand, and the files of a frame."""

import os
from functools import cache
from pathlib import Path
from typing import NamedTuple

from densedepth_keras.data.kitti_splits import CAMERAS, Frame, is_drive

FOLDERS = ("", "raw", "raw_data", "kitti_raw", "data_depth_annotated", "depth", "depth_annotated", "kitti_depth")
"""Below the data's folder, where drives are looked for: in each, in its `train` and `val`, and in its dates."""

WHERE = (
    "raw drives: https://www.cvlibs.net/datasets/kitti/raw_data.php (synced+rectified), depth: "
    "data_depth_annotated.zip (14 GB) of https://www.cvlibs.net/datasets/kitti/eval_depth_all.php"
)
"""Where the data is to be had."""


class Row(NamedTuple):
    """One pair of files, and what it is."""

    image: str
    depth: str
    frame: Frame
    listed: str


class Tree:
    """What lies on disk: drives with images, drives with depth, and their files by frame number."""

    def __init__(self, data_dir: Path):
        self.data_dir = data_dir
        self.image_drives: dict[str, Path] = {}
        self.depth_drives: dict[str, Path] = {}
        for parent in _parents(data_dir):
            for name in filter(is_drive, _names(parent)):
                if any((parent / name / camera).is_dir() for camera in CAMERAS["both"]):
                    self.image_drives.setdefault(name, parent / name)
                if (parent / name / "proj_depth" / "groundtruth").is_dir():
                    self.depth_drives.setdefault(name, parent / name / "proj_depth" / "groundtruth")
        for found, what in ((self.image_drives, "images"), (self.depth_drives, "annotated depth")):
            if not found:
                raise FileNotFoundError(
                    f"No drive with {what} below the folder: expected <date>/<drive>_sync/image_02/data/*.png and "
                    f"{{train,val}}/<drive>_sync/proj_depth/groundtruth/image_02/*.png there, or below one of "
                    f"{', '.join(FOLDERS[1:])}; {WHERE}. Received: data_dir={str(data_dir)!r}"
                )
        self._files, self._folders = cache(_numbered), cache(self._find)  # every folder is listed once

    def frames(self, drive: str, cameras) -> list[Frame]:
        """The frames with depth, where the camera's images are at hand at all."""
        images, depths = self.image_drives.get(drive), self.depth_drives[drive]
        present = [camera for camera in cameras if images is not None and (images / camera / "data").is_dir()]
        return [Frame(drive, camera, n) for camera in present for n in sorted(self._files(str(depths / camera)))]

    def row(self, frame: Frame, listed: str | None) -> Row | None:
        """The frame's files; None without depth. A missing image is the row's own trouble."""
        if listed is None or frame.drive not in self.depth_drives:
            return None
        images, depths = self._folders(frame.drive, frame.camera)
        depth = self._files(depths).get(frame.number)
        image = self._files(images).get(frame.number) or os.path.join(images, f"{frame.number:010d}.png")
        return Row(image, depth, frame, listed) if depth else None

    def _find(self, drive, camera):
        """Folders of a camera's images, there or not, and of its depth maps."""
        images = self.image_drives.get(drive, self.data_dir / drive[:10] / drive)
        return str(images / camera / "data"), str(self.depth_drives[drive] / camera)


def _parents(data_dir):
    """Folders that may hold drives."""
    for folder in FOLDERS:
        root = data_dir / folder
        names = _names(root)
        dates = sorted(name for name in names if is_drive(f"{name}_drive_0000_sync"))
        yield from (root / name for name in ["", *dates, "train", "val"] if name == "" or name in names)


def _names(folder):
    try:
        return os.listdir(folder) if os.path.isdir(folder) else []
    except OSError as error:
        raise ValueError(f"The folder cannot be read: {error}. Received: {folder}") from error


def _numbered(folder):
    """Frame number -> path; of two pictures of one number the PNG."""
    parts = (os.path.splitext(name) for name in sorted(_names(folder)))
    return {
        int(stem): os.path.join(folder, stem + suffix)
        for stem, suffix in parts
        if suffix.lower() in (".jpg", ".jpeg", ".png") and stem.isascii() and stem.isdigit()
    }
