"""Video files: upright pictures with their presentation times, packets of sound, and what was wrong with the file."""

import math
import os
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np

from densedepth_keras.depth import MIN_IMAGE_SIDE
from densedepth_keras.video.pyav import fraction, pyav, reason
from densedepth_keras.video.upright import display_matrix, is_transposed, picture_of

_PICTURE_FORMATS = ("image2", "_pipe")

MOST_PIXELS = 2**25
"""Of a picture: 8K, 7680x4320."""

_FASTEST = 480  # frames per second
_ENDS_EARLY = 0.5  # seconds missing at the end that are worth a word


class Frame(NamedTuple):
    """One picture of a video."""

    picture: np.ndarray
    """uint8 RGB `(H, W, 3)`, upright."""
    time: int
    """When it is shown, in ticks of the video's time base."""
    duration: int
    """For how long, in ticks; 0 where the file does not say."""
    read_at: float
    """`time.perf_counter()` when it was decoded."""


class VideoFile:
    """A video to be read once, from its first frame to its last.

    Frames come in the order of their presentation and with its times, be they regular or not, upright whatever the
    file says of how the camera was held, and all of one size: that of the first. Times begin with 0 at the start of the
    file, as players count. Damaged packets are passed over; of a file that is cut off, what is there is read.
    `remarks` says so afterwards.

    Args:
        path: any file FFmpeg reads: mp4, mov, mkv, webm, avi, ts, gif, ...

    Attributes:
        size: `(height, width)` of the upright pictures.
        time_base: seconds of a tick, a `Fraction`.
        rate: frames per second on average, a `Fraction`; None where nobody knows.
        frames_promised: as the file's index counts; 0 where it does not.
        pixel_aspect: width of a pixel by its height, a `Fraction`.
        sound: the audio streams, but those of codecs FFmpeg does not know.
        start: the file's first time, seconds, a `Fraction`; frames' times have it taken off, packets of sound not.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no video, not one frame that can be decoded, pictures below 32 pixels a side or above 8K.
        ImportError: PyAV is not installed.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        self._av = pyav()
        self._container = _opened(self.path, self._av)
        try:
            self._stream = _video_stream(self._container, self.path)
            self._stream.thread_type = "AUTO"
            sound = self._container.streams.audio
            self.sound = [stream for stream in sound if stream.codec_context is not None]
            self._unknown_sound = len(sound) - len(self.sound)
            self._damaged = self._resized = self._untimed = 0
            self._stopped_by, self._last_time, self._end = "", -1, 0
            self._before_first: list = []
            self._decoded = self._decode()
            self._describe(self._first_frame())
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self) -> None:
        """Closes the file."""
        self._container.close()

    def frames(self, on_sound: Callable = lambda packet: None) -> Iterator[Frame]:
        """Every frame, in order; `on_sound` gets each packet of sound when its turn comes."""
        for packet in self._before_first:
            on_sound(packet)
        yield self._frame(self._first)
        for item in self._decoded:
            if isinstance(item, self._av.VideoFrame):
                yield self._frame(item)
            else:
                on_sound(item)

    @property
    def remarks(self) -> list[str]:
        """What was wrong with the file, a line each; complete when all frames have been read."""
        missing = self._missing_seconds()
        found = (
            (self._unknown_sound, f"{self._unknown_sound} audio streams of an unknown kind are left out"),
            (self._stopped_by, f"reading stopped: {self._stopped_by}"),
            (missing, f"cut off: {float(self._end * self.time_base):.2f} s could be read, {missing:.2f} s are missing"),
            (self._damaged, f"{self._damaged} damaged packets or pictures"),
            (self._resized, f"{self._resized} pictures of another size, brought to that of the first"),
            (self._untimed, f"{self._untimed} pictures without a time of their own, shown after the one before"),
        )
        return [f"{self.path.name}: {text}" for is_so, text in found if is_so]

    def _describe(self, frame):
        matrix = display_matrix(frame)
        size = (frame.height, frame.width)
        self.size = size[::-1] if is_transposed(matrix) else size
        self._check_size(size)
        self.time_base = fraction(self._stream.time_base)
        self._promised = self._promised_seconds()
        rate = fraction(self._stream.average_rate or self._stream.guessed_rate)
        self.rate = rate if rate and rate <= _FASTEST else None  # irregular ones are guessed at thousands
        self.frames_promised = self._stream.frames
        aspect = fraction(self._stream.sample_aspect_ratio) or Fraction(1)
        self.pixel_aspect = 1 / aspect if is_transposed(matrix) else aspect
        starts = (s.start_time * fraction(s.time_base) for s in (self._stream, *self.sound) if s.start_time is not None)
        self.start = max(Fraction(0), min(starts, default=Fraction(0)))
        self._first_tick = math.floor(self.start / self.time_base)

    def _check_size(self, size):
        if min(size) >= MIN_IMAGE_SIDE and size[0] * size[1] <= MOST_PIXELS:
            return
        raise ValueError(
            f"A video must be at least {MIN_IMAGE_SIDE} pixels high and wide and have at most {MOST_PIXELS} pixels "
            f"(8K). Received: {size[1]}x{size[0]} (width x height): video={str(self.path)!r}"
        )

    def _first_frame(self):
        for item in self._decoded:
            if isinstance(item, self._av.VideoFrame):
                self._first = item
                return item
            self._before_first.append(item)
        raise ValueError(
            f"No frame of this video can be decoded. Received: video={str(self.path)!r}"
            + (f" ({self._stopped_by})" if self._stopped_by else "")
        )

    def _decode(self):
        """Decoded frames, and packets of sound, as they come."""
        try:
            for packet in self._container.demux(self._stream, *self.sound):
                if packet.stream is self._stream:
                    self._damaged += packet.is_corrupt
                    yield from self._pictures(packet)
                elif packet.dts is not None:  # the last, empty one of a stream has none
                    yield packet
        except self._av.FFmpegError as error:
            self._stopped_by = reason(error)
            yield from self._pictures(None)  # what the decoder still holds

    def _pictures(self, packet):
        try:
            for frame in self._stream.decode(packet):
                self._damaged += frame.is_corrupt
                yield frame
        except self._av.FFmpegError:
            self._damaged += 1

    def _frame(self, frame):
        now = time.perf_counter()
        picture = picture_of(frame)
        if picture.shape[:2] != self.size:
            picture, self._resized = picture_of(frame, self.size), self._resized + 1
        shown = self._time(frame)
        self._last_time, self._end = shown, shown + (frame.duration or 0)
        return Frame(picture, shown, frame.duration or 0, now)

    def _time(self, frame):
        """The frame's tick, made up where it has none or one that has passed: every frame has to be shown."""
        usual = max(1, round(1 / (self.rate or 25) / self.time_base))
        if frame.pts is None:
            self._untimed += 1
            return self._last_time + usual if self._last_time >= 0 else 0
        tick = frame.pts - self._first_tick
        if self._last_time >= 0 and tick <= self._last_time:
            self._untimed += 1
            return self._last_time + 1
        return tick

    def _missing_seconds(self):
        promised = self._promised
        missing = promised - float(self._end * self.time_base)
        return missing if missing > max(_ENDS_EARLY, 0.02 * promised) else 0

    def _promised_seconds(self):
        """How long the index or the stream's own tag says that the pictures last; 0 where neither does."""
        if self._stream.duration and self._stream.frames:
            return float(self._stream.duration * self.time_base)
        hours, _, rest = self._stream.metadata.get("DURATION", "0:0:0").partition(":")
        minutes, _, seconds = rest.partition(":")
        try:
            return 3600 * float(hours) + 60 * float(minutes) + float(seconds)
        except ValueError:
            return 0.0


