"""Which surface every pixel shows, and how far away it is.

With a ray `d = forward + u right + v down` the inverse depth of a plane is linear in the picture coordinates (u, v),
so a box is six linear functions compared, without a division per pixel, and depth is along the optical axis by
construction.
"""

import math
from typing import NamedTuple

import numpy as np

from densedepth_keras.data.rendering.scene import FIRST_BODY, SHADE_REACH

CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float32)
EDGES = np.array([(i, i | bit) for bit in (1, 2, 4) for i in range(8) if not i & bit])
CLIP_DEPTH = 0.3  # metres; bodies are cut here before projecting their corners, nothing visible is nearer than 0.5


def make_basis(camera):
    """The camera's forward, right and down directions in world axes, three tuples."""
    (cos_y, sin_y), (cos_p, sin_p), (cos_r, sin_r) = (
        (math.cos(angle), math.sin(angle)) for angle in (camera.yaw, camera.pitch, camera.roll)
    )
    forward = (cos_y * cos_p, sin_y * cos_p, sin_p)
    right, down = (sin_y, -cos_y, 0.0), (cos_y * sin_p, sin_y * sin_p, -cos_p)  # before the roll
    rolled = [(cos_r * a + sin_r * b, cos_r * b - sin_r * a) for a, b in zip(right, down, strict=True)]
    return forward, *zip(*rolled, strict=True)


def make_grid(camera, image_size):
    """Picture coordinates u (width,) and v (height,) of pixel centres at depth 1.

    The field never exceeds `tangent` across and 0.75 `tangent` up: other shapes than 4:3 are central crops, so a
    scene that keeps its distance in 4:3 keeps it in every shape.
    """
    height, width = image_size
    focal = max(width / 2, height / 1.5) / camera.tangent
    u = (np.arange(width, dtype=np.float32) + np.float32(0.5 - width / 2)) / np.float32(focal)
    v = (np.arange(height, dtype=np.float32) + np.float32(0.5 - height / 2)) / np.float32(focal)
    return u, v


class View:
    """The camera's numbers that every step needs."""

    def __init__(self, camera, image_size):
        self.basis = np.array(make_basis(camera), np.float32)
        self.position = np.array(camera.position, np.float32)
        self.u, self.v = make_grid(camera, image_size)
        self.pixel = float(self.u[1] - self.u[0])
        self.rays = [self.spread(self.basis[:, axis]) for axis in range(3)]

    def spread(self, plane, rows=slice(None), columns=slice(None)):
        """The linear function `plane[0] + plane[1] u + plane[2] v` on a rectangle of pixels."""
        return (plane[0] + plane[2] * self.v[rows])[:, None] + (plane[1] * self.u[columns])[None, :]

    def bound(self, centers, halves, yaws):
        """Slices (rows, columns) of the picture around turned boxes; None for a box out of view."""
        offset = CORNERS[None] * halves[:, None]
        cos, sin = np.cos(yaws)[:, None], np.sin(yaws)[:, None]
        world = np.stack(
            [offset[..., 0] * cos - offset[..., 1] * sin, offset[..., 0] * sin + offset[..., 1] * cos, offset[..., 2]],
            axis=-1,
        )
        corner = (world + (centers - self.position)[:, None]) @ self.basis.T
        start, end = corner[:, EDGES[:, 0]], corner[:, EDGES[:, 1]]
        run = end[..., 0] - start[..., 0]
        share = (CLIP_DEPTH - start[..., 0]) / np.where(run == 0, 1, run)
        cut = start + share[..., None] * (end - start)
        points = np.concatenate([corner, cut], axis=1)
        seen = np.concatenate([corner[..., 0] >= CLIP_DEPTH, (share > 0) & (share < 1) & (run != 0)], axis=1)
        place = points[..., 1:] / np.where(seen, points[..., 0], 1)[..., None]
        place = (place - np.array([self.u[0], self.v[0]])) / self.pixel
        low = np.where(seen[..., None], place, np.inf).min(axis=1)
        high = np.where(seen[..., None], place, -np.inf).max(axis=1)
        limit = np.array([len(self.u), len(self.v)])
        low = np.clip(np.ceil(low - 0.01), 0, limit)
        high = np.clip(np.floor(high + 0.01) + 1, 0, limit)
        rectangles = np.concatenate([low, high], axis=1).astype(int).tolist()
        return [(slice(y0, y1), slice(x0, x1)) if x0 < x1 and y0 < y1 else None for x0, y0, x1, y1 in rectangles]


def trace(scene, view):
    """Finds what every pixel shows.

    Args:
        scene: a `Scene` whose camera stands inside the room and outside every body.
        view: the `View` of its camera.

    Returns:
        `(inverse_depth, surface, faces, shaded)`: float32 and uint16 arrays (height, width), the boxes' `Faces`, and
        the slices of the picture that each of `scene.shades` may darken (None where it is out of view).
    """
    faces = _make_faces(scene, view.basis)
    parts = _bound_bodies(scene, view, faces)
    boxes, bodies = len(scene.boxes), len(scene.boxes) + len(scene.rounds)
    inverse_depth, surface = _draw_room(scene, view)
    _draw_boxes(view, faces, parts[:boxes], inverse_depth, surface)
    _draw_rounds(scene, view, parts[boxes:bodies], inverse_depth, surface)
    return inverse_depth, surface, faces, parts[bodies:]


