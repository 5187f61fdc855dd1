"""Small videos that the tests encode themselves, and a predictor whose answers can be computed by hand."""

import threading
from fractions import Fraction

import numpy as np

from densedepth_keras.video.pyav import fraction

MILLISECOND = Fraction(1, 1000)


class FakePredictor:
    """Metres from the mean of a pixel's colours: black is 1 m, white 9 m."""

    min_depth, max_depth, name = 1.0, 9.0, "fake"

    def predict(self, picture):
        return 1 + 8 * picture.mean(axis=-1, dtype=np.float32) / 255

    def iterate(self, pictures):
        """Two ahead, as the real one."""
        waiting = []
        for picture in pictures:
            waiting.append(picture)
            if len(waiting) == 2:
                yield self.predict(waiting.pop(0))
        for picture in waiting:
            yield self.predict(picture)


def grey_pictures(count, size=(48, 64), *, low=10, high=240):
    """Flat pictures, each a little brighter than the one before."""
    return [np.full((*size, 3), level, np.uint8) for level in np.linspace(low, high, count).round()]


def regular(count, milliseconds=40):
    """Times and durations of a steady rate."""
    return [(milliseconds * i, milliseconds) for i in range(count)]


def irregular(count):
    """Times and durations of a phone in the dark."""
    durations = [(40, 57, 74, 33)[i % 4] for i in range(count)]
    return list(zip(np.cumsum([0, *durations[:-1]]).tolist(), durations, strict=True))


def encode(
    path,
    pictures,
    times=None,
    *,
    codec="libx264",
    b_frames=0,
    sound=None,
    rotation=None,
    flip=False,
    quality=12,
    format=None,
    movflags="faststart",
    time_base=MILLISECOND,
    pixel_aspect=None,
):
    """Writes a video; `times` are `(tick, duration)`, `sound` is `(codec, rate, seconds)` of a sine."""
    import av

    options = {"movflags": movflags} if movflags and str(path).endswith(".mp4") else {}
    with av.open(str(path), "w", format=format, options=options) as container:
        height, width = pictures[0].shape[:2]
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height = width, height
        stream.pix_fmt = "yuv444p" if height % 2 or width % 2 else "yuv420p"
        stream.options = {"bf": str(b_frames), "crf": str(quality)} if codec == "libx264" else {}
        stream.codec_context.time_base = time_base
        stream.codec_context.flags |= av.codec.context.Flags.frame_duration
        if pixel_aspect is not None:
            stream.codec_context.sample_aspect_ratio = pixel_aspect
        if rotation is not None:
            stream.set_display_rotation(rotation, hflip=flip)
        track = container.add_stream(sound[0], rate=sound[1]) if sound else None
        for picture, (tick, duration) in zip(pictures, times or regular(len(pictures)), strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.duration, frame.time_base = tick, duration, time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if track:
            container.mux(track.encode(_sine(av, track, *sound[1:])))
            container.mux(track.encode(None))
    return path


def _sine(av, track, rate, seconds):
    wave = 0.3 * np.sin(2 * np.pi * 440 * np.arange(int(rate * seconds)) / rate)
    frame = av.AudioFrame.from_ndarray(wave.astype(np.float32)[None], format="fltp", layout="mono")
    frame.sample_rate, frame.pts = rate, 0
    return frame


def frames_of(path):
    """`(time in seconds as a Fraction, uint8 RGB picture)` of every frame, with PyAV's defaults."""
    import av

    with av.open(str(path)) as container:
        return [
            (frame.pts * fraction(frame.time_base), frame.to_ndarray(format="rgb24"))
            for frame in container.decode(video=0)
        ]


def sound_packets(path, number=0):
    """`(time in seconds, bytes)` of every packet of an audio stream."""
    import av

    with av.open(str(path)) as container:
        stream = container.streams.audio[number]
        return [(p.pts * fraction(p.time_base), bytes(p)) for p in container.demux(stream) if p.dts is not None]


def samples_of(path):
    """The sound, float `(channels, samples)`."""
    import av

    with av.open(str(path)) as container:
        return np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)


def seconds_of_sound(path):
    """As many as there are samples for."""
    import av

    with av.open(str(path)) as container:
        return sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))


def levels(path):
    """Mean level of every picture."""
    return [float(picture.mean()) for _, picture in frames_of(path)]


def threads():
    """How many are running, without the one that tqdm keeps from its first bar on."""
    return sum(type(thread).__name__ != "TMonitor" for thread in threading.enumerate())
