"""Cameras and streams: the newest frame, never a queue of old ones."""

import sys
import threading
import time
from pathlib import Path

from densedepth_keras.config.predict import PredictConfig
from densedepth_keras.video.pyav import pyav, reason

SCHEMES = ("rtsp", "rtsps", "rtmp", "rtmps", "http", "https", "udp", "rtp", "srt", "tcp")

_SILENCE = 10.0
"""Seconds without a word from a camera or stream, after which it counts as gone."""

_CAMERAS = {"linux": ("v4l2", "/dev/video{}"), "darwin": ("avfoundation", "{}")}


class Newest:
    """Holds one item; a newer one takes its place.

    Attributes:
        dropped: items that nobody took.
    """

    def __init__(self):
        self._changed = threading.Condition()
        self._item, self._ended, self.dropped = None, False, 0
        self.error: BaseException | None = None

    def put(self, item) -> None:
        """Sets the item."""
        with self._changed:
            self.dropped += self._item is not None
            self._item = item
            self._changed.notify_all()

    def end(self, error: BaseException | None = None) -> None:
        """There will be no more items, because of `error` if there was one."""
        with self._changed:
            self._ended, self.error = True, error
            self._changed.notify_all()

    def take(self):
        """Waits for an item and takes it away; None at the end."""
        with self._changed:
            while self._item is None and not self._ended:
                self._changed.wait(1.0)
            item, self._item = self._item, None
            return item


class LiveSource:
    """A camera or a stream, read in a thread as fast as it comes.

    Iterating gives `(av.VideoFrame, time.perf_counter() when it was decoded)`: always the newest there is. What comes
    while nobody asks is dropped, so that what is shown is never older than one frame's work. A stream of known length,
    such as a file on a web server, is not live: its frames come at their own times.

    Args:
        container: what `open_live` gives. The source closes it.

    Attributes:
        name: of the device, or the address.
        error: what it ended with; None where it came to its end, or was left.
    """

    def __init__(self, container):
        self.name = container.name
        self._container, self._newest, self._left = container, Newest(), threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self._left.set()
        self._newest.end()
        self._thread.join(_SILENCE / 2)  # who waits for a dead camera longer than that waits alone

    def __iter__(self):
        while (item := self._newest.take()) is not None:
            yield item

    @property
    def dropped(self) -> int:
        """Frames that nobody saw."""
        return self._newest.dropped

    @property
    def error(self) -> BaseException | None:
        """See the class."""
        return self._newest.error

    def _read(self):
        error = None
        try:
            with self._container as container:
                self._decode(container, container.streams.video[0])
        except Exception as caught:  # it has to reach the thread that shows the pictures, whatever it is
            error = caught
        self._newest.end(error)

    def _decode(self, container, stream):
        av, paced, started = pyav(), container.duration is not None, None
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.error.InvalidDataError:  # a stream joined in the middle begins like that
                continue
            for frame in frames:
                if paced and frame.time is not None:
                    started = time.perf_counter() - frame.time if started is None else started
                    self._left.wait(max(0.0, started + frame.time - time.perf_counter()))
                if self._left.is_set():
                    return
                self._newest.put((frame, time.perf_counter()))


def open_live(config: PredictConfig):
    """Opens the camera or stream that the flags name.

    Raises:
        OSError: it is not there, or does not answer.
        ValueError: no address of a stream, or nothing with pictures.
    """
    return _open_camera(config.camera) if config.stream is None else _open_stream(config.stream)


def _open_camera(number):
    kind, pattern = _CAMERAS.get(sys.platform, (None, None))
    if kind is None:
        raise ValueError(
            "Cameras are read on Linux and macOS only; elsewhere serve the camera as a stream and give --stream URL. "
            f"Received: camera={number}"
        )
    name = pattern.format(number)
    if kind == "v4l2" and not Path(name).exists():
        there = ", ".join(sorted(str(path) for path in Path("/dev").glob("video*"))) or "none"
        raise FileNotFoundError(f"There is no camera {name}; there are: {there}. Received: camera={number}")
    return _opened(name, f"camera={number}", format=kind)


def _open_stream(address):
    scheme = address.partition("://")[0].lower() if "://" in address else ""
    if scheme not in SCHEMES:
        raise ValueError(
            f"A stream has an address that begins with one of {', '.join(SCHEMES)}, then ://. Files go with --video. "
            f"Received: stream={address!r}"
        )
    options = {"rtsp_transport": "tcp"} if scheme.startswith("rtsp") else {}
    return _opened(address, f"stream={address!r}", options=options)


def _opened(name, received, **arguments):
    av = pyav()
    try:
        container = av.open(name, timeout=(_SILENCE, _SILENCE), **arguments)
    except (av.FFmpegError, OSError) as error:
        why = "no answer" if isinstance(error, av.error.ExitError) else reason(error)
        raise OSError(f"Nothing can be read from there: {why}. Received: {received}") from error
    if not container.streams.video:
        container.close()
        raise ValueError(f"There are no pictures in this stream. Received: {received}")
    return container
