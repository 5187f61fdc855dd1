"""How fast does a video become a video of depth, and how still does it stand? File to file, overlapped and in a loop.

    python benchmarks/video_speed.py --images photo.jpg --checkpoint runs/my_run

pans and zooms over pictures, one after another, with a pause in the middle of each and a sensor's noise, encodes that
as H.264, and predicts the video with MobileNetV2 and the light decoder at 240x320: with reading, network and writing in
threads, and in a plain loop of the same parts one after another, in turn. Then once more without smoothing, for the
flicker figure. Without `--images` a room is rendered; without `--checkpoint` the network has random weights, which take
as long, and the flicker figure means nothing. Prints JSON and writes it to benchmarks/results/NAME.json. Takes three
minutes on two cores.
"""

import argparse
import itertools
import os
import statistics
import sys
import tempfile
import time
from fractions import Fraction
from functools import partial
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from networks import network_of
from PIL import Image
from record import record

from densedepth_keras.config.predict import PredictConfig
from densedepth_keras.data.rooms import Rooms
from densedepth_keras.models import build_model
from densedepth_keras.predictor import DepthPredictor
from densedepth_keras.video import predict_video
from densedepth_keras.video.drawing import drawing_for
from densedepth_keras.video.reading import VideoFile
from densedepth_keras.video.writing import VideoWriter

NOISE = 2.0
"""Standard deviation of the pictures' noise, levels of 255, what a phone has indoors; it is new in every frame."""


def pan_and_zoom(picture, count, size, rng):
    """Pictures `(H, W, 3)` of a camera that moves over a photograph, stands still for the middle third, moves on."""
    image = Image.fromarray(picture)
    width, height = image.size
    for i in range(count):
        moved = min(i, count // 3) + max(0, i - 2 * count // 3)
        zoom = 1.15 + 0.3 * moved / count
        left, top = (width - width / zoom) * moved / count, (height - height / zoom) / 2
        box = (left, top, left + width / zoom, top + height / zoom)
        seen = np.asarray(image.resize(size[::-1], Image.Resampling.BILINEAR, box=box), np.float32)
        yield np.clip(seen + rng.normal(0, NOISE, seen.shape), 0, 255).astype(np.uint8)


def write_clip(path, pictures, count, size):
    """A scene for each picture, with cuts in between; `count` frames in all."""
    rng, ticks = np.random.default_rng(0), itertools.count()
    ends = np.linspace(0, count, len(pictures) + 1).round().astype(int)
    with VideoWriter(path, size, time_base=Fraction(1, 25), rate=Fraction(25)) as writer:
        for picture, frames in zip(pictures, np.diff(ends), strict=True):
            for seen in pan_and_zoom(picture, frames, size, rng):
                writer.picture(seen, next(ticks), 1)


def plain_loop(config, predictor):
    """The same work without threads: frames per second, cuts, and the median seconds of each step of a frame."""
    drawing = drawing_for(config, predictor)
    started, marks = time.perf_counter(), []
    with VideoFile(config.video) as video:
        size = drawing.size(video.size)
        with VideoWriter(config.output, size, time_base=video.time_base, rate=video.rate) as writer:
            marks.append([time.perf_counter()])
            for frame in video.frames():
                marks[-1].append(time.perf_counter())
                depth = predictor.predict(frame.picture)
                marks[-1].append(time.perf_counter())
                drawn = drawing(frame.picture, depth)
                marks[-1].append(time.perf_counter())
                writer.picture(drawn, frame.time, frame.duration)
                marks[-1].append(time.perf_counter())
                marks.append([marks[-1][-1]])
    steps = np.median(np.diff(marks[:-1], axis=1), axis=0)
    return writer.frames / (time.perf_counter() - started), drawing.smoothing.cuts, steps


def overlapped(config, predictor):
    return predict_video(config, lambda line: None, predictor, progress=False)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", nargs="+", help="photographs, a scene each (default: a rendered room)")
    parser.add_argument("--checkpoint", help="a run folder or .keras file (default: MobileNetV2, separable, untrained)")
    parser.add_argument("--name", default="video_speed", help="of the result")
    parser.add_argument("--frames", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=3, help="of each way")
    parser.add_argument(
        "--image-size", type=int, nargs=2, metavar=("HEIGHT", "WIDTH"), help="240 320, or the run's own"
    )
    parser.add_argument("--video-size", type=int, nargs=2, default=(480, 640), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--smooth", type=float, default=0.6)
    parser.add_argument("--batch-size", type=int, default=4)
    return parser.parse_args()


def network(flags):
    if flags.checkpoint:
        return network_of(flags.checkpoint, flags.image_size)
    size = tuple(flags.image_size or (240, 320))
    return build_model("mobilenet_v2", weights=None, decoder="separable", image_size=size)


def pictures(names):
    if names:
        return [np.asarray(Image.open(name).convert("RGB")) for name in names]
    return [Rooms("test", image_size=(480, 640))[3][0].astype(np.uint8)]


def main():
    flags = arguments()
    predictor = DepthPredictor(network(flags), batch_size=flags.batch_size)
    scenes = pictures(flags.images)
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        write_clip(clip, scenes, flags.frames, tuple(flags.video_size))
        make = partial(PredictConfig, video=str(clip), output=str(Path(folder) / "out.mp4"), overwrite=True)
        smoothed, raw = make(smooth=flags.smooth), make(smooth=0.0)
        list(predictor.iterate([np.zeros((*flags.video_size, 3), np.uint8)] * (flags.batch_size + 1)))  # compiles
        predictor.predict(np.zeros((*flags.video_size, 3), np.uint8))
        loop, threads, results = [], [], []
        for _ in range(flags.rounds):
            rate, cuts, steps = plain_loop(smoothed, predictor)
            loop.append(rate)
            results.append(overlapped(smoothed, predictor))
            threads.append(results[-1].frames_per_second)
        without = overlapped(raw, predictor)
    result = {
        "frames": {"in": flags.frames, "out": results[-1].frames},
        "cuts": {"in": len(scenes) - 1, "found": cuts},
        "video_size": list(flags.video_size),
        "network": f"{predictor.name}, {predictor.network_size}, {predictor.model.count_params()} parameters",
        "frames_per_second": {
            "overlapped": [round(value, 2) for value in threads],
            "overlapped_median": round(statistics.median(threads), 2),
            "plain_loop": [round(value, 2) for value in loop],
            "plain_loop_median": round(statistics.median(loop), 2),
            "times the plain loop": round(statistics.median(threads) / statistics.median(loop), 2),
        },
        "milliseconds_per_frame_in_the_loop": {
            name: round(1000 * float(seconds), 1)
            for name, seconds in zip(("read", "predict", "draw", "encode"), steps, strict=True)
        },
        "latency_seconds": round(results[-1].latency, 3),
        "flicker_metres": {
            f"smooth {flags.smooth}": round(results[-1].flicker, 5),
            "smooth 0": round(without.flicker, 5),
        },
    }
    record(flags.name, command(flags), result)


def command(flags):
    """What was typed, without the places of pictures and runs."""
    words = {"checkpoint": "RUN"} if flags.checkpoint else {}
    words |= {"images": " ".join(Path(name).name for name in flags.images)} if flags.images else {}
    for name in ("frames", "rounds", "image_size", "video_size", "smooth", "batch_size", "name"):
        if getattr(flags, name) is not None:
            words[name] = " ".join(map(str, np.atleast_1d(getattr(flags, name))))
    return "python benchmarks/video_speed.py " + " ".join(f"--{k.replace('_', '-')} {v}" for k, v in words.items())


if __name__ == "__main__":
    main()