class Faces(NamedTuple):
    """Numbers of all boxes at once."""

    centers: np.ndarray
    halves: np.ndarray
    yaws: np.ndarray
    turns: np.ndarray  # (n, 3, 3): world to body
    eyes: np.ndarray  # (n, 3): the camera in body axes
    planes: np.ndarray  # (n, 6, 3): linear inverse depth of the three near, then the three far planes


def _make_faces(scene, basis):
    """Builds `Faces`; a plane's inverse depth is `ray / (plane - eye)` along its own axis."""
    count = len(scene.boxes)
    centers = np.array([box.center for box in scene.boxes], np.float32).reshape(count, 3)
    halves = np.array([box.half for box in scene.boxes], np.float32).reshape(count, 3)
    yaws = np.array([box.yaw for box in scene.boxes], np.float32)
    turns = np.zeros((count, 3, 3), np.float32)
    turns[:, 0, 0] = turns[:, 1, 1] = np.cos(yaws)
    turns[:, 0, 1] = np.sin(yaws)
    turns[:, 1, 0] = -turns[:, 0, 1]
    turns[:, 2, 2] = 1
    eyes = np.einsum("nij,nj->ni", turns, np.array(scene.camera.position, np.float32) - centers)
    rays = turns @ basis.T
    side = np.where(eyes > 0, np.float32(1), np.float32(-1)) * halves
    steps = np.stack([side - eyes, -side - eyes], axis=1)
    steps = np.where(np.abs(steps) < 1e-6, np.float32(1e-6), steps)  # the camera in a face's plane sees no face
    planes = (rays[:, None] / steps[..., None]).reshape(count, 6, 3)
    return Faces(centers, halves, yaws, turns, eyes, planes)


def _bound_bodies(scene, view, faces):
    """Parts of the picture with the boxes, then the round bodies, then what the shades darken."""
    rounds = [(body.center, (body.radius, body.radius, body.half_height or body.radius), 0.0) for body in scene.rounds]
    shades = [(center, tuple(size + SHADE_REACH for size in half), yaw) for center, half, yaw in scene.shades]
    others = [np.array(column, np.float32) for column in zip(*rounds, *shades, strict=True)]
    bodies = [faces.centers, faces.halves, faces.yaws]
    if others:
        bodies = [np.concatenate(pair) for pair in zip(bodies, others, strict=True)]
    return view.bound(*bodies) if len(bodies[0]) else []


def _draw_room(scene, view):
    """Inverse depth and surface number of the empty room: the nearest of six planes seen from inside."""
    inverse_depth, surface = None, None
    for axis in range(3):
        ray, place = view.rays[axis], view.position[axis]
        nearer = np.maximum(ray * (1 / (scene.size[axis] - place)), ray * (-1 / place))
        number = (ray > 0).view(np.uint8) + np.uint8(2 * axis)
        if axis == 0:
            inverse_depth, surface = nearer, number
        else:
            np.copyto(surface, number, where=nearer > inverse_depth)
            np.maximum(inverse_depth, nearer, out=inverse_depth)
    return inverse_depth, surface.astype(np.uint16)


def _draw_boxes(view, faces, parts, inverse_depth, surface):
    """A ray enters a box at the farthest near plane and leaves at the nearest far plane."""
    outside = (np.abs(faces.eyes) > faces.halves).tolist()
    for box, part in enumerate(parts):
        near = [axis for axis in range(3) if outside[box][axis]]
        if part is None or not near:
            continue
        order = near + [axis for axis in range(6) if axis not in near]
        plane = faces.planes[box, order]
        level = plane[:, 0, None] + plane[:, 2, None] * view.v[part[0]]
        level = level[:, :, None] + (plane[:, 1, None] * view.u[part[1]])[:, None, :]
        leave = np.maximum(level[len(near) :].max(axis=0), inverse_depth[part])
        enter = level[0]
        number = np.uint16(FIRST_BODY + 3 * box + near[0])
        for axis, other in zip(near[1:], level[1 : len(near)], strict=True):
            number = np.where(other < enter, np.uint16(FIRST_BODY + 3 * box + axis), number)
            enter = np.minimum(enter, other)
        hit = enter > leave
        np.copyto(inverse_depth[part], enter, where=hit)
        np.copyto(surface[part], number, where=hit)


def _draw_rounds(scene, view, parts, inverse_depth, surface):
    """Balls and cylinders: the larger root of `C q^2 + 2 B q + A = 0` in inverse depth q is the nearer hit."""
    first = FIRST_BODY + 3 * len(scene.boxes)
    for index, (body, part) in enumerate(zip(scene.rounds, parts, strict=True)):
        if part is None:
            continue
        eye = view.position - np.array(body.center, np.float32)
        for face, (level, hit) in enumerate(_hit_round(body, eye, [ray[part] for ray in view.rays])):
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
