"""What does spreading a run over devices cost, and how far do its numbers move?

    python benchmarks/distribution_overhead.py

- One process on one device against one that mirrors the model on two logical CPU devices (TensorFlow): seconds per step
  and peak resident memory of a whole process that trains MobileNetV2 with a narrow decoder on rendered rooms. Both in
  turn, a process each, so that whatever else the machine does meets both alike; medians, least and largest. On the same
  cores two devices can be no faster: the ratio is what the mirroring itself costs.
- Five steps of `tests/distributed_worker.py` (SGD, BatchNormalization fixed, batches of 4, 4 and 3 images) on one
  device against two mirrored ones, two of one JAX process, and two JAX processes on 127.0.0.1: the largest absolute
  difference of weights, gradients, logs, metrics of an evaluation, and predictions in metres.
- Seconds from the SIGKILL of one of those two processes to the end of the other.

Needs JAX. Prints JSON and writes it to benchmarks/results/distribution_overhead.json, unless `--no-record`. Takes about
ten minutes on two cores.
"""

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

WORKER = ROOT / "tests" / "distributed_worker.py"
QUICK = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
"""JAX is not timed here, and would spend most of its time on compiling."""

WARM_UP = 3
COMPARED = ("weights", "gradients", "logs", "evaluated", "predicted")
SECONDS = 1200
"""A process that takes longer hangs."""


