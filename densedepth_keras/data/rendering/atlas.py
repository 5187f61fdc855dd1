"""Textures as one table with all their smaller levels, painted once per process and fetched from per pixel."""

from functools import cache

import numpy as np

from densedepth_keras.data.buffers import keep_freed_memory
from densedepth_keras.data.rendering import kernels
from densedepth_keras.data.rendering.pixels import ONE
from densedepth_keras.data.rendering.textures import TEXELS, paint_textures

LEVELS = TEXELS.bit_length() - 1  # level n has TEXELS >> n texels a side


def look_up(runs, rows, surfaces, view, depth):
    """Texture value 0..255 of every pixel, uint8, flat.

    Args:
        runs: the picture's `Runs`.
        rows: for each run the row of its surface in `surfaces`.
        depth: float32, flat.

    Random numbers dither between neighbouring levels.
    """
    starts, table = make_atlas()
    v, q = view.v.take(runs.starts // view.shape[1]), 1 / depth.take(runs.starts)
    right, line = np.empty((2, 2, len(rows)), np.float32)
    for axis in range(2):
        forward, right[axis], down = surfaces.maps[:, axis].T.take(rows, axis=1)
        line[axis] = forward + down * v + surfaces.shifts[:, axis].take(rows) * q
    fineness = (surfaces.fineness[rows] + (0.085 + 13 + ONE - 1.5 * ONE)) * (1 << 23)
    first = np.array([starts[material.texture] for material in surfaces.materials], np.int32)[rows]
    noise = stretch(make_noise()[1], depth.size)
    texture = np.empty(depth.size, np.uint8)
    kernels.fetch(
        runs.counts, fineness.astype(np.int32), first, right, line, depth, noise, view.u, table, texture, LEVELS
    )
    return texture


def stretch(table, size):
    """The first `size` values of a table, repeated where it is too short."""
    return table[:size] if size <= table.size else np.resize(table, size)


@cache
def make_noise():
    """Normal noise for the camera, int16 in eighths; parts of an octave, in 2^-23, for the texture levels."""
    rng = np.random.default_rng(11)
    grain = np.clip(8 * rng.standard_normal(1 << 19, dtype=np.float32), -40, 40).astype(np.int16)
    return grain, (rng.random(1 << 17, dtype=np.float32) * (1 << 23)).astype(np.int32)


@cache
def make_atlas():
    """All textures with their smaller levels in one flat uint8 array.

    A texture takes 2 TEXELS rows of TEXELS values: level n lies in rows TEXELS >> n up to twice that, so its row is
    `(TEXELS >> n) + y`, at the left.

    Returns:
        `(starts, table)`: where each texture begins, the texels.
    """
    keep_freed_memory()  # a third of the time at 480x640
    textures = paint_textures(np.random.default_rng(5))
    table = np.zeros((len(textures), 2 * TEXELS, TEXELS), np.uint8)
    for part, texture in zip(table, textures.values(), strict=True):
        level = np.clip(texture, 0, 1).astype(np.float32)
        for side in (TEXELS >> number for number in range(LEVELS + 1)):
            part[side : 2 * side, :side] = level * 255 + 0.5
            if side > 1:
                level = (level[::2, ::2] + level[1::2, ::2] + level[::2, 1::2] + level[1::2, 1::2]) / 4
    return {name: 2 * TEXELS * TEXELS * index for index, name in enumerate(textures)}, table.ravel()
