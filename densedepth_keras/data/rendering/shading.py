"""From surfaces to a photograph: textures times light, then exposure, blur and noise of a camera."""

import numpy as np

from densedepth_keras.data.rendering.atlas import look_up, make_noise, stretch
from densedepth_keras.data.rendering.geometry import View
from densedepth_keras.data.rendering.lighting import illuminate
from densedepth_keras.data.rendering.scene import FIRST_BODY
from densedepth_keras.data.rendering.spans import Stretches, find_changes, make_runs
from densedepth_keras.data.rendering.surfaces import describe
from densedepth_keras.data.rendering.tracing import trace
from densedepth_keras.data.sample import Sample

LIGHT_STEP = 0.04  # width of the picture between points where the light is computed, 2.4 degrees


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
    changes = find_changes(surface)
    runs = make_runs(surface, changes, FIRST_BODY + 3 * len(scene.boxes))
    present = np.bincount(runs.surfaces) > 0
    surfaces = describe(scene, view, faces, np.flatnonzero(present))
    order = np.cumsum(present) - 1
    rows = order.take(runs.surfaces)
    texture = look_up(runs, rows, surfaces, view, depth.ravel())

    stretches = Stretches(runs, changes, inverse_depth, max(1, round(LIGHT_STEP * view.shape[1])))
    pixels = stretches.pixels
    near = inverse_depth.ravel().take(pixels)
    light = illuminate(scene, view, surfaces, shaded, order.take(surface.ravel().take(pixels)), pixels, near)
    light *= near  # carried over inverse depth, a straight line in the room is one in the picture
    lit = (stretches.carry(values) for values in light[[1, 0, 2]])
    return Sample(_expose(scene, lit, _Albedo(runs, rows, surfaces, texture), inverse_depth, depth), depth)


class _Albedo:
    """Linear albedo of one colour channel at every pixel."""

    def __init__(self, runs, rows, surfaces, texture):
        self.runs, self.texture = runs, texture.astype(np.float32)
        ends = np.array([(*material.dark, *material.light) for material in surfaces.materials], np.float32)
        ends[:, 3:] = (ends[:, 3:] - ends[:, :3]) / 255
        self.dark, self.rise = ends.take(rows, axis=0).T.reshape(2, 3, -1)

    def fill(self, channel):
        albedo = self.runs.fill(self.rise[channel])
        albedo *= self.texture
        albedo += self.runs.fill(self.dark[channel])
        return albedo


def _expose(scene, lit, albedo, inverse_depth, depth):
    """An uint8 photograph.

    The response `(x / (x + bend))^0.75` stands for the display's gamma and the contrast that cameras add on top of it;
    `bend` follows the mean of the green channel.

    Args:
        lit: linear light times inverse depth, arrays (height, width), of green, red and blue.
        albedo: the `_Albedo`.
    """
    grey, bend = np.empty((3, *inverse_depth.shape), np.int16), None
    for channel, value in zip((1, 0, 2), lit, strict=True):
        value *= albedo.fill(channel).reshape(value.shape)
        if bend is None:
            mean = float(np.einsum("ij,ij->", value, depth)) / value.size
            bend = inverse_depth * np.float32(0.9 / scene.exposure * max(mean, 1e-6))
            scratch = np.empty_like(bend)
        value /= np.add(value, bend, out=scratch)
        value *= np.sqrt(value, out=scratch)
        np.sqrt(value, out=value)
        np.multiply(value, np.float32(255 * 4 * 1.9**0.75), out=grey[channel], casting="unsafe")
    return _develop(grey, scene.noise, scene.grain)


def _develop(grey, noise, grain):
    """Blur and noise, int16 in quarters, then in sixty-fourths of a grey level: half the time of float32."""
    for axis in (1, 2):
        grey = _blur(grey, axis)
    grain = stretch(make_noise()[0][grain:], grey.size).reshape(grey.shape) * np.int16(round(8 * noise))
    grey += grain
    grey >>= 6
    image = np.empty((*grey.shape[1:], 3), np.uint8)
    for channel, values in enumerate(np.clip(grey, 0, 255, out=grey)):
        image[..., channel] = values
    return image


def _blur(grey, axis):
    """Four times the mean with weights 1 2 1 along an axis; the ends are multiplied only."""
    blurred = np.empty_like(grey)
    source, target = (values.swapaxes(1, axis) for values in (grey, blurred))
    pairs = source[:, :-1] + source[:, 1:]
    np.add(pairs[:, :-1], pairs[:, 1:], out=target[:, 1:-1])
    ends = slice(None, None, source.shape[1] - 1)
    np.left_shift(source[:, ends], 2, out=target[:, ends])
    return blurred
