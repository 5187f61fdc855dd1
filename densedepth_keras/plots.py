"""Figures from arrays. Depth is always shown in metres, one fixed colour range per figure, with a scale bar."""

import os
import warnings

import numpy as np
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from densedepth_keras.atomic import written_beside

COLORMAP = "plasma_r"
"""Near is bright, far is dark; holes are grey."""

_HOLE = (0.6, 0.6, 0.6)

_TALLEST = 120
"""Inches; beyond it a sheet of many rows gets smaller pictures instead of a file nobody can open."""


def plot_samples(
    path: str | os.PathLike, images, depths, predictions, *, max_depth: float, titles=None, min_depth: float = 0.0
) -> None:
    """One row per sample: image, ground truth, prediction, in one colour range with a scale bar in metres.

    Args:
        path: PNG to write.
        images: list of uint8 `(H, W, 3)`.
        depths: list of `(h, w)`, metres, 0 = hole.
        predictions: list of `(h, w)`, metres.
        max_depth: far end of the colour range, metres.
        titles: a line for each row, e.g. its RMSE.
        min_depth: near end of the colour range, metres.
    """
    rows = len(images)
    aspect = images[0].shape[0] / images[0].shape[1]
    figure = _figure(9.6, 0.4 + rows * (2.85 * aspect + (0.24 if titles else 0.06)))
    axes = figure.subplots(rows, 3, squeeze=False)
    for row in range(rows):
        axes[row, 0].imshow(images[row])
        for column, depth in ((1, depths[row]), (2, predictions[row])):
            drawn = _draw_depth(axes[row, column], depth, min_depth, max_depth)
        if titles:
            axes[row, 2].set_title(titles[row], fontsize=8, pad=2)
    for axis in axes.flat:
        axis.set_axis_off()
    for axis, title in zip(axes[0], ("image", "ground truth", "prediction"), strict=True):
        extra = f"\n{axis.get_title()}" if axis.get_title() else ""
        axis.set_title(title + extra, fontsize=9, pad=3)
    figure.colorbar(drawn, ax=axes, label="depth (m)", fraction=0.03, pad=0.02)
    _save(figure, path)


def plot_loss_curves(
    path: str | os.PathLike, history: dict[str, list[float]], *, baseline_rmse: float | None = None
) -> None:
    """Loss on the left, RMSE in metres on the right, training and validation over epochs.

    Args:
        path: PNG to write.
        history: `loss`, `val_loss`, `rmse`, `val_rmse`, one value per epoch each.
        baseline_rmse: metres; drawn as the line a model has to get below.
    """
    figure = _figure(9.0, 3.6)
    loss, rmse = figure.subplots(1, 2)
    epochs = range(1, len(history["loss"]) + 1)
    for axis, key, label in ((loss, "loss", "loss"), (rmse, "rmse", "RMSE (m), pooled, network resolution")):
        axis.plot(epochs, history[key], "o-", markersize=3, label="training")
        axis.plot(epochs, history[f"val_{key}"], "o-", markersize=3, label="validation")
        axis.set(xlabel="epoch", ylabel=label)
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.grid(alpha=0.3)
    if baseline_rmse is not None:
        rmse.axhline(baseline_rmse, color="grey", linestyle="--", label="mean training depth, validation")
    for axis in (loss, rmse):
        axis.set_ylim(bottom=0)
        axis.legend(fontsize=8)
    _save(figure, path)


def plot_sheet(
    path: str | os.PathLike, rows, *, max_depth: float, min_depth: float = 0.0, columns=("image", "depth")
) -> None:
    """A picture sheet: one row per sample, pictures and depth maps side by side in one metric colour range.

    Args:
        path: PNG to write.
        rows: list of `(name, panels)`; a panel is uint8 `(H, W, 3)`, a picture, or `(h, w)`, depth in metres, 0 = hole.
        max_depth: far end of the colour range, metres.
        min_depth: near end, metres.
        columns: what stands above the panels of the first row.
    """
    first = rows[0][1][0]
    width = 9.6 / len(columns) if len(columns) > 2 else 3.6
    height = width * first.shape[0] / first.shape[1] + 0.28
    figure = _figure(width * len(columns) + 0.9, min(0.4 + height * len(rows), _TALLEST))
    grid = figure.subplots(len(rows), len(columns), squeeze=False)
    for axes, (name, panels) in zip(grid, rows, strict=True):
        for axis, panel in zip(axes, panels, strict=True):
            axis.set_axis_off()
            _draw_panel(axis, panel, min_depth, max_depth)
        axes[0].set_title(_shortened(name), fontsize=7, pad=2, loc="left", parse_math=False)
    for axis, title in zip(grid[0], columns, strict=True):
        axis.set_title(f"{title}\n", fontsize=9, pad=2)  # one line above the name of the first row
    colours = ScalarMappable(Normalize(min_depth, max_depth), colormaps[COLORMAP])
    farthest = max(float(np.max(panel)) for _, panels in rows for panel in panels if panel.ndim == 2)
    figure.colorbar(
        colours,
        ax=grid,
        label="depth (m); grey: not measured",
        extend="max" if farthest > max_depth else "neither",
        fraction=0.03,
        pad=0.02,
    )
    _save(figure, path)


def plot_depth_shares(path: str | os.PathLike, charts: dict, *, min_depth: float, max_depth: float) -> None:
    """Histograms of depth side by side, the range of training marked.

    Args:
        path: PNG to write.
        charts: name -> list of `(low, high, share)`, metres and share of the measured pixels; the last may end at
            infinity.
        min_depth: metres.
        max_depth: metres.
    """
    figure = _figure(max(4.5, 3.6 * len(charts)), 3.2)
    for axis, (name, bars) in zip(figure.subplots(1, len(charts), squeeze=False)[0], charts.items(), strict=True):
        width = bars[0][1] - bars[0][0]
        axis.bar([low for low, _, _ in bars], [100 * share for *_, share in bars], width, align="edge", alpha=0.8)
        for limit in (min_depth, max_depth):
            axis.axvline(limit, color="grey", linestyle="--")
        axis.set_xlim(0, min(max(bars[-1][0] + width, max_depth), 20 * bars[-1][0] + width))
        axis.set(xlabel="depth (m); dashed: range of training", ylabel="% of the measured pixels", title=name)
        axis.grid(alpha=0.3)
    _save(figure, path)


def _draw_panel(axis, panel, min_depth, max_depth):
    if panel.ndim == 3:
        return axis.imshow(panel)
    return _draw_depth(axis, panel, min_depth, max_depth)


def _shortened(name, most=60):
    """Cut in its middle, where long paths are least telling."""
    return name if len(name) <= most else f"{name[: most // 2]}...{name[-most // 2 + 3 :]}"


def _draw_depth(axis, depth, min_depth, max_depth):
    shown = np.ma.masked_less_equal(np.asarray(depth), 0)
    colormap = colormaps[COLORMAP].with_extremes(bad=_HOLE)
    return axis.imshow(shown, cmap=colormap, vmin=min_depth, vmax=max_depth, interpolation="nearest")


def _figure(width, height):
    figure = Figure(figsize=(width, height), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)  # no display and no global state of pyplot
    return figure


def _save(figure, path):
    with written_beside(path) as side, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # names of files come in every script
        figure.savefig(side, format="png")
