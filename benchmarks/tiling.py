"""What do tiles change? RMSE of a trained network with and without them, and how finely tiles follow the whole picture.

    python benchmarks/tiling.py RUN --data-dir nyu_depth_v2 --limit 100

predicts pictures of the test split of an own-data folder (millimetres), spread over it evenly, that are larger than the
run's network: whole, and in tiles that agree with the whole picture in 1 to 16 parts across and down
(`tiling.CELLS`). Each is judged by RMSE in the Eigen crop, and by the mean error of the logarithm's gradient, which
tells detail: from one pixel to the next, across and down. Means over the images. Prints JSON and writes it to
benchmarks/results/tiling.json. Takes ten minutes on two cores.
"""

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from record import record

from densedepth_keras import tiling
from densedepth_keras.data import load_dataset
from densedepth_keras.metrics.functional import rmse
from densedepth_keras.predictor import DepthPredictor
from densedepth_keras.protocols import PROTOCOLS

CELLS = (1, 2, 4, 6, 8, 12, 16)


def remembered(answers):
    """`answers` that are computed once: the tiles of a picture are the same whatever is made of them."""
    known = {}

    def answer(images):
        key = hash(b"".join(image.tobytes() for image in images))
        if key not in known:
            known[key] = answers(np.stack(images))
        return known[key]

    return answer


def figures(true, depth, mask):
    """RMSE, metres, and the mean absolute error of the steps of log depth between neighbours."""
    steps = [np.abs(np.diff(np.log(true), axis=axis) - np.diff(np.log(depth), axis=axis)) for axis in (0, 1)]
    both = [mask[1:] & mask[:-1], mask[:, 1:] & mask[:, :-1]]
    return rmse(true, depth, mask), float(
        np.mean([step[valid].mean() for step, valid in zip(steps, both, strict=True)])
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--limit", type=int, default=100)
    arguments = parser.parse_args()
    predictor = DepthPredictor(arguments.run)
    answers, size, ends = predictor._answers, predictor.network_size, (predictor.min_depth, predictor.max_depth)
    source = load_dataset("folder", "test", data_dir=arguments.data_dir, depth_unit="mm")
    chosen = np.linspace(0, len(source) - 1, arguments.limit).round().astype(int)
    found = {"whole": [], **{cells: [] for cells in CELLS}}
    for index in chosen:
        image, true = source[int(index)]
        mask = PROTOCOLS["eigen"].valid_mask(true, predictor.max_depth)
        found["whole"].append(figures(true, predictor.predict(image), mask))
        answer = remembered(answers)
        for tiling.CELLS in CELLS:
            depth = np.clip(tiling.predict_tiled(image, size, answer, predictor.batch_size), *ends)
            found[tiling.CELLS].append(figures(true, depth, mask))
    result = {
        "network_image_size": size,
        "images": len(chosen),
        "tiles_per_image": len(list(tiling.tiles_of(image.shape[:2], size))),
        "rmse_metres": {
            str(name): round(float(np.mean([each[0] for each in values])), 4) for name, values in found.items()
        },
        "error_of_log_steps": {
            str(name): round(float(np.mean([each[1] for each in values])), 5) for name, values in found.items()
        },
    }
    record("tiling", f"python benchmarks/tiling.py RUN --data-dir DIR --limit {arguments.limit}", result)


if __name__ == "__main__":
    main()
