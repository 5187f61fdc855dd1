"""What is looked at before a run starts."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from densedepth_keras.data.sample import Sample, Source, evenly_spaced
from densedepth_keras.depth import in_range

SURVEY_SAMPLES = 1000
"""At most so many samples, evenly spaced, are read in full before training."""

LEAST_VALID_SHARE = 0.1
"""Below this share of depths inside the range a run does not start."""

_UNIT_MISTAKES = {
    0.001: "a thousand times too large",
    0.01: "a hundred times too large",
    0.1: "ten times too large",
    10.0: "ten times too small",
    100.0: "a hundred times too small",
    1000.0: "a thousand times too small",
}
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


def survey(read: Callable[[int], Sample], count: int, min_depth: float, max_depth: float) -> Survey:
    """Reads samples in full (of many, `SURVEY_SAMPLES` evenly spaced ones) and sums up their depth.

    Args:
        read: `Pipeline.read`, or any function from index to a Sample; all depths of one size.
        count: how many samples there are.
        min_depth: metres.
        max_depth: metres.

    Raises:
        ValueError: a sample that cannot be read, or fewer than `LEAST_VALID_SHARE` of the depths inside the range,
            which is almost always a wrong unit; the message proposes the right one.
    """
    indices = evenly_spaced(count, SURVEY_SAMPLES)
    shape = read(0).depth.shape
    total, seen, measured, medians, outside = np.zeros(shape), np.zeros(shape), 0, [], []
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for start in range(0, len(indices), 64):  # bounded, so that memory does not grow with the source
            part = indices[start : start + 64]
            for index, (_, depth) in zip(part, threads.map(read, part), strict=True):
                valid = in_range(depth, min_depth, max_depth)
                total += np.where(valid, depth, 0)
                seen += valid
                if (depth > 0).any():
                    measured += np.count_nonzero(depth)
                    medians.append(float(np.median(depth[depth > 0])))
                    outside += [] if valid.any() else [index]
    _check_share(medians, int(seen.sum()), measured, min_depth, max_depth)
    mean = np.where(seen > 0, total / np.maximum(seen, 1), total.sum() / seen.sum())
    shares = measured / (seen.size * len(indices)), float(seen.sum() / measured)
    return Survey(mean.astype(np.float32), *shares, len(indices), tuple(outside))


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
        _check_share(medians, valid, measured, min_depth, max_depth)


def _check_share(medians, valid, measured, min_depth, max_depth):
    if not measured or valid < LEAST_VALID_SHARE * measured:
        raise ValueError(_out_of_range(medians, valid / max(measured, 1), min_depth, max_depth))


def _out_of_range(medians, share, min_depth, max_depth):
    if not medians:
        return "Not one depth was measured: every map is 0 (a hole) everywhere."
    median = float(np.median(medians))
    inside = f"Only {share:.1%} of the depths lie" if share else "No depth lies"
    message = f"{inside} inside {min_depth:g}..{max_depth:g} m; the median is {median:.4g} m."
    usual = max_depth / 4
    scale, guess = min(_UNIT_MISTAKES.items(), key=lambda item: abs(np.log(median * item[0] / usual)))
    if min_depth <= median * scale <= max_depth:
        return f"{message} The unit looks {guess}: {_UNIT_HINT}"
    return f"{message} Check --depth-unit, --min-depth and --max-depth."
