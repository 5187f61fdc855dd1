"""How exact and how fast holes are filled, on one core: real Kinect frames, and frames with more or fewer holes.

    python benchmarks/inpainting.py NYU_RAW

NYU_RAW holds `image/*.jpg` and `depth/*.png`, 640x480, 16-bit millimetres, 0 for a hole: three raw frames of NYU
Depth v2. Two slow solutions stand beside `fill_holes`, both written pixel by pixel (tests/data/colorization_oracle.py)
and solved with SciPy's `spsolve` over all pixels of the frame:

- `direct` solves the same equations: measured pixels are given. The error is measured against it.
- `toolbox` is the way of the NYU toolbox: a measured pixel, too, is to be the mean of its neighbours, and a data term
  of the same weight only draws it to its measurement. It answers another question. `toolbox_difference` says by how
  much, over the holes and over the measured pixels (which `fill_holes` leaves as they are).

`cpu_seconds` do not count what other processes did meanwhile, `seconds` do. `--picture FILE` draws the frames;
docs/images/inpainting.png shows rendered rooms with a sensor's holes, and is drawn by `--picture-of-rooms`.
"""

import argparse
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "data"))

import numpy as np
from colorization_oracle import solve_frame
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from record import record

from densedepth_keras.data import load_dataset
from densedepth_keras.data.files import read_depth, read_image
from densedepth_keras.data.inpainting import fill_holes
from densedepth_keras.plots import COLORMAP

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "images" / "inpainting.png"


def timed(function, repeats):
    """The result, and medians of wall-clock and processor seconds."""
    seconds = []
    for _ in range(repeats):
        wall, processor = time.perf_counter(), time.process_time()
        result = function()
        seconds.append((time.perf_counter() - wall, time.process_time() - processor))
    wall, processor = np.median(seconds, axis=0)
    return result, {"seconds": round(float(wall), 3), "cpu_seconds": round(float(processor), 3), "repeats": repeats}


def difference(a, b):
    """Metres."""
    distance = np.abs(a - b)
    return {"max": float(distance.max()), "mean": float(distance.mean())}


def measure(name, image, depth, *, repeats, toolbox):
    """One line of the result."""
    holes = depth == 0
    filled, ours = timed(lambda: fill_holes(image, depth), repeats)
    expected, direct = timed(lambda: solve_frame(image, depth), 1)
    line = {
        "frame": name,
        "size": "{1}x{0}".format(*depth.shape),
        "holes": int(holes.sum()),
        "hole_share": round(float(holes.mean()), 4),
        "fill_holes": ours,
        "direct": direct,
        "error": difference(filled[holes], expected[holes]),
        "measured_unchanged": bool((filled[~holes] == depth[~holes]).all()),
    }
    if toolbox:
        soft, line["toolbox"] = timed(lambda: solve_frame(image, depth, soft=True), 1)
        line["toolbox_times_slower"] = round(line["toolbox"]["cpu_seconds"] / ours["cpu_seconds"], 1)
        line["toolbox_difference"] = {
            "holes": difference(filled[holes], soft[holes]),
            "measured": difference(filled[~holes], soft[~holes]),
        }
    print(line, file=sys.stderr, flush=True)
    return line


def derived_frames(image, filled):
    """A frame without holes, with other holes punched into it."""
    tenth = filled.copy()
    tenth[150:325, 200:375] = 0  # 10 % of 640x480 in one piece
    scattered = np.where(np.random.default_rng(0).random(filled.shape) < 0.1, np.float32(0), filled)
    two = np.zeros_like(filled)
    two[10, 10], two[240, 320] = filled[10, 10], filled[240, 320]
    yield "a tenth, one square", image, tenth
    yield "a tenth, scattered", image, scattered
    yield "all but two pixels", image, two


def draw(path, frames):
    """Rows of image, measured and filled depth, in one range."""
    farthest = max(depth.max() for _, depth, _ in frames)
    colours = colormaps[COLORMAP].with_extremes(bad=(0.6, 0.6, 0.6))
    figure = Figure(figsize=(9.6, 7.2), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(frames), 3, squeeze=False)
    for row, (image, depth, filled) in zip(axes, frames, strict=True):
        row[0].imshow(image)
        for axis, values in ((row[1], depth), (row[2], filled)):
            shown = np.ma.masked_equal(values, 0)
            drawn = axis.imshow(shown, cmap=colours, vmin=0, vmax=farthest, interpolation="nearest")
    for axis in axes.flat:
        axis.set_axis_off()
    for axis, title in zip(axes[0], ("image", "measured, holes grey", "filled"), strict=True):
        axis.set_title(title, fontsize=10)
    figure.colorbar(drawn, ax=axes, label="depth (m)", fraction=0.03, pad=0.02)
    figure.savefig(path, format="png")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "root", type=Path, nargs="?", help="folder with image/*.jpg and depth/*.png, 16-bit millimetres"
    )
    parser.add_argument("--repeats", type=int, default=5, help="runs of fill_holes; the slow solutions run once")
    parser.add_argument("--picture", help="draw the frames into this file")
    parser.add_argument("--picture-of-rooms", action="store_true", help="draw docs/images/inpainting.png, nothing else")
    arguments = parser.parse_args()
    if arguments.picture_of_rooms:
        rooms = load_dataset("rooms", "test", raw_depth=True)
        draw(PICTURE, [(*rooms[i], fill_holes(*rooms[i])) for i in (1, 5, 9)])
        return
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    files = sorted((arguments.root / "image").glob("*.jpg"))
    depths = arguments.root / "depth"
    pairs = [(read_image(f), read_depth(depths / f"{f.stem}.png", units_per_metre=1000)) for f in files]
    frames = [(image, depth, fill_holes(image, depth)) for image, depth in pairs]
    if arguments.picture:
        draw(arguments.picture, frames)
    lines = [
        measure(file.stem, image, depth, repeats=arguments.repeats, toolbox=True)
        for file, (image, depth, _) in zip(files, frames, strict=True)
    ]
    image, _, filled = frames[0]
    lines += [
        measure(*line, repeats=arguments.repeats, toolbox="tenth" in line[0]) for line in derived_frames(image, filled)
    ]
    record("inpainting", f"python benchmarks/inpainting.py NYU_RAW --repeats {arguments.repeats}", {"frames": lines})


if __name__ == "__main__":
    main()
