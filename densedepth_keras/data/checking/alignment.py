"""Does a depth map belong to its picture? Edges of the one lie on edges of the other, if it does.

A pair's `fit` is the correlation between the edges of picture and log depth, at 60x80 pixels. On NYU Depth v2's 1449
frames a pair's own fit is 0.38 on average and that with the next row's depth 0.12; in all but two rows of a thousand
the own one is the greater. Rows are judged in blocks of 24, so that a list that slips in its middle is found: over such
a block the mean of (neighbour's fit - own fit) is -0.19 or less in the right order, with t of -10 or less, and 0.19 or
more with t of 10 or more if the depths are moved by one row.
"""

from typing import NamedTuple

import numpy as np

THUMBNAIL_SIZE = (60, 80)
BLOCK_ROWS = 24
LEAST_ROWS = 12
"""A block with fewer pairs to compare is not judged: on 12 rows moved by one, t is still 5.7 or more."""

_LEAST_GAIN, _LEAST_T = 0.08, 4.0
"""A rival must fit better by so much on average and with such a t value; see the figures above for the margins."""

_LEAST_CELLS = 300
"""Edges of fewer cells say nothing: sparse depth, or nearly all holes."""

UNRELATED_ROWS, _UNRELATED_T = 30, 3.0
"""Over a whole split of so many rows, own fits with t below this one are like a stranger's; NYU has 16 on 30 rows."""

RIVALS = {
    "previous": "the depth of the row before",
    "next": "the depth of the row after",
    "mirrored": "their depth mirrored left to right",
    "upside_down": "their depth mirrored top to bottom",
    "turned": "their depth turned by 180 degrees",
}


class Edges(NamedTuple):
    """Edges across and down of one picture or map: float32 `(2, h, w)`, and bool `(2, h, w)` where they are known."""

    strength: np.ndarray
    known: np.ndarray


class Misfit(NamedTuple):
    """Rows that fit something else better than what they come with: a key of RIVALS, first and last row, gain, t."""

    rival: str
    first: int
    last: int
    gain: float
    t: float


def picture_edges(grey: np.ndarray) -> Edges:
    """Of a grey thumbnail, float32 of THUMBNAIL_SIZE."""
    return _edges(grey, np.ones(grey.shape, bool))


def depth_edges(depth: np.ndarray) -> Edges:
    """Of a thumbnail of depth, float32 metres of THUMBNAIL_SIZE, 0 = hole; an edge beside a hole is not known."""
    return _edges(np.log(np.where(depth > 0, depth, 1)), depth > 0)


def fits(picture: Edges, depth: Edges) -> dict[str, float]:
    """`own` and the fits of the depth mirrored and turned."""
    flips = {"own": (1, 1), "mirrored": (1, -1), "upside_down": (-1, 1), "turned": (-1, -1)}
    return {name: fit(picture, Edges(*(part[:, ::y, ::x] for part in depth))) for name, (y, x) in flips.items()}


def fit(picture: Edges, depth: Edges) -> float:
    """Correlation of edge strengths where both are known, -1..1, the mean of both directions; NaN if too few are."""
    known = picture.known & depth.known
    if np.count_nonzero(known) < 2 * _LEAST_CELLS:
        return float("nan")
    return float(np.mean([_correlation(a[m], b[m]) for a, b, m in zip(picture[0], depth[0], known, strict=True)]))


def misfits(rows: np.ndarray, own: np.ndarray, rivals: dict[str, np.ndarray]) -> list[Misfit]:
    """Runs of rows that fit a rival better than their own depth, in blocks of BLOCK_ROWS.

    Args:
        rows: int `(n,)`, row numbers in ascending order.
        own: float `(n,)`, fits of the pairs; NaN = not known.
        rivals: key of RIVALS -> float `(n,)`.
    """
    found: list[Misfit] = []
    for block in np.array_split(np.arange(len(rows)), max(1, len(rows) // BLOCK_ROWS)):
        judged = [(*_gain(fits[block] - own[block]), name) for name, fits in rivals.items()]
        gain, t, name = max(judged, default=(0.0, 0.0, ""))
        if gain < _LEAST_GAIN or t < _LEAST_T:
            continue
        first, last = int(rows[block[0]]), int(rows[block[-1]])
        if found and found[-1].rival == name and found[-1].last == rows[block[0] - 1]:
            before = found.pop()
            first, gain, t = before.first, min(gain, before.gain), min(t, before.t)
        found.append(Misfit(name, first, last, gain, t))
    return found


def seems_unrelated(own: np.ndarray, strangers: np.ndarray) -> bool:
    """Whether pairs fit no better than strangers do: float `(n,)` each, NaN left out; False below UNRELATED_ROWS."""
    difference = own - strangers
    return bool(np.isfinite(difference).sum() >= UNRELATED_ROWS and _gain(difference)[1] < _UNRELATED_T)


def _gain(differences):
    """Mean and t of a paired comparison; zeros where there are fewer than LEAST_ROWS."""
    known = differences[np.isfinite(differences)]
    if len(known) < LEAST_ROWS:
        return 0.0, 0.0
    mean, spread = float(known.mean()), float(known.std(ddof=1)) / len(known) ** 0.5
    return mean, mean / max(spread, 1e-9)


def _edges(values, known):
    """The root of the absolute differences: weak edges count too, and one strong outline does not decide alone."""
    across, down = np.abs(np.diff(values, axis=1))[:-1], np.abs(np.diff(values, axis=0))[:, :-1]
    both = (known[:, 1:] & known[:, :-1])[:-1], (known[1:] & known[:-1])[:, :-1]
    return Edges(np.sqrt(np.stack([across, down])), np.stack(both))


def _correlation(a, b):
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale > 1e-9 else 0.0
