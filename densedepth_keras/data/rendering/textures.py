"""Textures: painted once per process into one table with all their smaller levels, and fetched from it per pixel."""

from functools import cache

import numpy as np

TEXELS = 512  # side of a texture, a power of two because the lookup works with shifts


def look_up_textures(scene, view, flats, pieces, first_round, depth, order, flat):
    """Index of every pixel into the returned colour ramps (3, n, 256); the last ramp is the skirting board's."""
    starts, levels, pyramid = make_atlas()
    place, sizes = view.position.tolist(), [len(pixels) for pixels in pieces.values()]
    maps, materials = [], []
    for face in flats:
        gap = abs(sum(n * p for n, p in zip(face.normal, place, strict=True)) - face.level)
        texel = max(map(abs, (*face.across[:2], *face.up[:3])))
        maps.append((*face.across, *face.up, view.pixel * texel / max(gap, 1e-3) ** 0.5))
        materials.append(face.material)
    for number in list(pieces)[len(flats) :]:
        material = scene.rounds[(number - first_round) // 2].material
        texel = TEXELS / material.period
        maps.append((texel, -texel, 0, 0, 0, texel, 0, view.pixel * texel))
        materials.append(material)
    x, y, z, near = (axis.take(order) for axis in (*flat[:3], depth))
    terms = np.repeat(np.array(maps, np.float32).T, sizes, axis=1)
    across = x * terms[0] + y * terms[1] + terms[2]
    up = x * terms[3] + y * terms[4] + z * terms[5] + terms[6]
    detail = np.sqrt(near)
    detail *= near
    detail *= terms[7]
    offset = np.repeat(np.array([starts[material.texture] for material in materials], np.int32), sizes)
    value = _fetch(across, up, detail, offset, levels, pyramid)
    value += np.repeat(np.arange(0, 256 * len(sizes), 256, dtype=np.int32), sizes)
    lookup = np.empty_like(value)
    lookup[order] = value
    dark, light = np.array([(m.dark, m.light) for m in (*materials, scene.materials[6])], np.float32).transpose(1, 2, 0)
    return lookup, dark[..., None] + (light - dark)[..., None] * np.linspace(0, 1, 256, dtype=np.float32)


def _fetch(across, up, detail, offset, levels, pyramid):
    """Texture values 0..255 from the level whose texels are about as wide as a pixel.

    A level is the exponent bits of texels per pixel; the random factor blends neighbouring levels by dithering.
    """
    detail *= stretch(make_noise()[1], detail.size)
    level = (detail.view(np.int32) >> 23) - 127
    np.clip(level, 0, len(levels) - 1, out=level)
    column = across.astype(np.int32) & (TEXELS - 1)
    row = up.astype(np.int32) & (TEXELS - 1)
    row >>= level
    row <<= (len(levels) - 1) - level
    row += column >> level
    row += levels.take(level)
    row += offset
    return pyramid.take(row).astype(np.int32)


def stretch(table, size):
    """The first `size` values of a table, repeated where it is too short."""
    return table[:size] if size <= table.size else np.resize(table, size)


@cache
def make_noise():
    """Normal noise for the camera, int16 in 1/64, and factors 1..2 for the texture levels, drawn once."""
    rng = np.random.default_rng(11)
    grain = np.clip(64 * rng.standard_normal(1 << 19, dtype=np.float32), -320, 320).astype(np.int16)
    return grain, np.exp2(rng.random(1 << 17, dtype=np.float32))


@cache
def make_atlas():
    """All textures with their smaller levels in one flat uint8 array.

    Returns:
        `(starts, levels, pyramid)`: where each texture begins, where each level begins within a texture, the texels.
    """
    starts, parts = {}, []
    for name, texture in _paint_textures(np.random.default_rng(5)).items():
        starts[name] = sum(part.size for part in parts)
        level = np.clip(texture, 0, 1).astype(np.float32)
        while True:
            parts.append((level * 255 + 0.5).astype(np.uint8).ravel())
            if len(level) == 1:
                break
            level = (level[::2, ::2] + level[1::2, ::2] + level[::2, 1::2] + level[1::2, 1::2]) / 4
    sizes = [(TEXELS >> level) ** 2 for level in range(TEXELS.bit_length())]
    levels = np.cumsum([0, *sizes[:-1]]).astype(np.int32)
    return starts, levels, np.concatenate(parts)


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


def _paint_textures(rng):
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
    return textures


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
        "slats": 0.55 + 0.4 * np.sin(across * 32 * np.pi),
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
