"""Pairs of image and depth map: read, filled and written, one by one or by several processes."""

import multiprocessing
import multiprocessing.connection
import os
import shutil
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from densedepth_keras.atomic import written_beside
from densedepth_keras.data.folder import Folder
from densedepth_keras.data.inpainting import Filled

_MILLIMETRES = 1000
_MOST_MILLIMETRES = np.iinfo(np.uint16).max


class Job(NamedTuple):
    """One pair: its place in the source, the files it is read from and the files it becomes, image and depth."""

    split: str
    index: int
    name: str
    sources: tuple[Path, Path]
    targets: tuple[Path, Path]


def fill_pairs(jobs: Sequence[Job], folders: dict[str, Folder], workers: int) -> Iterator[tuple[Job, str | None]]:
    """Fills and writes the pairs; yields each when it is done, with why it failed or None.

    Args:
        jobs: no two with a target in common.
        folders: split -> what its pairs are read from.
        workers: processes; 1 works in this one.

    Raises:
        OSError: a file cannot be written, or a worker process died.
    """
    if workers == 1:
        for job in jobs:
            yield job, _fill(folders[job.split], job)
        return
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_receive, initargs=(folders,))
    try:
        futures = {pool.submit(_fill_received, job): job for job in jobs}
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BrokenProcessPool as error:
        raise OSError(
            "A worker process died, most likely for want of memory. What is complete is kept: call again, with fewer "
            f"workers. Received: workers={workers}"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


_received: dict[str, Folder] = {}  # in a worker process: the folders, sent once instead of with every job


def _receive(folders):
    _received.update(folders)
    threading.Thread(target=_end_with_the_parent, daemon=True).start()


def _end_with_the_parent():
    """A worker whose parent was killed would wait for work for ever."""
    multiprocessing.connection.wait([multiprocessing.parent_process().sentinel])
    os._exit(1)


def _fill_received(job):
    return _fill(_received[job.split], job)


def _fill(folder, job):
    """Reads, fills and writes one pair; returns why it cannot be, or None. An OSError of writing is raised."""
    image_file, depth_file = job.targets
    try:
        image, depth = Filled(folder)[job.index]
        stored = _stored(depth, depth_file)
    except (ValueError, OSError, MemoryError) as error:
        text = str(error) or "not enough memory"
        return text if text.startswith(job.name) else f"{job.name}: {text}"
    image_file.parent.mkdir(parents=True, exist_ok=True)
    depth_file.parent.mkdir(parents=True, exist_ok=True)
    with written_beside(image_file) as side:
        if job.sources[0] == job.sources[1]:  # HDF5
            Image.fromarray(image).save(side)
        else:
            shutil.copyfile(job.sources[0], side)
    with written_beside(depth_file) as side:
        np.save(side, stored) if depth_file.suffix.lower() == ".npy" else Image.fromarray(stored).save(side)
    return None


def _stored(depth, file):
    """Millimetres as the file holds them; at least 1 in a PNG, where 0 would be a hole again."""
    millimetres = depth * np.float32(_MILLIMETRES)
    if file.suffix.lower() == ".npy":
        return millimetres
    if depth.max() * _MILLIMETRES > _MOST_MILLIMETRES:
        raise ValueError(
            "a 16-bit PNG in millimetres ends at 65.535 m. Store the depth map as .npy. "
            f"Received: a depth of {depth.max():.3f} m"
        )
    return np.maximum(np.rint(millimetres), 1).astype(np.uint16)
