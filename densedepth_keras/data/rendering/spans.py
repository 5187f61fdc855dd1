"""Stretches of pixels: what changes smoothly along a row is computed at a few pixels and carried between them."""

from typing import NamedTuple

import numpy as np


class Runs(NamedTuple):
    """Neighbouring pixels of one row that show one flat surface; each pixel of a round body is a run of its own."""

    starts: np.ndarray  # flat index of the first pixel
    counts: np.ndarray
    surfaces: np.ndarray  # surface number


def find_changes(surface):
    """Booleans, flat: where a row begins or another surface than in the pixel before."""
    changes = np.empty(surface.shape, bool)
    changes[:, 0] = True
    np.not_equal(surface[:, 1:], surface[:, :-1], out=changes[:, 1:])
    return changes.ravel()


def count_between(starts, end):
    """Lengths of stretches from where they start; the last one stops at `end`."""
    counts = np.empty_like(starts)
    np.subtract(starts[1:], starts[:-1], out=counts[:-1])
    counts[-1] = end - starts[-1]
    return counts


def make_runs(surface, changes, first_round):
    breaks = changes | (surface.ravel() >= first_round)
    starts = np.flatnonzero(breaks)
    return Runs(starts, count_between(starts, breaks.size), surface.ravel().take(starts))


class Stretches:
    """Runs cut every `step` columns; a value known at `pixels` is carried linearly through each stretch.

    `pixels` are flat indices, sorted: where stretches begin, and the last pixel before another surface.
    """

    def __init__(self, runs, changes, inverse_depth, step):
        width = inverse_depth.shape[1]
        octaves = inverse_depth.ravel().view(np.int32) >> 20  # the exponent and three bits: eight parts of an octave
        breaks = np.empty(changes.size, bool)
        breaks[0] = True
        np.not_equal(octaves[1:], octaves[:-1], out=breaks[1:])
        breaks[runs.starts] = True
        breaks.reshape(-1, width)[:, ::step] = True
        needed = breaks.copy()
        needed[:-1] |= changes[1:]
        needed[-1] = True
        self.pixels = np.flatnonzero(needed)
        self.begin = np.flatnonzero(breaks.take(self.pixels))
        start = self.pixels.take(self.begin)
        self.counts = count_between(start, changes.size)
        self.end = np.append(self.begin[1:], len(self.pixels))
        self.end -= np.append(changes.take(start[1:]), True)
        distance = self.pixels.take(self.end) - start
        self.gain = 1 / np.maximum(distance, 1).astype(np.float32)
        self.columns = np.arange(width, dtype=np.float32)
        self.column = self.columns.take(start % width)

    def lines(self, values):
        """Values at `pixels`, (n, m), to what each stretch would have at column 0, and its slope along the columns."""
        first = values.take(self.begin, axis=1)
        slope = values.take(self.end, axis=1)
        slope -= first
        slope *= self.gain
        first -= slope * self.column
        return first, slope
