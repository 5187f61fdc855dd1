"""How fast are training batches made? Images per second against the reference's loader and against decoding alone.

    python benchmarks/input_pipeline.py DIR

reads the training split of an own-data folder DIR in millimetres (made for NYU Depth v2's 640x480 frames, JPEG and
16-bit PNG) in turn by

- the pipeline: images 480x640, depth 240x320, batches of 8, mirrored and channels reordered as in the paper, no
  cache, with one thread and with two;
- the loader that DenseDepth published, written anew from its description: Pillow, float64, `skimage.transform.resize`
  with anti-aliasing, a policy in Python, batches of 8; by one thread, as the reference runs it, by two and by two
  processes (which here need not send their batches back);
- a bare loop that decodes both files with Pillow and does nothing with them, by one thread and by two; and one that
  also makes arrays of them.

Every round takes all of them in another order, and ratios are taken within a round, so that whatever else the machine
does meets all alike. Ratios of processor time say the same of one core, and hold on a machine that is busy, too, where
wall-clock time mostly says how busy. Then five epochs of the pipeline, with the resident memory after each. Needs
scikit-image. Prints JSON with medians, least and largest, and writes it to benchmarks/results/input_pipeline.json.
"""

import argparse
import functools
import multiprocessing
import os
import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from PIL import Image

BATCH_SIZE, IMAGE_SIZE, DEPTH_SIZE = 8, (480, 640), (240, 320)
EPOCHS = 5


def reference_batch(rows, seed=0):
    """One batch as the reference makes it: images 0..1, and 1000 cm / depth, float64."""
    from skimage.transform import resize

    rng = np.random.default_rng(seed)
    images, depths = np.zeros((len(rows), *IMAGE_SIZE, 3)), np.zeros((len(rows), *DEPTH_SIZE, 1))
    for i, (image, depth) in enumerate(rows):
        x = np.clip(np.asarray(Image.open(image)).astype(np.float64) / 255, 0, 1)
        y = np.clip(np.asarray(Image.open(depth)).astype(np.float64)[..., None] / 10, 10, 1000)
        settings = {"preserve_range": True, "mode": "reflect", "anti_aliasing": True}
        images[i], depths[i] = resize(x, IMAGE_SIZE, **settings), resize(1000 / y, DEPTH_SIZE, **settings)
        if rng.random() < 0.5:
            images[i], depths[i] = images[i, :, ::-1], depths[i, :, ::-1]
        if rng.random() < 0.5:
            images[i] = images[i][..., rng.permutation(3)]
    return len(images)


def decode(row):
    for path in row:
        with Image.open(path) as picture:
            picture.load()


def decode_to_arrays(row):
    for path in row:
        with Image.open(path) as picture:
            np.asarray(picture)


def run_all(work, items, threads=None):
    for _ in map(work, items) if threads is None else threads.map(work, items):
        pass


def exhaust(dataset):
    for _ in dataset:
        pass


def contenders(rows, datasets, reference_images, processes, threads):
    """Name -> (what to run, how many images it takes)."""
    few = [rows[i : i + BATCH_SIZE] for i in range(0, reference_images, BATCH_SIZE)]
    count = len(rows)
    return {
        **{f"pipeline, {n} thread": (functools.partial(exhaust, d), count) for n, d in datasets.items()},
        "reference, 1 thread": (functools.partial(run_all, reference_batch, few), reference_images),
        "reference, 2 thread": (functools.partial(run_all, reference_batch, few, threads), reference_images),
        "reference, 2 process": (functools.partial(run_all, reference_batch, few, processes), reference_images),
        "decode, 1 thread": (functools.partial(run_all, decode, rows), count),
        "decode, 2 thread": (functools.partial(run_all, decode, rows, threads), count),
        "decode to arrays, 1 thread": (functools.partial(run_all, decode_to_arrays, rows), count),
    }


RATIOS = (
    ("pipeline, 2 thread", "reference, 1 thread"),
    ("pipeline, 2 thread", "reference, 2 thread"),
    ("pipeline, 2 thread", "reference, 2 process"),
    ("pipeline, 1 thread", "decode, 1 thread"),
    ("pipeline, 2 thread", "decode, 1 thread"),
    ("pipeline, 2 thread", "decode, 2 thread"),
    ("pipeline, 1 thread", "decode to arrays, 1 thread"),
    ("pipeline, 2 thread", "decode to arrays, 1 thread"),
)


