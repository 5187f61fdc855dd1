"""What shading needs to know of every surface in the picture: material, orientation, how its texture lies."""

from typing import NamedTuple

import numpy as np

from densedepth_keras.data.rendering.scene import FIRST_BODY, SKIRTING
from densedepth_keras.data.rendering.textures import TEXELS

TEXTURE_AXES = np.array([(1, 2), (0, 2), (0, 1)])  # along which axes of the body the texture of a face lies
POSITIVE = 16.0  # added to texture coordinates, a whole number of repeats, because the lookup wants no negative ones


class Surfaces(NamedTuple):
    """One row per visible surface, sorted by number, so round ones come last.

    A texture coordinate times the inverse depth q is linear in the picture: `maps[:, k] . (1, u, v) + shifts[:, k] q`,
    k = 0 across, 1 up, in sides of the texture. The normal of a round surface is
    `(point - center) * scale + normal`.
    """

    numbers: np.ndarray
    materials: list
    maps: np.ndarray  # (n, 2, 3)
    shifts: np.ndarray  # (n, 2), 0 for flat surfaces
    fineness: np.ndarray  # (n,): log2 of texels per pixel at depth 1
    normals: np.ndarray  # (n, 3)
    levels: np.ndarray  # (n,): normal . point, for points of a flat surface
    centers: np.ndarray  # (rounds, 3)
    scales: np.ndarray  # (rounds, 3)
    first_round: int  # row of the first round surface


def describe(scene, view, faces, numbers):
    """Builds `Surfaces` for the surface numbers (n,) in the picture."""
    split = int(np.searchsorted(numbers, FIRST_BODY + 3 * len(scene.boxes)))
    flat, rounds = _describe_flats(scene, view, faces, numbers[:split]), _describe_rounds(scene, view, numbers[split:])
    shared = [np.concatenate(pair, dtype=np.float32) for pair in zip(flat[1:], rounds[1:6], strict=True)]
    return Surfaces(numbers, flat[0] + rounds[0], *shared, *rounds[6:], split)


def _describe_flats(scene, view, faces, numbers):
    body, axis, high = _find_faces(scene, faces, numbers)
    room, each = body == len(scene.boxes), np.arange(len(body))
    centers, halves, turns = faces.centers[body], faces.halves[body], faces.turns[body]
    origins = np.einsum("nij,nj->ni", turns, centers)
    outward, inward = np.where(high, np.float32(1), np.float32(-1)), np.where(room, np.float32(-1), np.float32(1))
    normals = turns[each, axis] * (inward * outward)[:, None]
    levels = inward * (outward * origins[each, axis] + halves[each, axis])
    materials = [
        _find_material(scene, *row) for row in zip(numbers.tolist(), body.tolist(), axis.tolist(), high, strict=True)
    ]
    along, every = TEXTURE_AXES[axis], each[:, None]
    fits = np.array([(*(material.fit or (0, 0)), material.period) for material in materials], np.float32)
    fits, period = fits[:, :2], fits[:, 2:]
    half = halves[every, along]
    scale = np.where(fits > 0, fits / (2 * half), 1 / period)
    # Unrelated pieces must not continue each other's pattern, but a fitted one begins at the face's corner.
    apart = np.where(room | (fits[:, 0] > 0), np.float32(0), np.float32(0.37) * body + np.float32(0.61) * axis)
    lines = turns[every, along] * scale[..., None]
    eyes = (faces.eyes[body[:, None], along] + half + apart[:, None]) * scale + POSITIVE
    planes = faces.planes[body, np.where(room & (high != (faces.eyes[body, axis] > 0)), axis + 3, axis)]
    maps = np.einsum("nki,ji->nkj", lines, view.basis) + eyes[..., None] * planes[:, None]
    gap = np.maximum(np.abs(np.einsum("ni,i->n", normals, view.position) - levels), np.float32(1e-3))
    fineness = np.log2(TEXELS * view.pixel * np.abs(lines).max(axis=(1, 2)) / np.sqrt(gap))
    return materials, maps, np.zeros_like(half), fineness, normals, levels


def _find_faces(scene, faces, numbers):
    """Body, axis, and whether it is the face at the axis' high end, of flat surfaces; the room is the last body."""
    body, axis = np.divmod(numbers - FIRST_BODY, 3)
    high = faces.eyes[np.maximum(body, 0), axis] > 0
    inner = np.flatnonzero(numbers < FIRST_BODY)
    side = np.where(numbers[inner] < SKIRTING, numbers[inner], numbers[inner] - SKIRTING)
    body[inner], axis[inner], high[inner] = len(scene.boxes), side // 2, side % 2
    return body, axis, high


def _find_material(scene, number, body, axis, high):
    if number < FIRST_BODY:
        return scene.materials[min(number, SKIRTING)]
    box = scene.boxes[body]
    return box.front if box.front and axis == 1 and high else box.material


def _describe_rounds(scene, view, numbers):
    index, cap = np.divmod(numbers - FIRST_BODY - 3 * len(scene.boxes), 2)
    bodies = [scene.rounds[number] for number in index.tolist()]
    shapes = np.array([(*body.center, body.radius, body.half_height, body.material.period) for body in bodies])
    shapes = shapes.reshape(-1, 6).astype(np.float32)
    centers, normals, scales = shapes[:, :3], np.zeros_like(shapes[:, :3]), np.empty_like(shapes[:, :3])
    scales[:] = np.where(cap, 0, 1 / shapes[:, 3])[:, None]
    scales[:, 2] *= shapes[:, 4] == 0  # the side of a cylinder faces neither up nor down
    normals[:, 2] = cap * np.sign(view.position[2] - centers[:, 2])
    lines = np.array([[[1, -1, 0], [0, 0, 1]]], np.float32) / shapes[:, 5, None, None]
    shifts = np.einsum("nki,i->nk", lines, view.position) + POSITIVE
    maps = np.einsum("nki,ji->nkj", lines, view.basis)
    fineness = np.log2(TEXELS * view.pixel / shapes[:, 5])
    return [body.material for body in bodies], maps, shifts, fineness, normals, np.zeros(len(bodies)), centers, scales
