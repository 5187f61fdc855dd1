"""Judging a model: metrics per image at ground-truth size, under a named protocol."""

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras
import numpy as np

from densedepth_keras.atomic import check_writable
from densedepth_keras.config import MEAN_FILE, RANGES, EvaluationConfig
from densedepth_keras.data import load_dataset
from densedepth_keras.data.checks import check_unit, without_bad_rows
from densedepth_keras.data.resize import enlarge_prediction
from densedepth_keras.data.sample import Sample, Source, evenly_spaced
from densedepth_keras.depth import MAX_DEPTH, MIN_DEPTH, OwnCrop
from densedepth_keras.names import check_name
from densedepth_keras.prediction import check_checkpoint, depth_range, iterate_depth, load_model
from densedepth_keras.protocols import PROTOCOLS, Protocol
from densedepth_keras.report import REPORT_FILE, REPORT_FILES, Report, format_report, row, summary, write_report
from densedepth_keras.run_folder import newest_run, read_mean_depth, read_run
from densedepth_keras.sidecar import read_sidecar

GALLERY = 6
"""Images shown in gallery.png, evenly spaced over the split."""


def evaluate(
    model: keras.Model,
    source: Source,
    protocol: str | Protocol = "full",
    *,
    flip_average: bool = False,
    batch_size: int = 8,
    mean_depth: np.ndarray | None = None,
    usual_range: tuple[float, float] = (MIN_DEPTH, MAX_DEPTH),
    on_image: Callable[[int], None] = lambda done: None,
) -> Report:
    """Compares a model's metres with a source's, image by image.

    Every prediction is brought to its ground truth's size (bilinear), clipped to the model's range, cropped and
    masked. A metric is computed per image in float64, then averaged; `rmse_pooled` is one RMSE over all pixels of all
    images, about 1.15 times the other on NYU. Only a batch of images is in memory at a time.

    Args:
        model: what `load_model` or `build_model` returns.
        source: of `Sample`s.
        protocol: a key of `PROTOCOLS`, or a `Protocol` of your own.
        flip_average: average with the mirrored image's prediction.
        batch_size: images per step.
        mean_depth: `(h, w)`, metres: judged the same way, as the baseline to beat.
        usual_range: metres; clips predictions and caps ground truth for a model that says no range of its own.
        on_image: called with the number of images done.

    Returns:
        A `Report`.

    Raises:
        ValueError: unknown protocol, frames of a size it is not defined on, no valid pixel in the whole source,
            depths outside the model's range (a wrong unit), predictions that are no numbers.
    """
    chosen, (near, far) = _protocol(protocol), _finite_range(model, usual_range)
    check_unit(source, near, far)
    shown = set(evenly_spaced(len(source), GALLERY))
    rows, baseline_rows, gallery = [], [], []
    for index, (sample, depth) in enumerate(_predictions(model, source, batch_size, flip_average)):
        valid, depth = chosen.valid_mask(sample.depth, far), np.clip(depth, near, far)
        if valid.any():
            rows.append(_judged(index, sample.depth, depth, valid))
            if mean_depth is not None:
                guess = np.clip(enlarge_prediction(mean_depth, sample.depth.shape), near, far)
                baseline_rows.append(row(index, sample.depth, guess, valid))
        if index in shown:
            title = f"RMSE {rows[-1]['rmse']:.2f} m" if valid.any() else "no valid pixel"
            gallery.append((sample.image, sample.depth, depth, f"image {index}, {title}"))
        on_image(index + 1)
    if not rows:
        raise ValueError(f"Not one of {len(source)} images has a pixel that counts. Received: protocol={chosen.name!r}")
    conditions = {
        "name": chosen.name,
        "crop": None if chosen.crop is None else list(chosen.crop[:4]),
        "mask": chosen.mask_text(far),
        "clip": [near, far],
        "flip_average": flip_average,
        "network_image_size": list(model.input_shape[1:3]),
        "averaging": "every metric per image, then the mean over images; rmse_pooled: one RMSE over all pixels",
        "num_pixels": int(sum(item["pixels"] for item in rows)),
        "images_without_valid_pixels": len(source) - len(rows),
        "source": chosen.source,
    }
    baseline = summary(baseline_rows) if baseline_rows else None
    return Report(conditions, len(rows), summary(rows), baseline, rows, gallery)


def _protocol(protocol):
    if isinstance(protocol, Protocol):
        return protocol
    check_name(protocol, PROTOCOLS, "protocol", "protocol")
    return PROTOCOLS[protocol]


def _judged(index, true, pred, valid):
    try:
        return row(index, true, pred, valid)
    except ValueError as error:
        raise ValueError(f"Image {index}: {error}") from error


