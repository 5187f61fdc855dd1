"""Pictures read ahead of the network, in threads; those that cannot be read are left out."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from densedepth_keras.data.images import check_sides, image_header, read_image
from densedepth_keras.predicting.plan import Job

PIXELS_AHEAD = 2**24
"""Pictures are read ahead, and answers wait to be written, up to so many pixels: five of a phone's. Two at least."""

THREADS = min(4, os.cpu_count() or 1)


def read_ahead(
    jobs: Sequence[Job],
    fail: Callable[[Path, Exception], None],
    *,
    most: int,
    pixel: tuple[int, int] | None = None,
) -> Iterator[tuple[Job, np.ndarray]]:
    """Each job with its picture, uint8 RGB `(H, W, 3)`, in order.

    Args:
        jobs: what to read.
        fail: gets the path and the error of a picture that is no good.
        most: pictures in memory that have not been asked for.
        pixel: X, Y that every picture must have.
    """
    rest, pending, ahead = iter(jobs), deque(), 2
    threads = ThreadPoolExecutor(THREADS)
    try:
        while True:
            while len(pending) < ahead and (job := next(rest, None)):
                pending.append((job, threads.submit(_read, job.path, pixel)))
            if not pending:
                return
            job, future = pending.popleft()
            try:
                image = future.result()
            except (OSError, ValueError, MemoryError) as error:
                fail(job.path, error)
                continue
            ahead = max(2, min(most, PIXELS_AHEAD // image[..., 0].size))
            yield job, image
    finally:
        threads.shutdown(cancel_futures=True)


def by_size(jobs: Sequence[Job]) -> list[Job]:
    """Pictures of one size next to each other: a network that sees them as they are takes only such together."""
    with ThreadPoolExecutor(THREADS) as threads:
        sizes = list(threads.map(upright_size, jobs))
    return [job for _, job in sorted(zip(sizes, jobs, strict=True), key=lambda pair: pair[0])]


def upright_size(job: Job) -> tuple[int, int] | tuple[()]:
    """(height, width) from the header, empty for a picture without one; why is said when it is read."""
    try:
        (width, height), turn = image_header(job.path)
    except (OSError, ValueError):
        return ()
    return (width, height) if turn > 4 else (height, width)


def _read(path, pixel):
    image = read_image(path)
    check_sides(image, str(path))
    height, width = image.shape[:2]
    if pixel is not None and not (pixel[0] < width and pixel[1] < height):
        raise ValueError(
            f"`at` lies outside the picture, which is {width}x{height} (width x height). "
            f"Received: at={pixel[0]} {pixel[1]}"
        )
    return image
