"""Rooms as data, and their pictures with exact depth: `render(draw_scene(rng), image_size)`."""

from densedepth_keras.data.rendering.layout import draw_scene
from densedepth_keras.data.rendering.scene import Scene
from densedepth_keras.data.rendering.shading import render

__all__ = ["Scene", "draw_scene", "render"]
