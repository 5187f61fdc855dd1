"""From the facts of one split to findings: what is wrong with its rows, its depths and its pictures."""

import re
from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from densedepth_keras.data.checking.alignment import RIVALS, misfits, seems_unrelated
from densedepth_keras.data.checking.fingerprints import NEAR_BITS, differing_bits, repeated
from densedepth_keras.data.checking.split import SplitFacts
from densedepth_keras.data.checking.units import depth_findings
from densedepth_keras.data.checking.verdict import Finding
from densedepth_keras.data.sample import row_name

EIGHT_BITS = 256
"""Different depths of a split that an 8-bit file can hold."""

_ENOUGH_FOR_LEVELS = 20_000
"""Sampled pixels below which few different depths mean little."""

_RENDERED = 0.98
"""Rank correlation of brightness and depth in a picture made from its depth; NYU's photographs reach 0.81."""

INVERTED_ROWS, _INVERTED_SHARE = 30, 0.85
"""Of so many maps so large a share nearer at the top is suspicious: NYU 4 %, rendered rooms 38 %."""

_SHIFT_CURE = (
    "Pictures and depths of this list have slipped against each other, as when one file is missing or the two are "
    "sorted differently: pair them anew."
)
_TURN_CURE = "Mirror or turn the depth maps; a network cannot learn from these."


def split_findings(facts: SplitFacts, min_depth: float, max_depth: float) -> Iterator[Finding]:
    """Everything there is to say about one split."""
    if not len(facts.source):
        yield Finding("error", facts.split, "the split is empty", "There is nothing to learn from.")
    yield from _bad_rows(facts)
    if not facts.rows:
        return
    of_depth = list(depth_findings(facts, min_depth, max_depth))
    yield from of_depth
    if all(finding.level != "error" for finding in of_depth):
        yield from _levels(facts)  # in metres, so not before the unit is right
    yield from _pictures(facts)
    yield from _repetitions(facts)
    yield from _alignment(facts)
    yield from _inversion(facts)


def _bad_rows(facts):
    """One finding per kind of fault."""
    kinds = defaultdict(list)
    for row in facts.bad:
        kinds[re.sub(r"\d+", "0", _fault(facts, row)[0])].append(row)
    read = len(facts.bad) + len(facts.rows)
    for rows in sorted(kinds.values(), key=len, reverse=True):
        title, detail = _fault(facts, rows[0])
        share = f"none of the {read:,} rows can be used" if len(rows) == read else f"{len(rows):,} of {read:,} rows"
        cure = "" if len(facts.bad) == read else " Mend or remove them; --skip-bad-rows trains without them."
        yield Finding(
            "error",
            facts.split,
            f"{share}: {title}",
            (detail + cure).strip(),
            tuple(_named(facts, row) for row in rows),
        )


def _named(facts, row):
    """The row and what was received, if that is not just a path, which the name holds already."""
    received = facts.bad[row].partition("Received: ")[2]
    return row_name(facts.source, row) + (f": {received}" if received and not re.search(r"[/\\]", received) else "")


def _fault(facts, row):
    """First sentence and the rest of what a reader said, without the row's name and what it received."""
    reason, name = facts.bad[row], row_name(facts.source, row)
    called = (name, name.partition(" (")[0])  # with its files or without
    text = next((reason.removeprefix(start) for start in called if reason.startswith(start)), reason)
    text = re.sub(r"^\(.*?\): ", "", text.lstrip(": "))  # the files, where they are no part of the row's name
    first, *rest = re.split(r"(?<=[.:]) +", text.split(" Received:")[0], maxsplit=1)
    return first.rstrip(".: "), " ".join(rest)


def _levels(facts):
    levels, sampled = facts.levels, int(facts.histogram.sum())
    if levels is None or not 2 <= len(levels) <= EIGHT_BITS or sampled < _ENOUGH_FOR_LEVELS:
        return
    step = float(np.median(np.diff(levels)))
    yield Finding(
        "warning",
        facts.split,
        f"depth has only {len(levels)} different values, steps of {_length(step)}: it was once 8 bits",
        f"The mean error of such values is {_length(step / 4)}, and surfaces look like stairs. Training works; say so "
        "beside the results, and look for the 16-bit original.",
    )


def _length(metres):
    return (
        f"{metres:.2g} m" if metres >= 1 else f"{100 * metres:.2g} cm" if metres >= 0.01 else f"{1000 * metres:.2g} mm"
    )


