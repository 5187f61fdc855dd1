"""What is done to every pixel of a picture, by NumPy: the same bits as in `_pixels.c`, in more time.

Each function fills an array that it is given, in place, as NumPy's own `out=` does.
"""

import numpy as np

VERSION = 1
"""Of these functions and their arguments; the build in C has to be of the same one."""

ONE = 127  # exponent bits of 1.0


def cover(starts, counts, numbers, level, slope, u, inverse_depth, surface):
    """Draws stretches of pixels over a picture, each where nothing is nearer; of equals the last one shows.

    Args:
        starts: flat index of each stretch's first pixel, intp (n,); no stretch leaves its row.
        counts: pixels of each, intp (n,).
        numbers: what each shows, uint16 (n,).
        level: inverse depth of each at `u` = 0, float32 (n,).
        slope: its change with `u`, float32 (n,).
        u: of every column, float32.
        inverse_depth: to be drawn on, float32 (H, W).
        surface: to be drawn on, uint16 (H, W).
    """
    place = np.arange(counts.sum())
    place += np.repeat(starts - np.cumsum(counts) + counts, counts)
    nearness = u.take(place % len(u))
    nearness *= np.repeat(slope, counts)
    nearness += np.repeat(level, counts)
    nearest = inverse_depth.ravel()
    np.maximum.at(nearest, place, nearness)
    shown = np.flatnonzero(nearest.take(place) == nearness)
    surface.ravel()[place.take(shown)] = np.repeat(numbers, counts).take(shown)


def fetch(counts, fineness, starts, right, line, depth, noise, u, table, texture, levels):
    """Texture values of pixels: the texel under each, of a level whose texels are about as wide as the pixel.

    Texels are `right * u + line` times depth, for both axes. A float sum with 2^(14 + level) has the texel's number in
    its last bits, so no rounding and no shift is needed.

    Args:
        counts: pixels of each run, intp (n,).
        fineness: int32 (n,), in 2^-23: what the level's logarithm has beside the depth's.
        starts: where each run's texture begins in `table`, int32 (n,).
        right: texels per metre of depth and unit of `u`, float32 (2, n).
        line: texels per metre of depth at `u` = 0, float32 (2, n).
        depth: of every pixel, float32, flat.
        noise: in 2^-23 of a level, int32, flat.
        u: of every column, float32.
        table: the atlas, uint8, flat.
        texture: to be filled, uint8, flat.
        levels: number of the coarsest level; the finest has `2^levels` texels a side.
    """
    magic = _choose_levels(counts, fineness, depth, noise, levels)
    side = np.subtract(np.uint32((2 * ONE + 14 + levels << 23) - 1), magic.view(np.uint32))
    side = side.view(np.float32).astype(np.int32)
    mask = side - 1
    place = []
    for axis in range(2):
        value = np.repeat(right[axis], counts).reshape(-1, len(u))
        value *= u
        value = value.ravel()
        value += np.repeat(line[axis], counts)
        value *= depth
        value += magic.view(np.float32)
        place.append(np.bitwise_and(value.view(np.int32), mask, out=mask if axis else None))
    column, row = place
    row |= side
    row <<= levels
    row += column
    row += np.repeat(starts, counts)
    np.take(table, row.astype(np.intp), mode="clip", out=texture)


def _choose_levels(counts, fineness, depth, noise, levels):
    """Bits of the float just below 2^(14 + level), which turns a sum's rounding into cutting off.

    A float's bits, read as an integer, are its logarithm with errors below 0.09: fine enough, and fast.
    """
    bits = depth.view(np.int32)
    magic = bits >> 1
    magic += bits  # 1.5 times the logarithm
    magic += np.repeat(fineness, counts)
    magic += noise
    np.clip(magic, ONE + 13 << 23, (ONE + 14 + levels << 23) - 1, out=magic)
    magic |= (1 << 23) - 1
    return magic


def lighten(counts, first, slope, run_counts, dark, rise, texture, columns, light):
    """Light that changes linearly along a stretch, times the albedo of the run it belongs to.

    Args:
        counts: pixels of each stretch, intp (m,).
        first: of each channel and stretch the light carried on to column 0, float32 (3, m).
        slope: its change from column to column, float32 (3, m).
        run_counts: pixels of each run, intp (n,); a run is one stretch or several.
        dark: albedo where the texture is 0, float32 (3, n).
        rise: how much it grows with the texture's value, float32 (3, n).
        texture: of every pixel, uint8, flat.
        columns: 0, 1, ... as float32, one per column.
        light: to be filled, float32 (3, H, W).
    """
    lines = np.empty((len(counts), 2), np.float32)
    for channel, lit in enumerate(light):
        lines[:, 0], lines[:, 1] = first[channel], slope[channel]
        # As a complex number, two floats are repeated at the price of one.
        whole = np.repeat(lines.view(np.complex64)[:, 0], counts).reshape(lit.shape)
        np.multiply(whole.imag, columns, out=lit)
        lit += whole.real
        albedo = np.repeat(rise[channel], run_counts)
        albedo *= texture
        albedo += np.repeat(dark[channel], run_counts)
        lit *= albedo.reshape(lit.shape)


def expose(light, inverse_depth, grey, bend, white):
    """The response of a camera, `white * (x / (x + bend))^0.75`, of light x that comes times inverse depth.

    Args:
        light: float32 (3, H, W).
        inverse_depth: float32 (H, W).
        grey: to be filled, int16 (3, H, W).
        bend: linear light where the response has fallen to 0.59 of its limit.
        white: grey level that the response approaches.
    """
    bends = inverse_depth * np.float32(bend)
    for lit, levels in zip(light, grey, strict=True):
        value = lit + bends
        np.divide(lit, value, out=value)
        value *= np.sqrt(value)
        np.sqrt(value, out=value)
        np.multiply(value, np.float32(white), out=levels, casting="unsafe")


def develop(grey, grain, scratch, image, noise):
    """Blur and noise in int16, quarters and then sixty-fourths of a grey level, which takes half the time of float32.

    Args:
        grey: int16 (3, H, W), four times grey levels.
        grain: int16 (3, H, W).
        scratch: not used here; int16 (4, W).
        image: to be filled, uint8 (H, W, 3).
        noise: factor of `grain`, in sixty-fourths of a grey level.
    """
    for axis in (1, 2):
        grey = _blur(grey, axis)
    grey += grain * np.int16(noise)
    grey >>= 6
    for channel, values in enumerate(np.clip(grey, 0, 255, out=grey)):
        image[..., channel] = values


def _blur(grey, axis):
    """Four times the mean with weights 1 2 1 along an axis; the ends are multiplied only."""
    blurred = np.empty_like(grey)
    source, target = (values.swapaxes(1, axis) for values in (grey, blurred))
    pairs = source[:, :-1] + source[:, 1:]
    np.add(pairs[:, :-1], pairs[:, 1:], out=target[:, 1:-1])
    ends = slice(None, None, source.shape[1] - 1)
    np.left_shift(source[:, ends], 2, out=target[:, ends])
    return blurred
