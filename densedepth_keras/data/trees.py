"""Pairs by their place in a tree: `train/image/**` beside `train/depth/**`, or HDF5 files below `train`."""

import os
from collections.abc import Iterator
from pathlib import Path

from densedepth_keras.data.files import DEPTH_SUFFIXES, IMAGE_SUFFIXES
from densedepth_keras.data.hdf5 import SUFFIXES as HDF5_SUFFIXES
from densedepth_keras.data.tables import Row


def paired_rows(data_dir: Path, split: str) -> list[Row]:
    """The pairs below `data_dir/split`, sorted by their place.

    Raises:
        FileNotFoundError: neither the two folders nor a HDF5 file.
        ValueError: empty folders, one closed to the user, a file without a partner, two files for one place.
    """
    folders = data_dir / split / "image", data_dir / split / "depth"
    if not all(map(os.path.isdir, folders)):  # False, not an error, below a closed folder
        return _hdf5_rows(data_dir, split, folders)
    images, depths = (
        _by_place(folder, suffixes) for folder, suffixes in zip(folders, (IMAGE_SUFFIXES, DEPTH_SUFFIXES), strict=True)
    )
    if not images and not depths:
        raise ValueError(f"The split is empty: no image in {folders[0]}. Received: split={split!r}")
    alone = sorted(images.keys() ^ depths.keys())
    if alone:
        missing = folders[1] if alone[0] in images else folders[0]
        raise ValueError(
            f"{len(alone)} files of {data_dir / split} have no partner, first {alone[0]!r}: nothing of that place and "
            f"stem in {missing}. Every image needs a depth map of its place and stem, and the other way round."
        )
    return [Row(images[key], depths[key], f"Pair {key!r} of {data_dir / split}") for key in sorted(images)]


def _hdf5_rows(data_dir, split, folders):
    top = data_dir / split
    files = _by_place(top, HDF5_SUFFIXES) if os.path.isdir(top) else {}
    if not files:
        raise FileNotFoundError(
            f"No {split!r} split: expected {data_dir / (split + '.csv')}, .tsv or .jsonl (columns image,depth), the "
            f"folders {folders[0]} and {folders[1]}, or .h5 files below {top}. Received: data_dir={str(data_dir)!r}"
        )
    return [Row(files[key], files[key], f"Pair {key!r} of {top}") for key in sorted(files)]


def _by_place(folder, suffixes):
    """Path inside the folder, without suffix -> file, of every file of these suffixes at any depth."""
    files: dict[str, Path] = {}
    for inside in _walk(folder):
        key, suffix = os.path.splitext(inside)
        if suffix.lower() not in suffixes:
            continue
        if key in files:
            raise ValueError(f"Two files of one stem in {folder}. Received: {files[key].name!r}, {inside!r}")
        files[key] = folder / inside
    return files


def _walk(folder: Path) -> Iterator[str]:
    """Files below a folder but hidden ones, with `/` between folders.

    Each folder is entered once, however many links lead to it, and by its own name where it has one in the tree: links
    wait until all else has been seen.
    """
    folders, links, entered = [""], [], set()
    while folders or links:
        inside = folders.pop() if folders else links.pop(0)
        place = os.path.realpath(folder / inside)
        if place in entered:
            continue
        entered.add(place)
        for name, is_folder, is_link in _entries(folder / inside):
            if not is_folder:
                yield inside + name
            else:
                (links if is_link else folders).append(f"{inside}{name}/")


def _entries(folder):
    """Name, whether it is a folder, whether it is a link, of all in a folder but what is hidden, by name."""
    try:
        with os.scandir(folder) as entries:
            shown = [entry for entry in entries if not entry.name.startswith(".")]
            return sorted((entry.name, entry.is_dir(), entry.is_symlink()) for entry in shown)
    except PermissionError as error:
        raise ValueError(f"The folder cannot be read: {error.strerror}. Received: {str(folder)!r}") from error
