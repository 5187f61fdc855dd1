"""Which surface every pixel shows, and how far away it is."""

import numpy as np

from densedepth_keras.data.rendering.boxes import draw_boxes, make_faces
from densedepth_keras.data.rendering.scene import FIRST_BODY, SHADE_REACH, SKIRTING


def trace(scene, view):
    """Finds what every pixel shows.

    Args:
        scene: a `Scene` whose camera stands inside the room and outside every body.
        view: the `View` of its camera.

    Returns:
        `(inverse_depth, surface, faces, shaded)`: float32 and uint16 arrays (height, width), the boxes' `Faces`, and
        the slices of the picture that each of `scene.shades` may darken (None where it is out of view).
    """
    faces = make_faces(scene, view.basis)
    parts = _bound_bodies(scene, view, faces)
    boxes, bodies = len(scene.boxes), len(scene.boxes) + len(scene.rounds)
    inverse_depth, surface = _draw_room(scene, view)
    draw_boxes(view, faces, parts[:boxes], inverse_depth, surface)
    _draw_rounds(scene, view, parts[boxes:bodies], inverse_depth, surface)
    return inverse_depth, surface, faces, parts[bodies:]


def _bound_bodies(scene, view, faces):
    """Parts of the picture with the boxes, then the round bodies, then what the shades darken."""
    rows = [(*body.center, *(body.radius,) * 2, body.half_height or body.radius, 0.0) for body in scene.rounds]
    rows += [(*center, *(size + SHADE_REACH for size in half), yaw) for center, half, yaw in scene.shades]
    others = np.array(rows, np.float32).reshape(-1, 7)
    bodies = [
        np.concatenate(pair)
        for pair in (
            (faces.centers[:-1], others[:, :3]),
            (faces.halves[:-1], others[:, 3:6]),
            (faces.yaws[:-1], others[:, 6]),
        )
    ]
    return view.bound(*bodies) if len(bodies[0]) else []


def _draw_room(scene, view):
    """Inverse depth and surface number of the empty room: the nearest of its planes, seen from inside.

    Along a row of the picture the planes are lines, and the highest of them changes in the order of their slopes. So
    each row is filled in a few stretches, without looking at its pixels.
    """
    sides = zip(scene.camera.position, scene.size, strict=True)
    steps = np.array([end - place for place, size in sides for end in (0, size)])
    planes = view.basis.T.repeat(2, axis=0) / steps[:, None].astype(np.float32)  # row 2 axis + (0 low, 1 high)
    order = _find_candidates(planes, view)
    order = order[np.argsort(planes[order, 1])]
    planes, (height, width) = planes[order], view.shape
    level = planes[:, :1] + planes[:, 2:] * view.v
    counts = _split_rows(level, planes[:, 1], view).T.ravel()
    inverse_depth = np.repeat(np.tile(planes[:, 1], height), counts).reshape(height, width)
    inverse_depth *= view.u
    inverse_depth += np.repeat(level.T.ravel(), counts).reshape(height, width)
    surface = np.repeat(np.tile(order.astype(np.uint16), height), counts).reshape(height, width)
    if scene.skirting:
        _draw_skirting(scene.skirting, view, inverse_depth, surface)
    return inverse_depth, surface


def _find_candidates(planes, view):
    """Indices of the planes that no other one hides all over the picture; at its corners tells, they are linear."""
    corners = planes[:, :1] + planes[:, 1:2] * view.u[[0, -1, 0, -1]] + planes[:, 2:] * view.v[[0, 0, -1, -1]]
    hidden = (corners[:, None] > corners).all(axis=2).any(axis=0)
    return np.flatnonzero(~hidden)


def _split_rows(level, slopes, view):
    """How many pixels of each row belong to each line, (n, height); lines sorted by slope.

    Lines up to k end where one of the later ones has passed them all.
    """
    width, lines = len(view.u), len(slopes)
    gap = np.maximum(slopes - slopes[:, None], np.float32(1e-12))  # parallel lines meet far outside the picture
    passed = np.maximum.accumulate((level[:, None] - level) / gap[..., None], axis=0)
    ends = np.empty((lines + 1, level.shape[1]), np.float32)
    ends[0], ends[-1] = -np.inf, np.inf
    for line in range(1, lines):
        ends[line] = passed[line - 1, line:].min(axis=0)
    columns = np.ceil((ends - view.u[0]) / np.float32(view.pixel))
    columns = np.maximum.accumulate(np.clip(columns, 0, width, out=columns), axis=0).astype(np.intp)
    return columns[1:] - columns[:-1]


def _draw_skirting(top, view, inverse_depth, surface):
    """The walls below `top` metres: there the plane at that height would lie nearer than the wall."""
    plane = view.basis[:, 2] / np.float32(top - view.position[2])
    ends = view.spread(plane, columns=[0, -1])
    rows = slice(int(np.argmax(np.maximum(ends[:, 0], ends[:, 1]) > 0)), None)
    low = view.spread(plane, rows) > inverse_depth[rows]
    low &= surface[rows] < 4
    surface[rows] += low.view(np.uint8) * np.uint8(SKIRTING)


def _draw_rounds(scene, view, parts, inverse_depth, surface):
    """Balls and cylinders: the larger root of `C q^2 + 2 B q + A = 0` in inverse depth q is the nearer hit."""
    first = FIRST_BODY + 3 * len(scene.boxes)
    for index, (body, part) in enumerate(zip(scene.rounds, parts, strict=True)):
        if part is None:
            continue
        eye = view.position - np.array(body.center, np.float32)
        rays = [view.spread(axis, *part) for axis in view.basis.T]
        for face, (level, hit) in enumerate(_hit_round(body, eye, rays)):
            hit &= level > inverse_depth[part]
            np.copyto(inverse_depth[part], level, where=hit)
            np.copyto(surface[part], np.uint16(first + 2 * index + face), where=hit)


def _hit_round(body, eye, rays):
    """Pairs of inverse depth and hit mask: the curved side, then the visible cap of a cylinder."""
    axes = range(2 if body.half_height else 3)
    length = sum(rays[axis] * rays[axis] for axis in axes)
    along = sum(rays[axis] * eye[axis] for axis in axes)
    gap = float(sum(eye[axis] ** 2 for axis in axes) - body.radius**2)
    hits = []
    if gap > 0:
        root = along * along - length * gap
        hit = (root > 0) & (along < 0)
        level = (np.sqrt(np.maximum(root, 0)) - along) / np.float32(gap)
        if body.half_height:
            hit &= np.abs(rays[2] + eye[2] * level) <= body.half_height * level
        hits.append((level, hit))
    else:
        hits.append((np.zeros_like(along), np.zeros(along.shape, bool)))
    if body.half_height and abs(eye[2]) > body.half_height:
        level = rays[2] * np.float32(1 / (np.copysign(body.half_height, eye[2]) - eye[2]))
        hits.append((level, length + 2 * along * level + np.float32(gap) * level * level <= 0))
    return hits
