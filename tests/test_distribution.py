"""Two devices and two processes against one device: the same run; and what happens when a process dies.

Everything that computes runs in processes of its own, on CPUs and 127.0.0.1: see distributed_worker.py.
"""

import contextlib
import csv
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import jax
import keras
import numpy as np
import pytest
import tensorflow as tf

from densedepth_keras import cli, training
from densedepth_keras.distribution import (
    Distribution,
    device_names,
    devices,
    make_deterministic,
    open_distribution,
    opening,
    peak_memory,
    processes,
    unused_gpu,
)
from densedepth_keras.saved_state import read_state

TESTS = Path(__file__).resolve().parent
WORKER, COMMAND = TESTS / "distributed_worker.py", TESTS / "killed_run.py"
QUICK = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
"""Most of the time goes into compiling."""

SECONDS = 290
"""A process that takes longer hangs."""

DATA = ["--dataset", "rooms", "--limit", "7", "--image-size", "32", "32"]
NETWORK = ["--architecture", "unet", "--base-filters", "2"]
LOOP = ["--batch-size", "4", "--epochs", "3", "--optimizer", "sgd", "--learning-rate", "0.01", "--weight-ema", "0.9"]
TRAIN = ["train", *DATA, *NETWORK, *LOOP]
"""Batches of 4 and 3 images."""

TOLERANCE = 1e-5
"""Weights and gradients of order 1 in float32: sums over a batch are taken in another order. Measured: up to 1e-6 with
the U-Net; with MobileNetV2 gradients to 1.5e-8, predictions to 2.4e-7."""


def start(arguments, log, backend, num_devices=1):
    """A Python process on CPUs alone; what it says goes to `log`.out and `log`.err."""
    environment = {
        **os.environ,
        "KERAS_BACKEND": backend,
        "XLA_FLAGS": f"{QUICK} --xla_force_host_platform_device_count={num_devices}",
        "JAX_PLATFORMS": "cpu",
        "CUDA_VISIBLE_DEVICES": "-1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "PYTHONPATH": str(TESTS.parent),
    }
    command = [sys.executable, *map(str, arguments)]
    with open(f"{log}.out", "wb") as out, open(f"{log}.err", "wb") as err:
        return subprocess.Popen(command, stdout=out, stderr=err, env=environment)


@contextlib.contextmanager
def ending(*started):
    """None of them is left behind."""
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.wait()


def statuses(*started):
    with ending(*started):
        return [process.wait(timeout=SECONDS) for process in started]


def text(log):
    """What a process said, without the greeting of JAX's collectives."""
    lines = Path(f"{log}.out").read_text().splitlines()
    return "\n".join(line for line in lines if not line.startswith("[Gloo]"))


def errors(log):
    return Path(f"{log}.err").read_text()


def free_address():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


WORKERS = {"tensorflow": "mirrored", "jax": "data-parallel"}


@pytest.fixture(scope="module")
def worked(tmp_path_factory):
    """Folders of five steps on one device and on two, by backend; both at the same time, on a core each."""
    folders = {backend: tmp_path_factory.mktemp(backend) for backend in WORKERS}
    started = [
        start([WORKER, folders[backend], "none", kind], folders[backend] / "log", backend, num_devices=2)
        for backend, kind in WORKERS.items()
    ]
    assert statuses(*started) == [0, 0], "".join(errors(folder / "log") for folder in folders.values())
    return folders


@pytest.fixture(scope="module")
def tensorflow_pair(worked):
    return [dict(np.load(worked["tensorflow"] / f"{kind}-0.npz")) for kind in ("none", "mirrored")]


@pytest.fixture(scope="module")
def jax_pair(worked):
    return [dict(np.load(worked["jax"] / f"{kind}-0.npz")) for kind in ("none", "data-parallel")]


