"""What does a training epoch of each decoder variant cost? Steps of five networks, alternated in one run.

    python benchmarks/decoder_training.py

builds the networks of the table in docs/models.md (MobileNetV2, frozen, 128 decoder filters, 224x288, batches of 4;
random weights and images, which take as long) and takes training steps with them in turn. Prints JSON with the
median step and the seconds of an epoch of NYU's 715 training images, 179 steps, and writes it to
benchmarks/results/decoder_training.json. Takes five minutes on two cores.
"""

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

from densedepth_keras.losses import DepthLoss
from densedepth_keras.models import build_model

IMAGE_SIZE, BATCH, STEPS_PER_EPOCH, ROUNDS = (224, 288), 4, 179, 15
VARIANTS = {
    "bilinear": {},
    "transpose": {"upsampling": "transpose"},
    "bilinear, BatchNorm": {"batch_norm": True},
    "separable": {"decoder": "separable"},
    "deep supervision 3": {"deep_supervision": 3},
}


def compiled(variant):
    model = build_model(
        "mobilenet_v2", weights=None, freeze_encoder=True, decoder_filters=128, image_size=IMAGE_SIZE, **variant
    )
    model.compile(keras.optimizers.Adam(1e-4, amsgrad=True), loss=DepthLoss())
    return model


def main():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (BATCH, *IMAGE_SIZE, 3), dtype=np.uint8)
    depth = rng.uniform(0.5, 9.5, (BATCH, *(side // 2 for side in IMAGE_SIZE), 1)).astype("float32")
    models = {name: compiled(variant) for name, variant in VARIANTS.items()}
    times = {name: [] for name in models}
    for number in range(ROUNDS + 2):
        for name, model in models.items():
            started = time.perf_counter()
            model.train_on_batch(images, depth)
            if number >= 2:
                times[name].append(time.perf_counter() - started)
    medians = {name: statistics.median(values) for name, values in times.items()}
    result = {
        "seconds_per_step": {name: round(median, 4) for name, median in medians.items()},
        "seconds_per_epoch": {name: round(STEPS_PER_EPOCH * median, 1) for name, median in medians.items()},
        "parameters": {name: model.count_params() for name, model in models.items()},
        "times the bilinear step": {name: round(m / medians["bilinear"], 2) for name, m in medians.items()},
    }
    record("decoder_training", "python benchmarks/decoder_training.py", result)


if __name__ == "__main__":
    main()
