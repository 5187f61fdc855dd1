"""What every source yields, and the contract of a source."""

from typing import NamedTuple, Protocol

import numpy as np


class Sample(NamedTuple):
    """One picture and its depth.

    Attributes:
        image: uint8 array `(height, width, 3)`, RGB 0..255.
        depth: float32 array `(height, width)`, metres along the optical axis; 0 marks a pixel
            without a measurement, and is the only mark.
    """

    image: np.ndarray
    depth: np.ndarray


def evenly_spaced(count: int, most: int) -> list[int]:
    """At most `most` of the indices 0..count - 1, the ends included."""
    return np.linspace(0, count - 1, min(count, most)).round().astype(int).tolist()


class Source(Protocol):
    """Anything with a length and random access to samples; no TensorFlow, safe to read from threads."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample: ...