@pytest.fixture(scope="module")
def mobilenet_pair(tmp_path_factory):
    """The pretrained encoders' kind of network, on TensorFlow: depthwise convolutions, fixed BatchNormalization."""
    folder = tmp_path_factory.mktemp("mobilenet")
    process = start([WORKER, folder, "none", "mirrored", "--model", "mobilenet"], folder / "log", "tensorflow")
    assert statuses(process) == [0], errors(folder / "log")
    return [dict(np.load(folder / f"{kind}-0.npz")) for kind in ("none", "mirrored")]


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory):
    """Five steps in two JAX processes, which then go on until the second one is killed."""
    folder, address = tmp_path_factory.mktemp("two"), free_address()
    common = [WORKER, folder, "data-parallel", "--go-on", "--coordinator", address, "--process-id"]
    both = [start([*common, index], folder / str(index), "jax") for index in (0, 1)]
    with ending(*both):
        files = [folder / f"data-parallel-{index}.npz" for index in (0, 1)]
        wait_for([file.with_suffix(".going-on") for file in files], both, folder)
        time.sleep(1)  # into the steps
        both[1].send_signal(signal.SIGKILL)
        killed = time.monotonic()
        status = both[0].wait(timeout=SECONDS)
        seconds = time.monotonic() - killed
    results = [dict(np.load(file)) for file in files]
    return SimpleNamespace(results=results, status=status, seconds=seconds, message=errors(folder / "0"))


def wait_for(files, started, folder):
    deadline = time.monotonic() + SECONDS
    while not all(file.exists() for file in files):
        for index, process in enumerate(started):
            assert process.poll() is None, errors(folder / str(index))
        assert time.monotonic() < deadline
        time.sleep(0.1)


def assert_same_training(got, expected):
    for name in ("weights", "gradients", "logs", "evaluated", "predicted"):
        np.testing.assert_allclose(got[name], expected[name], rtol=0, atol=TOLERANCE, err_msg=name)


@pytest.mark.parametrize("pair", ["tensorflow_pair", "jax_pair", "mobilenet_pair"])
def test_the_comparison_is_about_something(pair, request):
    single, _ = request.getfixturevalue(pair)
    sizes = np.linalg.norm(single["gradients"], axis=1)
    assert single["gradients"].shape[0] == 5
    assert sizes.min() > 1000 * TOLERANCE
    steps = np.abs(np.diff(single["gradients"], axis=0)).max(axis=1)
    assert steps.min() > 100 * TOLERANCE  # another batch, another gradient


def test_two_mirrored_devices_train_as_one(tensorflow_pair):
    single, mirrored = tensorflow_pair
    assert (single["num_devices"], mirrored["num_devices"]) == (1, 2)
    assert str(mirrored["description"]) == "cpu:0, cpu:1 on the tensorflow backend, mirrored over 2 devices"
    assert_same_training(mirrored, single)


def test_two_mirrored_devices_train_an_encoder_as_one(mobilenet_pair):
    single, mirrored = mobilenet_pair
    assert (single["num_devices"], mirrored["num_devices"]) == (1, 2)
    assert_same_training(mirrored, single)


def test_two_jax_devices_train_as_one(jax_pair):
    single, parallel = jax_pair
    assert (single["num_devices"], parallel["num_devices"]) == (1, 2)
    assert str(single["description"]) == "cpu:0 on the jax backend"
    assert_same_training(parallel, single)


def test_two_jax_processes_train_as_one(jax_pair, two_processes):
    first, second = two_processes.results
    assert (first["num_devices"], second["num_devices"]) == (2, 2)
    assert str(second["description"]).endswith("data-parallel over 2 devices, process 1 of 2")
    np.testing.assert_array_equal(first["weights"], second["weights"])
    for got in (first, second):
        assert_same_training(got, jax_pair[0])


def test_a_dead_process_stops_the_other_with_a_message(two_processes):
    assert two_processes.seconds < 60
    assert two_processes.status == 2
    assert "OSError: Another process of this run has stopped, or cannot be reached" in two_processes.message
    assert "--resume" in two_processes.message
    assert "core dumped" not in two_processes.message


