"""A copy of an own-data folder with the holes of its depth maps filled, made by several processes and resumable."""

import contextlib
import csv
import dataclasses
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from densedepth_keras.atomic import check_writable, written_beside
from densedepth_keras.data.files import check_header
from densedepth_keras.data.fill_jobs import Job, fill_pairs
from densedepth_keras.data.folder import TABLE_SUFFIXES, Folder
from densedepth_keras.data.sample import SPLITS
from densedepth_keras.sidecar import FILE_NAME

PROGRESS_SECONDS = 5.0
"""At most one line of progress in so many seconds."""

_MARKER = "filled.json"


class FillReport(NamedTuple):
    """What `fill_folder` did.

    Attributes:
        written: pairs filled by this call.
        kept: pairs that lay complete in the output folder before.
        failed: one line for each row that could not be filled, its name and why.
    """

    written: int
    kept: int
    failed: tuple[str, ...]


def fill_folder(
    source_dir: str | os.PathLike,
    output_dir: str | os.PathLike,
    *,
    depth_unit: str | float | None = None,
    depth_scale: float | None = None,
    workers: int = 1,
    announce: Callable[[str], None] = lambda line: None,
) -> FillReport:
    """Copies a folder of own data (see `Folder`) with every hole filled (see `fill_holes`).

    The copy has the same tree. Images are copied byte by byte (no links: who edits a copy must not edit the source).
    Depth becomes 16-bit PNG in millimetres, under its own name where it was a PNG, else with `.png` appended; `.npy`
    stays `.npy`, float32 millimetres. A HDF5 file of both becomes `..._image.png` and `..._depth.png`. Depth is stored
    upright, as `Folder` reads it. Each split gets a CSV list of the rows that could be filled, and `dataset.json`
    repeats the source's, its unit now millimetres. The lists are written last.

    After a break, call again: pairs that are complete, not older than the files they come from, and filled from these
    very two files, are kept. Nothing is written into `source_dir`.

    Args:
        source_dir: folder with own data.
        output_dir: folder to make, or one that an earlier call has begun.
        depth_unit: of `source_dir`; this and the next as `Folder` takes them.
        depth_scale: stored units per metre.
        workers: processes; each may need 0.6 GB for a 640x480 frame without measurements but a few.
        announce: gets lines of progress, with the time left.

    Returns:
        How many pairs were written and kept, and which rows failed: files that are not there or cannot be read, maps
        without any measurement, depths beyond 65.535 m in a PNG. A failed row stops no other and is left out of the
        lists.

    Raises:
        ValueError: folders inside one another; an output folder with other content, or begun from other data or with
            another unit; two rows that share a file of their pairs and would overwrite each other.
        FileNotFoundError: no such folder, no split in it, half of one.
        OSError: nothing can be written, or a worker process died. What is complete stays.
    """
    source_dir, output_dir = Path(source_dir), Path(output_dir)
    _check_arguments(source_dir, output_dir, workers)
    folders = _open_splits(source_dir, announce, depth_unit=depth_unit, depth_scale=depth_scale)
    rows = {split: _jobs(folder, split, source_dir, output_dir) for split, folder in folders.items()}
    jobs = _unique([job for split in rows.values() for job in split])
    described = next(iter(folders.values()))
    origin = {"source": str(source_dir.resolve()), "units_per_metre": described.units_per_metre}
    _note_pairs(output_dir, origin, _claim(output_dir, origin), _pairs(jobs, source_dir, output_dir))
    waiting = [job for job in jobs if not _is_complete(job)]
    kept = len(jobs) - len(waiting)
    announce(f"Filling {len(waiting)} pairs with {workers} process{'es' * (workers > 1)}; {kept} are there already.")
    failures = _fill_all(waiting, folders, workers, announce)
    _write_lists(output_dir, rows, failures)
    _write_json(output_dir / FILE_NAME, _description(described.sidecar))
    report = FillReport(
        len(waiting) - len(failures), kept, tuple(failures[j.targets] for j in jobs if j.targets in failures)
    )
    announce(f"{report.written} pairs written, {kept} kept, {len(report.failed)} failed: {output_dir}")
    return report


def _check_arguments(source_dir, output_dir, workers):
    if workers < 1:
        raise ValueError(f"`workers` must be at least 1. Received: workers={workers}")
    if not source_dir.is_dir():
        raise FileNotFoundError(f"`source_dir` is not a folder. Received: source_dir={str(source_dir)!r}")
    source, output = source_dir.resolve(), output_dir.resolve()
    if output.is_relative_to(source) or source.is_relative_to(output):
        raise ValueError(
            "`output_dir` must lie beside `source_dir`, neither inside nor around it: the source is left as it is. "
            f"Received: source_dir={str(source_dir)!r}, output_dir={str(output_dir)!r}"
        )


def _open_splits(source_dir, announce, **unit):
    """The splits that are there. Of other files named as a split, notes or pictures to try, a line is announced."""
    folders, others = {}, []
    for split in SPLITS:
        named = sorted(path.name for path in source_dir.iterdir() if path.name.split(".")[0] == split)
        if not named:
            continue
        try:
            folders[split] = Folder(source_dir, split, **unit)
        except FileNotFoundError:
            if any((source_dir / split / kind).exists() for kind in ("image", "depth")):
                raise  # half a split
            others += named
    if not folders:
        raise FileNotFoundError(
            f"No split to fill: expected train{', train'.join(TABLE_SUFFIXES)}, the folders train/image and "
            "train/depth, or .h5 files below train, likewise validation or test. "
            f"Received: source_dir={str(source_dir)!r}"
        )
    if others:
        announce(f"Not filled, as neither a list nor a folder of pairs: {', '.join(others)}")
    return folders


