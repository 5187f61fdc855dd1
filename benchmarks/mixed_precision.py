"""How far are a trained network's metres in 16 bits from its metres in float32?

    python benchmarks/mixed_precision.py RUN --data-dir nyu_depth_v2 --depth-unit mm

rebuilds the network of a run folder under `mixed_float16` and `mixed_bfloat16` with the same weights and compares their
answers for test images of a folder of own data, pixel by pixel. Prints JSON and writes it to
benchmarks/results/mixed_precision.json. Takes a minute on two cores, which emulate 16 bits: it says nothing of speed.
"""

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from record import record

from densedepth_keras.data import load_dataset
from densedepth_keras.model_setup import dtype_policy, model_arguments
from densedepth_keras.models import build_model, inference_model
from densedepth_keras.prediction import iterate_depth, load_model
from densedepth_keras.run_folder import read_run


def under(policy, arguments, weights):
    with dtype_policy(policy):
        model = inference_model(build_model(weights=None, **arguments))
    model.set_weights(weights)
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--depth-unit", default="mm")
    parser.add_argument("--limit", type=int, default=20)
    options = parser.parse_args()
    source = load_dataset(
        "folder", "test", data_dir=options.data_dir, depth_unit=options.depth_unit, limit=options.limit
    )
    _, config = read_run(options.run)
    model = load_model(options.run)
    images = [source[index].image for index in range(len(source))]
    expected = np.stack(list(iterate_depth(model, images)))
    result = {}
    for policy in ("mixed_float16", "mixed_bfloat16"):
        mixed = under(policy, model_arguments(config), model.get_weights())
        difference = np.abs(np.stack(list(iterate_depth(mixed, images))) / expected - 1)
        result[policy] = {
            "mean": float(difference.mean()),
            "percentile_99.9": float(np.percentile(difference, 99.9)),
            "largest": float(difference.max()),
        }
    result = {
        "what": "difference from float32, relative to the depth, over all pixels",
        "images": len(images),
        "network": f"{config.encoder}, {config.decoder_filters} decoder filters, {config.image_size}",
        **result,
    }
    command = "python benchmarks/mixed_precision.py RUN --data-dir nyu_depth_v2"
    record("mixed_precision", command, result)


if __name__ == "__main__":
    main()
