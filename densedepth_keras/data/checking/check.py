"""`check_data`: every pair read, and a verdict."""

import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from densedepth_keras.data.checking.between import duplicate_findings
from densedepth_keras.data.checking.histogram import bars, quantile
from densedepth_keras.data.checking.judging import split_findings
from densedepth_keras.data.checking.reading import READ_ERRORS, duration
from densedepth_keras.data.checking.split import SplitFacts, read_split
from densedepth_keras.data.checking.verdict import LEVELS, Finding, SplitSummary, Verdict
from densedepth_keras.data.sample import SPLITS, Source
from densedepth_keras.depth import MAX_DEPTH, MIN_DEPTH, check_range
from densedepth_keras.names import printable

"""Looked for unless told otherwise."""


class _Opened(NamedTuple):
    """The splits that there are, and what to say of the others."""

    sources: dict[str, Source]
    findings: list[Finding]


def check_data(
    open_split: Callable[[str], Source],
    splits: Iterable[str] = SPLITS,
    *,
    min_depth: float = MIN_DEPTH,
    max_depth: float = MAX_DEPTH,
    workers: int | None = None,
    samples: int | None = None,
    announce: Callable[[str], None] = lambda line: None,
) -> Verdict:
    """Reads every pair of every split and says what is wrong with them.

    Looked for: rows that cannot be read; wrong units and ranges; depth of 8 bits, constant, empty or upside down;
    pictures of one colour or made from their depth; depth that belongs to the row before or after, or is mirrored;
    pictures that occur in two splits. What needs several rows (12 for shifts, 30 for the weaker suspicions) is not
    judged on fewer.

    Args:
        open_split: from a split's name to its source; FileNotFoundError where there is no such split.
        splits: which ones to look for. Of these, training needs `train` and `validation`.
        min_depth: metres, of the range that training will use.
        max_depth: metres.
        workers: threads that read; None takes as many as there are cores.
        samples: at most about so many rows per split, evenly spread; None reads all.
        announce: gets a line every ten seconds, with the time to go.

    Returns:
        A Verdict; `verdict.ok` is False where training would go wrong.

    Raises:
        FileNotFoundError: none of the splits is there.
        OSError: none of them may be read.
        ValueError: a range that is none, or fewer workers or samples than one.

    Example:
        >>> verdict = check_data(lambda split: load_dataset("folder", split, data_dir="my_data", depth_unit="mm"))
        >>> print(verdict.text())
    """
    check_range(min_depth, max_depth)
    opened = _open_splits(open_split, splits)
    facts = []
    for split, source in opened.sources.items():
        started = time.monotonic()
        count = min(samples or len(source), len(source))
        announce(printable(f"{split}: reading {count:,} pairs of {source!r}"))
        limits = {"min_depth": min_depth, "max_depth": max_depth}
        facts.append(read_split(split, source, **limits, workers=workers, samples=samples, announce=announce))
        announce(f"{split}: read in {duration(time.monotonic() - started)}")
    findings = [finding for split in facts for finding in split_findings(split, min_depth, max_depth)]
    findings += [*duplicate_findings(facts), *opened.findings]
    return Verdict(_in_order(findings), {split.split: _summary(split) for split in facts}, min_depth, max_depth)


def _in_order(findings):
    """Errors first; what is word for word the same in several splits becomes one."""
    merged: dict[tuple, Finding] = {}
    for finding in (finding.printable() for finding in findings):
        same = merged.get(finding[:1] + finding[2:])
        split = f"{same.split}, {finding.split}" if same else finding.split
        merged[finding[:1] + finding[2:]] = finding._replace(split=split)
    return tuple(sorted(merged.values(), key=lambda finding: LEVELS.index(finding.level)))


def _open_splits(open_split, splits):
    opened, errors = _Opened({}, []), []
    for split in splits:
        try:
            opened.sources[split] = open_split(split)
        except READ_ERRORS as error:
            errors.append(error)
            opened.findings.append(_unopened(split, error))
    if not opened.sources:
        raise errors[0]
    return opened


def _unopened(split, error):
    if isinstance(error, FileNotFoundError):
        needed = "Training needs one." if split in ("train", "validation") else "Evaluation needs one."
        level = "error" if split in ("train", "validation") else "note"
        return Finding(level, split, "this split is not there", f"{needed} {error}")
    return Finding("error", split, "this split cannot be opened", str(error))


def _summary(facts: SplitFacts) -> SplitSummary:
    measured, pairs = facts.total("measured"), facts.pairs
    return SplitSummary(
        source=printable(repr(facts.source)),
        pairs=len(facts.source),
        read=len(facts.rows) + len(facts.bad),
        bad=len(facts.bad),
        sizes=dict(facts.sizes),
        measured_share=measured / max(facts.pixels, 1),
        valid_share=facts.total("valid") / max(measured, 1),
        nearest=min((pair.nearest for pair in pairs if pair.measured), default=0.0),
        median=quantile(facts.histogram, 0.5),
        farthest=max((pair.farthest for pair in pairs), default=0.0),
        histogram=bars(facts.histogram),
        levels=None if facts.levels is None else len(facts.levels),
        examples=tuple(example._replace(name=printable(example.name)) for example in facts.examples),
    )