def test_sigterm_still_reaches_python_beside_jax_distributed(two_processes):
    assert all(result["sigterm"] for result in two_processes.results)


def test_deterministic_tensorflow_still_reads_in_parallel(worked):
    assert np.load(worked["tensorflow"] / "deterministic.npz")["read"] == 4


MIRRORED_RUNS = """
import sys
import tensorflow as tf

halves = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], halves)

from densedepth_keras.cli import main

for kind in ("none", "mirrored"):
    status = main([*sys.argv[1:], "--distribute", kind, "--name", kind])
    if status:
        sys.exit(status)
"""


def weights(run):
    return np.concatenate([array.ravel() for array in read_state(run / "state.npz").arrays["model"]])


def column(run, name):
    with open(run / "history.csv", newline="") as file:
        return [float(row[name]) for row in csv.DictReader(file)]


def assert_same_run(got, expected):
    """`loss` is no part of it: its mean over an epoch counts the rows that fill a batch up."""
    np.testing.assert_allclose(weights(got), weights(expected), rtol=0, atol=TOLERANCE)
    for name in ("rmse", "abs_rel", "val_rmse", "val_abs_rel", "learning_rate"):
        np.testing.assert_allclose(column(got, name), column(expected, name), rtol=0, atol=TOLERANCE, err_msg=name)
    files = {path.name for path in expected.iterdir()}
    assert files >= {"config.json", "history.csv", "model.keras", "last.keras", "run.log", "samples.png"}
    assert {path.name for path in got.iterdir()} == files


@pytest.fixture(scope="module")
def single_runs(tmp_path_factory):
    """Runs called none and mirrored, on TensorFlow, and jax; on one core each backend."""
    folder = tmp_path_factory.mktemp("single")
    where = ["--output-dir", folder / "runs"]
    started = (
        start(["-c", MIRRORED_RUNS, *TRAIN, *where], folder / "tensorflow", "tensorflow"),
        start([COMMAND, "slow:0", *TRAIN, *where, "--name", "jax"], folder / "jax", "jax"),
    )
    assert statuses(*started) == [0, 0], errors(folder / "tensorflow") + errors(folder / "jax")
    return folder / "runs"


def test_a_mirrored_run_is_a_run_on_one_device(single_runs):
    assert "mirrored over 2 devices" in (single_runs / "mirrored" / "run.log").read_text()
    assert_same_run(single_runs / "mirrored", single_runs / "none")


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """`train` in two processes of which the second dies in the second epoch."""
    folder = tmp_path_factory.mktemp("killed")
    first, second, seconds = run_both(folder, "killed", ["slow:0", "step:3"])
    kept = (folder / "runs" / "both" / "state.npz").exists()
    return SimpleNamespace(folder=folder, statuses=(first, second), seconds=seconds, kept=kept)


@pytest.fixture(scope="module")
def resumed(killed):
    """Both again with `--resume`."""
    first, second, _ = run_both(killed.folder, "resumed", ["slow:0", "slow:0"], "--resume")
    return SimpleNamespace(folder=killed.folder, statuses=(first, second), run=killed.folder / "runs" / "both")


def run_both(folder, log, moments, *more):
    where = ["--output-dir", folder / "runs", "--name", "both"]
    several = ["--coordinator", free_address(), "--num-processes", "2", "--process-id"]
    both = [
        start([COMMAND, moment, *TRAIN, *where, *more, *several, index], folder / f"{log}-{index}", "jax")
        for index, moment in enumerate(moments)
    ]
    with ending(*both):
        second = both[1].wait(timeout=SECONDS)
        ended = time.monotonic()
        return both[0].wait(timeout=SECONDS), second, time.monotonic() - ended


