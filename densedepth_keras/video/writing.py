"""Videos that browsers play: H.264, yuv420p, in an mp4 that can be played while it loads."""

import contextlib
import os
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from densedepth_keras.video.pyav import pyav, reason
from densedepth_keras.video.sound import sound_track

SUFFIXES = (".mp4", ".m4v", ".mov")

LARGEST_SIDE = 16384
"""Pixels; H.264 encoders and browsers end here."""

_QUALITY = {"crf": "20", "preset": "veryfast"}  # of libx264: edges of the colour map stay clean at half a core
_BT709 = 1  # of colour space, primaries and transfer alike
_LIMITED = 1


class VideoWriter:
    """Writes pictures at given times, and sound beside them.

    Odd sides are made even by repeating the last row or column, since H.264 in yuv420p has no odd ones. Times are kept
    as they are given, to the tick: irregular ones stay irregular.

    Args:
        path: the file; its suffix is one of `SUFFIXES`.
        size: `(height, width)` of the pictures.
        time_base: seconds of a tick.
        rate: frames per second on average, a hint; None if unknown.
        pixel_aspect: width of a pixel by its height.
        sound: audio streams of an input whose packets will come.
        start: seconds to take off the times of the sound.
        name: what errors call the file, where that is not `path`.

    Attributes:
        frames: pictures written so far.

    Raises:
        ValueError: pictures that are too large.
        OSError: the file cannot be written; from any method.
        ImportError: PyAV is not installed, or without an encoder of H.264.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        size: tuple[int, int],
        *,
        time_base: Fraction,
        rate: Fraction | None = None,
        pixel_aspect: Fraction = Fraction(1),
        sound: Sequence = (),
        start: Fraction = Fraction(0),
        name: str | os.PathLike | None = None,
    ):
        self._av = pyav()
        self.size, self.frames = size, 0
        self._name, self._time_base = str(name or path), time_base
        even = tuple(side + side % 2 for side in size)
        _check_size(even)
        with self._guarded():
            self._container = self._av.open(str(path), "w", format="mp4", options=_options(time_base))
        try:
            self._stream = self._video_stream(even, rate, pixel_aspect)
            self._tracks = {stream.index: sound_track(self._container, stream, start) for stream in sound}
        except BaseException:
            self._abandon()
            raise

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is None:
            self.close()
        else:
            self._abandon()

    def picture(self, picture: np.ndarray, time: int, duration: int = 0) -> None:
        """Appends a picture, uint8 RGB `(H, W, 3)`, shown from tick `time` on, for `duration` ticks if not 0."""
        frame = self._av.VideoFrame.from_ndarray(_even(picture), format="rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
        frame.pts, frame.duration, frame.time_base = time, duration, self._time_base
        with self._guarded():
            self._container.mux(self._stream.encode(frame))
        self.frames += 1

    def sound(self, packet) -> None:
        """Appends a packet of one of the audio streams."""
        with self._guarded():
            self._tracks[packet.stream.index].add(packet)

    @property
    def damaged_sound(self) -> int:
        """Packets of sound that could not be decoded."""
        return sum(track.damaged for track in self._tracks.values())

    def close(self) -> None:
        """Writes what the encoders hold, and the index."""
        try:
            with self._guarded():
                self._container.mux(self._stream.encode(None))
                for track in self._tracks.values():
                    track.close()
                self._container.close()
        except BaseException:
            self._abandon()
            raise

    def _abandon(self):
        """Lets go of a file that nobody will keep."""
        with contextlib.suppress(self._av.FFmpegError, ValueError):
            self._container.close()

    @contextlib.contextmanager
    def _guarded(self):
        try:
            yield
        except self._av.FFmpegError as error:
            raise OSError(f"The video cannot be written: {reason(error)}. Received: output={self._name!r}") from error

    def _video_stream(self, size, rate, pixel_aspect):
        codec = "libx264" if "libx264" in self._av.codecs_available else "h264"
        try:
            stream = self._container.add_stream(codec, rate=Fraction(rate or 25).limit_denominator(10**6))
        except (self._av.FFmpegError, ValueError) as error:
            raise ImportError(
                "This PyAV has no encoder of H.264; the one of `pip install av` has. Received: "
                f"av={self._av.__version__}"
            ) from error
        stream.height, stream.width = size
        stream.pix_fmt = "yuv420p"
        stream.options = _QUALITY if codec == "libx264" else {}
        context = stream.codec_context
        context.time_base = self._time_base
        context.sample_aspect_ratio = pixel_aspect.limit_denominator(255)
        context.flags |= self._av.codec.context.Flags.frame_duration  # the last picture's is nowhere else
        # Said in the file, or a player takes small pictures for another colour space than large ones.
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _LIMITED
        return stream


def _options(time_base):
    """The index in front; and beginnings later than 0, which mp4 counts in a clock of its own, to the video's tick."""
    clock = time_base.denominator * max(1, -(-1000 // time_base.denominator))
    return {"movflags": "+faststart", "movie_timescale": str(min(clock, 2**31 - 1))}


def _even(picture):
    height, width = picture.shape[:2]
    if height % 2 or width % 2:
        picture = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return np.ascontiguousarray(picture)


def _check_size(size):
    if max(size) > LARGEST_SIDE:
        raise ValueError(
            f"A video can be {LARGEST_SIDE} pixels wide and high; --no-side-by-side takes half the width. "
            f"Received: {size[1]}x{size[0]} (width x height)"
        )
