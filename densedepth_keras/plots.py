"""Figures from arrays. Depth is always shown in metres, one fixed colour range per figure, with a scale bar."""

import os

import numpy as np
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from densedepth_keras.atomic import written_beside

COLORMAP = "plasma_r"
"""Near is bright, far is dark; holes are grey."""

_HOLE = (0.6, 0.6, 0.6)


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


def _draw_depth(axis, depth, min_depth, max_depth):
    shown = np.ma.masked_less_equal(np.asarray(depth), 0)
    colormap = colormaps[COLORMAP].with_extremes(bad=_HOLE)
    return axis.imshow(shown, cmap=colormap, vmin=min_depth, vmax=max_depth, interpolation="nearest")


def _figure(width, height):
    figure = Figure(figsize=(width, height), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)  # no display and no global state of pyplot
    return figure


def _save(figure, path):
    with written_beside(path) as side:
        figure.savefig(side, format="png")
