"""Do imported weights of the reference answer the original's metres?

    python benchmarks/reference_import.py

builds the reference's network in Keras 2 (`tf_keras`, see tests/models/reference_network.py), with weights that answer
r = 1.5 to 12, saves it the way the reference did, imports that file with `load_reference_weights` and compares depths,
clipped to the range, pixel by pixel. Prints JSON and writes it to benchmarks/results/reference_import.json. Takes two
to three minutes on two cores and 350 MB of temporary files. Expected: a largest difference below 1e-4 m at 10 m.

`half_pixel` is the same network with the up-sampling TensorFlow has had since 2.0: what ignoring the difference costs.
"""

import json
import os
import platform
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "models"))

import keras
import numpy as np
import tensorflow as tf
import tf_keras
from reference_network import BilinearUpSampling2D, build_original, enliven, metres, picture, save_original

from densedepth_keras.models.reference import PUBLISHED, load_reference_weights

SIZES = ((480, 640), (320, 448), (384, 1280))
RESULT = Path(__file__).resolve().parent / "results" / "reference_import.json"


def compare(original, model, size, max_depth):
    """Differences in metres over one picture, and how far the depths themselves spread."""
    image = picture(*size)
    r, expected = metres(original, image, max_depth)
    depth = np.clip(keras.ops.convert_to_numpy(model(image)), max_depth / 100, max_depth)
    difference = np.abs(depth - expected)
    return {
        "max_depth": max_depth,
        "image_size": size,
        "max_difference": float(difference.max()),
        "mean_difference": float(difference.mean()),
        "negative_answers": int((r < 0).sum()),
        "depth_percentiles_0_1_50_99_100": [round(float(p), 3) for p in np.percentile(expected, (0, 1, 50, 99, 100))],
    }


def half_pixel(original, model, size, max_depth):
    """`compare` with the original's up-sampling changed."""
    BilinearUpSampling2D.align_corners = False
    try:
        return compare(original, model, size, max_depth)
    finally:
        BilinearUpSampling2D.align_corners = True


def main():
    original = build_original()
    enliven(original, picture(*SIZES[0]))
    rows, contrast = [], None
    with tempfile.TemporaryDirectory() as folder:
        for name, (max_depth, _) in PUBLISHED.items():
            file = Path(folder) / f"{name}.h5"
            save_original(original, file)
            model = load_reference_weights(file, image_size=(None, None))
            rows += [compare(original, model, size, max_depth) for size in SIZES]
            contrast = contrast or half_pixel(original, model, SIZES[0], max_depth)
    versions = {module.__name__: module.__version__ for module in (keras, tf, tf_keras, np)}
    result = {
        "command": "python benchmarks/reference_import.py",
        "unit": "metres",
        "rows": rows,
        "half_pixel": contrast,
        "versions": {"python": platform.python_version(), **versions},
        "backend": keras.config.backend(),
        "cpus": os.cpu_count(),
    }
    text = json.dumps(result, indent=2)
    print(text)
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