def start(arguments, backend, num_devices=1):
    """A Python process on CPUs alone."""
    environment = {
        **os.environ,
        "KERAS_BACKEND": backend,
        "XLA_FLAGS": f"{QUICK} --xla_force_host_platform_device_count={num_devices}",
        "JAX_PLATFORMS": "cpu",
        "CUDA_VISIBLE_DEVICES": "-1",
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def output(process):
    """What a process printed; RuntimeError with its last words where it failed."""
    try:
        out, err = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    if process.returncode:
        raise RuntimeError(f"A process ended with status {process.returncode}: {err[-2000:]}")
    return out


def measure_steps(kind, options):
    """In a process of its own: trains, and prints seconds per step and peak memory."""
    import keras
    import tensorflow as tf

    from densedepth_keras.data.pipeline import Pipeline
    from densedepth_keras.data.rooms import Rooms
    from densedepth_keras.distribution import open_distribution, peak_memory
    from densedepth_keras.losses import DepthLoss
    from densedepth_keras.metrics.streaming import RMSE
    from densedepth_keras.models import build_model

    if kind == "mirrored":
        halves = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], halves)
    times, size = [], tuple(options.image_size)

    class Clock(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            times.append(time.perf_counter())

    keras.utils.set_random_seed(0)
    distribution = open_distribution(kind, batch_size=options.batch_size)
    source = Rooms(image_size=size, num_samples=options.batch_size)
    line = Pipeline(
        source,
        image_size=size,
        depth_size=size,
        batch_size=options.batch_size,
        multiple_of=distribution.num_devices,
        shard=distribution.shard,
    )
    with distribution.scope():
        sizes = {"image_size": size, "full_resolution": True}
        model = build_model("mobilenet_v2", weights=None, decoder_filters=64, freeze_batch_norm=True, **sizes)
        loss = DepthLoss()
        model.compile("adam", loss, metrics=[RMSE()], weighted_metrics=loss.term_metrics())
        steps = WARM_UP + options.steps
        model.fit(line.dataset(), steps_per_epoch=steps, shuffle=False, callbacks=[Clock()], verbose=0)
    seconds = (times[-1] - times[WARM_UP - 1]) / options.steps
    print(json.dumps({"seconds_per_step": seconds, "peak_bytes": peak_memory()["host"]}))


def overhead(options):
    """Medians of both ways, and their ratios within a round."""
    rounds = []
    settings = ["--batch-size", options.batch_size, "--steps", options.steps, "--image-size", *options.image_size]
    for number in range(options.rounds):
        order = ("none", "mirrored") if number % 2 == 0 else ("mirrored", "none")
        printed = {kind: output(start([__file__, "--measure", kind, *settings], "tensorflow")) for kind in order}
        rounds.append({kind: json.loads(text.splitlines()[-1]) for kind, text in printed.items()})
    result = {}
    for measure, unit, digits in (("seconds_per_step", 1, 4), ("peak_bytes", 2**20, 0)):
        name = "peak_mebibytes" if measure == "peak_bytes" else measure
        result[name] = {kind: spread([each[kind][measure] / unit for each in rounds], digits) for kind in rounds[0]}
        ratios = [each["mirrored"][measure] / each["none"][measure] for each in rounds]
        result[name]["ratio"] = spread(ratios, 3)
    return result


def spread(values, digits):
    return {name: round(of(values), digits) for name, of in (("median", statistics.median), ("min", min), ("max", max))}


def parity(model, folder):
    """Largest differences from one device, per way of spreading, and how long a dead process goes unnoticed."""
    import numpy as np

    for backend, kind in (("tensorflow", "mirrored"), ("jax", "data-parallel")):
        (folder / backend).mkdir()
        arguments = [WORKER, folder / backend, "none", kind, "--model", model]
        output(start(arguments, backend, num_devices=2))
    noticed = two_processes(model, folder)
    compared = {
        "two mirrored devices, TensorFlow": (folder / "tensorflow" / "mirrored-0.npz", "tensorflow"),
        "two devices of one process, JAX": (folder / "jax" / "data-parallel-0.npz", "jax"),
        "two processes, JAX": (folder / "data-parallel-1.npz", "jax"),
    }
    result = {}
    for name, (file, backend) in compared.items():
        got, expected = np.load(file), np.load(folder / backend / "none-0.npz")
        result[name] = {part: float(np.abs(got[part] - expected[part]).max()) for part in COMPARED}
    largest = {part: float(np.abs(expected[part]).max()) for part in COMPARED}
    return {"largest_difference": result, "largest_value": largest, "seconds_until_a_kill_stops_the_other": noticed}


def two_processes(model, folder):
    """Trains in two JAX processes, kills the second, and answers how long the first one then took to stop."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    common = [WORKER, folder, "data-parallel", "--model", model, "--go-on", "--coordinator", address, "--process-id"]
    both = [start([*common, index], "jax") for index in (0, 1)]
    try:
        files, deadline = [folder / f"data-parallel-{index}.going-on" for index in (0, 1)], time.monotonic() + SECONDS
        while not all(file.exists() for file in files):
            if time.monotonic() > deadline or any(process.poll() is not None for process in both):
                raise RuntimeError("The two processes have not come to train")
            time.sleep(0.1)
        time.sleep(2)  # into the steps
        both[1].send_signal(signal.SIGKILL)
        killed = time.monotonic()
        both[0].communicate(timeout=SECONDS)
        return round(time.monotonic() - killed, 1)
    finally:
        for process in both:
            process.kill()
            process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20, help="measured, behind a few to warm up")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--image-size", type=int, nargs=2, default=[96, 128], metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--models", nargs="+", default=["unet", "mobilenet"], help="of the comparison of five steps")
    parser.add_argument("--no-record", action="store_true")
    parser.add_argument("--measure", choices=("none", "mirrored"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure_steps(options.measure, options)
        return
    result = {"batch_size": options.batch_size, "image_size": options.image_size, "rounds": options.rounds}
    result |= {"overhead": overhead(options), "parity": {}}
    for model in options.models:
        with tempfile.TemporaryDirectory() as folder:
            result["parity"][model] = parity(model, Path(folder))
    if options.no_record:
        print(json.dumps(result, indent=1))
        return
    from record import record

    record("distribution_overhead", "python benchmarks/distribution_overhead.py", result)


if __name__ == "__main__":
    main()
