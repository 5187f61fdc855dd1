"""Light that falls on points: lamps, darkening in edges and around furniture."""

import math

import numpy as np

from densedepth_keras.data.rendering.scene import FIRST_BODY, SHADE_REACH


def illuminate(scene, view, surfaces, shaded, rows, pixels, inverse_depth):
    """Linear RGB light (3, m) on the points that these pixels show.

    Args:
        shaded: for each of `scene.shades` the part of the picture it may darken, or None.
        rows: row of each pixel's surface in `surfaces`.
        pixels: flat indices of the pixels, sorted.
        inverse_depth: theirs.
    """
    line = pixels // view.shape[1]
    column = pixels - line * view.shape[1]
    u, v = view.u.take(column), view.v.take(line)
    points = np.empty((5, len(pixels)), np.float32)  # x, y, z, x^2 + y^2 + z^2, 1
    for axis in range(3):
        forward, right, down = view.basis[:, axis]
        np.multiply(u, right, out=points[axis])
        points[axis] += forward
        points[axis] += v * down
    points[:3] /= inverse_depth
    points[:3] += view.position[:, None]
    np.einsum("ij,ij->j", points[:3], points[:3], out=points[3])
    points[4] = 1
    light = _shine(scene, surfaces, rows, points)
    factor = _occlude(scene, points)
    if scene.vignette:
        limit = np.float32((view.u[-1] ** 2 + view.v[-1] ** 2) / scene.vignette)
        factor *= 1 - (u * u + v * v) / limit
    bare = rows < np.searchsorted(surfaces.numbers, FIRST_BODY)
    for shade, part in zip(scene.shades, shaded, strict=True):
        if part is None:
            continue
        first, last = np.searchsorted(pixels, [part[0].start * view.shape[1], part[0].stop * view.shape[1]])
        inside = bare[first:last] & (column[first:last] >= part[1].start) & (column[first:last] < part[1].stop)
        inside = np.flatnonzero(inside) + first
        factor[inside] *= _shade(shade, points.take(inside, axis=1))
    light *= factor
    colours = np.array([scene.ambient, *(lamp.colour for lamp in scene.lights)], np.float32)
    return np.einsum("ik,ij->kj", colours, light)


def _shine(scene, surfaces, row, points):
    """Row 0 is the ambient share, row k the irradiance of lamp k in units of its colour."""
    lamps = np.array([lamp.position for lamp in scene.lights], np.float32).reshape(-1, 3)
    glow = np.array([material.glow for material in surfaces.materials], np.float32)
    table = np.empty((1 + len(lamps), len(glow)), np.float32)
    table[0] = 0.85 + 0.15 * surfaces.normals[:, 2] + glow
    # The height of the lamp over the plane is the cosine times the distance.
    np.maximum(np.einsum("li,ni->ln", lamps, surfaces.normals) - surfaces.levels, 0, out=table[1:])
    light = np.empty((len(table), len(row)), np.float32)
    for values, out in zip(table, light, strict=True):
        np.take(values, row, out=out, mode="clip")
    bent = np.flatnonzero(row >= surfaces.first_round)
    if len(bent):
        body = row[bent] - surfaces.first_round
        place = points[:3].take(bent, axis=1)  # coordinate by coordinate in memory: sums over them are fast
        normals = place - surfaces.centers.T.take(body, axis=1)
        normals *= surfaces.scales.T.take(body, axis=1)
        normals += surfaces.normals.T.take(row[bent], axis=1)
        light[0, bent] += np.float32(0.15) * (normals[2] - surfaces.normals[row[bent], 2])
        toward = np.einsum("li,im->lm", lamps, normals) - (normals * place).sum(axis=0)
        light[1:, bent] = np.maximum(toward, 0)
    _attenuate(lamps, light, points)
    return light


def _attenuate(lamps, light, points):
    """Inverse square law, softened within half a metre because lamps are not points."""
    if not len(lamps):
        return
    constant = (lamps**2).sum(axis=1) + np.float32(0.25)
    terms = np.column_stack([-2 * lamps, np.ones_like(constant), constant])
    square = np.einsum("ij,jk->ik", terms, points)  # not BLAS: its threads cost more than they save here
    light[1:] /= square
    light[1:] /= np.sqrt(square, out=square)


def _occlude(scene, points):
    """Darkening towards the room's edges."""
    half = np.array(scene.size, np.float32)[:, None] / 2
    edge = points[:3] - half
    np.abs(edge, out=edge)
    edge -= np.maximum(half - np.float32(0.6), 0)
    np.maximum(edge, 0, out=edge)
    edge *= edge
    edge *= np.float32(-0.3 / 0.6**2)
    edge += 1
    factor = edge[0]
    factor *= edge[1]
    factor *= edge[2]
    return factor


def _shade(shade, points):
    """Factor that darkens points of the room's planes around furniture."""
    (x, y, z), half, yaw = shade
    cos, sin = math.cos(yaw), math.sin(yaw)
    turn = ((cos, sin, 0, 0, -cos * x - sin * y), (-sin, cos, 0, 0, sin * x - cos * y), (0, 0, 1, 0, -z))
    away = np.einsum("ij,jk->ik", np.array(turn, np.float32), points)
    np.abs(away, out=away)
    away -= np.array(half, np.float32)[:, None]
    np.maximum(away, 0, out=away)
    near = np.einsum("ij,ij->j", away, away)
    near *= np.float32(-1 / SHADE_REACH**2)
    near += 1
    np.maximum(near, 0, out=near)
    near *= near
    near *= np.float32(-0.45)
    near += 1
    return near
