"""What stands in kitchens, bathrooms, stores and children's rooms, of real sizes in metres."""

from densedepth_keras.data.rendering.furniture import Item
from densedepth_keras.data.rendering.materials import GREYS, make_material
from densedepth_keras.data.rendering.scene import Material


def make_fridge(look):
    """A fridge."""
    body = look.rng.choice((look.white, look.metal))
    grips = [(-0.24, 0.31, bottom, 0.03, 0.02, 0.3, look.metal) for bottom in (0.8, 1.2)]
    return Item((0.6, 0.64, 1.75), [(0, 0, 0, 0.6, 0.6, 1.15, body), (0, 0, 1.16, 0.6, 0.6, 0.59, body), *grips])


def make_kitchen(look):
    """A row of kitchen cabinets, most with a second row above."""
    width, body = look.uniform(1.5, 3.0), look.rng.choice((look.white, look.wood, look.paint()))
    count = round(width / 0.6)
    stone = make_material("plaster", look.rng.choice(GREYS), 0.3)
    front = look.fronts(body, "door", count, 1)
    boxes = [(0, -0.01, 0, width, 0.58, 0.86, body, front), (0, 0, 0.86, width, 0.62, 0.04, stone)]
    if look.rng.random() < 0.7:
        boxes.append((0, -0.14, 1.45, width, 0.33, 0.65, body, front))
    return Item((width, 0.62, 2.1), boxes)


def make_tub(look):
    """A bath tub; its water is opaque."""
    width, white = look.uniform(1.4, 1.75), look.ceramic()
    water = make_material("plain", (0.45, 0.55, 0.58), 0.1) if look.rng.random() < 0.4 else white
    boxes = [(0, 0, 0, width, 0.72, 0.42, white), (0, 0, 0.38, width - 0.16, 0.56, 0.045, white, water)]
    boxes += [(x, 0, 0.42, 0.08, 0.72, 0.13, white) for x in (-width / 2 + 0.04, width / 2 - 0.04)]
    boxes += [(0, y, 0.42, width, 0.08, 0.13, white) for y in (-0.32, 0.32)]
    return Item((width, 0.72, 0.56), boxes)


def make_basin(look):
    """A wash basin on its cabinet, most with a mirror above."""
    width, white, body = look.uniform(0.5, 1.1), look.ceramic(), look.body()
    boxes = [
        (0, 0, 0.1, width - 0.06, 0.42, 0.68, body, look.fronts(body, "door", max(1, round(width / 0.5)), 1)),
        (0, 0, 0.78, width, 0.48, 0.1, white),
        (0, -0.18, 0.88, 0.04, 0.04, 0.16, look.metal),
    ]
    if look.rng.random() < 0.8:
        mirror = Material("mirror", (0.3, 0.33, 0.35), (0.6, 0.64, 0.66), fit=(1, 1))
        boxes.append((0, -0.225, 1.15, width - 0.05, 0.03, 0.7, look.metal, mirror))
    return Item((width, 0.48, 1.85), boxes)


def make_toilet(look):
    """A toilet with its cistern."""
    white = look.ceramic()
    boxes = [(0, -0.25, 0.4, 0.4, 0.16, 0.38, white), (0, -0.1, 0, 0.24, 0.3, 0.38, white)]
    return Item((0.42, 0.68, 0.78), boxes, [(0, 0.1, 0.36, 0.2, 0.05, white), (0, 0.08, 0, 0.13, 0.36, white)])


def make_washer(look):
    """A washing machine."""
    white = look.ceramic()
    front = Material("washer", (0.05, 0.05, 0.06), white.light, fit=(1, 1))
    return Item((0.6, 0.6, 0.85), [(0, 0, 0, 0.6, 0.6, 0.85, white, front)], (), 0.85)


def make_rack(look):
    """An open rack with cartons and crates."""
    width, height, steel = look.uniform(0.8, 1.6), look.uniform(1.5, 2.1), look.metal
    posts = [(x, y, 0, 0.04, 0.04, height, steel) for x in (-width / 2 + 0.02, width / 2 - 0.02) for y in (-0.2, 0.2)]
    boxes, levels = posts, 4
    for level in range(levels):
        bottom = 0.1 + level * (height - 0.15) / levels
        boxes.append((0, 0, bottom, width, 0.44, 0.03, steel))
        if look.rng.random() < 0.75:
            wide, tall = look.uniform(0.3, 0.7) * width, look.uniform(0.15, 0.3)
            x = look.uniform(-0.5, 0.5) * (width - wide - 0.1)
            boxes.append((x, 0, bottom + 0.03, wide, 0.38, tall, look.carton()))
    return Item((width, 0.46, height), boxes)


def make_stool(look):
    """A round stool."""
    height, seat = look.uniform(0.42, 0.65), look.fabric() if look.rng.random() < 0.5 else look.body()
    return Item(
        (0.36, 0.36, height), (), [(0, 0, 0, 0.03, height - 0.05, look.metal), (0, 0, height - 0.05, 0.17, 0.05, seat)]
    )


def make_bunk(look):
    """Two beds above each other."""
    width, wood, sheet = look.uniform(0.85, 1.0), look.body(), look.white
    boxes = [(x, y, 0, 0.07, 0.07, 1.7, wood) for x in (-width / 2, width / 2) for y in (-1.0, 1.0)]
    for bottom in (0.3, 1.15):
        boxes += [(0, 0, bottom, width, 2.0, 0.1, wood), (0, 0, bottom + 0.1, width - 0.08, 1.94, 0.14, sheet)]
        boxes.append((0, 0.3, bottom + 0.12, width - 0.05, 1.3, 0.15, look.fabric()))
    return Item((width + 0.08, 2.08, 1.7), boxes)


def make_piano(look):
    """An upright piano."""
    body = look.rng.choice((look.black, look.wood, look.other))
    keys = make_material("slats", (0.7, 0.69, 0.66), 0.25, period=0.8)
    boxes = [
        (0, -0.1, 0, 1.45, 0.35, 1.2, body),
        (0, 0.17, 0.6, 1.45, 0.25, 0.12, body),
        (0, 0.19, 0.72, 1.3, 0.16, 0.015, keys),
    ]
    return Item((1.46, 0.62, 1.22), boxes, (), 1.2)
