"""One split, read from end to end: what its pairs hold, put together."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from densedepth_keras.data.checking.alignment import RIVALS, fit
from densedepth_keras.data.checking.fingerprints import THUMBNAIL
from densedepth_keras.data.checking.histogram import BINS
from densedepth_keras.data.checking.pair import PairFacts, measure_pair
from densedepth_keras.data.checking.reading import Progress, read_rows
from densedepth_keras.data.folder import Folder
from densedepth_keras.data.hdf5 import is_hdf5
from densedepth_keras.data.images import image_header
from densedepth_keras.data.resize import resize_depth, resize_image
from densedepth_keras.data.sample import Rows, Sample, Source, evenly_spaced, row_name

EXAMPLES, EXAMPLE_PIXELS = 6, 320 * 240
"""Pairs of a split that are kept for the picture sheet, and their pixels at most."""

RUN_ROWS = 4
"""Where only some rows are read, so many in a row: neighbours have to be compared."""

MOST_LEVELS = 1024
"""Different depths of a split that are kept; with more, it is no 8-bit depth."""


_LARGE = dict.fromkeys(("histogram", "levels", "fits", "fingerprint", "thumbnail", "picture_edges", "depth_edges"))
"""Fields of PairFacts that are not kept for every row as they are."""


class Example(NamedTuple):
    """A pair for the picture sheet, made smaller."""

    name: str
    sample: Sample


class SplitFacts:
    """What `read_split` found: numbers of the split, and of every readable row.

    Attributes:
        split: its name.
        source: where it comes from.
        bad: row -> why it cannot be used.
        rows: the readable ones that were read, ascending; the lists below go with it.
        pairs: what was measured in each, without its large parts.
        fits: key of RIVALS, or `own` -> one fit per row, NaN where not known.
        histogram: int64 `(BINS,)`, of all rows.
        levels: the different depths, or None if there are more than MOST_LEVELS.
        examples: evenly spaced pairs.
        turned: rows of a folder whose picture is stored turned, as EXIF says.
    """

    def __init__(self, split: str, source: Source):
        self.split, self.source = split, source
        self.bad: dict[int, str] = {}
        self.rows: list[int] = []
        self.pairs: list[PairFacts] = []
        self.fits: dict[str, list[float]] = {name: [] for name in ("own", *RIVALS)}
        self.histogram = np.zeros(BINS, np.int64)
        self.levels: np.ndarray | None = np.zeros(0, np.float32)
        self.examples: list[Example] = []
        self.turned: list[int] = []
        # Bytes in a row: a small array per row, between the large ones of decoding, would keep 15 KB of the heap each.
        self._fingerprints, self._thumbnails = bytearray(), bytearray()
        self._last: PairFacts | None = None

    def add(self, row: int, facts: PairFacts) -> None:
        """Takes in the next row."""
        is_neighbour = self._last is not None and self.rows[-1] == row - 1
        self.histogram += facts.histogram
        if self.levels is not None:
            levels = np.union1d(self.levels, facts.levels)
            self.levels = levels if len(levels) <= MOST_LEVELS else None
        for name, value in facts.fits.items():
            self.fits[name].append(value)
        self.fits["next"].append(float("nan"))
        self.fits["previous"].append(float("nan"))
        if is_neighbour:
            self.fits["next"][-2] = fit(self._last.picture_edges, facts.depth_edges)
            self.fits["previous"][-1] = fit(facts.picture_edges, self._last.depth_edges)
        self.rows.append(row)
        self._fingerprints += facts.fingerprint.tobytes()
        self._thumbnails += facts.thumbnail.tobytes()
        self.pairs.append(facts._replace(**_LARGE))
        self._last = facts

    @property
    def fingerprints(self) -> np.ndarray:
        """uint64 `(n, 2)`."""
        return np.frombuffer(bytes(self._fingerprints), np.uint64).reshape(-1, 2)

    @property
    def thumbnails(self) -> np.ndarray:
        """uint8 `(n, h, w)`."""
        return np.frombuffer(bytes(self._thumbnails), np.uint8).reshape(-1, *THUMBNAIL)

    def column(self, name: str) -> np.ndarray:
        """One attribute of all pairs, as an array."""
        return np.array([getattr(pair, name) for pair in self.pairs])

    def total(self, name: str) -> int:
        return sum(getattr(pair, name) for pair in self.pairs)

    @property
    def pixels(self) -> int:
        return sum(height * width for height, width in (pair.size for pair in self.pairs))

    @property
    def sizes(self) -> Counter[str]:
        """`"640x480"` (width x height) -> pairs."""
        return Counter(f"{width}x{height}" for height, width in (pair.size for pair in self.pairs))

    def names(self, chosen: Sequence[int] | np.ndarray) -> tuple[str, ...]:
        """How messages call rows, by their place in `rows` or a mask over it."""
        places = np.flatnonzero(chosen) if np.asarray(chosen).dtype == bool else chosen
        return tuple(row_name(self.source, self.rows[place]) for place in places)


def read_split(
    split: str,
    source: Source,
    *,
    min_depth: float,
    max_depth: float,
    workers: int | None = None,
    samples: int | None = None,
    announce: Callable[[str], None] = lambda line: None,
) -> SplitFacts:
    """Reads every row (or about `samples` evenly spread ones) and measures it; memory grows by 2 KB a row."""
    facts = SplitFacts(split, source)
    indices = chosen_rows(len(source), samples)
    kept = set(np.asarray(indices)[evenly_spaced(len(indices), EXAMPLES)].tolist()) if len(indices) else set()

    def read(index):
        sample = source[index]
        example = smaller(sample) if index in kept else None
        return measure_pair(sample, min_depth, max_depth), example, is_stored_turned(source, index)

    progress = Progress(announce, split, len(indices))
    for index, result, reason in read_rows(read, indices, workers):
        progress.step()
        if reason is not None:
            facts.bad[index] = reason
            continue
        pair, sample, turned = result
        facts.add(index, pair)
        if turned:
            facts.turned.append(index)
        if sample is not None:
            facts.examples.append(Example(row_name(source, index), sample))
    return facts


def chosen_rows(count: int, samples: int | None) -> Sequence[int]:
    """All rows, or about `samples` of them in evenly spaced runs of RUN_ROWS neighbours."""
    if samples is not None and samples < 1:
        raise ValueError(f"`samples` must be at least 1. Received: samples={samples}")
    if samples is None or samples >= count:
        return range(count)
    if samples < 2 * RUN_ROWS:
        return evenly_spaced(count, samples)
    starts = evenly_spaced(count - RUN_ROWS + 1, samples // RUN_ROWS)
    return sorted({start + step for start in starts for step in range(RUN_ROWS)})


def is_stored_turned(source: Source, index: int) -> bool:
    """Whether EXIF says to turn the picture of a row, which only those of a `Folder` may say: a look at its header."""
    while isinstance(source, Rows):
        source, index = source.source, int(source.indices[index])
    if not isinstance(source, Folder) or is_hdf5(source.rows[index].image):
        return False
    return image_header(source.rows[index].image)[1] != 1


def smaller(sample: Sample) -> Sample:
    """At most EXAMPLE_PIXELS, for a picture sheet."""
    height, width = sample.depth.shape
    scale = min(1.0, (EXAMPLE_PIXELS / (height * width)) ** 0.5)
    size = max(1, round(scale * height)), max(1, round(scale * width))
    return Sample(resize_image(sample.image, size), resize_depth(sample.depth, size))
