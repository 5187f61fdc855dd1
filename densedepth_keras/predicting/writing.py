"""Everything that is made of one depth map, written in threads behind the network."""

import errno
import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from densedepth_keras.cameras import camera_for
from densedepth_keras.config.predict import PredictConfig
from densedepth_keras.outputs import WRITERS, Coloring, write_picture
from densedepth_keras.outputs.point_clouds import CLOUD_WRITERS, point_cloud
from densedepth_keras.predicting.outcome import Outcome
from densedepth_keras.predicting.plan import Job
from densedepth_keras.predicting.reading import PIXELS_AHEAD, THREADS

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""After these errors no other picture can be written either."""


class Writer:
    """Makes the files of one picture; from any thread.

    Args:
        config: formats, and the camera of point clouds.
        coloring: of the coloured pictures.
    """

    def __init__(self, config: PredictConfig, coloring: Coloring | None):
        self.config, self.coloring = config, coloring

    def write(self, job: Job, image: np.ndarray, depth: np.ndarray, written: list[Path]) -> str | None:
        """Writes every output of the job, point clouds last; returns where the camera came from, if one was needed.

        Args:
            job: what to write.
            image: uint8 RGB `(H, W, 3)`.
            depth: float32 `(H, W)`, metres.
            written: gets each file when it is there, so that those before an error are known.
        """
        for folder in {file.parent for file in job.outputs.values()}:
            folder.mkdir(parents=True, exist_ok=True)
        for name in job.outputs.keys() - CLOUD_WRITERS.keys():
            self._write_map(name, job.outputs[name], image, depth)
            written.append(job.outputs[name])
        clouds = job.outputs.keys() & CLOUD_WRITERS.keys()
        if not clouds:
            return None
        camera = self._camera(job, depth.shape)
        cloud = point_cloud(image, depth, camera, max_points=self.config.max_points)
        for name in clouds:
            CLOUD_WRITERS[name][1](job.outputs[name], cloud)
            written.append(job.outputs[name])
        return camera.source

    def _write_map(self, name, file, image, depth):
        if name == "color":
            write_picture(file, self.coloring.with_scale_bar(self.coloring.paint(depth)))
        elif name == "side-by-side":
            write_picture(file, self.coloring.side_by_side(image, depth))
        else:
            WRITERS[name].write(file, depth)

    def _camera(self, job, size):
        given = {name: getattr(self.config, name) for name in ("fov", "focal_px", "intrinsics")}
        return camera_for(job.path, size, **given)


class _Pending(NamedTuple):
    """One picture's files under way."""

    job: Job
    pixels: int
    written: list[Path]
    camera: Future
    """The camera's source, or None."""


class WriteBehind:
    """A context: writing goes on beside the network, a bounded number of answers behind; at its end all is written.

    An error ends it at once: what has been begun is finished, the rest is dropped.
    """

    def __init__(self, writer: Writer, outcome: Outcome):
        self.writer, self.outcome = writer, outcome
        self._pending: deque[_Pending] = deque()

    def __enter__(self):
        self._threads = ThreadPoolExecutor(THREADS)
        return self

    def __exit__(self, kind, *_):
        try:
            while kind is None and self._pending:
                self._settle()
        finally:
            self._threads.shutdown(cancel_futures=True)

    def add(self, job: Job, image: np.ndarray, depth: np.ndarray) -> None:
        """Hands one answer over; waits while too many are pending.

        Raises:
            OSError: an earlier one met a full or closed disk.
        """
        written: list[Path] = []
        future = self._threads.submit(self.writer.write, job, image, depth, written)
        self._pending.append(_Pending(job, depth.size, written, future))
        while len(self._pending) > 2 and sum(pending.pixels for pending in self._pending) > PIXELS_AHEAD:
            self._settle()

    def _settle(self):
        job, _, written, camera = self._pending.popleft()
        try:
            source = camera.result()
        except OSError as error:
            if error.errno in NO_ROOM:
                folder = next(iter(job.outputs.values())).parent
                raise OSError(
                    f"{os.strerror(error.errno)}; what was written before is whole. Received: output={str(folder)!r}"
                ) from error
            self.outcome.fail(job.path, error, written)
        except (ValueError, MemoryError) as error:
            self.outcome.fail(job.path, error, written)
        else:
            if source is not None:
                self.outcome.say_once(f"Camera of the point clouds: {source}")
            self.outcome.done(written)
