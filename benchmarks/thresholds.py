"""Where do two thresholds come from: the one for cuts of videos, the one for edges of point clouds?

    python benchmarks/thresholds.py --data-dir nyu_depth_v2

looks at all frames of an own-data folder of NYU Depth v2 (millimetres). Cuts: by how many grey levels do thumbnails of
frames differ that are far from each other in the list, and of pans over one frame, with zoom and changing brightness?
Edges: which share of the pixels would a point cloud lose at each factor, of the depth as it is, and of depth that was
shrunk to 320x240 and enlarged again, as a network's is? Prints JSON and writes it to benchmarks/results/
thresholds.json. Takes a minute on two cores.
"""

import argparse
import csv
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from PIL import Image
from record import record

from densedepth_keras.data.files import read_depth, read_image
from densedepth_keras.data.resize import enlarge_prediction
from densedepth_keras.outputs.point_clouds import steps
from densedepth_keras.video.smoothing import CUT, thumbnail

APART = 31
"""Frames in the list; nearer ones often show one room."""
PAIRS_PER_FRAME = 14
ZOOM, BRIGHTNESS = 1.02, 1.05
PANS = (0.005, 0.01, 0.02, 0.04, 0.08)
LEVELS = (20, 24, CUT, 32, 40)
RATIOS = (1.02, 1.03, 1.05, 1.08, 1.1, 1.2)


def rows_of(folder):
    """`(image, depth)` of all three lists, by name."""
    rows = set()
    for split in ("train", "validation", "test"):
        with open(folder / f"{split}.csv", encoding="utf-8") as file:
            rows |= {(folder / row["image"], folder / row["depth"]) for row in csv.DictReader(file)}
    return sorted(rows)


def moved(image, share, rng):
    """Thumbnails of two frames of a pan by this share of the width, with zoom, up to `ZOOM`, and brightness."""
    height, width = image.shape[:2]
    zoom, brightness = min(1 + share, ZOOM), rng.uniform(1 / BRIGHTNESS, BRIGHTNESS)
    side = (0.85 * width, 0.85 * height)
    boxes = [(0, 0, *side), (share * width, 0, share * width + side[0] / zoom, side[1] / zoom)]
    views = [np.asarray(Image.fromarray(image).resize((320, 240), Image.Resampling.BILINEAR, box=box)) for box in boxes]
    brighter = np.clip(views[1] * brightness, 0, 255).astype(np.uint8)
    return thumbnail(views[0]), thumbnail(brighter)


def shares_above(differences):
    return {str(level): round(float(np.mean(np.array(differences) > level)), 5) for level in LEVELS}


def cuts(rows, rng):
    thumbnails, pans = [], {share: [] for share in PANS}
    for number, (image, _) in enumerate(rows):
        picture = read_image(image)
        thumbnails.append(thumbnail(picture))
        for share in PANS if number % 2 == 0 else ():
            before, after = moved(picture, share, rng)
            pans[share].append(np.abs(after - before).mean())
    far = []
    for first in range(len(rows) - APART):
        others = rng.choice(np.arange(first + APART, len(rows)), min(PAIRS_PER_FRAME, len(rows) - first - APART), False)
        far += [np.abs(thumbnails[first] - thumbnails[other]).mean() for other in others]
    return {
        "pairs_far_apart": {"count": len(far), "share_above": shares_above(far)},
        "pans": {f"{share:.1%}": {"count": len(d), "share_above": shares_above(d)} for share, d in pans.items()},
    }


def edges(rows):
    lost = {kind: {ratio: [] for ratio in RATIOS} for kind in ("as measured", "enlarged from 320x240")}
    for _, file in rows[::5]:
        depth = read_depth(file, units_per_metre=1000)
        small = np.asarray(Image.fromarray(depth).resize((320, 240), Image.Resampling.BOX))
        for kind, metres in zip(lost, (depth, enlarge_prediction(small, depth.shape)), strict=True):
            for ratio in RATIOS:
                lost[kind][ratio].append(steps(metres, ratio).mean())
    return {
        kind: {str(ratio): round(float(np.mean(shares)), 4) for ratio, shares in by_ratio.items()}
        for kind, by_ratio in lost.items()
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True)
    rows = rows_of(parser.parse_args().data_dir)
    result = {
        "frames": len(rows),
        "grey_levels_between_thumbnails": cuts(rows, np.random.default_rng(0)),
        "share_of_pixels_cut_at_edges": edges(rows),
    }
    record("thresholds", "python benchmarks/thresholds.py --data-dir DIR", result)


if __name__ == "__main__":
    main()
