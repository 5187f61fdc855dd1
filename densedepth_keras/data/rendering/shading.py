"""From surfaces to a photograph: faces with their textures, lights, darkening near edges, exposure."""

import math
from typing import NamedTuple

import numpy as np

from densedepth_keras.data.rendering.geometry import View, trace
from densedepth_keras.data.rendering.scene import FIRST_BODY, SHADE_REACH, Material
from densedepth_keras.data.rendering.textures import TEXELS, look_up_textures, make_noise, stretch
from densedepth_keras.data.sample import Sample


def render(scene, image_size):
    """Draws the scene.

    Args:
        scene: a `Scene` whose camera stands inside the room and outside every body.
        image_size: `(height, width)` in pixels.

    Returns:
        A `Sample`; its depth has no holes.
    """
    view = View(scene.camera, image_size)
    inverse_depth, surface, faces, shaded = trace(scene, view)
    depth = np.float32(1) / inverse_depth
    image = _shade(scene, view, faces, shaded, depth, surface)
    return Sample(image, depth)


def _shade(scene, view, faces, shaded, depth, surface):
    """Albedo times light, then the camera: vignette, exposure, response, blur, noise."""
    points = np.empty((5, *depth.shape), np.float32)  # x, y, z, x^2 + y^2 + z^2, 1
    for axis in range(3):
        np.multiply(view.rays[axis], depth, out=points[axis])
        points[axis] += view.position[axis]
    flat = points.reshape(5, -1)
    numbers = surface.ravel().astype(np.intp)  # NumPy would convert it at every lookup
    counts = np.bincount(numbers, minlength=FIRST_BODY)
    order = np.argsort(surface.ravel(), kind="stable")
    first_round = FIRST_BODY + 3 * len(scene.boxes)
    ends, visible = np.cumsum(counts).tolist(), np.flatnonzero(counts).tolist()
    flats = [_describe_face(scene, faces, number) for number in visible if number < first_round]
    pieces = {number: order[ends[number] - counts[number] : ends[number]] for number in visible}

    light = np.empty((1 + len(scene.lights), numbers.size), np.float32)
    _light_faces(scene, light, flats, numbers, len(counts))
    _light_rounds(scene, light, pieces, first_round, flat)
    _attenuate(scene, light, flat)
    light *= _occlude(scene, view, shaded, points, surface).ravel()
    colours = np.array([scene.ambient, *(lamp.colour for lamp in scene.lights)], np.float32)

    lookup, ramps = look_up_textures(scene, view, flats, pieces, first_round, depth.ravel(), order, flat)
    low = (points[2] < scene.skirting).ravel() & (numbers < 4)
    lookup[low] = 256 * ramps.shape[1] - 128
    image = np.einsum("ij,ik->jk", colours, light)
    for channel, ramp in zip(image, ramps.reshape(3, -1), strict=True):
        channel *= ramp.take(lookup)
    return _expose(scene, image.reshape(3, *depth.shape))


class _Face(NamedTuple):
    """What shading needs of one visible flat surface; `across` and `up` map world points to texels."""

    number: int
    material: Material
    normal: tuple
    level: float  # normal . point, for points of the face
    across: tuple
    up: tuple


def _describe_face(scene, faces, number):
    """The `_Face` of a room plane or a box face; texels start at the face's lower corner."""
    if number < FIRST_BODY:
        axis, high = divmod(number, 2)
        material, normal = scene.materials[number], [0.0, 0.0, 0.0]
        normal[axis] = -1.0 if high else 1.0
        sizes = [size for other, size in enumerate(scene.size) if other != axis]
        scale = _scale(material, sizes)
        across = (0.0, scale[0], 0.0) if axis == 0 else (scale[0], 0.0, 0.0)
        up = (0.0, scale[1], 0.0, 0.0) if axis == 2 else (0.0, 0.0, scale[1], 0.0)
        return _Face(number, material, normal, -scene.size[axis] if high else 0.0, across, up)
    body, axis = divmod(number - FIRST_BODY, 3)
    box, half, (x, y, z) = scene.boxes[body], scene.boxes[body].half, scene.boxes[body].center
    sign = 1.0 if faces.eyes[body, axis] > 0 else -1.0
    material = box.front if box.front and axis == 1 and sign > 0 else box.material
    cos, sin = math.cos(box.yaw), math.sin(box.yaw)
    turn, origin = ((cos, sin, 0.0), (-sin, cos, 0.0), (0.0, 0.0, 1.0)), (cos * x + sin * y, cos * y - sin * x, z)
    first, second = ((1, 2), (0, 2), (0, 1))[axis]
    scale = _scale(material, (2 * half[first], 2 * half[second]))
    # Unrelated pieces must not continue each other's pattern, but a fitted one begins at the face's corner.
    offset = 0.0 if material.fit else 0.37 * body + 0.61 * axis
    shift = (half[first] - origin[first] + offset) * scale[0], (half[second] - origin[second] + offset) * scale[1]
    across = (turn[first][0] * scale[0], turn[first][1] * scale[0], shift[0])
    up = (turn[second][0] * scale[1], turn[second][1] * scale[1], turn[second][2] * scale[1], shift[1])
    normal = [sign * value for value in turn[axis]]
    return _Face(number, material, normal, sign * origin[axis] + half[axis], across, up)


