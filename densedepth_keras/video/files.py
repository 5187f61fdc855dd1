"""A video file in, a video file of depth out: every frame, in order, at its time, with its sound."""

import statistics
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import numpy as np
from tqdm import tqdm

from densedepth_keras.atomic import written_beside
from densedepth_keras.config.predict import PredictConfig
from densedepth_keras.video.drawing import drawing_for
from densedepth_keras.video.model import opened_predictor
from densedepth_keras.video.overlap import doing_behind, reading_ahead
from densedepth_keras.video.reading import Frame, VideoFile
from densedepth_keras.video.result import VideoResult
from densedepth_keras.video.target import output_file
from densedepth_keras.video.writing import VideoWriter

_WAITING_BYTES = 2**26
"""Of pictures that wait on either side of the network; there are at most 8, at least 1."""


def predict_file(config: PredictConfig, announce: Callable[[str], None], predictor, *, progress: bool) -> VideoResult:
    """Predicts `config.video`; see `predict_video`."""
    target = output_file(config)
    with VideoFile(config.video) as video:
        announce(_description(video))
        predictor = predictor or opened_predictor(config, announce)
        drawing = drawing_for(config, predictor)
        target.parent.mkdir(parents=True, exist_ok=True)
        started, latencies = time.perf_counter(), []
        with (
            written_beside(target) as side,
            _bar(video, progress) as bar,
            _writer(video, drawing, side, target) as writer,
        ):
            overlapped(video, predictor, partial(_show, drawing, writer, latencies, bar), writer.sound)
        seconds = time.perf_counter() - started
        _remark(announce, video, writer)
    latency = statistics.median(latencies)
    return VideoResult(target, writer.frames, seconds, latency, drawing.flicker, drawing.raw_flicker)


def overlapped(
    video: VideoFile, predictor, show: Callable[[Frame, np.ndarray], None], on_sound: Callable = lambda packet: None
) -> None:
    """Reads in one thread, predicts in this one, and shows in a third.

    Args:
        video: the frames.
        predictor: a `DepthPredictor`, or whatever has its `iterate`.
        show: gets every frame and its depth, in order, in one thread.
        on_sound: gets the packets of sound, in the same thread.
    """
    waiting = _waiting(video.size)
    with (
        doing_behind(waiting) as later,
        reading_ahead(video.frames(partial(later, on_sound)), waiting) as frames,
    ):
        for frame, depth in answered(predictor, frames):
            later(show, frame, depth)


def answered(predictor, frames: Iterable[Frame]) -> Iterator[tuple[Frame, np.ndarray]]:
    """Each frame with its depth; the predictor may take several frames before it gives the first answer."""
    under_way: deque[Frame] = deque()

    def pictures():
        for frame in frames:
            under_way.append(frame)
            yield frame.picture

    for depth in predictor.iterate(pictures()):
        yield under_way.popleft(), depth


def _show(drawing, writer, latencies, bar, frame, depth):
    writer.picture(drawing(frame.picture, depth), frame.time, frame.duration)
    latencies.append(time.perf_counter() - frame.read_at)
    bar.set_postfix_str(f"latency {latencies[-1]:.2f} s", refresh=False)
    bar.update()


def _writer(video, drawing, side, target):
    return VideoWriter(
        side,
        drawing.size(video.size),
        time_base=video.time_base,
        rate=video.rate,
        pixel_aspect=video.pixel_aspect,
        sound=video.sound,
        start=video.start,
        name=target,
    )


def _bar(video, progress):
    # None: only where somebody looks at the terminal
    return tqdm(total=video.frames_promised or None, unit=" frames", disable=None if progress else True)


def _waiting(size):
    return max(1, min(8, _WAITING_BYTES // (3 * size[0] * size[1])))


def _description(video):
    rate = f", {float(video.rate):.4g} frames per second" if video.rate else ""
    count = f", {video.frames_promised} frames" if video.frames_promised else ""
    sound = ", with sound" if video.sound else ""
    return f"{video.path.name}: {video.size[1]}x{video.size[0]}{rate}{count}{sound}"


def _remark(announce, video, writer):
    for line in video.remarks:
        announce(line)
    if writer.damaged_sound:
        announce(f"{video.path.name}: {writer.damaged_sound} damaged packets of sound left out")
