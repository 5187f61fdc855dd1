"""Augmentation: image and depth always together, and a function of the generator alone."""

import itertools

import numpy as np

from densedepth_keras.data.sample import Sample

CHANNEL_ORDERS = tuple(itertools.permutations(range(3)))[1:]
"""The five orders of R, G, B that change something."""


def augment_as_paper(sample: Sample, rng: np.random.Generator) -> Sample:
    """The paper's two: mirrored left to right with p 0.5; with p 0.5 one of the five other channel orders.

    Args:
        sample: image and depth of one size.
        rng: the only source of chance.

    Returns:
        A Sample whose depth still belongs to its image.

    Reference:
        Krishna & Beura. The reference draws from seven orders of which two change nothing, so its colours change with
        p 0.357 only.
    """
    mirror, permute = rng.random(2) < 0.5
    order = CHANNEL_ORDERS[rng.integers(len(CHANNEL_ORDERS))]
    image, depth = sample
    if mirror:
        image, depth = image[:, ::-1], depth[:, ::-1]
    if permute:
        image = image[..., order]
    return Sample(image, depth)