def test_a_run_stops_when_one_of_its_processes_is_killed(killed):
    assert killed.statuses == (2, -signal.SIGKILL), errors(killed.folder / "killed-0")
    assert killed.seconds < 60
    last = errors(killed.folder / "killed-0").strip().splitlines()[-1]
    assert "error: Another process of this run has stopped, or cannot be reached any more." in last
    assert "--resume to go on from the last saved state" in last
    assert killed.kept


def test_both_processes_go_on_to_the_end(resumed):
    assert resumed.statuses == (0, 0), errors(resumed.folder / "resumed-0") + errors(resumed.folder / "resumed-1")
    assert "Going on with" in text(resumed.folder / "resumed-0")
    assert "Best epoch" in text(resumed.folder / "resumed-0")


def test_only_the_first_process_writes_and_speaks(resumed):
    assert [path.name for path in resumed.run.parent.iterdir()] == ["both"]
    assert text(resumed.folder / "killed-1") == text(resumed.folder / "resumed-1") == ""
    assert column(resumed.run, "epoch") == [0, 1, 2]


def test_a_killed_run_of_two_processes_ends_as_one_of_a_single_process(resumed, single_runs):
    assert_same_run(resumed.run, single_runs / "jax")


@pytest.fixture
def on_backend(monkeypatch):
    """Pretends to be on another backend than TensorFlow, and touches no device."""

    def pretend(name):
        monkeypatch.setattr(keras.backend, "backend", lambda: name)
        monkeypatch.setattr(opening, "keep_tensorflow_off_gpus", lambda: None)

    return pretend


PROCESSES = {"coordinator": "10.0.0.1:1234", "num_processes": 2, "process_id": 0}


