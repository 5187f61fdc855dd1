"""Do exported networks give Keras' metres, and what does int8 cost? On the pictures of a data set.

    python benchmarks/export_parity.py RUN [RUN ...] --data-dir nyu_depth_v2

Each RUN, a run folder or a `.keras` file, is exported by `export_model` as SavedModel, ONNX and LiteRT in float32, and
as LiteRT with what --quantize names, into a folder that is removed afterwards. On --pictures of the test split: largest
and mean difference from Keras in millimetres (clipped to the network's range on both sides), milliseconds a picture of
both, in turn, one picture at a time at the network's size, and megabytes of the file. A file whose parity fails has its
error in place of figures. int8 is calibrated and, but for its RMSE, compared on --calibration pictures of the
*training* split.

Then the RMSE against ground truth over --limit frames of the test split, of Keras and of each quantized file: metres at
the frame's size, protocol `full`, mean over frames, and by how many percent the file's is worse.

--data-dir is an own-data folder in millimetres, with train.csv and test.csv. Prints JSON and writes it to
benchmarks/results/<--name>.json.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

FLOAT32 = (("savedmodel", "none"), ("onnx", "none"), ("litert", "none"))


def spread(items, count):
    """At most `count` of them, evenly spread."""
    count = min(count, len(items))
    return [items[index * len(items) // count] for index in range(count)]


def figures(parity, size):
    """A `Parity` for the table."""
    return {
        "runtime": parity.runtime,
        "pictures": parity.pictures,
        "max_difference_mm": round(1000 * parity.max_difference, 4),
        "mean_difference_mm": round(1000 * parity.mean_difference, 5),
        "keras_milliseconds": round(parity.keras_ms, 1),
        "runtime_milliseconds": round(parity.runtime_ms, 1),
        "megabytes": round(size / 1e6, 1),
    }


def rmse_over(answer, size, ends, source, indices):
    """Mean over frames of the RMSE in metres; `answer` takes and gives a batch of one at the network's size."""
    from densedepth_keras.data.resize import enlarge_prediction, resize_image
    from densedepth_keras.metrics.functional import rmse
    from densedepth_keras.protocols import PROTOCOLS

    found = []
    for index in indices:
        image, true = source[index]
        depth = answer(resize_image(image, size or image.shape[:2])[None])[0]
        depth = np.clip(enlarge_prediction(depth, true.shape), *ends)
        valid = PROTOCOLS["full"].valid_mask(true, ends[1])
        if valid.any():
            found.append(rmse(true, depth, valid))
    return float(np.mean(found))


def exported(run, name, quantize, pictures, folder):
    from densedepth_keras.config.deploy import ExportConfig
    from densedepth_keras.export import export_model

    config = ExportConfig(
        checkpoint=run,
        format=name,
        quantize=quantize,
        output=os.path.join(folder, f"{name}-{quantize}"),
        images=tuple(map(str, pictures)),
        limit=len(pictures),
    )
    return export_model(config, lambda line: print(line, file=sys.stderr))


def measure(run, arguments, test, train):
    """Everything about one run."""
    from densedepth_keras.export.litert import open_litert
    from densedepth_keras.export.network import load_network

    paths = [row.image for row in spread(test.rows, arguments.pictures)]
    calibration = [row.image for row in spread(train.rows, arguments.calibration)]
    indices = spread(range(len(test)), arguments.limit)
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, quantize in FLOAT32:
            found[f"{name} float32"] = attempt(run, name, quantize, paths, folder)
        network = load_network(run)
        size, ends = network.image_size, (network.min_depth, network.max_depth)
        size = None if None in size else size
        float_rmse = rmse_over(network.answer, size, ends, test, indices)
        for quantize in arguments.quantize:
            pictures = calibration if quantize == "int8" else paths
            line = attempt(run, "litert", quantize, pictures, folder)
            if "error" not in line:
                answer, _ = open_litert(Path(folder) / f"litert-{quantize}")
                rmse = rmse_over(answer, size, ends, test, indices)
                line |= {"rmse": round(rmse, 4), "rmse_worse_by_percent": round(100 * (rmse / float_rmse - 1), 2)}
            found[f"litert {quantize}"] = line
    return {
        "network": network.model.name,
        "parameters": network.model.count_params(),
        "network_image_size": network.image_size,
        "rmse_frames": len(indices),
        "keras_rmse": round(float_rmse, 4),
        "formats": found,
    }


def name_of(run):
    """The run folder's name, or the file's."""
    path = Path(run).absolute()
    return path.parent.name if path.name == "model.keras" else path.stem


def attempt(*arguments):
    """Figures of an export, or why it was refused."""
    try:
        result = exported(*arguments)
    except ValueError as error:
        return {"error": str(error)}
    return figures(result.parity, result.bytes)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="RUN", help="run folder or .keras file")
    parser.add_argument("--data-dir", required=True, help="own-data folder in millimetres with train.csv and test.csv")
    parser.add_argument("--pictures", type=int, default=30, help="to compare on, of the test split, evenly spread")
    parser.add_argument("--calibration", type=int, default=100, help="of the training split, for int8")
    parser.add_argument("--limit", type=int, default=200, help="frames of the test split for the RMSE, evenly spread")
    parser.add_argument("--quantize", nargs="*", default=["int8"], choices=["float16", "dynamic", "int8"])
    parser.add_argument("--name", default="export_parity", help="of the file in benchmarks/results")
    arguments = parser.parse_args()

    from record import record

    from densedepth_keras.data import load_dataset

    test, train = (
        load_dataset("folder", split, data_dir=arguments.data_dir, depth_unit="mm") for split in ("test", "train")
    )
    result = {name_of(run): measure(run, arguments, test, train) for run in arguments.runs}
    options = f"--pictures {arguments.pictures} --calibration {arguments.calibration} --limit {arguments.limit}"
    quantize = f" --quantize {' '.join(arguments.quantize)}"
    names = " ".join(["RUN"] * len(result))
    name = "" if arguments.name == parser.get_default("name") else f" --name {arguments.name}"
    command = f"python benchmarks/export_parity.py {names} --data-dir DIR {options}{quantize}{name}"
    record(arguments.name, command, {"runs": result})


if __name__ == "__main__":
    main()
