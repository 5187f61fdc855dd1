"""Pictures that occur twice: the same pixels, or the same view saved anew."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from PIL import Image

NEAR_BITS = 10
"""Of 128: at most so many differ between a picture and its copy.

On NYU Depth v2's frames JPEG at quality 30 and halving change 4 bits at most, other brightness and gamma 9. Of 525,000
pairs of frames from different splits the two most alike differ in 24; of 230,000 pairs of rendered rooms, in 4.
"""

NEAR_CORRELATION = 0.92
"""Of the thumbnails' slopes of a picture and its copy, at least; decides where few bits differ by chance.

The changes above leave 0.97 or more. Of 467,000 pairs of frames from different splits the two most alike have 0.79, of
230,000 pairs of rendered rooms 0.82.
"""

_STEP = 1
"""Grey levels that neighbours must differ by; else noise would set the bits of even surfaces."""

THUMBNAIL = (12, 16)

_CHUNK = 2**22
"""Comparisons made at a time: 64 MB."""


def digest(array: np.ndarray) -> bytes:
    """16 bytes that stand for the exact values of an array."""
    return hashlib.blake2b(np.ascontiguousarray(array), digest_size=16).digest()


def fingerprint(grey: Image.Image) -> np.ndarray:
    """uint64 `(2,)`: which way the brightness changes between 8x8 neighbours, across and down.

    Args:
        grey: a Pillow picture of mode L.

    Reference:
        Krawetz, Kind of Like That (2013): the difference hash, here in both directions.
    """
    across = np.asarray(grey.resize((9, 8), Image.Resampling.BOX), np.int16)
    down = np.asarray(grey.resize((8, 9), Image.Resampling.BOX), np.int16)
    bits = np.concatenate([np.diff(across, axis=1) > _STEP, np.diff(down, axis=0) > _STEP], axis=None)
    return np.packbits(bits).view(np.uint64)


def thumbnail(grey: Image.Image) -> np.ndarray:
    """uint8 of size THUMBNAIL, of a Pillow picture of mode L."""
    return np.asarray(grey.resize(THUMBNAIL[::-1], Image.Resampling.BOX))


def is_near(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether two thumbnails show the same but for brightness; one of a single value is like no other.

    Slopes are compared, not values: two walls lit from the left are alike in values.
    """
    first, second = _slopes(first), _slopes(second)
    scale = float(np.sqrt((first @ first) * (second @ second)))
    return scale > 0 and float(first @ second) >= NEAR_CORRELATION * scale


def _slopes(values):
    values = values.astype(np.float64)
    return np.concatenate([np.diff(values, axis=0), np.diff(values, axis=1)], axis=None)


def differing_bits(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Of 128, between fingerprints `(..., 2)` that fit together."""
    return np.bitwise_count(first ^ second).sum(-1)


def near_pairs(first: np.ndarray, second: np.ndarray, most_bits: int = NEAR_BITS) -> list[tuple[int, int]]:
    """`(i, j)`: of the second, uint64 `(m, 2)`, j is the nearest to i of the first, wherever few bits differ."""
    found: list[tuple[int, int]] = []
    if not len(second):
        return found
    step = max(1, _CHUNK // len(second))
    for start in range(0, len(first), step):
        bits = differing_bits(first[start : start + step, None], second[None])
        nearest = bits.argmin(1)
        close = bits[np.arange(len(bits)), nearest] <= most_bits
        found += [(start + int(i), int(nearest[i])) for i in np.flatnonzero(close)]
    return found


def equal_pairs(first: Sequence[bytes], second: Sequence[bytes]) -> list[tuple[int, int]]:
    """`(i, j)` wherever digest i of the first and j of the second are the same; every i at most once."""
    places = {value: j for j, value in enumerate(second)}
    return [(i, places[value]) for i, value in enumerate(first) if value in places]


def repeated(digests: Sequence[bytes]) -> list[list[int]]:
    """Groups of two or more places that hold the same digest."""
    groups: dict[bytes, list[int]] = defaultdict(list)
    for place, value in enumerate(digests):
        groups[value].append(place)
    return [group for group in groups.values() if len(group) > 1]
