"""Boxes: their planes, and the pixels they cover, all of them at once."""

from typing import NamedTuple

import numpy as np

from densedepth_keras.data.rendering import kernels
from densedepth_keras.data.rendering.scene import FIRST_BODY


class Faces(NamedTuple):
    """Numbers of all boxes at once; the last one is the room, seen from inside."""

    centers: np.ndarray
    halves: np.ndarray
    yaws: np.ndarray
    turns: np.ndarray  # (n, 3, 3): world to body
    eyes: np.ndarray  # (n, 3): the camera in body axes
    planes: np.ndarray  # (n, 6, 3): linear inverse depth of the three planes on the camera's side, then of the others


def make_faces(scene, basis):
    """Builds `Faces`; a plane's inverse depth is `ray / (plane - eye)` along its own axis."""
    middle = [size / 2 for size in scene.size]
    rows = [(*box.center, *box.half, box.yaw) for box in scene.boxes] + [(*middle, *middle, 0.0)]
    numbers = np.array(rows, np.float32)
    centers, halves, yaws = numbers[:, :3], numbers[:, 3:6], numbers[:, 6]
    turns = np.zeros((len(rows), 3, 3), np.float32)
    turns[:, 0, 0] = turns[:, 1, 1] = np.cos(yaws)
    turns[:, 0, 1] = np.sin(yaws)
    turns[:, 1, 0] = -turns[:, 0, 1]
    turns[:, 2, 2] = 1
    eyes = np.einsum("nij,nj->ni", turns, np.array(scene.camera.position, np.float32) - centers)
    rays = np.einsum("nij,kj->nik", turns, basis)
    side = np.where(eyes > 0, np.float32(1), np.float32(-1)) * halves
    steps = np.stack([side - eyes, -side - eyes], axis=1)
    steps = np.where(np.abs(steps) < 1e-6, np.float32(1e-6), steps)  # the camera in a face's plane sees no face
    planes = (rays[:, None] / steps[..., None]).reshape(-1, 6, 3)
    return Faces(centers, halves, yaws, turns, eyes, planes)


def draw_boxes(view, faces, parts, inverse_depth, surface):
    """All box faces at once: a face is a convex polygon, one stretch of pixels in each row it crosses."""
    stretches = _cut_faces(view, faces, parts)
    if stretches is None:
        return
    number, row, start, counts, level, slope = stretches
    kernels.cover(row * len(view.u) + start, counts, number, level, slope, view.u, inverse_depth, surface)


def _cut_faces(view, faces, parts):
    """Where the boxes' visible sides would show if nothing stood before them.

    A ray enters a box at the farthest near plane and leaves at the nearest far plane. So a near face shows where its
    plane is farther than the other near planes and nearer than all far ones: in inverse depth, linear inequalities.

    Returns:
        Surface number, row, first column, number of pixels, and inverse depth as `level + slope u`, of each stretch of
        pixels; None where no face is in view.
    """
    outside = (np.abs(faces.eyes) > faces.halves)[:-1]
    outside[[box for box, part in enumerate(parts) if not part]] = False
    box, axis = np.nonzero(outside)
    if not len(box):
        return None
    limits = _list_limits(parts)[box]
    others = (axis[:, None] + (1, 2)) % 3
    own = faces.planes[box, axis]
    near, far = faces.planes[box[:, None], others], faces.planes[box[:, None], others + 3]
    sign = np.where(outside[box[:, None], others], np.float32(-1), np.float32(1))[..., None]
    excess = np.concatenate([(own[:, None] - near) * sign, own[:, None] - far], axis=1)  # positive where the face shows
    face, row, start, end = _cut_rows(excess, limits, view)
    kept = np.flatnonzero(end > start)
    face, row, start = face[kept], row[kept], start[kept]
    number = (FIRST_BODY + 3 * box + axis).astype(np.uint16)
    level = own[face, 0] + own[face, 2] * view.v[row]
    return number[face], row, start, end[kept] - start, level, own[face, 1]


def _cut_rows(excess, limits, view):
    """Where four linear functions of each face (n, 4, 3) are positive in every row of its part of the picture.

    Returns:
        Face, row, first column and the one behind the last, of each pair of a face and a row.
    """
    slope = excess[..., 1]
    slope = np.where(slope == 0, np.float32(1e-12), slope)  # an edge along the row meets it far outside the picture
    level, tilt = excess[..., 0] / -slope, excess[..., 2] / -slope
    far, rising = np.float32(1e9), slope > 0
    counts = limits[:, 1] - limits[:, 0]
    face = np.repeat(np.arange(len(counts)), counts)
    row = np.arange(len(face)) - np.repeat(np.cumsum(counts) - limits[:, 1], counts)
    v, columns = view.v[row], []
    for bound, end in ((np.maximum, far), (np.minimum, -far)):  # the last of the beginnings, the first of the ends
        used = rising if bound is np.maximum else ~rising
        levels, tilts = np.where(used, level, -end).T, np.where(used, tilt, 0).T
        edge = None
        for first, change in zip(levels, tilts, strict=True):
            place = np.repeat(change, counts)
            place *= v
            place += np.repeat(first, counts)
            edge = place if edge is None else bound(edge, place, out=edge)
        edge -= view.u[0]
        edge /= np.float32(view.pixel)
        columns.append(np.ceil(edge, out=edge))
    left, right = np.repeat(limits[:, 2], counts), np.repeat(limits[:, 3], counts)
    start, end = (np.minimum(np.maximum(column, left), right).astype(np.intp) for column in columns)
    return face, row, start, end


def _list_limits(parts):
    """First and last row, first and last column of each part, (n, 4)."""
    return np.array(
        [(part[0].start, part[0].stop, part[1].start, part[1].stop) if part else (0, 0, 0, 0) for part in parts]
    )