def evaluate_checkpoint(config: EvaluationConfig, announce: Callable[[str], None] = lambda line: None) -> Report:
    """Evaluates a run folder or a `.keras` file and writes the report; what the config leaves open is the run's own.

    Args:
        config: what to evaluate, and how.
        announce: gets every line worth reading, the report last.

    Returns:
        The `Report`; evaluation.json, per_image.csv and gallery.png lie in the folder that was announced.

    Raises:
        ValueError: a checkpoint or data that cannot be used.
        FileNotFoundError: no checkpoint, or no data.
        FileExistsError: `output` was given and holds a report already, or the run's folder holds one of another
            evaluation under the same name.
    """
    checkpoint = newest_run(config.output_dir) if config.checkpoint is None else Path(config.checkpoint)
    check_checkpoint(checkpoint)
    folder, run = read_run(checkpoint)
    data = _data_of(config, run)
    protocol = _protocol(config.protocol or _default_protocol(data))
    conditions = {
        "dataset": data["name"],
        "data_dir": data["data_dir"],
        "depth_unit": data["depth_unit"],
        "depth_scale": data["depth_scale"],
        "split_dir": data["split_dir"],
        "camera": data["camera"],
        "crop": None if protocol.crop is None else list(protocol.crop[:4]),
        "split": config.split,
        "limit": config.limit,
        "checkpoint": str(checkpoint.resolve()),
    }
    source = load_dataset(**data, announce=announce)
    output = _output_folder(config, checkpoint, protocol.name, conditions)
    model = load_model(checkpoint)
    if run is not None and run.skip_bad_rows:  # which left such rows out of its own splits
        source = without_bad_rows(source, announce)
    announce(f"{checkpoint}: {len(source)} images of {data['name']}, {config.split} split")
    # In a log file every update is a line of its own.
    progress = keras.utils.Progbar(len(source), unit_name="image", interval=0.05 if os.isatty(1) else 10.0)
    report = evaluate(
        model,
        source,
        protocol,
        flip_average=config.flip_average,
        batch_size=config.batch_size,
        mean_depth=read_mean_depth(folder / MEAN_FILE) if run else None,
        usual_range=tuple(RANGES[data["name"]].values()),
        on_image=progress.update,
    )
    report = report._replace(protocol={**report.protocol, **conditions})
    announce(format_report(report))  # before writing: a full disk must not take the numbers along
    try:
        write_report(report, output)
    except OSError as error:
        raise OSError(f"The report could not be written to {output}: {error}") from error
    announce(f"Written to {output}")
    return report


def _data_of(config, run):
    """Arguments of `load_dataset`: the run's own, unless the config names a data set of its own."""
    if config.dataset is None and run is None:
        raise ValueError(
            "`dataset` must be given for a model outside a run folder: --dataset, and --data-dir where it reads files. "
            "Received: dataset=None"
        )
    own = run if run is not None and config.dataset in (None, run.dataset) else None
    data_dir = os.path.abspath(config.data_dir) if config.data_dir else own and own.data_dir
    unit, scale = config.depth_unit, config.depth_scale
    if own and unit is None and scale is None and not _says_its_unit(data_dir, own):
        unit, scale = own.depth_unit, own.depth_scale
    return {
        "name": config.dataset or run.dataset,
        "split": config.split,
        "data_dir": data_dir,
        "depth_unit": unit,
        "depth_scale": scale,
        "partition": own.split if own else "official",
        "raw_depth": own.raw_depth if own else False,
        "split_dir": os.path.abspath(config.split_dir) if config.split_dir else own and own.split_dir,
        "camera": config.camera or (own and own.camera),
        "limit": config.limit,
    }


def _says_its_unit(data_dir, own):
    """Whether a folder of other data than the run's has a unit of its own, which then counts."""
    return data_dir != own.data_dir and own.dataset == "folder" and read_sidecar(data_dir).units_per_metre is not None


def _default_protocol(data):
    name, data_dir = data["name"], data["data_dir"]
    crop = read_sidecar(data_dir).crop if name == "folder" and data_dir else None
    if crop is not None:
        return Protocol("dataset", OwnCrop(*crop), 0.0, False, "dataset.json of the data")
    return "eigen" if name.startswith("nyu") else {"kitti": "garg"}.get(name, "full")


def _output_folder(config, checkpoint, protocol, conditions):
    """Where the report goes: never over another one, except over the same evaluation's own."""
    if config.output is not None:
        output = Path(config.output)
        present = [name for name in REPORT_FILES if os.path.exists(output / name)]
        if present:
            raise FileExistsError(
                f"{output} holds {', '.join(present)} already. Choose another --output. "
                f"Received: output={config.output!r}"
            )
        check_writable(output, "output")
        return output
    parts = ["evaluation", conditions["dataset"], config.split, protocol]
    parts += ["flip"] * config.flip_average + [f"first{config.limit}"] * (config.limit is not None)
    if checkpoint.is_dir():
        output = checkpoint / "-".join(parts)
        # A report in the run's own folder is that run's, wherever both have gone since
        conditions = {key: value for key, value in conditions.items() if key != "checkpoint"}
    else:
        output = checkpoint.parent / "-".join([checkpoint.stem, *parts])
    if (output / REPORT_FILE).exists():
        _check_same_evaluation(output / REPORT_FILE, conditions)
    try:
        check_writable(output, "output")
    except OSError as error:
        raise OSError(f"The report needs a folder of its own, --output. {error}") from error
    return output


def _check_same_evaluation(file, conditions):
    try:
        before = dict(json.loads(file.read_text(encoding="utf-8"))["protocol"])
    except (ValueError, KeyError, TypeError):
        before = {}
    differing = [key for key, value in conditions.items() if before.get(key) != value]
    if differing:
        raise FileExistsError(
            f"{file} is the report of another evaluation ({', '.join(differing)} differ); name a folder with --output. "
            "Received: output=None"
        )


def _finite_range(model, usual_range):
    near, far = depth_range(model)
    return (near, far) if far < float("inf") else usual_range


def _predictions(model, source, batch_size, flip_average) -> Iterator[tuple[Sample, np.ndarray]]:
    """Samples with their predicted metres; samples are read ahead of the network, two batches at most."""
    waiting: list[Sample] = []

    def images():
        for sample in _read_ahead(source, 2 * batch_size):
            waiting.append(sample)
            yield sample.image

    for depth in iterate_depth(model, images(), batch_size=batch_size, flip_average=flip_average):
        yield waiting.pop(0), depth


def _read_ahead(source, ahead) -> Iterator[Sample]:
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        pending = []
        for index in range(len(source)):
            pending.append(threads.submit(source.__getitem__, index))
            if len(pending) >= ahead:
                yield pending.pop(0).result()
        for future in pending:
            yield future.result()
