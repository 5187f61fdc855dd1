"""`densedepth data check|show|fill|list`: data looked at and put into words and pictures."""

import dataclasses
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from densedepth_keras.atomic import check_writable, written_beside
from densedepth_keras.config import CheckConfig, FillConfig, ShowConfig, write_json
from densedepth_keras.data import Sample, Source, load_dataset
from densedepth_keras.data.augment import Augmentation, parse_augmentation
from densedepth_keras.data.checking import Verdict, check_data
from densedepth_keras.data.descriptions import describe_datasets
from densedepth_keras.data.filled_folder import FillReport, fill_folder
from densedepth_keras.data.resize import resize_depth, resize_image
from densedepth_keras.data.sample import SPLITS, evenly_spaced, row_name
from densedepth_keras.plots import plot_depth_shares, plot_sheet

REPORT_JSON, REPORT_TEXT, HISTOGRAM_FILE, SHEET_FILE = (
    "report.json",
    "report.txt",
    "depth_histogram.png",
    "samples_{split}.png",
)


def check(config: CheckConfig, announce: Callable[[str], None]) -> Verdict:
    """`densedepth data check`: reads every pair, announces the verdict, writes the report where asked.

    Args:
        config: which data, and what to write.
        announce: gets progress and the verdict; with `config.json`, the verdict as JSON and nothing else. What a
            data set says as it is opened, such as the licence of a download, then goes to stderr.

    Raises:
        ValueError: arguments that the data set has no use for or lacks.
        FileNotFoundError: data that is not there.
        OSError: the report's folder cannot be written to.
    """
    config = dataclasses.replace(config, **config.data_defaults())
    if config.report is not None:
        check_writable(config.report, "report")
    notice = _to_stderr if config.json else announce
    arguments = {"partition": config.partition, "announce": notice, **config.source_arguments()}
    verdict = check_data(
        lambda split: load_dataset(split=split, **arguments),
        SPLITS if config.split is None else (config.split,),
        min_depth=config.min_depth,
        max_depth=config.max_depth,
        workers=config.workers,
        samples=config.samples,
        announce=_ignore if config.json else announce,
    )
    if config.report is not None:
        write_report(verdict, config.report)
    announce(json.dumps(verdict.to_json(), indent=2) if config.json else f"\n{verdict.text()}")
    if config.report is not None and not config.json:
        announce(f"\nReport: {config.report}")
    return verdict


def _ignore(line):
    """Progress would spoil JSON."""


def _to_stderr(line):
    sys.stderr.write(f"{line}\n")


def write_report(verdict: Verdict, folder: str | os.PathLike) -> None:
    """Writes report.json, report.txt, depth_histogram.png and a samples_<split>.png for each split with pictures.

    Args:
        verdict: of `check_data`.
        folder: made where it is not there; each file in it is complete or not there.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, summary in verdict.splits.items():
        rows = [(example.name, tuple(example.sample)) for example in summary.examples]
        if rows:
            plot_sheet(folder / SHEET_FILE.format(split=name), rows, max_depth=verdict.max_depth)
    charts = {name: summary.histogram for name, summary in verdict.splits.items() if summary.histogram}
    if charts:
        limits = {"min_depth": verdict.min_depth, "max_depth": verdict.max_depth}
        plot_depth_shares(folder / HISTOGRAM_FILE, charts, **limits)
    with written_beside(folder / REPORT_TEXT) as side:
        side.write_text(verdict.text() + "\n", encoding="utf-8")
    write_json(folder / REPORT_JSON, verdict.to_json())


def show(config: ShowConfig, announce: Callable[[str], None] = _to_stderr) -> str:
    """`densedepth data show`: draws samples of a split; returns the path of the picture.

    Args:
        config: which samples, and where to draw them.
        announce: gets what a data set says as it is opened, such as the licence of a download.

    Raises:
        ValueError: an unknown augmentation, bad data, arguments that the data set has no use for or lacks.
        FileNotFoundError: data that is not there.
        FileExistsError: the picture would take the place of a file in the data set's folder.
        OSError: the picture cannot be written.
    """
    config = dataclasses.replace(config, **config.data_defaults())
    check_writable(Path(config.output).absolute().parent, "output")
    _check_no_file_of_the_data(config.output, config.data_dir)
    augment = parse_augmentation(config.augment) if config.augment else None
    arguments = {"partition": config.partition, "announce": announce, **config.source_arguments()}
    source = load_dataset(split=config.split, fill_holes=config.fill_holes, **arguments)
    show_samples(
        source,
        config.output,
        count=config.count,
        augment=augment,
        image_size=config.image_size,
        seed=config.seed,
        max_depth=config.max_depth,
    )
    return config.output


def _check_no_file_of_the_data(output, data_dir):
    inside = data_dir is not None and Path(output).resolve().is_relative_to(Path(data_dir).resolve())
    if inside and os.path.lexists(output):
        raise FileExistsError(
            f"A file in the data set's folder is not overwritten; name another. Received: output={output!r}, "
            f"data_dir={data_dir!r}"
        )


def show_samples(
    source: Source,
    path: str | os.PathLike,
    *,
    count: int = 6,
    augment: Augmentation | None = None,
    image_size: tuple[int, int] | None = None,
    seed: int = 0,
    max_depth: float,
) -> None:
    """A picture sheet, Figure 2 of the paper: image and depth in one metric colour range; augmented ones beside them.

    Args:
        source: any source.
        path: PNG to write.
        count: samples, evenly spaced.
        augment: changes samples as in the first epoch of a training with that seed and image size.
        image_size: `(height, width)` of what is drawn; None leaves samples as they are.
        seed: of the augmentation.
        max_depth: far end of the colour range, metres.

    Raises:
        ValueError: an empty source, or a row that cannot be read.

    Reference:
        Krishna & Beura, Figure 2.
    """
    if not len(source):
        raise ValueError(f"The source has no samples. Received: source={source!r}")
    rows = []
    for index in evenly_spaced(len(source), count):
        sample = source[index]
        size = sample.depth.shape if image_size is None else image_size
        panels = tuple(_resized(sample, size))
        if augment is not None:
            panels += tuple(_augmented(augment, sample, size, (seed, 0, index)))
        rows.append((row_name(source, index), panels))
    columns = ("image", "depth") if augment is None else ("image", "depth", "augmented", "its depth")
    Path(path).absolute().parent.mkdir(parents=True, exist_ok=True)
    plot_sheet(path, rows, max_depth=max_depth, columns=columns)


def _resized(sample, size):
    return Sample(resize_image(sample.image, size), resize_depth(sample.depth, size))


def _augmented(augment, sample, size, seeds):
    """As `Pipeline` does it: the crop at the source's size, all else at the network's, a generator for each."""
    cut = augment.before_resize(sample, np.random.default_rng([*seeds, 1]))
    return augment.after_resize(_resized(cut, size), np.random.default_rng(seeds))


def fill(config: FillConfig, announce: Callable[[str], None]) -> FillReport:
    """`densedepth data fill`: a copy of a folder with its holes filled.

    Raises:
        ValueError: as `fill_folder` does.
        FileNotFoundError: no such folder.
        OSError: nothing can be written.
    """
    report = fill_folder(
        config.source,
        config.destination,
        depth_unit=config.depth_unit,
        depth_scale=config.depth_scale,
        workers=config.workers or os.cpu_count() or 1,
        announce=announce,
    )
    for line in report.failed:
        announce(f"not filled: {line}")
    return report


def list_datasets() -> str:
    """`densedepth data list`: what there is, how large, whose, where from, and which flags it needs."""
    return describe_datasets()
