"""Findings about metres: wrong units, a range that does not fit, maps that say nothing."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from densedepth_keras.data.checking.histogram import quantile
from densedepth_keras.data.checking.split import SplitFacts
from densedepth_keras.data.checking.verdict import Finding, share_text

LEAST_VALID_SHARE = 0.1
"""Below this share of depths inside the range a run does not start."""

_HALF, _NEARLY_ALL = 0.5, 0.99

_USUAL = 0.25
"""A data set's median lies at about this share of its range: NYU 2.5 of 10 m, KITTI 15 of 80 m."""


class Misread(NamedTuple):
    """How far depths look from metres.

    Attributes:
        size: "a thousand times too large".
        truth: what the numbers look like: "millimetres".
        unit: the value of --depth-unit that would mend it.
    """

    size: str
    truth: str
    unit: str


_MISREAD = {
    0.001: Misread("a thousand times too large", "millimetres", "mm"),
    0.01: Misread("a hundred times too large", "centimetres", "cm"),
    0.1: Misread("ten times too large", "millimetres read as centimetres", "mm"),
    10.0: Misread("ten times too small", "centimetres read as millimetres", "cm"),
    100.0: Misread("a hundred times too small", "metres read as centimetres", "m"),
    1000.0: Misread("a thousand times too small", "metres read as millimetres", "m"),
}
"""By the factor that would mend them."""

_SPARSE = 0.01

_FARTHEST = 1000.0
"""Metres; beyond it nobody is advised to widen the range."""


def depth_findings(facts: SplitFacts, min_depth: float, max_depth: float) -> Iterator[Finding]:
    """Unit, range, holes and constant maps of one split."""
    measured = facts.total("measured")
    if not measured:
        yield Finding("error", facts.split, "not one depth was measured", "Every depth map is 0, a hole, everywhere.")
        return
    yield from _range(facts, facts.total("valid") / measured, min_depth, max_depth)
    yield from _maps(facts, min_depth, max_depth)
    if measured < _SPARSE * facts.pixels:
        yield Finding(
            "warning",
            facts.split,
            f"only {share_text(measured / facts.pixels)} of the pixels are measured",
            "So few that learning is slow; is 0 or NaN a hole in these files, as is expected here?",
        )


def _range(facts, share, min_depth, max_depth):
    median, far = quantile(facts.histogram, 0.5), quantile(facts.histogram, 0.99)
    inside = f"{share_text(share)} of the depths lie within {min_depth:g}..{max_depth:g} m"
    wide = f"If the metres are right, pass --max-depth {_round_up(far):g}." if max_depth < far < _FARTHEST else ""
    guess = misread(median, min_depth, max_depth)
    if share < LEAST_VALID_SHARE:
        looks = f"these look like {guess.truth}; pass --depth-unit {guess.unit}" if guess else "this is not the range"
        title = f"median {_metres(median)} m: {looks}"
        yield Finding("error", facts.split, title, f"{_capital(inside)}. {wide}".strip())
    elif share < _HALF:
        hint = f" Or are these {guess.truth} (--depth-unit {guess.unit})?" if guess else ""
        yield Finding("warning", facts.split, f"only {inside}", f"The others teach nothing. {wide}{hint}")
    elif share < _NEARLY_ALL:
        yield Finding("note", facts.split, inside, "The others count neither in training nor in evaluation.")
    elif far < 0.1 * max_depth:
        yield Finding(
            "warning",
            facts.split,
            f"nearly all depths are below {far:.2g} m, of a range up to {max_depth:g} m",
            f"Right for a table top, wrong for a room. If the metres are right, pass --max-depth {_round_up(far):g}; "
            "if not, the unit is: see --depth-unit.",
        )


def misread(median: float, min_depth: float, max_depth: float) -> Misread | None:
    """What a median in metres looks like, if it is not what it should be; None if no unit would mend it."""
    usual = _USUAL * max_depth
    factor = min(_MISREAD, key=lambda factor: abs(np.log(median * factor / usual)))
    return _MISREAD[factor] if min_depth <= median * factor <= max_depth else None


def _maps(facts, min_depth, max_depth):
    """Maps that are holes everywhere, of one depth, or wholly outside the range."""
    measured, valid = facts.column("measured"), facts.column("valid")
    nearest, farthest = facts.column("nearest"), facts.column("farthest")
    range_text = f"{min_depth:g}..{max_depth:g} m"
    kinds = (
        (measured == 0, "without a single measurement", "Holes everywhere: they teach nothing."),
        (
            (measured > 0) & (nearest == farthest),
            "of one depth everywhere",
            "A flat wall seen straight on is rare: place holders, or a failed capture?",
        ),
        ((measured > 0) & (valid == 0), f"wholly outside {range_text}", "Is their unit another than the other maps'?"),
    )
    for mask, what, detail in kinds:
        outside_as_all_others = mask.all() and "outside" in what
        if mask.any() and not outside_as_all_others:
            level = "error" if mask.mean() > _HALF else "warning"
            yield Finding(level, facts.split, f"{mask.sum():,} depth maps are {what}", detail, facts.names(mask))


def _metres(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _round_up(metres):
    """To one digit, upwards: 7.3 -> 8, 73 -> 80."""
    power = 10.0 ** np.floor(np.log10(metres))
    return float(np.ceil(metres / power) * power)


def _capital(text):
    return text[:1].upper() + text[1:]
