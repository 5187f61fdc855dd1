"""From surfaces to a photograph: textures times light, then exposure, blur and noise of a camera."""

import numpy as np

from densedepth_keras.data.rendering import kernels
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
    albedo = _find_albedo(surfaces, rows)
    photograph = _expose(scene, light, stretches, runs, albedo, texture, inverse_depth, depth)
    return Sample(photograph, depth)


def _find_albedo(surfaces, rows):
    """Of each run the linear albedo where the texture is 0, and its rise with the texture's value, (2, 3, n)."""
    ends = np.array([(*material.dark, *material.light) for material in surfaces.materials], np.float32)
    ends[:, 3:] = (ends[:, 3:] - ends[:, :3]) / 255
    return ends.T.take(rows, axis=1).reshape(2, 3, -1)


def _expose(scene, light, stretches, runs, albedo, texture, inverse_depth, depth):
    """An uint8 photograph.

    The response `(x / (x + bend))^0.75` stands for the display's gamma and the contrast that cameras add on top of it;
    `bend` follows the mean of the green channel.

    Args:
        light: red, green and blue at the stretches' pixels, linear, times inverse depth.
        albedo: of each run, from `_find_albedo`.
    """
    lit, grey = (np.empty((3, *depth.shape), dtype) for dtype in (np.float32, np.int16))
    kernels.lighten(stretches.counts, *stretches.lines(light), runs.counts, *albedo, texture, stretches.columns, lit)
    mean = float(np.einsum("ij,ij->", lit[1], depth)) / depth.size
    kernels.expose(lit, inverse_depth, grey, 0.9 / scene.exposure * max(mean, 1e-6), 255 * 4 * 1.9**0.75)
    grain = stretch(make_noise()[0][scene.grain :], grey.size).reshape(grey.shape)
    image = np.empty((*depth.shape, 3), np.uint8)
    kernels.develop(grey, grain, np.empty((4, depth.shape[1]), np.int16), image, round(8 * scene.noise))
    return image