def _scale(material, sizes):
    """Texels per metre along both axes of a face with these sizes."""
    if material.fit:
        return [TEXELS * repeats / size for repeats, size in zip(material.fit, sizes, strict=True)]
    return [TEXELS / material.period] * 2


def _light_faces(scene, light, flats, numbers, count):
    """Row 0 gets the ambient share, row k the height of lamp k over each pixel's plane, its unnormalised cosine."""
    lamps = np.array([lamp.position for lamp in scene.lights], np.float32).reshape(-1, 3)
    normals = np.array([face.normal for face in flats], np.float32).reshape(-1, 3)
    levels = np.array([face.level for face in flats], np.float32)
    glow = np.array([face.material.glow for face in flats], np.float32)
    table = np.zeros((len(light), count), np.float32)
    ids = [face.number for face in flats]
    table[0, ids] = 0.85 + 0.15 * normals[:, 2] + glow
    table[1:, ids] = np.maximum(lamps @ normals.T - levels, 0)
    for row, values in zip(light, table, strict=True):
        np.take(values, numbers, out=row, mode="clip")


def _light_rounds(scene, light, pieces, first, flat):
    for number, pixels in pieces.items():
        if number < first:
            continue
        index, cap = divmod(number - first, 2)
        body = scene.rounds[index]
        normal = [flat[axis][pixels] - np.float32(body.center[axis]) for axis in range(3)]
        height = normal[2] / np.float32(body.half_height or body.radius)
        if cap:
            normal = [0.0, 0.0, np.sign(height)]
        else:
            normal = [normal[0] / body.radius, normal[1] / body.radius, 0.0 if body.half_height else height]
        light[0, pixels] = 0.85 + 0.15 * normal[2] + body.material.glow
        for row, lamp in zip(light[1:], scene.lights, strict=True):
            toward = sum(normal[axis] * (lamp.position[axis] - flat[axis][pixels]) for axis in range(3))
            row[pixels] = np.maximum(toward, 0)


def _attenuate(scene, light, flat):
    """Inverse square law, softened within half a metre because lamps are not points."""
    if not scene.lights:
        return
    flat[4] = 1
    np.einsum("ij,ij->j", flat[:3], flat[:3], out=flat[3])
    lamps = np.array([lamp.position for lamp in scene.lights], np.float32)
    constant = (lamps**2).sum(axis=1) + np.float32(0.25)
    terms = np.column_stack([-2 * lamps, np.ones_like(constant), constant])
    square = np.einsum("ij,jk->ik", terms, flat)  # not BLAS: its threads cost more than they save here
    light[1:] /= square
    light[1:] /= np.sqrt(square, out=square)


def _occlude(scene, view, parts, points, surface):
    """Darkening in the room's edges and around furniture, with the vignette, as one factor per pixel."""
    limit = np.float32((view.u[-1] ** 2 + view.v[-1] ** 2) / scene.vignette) if scene.vignette else np.inf
    factor = (1 - view.u * view.u / limit)[None, :] - (view.v * view.v / limit)[:, None]
    for axis, size in enumerate(scene.size):
        edge = np.abs(points[axis] - np.float32(size / 2))
        edge -= np.float32(max(size / 2 - 0.6, 0))
        np.maximum(edge, 0, out=edge)
        edge *= edge
        edge *= np.float32(-0.3 / 0.6**2)
        edge += 1
        factor *= edge
    for (center, half, yaw), part in zip(scene.shades, parts, strict=True):
        if part is None:
            continue
        x, y, z = (points[axis][part] - np.float32(center[axis]) for axis in range(3))
        cos, sin = math.cos(yaw), math.sin(yaw)
        square = 0
        for value, size in ((cos * x + sin * y, half[0]), (cos * y - sin * x, half[1]), (z, half[2])):
            np.abs(value, out=value)
            value -= size
            np.maximum(value, 0, out=value)
            value *= value
            square += value
        near = np.maximum(1 - square * np.float32(1 / SHADE_REACH**2), 0)
        near *= near
        near *= surface[part] < FIRST_BODY
        factor[part] *= 1 - np.float32(0.45) * near
    return factor


def _expose(scene, image):
    """Linear light (3, height, width) to an uint8 photograph.

    The response x^0.75 stands for the display's gamma and the contrast that cameras add on top of it.
    Blur and noise are done in sixteenths of a grey level, int16, which takes half the time of float32.
    """
    image /= image + np.float32(0.9 / scene.exposure * max(float(image[1].mean()), 1e-6))
    image *= np.float32(1.9)
    image *= np.sqrt(image)
    np.sqrt(image, out=image)
    image *= np.float32(255 * 16)
    grey = image.astype(np.int16)
    for axis in (grey, grey.swapaxes(1, 2)):
        middle = axis[:, :-2] + axis[:, 2:]
        middle += axis[:, 1:-1]
        middle += axis[:, 1:-1]
        np.right_shift(middle, 2, out=axis[:, 1:-1])
    grain = stretch(make_noise()[0][scene.grain :], grey.size) * np.int16(round(16 * scene.noise))
    grain >>= 6
    grey += grain.reshape(grey.shape)
    grey >>= 4
    np.clip(grey, 0, 255, out=grey)
    return np.stack(list(grey.astype(np.uint8)), axis=-1)  # five times as fast as copying a transposed view
