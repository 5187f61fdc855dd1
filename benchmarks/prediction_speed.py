"""How fast do pictures become metres? `DepthPredictor` against a plain loop over `model.predict(one image)`.

    python benchmarks/prediction_speed.py RUN --data-dir nyu_depth_v2 --limit 200

RUN is a run folder or a `.keras` file; the pictures are the first of the test split of an own-data folder in
millimetres (640x480 JPEG of NYU Depth v2), or of all below a folder without `test.csv`. With `--image-size` the run's
network is built again at another size, with its weights. Every round takes, in another order,

- predictor: pictures read ahead in threads as `densedepth predict` does, `DepthPredictor.iterate`, metres at the
  picture's size;
- predict: read with Pillow, resize, `model.predict(one image, verbose=0)`, enlarge to the picture's size;
- predict_on_batch: the same with `model.predict_on_batch(one image)`, which is what costs nothing but the network;
- command: `predict_files`, from files to 16-bit PNG files.

Ratios are taken within a round, so that whatever else the machine does meets all alike. Then the largest difference, in
metres, between an image's answer alone and in batches of several sizes; and the resident memory over --memory-images
pictures. Prints JSON with medians, least and largest, and writes it to benchmarks/results/prediction_speed.json.
"""

import argparse
import itertools
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from PIL import Image

BATCH_SIZES = (2, 3, 8, 16)


def plain_loop(network, size, depth_range, paths):
    """What one writes first; `network` takes a batch of one."""
    for path in paths:
        picture = Image.open(path).convert("RGB")
        image = np.asarray(picture.resize(size[::-1], Image.Resampling.BILINEAR))
        depth = Image.fromarray(network(image[None])[0, ..., 0])
        np.clip(np.asarray(depth.resize(picture.size, Image.Resampling.BILINEAR)), *depth_range)


def stream(predictor, paths):
    """Depths of the pictures, read ahead as the command does."""
    from densedepth_keras.predicting.plan import Job
    from densedepth_keras.predicting.reading import read_ahead

    def fail(path, error):
        raise error

    jobs = [Job(Path(path), {}) for path in paths]
    images = (image for _, image in read_ahead(jobs, fail, most=2 * predictor.batch_size))
    return predictor.iterate(images)


def exhaust(iterator):
    for _ in iterator:
        pass


def command(predictor, paths):
    from densedepth_keras.config.predict import PredictConfig
    from densedepth_keras.predicting import predict_files

    folder = tempfile.mkdtemp()
    try:
        config = PredictConfig(inputs=paths, output=folder, formats=("png16",), batch_size=predictor.batch_size)
        predict_files(config, predictor=predictor)
    finally:
        shutil.rmtree(folder)


def measure(work, count):
    """Images per second, and milliseconds of this process's cores per image."""
    started, busy = time.perf_counter(), time.process_time()
    work()
    return count / (time.perf_counter() - started), 1000 * (time.process_time() - busy) / count


def rounds(contenders, count, number):
    """Name -> figures of each round but the first, which warms up."""
    measured = {name: [] for name in contenders}
    parts = list(contenders.items())
    for turn in range(number + 1):
        for name, work in parts[turn % len(parts) :] + parts[: turn % len(parts)]:
            figures = measure(work, count)
            if turn:
                measured[name].append(figures)
            time.sleep(0.2)  # lets the threads of the last one come to rest
    return measured


def largest_differences(model, paths):
    """Metres between an image's answer alone and in a batch, and whether the same batch answers the same again."""
    from densedepth_keras.predictor import DepthPredictor

    alone = list(stream(DepthPredictor(model, batch_size=1), paths))
    found = {}
    for batch_size in BATCH_SIZES:
        predictor = DepthPredictor(model, batch_size=batch_size)
        first, again = (list(stream(predictor, paths)) for _ in range(2))
        found[batch_size] = {
            "to_a_batch_of_one": max(float(np.abs(a - b).max()) for a, b in zip(first, alone, strict=True)),
            "to_itself_again": max(float(np.abs(a - b).max()) for a, b in zip(first, again, strict=True)),
        }
    return found


