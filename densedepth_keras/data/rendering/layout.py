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
from densedepth_keras.data.rendering.furniture import Item, make_clutter
from densedepth_keras.data.rendering.geometry import View, make_basis
from densedepth_keras.data.rendering.kinds import KINDS
from densedepth_keras.data.rendering.materials import Look, make_tint
from densedepth_keras.data.rendering.moods import draw_lamps, draw_mood
from densedepth_keras.data.rendering.placing import Builder
from densedepth_keras.data.rendering.scene import FIRST_BODY, SKIRTING, Box, Camera, Light, Material, Scene
from densedepth_keras.data.rendering.tracing import trace

BLANK_DEPTH = 1.8  # metres; bare wall nearer than this over half the view leaves nothing to tell its distance by
FULLNESS = (0.35, 1.0, 1.6)  # nearly empty, lived in, crowded rooms
CAMERAS = 20  # places to choose from; fewer make the depths of the pictures more alike


def draw_scene(rng):
    """Draws one room with its camera, furniture and lights.

    A room seen as a bare wall close by is drawn anew, once: about 1 % of the views remain such.

    Args:
        rng: `random.Random`; the same state gives the same scene.

    Returns:
        A `Scene` whose visible depth lies within 0.5 and 10 m.
    """
    scene = _draw_room(rng)
    return _draw_room(rng) if _is_blank(scene) else scene


def _is_blank(scene):
    """Whether bare wall close by fills the middle and half of the view, at 24 x 32 pixels whatever size is wanted."""
    if _measure(make_basis(scene.camera)[0], scene.camera.position, scene.size) > BLANK_DEPTH:
        return False  # the middle alone rules most views out, without a picture
    inverse_depth, surface, *_ = trace(scene, View(scene.camera, (24, 32)))
    wall = (surface < 4) | ((surface >= SKIRTING) & (surface < FIRST_BODY))
    return np.mean(wall & (inverse_depth > 1 / BLANK_DEPTH)) > 0.5


def _draw_room(rng):
    size = _draw_size(rng)
    camera = _draw_camera(rng, size)
    mood, kind = draw_mood(rng), rng.choices(tuple(KINDS.values()), [kind.weight for kind in KINDS.values()])[0]
    look, builder = Look(rng, mood), Builder(size, camera)
    lights = _furnish_walls(look, builder)
    _furnish_floor(look, builder, kind)
    lights += draw_lamps(rng, mood, size)
    balance = [1 + rng.uniform(-mood.cast, mood.cast) for _ in range(3)]
    ambient = rng.uniform(*mood.ambient)
    return Scene(
        size,
        camera,
        draw_surfaces(look, kind),
        tuple(builder.boxes),
        tuple(builder.rounds),
        tuple(builder.shades),
        tuple(Light(lamp.position, tuple(c * b for c, b in zip(lamp.colour, balance, strict=True))) for lamp in lights),
        tuple(ambient * b for b in balance),
        skirting=rng.choice((0.0, 0.06, 0.08, 0.1, 0.12)),
        exposure=0.22 * mood.exposure * math.exp(rng.gauss(0, 0.4)),
        noise=rng.uniform(*mood.noise),
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
    wanted, cameras = rng.uniform(0.9, 2.4) if rng.random() < 0.3 else rng.uniform(2.0, 13.0), []
    flat, rise = math.cos(pitch), math.sin(pitch)
    for _ in range(CAMERAS):
        place = (rng.uniform(0.3, size[0] - 0.3), rng.uniform(0.3, size[1] - 0.3), height)
        yaw = rng.uniform(-math.pi, math.pi)
        middle = _measure((flat * math.cos(yaw), flat * math.sin(yaw), rise), place, size)
        cameras.append((abs(middle - wanted), Camera(place, yaw, pitch, roll, tangent)))
    # Looking at the corners of the view takes most of the time: only until one camera is good.
    good = (camera for _, camera in sorted(cameras) if _measure_nearest(camera, size) > 0.6)
    return next(good, Camera((size[0] / 2, size[1] / 2, height), yaw, pitch, roll, tangent))


def _measure(ray, place, size):
    """Depth of the empty room along a ray, which advances by 1 along the axis."""
    return 1 / max(r / (side - p) if r > 0 else -r / p for r, p, side in zip(ray, place, size, strict=True))


def _measure_nearest(camera, size):
    """Least depth of the empty room: inverse depth is convex, so a corner of the view has it."""
    forward, right, down = make_basis(camera)
    nearest = math.inf
    for a, b in ((-1, -0.75), (-1, 0.75), (1, -0.75), (1, 0.75)):
        ray = [f + camera.tangent * (a * r + b * d) for f, r, d in zip(forward, right, down, strict=True)]
        nearest = min(nearest, _measure(ray, camera.position, size))
    return nearest


def _furnish_walls(look, builder):
    """Doors, windows and pictures. Returns the light through the windows."""
    rng, lights, size = look.rng, [], builder.size
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
        if look.mood.windows[0] >= 1:
            spot, power = (x - 0.35 * math.sin(yaw), y + 0.35 * math.cos(yaw), 1.7), rng.uniform(*look.mood.windows)
            lights.append(Light(spot, (0.85 * power, power, 1.15 * power)))
    for _ in range(rng.randint(0, 5)):
        item = make_picture(look) if rng.random() < 0.8 else make_wall_shelf(look)
        builder.put_at_wall(item, rng, rng.uniform(1.2, 1.6), shade=False)
    return lights[:2]


def _furnish_floor(look, builder, kind):
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
    area, fullness = long * wide, rng.choices(FULLNESS, (0.12, 0.68, 0.2))[0]
    for make in rng.choices(kind.along, k=round(fullness * rng.uniform(1.2, 2.8) * area**0.5)):
        item = make(look)
        place = builder.put_at_wall(item, rng, gap=rng.uniform(0.01, 0.08))
        if place and item.top:
            _put_on_top(look, builder, item, *place)
    for _ in range(round(fullness * rng.uniform(0.2, 2.2) * (area / 9) ** 0.7)):
        item, x, y = rng.choice(kind.middle)(look), rng.uniform(0.5, long - 0.5), rng.uniform(0.5, wide - 0.5)
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