def _opened(path, av):
    if not path.exists():
        hint = " A stream goes with --stream." if ":/" in str(path) else ""  # of two slashes Path keeps one
        raise FileNotFoundError(f"There is no such file.{hint} Received: video={str(path)!r}")
    try:
        # The path as a whole, since `a:b.mp4` would name a protocol; no playlist may fetch from elsewhere.
        return av.open(str(path.absolute()), options={"protocol_whitelist": "file"})
    except av.FFmpegError as error:
        kind = OSError if isinstance(error, OSError) else ValueError
        raise kind(
            f"Not a video that can be read, or cut off: {reason(error)}. Received: video={str(path)!r}"
        ) from error


def _video_stream(container, path):
    if any(container.format.name.endswith(name) for name in _PICTURE_FORMATS):
        raise ValueError(f"This is a picture: give it without --video. Received: video={str(path)!r}")
    if not container.streams:
        raise ValueError(f"Not a video that can be read, or cut off: nothing is in it. Received: video={str(path)!r}")
    streams = [s for s in container.streams.video if not s.disposition & type(s.disposition).attached_pic]
    if not streams:
        raise ValueError(f"This file holds no video, only sound or other things. Received: video={str(path)!r}")
    known = [s for s in streams if s.codec_context is not None]
    if not known:
        raise ValueError(f"Not a codec that FFmpeg knows. Received: video={str(path)!r}")
    return max(known, key=lambda s: (bool(s.disposition & type(s.disposition).default), s.width * s.height))
