"""What the textures look like: square pictures in 0..1, tileable unless they fill a face."""

import numpy as np

TEXELS = 512  # side of a texture, a power of two because the lookup works with bits


def paint_textures(rng):
    """Dictionary of square textures in 0..1; rows go up a wall, columns along it."""
    fine = rng.standard_normal((TEXELS, TEXELS))
    grain = _cloud(rng, 1.1, (0.25, 4.0))
    grid = (np.arange(TEXELS) + 0.5) / TEXELS
    across, up = np.meshgrid(grid, grid)
    edge = np.minimum(np.minimum(across, 1 - across), np.minimum(up, 1 - up))
    return {
        **_paint_floors(rng, fine, grain, across, up),
        **_paint_walls(rng, fine, grain, across, up),
        **_paint_furniture(rng, fine, grain, across, up, edge),
        **_paint_pictures(rng, fine, across, up, edge),
    }


def _cloud(rng, power=1.0, stretch=(1.0, 1.0)):
    """Tileable noise with spectrum 1/f^power, mean 0 and deviation 1; stretched along (rows, columns)."""
    frequency = np.fft.fftfreq(TEXELS) * TEXELS
    radius = np.hypot(frequency[:, None] * stretch[0], frequency[None, :] * stretch[1])
    radius[0, 0] = np.inf
    cloud = np.fft.ifft2(np.fft.fft2(rng.standard_normal((TEXELS, TEXELS))) / radius**power).real
    return cloud / cloud.std()


def _blocks(rng, rows, columns, shift=None, line=2.0):
    """Tone per block 0..1 and line mask of a running bond; `shift` moves each row by a share of a block."""
    grid = (np.arange(TEXELS) + 0.5) / TEXELS
    down = grid * rows
    row = down.astype(int)
    move = np.zeros(rows) if shift is None else shift
    along = grid[None, :] * columns + move[row][:, None]
    tone = rng.random((rows, columns))[row[:, None], along.astype(int) % columns]
    texel = np.minimum(
        np.abs(down - np.round(down))[:, None] * TEXELS / rows, np.abs(along - np.round(along)) * TEXELS / columns
    )
    return tone, np.clip(line - texel, 0, 1)


def _paint_floors(rng, fine, grain, across, up):
    textures = {"carpet": 0.5 + 0.12 * fine + 0.1 * _cloud(rng, 0.7)}
    for name, rows, columns in (("boards", 16, 2), ("narrow_boards", 32, 3)):
        tone, line = _blocks(rng, rows, columns, rng.random(rows), 1.3)
        textures[name] = (0.25 + 0.5 * tone + 0.09 * grain) * (1 - 0.6 * line)
    for name, count in (("tiles", 8), ("small_tiles", 16), ("large_tiles", 4)):
        tone, line = _blocks(rng, count, count, None, 1.8)
        textures[name] = (0.55 + 0.3 * tone + 0.05 * _cloud(rng)) * (1 - 0.7 * line)
    odd = ((across * 8).astype(int) + (up * 8).astype(int)) & 1
    textures["checker"] = 0.15 + 0.65 * odd + 0.04 * _cloud(rng)
    tone, line = _blocks(rng, 8, 8, None, 1.2)
    strip = (np.where(odd, across, up) * 40).astype(int)
    tone = 0.6 * rng.random(40)[strip] + 0.4 * tone
    textures["parquet"] = (0.2 + 0.6 * tone + 0.05 * fine) * (1 - 0.5 * line)
    textures["herringbone"] = _paint_herringbone(rng, across, up) + 0.06 * grain
    chips = _cloud(rng, 0.35)
    textures["terrazzo"] = 0.5 + 0.3 * np.sign(chips) * (np.abs(chips) > 1.3) + 0.03 * fine
    return textures


def _paint_herringbone(rng, across, up, count=16):
    """Planks of four by one cells, laid at right angles to each other."""
    column, row = (across * count).astype(int), (up * count).astype(int)
    phase = (column - row) % 8
    lying = phase < 4
    plank = np.where(lying, (column - phase) * count + row, column * count + row + phase)
    tone = rng.random(2 * count * count)[plank % (2 * count * count)]
    along, beside = np.where(lying, up, across) * count % 1, np.where(lying, across, up) * count % 1
    gap = np.minimum(along, 1 - along) < 0.06
    gap |= (np.where(lying, phase, 7 - phase) == 0) & (beside < 0.06)
    return (0.25 + 0.5 * tone) * (1 - 0.5 * gap)


def _paint_walls(rng, fine, grain, across, up):
    tone, line = _blocks(rng, 32, 10, np.arange(32) % 2 * 0.5, 2.0)
    wave = np.sin(across * 16 * np.pi) * np.sin(up * 16 * np.pi)
    gap = np.abs((across * 20 + 0.5) % 1 - 0.5) * TEXELS / 20
    return {
        "plain": 0.5 + 0.05 * _cloud(rng, 1.2),
        "plaster": 0.5 + 0.1 * _cloud(rng, 1.0) + 0.04 * fine,
        "bricks": (0.15 + 0.35 * tone + 0.06 * fine) * (1 - line) + 0.85 * line,
        "stripes": 0.5 + 0.3 * np.sign(np.sin(across * 24 * np.pi)) + 0.03 * fine,
        "damask": 0.5 + 0.3 * np.tanh(4 * wave + np.sin(up * 32 * np.pi)),
        "panels": (0.6 + 0.04 * grain.T) * (1 - 0.6 * np.clip(2 - gap, 0, 1)),
        **_paint_papers(rng, fine, across, up),
        "slats": 0.55 + 0.4 * np.sin(across * 32 * np.pi),
    }


