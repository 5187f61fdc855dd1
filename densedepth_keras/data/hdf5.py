"""HDF5 files of one frame: a depth map, or a pair as fast-depth's copies of NYU and KITTI store it."""

import contextlib
import math
import os

import h5py
import numpy as np

from densedepth_keras.data.pictures import MAX_PIXELS, check_pixels, check_regular, naming

SUFFIXES = (".h5", ".hdf5")


def is_hdf5(path: str | os.PathLike) -> bool:
    return os.path.splitext(path)[1].lower() in SUFFIXES


def open_dataset(path: str | os.PathLike, name: str, stack: contextlib.ExitStack) -> h5py.Dataset:
    """A dataset at the top of a file, which stays open until the stack closes.

    Raises:
        ValueError: no such dataset; one that another file would be opened for (external links and storage, virtual
            datasets), or that is packed in pieces too large to unpack.
    """
    check_regular(path)
    return dataset_in(stack.enter_context(h5py.File(path, "r")), name)


def dataset_in(file: h5py.File, name: str) -> h5py.Dataset:
    """The same of a file that is open; raises the same ValueErrors."""
    if not isinstance(file.get(name, getlink=True), h5py.HardLink) or not isinstance(file[name], h5py.Dataset):
        raise ValueError(f"expected a dataset {name!r}; it holds {', '.join(list(file)[:12]) or 'nothing'}")
    dataset = file[name]
    if dataset.external or dataset.is_virtual:
        raise ValueError(f"the dataset {name!r} lies in another file; it must lie in this one")
    if dataset.chunks and math.prod(dataset.chunks) > 3 * MAX_PIXELS:
        raise ValueError(f"the dataset {name!r} is packed in chunks of {dataset.chunks} values")
    return dataset


def read_hdf5_image(path: str | os.PathLike) -> np.ndarray:
    """`rgb` of the file as uint8 `(H, W, 3)`; stored so, or as `(3, H, W)`."""
    with contextlib.ExitStack() as stack:
        dataset, channels_first, _ = _image(path, stack)
        with naming(path, "The image cannot be read"):
            image = dataset[()]
    return np.ascontiguousarray(image.transpose(1, 2, 0)) if channels_first else image


def hdf5_image_size(path: str | os.PathLike) -> tuple[int, int]:
    """(width, height) of `rgb`, without reading it."""
    with contextlib.ExitStack() as stack:
        return _image(path, stack)[2]


def _image(path, stack):
    with naming(path, "The image cannot be read"):
        dataset = open_dataset(path, "rgb", stack)
        dtype = dataset.dtype  # a TypeError for types that NumPy has not
    shape = dataset.shape or ()
    if dtype != np.uint8 or len(shape) != 3 or 3 not in (shape[0], shape[-1]):
        raise ValueError(
            "`rgb` must be uint8, (height, width, 3) or (3, height, width). "
            f"Received: shape={shape}, dtype={dtype} in {str(path)!r}"
        )
    channels_first = shape[-1] != 3
    height, width = shape[1:] if channels_first else shape[:2]
    check_pixels((width, height), path)
    return dataset, channels_first, (width, height)