@pytest.mark.parametrize(
    ("backend", "arguments", "message"),
    [
        ("tensorflow", {"distribute": "all"}, r"one of: 'auto', 'none', 'mirrored', .*distribute='all'"),
        ("jax", {"distribute": "mirrored"}, "for KERAS_BACKEND=tensorflow; on the jax backend use 'data-parallel'"),
        ("tensorflow", {"distribute": "data-parallel"}, "for KERAS_BACKEND=jax; on the tensorflow backend use 'mirro"),
        ("torch", {"distribute": "mirrored"}, "for KERAS_BACKEND=tensorflow; on the torch backend use 'none'"),
        ("tensorflow", PROCESSES, "set KERAS_BACKEND=jax.*coordinator='10.0.0.1:1234' on the tensorflow backend"),
        ("jax", {**PROCESSES, "distribute": "none"}, "'data-parallel' or 'auto'. Received: distribute='none'"),
        ("jax", {"coordinator": "10.0.0.1:1234"}, "go together: give all three.*num_processes=None, process_id=None"),
        ("jax", {"process_id": 0}, "go together: give all three. Received: coordinator=None"),
        ("jax", {**PROCESSES, "coordinator": "10.0.0.1"}, "must be host:port.*coordinator='10.0.0.1'"),
        ("jax", {**PROCESSES, "coordinator": ":1234"}, "must be host:port.*coordinator=':1234'"),
        ("jax", {**PROCESSES, "coordinator": "a:70000"}, "must be host:port.*coordinator='a:70000'"),
        ("jax", {**PROCESSES, "coordinator": "a:b"}, "must be host:port.*coordinator='a:b'"),
        ("jax", {**PROCESSES, "process_id": 2}, "0 to `num_processes` - 1.*process_id=2"),
        ("jax", {**PROCESSES, "process_id": -1}, "0 to `num_processes` - 1.*process_id=-1"),
        ("jax", {**PROCESSES, "num_processes": 0}, "0 to `num_processes` - 1.*num_processes=0"),
    ],
)
def test_contradictions_are_refused(on_backend, monkeypatch, backend, arguments, message):
    on_backend(backend)
    monkeypatch.setattr(opening, "connect", lambda *_: pytest.fail("connected"))
    with pytest.raises(ValueError, match=message):
        open_distribution(**{"batch_size": 4, **arguments})


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--accumulate-steps", "2"], "use a larger batch or --distribute none. Received: accumulate_steps=2"),
        (["--precision", "mixed_float16"], "use mixed_bfloat16 or --distribute none. Received: precision="),
    ],
)
def test_what_optimizers_cannot_do_under_mirrored(flags, message, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(training, "open_distribution", lambda *given, **named: Distribution("mirrored", 2))
    assert cli.main([*TRAIN, "--output-dir", str(tmp_path / "runs"), "--distribute", "mirrored", *flags]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("backend", "found", "coordinator", "expected"),
    [
        ("tensorflow", ["gpu:0", "gpu:1"], False, "mirrored"),
        ("tensorflow", ["gpu:0"], False, "none"),
        ("tensorflow", ["cpu:0", "cpu:1"], False, "none"),
        ("jax", ["gpu:0", "gpu:1"], False, "data-parallel"),
        ("jax", ["tpu:0", "tpu:1"], False, "data-parallel"),
        ("jax", ["cpu:0", "cpu:1"], False, "none"),
        ("jax", ["cpu:0"], True, "data-parallel"),
        ("torch", ["gpu:0", "gpu:1"], False, "none"),
    ],
)
def test_auto_uses_several_gpus_and_several_processes(on_backend, monkeypatch, backend, found, coordinator, expected):
    on_backend(backend)
    connected = []
    monkeypatch.setattr(opening, "connect", lambda *arguments: connected.append(arguments))
    monkeypatch.setattr(opening, "list_devices", lambda: found)
    monkeypatch.setattr(opening, "_mirrored", lambda: Distribution("mirrored", 2))
    monkeypatch.setattr(opening, "_data_parallel", lambda: Distribution("data-parallel", 2))
    several = PROCESSES if coordinator else {}
    assert open_distribution("auto", batch_size=4, **several).kind == expected
    assert connected == ([("10.0.0.1:1234", 2, 0)] if coordinator else [])


@pytest.mark.parametrize(("distribute", "way_out"), [("mirrored", ""), ("auto", ", or `distribute` 'none'.*")])
def test_a_batch_that_devices_cannot_divide(monkeypatch, distribute, way_out):
    monkeypatch.setattr(opening, "_mirrored", lambda: Distribution("mirrored", 4))
    monkeypatch.setattr(opening, "list_devices", lambda: ["gpu:0", "gpu:1"])
    with pytest.raises(ValueError, match=f"a multiple of 4, e.g. 8{way_out}.*Received: batch_size=6"):
        open_distribution(distribute, batch_size=6)


def test_processes_must_have_equally_many_devices(on_backend, monkeypatch):
    on_backend("jax")
    monkeypatch.setattr(jax, "devices", lambda: [SimpleNamespace(process_index=index) for index in (0, 0, 1)])
    with pytest.raises(ValueError, match=r"equally many devices. Received: devices=\{0: 2, 1: 1\}"):
        open_distribution("data-parallel", batch_size=3)


def test_one_device_is_what_there_is_without_a_word():
    distribution = open_distribution("none", batch_size=3)
    assert (distribution.kind, distribution.num_devices, distribution.shard) == ("none", 1, (0, 1))
    assert distribution.is_chief
    with distribution.together(), distribution.scope():
        assert keras.distribution.distribution() is None
    assert not Distribution("data-parallel", 2, (1, 2)).is_chief


def test_alone_keeps_keras_from_sharing_variables():
    shared = object()
    keras.distribution.set_distribution(shared)
    try:
        with Distribution("data-parallel").alone():
            assert keras.distribution.distribution() is None
        assert keras.distribution.distribution() is shared
    finally:
        keras.distribution.set_distribution(None)


def test_a_port_that_is_taken():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(OSError, match=f"port cannot be used: .*Received: coordinator='{address}'"):
            processes.connect(address, 2, 0)


def test_a_coordinator_that_does_not_answer(monkeypatch):
    monkeypatch.setattr(processes, "START_SECONDS", 0.3)
    address = free_address()
    with pytest.raises(OSError, match=f"not answered for 0.3 s: .*Received: coordinator='{address}'"):
        processes.connect(address, 2, 1)


@pytest.mark.parametrize(("host", "bound"), [("127.0.0.1", True), ("localhost", True), ("10.0.0.1", False)])
def test_a_coordinator_on_loopback_is_not_open_to_the_network(monkeypatch, host, bound):
    given = {}

    def initialize(*, coordinator_address, coordinator_bind_address, heartbeat_timeout_seconds):
        given.update(bind=coordinator_bind_address, heartbeat=heartbeat_timeout_seconds)

    monkeypatch.setattr(processes, "_check_free_port", lambda address: None)
    monkeypatch.setattr(jax.distributed, "initialize", initialize)
    monkeypatch.setattr(jax.config, "update", lambda *_: None)
    processes.connect(f"{host}:1234", 2, 0)
    assert given == {"bind": f"{host}:1234" if bound else None, "heartbeat": processes.HEARTBEAT_SECONDS}


@pytest.mark.parametrize(
    ("error", "status", "raised", "message"),
    [
        (ValueError("UNKNOWN: Gloo AllReduce failed: closed\nmore"), 2, OSError, "stopped.*AllReduce failed: closed$"),
        (RuntimeError("heartbeat timeout"), 2, OSError, "Another process of this run has stopped"),
        (ValueError("row 3 is broken"), 2, ValueError, "^row 3 is broken$"),
        (KeyboardInterrupt("SIGTERM", "stopped in epoch 1"), 143, KeyboardInterrupt, "stopped in epoch 1"),
        (KeyboardInterrupt("SIGINT"), 130, KeyboardInterrupt, "SIGINT"),
        (KeyboardInterrupt(), 130, KeyboardInterrupt, "^$"),
    ],
)
def test_a_process_that_fails_leaves_at_once(monkeypatch, error, status, raised, message):
    registered = []
    monkeypatch.setattr(processes.atexit, "register", lambda *arguments: registered.append(arguments))
    with pytest.raises(raised, match=message), Distribution("data-parallel", 2, (1, 2)).together():
        raise error
    assert registered == [(processes._leave, status)]


def test_a_process_that_ends_well_waits_for_the_others(monkeypatch):
    monkeypatch.setattr(processes.atexit, "register", lambda *_: pytest.fail("leaves"))
    with Distribution("data-parallel", 2, (0, 2)).together():
        pass
    with pytest.raises(KeyError), Distribution("none").together():  # nobody waits for it
        raise KeyError


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine without a GPU, and an environment that hides none."""
    for name in ("CUDA_VISIBLE_DEVICES", "JAX_PLATFORMS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(devices, "Path", lambda path: tmp_path / path.lstrip("/"))
    monkeypatch.setattr(devices, "list_devices", lambda: ["cpu:0"])
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    devices._has_gpu.cache_clear()
    yield tmp_path
    devices._has_gpu.cache_clear()


def with_driver(machine):
    (machine / "dev").mkdir()
    (machine / "dev" / "nvidia0").touch()


def test_no_gpu_is_no_matter(machine):
    assert unused_gpu() is None


@pytest.mark.parametrize(
    ("backend", "fix"),
    [("tensorflow", r"pip install 'tensorflow\[and-cuda\]'"), ("jax", r"jax\[cuda"), ("torch", "https://pytorch.org")],
)
def test_a_gpu_that_the_backend_does_not_see_is_loud(machine, on_backend, backend, fix):
    with_driver(machine)
    on_backend(backend)
    line = unused_gpu()
    assert f"WARNING: THIS MACHINE HAS A GPU, BUT {backend.upper()} DOES NOT SEE IT" in line
    assert re.search(f"^Install the backend with CUDA: .*{fix}", line, re.MULTILINE)


@pytest.mark.parametrize(
    ("backend", "name", "value"),
    [
        ("tensorflow", "CUDA_VISIBLE_DEVICES", ""),
        ("jax", "CUDA_VISIBLE_DEVICES", "-1"),
        ("jax", "JAX_PLATFORMS", "cpu"),
    ],
)
def test_a_hidden_gpu_is_called_hidden(machine, monkeypatch, on_backend, backend, name, value):
    with_driver(machine)
    on_backend(backend)
    monkeypatch.setenv(name, value)
    assert f"The environment hides it: {name}={value!r}" in unused_gpu()


def test_a_gpu_that_is_used_is_no_matter(machine, monkeypatch):
    with_driver(machine)
    monkeypatch.setattr(devices, "list_devices", lambda: ["gpu:0"])
    assert unused_gpu() is None


@pytest.mark.parametrize(
    ("script", "found"),
    [("echo 'GPU 0: NVIDIA H200'", True), ("echo 'No devices were found'", False), ("exit 9", False)],
)
def test_without_driver_files_the_driver_s_tool_is_asked(machine, script, found):
    (machine / "bin").mkdir()
    tool = machine / "bin" / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)
    assert (unused_gpu() is not None) == found


def test_devices_have_names(monkeypatch):
    monkeypatch.setattr(devices, "list_devices", lambda: ["cpu:0", "cpu:1"])
    assert device_names() == ["cpu:0", "cpu:1"]
    monkeypatch.setattr(devices, "list_devices", lambda: ["gpu:0", "gpu:1"])
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: ["a", "b"])
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: {"device_name": f"NVIDIA {gpu}"})
    assert device_names() == ["gpu:0 (NVIDIA a)", "gpu:1 (NVIDIA b)"]
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: ["a"])  # one, as two logical ones
    assert device_names() == ["gpu:0", "gpu:1"]


def test_jax_devices_have_names(monkeypatch, on_backend):
    on_backend("jax")
    monkeypatch.setattr(devices, "list_devices", lambda: ["gpu:0"])
    monkeypatch.setattr(jax, "devices", lambda: [SimpleNamespace(device_kind="NVIDIA H200")])
    assert device_names() == ["gpu:0 (NVIDIA H200)"]


def test_peak_memory_of_the_process():
    before = peak_memory()["host"]
    block = np.ones(before // 8 + 2**24)  # more than ever so far
    assert peak_memory()["host"] > before + 2**26
    del block
    assert peak_memory()["host"] > before + 2**26  # a peak stays


def test_peak_memory_of_devices(monkeypatch, on_backend):
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: ["a", "b"])
    peaks = {"GPU:0": {"peak": 5}, "GPU:1": {"peak": 7}}
    monkeypatch.setattr(tf.config.experimental, "get_memory_info", peaks.__getitem__)
    assert {name: peak for name, peak in peak_memory().items() if name != "host"} == {"gpu:0": 5, "gpu:1": 7}
    on_backend("jax")
    stats = [{"peak_bytes_in_use": 3}, None]  # a CPU has none
    found = [SimpleNamespace(platform="gpu", id=i, memory_stats=lambda s=s: s) for i, s in enumerate(stats)]
    monkeypatch.setattr(jax, "local_devices", lambda: found)
    assert {name: peak for name, peak in peak_memory().items() if name != "host"} == {"gpu:0": 3}


def test_jax_is_asked_to_be_deterministic_once(monkeypatch, on_backend):
    on_backend("jax")
    monkeypatch.setenv("XLA_FLAGS", "--xla_one=1")
    make_deterministic()
    make_deterministic()
    assert os.environ["XLA_FLAGS"] == "--xla_one=1 --xla_gpu_deterministic_ops=true"


def test_torch_is_asked_to_be_deterministic(monkeypatch, on_backend):
    torch = pytest.importorskip("torch")
    on_backend("torch")
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "")
    asked = []
    monkeypatch.setattr(torch, "use_deterministic_algorithms", asked.append)
    make_deterministic()
    assert asked == [True]