def _jobs(folder, split, source_dir, output_dir):
    jobs = []
    for index, row in enumerate(folder.rows):
        image, depth = _target_names(*(Path(os.path.relpath(path, source_dir)) for path in (row.image, row.depth)))
        try:
            f"{image}{depth}".encode()
        except UnicodeEncodeError:
            raise ValueError(
                f"{row.name}: names of files must be UTF-8 to stand in a list. Received: {str(image)!r}"
            ) from None
        jobs.append(Job(split, index, row.name, (row.image, row.depth), (output_dir / image, output_dir / depth)))
    return jobs


def _target_names(image, depth):
    """Where a pair goes, inside the folder. Suffixes are appended: exchanged, they could meet another file's name."""
    if image == depth:
        return image.with_name(f"{image.name}_image.png"), depth.with_name(f"{depth.name}_depth.png")
    kept = depth.suffix.lower() in (".png", ".npy")
    return image, depth if kept else depth.with_name(f"{depth.name}.png")


def _unique(jobs):
    """The jobs without repeated pairs; a ValueError where two of them would write one file differently."""
    pairs = {job.targets: job for job in jobs}
    owners = {}
    for job in pairs.values():
        for target in job.targets:
            other = owners.setdefault(target, job)
            if other is not job:
                raise ValueError(
                    "Two rows share an image or a depth map, but not both, and would overwrite each other. "
                    f"Received: {target.name} in {other.name} and {job.name}"
                )
    return list(pairs.values())


def _claim(output_dir, origin):
    """Makes the folder and notes what it comes from, or checks that it is an earlier call's of the same source.

    Returns:
        The pairs that earlier calls have noted; see `_note_pairs`.
    """
    marker = output_dir / _MARKER
    if marker.is_file():
        found = json.loads(marker.read_text(encoding="utf-8"))
        pairs = found.pop("pairs", {}) if isinstance(found, dict) else {}
        if found != origin:
            raise ValueError(
                f"`output_dir` was begun from other data or with another unit: {found}. Expected: {origin}. "
                f"Choose another folder. Received: output_dir={str(output_dir)!r}"
            )
        return pairs
    if output_dir.is_dir() and any(output_dir.iterdir()):
        raise ValueError(
            "`output_dir` must be new, empty, or begun by an earlier call. "
            f"Received: output_dir={str(output_dir)!r}, which holds other files"
        )
    check_writable(output_dir, "output_dir")
    output_dir.mkdir(parents=True, exist_ok=True)
    _write_json(marker, origin)
    return {}


def _pairs(jobs, source_dir, output_dir):
    """Depth map of the copy -> image and depth map of the source that it is filled from."""

    def inside(folder, path):
        return Path(os.path.relpath(path, folder)).as_posix()

    return {inside(output_dir, job.targets[1]): [inside(source_dir, path) for path in job.sources] for job in jobs}


def _note_pairs(output_dir, origin, noted, pairs):
    """Notes what each depth map is filled from, before any is.

    A depth map that lies there from other files, as after a list was mended, is removed first, to be filled again, and
    the lists with it: they are of other pairs.
    """
    outdated = [output_dir / depth for depth, sources in pairs.items() if noted.get(depth) != sources]
    outdated = [path for path in outdated if path.exists()]
    if outdated:
        for path in (*(output_dir / f"{split}.csv" for split in SPLITS), *outdated):
            path.unlink(missing_ok=True)
    if noted | pairs != noted:
        _write_json(output_dir / _MARKER, {**origin, "pairs": dict(sorted((noted | pairs).items()))})


def _is_complete(job):
    try:
        written = min(target.stat().st_mtime for target in job.targets)
        check_header(*job.targets)  # after a power failure a file of the right name and time may be empty
        return written >= max(source.stat().st_mtime for source in job.sources)
    except (OSError, ValueError):
        return False


def _fill_all(jobs, folders, workers, announce):
    """Fills every pair; returns what failed, targets -> message."""
    failures, started = {}, time.monotonic()
    announced = started
    with contextlib.closing(fill_pairs(jobs, folders, workers)) as results:
        for done, (job, failure) in enumerate(results, start=1):
            if failure:
                failures[job.targets] = failure
            now = time.monotonic()
            if now - announced >= PROGRESS_SECONDS:
                announced = now
                announce(_progress(done, len(jobs), now - started))
    return failures


def _progress(done, count, seconds):
    left = seconds * (count - done) / done
    time_left = f"{left:.0f} s" if left < 100 else f"{left / 60:.0f} min" if left < 6000 else f"{left / 3600:.1f} h"
    return f"{done} of {count} pairs, {done / max(seconds, 1e-6):.1f} a second, {time_left} left"


def _write_lists(output_dir, rows, failures):
    for split, jobs in rows.items():
        with written_beside(output_dir / f"{split}.csv") as side, open(side, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("image", "depth"))
            for job in jobs:
                if job.targets not in failures:
                    writer.writerow([target.relative_to(output_dir).as_posix() for target in job.targets])


def _description(sidecar):
    told = {key: value for key, value in dataclasses.asdict(sidecar).items() if value is not None}
    told.pop("depth_scale", None)
    return {**told, "depth_unit": "mm"}


def _write_json(path, content):
    with written_beside(path) as side:
        side.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