def _paint_papers(rng, fine, across, up):
    """Concrete, glazed bricks and two wallpapers."""
    tone, line = _blocks(rng, 24, 8, np.arange(24) % 2 * 0.5, 1.5)
    spot = np.hypot((across * 12 + 0.5 * ((up * 12).astype(int) % 2)) % 1 - 0.5, up * 12 % 1 - 0.5)
    x, y = (across * 10 + 0.5 * ((up * 10).astype(int) % 2)) % 1 - 0.5, up * 10 % 1 - 0.5
    petals = 0.28 + 0.12 * np.cos(5 * np.arctan2(y, x)) - np.hypot(x, y)
    joint = (np.abs(across * 2 % 1 - 0.5) > 0.494) | (np.abs(up * 2 % 1 - 0.5) > 0.494)
    return {
        "concrete": (0.5 + 0.13 * _cloud(rng, 1.3) + 0.05 * fine) * (1 - 0.4 * joint),
        "metro": (0.7 + 0.12 * tone + 0.02 * fine) * (1 - 0.5 * line),
        "dots": 0.6 - 0.4 * (spot < 0.28) + 0.02 * fine,
        "floral": 0.6 - 0.35 * np.clip(12 * petals, 0, 1) + 0.3 * (np.hypot(x, y) < 0.08) + 0.02 * fine,
    }


def _paint_furniture(rng, fine, grain, across, up, edge):
    weave = np.sign(np.sin(across * 128 * np.pi) * np.sin(up * 128 * np.pi))
    spines, book = rng.random(40) * 0.7 + 0.6, rng.random(40)
    spine = np.searchsorted(np.cumsum(spines) / spines.sum(), across[0])
    tall, band = up < 0.7 + 0.27 * rng.random(40)[spine], 0.8 + 0.2 * (np.abs(up - 0.5) < 0.2)
    door = 0.6 + 0.03 * grain.T - 0.5 * (edge < 0.012) - 0.2 * (np.abs(edge - 0.12) < 0.01)
    drawer = 0.6 + 0.06 * grain - 0.55 * (edge < 0.015)
    return {
        "grain": 0.5 + 0.15 * grain + 0.05 * _cloud(rng, 0.6, (0.2, 6.0)),
        "weave": 0.5 + 0.08 * fine + 0.08 * weave + 0.06 * _cloud(rng),
        "plaid": 0.5 + 0.2 * (np.sin(across * 24 * np.pi) > 0.4) - 0.25 * (np.sin(up * 24 * np.pi) > 0.5) + 0.06 * fine,
        "leaves": 0.5 + 0.3 * _cloud(rng, 0.8),
        "books": tall * book[spine] * band,
        "door": np.where(np.hypot((across - 0.9) * 0.45, up - 0.5) < 0.016, 0.05, door),
        "drawer": np.where((np.abs(across - 0.5) < 0.12) & (np.abs(up - 0.6) < 0.03), 0.05, drawer),
        "mirror": np.where(edge < 0.02, 0.0, 0.45 + 0.4 * np.tanh(3 * (across + up - 1))),
        "washer": np.where(np.abs(np.hypot(across - 0.5, up - 0.45) - 0.27) < 0.03, 0.4, 0.85)
        * (np.hypot(across - 0.5, up - 0.45) > 0.25),
        "screen": np.where(edge < 0.03, 0.0, 0.35 + 0.15 * (across + up)),
    }


def _paint_pictures(rng, fine, across, up, edge):
    """Textures that fill one face: rugs, the view through a window, paintings with their frames."""
    bars = (edge < 0.04) | (np.abs(across - 0.5) < 0.02) | (np.abs(up - 0.68) < 0.014)
    outside = np.clip(0.55 + 0.35 * up + 0.12 * _cloud(rng, 1.5) * (up < 0.45), 0.2, 1)
    rings = 0.5 + 0.35 * np.sign(np.sin(edge * 60))
    rhombs = np.sin((np.abs(across - 0.5) + np.abs(up - 0.5)) * 45)
    pattern = 0.5 + 0.3 * np.sign(rhombs) * (rhombs**2 > 0.2)
    textures = {"window": np.where(bars, 0.0, outside), "rug": np.where(edge < 0.18, rings, pattern) + 0.06 * fine}
    for index in range(4):
        scenery = 0.5 + 0.28 * _cloud(rng, 1.4 + 0.2 * index, (1.0, 1.0) if index % 2 else (2.0, 0.7))
        scenery = np.where(edge < 0.1, 0.95, scenery) if index < 2 else scenery
        textures[f"picture{index}"] = np.where(edge < 0.04, 0.95 if index == 3 else 0.05, scenery)
    return textures
