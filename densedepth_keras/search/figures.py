"""The two pictures of a search: RMSE over learning rate and lambda, and parallel coordinates over all that varied."""

import math
import os
from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from densedepth_keras.atomic import written_beside
from densedepth_keras.search.space import LABELS, Dimension
from densedepth_keras.search.table import best_of, shown
from densedepth_keras.search.trials import COMPLETED, Outcome

_COLORS = colormaps["viridis_r"]
_RMSE = "val_rmse (m)"
_SHARE_IN_COLOR = 0.8
"""Of the trials, the best ones: a few that went wrong would else take all of the colours."""


def plot_rates(path: str | os.PathLike, dimensions: Sequence[Dimension], outcomes: Sequence[Outcome]) -> None:
    """RMSE over learning rate and lambda: both as a map, then each alone; log scales, the best trial a star.

    Nothing is drawn where neither varies. A cross is a trial that failed.

    Args:
        path: PNG to write.
        dimensions: of the search.
        outcomes: of its trials, one completed at least.
    """
    fields = [each.field for each in dimensions if each.field in ("learning_rate", "depth_weight")]
    if not fields:
        return
    figure = _figure(4.4 * len(fields) + (4.8 if len(fields) == 2 else 0), 3.8)
    axes = list(figure.subplots(1, 3 if len(fields) == 2 else 1, squeeze=False)[0])
    colors = _colors(outcomes)
    if len(fields) == 2:
        _draw_map(axes.pop(0), fields, outcomes, colors)
    for axis, field in zip(axes, fields, strict=True):
        _draw_rmse(axis, field, outcomes, colors)
    figure.colorbar(colors, ax=figure.axes, label=_RMSE, extend="max", fraction=0.03, pad=0.02)
    _save(figure, path)


def plot_parallel(path: str | os.PathLike, dimensions: Sequence[Dimension], outcomes: Sequence[Outcome]) -> None:
    """Parallel coordinates: one line per completed trial over all dimensions to its RMSE, the best one thick.

    Args:
        path: PNG to write.
        dimensions: of the search.
        outcomes: of its trials, one completed at least.
    """
    completed = [each for each in outcomes if each.status == COMPLETED]
    colors, best = _colors(outcomes), best_of(outcomes)
    figure = _figure(2.2 * (len(dimensions) + 1) + 1.5, 4.2)
    axis = figure.subplots()
    top = colors.norm.vmax
    ends = (colors.norm.vmin, top)
    for each in sorted(completed, key=lambda each: -each.val_rmse):
        heights = [_height(dimension, each.values[dimension.field]) for dimension in dimensions]
        heights.append((min(each.val_rmse, top) - ends[0]) / ((top - ends[0]) or 1))
        width = 3.0 if each is best else 1.2
        axis.plot(heights, color=colors.to_rgba(each.val_rmse), linewidth=width, marker="o", markersize=2 * width)
    for place, dimension in enumerate(dimensions):
        _draw_scale(axis, place, LABELS[dimension.field], [(_height(dimension, v), shown(v)) for v in dimension.values])
    beyond = "≥ " if any(each.val_rmse > top for each in completed) else ""
    _draw_scale(axis, len(dimensions), _RMSE, [(0, f"{ends[0]:.3f}"), (1, f"{beyond}{top:.3f}")])
    axis.set(xlim=(-0.3, len(dimensions) + 0.4), ylim=(-0.12, 1.12))
    axis.set_axis_off()
    figure.colorbar(colors, ax=axis, label=_RMSE, extend="max", fraction=0.03, pad=0.02)
    _save(figure, path)


def _draw_map(axis, fields, outcomes, colors):
    for each in outcomes:
        place = [each.values[field] for field in fields]
        if each.status == COMPLETED:
            axis.scatter(*place, color=colors.to_rgba(each.val_rmse), s=60, edgecolor="black", linewidth=0.5)
        else:
            axis.scatter(*place, color="grey", marker="x", s=40)
    best = best_of(outcomes)
    axis.scatter(*(best.values[field] for field in fields), marker="*", s=320, facecolor="none", edgecolor="red")
    axis.set(xscale="log", yscale="log", xlabel=LABELS[fields[0]], ylabel=LABELS[fields[1]])
    axis.set_title("star: lowest; cross: failed", fontsize=8)
    axis.grid(alpha=0.3)


def _draw_rmse(axis, field, outcomes, colors):
    """Trials far above the others are triangles at the upper edge, or nothing could be seen of the others."""
    completed, best = [each for each in outcomes if each.status == COMPLETED], best_of(outcomes)
    low, high = colors.norm.vmin, colors.norm.vmax
    top = high + 0.3 * (high - low)
    for each in completed:
        style = {"color": colors.to_rgba(each.val_rmse), "s": 40, "edgecolor": "black", "linewidth": 0.5}
        marker = "^" if each.val_rmse > top > low else "o"
        axis.scatter(each.values[field], min(each.val_rmse, top) if top > low else low, marker=marker, **style)
    axis.scatter(best.values[field], best.val_rmse, marker="*", s=320, facecolor="none", edgecolor="red")
    axis.set(xscale="log", xlabel=LABELS[field], ylabel=_RMSE)
    if any(each.val_rmse > top > low for each in completed):
        axis.set_title(f"triangle: above {top:.2f} m", fontsize=8)
    axis.grid(alpha=0.3)


def _draw_scale(axis, place, label, ticks):
    axis.axvline(place, ymin=0.1, ymax=0.9, color="grey", linewidth=0.8)
    for height, text in ticks:
        axis.annotate(text, (place, height), xytext=(4, 2), textcoords="offset points", fontsize=7)
    axis.text(place, 1.09, label, ha="center", fontsize=9)


def _height(dimension, value):
    """Where on its axis a value lies, 0 to 1: ranges by their logarithm, lists evenly."""
    if not dimension.is_range:
        return dimension.values.index(value) / (len(dimension.values) - 1)
    low, high = map(math.log, dimension.values)
    return (math.log(value) - low) / (high - low)


def _colors(outcomes):
    values = [each.val_rmse for each in outcomes if each.status == COMPLETED]
    return ScalarMappable(Normalize(min(values), float(np.quantile(values, _SHARE_IN_COLOR))), _COLORS)


def _figure(width, height):
    figure = Figure(figsize=(width, height), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _save(figure, path):
    with written_beside(path) as side:
        figure.savefig(side, format="png")
