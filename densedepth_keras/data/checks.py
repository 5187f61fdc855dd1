"""What is looked at before a run starts."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from densedepth_keras.data.checking.fingerprints import digest
from densedepth_keras.data.checking.reading import Progress, listed, read_rows
from densedepth_keras.data.checking.units import LEAST_VALID_SHARE, misread, stored_units
from densedepth_keras.data.sample import Rows, Sample, Source, check_row, evenly_spaced
from densedepth_keras.depth import in_range

SURVEY_SAMPLES = 1000
"""At most so many samples, evenly spaced, are read in full before training; damage in the others is not seen."""

_UNIT_HINT = "--depth-unit mm for millimetres, cm for centimetres, m for metres."


class Survey(NamedTuple):
    """What the training samples hold.

    Attributes:
        mean_depth: float32 `(h, w)`, metres: the mean of the valid depths at every pixel, the least a model has to
            beat; where no sample is valid, the mean of all.
        measured_share: share of pixels that are no holes.
        valid_share: share of the measured pixels whose depth lies inside the range.
        samples: how many samples were read.
        outside: indices of samples with measurements, but none inside the range.
    """

    mean_depth: np.ndarray
    measured_share: float
    valid_share: float
    samples: int
    outside: tuple[int, ...]


class Looked(NamedTuple):
    """What `look` saw: the sums that `summed_up` makes a Survey of.

    Attributes:
        total: float64 `(h, w)`, metres: the sum of the valid depths at every pixel; 0 where nothing was read.
        seen: int64 `(h, w)`, how many they are.
        measured: pixels that are no holes.
        medians: metres, of every sample with measurements.
        outside: indices of samples with measurements, but none inside the range.
        bad: index -> why it cannot be read.
        pictures: index -> digest of the picture, of every sample that could be read.
    """

    total: np.ndarray
    seen: np.ndarray
    measured: int
    medians: list[float]
    outside: tuple[int, ...]
    bad: dict[int, str]
    pictures: dict[int, bytes]

    @property
    def samples(self) -> int:
        """How many samples were read."""
        return len(self.pictures)


def surveyed_rows(count: int) -> list[int]:
    """Which of `count` samples are read in full before training: all, or `SURVEY_SAMPLES` evenly spaced ones."""
    return evenly_spaced(count, SURVEY_SAMPLES)


def survey(read: Callable[[int], Sample], count: int, min_depth: float, max_depth: float) -> Survey:
    """Reads samples in full (of many, `SURVEY_SAMPLES` evenly spaced ones) and sums up their depth.

    Args:
        read: `Pipeline.read`, or any function from index to a Sample; all depths of one size.
        count: how many samples there are.
        min_depth: metres.
        max_depth: metres.

    Raises:
        ValueError: samples that cannot be read, all of them listed; or fewer than `LEAST_VALID_SHARE` of the depths
            inside the range, which is almost always a wrong unit; the message proposes the right one.
    """
    indices = surveyed_rows(count)
    looked = look(read, indices, min_depth, max_depth)
    if looked.bad:
        raise ValueError(_refusal(looked.bad, len(indices)))
    return summed_up(looked, min_depth, max_depth, _UNIT_HINT)


def look(read: Callable[[int], Sample], indices: Iterable[int], min_depth: float, max_depth: float) -> Looked:
    """Reads samples in full; `survey` without its verdict, for a caller who has more rows to complain about."""
    total, seen, measured, medians, outside = np.zeros(()), np.zeros((), np.int64), 0, [], []
    bad, pictures = {}, {}

    def read_digested(index):
        sample = read(index)
        return sample.depth, digest(sample.image)

    for index, result, reason in read_rows(read_digested, indices):
        if reason is not None:
            bad[index] = reason
            continue
        depth, pictures[index] = result
        valid = in_range(depth, min_depth, max_depth)
        total = total + np.where(valid, depth, 0).astype(np.float64)
        seen = seen + valid.astype(np.int64)
        if (depth > 0).any():
            measured += np.count_nonzero(depth)
            medians.append(float(np.median(depth[depth > 0])))
            outside += [] if valid.any() else [index]
    return Looked(total, seen, measured, medians, tuple(outside), bad, pictures)


def summed_up(
    looked: Looked, min_depth: float, max_depth: float, hint: str = "", units_per_metre: float | None = None
) -> Survey:
    """The Survey of samples that could all be read.

    Args:
        looked: of `look`, no sample bad.
        min_depth: metres.
        max_depth: metres.
        hint: what to say of a wrong unit where `units_per_metre` does not tell.
        units_per_metre: stored units, see `units.stored_units`.

    Raises:
        ValueError: fewer than `LEAST_VALID_SHARE` of the depths inside the range.
    """
    total, seen, measured, samples = looked.total, looked.seen, looked.measured, looked.samples
    guess = (min_depth, max_depth, hint, units_per_metre)
    _check_share(looked.medians, int(np.sum(seen)), measured, *guess)
    mean = np.where(seen > 0, total / np.maximum(seen, 1), np.sum(total) / np.sum(seen))
    shares = measured / (np.size(seen) * samples), float(np.sum(seen) / measured)
    return Survey(mean.astype(np.float32), *shares, samples, looked.outside)


def bad_rows(source: Source, workers: int | None = None) -> dict[int, str]:
    """Rows that cannot be read as far as can be told without decoding them, and why: a tenth of a millisecond each.

    Args:
        source: any source; one without `check_row` has no bad row here.
        workers: threads; None takes as many as there are cores.
    """
    checked = read_rows(lambda index: check_row(source, index), range(len(source)), workers)
    return {index: reason for index, _, reason in checked if reason is not None}


def readable_rows(
    source: Source, announce: Callable[[str], None] = lambda line: None, workers: int | None = None
) -> tuple[list[int], dict[int, str]]:
    """Reads every row in full.

    Args:
        source: any source.
        announce: gets a line every ten seconds, with the time to go.
        workers: threads; None takes as many as there are cores.

    Returns:
        The rows that can be read, in order, and the others with the reason.

    Raises:
        ValueError: not one row can be read.
    """

    def read(index):
        source[index]  # not returned: nobody needs it any more

    progress, good, bad = Progress(announce, repr(source), len(source)), [], {}
    for index, _, reason in read_rows(read, range(len(source)), workers):
        progress.step()
        if reason is None:
            good.append(index)
        else:
            bad[index] = reason
    if not good:
        raise ValueError(f"Not one of {len(bad):,} rows of {source!r} can be read:\n{bad_rows_text(bad)}")
    return good, bad


def without_bad_rows(source: Source, announce: Callable[[str], None]) -> Source:
    """The rows that can be read, every one having been; announces what is left out, and why."""
    rows, bad = readable_rows(source, announce)
    if not bad:
        return source
    announce(f"WARNING: {len(bad)} of {len(source)} rows are left out:\n{bad_rows_text(bad)}")
    return Rows(source, rows)


def bad_rows_text(bad: dict[int, str]) -> str:
    """The reasons of the first 20 bad rows, one per line, and how many more there are."""
    return listed(list(bad.values()))


def _refusal(bad, read):
    rows = "1 row cannot be read" if len(bad) == 1 else f"{len(bad):,} of {read:,} rows cannot be read"
    return f"{rows}; use --skip-bad-rows to go on without them.\n{bad_rows_text(bad)}"


def check_unit(source: Source, min_depth: float, max_depth: float, samples: int = 8) -> None:
    """Raises a ValueError where a few evenly spaced samples say that the depths are read in a wrong unit."""
    medians, valid, measured = [], 0, 0
    for index in evenly_spaced(len(source), samples):
        depth = source[index].depth
        if (depth > 0).any():
            medians.append(float(np.median(depth[depth > 0])))
        valid += np.count_nonzero(in_range(depth, min_depth, max_depth))
        measured += np.count_nonzero(depth)
    if measured:
        _check_share(medians, valid, measured, min_depth, max_depth, "", stored_units(source))


def _check_share(medians, valid, measured, *guess):
    if not measured or valid < LEAST_VALID_SHARE * measured:
        raise ValueError(_out_of_range(medians, valid / max(measured, 1), *guess))


def _out_of_range(medians, share, min_depth, max_depth, hint, units):
    if not medians:
        return "Not one depth was measured: every map is 0 (a hole) everywhere."
    median = float(np.median(medians))
    inside = f"Only {share:.1%} of the depths lie" if share else "No depth lies"
    message = f"{inside} inside {min_depth:g}..{max_depth:g} m; the median is {median:.4g} m."
    guess = misread(median, min_depth, max_depth, units)
    if guess is None:
        return f"{message} Check {'--depth-unit, ' if units or hint else ''}--min-depth and --max-depth."
    cure = f"{guess.flag}, these look like {guess.truth}" if guess.flag else hint.rstrip(".")
    return f"{message} The unit looks {guess.size}{': ' if cure else ''}{cure}."
