"""What a check of a data set found, as text for a reader and as JSON for a program."""

import math
import textwrap
from typing import Any, NamedTuple

from densedepth_keras.data.checking.histogram import Bar, bar_lines
from densedepth_keras.data.checking.reading import listed
from densedepth_keras.data.checking.split import Example
from densedepth_keras.names import printable

LEVELS = ("error", "warning", "note")
"""Training would go wrong; it may go wrong; worth knowing."""

_SHOWN_ROWS = 5
_WIDTH = 100


class Finding(NamedTuple):
    """Something to be said about the data.

    Attributes:
        level: one of LEVELS.
        split: the split, or two of them: "train, test".
        title: what it is, in one line.
        detail: what it means and what to do.
        rows: which ones, as messages call them; empty where it concerns all.
    """

    level: str
    split: str
    title: str
    detail: str
    rows: tuple[str, ...] = ()

    def printable(self) -> "Finding":
        """With names of files that are not UTF-8 escaped."""
        texts = {name: printable(getattr(self, name)) for name in ("title", "detail")}
        return self._replace(**texts, rows=tuple(map(printable, self.rows)))

    def text(self) -> str:
        """Title, detail and the first few rows."""
        head = f"{self.level.upper():<8} {self.split}: {self.title}"
        lines = [textwrap.fill(head, _WIDTH, subsequent_indent=" " * 9)]
        lines += textwrap.wrap(self.detail, _WIDTH, initial_indent=" " * 9, subsequent_indent=" " * 9)
        return "\n".join(lines + ([listed(self.rows, _SHOWN_ROWS, " " * 11)] if self.rows else []))


class SplitSummary(NamedTuple):
    """A split in numbers.

    Attributes:
        source: where it was read from.
        pairs: how many rows it has.
        read: how many of them were read.
        bad: how many of those could not be used.
        sizes: `"640x480"` (width x height) -> pairs.
        measured_share: share of the pixels that are no holes.
        valid_share: share of the measured pixels inside the range.
        nearest: metres; 0 where nothing is measured, as the next two.
        median: metres, of all measured pixels.
        farthest: metres.
        histogram: bars, metres and shares of the measured pixels.
        levels: how many different depths there are, None for more than a thousand.
        examples: a few pairs for a picture sheet; not in the JSON.
    """

    source: str
    pairs: int
    read: int
    bad: int
    sizes: dict[str, int]
    measured_share: float
    valid_share: float
    nearest: float
    median: float
    farthest: float
    histogram: tuple[Bar, ...]
    levels: int | None
    examples: tuple[Example, ...] = ()

    def text(self, name: str, range_text: str) -> str:
        read = "all read" if self.read == self.pairs else f"{self.read:,} read"
        bad = f", {self.bad:,} of them cannot be used" if self.bad else ""
        lines = [f"{name}: {self.pairs:,} pairs, {read}{bad}", f"  from      {self.source}"]
        if self.read > self.bad:
            lines.append(f"  sizes     {_sizes_text(self.sizes)} (width x height)")
            lines.append(
                f"  measured  {share_text(self.measured_share)} of the pixels; {share_text(self.valid_share)} of these "
                f"within {range_text}"
            )
        if self.histogram:
            lines.append(
                f"  depth     {self.nearest:.4g} m nearest, {self.median:.4g} m median, {self.farthest:.4g} m farthest"
            )
            lines += [f"    {line}" for line in bar_lines(self.histogram)]
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        chart = [{**bar._asdict(), "high": bar.high if bar.high < math.inf else None} for bar in self.histogram]
        values = {**self._asdict(), "histogram": chart}
        del values["examples"]
        return values


class Verdict(NamedTuple):
    """What a check found.

    Attributes:
        findings: errors first, then warnings, then notes.
        splits: name -> summary of each split that exists.
        min_depth: metres, of the range checked against.
        max_depth: metres.
    """

    findings: tuple[Finding, ...]
    splits: dict[str, SplitSummary]
    min_depth: float
    max_depth: float

    @property
    def ok(self) -> bool:
        """Whether a training may start: no finding is an error."""
        return not self.count("error")

    def count(self, level: str) -> int:
        return sum(finding.level == level for finding in self.findings)

    def text(self) -> str:
        """The verdict as lines of at most about 100 characters."""
        range_text = f"{self.min_depth:g}..{self.max_depth:g} m"
        parts = [summary.text(name, range_text) for name, summary in self.splits.items()]
        parts += [finding.text() for finding in self.findings]
        return "\n\n".join([*parts, self._last_line()])

    def _last_line(self):
        if not self.findings:
            return "Verdict: nothing to complain about. Training can start."
        counted = ((self.count(level), level) for level in LEVELS)
        counts = ", ".join(f"{count} {level}{'s' * (count > 1)}" for count, level in counted if count)
        if not self.ok:
            return f"Verdict: {counts}. Training would go wrong: mend the errors first."
        return f"Verdict: {counts}. Training can start." + (
            " Read the warnings before you do." if self.count("warning") else ""
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values for `json.dump`: `ok`, `range`, `findings` with all their rows, `splits`."""
        return {
            "ok": self.ok,
            "range": [self.min_depth, self.max_depth],
            "findings": [{**finding._asdict(), "rows": list(finding.rows)} for finding in self.findings],
            "splits": {name: summary.to_json() for name, summary in self.splits.items()},
        }


def share_text(share: float) -> str:
    """`73.3 %`; never rounded up to all nor down to none."""
    if 0.999 <= share < 1:
        return "over 99.9 %"
    return "under 0.1 %" if 0 < share < 0.001 else f"{100 * share:.1f} %".replace(".0 %", " %")


def _sizes_text(sizes):
    ordered = sorted(sizes.items(), key=lambda item: -item[1])
    shown = [f"{size} ({count:,})" if len(sizes) > 1 else size for size, count in ordered[:5]]
    return ", ".join(shown + ([f"and {len(sizes) - 5} more"] if len(sizes) > 5 else []))
