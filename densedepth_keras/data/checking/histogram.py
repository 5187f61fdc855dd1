"""Depths counted on a logarithmic scale, so that no unit is too large or too small for the table."""

import math
from typing import NamedTuple

import numpy as np

_LEAST, _DECADES, _PER_DECADE = 1e-6, 15, 500
"""Bins 0.46 % wide from a micrometre to a thousand kilometres: metres read as micrometres still fit."""

BINS = _DECADES * _PER_DECADE


class Bar(NamedTuple):
    """Share of the depths from `low` to below `high`, metres; the last one of a chart ends at infinity."""

    low: float
    high: float
    share: float


def count_depths(depths: np.ndarray) -> np.ndarray:
    """int64 `(BINS,)`: how many of the positive depths, metres, fall into each bin; the end bins take the rest."""
    position = (np.log10(depths) - math.log10(_LEAST)) * _PER_DECADE
    return np.bincount(np.clip(position, 0, BINS - 1).astype(np.int64), minlength=BINS)


def quantile(counts: np.ndarray, share: float) -> float:
    """Metres below which `share` of the counted depths lie, to a bin's width; 0 where nothing was counted."""
    if not counts.sum():
        return 0.0
    return float(_centres()[np.searchsorted(np.cumsum(counts), share * counts.sum())])


def bars(counts: np.ndarray, most: int = 12) -> tuple[Bar, ...]:
    """At most `most` bars of one round width (1, 2 or 5 times a power of ten), and one for the rest.

    They reach from 0 to the depth that 0.5 % of the pixels exceed, so a few outliers do not stretch the chart.
    """
    far = quantile(counts, 0.995)
    if not far:
        return ()
    width = _round_up(far / most)
    number = max(1, math.ceil(far / width - 1e-9))
    places = np.minimum(_centres() // width, number).astype(int)
    shares = np.bincount(places, weights=counts, minlength=number + 1) / counts.sum()
    beyond = width * (number + 1) if quantile(counts, 1.0) < width * (number + 1) else math.inf
    edges = [*(width * place for place in range(number + 1)), beyond]
    found = [Bar(*ends, float(share)) for *ends, share in zip(edges[:-1], edges[1:], shares, strict=True)]
    return tuple(found if found[-1].share else found[:-1])


def bar_lines(chart: tuple[Bar, ...], width: int = 40) -> list[str]:
    """The chart as text, one line per bar, the longest of `width` characters."""
    longest = max((bar.share for bar in chart), default=0)
    labels = [f"{bar.low:g} .. {bar.high:g} m" if bar.high < math.inf else f"beyond {bar.low:g} m" for bar in chart]
    space = max(map(len, labels), default=0)
    return [
        f"{label:>{space}}  {'#' * round(width * bar.share / longest):<{width}} {bar.share:6.1%}"
        for label, bar in zip(labels, chart, strict=True)
    ]


def _centres():
    return _LEAST * 10 ** ((np.arange(BINS) + 0.5) / _PER_DECADE)


def _round_up(value):
    """The next of 1, 2, 5, 10, 20, ..., as a float without noise in its last digits."""
    power = math.floor(math.log10(value))
    candidates = [float(f"{digit}e{exponent}") for exponent in (power, power + 1) for digit in (1, 2, 5)]
    return next(candidate for candidate in candidates if candidate >= value * (1 - 1e-9))
