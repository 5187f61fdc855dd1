"""Depth maps in formats that are no pictures: .npy, .npz, PFM, EXR and HDF5."""

import contextlib
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from densedepth_keras.data.hdf5 import open_dataset
from densedepth_keras.data.pictures import MAX_FILE_BYTES, MAX_PIXELS, check_pixels, check_regular, naming


class Stored(NamedTuple):
    """What the header says of an array, and how to read the rest; of the open file it came from."""

    shape: tuple[int, ...] | None
    dtype: np.dtype
    load: Callable[[], np.ndarray]


def read_array(path: str | os.PathLike) -> np.ndarray:
    """The stored numbers `(H, W)`; see `files.read_depth`."""
    with contextlib.ExitStack() as stack:
        stored, shape = _opened(path, stack)
        with naming(path, "The depth map cannot be read"):
            return stored.load().reshape(shape)


def array_size(path: str | os.PathLike) -> tuple[int, int]:
    """(width, height), from the header; raises what `read_array` raises for it."""
    with contextlib.ExitStack() as stack:
        return _opened(path, stack)[1][::-1]


def _opened(path, stack):
    """What is stored, checked, and its shape without an axis of length 1."""
    with naming(path, "The depth map cannot be read"):
        stored = READERS[Path(path).suffix.lower()](path, stack)
    shape = tuple(stored.shape or ())  # None of a HDF5 dataset without values
    if len(shape) == 3 and 1 in (shape[0], shape[-1]):
        shape = shape[:2] if shape[-1] == 1 else shape[1:]
    if len(shape) != 2 or min(shape) < 1 or stored.dtype.kind not in "fiu":
        raise ValueError(
            "A depth array must be two-dimensional numbers, (height, width). "
            f"Received: shape={tuple(stored.shape or ())}, dtype={stored.dtype} in {str(path)!r}"
        )
    check_pixels(shape[::-1], path)
    return stored, shape


def _file(path, stack):
    check_regular(path, MAX_FILE_BYTES)
    return stack.enter_context(open(path, "rb"))


def _npy(path, stack):
    file = _file(path, stack)
    return _npy_stored(file, os.fstat(file.fileno()).st_size)


def _npy_stored(file, size):
    """Of a `.npy` of `size` bytes; NumPy's own reader would unpickle, take a renamed .npz, and believe any shape."""
    version = np.lib.format.read_magic(file)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"version {version} of .npy is for records, not for numbers")
    shape, in_columns, dtype = readers[version](file)
    needed = _check_length(shape, dtype, size - file.tell())

    def load():
        values = np.frombuffer(file.read(needed), dtype)
        file.read(1)  # at a zip member's end its checksum is compared
        return values.reshape(shape, order="F" if in_columns else "C")

    return Stored(shape, dtype, load)


def _check_length(shape, dtype, available):
    needed = dtype.itemsize
    for side in shape:
        needed *= side
    if available < needed and not dtype.hasobject:
        raise ValueError(f"cut short: {available} bytes of values, {needed} expected for {shape} {dtype}")
    return needed


def _npz(path, stack):
    archive = stack.enter_context(zipfile.ZipFile(_file(path, stack)))
    names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
    if "depth" not in names and len(names) != 1:
        raise ValueError(f"expected one array, or one called 'depth'; it holds {', '.join(names[:12]) or 'none'}")
    member = archive.getinfo(("depth" if "depth" in names else names[0]) + ".npy")
    # What is inflated is what the shape asks for, and that has passed the limit: a zip bomb stays folded.
    return _npy_stored(stack.enter_context(archive.open(member)), member.file_size)


def _pfm(path, stack):
    """`Pf`, width and height, a scale whose sign is the byte order, then the rows from the bottom up.

    The scale's magnitude is 1 or arbitrary in practice and is not applied; the unit is the caller's.
    Reference: Debevec's Portable FloatMap, as netpbm documents it.
    """
    file = _file(path, stack)
    kind = file.readline(16).strip()
    if kind != b"Pf":
        raise ValueError("a colour PFM, no depth" if kind == b"PF" else "not a PFM file")
    width, height = (int(text) for text in file.readline(64).split())
    scale = float(file.readline(64))
    if scale == 0 or not np.isfinite(scale):
        raise ValueError(f"the scale of a PFM must be a number but 0, its sign is the byte order; it is {scale}")
    shape, dtype = (height, width), np.dtype("<f4" if scale < 0 else ">f4")
    needed = _check_length(shape, dtype, os.fstat(file.fileno()).st_size - file.tell())
    return Stored(shape, dtype, lambda: np.frombuffer(file.read(needed), dtype).reshape(shape)[::-1])


def _exr(path, stack):
    """The channel Z, Y or R (of several layers the first), or the only one."""
    try:
        from OpenEXR import File
    except ImportError as error:
        raise ImportError(f"EXR needs OpenEXR 3.3 or newer: pip install OpenEXR. Received: {str(path)!r}") from error
    check_regular(path)
    header = File(os.fspath(path), header_only=True).header()
    (left, top), (right, bottom) = ((int(low), int(high)) for low, high in header["dataWindow"])
    shape = bottom - top + 1, right - left + 1
    names = [channel.name for channel in header["channels"]]
    if shape[0] * shape[1] * len(names) > 4 * MAX_PIXELS:  # all channels are decoded
        raise ValueError(f"expected at most {4 * MAX_PIXELS} values; it holds {len(names)} channels of {shape}")
    chosen = _exr_channel(names)

    def load():
        channels = File(os.fspath(path), separate_channels=True).channels()
        depth = channels[chosen].pixels
        colours = [chosen[:-1] + colour for colour in "RGB"]
        if chosen in colours and set(colours) <= set(names):
            _check_grey(*(channels[name].pixels for name in colours))
        return depth

    return Stored(shape, np.dtype(np.float32), load)


def _exr_channel(names):
    for kind in "ZYR":
        for name in sorted(names, key=len):
            if name.split(".")[-1] == kind:
                return name
    if len(names) != 1:
        raise ValueError(f"expected a channel Z, Y or R, or a single one; it holds {', '.join(names[:12])}")
    return names[0]


def _check_grey(red, green, blue):
    if not (np.array_equal(red, green, equal_nan=True) and np.array_equal(red, blue, equal_nan=True)):
        raise ValueError("its R, G and B differ: a colour picture, no depth")


def _hdf5(path, stack):
    dataset = open_dataset(path, "depth", stack)
    return Stored(dataset.shape, dataset.dtype, lambda: dataset[()])


READERS: MappingProxyType[str, Callable[[str | os.PathLike, contextlib.ExitStack], Stored]] = MappingProxyType(
    {".npy": _npy, ".npz": _npz, ".pfm": _pfm, ".exr": _exr, ".h5": _hdf5, ".hdf5": _hdf5}
)
"""Suffix -> function that reads the header. Read-only."""
