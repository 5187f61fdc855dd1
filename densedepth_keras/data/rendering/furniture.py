"""Furniture of real sizes, in metres."""

from typing import NamedTuple

from densedepth_keras.data.rendering.materials import make_tint
from densedepth_keras.data.rendering.scene import Material


class Item(NamedTuple):
    """Furniture standing at the origin, front along +y.

    `boxes` are rows (x, y, bottom, width, depth, height, material[, front]), `rounds` rows (x, y, bottom, radius,
    height or 0 for a ball, material), `size` its width, depth and height; `top` is where things may be put on it.
    """

    size: tuple
    boxes: list
    rounds: tuple = ()
    top: float = 0.0


def _legs(width, depth, height, thick, material):
    x, y = (width - thick) / 2 - 0.01, (depth - thick) / 2 - 0.01
    return [(a, b, 0, thick, thick, height, material) for a in (-x, x) for b in (-y, y)]


def make_table(look, width=None, height=None):
    """A table on four legs."""
    width, depth = width or look.uniform(0.8, 1.7), look.uniform(0.6, 0.9)
    height, wood = height or look.uniform(0.72, 0.78), look.body()
    boxes = [(0, 0, height - 0.04, width, depth, 0.04, wood), *_legs(width, depth, height - 0.04, 0.06, wood)]
    return Item((width, depth, height), boxes, (), height)


def make_low_table(look):
    """A table before a sofa."""
    return make_table(look, look.uniform(0.6, 1.1), look.uniform(0.38, 0.48))


def make_chair(look):
    """A chair."""
    wood, seat, rise = look.body(), look.uniform(0.43, 0.47), look.uniform(0.4, 0.5)
    boxes = [
        (0, 0, seat - 0.05, 0.43, 0.43, 0.05, look.fabric() if look.rng.random() < 0.4 else wood),
        (0, -0.2, seat + 0.12, 0.43, 0.03, rise - 0.12, wood),
        *_legs(0.43, 0.43, seat - 0.05, 0.04, wood),
    ]
    boxes += [(x, -0.2, seat, 0.04, 0.03, 0.12, wood) for x in (-0.18, 0.18)]
    return Item((0.44, 0.44, seat + rise), boxes)


def make_dining(look):
    """A table with chairs around it."""
    table, chair = make_table(look), make_chair(look)
    width, depth, _ = table.size
    boxes = list(table.boxes)
    for x in (-width / 4, width / 4)[: 2 if width > 1.1 else 1]:
        for side in (-1, 1):
            away = side * (depth / 2 + look.uniform(0.0, 0.25))
            boxes += [(x - side * row[0], away - side * row[1], *row[2:]) for row in chair.boxes]
    return Item((width, depth + 1.0, chair.size[2]), boxes)


def make_desk(look):
    """A desk with a screen and a keyboard."""
    item = make_table(look)
    width, depth, height = item.size
    boxes = [
        *item.boxes[:1],
        *((x, 0, 0, 0.04, depth, height - 0.04, item.boxes[0][6]) for x in (-width / 2 + 0.02, width / 2 - 0.02)),
    ]
    screen = Material(
        "screen", (0.02, 0.02, 0.02), make_tint(look.rng, 0.05, 0.5), fit=(1, 1), glow=look.uniform(0, 0.8)
    )
    x = look.uniform(-0.15, 0.15) * width
    boxes += [
        (x, -0.1, height, 0.2, 0.16, 0.02, look.black),
        (x, -0.13, height, 0.04, 0.04, 0.15, look.black),
        (x, -0.1, height + 0.1, 0.54, 0.03, 0.33, look.black, screen),
        (x, 0.15, height, 0.44, 0.14, 0.02, look.black),
    ]
    return Item((width, depth, height + 0.43), boxes)