def ratios(rates):
    """Of what was measured in the same round."""
    known = [pair for pair in RATIOS if rates.keys() >= set(pair)]
    return {
        f"{one} / {other}": summary([a / b for a, b in zip(rates[one], rates[other], strict=True)], 3)
        for one, other in known
    }


def measure(work, count):
    """Images per second, and milliseconds of this process's cores per image."""
    started, busy = time.perf_counter(), time.process_time()
    work()
    return count / (time.perf_counter() - started), 1000 * (time.process_time() - busy) / count


def summary(values, digits=1):
    median, least, most = statistics.median(values), min(values), max(values)
    return {"median": round(median, digits), "min": round(least, digits), "max": round(most, digits)}


def resident_megabytes():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)


def make_pipeline(source, num_threads):
    from densedepth_keras.data.augment import PRESETS
    from densedepth_keras.data.pipeline import Pipeline

    sizes = {"image_size": IMAGE_SIZE, "depth_size": DEPTH_SIZE, "batch_size": BATCH_SIZE}
    return Pipeline(source, **sizes, shuffle=True, augment=PRESETS["paper"], cache="none", num_threads=num_threads)


def memory_of_epochs(source):
    dataset, megabytes = make_pipeline(source, 2).dataset(epochs=1), []
    for _ in range(EPOCHS):
        exhaust(dataset)
        megabytes.append(resident_megabytes())
    return megabytes


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data_dir", help="own-data folder, depth in millimetres")
    parser.add_argument("--rounds", type=int, default=7, help="after one to warm up")
    parser.add_argument("--images", type=int, default=240, help="per round")
    parser.add_argument("--reference-images", type=int, default=32, help="per round, of the reference's loader")
    arguments = parser.parse_args()

    from densedepth_keras.data import load_dataset
    from densedepth_keras.data.sample import Rows

    whole = load_dataset("folder", "train", data_dir=arguments.data_dir, depth_unit="mm")
    source = Rows(whole, range(min(arguments.images, len(whole))))
    rows = [(row.image, row.depth) for row in whole.rows[: len(source)]]
    datasets = {n: make_pipeline(source, n).dataset(epochs=1) for n in (1, 2)}
    measured = {}
    spawned = ProcessPoolExecutor(2, multiprocessing.get_context("spawn"))  # a fork of TensorFlow may hang
    with spawned as processes, ThreadPoolExecutor(2) as threads:
        parts = list(contenders(rows, datasets, arguments.reference_images, processes, threads).items())
        for number in range(arguments.rounds + 1):
            for name, part in parts[number % len(parts) :] + parts[: number % len(parts)]:
                figures = measure(*part)
                if number:
                    measured.setdefault(name, []).append(figures)
                time.sleep(0.2)  # lets the threads of the last one come to rest
    report(arguments, measured, memory_of_epochs(whole), len(whole))


def report(arguments, measured, megabytes, images_per_epoch):
    from record import record

    rates = {name: [rate for rate, _ in figures] for name, figures in measured.items()}
    busy = {name: [spent for _, spent in figures] for name, figures in measured.items() if "process" not in name}
    result = {
        "batch_size": BATCH_SIZE,
        "image_size": IMAGE_SIZE,
        "depth_size": DEPTH_SIZE,
        "images_per_second": {name: summary(values) for name, values in rates.items()},
        "cpu_milliseconds_per_image": {name: summary(values, 2) for name, values in busy.items()},
        "times_the_images_per_second_of": ratios(rates),
        "times_the_images_per_core_and_second_of": ratios({k: [1 / v for v in values] for k, values in busy.items()}),
        "resident_megabytes_after_epoch": megabytes,
        "images_per_epoch": images_per_epoch,
    }
    options = f"--rounds {arguments.rounds} --images {arguments.images}"
    command = f"python benchmarks/input_pipeline.py DIR {options} --reference-images {arguments.reference_images}"
    record("input_pipeline", command, result)


if __name__ == "__main__":
    main()
