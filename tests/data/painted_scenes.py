"""Scenes painted together with their depth, so that edges of the one are edges of the other: data as it should be."""

import numpy as np

from densedepth_keras.data.sample import Sample


def paint(seed: int, size=(96, 128)) -> Sample:
    """A floor that comes nearer downwards and ten boxes standing in front of it, each of one colour and depth."""
    rng = np.random.default_rng(seed)
    height, width = size
    depth = np.repeat(np.linspace(7.5, 3.5, height)[:, None], width, 1)
    image = np.empty((*size, 3))
    image[:] = rng.uniform(40, 220, 3)
    for _ in range(10):
        box = rng.integers(8, height // 2), rng.integers(8, width // 3)
        top, left = rng.integers(0, height - box[0]), rng.integers(0, width - box[1])
        place = slice(top, top + box[0]), slice(left, left + box[1])
        image[place] = rng.uniform(10, 245, 3)
        depth[place] = rng.uniform(0.3, 0.9) * depth[top + box[0], left]
    image += rng.normal(0, 6, image.shape)
    return Sample(np.clip(image, 0, 255).astype(np.uint8), (depth + rng.normal(0, 0.01, size)).astype(np.float32))


class Scenes:
    """`count` scenes from `first` on; `change` gets `(index, sample)` and returns what is read, or raises."""

    def __init__(self, count, first=0, change=lambda index, sample: sample, size=(96, 128)):
        self.count, self.first, self.change, self.size = count, first, change, size

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        return self.change(index, paint(self.first + index, self.size))

    def row_name(self, index):
        return f"Row {index} of scenes"

    def __repr__(self):
        return f"Scenes({self.count})"


def with_depth_of(shift: int, first: int = 0):
    """A `change` for Scenes from `first` on: the depth of the row `shift` further on."""
    return lambda index, sample: Sample(sample.image, paint(first + index + shift).depth)
