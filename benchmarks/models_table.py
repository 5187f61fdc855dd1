"""What does every encoder cost? The table of docs/models.md.

    python benchmarks/models_table.py

builds every line of ENCODERS with both decoders at their default widths and prints, as the Markdown table of
docs/models.md, parameters and multiply-adds of one 480x640 image, and the seconds that image takes with the separable
decoder (random weights, batch of one, compiled, median of five). JSON goes to benchmarks/results/models_table.json.
Takes a quarter of an hour on two cores.
"""

import gc
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

from densedepth_keras.models import DECODERS, ENCODERS, build_model
from densedepth_keras.models.cost import multiply_adds

IMAGE_SIZE = (480, 640)
REPEATS = 5


def seconds_per_image(model):
    image = np.random.default_rng(0).integers(0, 256, (1, *IMAGE_SIZE, 3), dtype=np.uint8)
    times = []
    for _ in range(REPEATS + 2):
        started = time.perf_counter()
        model.predict_on_batch(image)
        times.append(time.perf_counter() - started)
    return statistics.median(times[2:])


def measure(encoder):
    row = {"encoder": encoder}
    for decoder in DECODERS:
        model = build_model(encoder, weights=None, decoder=decoder, image_size=IMAGE_SIZE)
        row |= {
            f"{decoder}_parameters": model.count_params(),
            f"{decoder}_multiply_adds": multiply_adds(model, IMAGE_SIZE),
        }
        if decoder == "separable":
            pyramid = model.get_layer("encoder")
            row["channels"] = [shape[-1] for shape in pyramid.compute_output_shape((1, *IMAGE_SIZE, 3))]
            row["encoder_parameters"] = pyramid.count_params()
            row["encoder_multiply_adds"] = multiply_adds(pyramid, IMAGE_SIZE)
            row["separable_seconds"] = round(seconds_per_image(model), 3)
    keras.backend.clear_session()
    gc.collect()
    return row


def as_markdown(row):
    millions = [f"{row[f'{part}_parameters'] / 1e6:.1f}" for part in ("encoder", "densedepth", "separable")]
    billions = [f"{row[f'{part}_multiply_adds'] / 1e9:.1f}" for part in ("encoder", "densedepth", "separable")]
    cells = [f"`{row['encoder']}`", " ".join(map(str, row["channels"])), *millions, *billions]
    return f"| {' | '.join(cells)} | {row['separable_seconds']:.2f} |"


def main():
    rows = []
    for encoder in ENCODERS:
        rows.append(measure(encoder))
        print(as_markdown(rows[-1]), flush=True)
    result = {
        "image_size": IMAGE_SIZE,
        "rows": rows,
    }
    record("models_table", "python benchmarks/models_table.py", result)


if __name__ == "__main__":
    main()