def _pictures(facts):
    flat, likeness = facts.column("flat"), np.abs(facts.column("likeness"))
    if flat.any():
        yield Finding(
            "warning",
            facts.split,
            f"{flat.sum():,} pictures are of one colour",
            "They show nothing: a covered lens or a failed capture. Remove them.",
            facts.names(flat),
        )
    rendered = likeness > _RENDERED
    if rendered.any():
        yield Finding(
            "error" if rendered.mean() > 0.5 else "warning",
            facts.split,
            f"{rendered.sum():,} pictures look like renderings of their own depth",
            f"Their brightness follows depth with a rank correlation above {_RENDERED}; photographs stay far below. "
            "Are the columns image and depth right?",
            facts.names(rendered),
        )
    grey = facts.column("grey")
    if grey.any():
        yield Finding(
            "note", facts.split, f"{share_of(grey)} pictures are grey", "Their three channels are equal. That is fine."
        )
    if facts.turned:
        yield Finding(
            "note",
            facts.split,
            f"{len(facts.turned):,} of {len(facts.rows):,} pictures are stored turned",
            "EXIF says how to hold them, and they are read upright, their depth along with them where it is stored the "
            "same way. Programs that do not look at EXIF see them lying.",
            tuple(row_name(facts.source, row) for row in facts.turned),
        )
    if len(facts.sizes) > 1:
        yield Finding(
            "note",
            facts.split,
            f"{len(facts.sizes)} different picture sizes",
            "All are brought to one size for training, whatever their shape; very different shapes are distorted.",
        )


def share_of(mask):
    """`all 12` or `3 of 12`."""
    return f"all {len(mask):,}" if mask.all() else f"{mask.sum():,} of {len(mask):,}"


def _repetitions(facts):
    groups = repeated([pair.picture_digest for pair in facts.pairs])
    if groups:
        rows = tuple(" = ".join(facts.names(group[:3])) for group in groups)
        extra = sum(len(group) - 1 for group in groups)
        yield Finding("note", facts.split, f"{extra:,} pictures are copies of others", "Equal to the last pixel.", rows)
    same_depth = repeated([pair.depth_digest for pair in facts.pairs])
    prints = facts.fingerprints
    different = [group for group in same_depth if facts.pairs[group[0]].measured and _views_differ(prints[group])]
    if different:
        rows = tuple(" = ".join(facts.names(group[:3])) for group in different)
        yield Finding(
            "warning",
            facts.split,
            f"{sum(map(len, different)):,} pairs share a depth map although their pictures differ",
            "A depth map belongs to one picture: were files copied, or is it a place holder?",
            rows,
        )


def _views_differ(prints):
    return differing_bits(prints[:1], prints[1:]).max() > NEAR_BITS


def _alignment(facts):
    rows, own = np.array(facts.rows), np.array(facts.fits["own"])
    rivals = {name: np.array(facts.fits[name]) for name in RIVALS}
    found = misfits(rows, own, rivals)
    for name in RIVALS:
        runs = [misfit for misfit in found if misfit.rival == name]
        if not runs:
            continue
        names = facts.names(np.searchsorted(rows, [row for run in runs for row in (run.first, run.last)]))
        count = sum(int(((rows >= run.first) & (rows <= run.last)).sum()) for run in runs)
        slipped = name in ("next", "previous")
        title = "rows look shifted by one" if slipped else "depth looks turned against its picture"
        yield Finding(
            "error",
            facts.split,
            f"{title}: {count:,} of {len(rows):,} rows",
            f"The edges of these pictures lie on the edges of {RIVALS[name]}, not of their own. "
            + (_SHIFT_CURE if slipped else _TURN_CURE),
            tuple(f"about {first} to {last}" for first, last in zip(names[::2], names[1::2], strict=True)),
        )
    if not found and seems_unrelated(*_strangers(facts, own, rivals)):
        yield Finding(
            "warning",
            facts.split,
            "pictures and depth maps do not seem to belong together",
            "The edges of a picture lie on the edges of its own depth no better than on those of its neighbour's. Look "
            "at them with `densedepth data show`; were the two sorted in different orders?",
        )


def _strangers(facts, own, rivals):
    """Own fits and those with the neighbour's depth, where the two pictures are different views."""
    prints = facts.fingerprints
    views_differ = np.append(differing_bits(prints[:-1], prints[1:]) > 2 * NEAR_BITS, False)
    return own[views_differ], rivals["next"][views_differ]


def _inversion(facts):
    ratio = facts.column("below_over_above")
    known = ratio[np.isfinite(ratio)]
    nearer_above = (known > 1).mean() if len(known) >= INVERTED_ROWS else 0
    if nearer_above > _INVERTED_SHARE:
        yield Finding(
            "warning",
            facts.split,
            f"in {nearer_above:.0%} of the maps the lower part is farther away than the upper one",
            "With an upright camera it is the other way round. Is this inverse depth (disparity), a map whose near is "
            "large, or are picture and depth both upside down? Only a suspicion: cameras that look up see this, too.",
        )
