"""Damaged files of every format are refused or read, never crashed on; the whole run is benchmarks/fuzz_readers.py."""

import json
import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def test_damaged_files_are_refused_or_read():
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "fuzz_readers.py", "--count", "180", "--seed", "11"],
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    outcomes = json.loads(done.stdout)["outcomes"]
    assert sum(outcomes.values()) == 180
    assert outcomes["refused"] > 90  # most damage of files this small is seen


def test_a_reader_that_lets_damage_pass_is_found(tmp_path):
    """The harness itself: a format said to have checksums that has none."""
    script = (
        "import sys; sys.path[:0] = [sys.argv[1], sys.argv[2]]\n"
        "import fuzz_readers, fuzz_formats, pathlib, collections\n"
        "pfm = next(form for form in fuzz_formats.FORMATS if 'pfm' in form.name)\n"
        "fuzz_readers.FORMATS = (pfm._replace(checksummed=('.pfm',)),)\n"
        "found = [fuzz_readers.outcome(case, 0, pathlib.Path(sys.argv[3]) / 'data')[1] for case in range(60)]\n"
        "print(found.count(fuzz_readers.SILENT))"
    )
    arguments = [str(BENCHMARKS), str(BENCHMARKS.parent), str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True, timeout=120
    )
    assert int(done.stdout) > 5
