"""Can a zip of 50,000 pairs be trained from as it is? Seconds to open it, memory, random reads per second.

    python benchmarks/zip_archive.py

writes an archive in the layout of DenseDepth's nyu_data.zip, 50,000 pairs of 64x48 (JPEG, 8-bit PNG) in 280 scenes, to
a temporary folder; opens its training split in fresh processes; reads samples at random with one thread and with two;
and compares 20 of them with the same files unpacked. Memory is what the process holds resident beyond what it held
with the package imported: after opening, and after 2,000 random reads. Prints JSON and writes it to
benchmarks/results/zip_archive.json. Takes three minutes on two cores, most of them to write the archive.
"""

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from PIL import Image

from densedepth_keras.data.archive import Archive
from densedepth_keras.data.nyu_csv import NYUCsv
from densedepth_keras.data.nyu_pictures import UNITS_PER_METRE

SIZE = (48, 64)
SCENES = 280
READS = 2000


def write_archive(path, pairs):
    """Pairs of noise, every one another."""
    rng = np.random.default_rng(0)
    rows = []
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(pairs):
            stem = f"data/nyu2_train/living_room_{number % SCENES:04d}_out/{number // SCENES}"
            rows.append(f"{stem}.jpg,{stem}.png")
            archive.writestr(f"{stem}.jpg", encoded(rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8), "JPEG"))
            archive.writestr(f"{stem}.png", encoded(rng.integers(0, 256, SIZE, dtype=np.uint8), "PNG"))
        archive.writestr("data/nyu2_train.csv", "\n".join(rows) + "\n")


def encoded(array, kind):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, kind)
    return buffer.getvalue()


def resident_mb():
    """Of this process; Linux."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def measure(path):
    """What a fresh process finds, as a dict."""
    before = resident_mb()
    started, computed = time.perf_counter(), time.process_time()
    source = NYUCsv(path, "train")
    result = {"open_seconds": time.perf_counter() - started, "open_cpu_seconds": time.process_time() - computed}
    result["open_mb"] = resident_mb() - before
    indices = np.random.default_rng(1).integers(0, len(source), READS).tolist()
    for threads in (1, 2):
        started = time.perf_counter()
        with ThreadPoolExecutor(threads) as pool:
            for _ in pool.map(source.__getitem__, indices):
                pass
        result[f"samples_per_second_{threads}_threads"] = READS / (time.perf_counter() - started)
    result["checks_per_second"] = reads_per_second(source.check_row, indices)
    return {**result, "after_reads_mb": resident_mb() - before}


def measure_fresh(path):
    command = [sys.executable, __file__, "--measure", str(path)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def measure_zipfile(path):
    """The standard library's reader as a yard-stick: its directory alone; members read, not decoded; and ours."""
    started = time.perf_counter()
    with zipfile.ZipFile(path) as archive:
        opened = time.perf_counter() - started
        names = np.random.default_rng(1).choice(archive.namelist(), READS).tolist()
        result = {"open_seconds": opened, "reads_per_second": reads_per_second(archive.read, names)}
    return {**result, "reads_per_second_here": reads_per_second(Archive(path).read, names)}


def reads_per_second(read, names):
    started = time.perf_counter()
    for name in names:
        read(name)
    return len(names) / (time.perf_counter() - started)


def equal_samples(path, folder, count=20):
    """How many of so many random samples are those of the unpacked files, read by Pillow alone and by the source."""
    source = NYUCsv(path, "train")
    rows = np.random.default_rng(2).choice(len(source), count, replace=False).tolist()
    pairs = [source.row_name(row).split("(")[1].rstrip(")").split(", ") for row in rows]
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder, ["data/nyu2_train.csv", *(name for pair in pairs for name in pair)])
    unpacked = NYUCsv(folder, "train")
    equal = 0
    for row, (image, depth) in zip(rows, pairs, strict=True):
        metres = np.asarray(Image.open(folder / depth)).astype(np.float32) / np.float32(UNITS_PER_METRE[8])
        expected = np.asarray(Image.open(folder / image)), metres
        samples = source[row], unpacked[row], expected
        equal += all(np.array_equal(a, b) for sample in samples for a, b in zip(sample, expected, strict=True))
    return equal


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=5, help="fresh processes")
    parser.add_argument("--measure", metavar="ZIP", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(arguments.measure)))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "nyu_data.zip"
        write_archive(path, arguments.pairs)
        rounds = [measure_fresh(path) for _ in range(arguments.rounds)]
        standard = [measure_zipfile(path) for _ in range(arguments.rounds)]
        equal = equal_samples(path, Path(folder) / "unpacked")
        result = {"pairs": arguments.pairs, "archive_mb": round(path.stat().st_size / 2**20, 1)}
    result |= {"equal_to_unpacked": f"{equal} of 20", "median": medians(rounds), "largest": medians(rounds, max)}
    result["zipfile, median"] = medians(standard)
    from record import record

    record("zip_archive", f"python benchmarks/zip_archive.py --pairs {arguments.pairs}", result)


def medians(rounds, of=statistics.median):
    return {key: round(of(found[key] for found in rounds), 2) for key in rounds[0]}


if __name__ == "__main__":
    main()
