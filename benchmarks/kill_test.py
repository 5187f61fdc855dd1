"""Is anything lost when a training is killed, at any moment, again and again?

    python benchmarks/kill_test.py --kills 20

trains a small U-Net on rendered rooms in a process of its own, once without disturbance. Then the same command is
killed with SIGKILL: at a time drawn from the whole life of the process, its start included, and every third kill, more
or less, as soon as a file is seen being written (`.partial-...`). After each kill the command is given again with
`--resume`; a run is killed up to four times. Every run must end with the state (weights, optimiser, metrics), the best
model and the history of the undisturbed one, bit for bit. Prints survived and lost kills as JSON, writes
benchmarks/results/kill_test.json from 20 kills on, and ends with status 1 where one was lost. Twenty kills take about
six minutes on two cores.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

ROOT = Path(__file__).resolve().parents[1]
DATA = ["--dataset", "rooms", "--limit", "24", "--image-size", "32", "48", "--augment"]
NETWORK = ["--architecture", "unet", "--base-filters", "4", "--dropout", "0.1"]
LOOP = ["--batch-size", "4", "--epochs", "8", "--learning-rate", "0.01", "--weight-ema", "0.9", "--save-every", "2"]
TRAIN = ["train", *DATA, *NETWORK, *LOOP]
KILLS_PER_RUN = 4
SECONDS = 1200
"""A process that takes longer hangs; a machine that is shared may need some minutes for one."""

CLOCKS = ("seconds", "images_per_second")
"""Columns of the history that no two runs share."""


class Kill(NamedTuple):
    """Where a kill fell."""

    run: int
    aim: str
    seconds: float
    position: str


def start(folder: Path) -> subprocess.Popen:
    """The command; with `--resume` wherever there is something of the run."""
    where = ["--output-dir", str(folder.parent), "--name", folder.name]
    resume = ["--resume"] if folder.exists() else []
    code = "import sys; from densedepth_keras.cli import main; sys.exit(main(sys.argv[1:]))"
    with open(folder.parent / f"{folder.name}.log", "ab") as log:
        return subprocess.Popen([sys.executable, "-c", code, *TRAIN, *where, *resume], cwd=ROOT, stdout=log, stderr=log)


def killed(process: subprocess.Popen, is_time) -> bool:
    """Kills a process once `is_time()`; whether it was still running."""
    deadline = time.monotonic() + SECONDS
    while process.poll() is None and not is_time():
        if time.monotonic() > deadline:
            process.kill()
            raise TimeoutError(f"A process was not done after {SECONDS} s")
        time.sleep(0.0005)
    running = process.poll() is None
    process.kill()
    process.wait()
    return running


def at_time(rng, lifetime):
    moment = time.monotonic() + rng.uniform(0, lifetime)
    return lambda: time.monotonic() >= moment


def in_a_save(rng, folder):
    """Once so many files that are being written have been seen."""
    count, seen, before = int(rng.integers(1, 9)), set(), set(folder.glob(".partial-*"))

    def is_time():
        seen.update(path for path in folder.glob(".partial-*") if path not in before)
        return len(seen) >= count

    return is_time


def position(folder: Path) -> str:
    """The last saved point, read from the file as another program would."""
    try:
        with zipfile.ZipFile(folder / "state.npz") as archive:
            facts = json.loads(archive.read("state.json"))["facts"]
        return f"epoch {facts['epoch']} step {facts['step']}"
    except FileNotFoundError:
        return "no state yet" if folder.exists() else "no run yet"


def outcome(folder: Path) -> dict:
    """Everything that must not differ, as bytes or text."""
    result = {}
    with zipfile.ZipFile(folder / "state.npz") as archive:
        result |= {name: archive.read(name) for name in archive.namelist() if name.endswith(".npy")}
    result |= {f"model.keras: {name}": value for name, value in _weights(folder / "model.keras").items()}
    with open(folder / "history.csv", newline="") as file:
        rows = [{name: value for name, value in row.items() if name not in CLOCKS} for row in csv.DictReader(file)]
    return {**result, "history": rows}


def _weights(file):
    import h5py

    found = {}

    def keep(name, item):
        if isinstance(item, h5py.Dataset):
            found[name] = np.asarray(item).tobytes()

    with zipfile.ZipFile(file) as archive, archive.open("model.weights.h5") as stream, h5py.File(stream, "r") as tree:
        tree.visititems(keep)
    return found


def differences(a: dict, b: dict) -> list[str]:
    return sorted(name for name in a.keys() | b.keys() if a.get(name) != b.get(name))


def disturbed_run(number, kills, folder, lifetime, rng) -> tuple[list[Kill], str]:
    """Kills a run up to so many times, resumes it to its end; what it suffered, and what went wrong."""
    suffered = []
    while True:
        aim = ("time", "time", "save")[int(rng.integers(3))] if len(suffered) < kills else "none"
        is_time = {"time": lambda: at_time(rng, lifetime), "save": lambda: in_a_save(rng, folder)}
        began, process = time.monotonic(), start(folder)
        if not killed(process, is_time[aim]() if aim != "none" else lambda: False):
            return suffered, "" if process.returncode == 0 else f"exit status {process.returncode}"
        suffered.append(Kill(number, aim, round(time.monotonic() - began, 2), position(folder)))
        print(suffered[-1], file=sys.stderr, flush=True)


def undisturbed_run(folder: Path) -> float:
    began, process = time.monotonic(), start(folder)
    if process.wait(SECONDS):
        raise OSError((folder.parent / f"{folder.name}.log").read_text(errors="replace")[-2000:])
    return time.monotonic() - began


def kill_runs(count, seed, folder) -> dict:
    """Runs until so many kills have fallen; what became of them."""
    rng, kills, failures, lost, number = np.random.default_rng(seed), [], [], 0, 0
    lifetime = undisturbed_run(folder / "undisturbed")
    expected = outcome(folder / "undisturbed")
    while len(kills) < count:
        number, run = number + 1, folder / f"run{number}"
        suffered, wrong = disturbed_run(number, min(KILLS_PER_RUN, count - len(kills)), run, lifetime, rng)
        wrong = wrong or ", ".join(differences(expected, outcome(run))[:5])
        kills += suffered
        if wrong:
            lost += len(suffered)
            log = (folder / f"{run.name}.log").read_text(errors="replace")
            failures.append(f"run {number}: {wrong}\n{log[-1500:]}")
            print(failures[-1], file=sys.stderr, flush=True)
    return {
        "kills": len(kills),
        "survived": len(kills) - lost,
        "lost": lost,
        "runs": number,
        "seconds_undisturbed": round(lifetime, 1),
        "last_saved_point": [f"run {kill.run}, {kill.aim}, {kill.seconds} s: {kill.position}" for kill in kills],
        "failures": failures,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = {"seed": options.seed, **kill_runs(options.kills, options.seed, Path(folder))}
    if options.kills >= 20:
        from record import record

        record("kill_test", f"python benchmarks/kill_test.py --kills {options.kills} --seed {options.seed}", result)
    else:
        print(json.dumps(result, indent=1))
    print(f"{result['survived']} of {result['kills']} kills survived, {result['lost']} lost", file=sys.stderr)
    return 1 if result["lost"] else 0


if __name__ == "__main__":
    sys.exit(main())
