"""What every source yields, the contract of a source, and a choice of its rows."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

SPLITS = ("train", "validation", "test")
"""Of every data set."""


class Sample(NamedTuple):
    """One picture and its depth.

    Attributes:
        image: uint8 array `(height, width, 3)`, RGB 0..255.
        depth: float32 array `(height, width)`, metres along the optical axis; 0 marks a pixel
            without a measurement, and is the only mark.
    """

    image: np.ndarray
    depth: np.ndarray


class Source(Protocol):
    """Anything with a length and random access to samples; no TensorFlow, safe to read from threads.

    Reading a bad row raises a ValueError or a FileNotFoundError that names it. A source may offer more; the functions
    below of the same names stand in where it does not:

    - `row_name(index) -> str`: what a message calls the row, "Row 12 of train.csv (rgb/11.jpg, depth/11.png)";
    - `check_row(index)`: raises as reading would, as far as can be told without decoding;
    - `content_key(index) -> bytes`: a digest of what is stored, cheap against decoding it.
    """

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample: ...


class Rows:
    """Chosen rows of a source, in the order given; a source itself.

    Args:
        source: any source.
        indices: of its rows, e.g. `range(10)` for the first ten.
    """

    def __init__(self, source: Source, indices: Sequence[int]):
        self.source, self.indices = source, indices

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Sample:
        return self.source[int(self.indices[index])]

    def row_name(self, index: int) -> str:
        return row_name(self.source, int(self.indices[index]))

    def check_row(self, index: int) -> None:
        check_row(self.source, int(self.indices[index]))

    def content_key(self, index: int) -> bytes:
        return content_key(self.source, int(self.indices[index]))

    def __repr__(self):
        return f"{len(self)} rows of {self.source!r}"


def row_name(source: Source, index: int) -> str:
    """What a message calls a row of any source."""
    return source.row_name(index) if hasattr(source, "row_name") else f"Sample {index} of {source!r}"


def check_row(source: Source, index: int) -> None:
    """Raises what reading the row would raise, as far as the source can tell without decoding; many cannot."""
    if hasattr(source, "check_row"):
        source.check_row(index)


def content_key(source: Source, index: int) -> bytes:
    """A digest of what the source stores for a row; of its `repr` and the index where it does not say."""
    if hasattr(source, "content_key"):
        return source.content_key(index)
    return hashlib.blake2b(f"{source!r}/{index}".encode(), digest_size=16).digest()


def evenly_spaced(count: int, most: int) -> list[int]:
    """At most `most` of the indices 0..count - 1, the ends included."""
    return np.linspace(0, count - 1, min(count, most)).round().astype(int).tolist()
