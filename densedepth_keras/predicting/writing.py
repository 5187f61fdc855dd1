"""Everything that is made of one depth map, written in threads behind the network."""

import errno
import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from densedepth_keras.cameras import camera_for
from densedepth_keras.config.predict import POINT_CLOUDS, PredictConfig
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

    def write(self, job: Job, image: np.ndarray, depth: np.ndarray) -> str | None:
        """Writes every output of the job; returns where the camera came from, if one was needed."""
        for folder in {file.parent for file in job.outputs.values()}:
            folder.mkdir(parents=True, exist_ok=True)
        for name in job.outputs.keys() & WRITERS.keys():
            WRITERS[name].write(job.outputs[name], depth)
        if "color" in job.outputs:
            write_picture(job.outputs["color"], self.coloring.with_scale_bar(self.coloring.paint(depth)))
        if "side-by-side" in job.outputs:
            write_picture(job.outputs["side-by-side"], self.coloring.side_by_side(image, depth))
        return self._write_clouds(job, image, depth) if job.outputs.keys() & set(POINT_CLOUDS) else None

    def _write_clouds(self, job, image, depth):
        given = {name: getattr(self.config, name) for name in ("fov", "focal_px", "intrinsics")}
        camera = camera_for(job.path, depth.shape, **given)
        cloud = point_cloud(image, depth, camera, max_points=self.config.max_points)
        for name in job.outputs.keys() & CLOUD_WRITERS.keys():
            CLOUD_WRITERS[name][1](job.outputs[name], cloud)
        return camera.source


class WriteBehind:
    """A context: writing goes on beside the network, a bounded number of answers behind; at its end all is written.

    An error ends it at once: what has been begun is finished, the rest is dropped.
    """

    def __init__(self, writer: Writer, outcome: Outcome):
        self.writer, self.outcome = writer, outcome
        self._pending: deque[tuple[Job, int, Future]] = deque()

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
        self._pending.append((job, depth.size, self._threads.submit(self.writer.write, job, image, depth)))
        while len(self._pending) > 2 and sum(size for _, size, _ in self._pending) > PIXELS_AHEAD:
            self._settle()

    def _settle(self):
        job, _, future = self._pending.popleft()
        try:
            source = future.result()
        except OSError as error:
            if error.errno in NO_ROOM:
                folder = next(iter(job.outputs.values())).parent
                raise OSError(
                    f"{os.strerror(error.errno)}; what was written before is whole. Received: output={str(folder)!r}"
                ) from error
            self.outcome.fail(job.path, error)
        except (ValueError, MemoryError) as error:
            self.outcome.fail(job.path, error)
        else:
            if source is not None:
                self.outcome.say_once(f"Camera of the point clouds: {source}")
            self.outcome.done(job.outputs.values())
