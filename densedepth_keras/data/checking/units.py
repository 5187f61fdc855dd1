"""Findings about metres: wrong units, a range that does not fit, maps that say nothing."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from densedepth_keras.data.checking.histogram import quantile
from densedepth_keras.data.checking.split import SplitFacts
from densedepth_keras.data.checking.verdict import Finding, share_text
from densedepth_keras.data.sample import Source

LEAST_VALID_SHARE = 0.1
"""Below this share of depths inside the range a run does not start."""

_HALF, _NEARLY_ALL = 0.5, 0.99

_USUAL = 0.25
"""A data set's median lies at about this share of its range: NYU 2.5 of 10 m, KITTI 15 of 80 m."""


class Misread(NamedTuple):
    """How far depths look from metres.

    Attributes:
        size: "a thousand times too large".
        truth: what the stored numbers look like: "millimetres"; None where nobody knows what they were taken for.
        flag: what to pass instead: "--depth-unit mm"; None likewise.
    """

    size: str
    truth: str | None = None
    flag: str | None = None


class _Scale(NamedTuple):
    """A way to store depth: its name, its flag, and how far (in log depth) it has to look better than a usual one."""

    name: str
    flag: str
    cost: float


_SCALES = {
    1.0: _Scale("metres", "--depth-unit m", 0.0),
    100.0: _Scale("centimetres", "--depth-unit cm", 0.4),
    256.0: _Scale("KITTI's 256 units per metre", "--depth-scale 256", 0.7),
    1000.0: _Scale("millimetres", "--depth-unit mm", 0.0),
    5000.0: _Scale("TUM's 5000 units per metre", "--depth-scale 5000", 0.7),
}
"""Stored units per metre that data sets are known to have."""

_STREET = 20.0
"""Metres: of a range beyond it, 256 units per metre are as usual as any."""

_DECADES = {0.001: "a thousand", 0.01: "a hundred", 0.1: "ten", 10.0: "ten", 100.0: "a hundred", 1000.0: "a thousand"}
"""Factors that would mend depths of which nobody knows how they were stored."""

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
    units = stored_units(facts.source)
    guess = misread(median, min_depth, max_depth, units)
    if share < LEAST_VALID_SHARE:
        looks = _looks(guess) if guess else "this is not the range"
        title = f"median {_metres(median)} m: {looks}"
        yield Finding("error", facts.split, title, f"{_capital(inside)}. {wide}".strip())
    elif share < _HALF:
        hint = f" {_question(guess)}" if guess else ""
        yield Finding("warning", facts.split, f"only {inside}", f"The others teach nothing. {wide}{hint}")
    elif share < _NEARLY_ALL:
        yield Finding("note", facts.split, inside, "The others count neither in training nor in evaluation.")
    elif far < 0.1 * max_depth:
        yield Finding(
            "warning",
            facts.split,
            f"nearly all depths are below {far:.2g} m, of a range up to {max_depth:g} m",
            f"Right for a table top, wrong for a room. If the metres are right, pass --max-depth {_round_up(far):g}; "
            f"if not, the unit is{'.' if units is None else ': see --depth-unit.'}",
        )


def _looks(guess):
    return f"these look like {guess.truth}; pass {guess.flag}" if guess.flag else f"these look {guess.size}"


def _question(guess):
    return f"Or are these {guess.truth} ({guess.flag})?" if guess.flag else f"Or are these {guess.size}?"


def stored_units(source: Source) -> float | None:
    """Stored units per metre that a source was told to divide by; None where it knows its unit by itself."""
    while not hasattr(source, "units_per_metre"):
        if not hasattr(source, "source"):
            return None
        source = source.source
    return source.units_per_metre


def misread(median: float, min_depth: float, max_depth: float, units_per_metre: float | None = None) -> Misread | None:
    """What a median in metres looks like, if it is not what it should be; None if no unit would mend it.

    Args:
        median: metres, as read.
        min_depth: metres.
        max_depth: metres.
        units_per_metre: what the stored numbers were divided by; it is never proposed. None: only a factor is.
    """
    usual = _USUAL * max_depth
    if units_per_metre is None:
        costs = {factor: abs(np.log(median * factor / usual)) for factor in _DECADES}
        factor = min(costs, key=costs.__getitem__)
        return Misread(_size(factor)) if min_depth <= median * factor <= max_depth else None
    stored = median * units_per_metre
    costs = {
        scale: abs(np.log(stored / scale / usual)) + _cost(scale, max_depth)
        for scale in _SCALES
        if not np.isclose(scale, units_per_metre) and min_depth <= stored / scale <= max_depth
    }
    if not costs:
        return None
    scale = min(costs, key=costs.__getitem__)
    read_as = "" if units_per_metre == 1 else f" read as {_name(units_per_metre)}"
    return Misread(_size(units_per_metre / scale), _SCALES[scale].name + read_as, _SCALES[scale].flag)


def _cost(scale, max_depth):
    return 0.0 if scale == 256 and max_depth > _STREET else _SCALES[scale].cost


def _name(units):
    known = [scale.name for value, scale in _SCALES.items() if np.isclose(value, units)]
    return known[0] if known else f"{units:g} units per metre"


def _size(factor):
    """By the factor that would mend them: 0.001 -> "a thousand times too large"."""
    ratio = max(factor, 1 / factor)
    words = next((word for value, word in _DECADES.items() if np.isclose(value, ratio)), f"{ratio:.3g}")
    return f"{words} times too {'large' if factor < 1 else 'small'}"


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
