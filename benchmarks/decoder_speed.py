"""What does the light decoder save? Seconds per image at 480x640 of six networks, alternated in one run.

    python benchmarks/decoder_speed.py

builds DenseNet169 and MobileNetV2, each with the reference's decoder, with the separable one and without any (random
weights: they do not change the time), compiles them at a fixed size with a batch of one, and calls them in turn, so
that whatever else the machine does meets all alike. Prints JSON with medians and the ratios of the reference's network
to the light ones, and writes it to benchmarks/results/decoder_speed.json. Takes two minutes on two cores.
"""

import argparse
import os
import statistics
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import keras
import numpy as np
from record import record

from densedepth_keras.models import build_model
from densedepth_keras.models.cost import multiply_adds

IMAGE_SIZE = (480, 640)
NETWORKS = {
    "densenet169 + densedepth": ("densenet169", "densedepth"),
    "densenet169 + separable": ("densenet169", "separable"),
    "densenet169 alone": ("densenet169", None),
    "mobilenet_v2 + densedepth": ("mobilenet_v2", "densedepth"),
    "mobilenet_v2 + separable": ("mobilenet_v2", "separable"),
    "mobilenet_v2 alone": ("mobilenet_v2", None),
}


def network(encoder, decoder):
    """A network of fixed size; without a decoder, the encoder's last level alone."""
    model = build_model(encoder, weights=None, decoder=decoder or "separable", image_size=IMAGE_SIZE)
    if decoder is not None:
        return model
    return keras.Model(model.input, model.get_layer("bridge").input)


def seconds(model, image):
    started = time.perf_counter()
    model.predict_on_batch(image)
    return time.perf_counter() - started


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="calls of every network, behind two to warm up")
    rounds = parser.parse_args().rounds
    models = {name: network(*parts) for name, parts in NETWORKS.items()}
    image = np.random.default_rng(0).integers(0, 256, (1, *IMAGE_SIZE, 3), dtype=np.uint8)
    times = {name: [] for name in models}
    for number in range(rounds + 2):
        for name, model in models.items():
            spent = seconds(model, image)
            if number >= 2:
                times[name].append(spent)
    medians = {name: statistics.median(values) for name, values in times.items()}
    full = "densenet169 + densedepth"
    result = {
        "image_size": IMAGE_SIZE,
        "networks": {
            name: {
                "seconds_median": round(medians[name], 4),
                "seconds_min": round(min(times[name]), 4),
                "seconds_max": round(max(times[name]), 4),
                "parameters": model.count_params(),
                "multiply_adds": multiply_adds(model, IMAGE_SIZE),
            }
            for name, model in models.items()
        },
        f"times faster than {full}": {
            name: round(medians[full] / median, 2) for name, median in medians.items() if name != full
        },
    }
    record("decoder_speed", f"python benchmarks/decoder_speed.py --rounds {rounds}", result)


if __name__ == "__main__":
    main()
