"""Sound goes along with the pictures: copied as it is, or encoded anew where browsers would not play it."""

import math
from fractions import Fraction

from densedepth_keras.video.pyav import fraction, pyav

COPIED = ("aac", "mp3", "opus", "flac")
"""Codecs that mp4 holds and browsers play. Everything else (PCM, AC-3, Vorbis, ...) becomes AAC."""

_AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)
_LAYOUTS = {1: "mono", 6: "5.1"}
"""By channels; any other number is mixed to stereo. Files leave out the name more often than the number."""


def sound_track(container, stream, start: Fraction):
    """A track of the output for one audio stream of the input; has `add(packet)` and `close()`.

    Args:
        container: the open output.
        stream: audio stream of the input.
        start: seconds that are taken off its times.
    """
    kind = CopiedSound if stream.codec_context.name in COPIED else EncodedSound
    return kind(container, stream, start)


class CopiedSound:
    """Packets of one audio stream, bit for bit."""

    damaged = 0

    def __init__(self, container, stream, start):
        self._container = container
        self._track = container.add_stream_from_template(stream)
        self._first_tick = math.floor(start / fraction(stream.time_base))

    def add(self, packet) -> None:
        """Takes a packet of the input's stream."""
        if packet.pts is not None:
            packet.pts -= self._first_tick
        packet.dts -= self._first_tick
        packet.stream = self._track
        self._container.mux(packet)

    def close(self) -> None:
        """Nothing is held back."""


class EncodedSound:
    """One audio stream, decoded and encoded as AAC.

    Attributes:
        damaged: packets that could not be decoded.
    """

    def __init__(self, container, stream, start):
        self._av = pyav()
        self._container, self._start, self.damaged = container, start, 0
        context = stream.codec_context
        rate = context.sample_rate if context.sample_rate in _AAC_RATES else 48000
        layout = _LAYOUTS.get(context.layout.nb_channels, "stereo")
        self._track = container.add_stream("aac", rate=rate, layout=layout)
        self._form = {"format": "fltp", "layout": layout, "rate": rate}
        self._resampler = self._av.AudioResampler(**self._form)

    def add(self, packet) -> None:
        """Takes a packet of the input's stream."""
        try:
            frames = packet.decode()
        except self._av.FFmpegError:
            self.damaged += 1
            return
        for frame in frames:
            if frame.pts is not None:
                frame.pts -= math.floor(self._start / fraction(frame.time_base))
            self._encode(self._resampled(frame))

    def close(self) -> None:
        """Encodes what is held back."""
        self._encode(self._resampler.resample(None))
        self._container.mux(self._track.encode(None))

    def _resampled(self, frame):
        try:
            return self._resampler.resample(frame)
        except ValueError:  # from here on of other channels, as recordings of television are
            rest = self._resampler.resample(None)
            self._resampler = self._av.AudioResampler(**self._form)
            return [*rest, *self._resampler.resample(frame)]

    def _encode(self, frames):
        for frame in frames:
            self._container.mux(self._track.encode(frame))
