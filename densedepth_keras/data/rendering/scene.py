"""What a picture is made from: a room of boxes, balls and cylinders, a camera and lights.

World axes: x and y along the floor, z up, the room spans `[0, size]`. A body's front looks along its +y.

Pixels carry the number of the surface they show: 0..5 the room's planes (x low, x high, y low, y high, floor,
ceiling), 6..9 the skirting boards of the four walls, then three per box (the one visible face of each axis), then two
per round body (side, cap).
"""

from typing import NamedTuple

SKIRTING = 6  # surface number of the first wall's skirting board
FIRST_BODY = 10  # surface number of the first box's first face
SHADE_REACH = 0.35  # metres around furniture that are darkened


class Material(NamedTuple):
    """A texture with the linear RGB albedo at its values 0 and 1.

    `period` is the texture's side in metres, unless `fit=(across, up)` repeats it so many times over each face.
    """

    texture: str
    dark: tuple
    light: tuple
    period: float = 2.4
    fit: tuple | None = None
    glow: float = 0.0


class Box(NamedTuple):
    """A box turned about the vertical; `half` are half its sizes in metres, `front` the material of its +y face."""

    center: tuple
    half: tuple
    yaw: float
    material: Material
    front: Material | None = None


class Round(NamedTuple):
    """An upright cylinder, or a ball where `half_height` is 0."""

    center: tuple
    radius: float
    half_height: float
    material: Material


class Camera(NamedTuple):
    """Pinhole camera: position in metres, angles in radians (pitch up, yaw from +x), tangent of half the field."""

    position: tuple
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    tangent: float = 0.55


class Light(NamedTuple):
    """A point light; `colour` is the linear RGB irradiance one metre below it."""

    position: tuple
    colour: tuple


class Scene(NamedTuple):
    """All there is to know about a picture but its size.

    `materials` are those of the room's six planes and its skirting board; `shades` are (center, half, yaw) of volumes
    that darken the room's planes around them; `grain` is where in the noise table the camera noise starts.
    """

    size: tuple
    camera: Camera
    materials: tuple
    boxes: tuple = ()
    rounds: tuple = ()
    shades: tuple = ()
    lights: tuple = ()
    ambient: tuple = (0.5, 0.5, 0.5)
    skirting: float = 0.08
    exposure: float = 0.25
    noise: float = 2.0
    vignette: float = 0.1
    grain: int = 0
