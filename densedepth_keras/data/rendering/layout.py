"""Draws a whole room from random numbers: its size, camera, furniture and lights."""

import math

import numpy as np

from densedepth_keras.data.rendering.fixtures import (
    draw_surfaces,
    make_door,
    make_picture,
    make_radiator,
    make_wall_shelf,
    make_window,
)
from densedepth_keras.data.rendering.furniture import KINDS, Item, make_clutter
from densedepth_keras.data.rendering.geometry import View, make_basis, trace
from densedepth_keras.data.rendering.materials import Look, make_tint
from densedepth_keras.data.rendering.placing import Builder
from densedepth_keras.data.rendering.scene import FIRST_BODY, Box, Camera, Light, Material, Scene

BLANK_DEPTH = 1.8  # metres; bare wall nearer than this over half the view leaves nothing to tell its distance by
CAMERAS = 20  # places to choose from; fewer make the depths of the pictures more alike


def draw_scene(rng):
    """Draws one room with its camera, furniture and lights.

    A room seen as a bare wall close by is drawn anew, once: about 3 % of the views remain such.

    Args:
        rng: `random.Random`; the same state gives the same scene.

    Returns:
        A `Scene` whose visible depth lies within 0.5 and 10 m.
    """
    scene = _draw_room(rng)
    return _draw_room(rng) if _is_blank(scene) else scene


def _is_blank(scene):
    """Whether bare wall close by fills the middle and half of the view, at 24 x 32 pixels whatever size is wanted."""
    if _measure(scene.camera, scene.size)[1] > BLANK_DEPTH:
        return False  # the middle alone rules most views out, without a picture
    inverse_depth, surface, *_ = trace(scene, View(scene.camera, (24, 32)))
    wall = surface < FIRST_BODY - 2  # the floor and the ceiling have the last two numbers before the bodies
    return np.mean(wall & (inverse_depth > 1 / BLANK_DEPTH)) > 0.5


def _draw_room(rng):
    size = _draw_size(rng)
    camera = _draw_camera(rng, size)
    look, builder = Look(rng), Builder(size, camera)
    lights, daylight = _furnish_walls(look, builder)
    _furnish_floor(look, builder)
    lights += _draw_lamps(rng, size)
    balance = [1 + rng.uniform(-0.12, 0.12) for _ in range(3)]
    ambient = rng.uniform(0.15, 0.6) * (1.5 if daylight else 1)
    return Scene(
        size,
        camera,
        draw_surfaces(look),
        tuple(builder.boxes),
        tuple(builder.rounds),
        tuple(builder.shades),
        tuple(Light(lamp.position, tuple(c * b for c, b in zip(lamp.colour, balance, strict=True))) for lamp in lights),
        tuple(ambient * b for b in balance),
        skirting=rng.choice((0.0, 0.06, 0.08, 0.1, 0.12)),
        exposure=0.22 * math.exp(rng.gauss(0, 0.4)),
        noise=rng.uniform(1, 5),
        vignette=rng.uniform(0.05, 0.3),
        grain=rng.randrange(1 << 18),
    )


def _draw_size(rng):
    """Length, width and height in metres; the space diagonal stays below 10 m, so every depth does."""
    height = rng.uniform(2.35, 3.0)
    long = 3.0 + 6.3 * rng.random() ** 0.8
    wide = min(max(2.4, long * rng.uniform(0.45, 1.0)), math.sqrt(9.95**2 - long**2 - height**2))
    return (long, wide, height) if rng.random() < 0.5 else (wide, long, height)


def _draw_camera(rng, size):
    """A place and direction that keep the walls at least 0.6 m away along the axis, mostly looking into the room."""
    # A sensor held at breast height and nearly level, as NYU's was: where the floor ends in the picture says how far.
    height, tangent = rng.uniform(1.35, 1.65), math.tan(math.radians(rng.uniform(57, 60) / 2))
    pitch = math.radians(max(-15, min(4, rng.gauss(-6, 4))))
    roll = math.radians(max(-3, min(3, rng.gauss(0, 1))))
    wanted, best = rng.uniform(0.9, 2.4) if rng.random() < 0.3 else rng.uniform(2.0, 13.0), (math.inf, None)
    for _ in range(CAMERAS):
        place = (rng.uniform(0.3, size[0] - 0.3), rng.uniform(0.3, size[1] - 0.3), height)
        camera = Camera(place, rng.uniform(-math.pi, math.pi), pitch, roll, tangent)
        near, middle = _measure(camera, size)
        if near > 0.6:
            best = min(best, (abs(middle - wanted), camera))
    return best[1] or Camera((size[0] / 2, size[1] / 2, height), camera.yaw, pitch, roll, tangent)


