"""The default data: rendered rooms with exact depth, made on the spot from a seed."""

import hashlib
import operator
import random

import numpy as np

from densedepth_keras.data.rendering import draw_scene, render
from densedepth_keras.data.rendering.holes import punch_holes
from densedepth_keras.data.sample import Sample

ROOMS_SIZES = {"train": 1200, "validation": 96, "test": 192}
RENDERING = 2
"""Part of the content keys; another number where the same scene comes to be drawn another way."""

MIN_SIDE = 32  # pixels; below it doors and chairs are a few pixels and the mean depth is all there is to learn


class Rooms:
    """Rendered indoor rooms, a data set that needs no download and no file.

    Each sample is a room 2.4 to 9.3 m long, of nine kinds from bedroom to store, nearly empty to crowded, by day, by
    night or under tubes, with furniture of real sizes, textures that are metric and a camera like that of NYU Depth V2:
    horizontal field 57 to 60 degrees, 1.35 to 1.65 m above the floor. Depth is along the optical axis, exact, between
    0.5 and 10 m. A sample is a pure function of (seed, split, index, image_size, holes): the scene does not change with
    `image_size` or `num_samples`, the splits never share one, and any thread may read any index. Pictures are drawn at
    each access, nothing is kept but the textures, 20 MB. Images of other shapes than 4:3 show a central crop of the 4:3
    view.

    Args:
        split: `"train"`, `"validation"` or `"test"`; 1200, 96 and 192 samples unless `num_samples` says otherwise.
        image_size: `(height, width)` in pixels, each at least 32.
        num_samples: length of the source; any length continues the same endless sequence of scenes.
        seed: non-negative integer; another seed gives other rooms.
        holes: whether depth has the holes of a structured-light sensor (0, about 5 to 25 % of the pixels): a border,
            shadows beside near objects, dark, glaring or far patches, specks. The image is the same.

    Raises:
        ValueError: unknown split, an image too small, a negative `num_samples` or `seed`.
        TypeError: a number that is not an integer.
        IndexError: from `source[i]`, where `i` is out of range.

    Example:
        >>> image, depth = Rooms("test", image_size=(120, 160))[0]
        >>> image.shape, depth.shape
        ((120, 160, 3), (120, 160))

    The pictures are made by the package itself; they carry its licence.
    """

    def __init__(self, split="train", *, image_size=(240, 320), num_samples=None, seed=0, holes=False):
        if split not in ROOMS_SIZES:
            raise ValueError(f"Unknown split. Expected one of: {', '.join(map(repr, ROOMS_SIZES))}. Received: {split=}")
        self.split = split
        self.image_size = _check_image_size(image_size)
        self.num_samples = _check_count("num_samples", ROOMS_SIZES[split] if num_samples is None else num_samples)
        self.seed = _check_count("seed", seed)
        self.holes = bool(holes)

    def __len__(self):
        return self.num_samples

    def __getitem__(self, index):
        position = self._position(index)
        sample = render(draw_scene(random.Random(f"{self.seed}/{self.split}/{position}")), self.image_size)
        if not self.holes:
            return sample
        stream = [self.seed, list(ROOMS_SIZES).index(self.split), position]
        return Sample(sample.image, punch_holes(sample, np.random.default_rng(stream)))

    def _position(self, index):
        position = operator.index(index)
        position += self.num_samples if position < 0 else 0
        if not 0 <= position < self.num_samples:
            raise IndexError(f"`index` must be below the {self.num_samples} samples of this split. Received: {index=}")
        return position

    def row_name(self, index: int) -> str:
        return f"Room {self._position(index)} of {self.split}"

    def content_key(self, index: int) -> bytes:
        text = f"rooms {RENDERING} {self.seed} {self.split} {self._position(index)} {self.image_size} {self.holes}"
        return hashlib.blake2b(text.encode(), digest_size=16).digest()

    def __repr__(self):
        return (
            f"Rooms({self.split!r}, image_size={self.image_size}, num_samples={self.num_samples}, "
            f"seed={self.seed}, holes={self.holes})"
        )


def _check_count(name, value):
    try:
        count = operator.index(value)
    except TypeError:
        raise TypeError(f"`{name}` must be an integer. Received: {name}={value!r}") from None
    if count < 0:
        raise ValueError(f"`{name}` must not be negative. Received: {name}={value!r}")
    return count


def _check_image_size(image_size):
    message = f"`image_size` must be two integers, (height, width). Received: {image_size=}"
    try:
        sides = tuple(operator.index(side) for side in image_size)
    except TypeError:
        raise TypeError(message) from None
    if len(sides) != 2:
        raise ValueError(message)
    if min(sides) < MIN_SIDE:
        raise ValueError(
            f"`image_size` must be (height, width) with at least {MIN_SIDE} pixels each. Received: {image_size=}"
        )
    return sides
