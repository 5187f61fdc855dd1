"""Where every answer goes, settled before anything is predicted."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from densedepth_keras.atomic import check_writable
from densedepth_keras.names import printable
from densedepth_keras.outputs import WRITERS
from densedepth_keras.outputs.point_clouds import CLOUD_WRITERS
from densedepth_keras.predicting.inputs import Found

DEFAULT_OUTPUT = "depth"

ENDINGS: MappingProxyType[str, str] = MappingProxyType(
    {
        **{name: f"-depth{suffix}" for name, (suffix, _) in WRITERS.items()},
        "color": "-color.png",
        "side-by-side": "-side-by-side.png",
        **{name: suffix for name, (suffix, _) in CLOUD_WRITERS.items()},
    }
)
"""Name in `--formats` -> what follows the picture's stem. Read-only."""


class Job(NamedTuple):
    """One picture and the files that are to be made of it."""

    path: Path
    outputs: Mapping[str, Path]
    """Format -> file."""


def plan(found: Sequence[Found], output: str, formats: Sequence[str], *, overwrite: bool = False) -> list[Job]:
    """The jobs, in the order of the pictures; nothing is written yet.

    `<output>/<folders>/<stem><ending>`. Pictures of one folder that differ in their suffix alone keep it in the name,
    all of them.

    Raises:
        ValueError: an output folder inside a folder that is searched, or named like a file; two pictures that would
            write one file; an output that is a picture to be read.
        FileExistsError: outputs that are there, without `overwrite`.
        OSError: a folder that cannot be written to.
    """
    _check_folder(output)
    _check_outside(found, output)
    stems = Counter(_place(each.inside.with_suffix("")) for each in found)
    jobs = []
    for each in found:
        alone = stems[_place(each.inside.with_suffix(""))] == 1
        name = each.inside.stem if alone else each.inside.name
        folder = Path(output) / each.inside.parent
        jobs.append(Job(each.path, {kind: folder / (name + ENDINGS[kind]) for kind in formats}))
    _check_one_each(jobs)
    _check_new(jobs, overwrite)
    check_writable(output, "output")
    return jobs


def _check_folder(output):
    suffix = Path(output).suffix.lower()
    if suffix in {Path("a" + ending).suffix for ending in ENDINGS.values()} and not os.path.isdir(output):
        raise ValueError(
            f"`output` is a folder, made if need be, and no {suffix} file; --formats says what goes into it. "
            f"Received: output={output!r}"
        )


def _place(path):
    return os.path.normcase(os.path.abspath(path))


def _check_outside(found, output):
    real = os.path.realpath(output)
    for folder in dict.fromkeys(each.folder for each in found):
        if folder is not None and os.path.commonpath([real, os.path.realpath(folder)]) == os.path.realpath(folder):
            raise ValueError(
                f"`output` lies in {printable(str(folder))!r}, which is searched for pictures: what is written today "
                f"would be read tomorrow. Choose a folder outside with --output. Received: output={output!r}"
            )


def _check_one_each(jobs):
    inputs = {_place(job.path) for job in jobs}
    first: dict[str, Path] = {}
    for job in jobs:
        for file in job.outputs.values():
            place = _place(file)
            if place in inputs:
                raise ValueError(f"It would be written over a picture that is to be read. Received: {_name(file)}")
            if place in first:
                raise ValueError(
                    f"{_name(first[place])} and {_name(job.path)} would both be written to {_name(file)}. "
                    "Predict them one after the other, with an --output each."
                )
            first[place] = job.path


def _check_new(jobs, overwrite):
    files = [file for job in jobs for file in job.outputs.values()]
    present = [file for file in files if os.path.lexists(file)]
    folders = [file for file in present if file.is_dir()]
    if folders:
        raise ValueError(f"It would be written over a folder. Received: {_name(folders[0])}")
    if present and not overwrite:
        raise FileExistsError(
            f"{len(present)} of {len(files)} files are there already; write over them with --overwrite, or choose "
            f"another --output. Received: {_name(present[0])}"
        )


def _name(path):
    return repr(printable(str(path)))