def _measure(camera, size):
    """Least and central depth of the empty room; inverse depth is convex, so a corner of the view has the least."""
    forward, right, down = make_basis(camera)
    levels = []
    for a, b in ((0, 0), (-1, -0.75), (-1, 0.75), (1, -0.75), (1, 0.75)):
        ray = [f + camera.tangent * (a * r + b * d) for f, r, d in zip(forward, right, down, strict=True)]
        planes = zip(ray, camera.position, size, strict=True)
        levels.append(max(max(r / (side - p), -r / p) for r, p, side in planes))
    return 1 / max(levels), 1 / levels[0]


def _furnish_walls(look, builder):
    """Doors, windows and pictures. Returns the light through the windows, and whether there is daylight."""
    rng, lights, size = look.rng, [], builder.size
    daylight = rng.random() < 0.6
    if rng.random() < 0.25:  # a pillar or a short wall standing out into the room
        post = Item((rng.uniform(0.3, 0.5), rng.uniform(0.3, 1.6), size[2] - 0.001), [])
        post.boxes.append((0, 0, 0, *post.size, look.white))
        builder.put_at_wall(post, rng)
    for _ in range(rng.randint(1, 2)):
        builder.put_at_wall(make_door(look), rng, room=0.4, shade=False)
    for _ in range(rng.randint(0, 3)):
        item = make_window(look)
        place = builder.put_at_wall(item, rng, rng.uniform(0.6, 0.75), shade=False)
        if not place:
            continue
        x, y, yaw = place
        if rng.random() < 0.5:
            builder.put(make_radiator(look), x, y, yaw, shade=False)
        if daylight:
            spot, power = (x - 0.35 * math.sin(yaw), y + 0.35 * math.cos(yaw), 1.7), rng.uniform(1.0, 3.0)
            lights.append(Light(spot, (0.85 * power, power, 1.15 * power)))
    for _ in range(rng.randint(0, 5)):
        item = make_picture(look) if rng.random() < 0.8 else make_wall_shelf(look)
        builder.put_at_wall(item, rng, rng.uniform(1.2, 1.6), shade=False)
    return lights[:2], daylight


def _furnish_floor(look, builder):
    """Rugs, furniture along the walls and in the middle, things on tables."""
    rng, (long, wide, _) = look.rng, builder.size
    if rng.random() < 0.4:
        width, depth = rng.uniform(0.3, 0.6) * long, rng.uniform(0.3, 0.6) * wide
        texture = rng.choice(("rug", "rug", "carpet", "plaid"))
        rug = Material(
            texture, make_tint(rng, 0.03, 0.3), make_tint(rng, 0.3, 0.7), fit=(1, 1) if texture == "rug" else None
        )
        x, y = rng.uniform(width / 2, long - width / 2), rng.uniform(depth / 2, wide - depth / 2)
        builder.boxes.append(Box((x, y, 0.006), (width / 2, depth / 2, 0.006), 0.0, rug))
    along, middle = KINDS[rng.choice(tuple(KINDS))]
    area = long * wide
    for make in rng.choices(along, k=round(rng.uniform(1.2, 2.8) * area**0.5)):
        item = make(look)
        place = builder.put_at_wall(item, rng, gap=rng.uniform(0.01, 0.08))
        if place and item.top:
            _put_on_top(look, builder, item, *place)
    for _ in range(round(rng.uniform(0.2, 2.2) * (area / 9) ** 0.7)):
        item, x, y = rng.choice(middle)(look), rng.uniform(0.5, long - 0.5), rng.uniform(0.5, wide - 0.5)
        yaw = rng.uniform(-math.pi, math.pi)
        if builder.put(item, x, y, yaw) and item.top:
            _put_on_top(look, builder, item, x, y, yaw)


def _put_on_top(look, builder, item, x, y, yaw):
    for _ in range(look.rng.randint(0, 3)):
        thing = make_clutter(look)
        a = look.uniform(-0.5, 0.5) * max(0, item.size[0] - thing.size[0])
        b = look.uniform(-0.5, 0.5) * max(0, item.size[1] - thing.size[1])
        spot = x + math.cos(yaw) * a - math.sin(yaw) * b, y + math.sin(yaw) * a + math.cos(yaw) * b
        builder.put(thing, *spot, yaw, item.top + 0.001, shade=False)


def _draw_lamps(rng, size):
    """One or two lamps below the ceiling, warm to neutral."""
    lamps = []
    for _ in range(rng.randint(1, 2)):
        warmth, power = rng.uniform(0.0, 0.3), rng.uniform(1.5, 5.0)
        place = (rng.uniform(0.2, 0.8) * size[0], rng.uniform(0.2, 0.8) * size[1], size[2] - rng.uniform(0.15, 0.7))
        lamps.append(Light(place, (power * (1 + warmth), power, power * (1 - warmth))))
    return lamps
