"""What belongs to the room itself: walls, floor and ceiling, doors, windows, radiators, pictures."""

from densedepth_keras.data.rendering.furniture import Item
from densedepth_keras.data.rendering.materials import PALES, SKIES, make_material, make_tint
from densedepth_keras.data.rendering.scene import Material

CEILINGS = ("plain", "plaster", "plaster", "large_tiles")
CONTRASTS = {
    "plain": 0.1,
    "stripes": 0.12,
    "damask": 0.15,
    "plaster": 0.25,
    "concrete": 0.25,
    "bricks": 0.6,
    "dots": 0.2,
}


def draw_surfaces(look, kind):
    """Materials of walls, floor, ceiling and skirting board."""
    rng = look.rng
    colour = rng.choice(PALES) if rng.random() < 0.65 else make_tint(rng, 0.25, 0.7, 0.45)
    texture = rng.choice(kind.walls)
    colour = tuple(0.6 * c for c in colour) if texture in ("bricks", "concrete") else colour
    period = 2.4 if texture in ("bricks", "metro") else rng.uniform(1.8, 3.0)
    wall = make_material(texture, colour, CONTRASTS.get(texture, 0.3), period=period)
    plain = make_material("plaster", colour if rng.random() < 0.5 else rng.choice(PALES), 0.2)
    walls = [wall] * 4
    if rng.random() < 0.4:  # one wall, or a pair, in another colour
        walls = [wall if rng.random() < 0.4 else plain for _ in range(4)]
    name, colours = rng.choice(kind.floors)
    colour = rng.choice(colours) if colours else make_tint(rng, 0.15, 0.5)
    floor = make_material(name, colour, 0.7 if name == "checker" else 0.45, period=2.4 * rng.uniform(0.85, 1.2))
    ceiling = make_material(rng.choice(CEILINGS), (0.82, 0.82, 0.8), 0.12)
    skirting = rng.choice((look.white, look.wood, floor))
    return (*walls, floor, ceiling, skirting)


def make_door(look):
    """A closed door in its frame."""
    body = look.rng.choice((look.white, look.wood, look.other, look.paint()))
    frame = look.rng.choice((look.white, look.wood))
    boxes = [(0, 0, 0, 0.86, 0.05, 2.02, body, look.fronts(body, "door", 1, 1)), (0, 0, 2.02, 1.02, 0.08, 0.08, frame)]
    return Item((1.02, 0.1, 2.1), boxes + [(x, 0, 0, 0.08, 0.08, 2.02, frame) for x in (-0.47, 0.47)])


def make_window(look):
    """A window with its sill, half of them between curtains."""
    width, height, day = look.uniform(0.8, 2.0), look.uniform(1.0, 1.4), 1.2 * look.uniform(*look.mood.windows)
    panes = max(1, round(width / 1.1))
    glass = Material("window", (0.25, 0.25, 0.25), look.rng.choice(SKIES), fit=(panes, 1), glow=day)
    boxes = [
        (0, -0.08, 0.2, width, 0.04, height, look.white, glass),
        (0, -0.02, 0.16, width + 0.1, 0.16, 0.04, look.white),
    ]
    if look.rng.random() < 0.5:
        cloth = make_material("slats", make_tint(look.rng, 0.2, 0.6), period=1.6)
        boxes += [(x, 0, 0, 0.35, 0.06, height + 0.3, cloth) for x in (-width / 2 - 0.1, width / 2 + 0.1)]
    return Item((width + 0.55, 0.2, height + 0.3), boxes)


def make_radiator(look):
    """A radiator, to hang below a window."""
    width, metal = look.uniform(0.6, 1.4), make_material("slats", (0.75, 0.75, 0.73), 0.2, period=0.9)
    return Item((width, 0.2, 0.59), [(0, 0, 0.12, width, 0.09, 0.46, metal)])


def make_picture(look):
    """A framed picture."""
    width, height = look.uniform(0.3, 1.1), look.uniform(0.3, 0.8)
    dark, light = make_tint(look.rng, 0.02, 0.2), make_tint(look.rng, 0.5, 0.9)
    paint = Material(f"picture{look.rng.randrange(4)}", dark, light, fit=(1, 1))
    return Item((width, 0.06, height), [(0, 0, 0, width, 0.03, height, look.black, paint)])


def make_wall_shelf(look):
    """A shelf on the wall with three things on it."""
    width, body = look.uniform(0.6, 1.2), look.body()
    boxes = [(0, 0, 0, width, 0.24, 0.03, body)]
    for spot in (-1, 0, 1):
        x, height = (spot + look.uniform(-0.2, 0.2)) * width / 3, look.uniform(0.1, 0.3)
        boxes.append((x, 0, 0.03, 0.08, 0.15, height, look.paint()))
    return Item((width, 0.26, 0.35), boxes)