def make_sofa(look):
    """A sofa."""
    width, depth, cloth = look.uniform(1.4, 2.2), look.uniform(0.8, 0.92), look.fabric()
    boxes = [
        (0, 0, 0.06, width, depth, 0.24, cloth),
        (0, -depth / 2 + 0.11, 0.3, width, 0.22, look.uniform(0.48, 0.6), cloth),
    ]
    boxes += [(x, 0, 0.3, 0.18, depth, 0.3, cloth) for x in (-width / 2 + 0.09, width / 2 - 0.09)]
    seat = (width - 0.38) / 2
    boxes += [(x, 0.11, 0.3, seat, depth - 0.24, 0.14, cloth) for x in (-seat / 2 - 0.005, seat / 2 + 0.005)]
    if look.rng.random() < 0.5:
        boxes.append((look.uniform(-0.4, 0.4) * seat, -depth / 2 + 0.3, 0.44, 0.42, 0.12, 0.36, look.fabric()))
    return Item((width, depth, 0.9), boxes)


def make_armchair(look):
    """An armchair."""
    cloth, width = look.fabric(), look.uniform(0.72, 0.9)
    boxes = [(0, 0.05, 0.1, width - 0.3, 0.7, 0.34, cloth), (0, -0.3, 0.1, width, 0.2, 0.75, cloth)]
    boxes += [(x, 0.05, 0.05, 0.15, 0.7, 0.55, cloth) for x in (-width / 2 + 0.075, width / 2 - 0.075)]
    return Item((width, 0.8, 0.85), boxes)


def make_bed(look):
    """A bed for one or two."""
    width, wood, sheet = look.uniform(0.9, 1.7), look.body(), look.white
    boxes = [
        (0, 0, 0.08, width, 2.0, 0.22, wood),
        (0, 0, 0.3, width - 0.04, 1.96, 0.18, sheet),
        (0, -1.0, 0, width, 0.05, look.uniform(0.8, 1.1), wood),
        (0, 0.28, 0.32, width + 0.02, 1.44, 0.2, look.fabric()),
    ]
    spots = (0.0,) if width < 1.3 else (-width / 4, width / 4)
    boxes += [(x, -0.72, 0.48, 0.6, 0.36, 0.12, sheet) for x in spots]
    return Item((width + 0.02, 2.06, 1.1), boxes)


def make_cabinet(look, height=None, width=None):
    """A cabinet with drawers or doors."""
    width, depth = width or look.uniform(0.6, 1.6), look.uniform(0.38, 0.6)
    height, body = height or look.uniform(0.65, 1.1), look.body()
    texture = look.rng.choice(("drawer", "door"))
    up = max(1, round(height / (0.25 if texture == "drawer" else 1.2)))
    front = look.fronts(body, texture, max(1, round(width / look.uniform(0.45, 0.7))), up)
    top = height if height < 1.3 else 0
    return Item((width, depth, height), [(0, 0, 0, width, depth, height, body, front)], (), top)


def make_wardrobe(look):
    """A wardrobe."""
    return make_cabinet(look, look.uniform(1.8, 2.15), look.uniform(0.9, 1.8))


def make_night_stand(look):
    """A night stand."""
    return make_cabinet(look, look.uniform(0.45, 0.6), look.uniform(0.4, 0.5))


def make_shelf(look):
    """A shelf with books."""
    width, depth, height = look.uniform(0.6, 1.2), look.uniform(0.24, 0.34), look.uniform(1.1, 2.1)
    body, levels = look.body(), max(3, round(height / 0.36))
    step = (height - 0.03) / levels
    boxes = [(x, 0, 0, 0.025, depth, height, body) for x in (-width / 2 + 0.0125, width / 2 - 0.0125)]
    boxes += [(0, 0, step * level, width - 0.05, depth, 0.03, body) for level in range(levels + 1)]
    boxes.append((0, -depth / 2 + 0.005, 0.03, width - 0.05, 0.01, height - 0.06, body))
    for level in range(levels):
        share = look.uniform(-0.3, 0.95)
        if share > 0.2:
            books = Material("books", (0.02, 0.02, 0.02), make_tint(look.rng, 0.5, 0.9), fit=(share * width, 1))
            wide = share * (width - 0.06)
            shift = look.uniform(-0.5, 0.5) * (width - 0.06 - wide)
            boxes.append((shift, -0.03, step * level + 0.03, wide, depth - 0.09, step * 0.75, look.black, books))
    return Item((width, depth, height), boxes)