def megabytes_over(predictor, paths, count):
    """Resident memory after every tenth of `count` pictures."""
    endless, megabytes = itertools.islice(itertools.cycle(paths), count), []
    for number, _ in enumerate(stream(predictor, endless), 1):
        if number % max(1, count // 10) == 0:
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            megabytes.append(round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1))
    return megabytes


def summary(values, digits=2):
    median, least, most = statistics.median(values), min(values), max(values)
    return {"median": round(median, digits), "min": round(least, digits), "max": round(most, digits)}


def picture_paths(data_dir, limit):
    from densedepth_keras.data import load_dataset
    from densedepth_keras.predicting.inputs import find_images

    if os.path.exists(os.path.join(data_dir, "test.csv")):
        rows = load_dataset("folder", "test", data_dir=data_dir, depth_unit="mm").rows
        return [str(row.image) for row in rows[:limit]]
    return [str(each.path) for each in find_images([data_dir])[:limit]]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="run folder or .keras file")
    parser.add_argument("--data-dir", required=True, help="own-data folder with test.csv, or a folder of pictures")
    parser.add_argument("--limit", type=int, default=200, help="pictures per round")
    parser.add_argument("--rounds", type=int, default=5, help="after one to warm up")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--memory-images", type=int, default=1000)
    parser.add_argument("--image-size", type=int, nargs=2, metavar=("HEIGHT", "WIDTH"), help="default: the run's own")
    arguments = parser.parse_args()

    from networks import network_of

    from densedepth_keras.predictor import DepthPredictor

    paths = picture_paths(arguments.data_dir, arguments.limit)
    network = network_of(arguments.run, arguments.image_size)
    predictor = DepthPredictor(network, batch_size=arguments.batch_size)
    model, size = predictor.model, predictor.network_size
    ends = predictor.min_depth, predictor.max_depth
    measured = rounds(
        {
            "predictor": lambda: exhaust(stream(predictor, paths)),
            "predict": lambda: plain_loop(lambda x: model.predict(x, verbose=0), size, ends, paths),
            "predict_on_batch": lambda: plain_loop(model.predict_on_batch, size, ends, paths),
            "command": lambda: command(predictor, paths),
        },
        len(paths),
        arguments.rounds,
    )
    report(arguments, predictor, measured, paths)


def report(arguments, predictor, measured, paths):
    from record import record

    rates = {name: [rate for rate, _ in figures] for name, figures in measured.items()}
    ratios = {
        name: summary([a / b for a, b in zip(rates[name], rates["predict"], strict=True)])
        for name in rates
        if name != "predict"
    }
    result = {
        "network_image_size": predictor.network_size,
        "parameters": predictor.model.count_params(),
        "images": len(paths),
        "batch_size": predictor.batch_size,
        "images_per_second": {name: summary(values) for name, values in rates.items()},
        "cpu_milliseconds_per_image": {name: summary([ms for _, ms in f], 1) for name, f in measured.items()},
        "times_the_images_per_second_of_predict": ratios,
        "largest_difference_in_metres": largest_differences(predictor.model, paths[:32]),
        "resident_megabytes_over_images": {
            "images": arguments.memory_images,
            "after_every_tenth": megabytes_over(predictor, paths, arguments.memory_images),
        },
    }
    names = ("limit", "rounds", "batch_size", "memory_images", "image_size")
    given = {name: value for name in names if (value := getattr(arguments, name)) is not None}
    words = [f"--{name.replace('_', '-')} {' '.join(map(str, np.atleast_1d(value)))}" for name, value in given.items()]
    command = f"python benchmarks/prediction_speed.py RUN --data-dir DIR {' '.join(words)}"
    record("prediction_speed", command, result)


if __name__ == "__main__":
    main()
