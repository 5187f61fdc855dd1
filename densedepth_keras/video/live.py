"""Depth of a camera or a stream while it runs: seen in the browser, recorded if asked for."""

import statistics
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from fractions import Fraction

from tqdm import tqdm

from densedepth_keras.atomic import written_beside
from densedepth_keras.config.predict import PredictConfig
from densedepth_keras.depth import MIN_IMAGE_SIDE
from densedepth_keras.video.drawing import drawing_for
from densedepth_keras.video.model import opened_predictor
from densedepth_keras.video.overlap import doing_behind
from densedepth_keras.video.pyav import reason
from densedepth_keras.video.result import VideoResult
from densedepth_keras.video.serving import LiveView
from densedepth_keras.video.sources import LiveSource, open_live
from densedepth_keras.video.target import output_file
from densedepth_keras.video.upright import picture_of
from densedepth_keras.video.writing import VideoWriter

_TICK = Fraction(1, 90000)
_USUAL_DURATION = 3000  # ticks; of the last picture, after which none says how long it was there
_WAITING = 4
"""Pictures that wait to be recorded."""


def predict_live(config: PredictConfig, announce: Callable[[str], None], predictor, *, progress: bool) -> VideoResult:
    """Predicts `config.camera` or `config.stream` until it ends or Ctrl-C is pressed; see `predict_video`."""
    target = output_file(config)
    with LiveSource(open_live(config)) as source:
        predictor = predictor or opened_predictor(config, announce)
        drawing = drawing_for(config, predictor)
        if target:
            target.parent.mkdir(parents=True, exist_ok=True)
        with LiveView(config.serve) as view, Recording(target) as recording:
            announce(f"Live at {view.address} (Ctrl-C ends it)")
            with _bar(progress) as bar, doing_behind(_WAITING) as later:
                watch = _Watch(source, view, bar)
                _go(source, predictor, drawing, watch, lambda *item: later(recording.add, *item), announce)
        _check_end(source, watch, announce)
        return VideoResult(
            target, watch.frames, watch.seconds, watch.latency, drawing.flicker, drawing.raw_flicker, watch.dropped
        )


class Recording:
    """A video file of pictures as they come; complete when its block has been left, however that was.

    Args:
        target: the file; None records nothing.
    """

    def __init__(self, target):
        self._target, self._parts = target, ExitStack()
        self._writer, self._started, self._last = None, 0.0, -1

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        return self._parts.__exit__(*exception)

    def add(self, picture, at: float) -> None:
        """Appends a picture that was there at `at`, seconds of any clock."""
        if self._target is None:
            return
        if self._writer is None:
            side = self._parts.enter_context(written_beside(self._target))
            writer = VideoWriter(side, picture.shape[:2], time_base=_TICK, name=self._target)
            self._writer, self._started = self._parts.enter_context(writer), at
        self._last = max(self._last + 1, round((at - self._started) / _TICK))
        self._writer.picture(picture, self._last, _USUAL_DURATION)


class _Watch:
    """Counts frames and their latency, and shows both beside the picture."""

    def __init__(self, source, view, bar):
        self._source, self._view, self._bar = source, view, bar
        self.frames, self._started, self._missed = 0, time.perf_counter(), source.dropped
        self._latencies: deque[float] = deque(maxlen=1000)
        self._ends: deque[float] = deque(maxlen=30)

    def show(self, picture, read_at):
        now = time.perf_counter()
        self.frames += 1
        self._latencies.append(now - read_at)
        self._ends.append(now)
        rate = (len(self._ends) - 1) / max(now - self._ends[0], 1e-9)
        figures = f"latency {1000 * self._latencies[-1]:.0f} ms, {self.dropped} dropped"
        self._view.show(picture, f"{rate:.1f} frames per second, {figures}")
        self._bar.set_postfix_str(figures, refresh=False)
        self._bar.update()

    @property
    def dropped(self):
        return self._source.dropped - self._missed

    @property
    def seconds(self):
        return self._ends[-1] - self._started if self._ends else 0.0

    @property
    def latency(self):
        return statistics.median(self._latencies) if self._latencies else float("nan")


def _go(source, predictor, drawing, watch, record, announce):
    """Until the source ends, or Ctrl-C: the usual end of a live view, and no reason to lose the recording."""
    size = None
    try:
        for frame, read_at in source:
            picture = picture_of(frame, size)
            size = size or _checked_size(picture)
            drawn = drawing(picture, predictor.predict(picture))
            record(drawn, read_at)
            watch.show(drawn, read_at)
    except KeyboardInterrupt:
        announce("Stopped")


def _checked_size(picture):
    size = picture.shape[:2]
    if min(size) < MIN_IMAGE_SIDE:
        raise ValueError(
            f"Live pictures must be at least {MIN_IMAGE_SIDE} pixels high and wide. "
            f"Received: {size[1]}x{size[0]} (width x height)"
        )
    return size


def _check_end(source, watch, announce):
    if source.error is not None and not watch.frames:
        raise OSError(f"No picture came: {reason(source.error)}. Received: {source.name}") from source.error
    if source.error is not None:
        announce(f"The source broke off: {reason(source.error)}")


def _bar(progress):
    return tqdm(unit=" frames", disable=None if progress else True)
