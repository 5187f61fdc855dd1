"""Does a damaged file ever crash a reader, hang it, or pass with another depth where the format has a checksum?

    python benchmarks/fuzz_readers.py                  2,000 damaged inputs over all readers, about ten minutes
    python benchmarks/fuzz_readers.py --count 60 --seed 3

Every input is a small, whole data set of one format; one of its files is damaged (bits flipped, bytes overwritten, cut
out, put in or doubled, the end cut off), then every row is read in a process of its own with a clock and a limit of
memory. It may be refused with a ValueError or FileNotFoundError that names a file, or be read. A depth that differs
from the undamaged one is a failure where the format carries a checksum. Exit status 1 where there is any failure.
"""

import argparse
import json
import multiprocessing
import os
import resource
import shutil
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from fuzz_formats import FORMATS

SECONDS, MEMORY = 20, 6 * 2**30
"""A damaged input that takes longer is a hang; one that needs more address space fails with a MemoryError, a crash."""

REFUSED, SAME, CHANGED, SILENT, CRASH, HANG = (
    "refused",
    "read, same depth",
    "read, other depth, no checksum",
    "READ, OTHER DEPTH DESPITE A CHECKSUM",
    "CRASH",
    "HANG",
)
FAILURES = (SILENT, CRASH, HANG)


def damage(data: bytes, rng: np.random.Generator) -> bytes:
    """The same bytes with one kind of damage."""
    array, size = bytearray(data), len(data)
    kind = rng.integers(6) if size else 4
    start = int(rng.integers(max(size, 1)))
    length = int(min(rng.integers(1, 1 + max(1, size // 8)), size - start))
    if kind == 0:
        for place in rng.integers(size, size=rng.integers(1, 9)):
            array[place] ^= 1 << int(rng.integers(8))
    elif kind == 1:
        array[start : start + length] = rng.bytes(length)
    elif kind == 2:
        del array[start : start + length]
    elif kind == 3:
        del array[start:]
    elif kind == 4:
        array[start:start] = rng.bytes(int(rng.integers(1, 64)))
    else:
        array[start:start] = array[start : start + length]
    return bytes(array)


def read_all(open_source, folder):
    source = open_source(folder)
    return [source[index] for index in range(len(source))]


def outcome(case: int, seed: int, folder: Path) -> tuple[str, str, str]:
    """Format, what happened, and the details of one damaged input."""
    rng = np.random.default_rng([seed, case])
    form = FORMATS[case % len(FORMATS)]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    form.write(folder, np.random.default_rng(case % 7))
    expected = read_all(form.open, folder)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    file = files[rng.integers(len(files))]
    file.write_bytes(damage(file.read_bytes(), rng))
    where = f"case {case}, {form.name}, {file.relative_to(folder)}"
    try:
        got = read_all(form.open, folder)
    except (ValueError, FileNotFoundError) as error:
        named = any(str(name) in str(error) for name in (file.name, file.stem, folder.name))
        return (form.name, REFUSED, "") if named else (form.name, CRASH, f"{where}: no file is named: {error}")
    except BaseException:
        return form.name, CRASH, f"{where}:\n{traceback.format_exc(limit=-4)}"
    if len(got) == len(expected) and all(
        a.depth.shape == b.depth.shape and np.array_equal(a.depth, b.depth) for a, b in zip(got, expected, strict=True)
    ):
        return form.name, SAME, ""
    checksummed = file.suffix in form.checksummed
    return form.name, SILENT if checksummed else CHANGED, where if checksummed else ""


def work(pipe, seed: int, folder: str) -> None:
    """Handles one case number after another until None comes."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    warnings.simplefilter("ignore")
    while (case := pipe.recv()) is not None:
        pipe.send(outcome(case, seed, Path(folder) / "data"))


class Reader:
    """A process that reads damaged inputs, replaced when it dies or hangs."""

    def __init__(self, seed, folder):
        self.seed, self.folder, self.process = seed, folder, None

    def __call__(self, case):
        if self.process is None or not self.process.is_alive():
            self._start()
        self.pipe.send(case)
        name = FORMATS[case % len(FORMATS)].name
        try:
            if self.pipe.poll(SECONDS):
                return self.pipe.recv()
            result = name, HANG, f"case {case}, {name}: not done after {SECONDS} s"
        except EOFError:
            result = name, CRASH, f"case {case}, {name}: the process died"
        self.stop()
        return result

    def _start(self):
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=work, args=(other, self.seed, self.folder), daemon=True)
        self.process.start()
        other.close()
        self.pipe.send(0)  # imports take their time; they are no hang
        self.pipe.recv()

    def stop(self):
        self.process.kill()
        self.process.join()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    counts, details = Counter(), []
    with tempfile.TemporaryDirectory() as folder:
        reader = Reader(options.seed, folder)
        for case in range(options.count):
            name, what, detail = reader(case)
            counts[name, what] += 1
            if what in FAILURES:
                details.append(detail)
                print(detail, file=sys.stderr, flush=True)
        reader.stop()
    formats = {form.name: {w: n for (f, w), n in counts.items() if f == form.name} for form in FORMATS}
    totals = Counter()
    for (_, what), n in counts.items():
        totals[what] += n
    result = {"seed": options.seed, "inputs": options.count, "outcomes": dict(totals), "formats": formats}
    if options.count >= 2000:
        from record import record

        record("fuzz_readers", f"python benchmarks/fuzz_readers.py --count {options.count}", result)
    else:
        print(json.dumps(result, indent=1))
    return 1 if details else 0


if __name__ == "__main__":
    sys.exit(main())