def make_screen_stand(look):
    """A low cabinet with a large screen."""
    item = make_cabinet(look, look.uniform(0.4, 0.55), look.uniform(1.1, 1.7))
    width, top = look.uniform(0.8, 1.2), item.size[2]
    screen = Material("screen", (0.01, 0.01, 0.01), make_tint(look.rng, 0.02, 0.3), fit=(1, 1), glow=look.uniform(0, 1))
    boxes = [
        *item.boxes,
        (0, 0, top, 0.4, 0.2, 0.02, look.black),
        (0, 0, top, 0.1, 0.04, 0.1, look.black),
        (0, 0, top + 0.08, width, 0.05, 0.58 * width, look.black, screen),
    ]
    return Item((max(width, item.size[0]), item.size[1], top + 0.08 + 0.58 * width), boxes)


def make_cartons(look):
    """A pile of cartons."""
    boxes, bottom, side = [], 0.0, look.uniform(0.35, 0.6)
    paper = look.carton()
    for _ in range(look.rng.randint(1, 3)):
        height = look.uniform(0.2, 0.45)
        boxes.append((look.uniform(-0.03, 0.03), 0, bottom, side, side * 0.8, height, paper))
        bottom, side = bottom + height, side * look.uniform(0.7, 0.95)
    return Item((boxes[0][3] + 0.06, boxes[0][4], bottom), boxes)


def make_plant(look):
    """A plant in a pot."""
    leaf = Material("leaves", (0.01, 0.03, 0.01), (0.12, look.uniform(0.2, 0.4), 0.08), period=0.7)
    height = look.uniform(0.6, 1.3)
    rounds = [(0, 0, 0, 0.15, 0.3, look.paint()), (0, 0, 0.3, 0.02, height - 0.4, look.other)]
    for _ in range(5):
        x, y, low, radius = (look.uniform(*ends) for ends in ((-0.14, 0.14), (-0.14, 0.14), (0.2, 0.5), (0.12, 0.2)))
        rounds.append((x, y, height - low, radius, 0, leaf))
    return Item((0.7, 0.7, height + 0.2), (), rounds)


def make_floor_lamp(look):
    """A standing lamp."""
    height = look.uniform(1.4, 1.7)
    shade = Material("plain", (0.7, 0.6, 0.45), (0.9, 0.8, 0.6), glow=look.uniform(0.2, 3))
    rounds = [(0, 0, 0, 0.14, 0.02, look.metal), (0, 0, 0.02, 0.015, height - 0.27, look.metal)]
    return Item((0.4, 0.4, height), (), [*rounds, (0, 0, height - 0.25, 0.18, 0.25, shade)])


def make_bin(look):
    """A waste-paper bin."""
    radius, height = look.uniform(0.13, 0.2), look.uniform(0.25, 0.6)
    return Item((2 * radius, 2 * radius, height), (), [(0, 0, 0, radius, height, look.paint())])


def make_ball(look):
    """A ball."""
    radius = look.uniform(0.1, 0.3)
    return Item((2 * radius, 2 * radius, 2 * radius), (), [(0, 0, 0, radius, 0, look.paint())])


def make_pouf(look):
    """A pouf."""
    radius, height = look.uniform(0.22, 0.32), look.uniform(0.35, 0.45)
    return Item((2 * radius, 2 * radius, height), (), [(0, 0, 0, radius, height, look.fabric())])


def make_clutter(look):
    """A small thing to stand on a table."""
    kind, width, height = look.rng.randrange(4), look.uniform(0.1, 0.3), look.uniform(0.08, 0.3)
    if kind == 0:
        return Item((width, 0.2, height), [(0, 0, 0, width, 0.2, height, look.paint())])
    if kind == 1:
        return Item((0.1, 0.1, height), (), [(0, 0, 0, 0.045, height, look.paint())])
    if kind == 2:
        shade = Material("plain", (0.6, 0.55, 0.4), (0.9, 0.8, 0.6), glow=look.uniform(0, 3))
        rounds = [(0, 0, 0, 0.07, 0, look.paint()), (0, 0, 0.08, 0.015, 0.15, look.metal)]
        return Item((0.3, 0.3, 0.45), (), [*rounds, (0, 0, 0.22, 0.14, 0.2, shade)])
    return Item((0.24, 0.18, 0.1), [(0, 0, 0.03 * level, 0.22, 0.16, 0.028, look.paint()) for level in range(3)])
