"""What an evaluation found: as numbers, as text, as files."""

import csv
import os
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from densedepth_keras.config import write_json
from densedepth_keras.metrics import METRICS
from densedepth_keras.plots import plot_samples

REPORT_FILE, ROWS_FILE, GALLERY_FILE = "evaluation.json", "per_image.csv", "gallery.png"
REPORT_FILES = (GALLERY_FILE, ROWS_FILE, REPORT_FILE)
"""In the order they are put in place: the numbers last."""


class Report(NamedTuple):
    """What an evaluation found.

    Attributes:
        protocol: everything the numbers depend on.
        num_images: images with at least one valid pixel.
        metrics: mean over images of each metric, and `rmse_pooled` over all pixels.
        baseline: the same for answering the mean training depth, or None where it is not known.
        rows: per image: index, pixels, metrics.
        gallery: `(image, depth, prediction, title)` of a few images.
    """

    protocol: dict[str, Any]
    num_images: int
    metrics: dict[str, float]
    baseline: dict[str, float] | None
    rows: list[dict[str, float]]
    gallery: list[tuple]


def row(index: int, true: np.ndarray, pred: np.ndarray, valid_mask: np.ndarray) -> dict[str, float]:
    """One image's line: every metric of METRICS over its valid pixels."""
    # Masked and widened once: doing it anew in each of nine metrics takes most of an evaluation's time.
    true, pred = true[valid_mask].astype(np.float64), pred[valid_mask].astype(np.float64)
    values = {name: metric(true, pred) for name, metric in METRICS.items()}
    return {"index": index, "pixels": int(valid_mask.sum()), **values}


def summary(rows: list[dict[str, float]]) -> dict[str, float]:
    """Means over images, and `rmse_pooled`: the root of the mean square over all pixels of all images."""
    means = {name: float(np.mean([row[name] for row in rows])) for name in METRICS}
    squares = sum(row["rmse"] ** 2 * row["pixels"] for row in rows)
    pooled = float(np.sqrt(squares / sum(row["pixels"] for row in rows)))
    return {"rmse": means.pop("rmse"), "rmse_pooled": pooled, **means}


def write_report(report: Report, folder: str | os.PathLike) -> None:
    """Writes evaluation.json, per_image.csv and gallery.png: all three, or on a full disk none."""
    folder = Path(folder)
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        _put_in_place(report, folder)
    except BaseException:
        if is_new:
            folder.rmdir()
        raise


def _put_in_place(report, folder):
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=folder) as side:
        _write_files(report, Path(side))
        for name in REPORT_FILES:
            os.replace(Path(side) / name, folder / name)


def _write_files(report, folder):
    images, depths, predictions, titles = zip(*report.gallery, strict=True)
    far = report.protocol["clip"][1]
    plot_samples(folder / GALLERY_FILE, images, depths, predictions, max_depth=far, titles=titles)
    with open(folder / ROWS_FILE, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(report.rows[0]))
        writer.writeheader()
        writer.writerows(report.rows)
    values = {"protocol": report.protocol, "num_images": report.num_images, "metrics": report.metrics}
    if report.baseline is not None:
        values["baseline"] = {"name": "mean training depth", "metrics": report.baseline}
    write_json(folder / REPORT_FILE, values)


def format_report(report: Report) -> str:
    """The report as text: what was measured, how, and against what."""
    p, metrics = report.protocol, report.metrics
    crop = "none" if p["crop"] is None else "rows {}:{}, columns {}:{}".format(*p["crop"])
    left_out = p["images_without_valid_pixels"]
    lines = [
        f"protocol   {p['name']}: crop {crop}; mask {p['mask']} m; predictions clipped to "
        f"{p['clip'][0]:g}..{p['clip'][1]:g} m; mirrored average {'on' if p['flip_average'] else 'off'}",
        f"images     {report.num_images} ({p['num_pixels']:,} pixels)"
        + (f"; {left_out} without a valid pixel left out" if left_out else ""),
        f"rmse       {metrics['rmse']:.4f} m    mean of the images' RMSE (what papers print)",
        f"rmse       {metrics['rmse_pooled']:.4f} m    pooled over all pixels",
    ]
    lines += [f"{name:<10} {metrics[name]:.4f}" for name in METRICS if name != "rmse"]
    if report.baseline is not None:
        lines.append(_baseline_line(metrics, report.baseline))
    return "\n".join(lines)


def _baseline_line(metrics, baseline):
    line = (
        f"baseline   {baseline['rmse']:.4f} m    rmse of answering the mean training depth "
        f"({baseline['rmse_pooled']:.4f} pooled)"
    )
    if not baseline["rmse"]:
        return line
    gain = 1 - metrics["rmse"] / baseline["rmse"]
    return f"{line}; the model is {abs(gain):.1%} {'better' if gain > 0 else 'WORSE'}"
