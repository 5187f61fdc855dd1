"""Holes as a structured-light sensor leaves them."""

import numpy as np


def punch_holes(sample, rng):
    """Sets depth to 0 where a structured-light sensor would have measured nothing.

    A pixel lies in the projector's shadow when a point k pixels to its right is nearer by an inverse depth above
    k / (focal length in pixels x baseline), which is how far the two views slide apart.

    Args:
        sample: image and depth without holes.
        rng: `numpy.random.Generator`.

    Returns:
        A new depth, float32.
    """
    height, width = sample.depth.shape
    inverse_depth = 1 / sample.depth
    hole = np.zeros((height, width), bool)
    slide = width * 0.9 * 0.075  # focal length in pixels of a 58 degree field, times the Kinect's 7.5 cm baseline
    for step in range(1, max(2, width // 25)):
        hole[:, :-step] |= inverse_depth[:, step:] - inverse_depth[:, :-step] > (step + 0.5) / slide
    left, right, top, bottom = (rng.random(4) * (0.035, 0.02, 0.03, 0.02) * (width, width, height, height)).astype(int)
    hole[:, : left + 1] = hole[:, width - right :] = hole[: top + 1] = hole[height - bottom :] = True

    light = sample.image[..., 1]
    patches = _make_patches(rng, height, width)
    hole |= (light < 48) & (patches > 0.45)
    hole |= (light > 225) & (patches > 0.45)
    hole |= patches > 0.35 + 3.2 / sample.depth
    hole |= patches > rng.uniform(0.82, 0.97)
    hole |= rng.random((height, width), dtype=np.float32) < rng.uniform(0.001, 0.01)
    return np.where(hole, np.float32(0), sample.depth)


def _make_patches(rng, height, width):
    """Blobs in 0..1, uniformly distributed, from random numbers on two coarse grids, the same at every image size."""
    total = np.zeros((height, width), np.float32)
    for rows, columns, weight in ((9, 12, 0.6), (36, 48, 0.4)):
        grid = rng.random((rows + 1, columns + 1), dtype=np.float32)
        row, down = _split_steps(height, rows)
        column, along = _split_steps(width, columns)
        tall = grid[row] + (grid[row + 1] - grid[row]) * down[:, None]
        total += weight * (tall[:, column] + (tall[:, column + 1] - tall[:, column]) * along)
    return np.clip((total - 0.5) * 1.45 + 0.5, 0, 1)


def _split_steps(size, cells):
    place = (np.arange(size, dtype=np.float32) + 0.5) * (cells / size)
    return place.astype(int), place % 1
