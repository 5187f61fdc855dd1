"""Colours, as linear RGB albedos, and the materials that the furniture of one room shares."""

from densedepth_keras.data.rendering.scene import Material

WOODS = (
    (0.45, 0.27, 0.14),
    (0.58, 0.41, 0.24),
    (0.26, 0.14, 0.08),
    (0.68, 0.54, 0.37),
    (0.13, 0.08, 0.05),
    (0.5, 0.36, 0.26),
)
PALES = (
    (0.82, 0.81, 0.78),
    (0.78, 0.73, 0.62),
    (0.7, 0.72, 0.72),
    (0.74, 0.68, 0.6),
    (0.8, 0.78, 0.7),
    (0.6, 0.58, 0.55),
)
SKIES = ((0.75, 0.85, 0.92), (0.5, 0.7, 0.92), (0.85, 0.85, 0.8), (0.6, 0.75, 0.5), (0.06, 0.07, 0.1))
GREYS = ((0.8, 0.8, 0.8), (0.5, 0.5, 0.5), (0.25, 0.25, 0.26), (0.08, 0.08, 0.085), (0.62, 0.62, 0.6))


def make_tint(rng, low=0.15, high=0.6, strength=0.8):
    """A random colour, more often muted than bright."""
    value, strength, hue = rng.uniform(low, high), rng.random() ** 1.5 * strength, rng.random() * 3
    grey, vivid = value * (1 - strength), value * 1.5 * strength
    red, green, blue = 1 - abs((hue + 1.5) % 3 - 1.5), 1 - abs((hue + 0.5) % 3 - 1.5), 1 - abs((hue - 0.5) % 3 - 1.5)
    return grey + vivid * max(0.0, red), grey + vivid * max(0.0, green), grey + vivid * max(0.0, blue)


def make_material(texture, colour, contrast=0.35, **settings):
    """A material that varies around `colour`."""
    (red, green, blue), low, high = colour, 1 - contrast, 1 + contrast
    dark = min(0.92, low * red), min(0.92, low * green), min(0.92, low * blue)
    light = min(0.92, high * red), min(0.92, high * green), min(0.92, high * blue)
    return Material(texture, dark, light, **settings)


class Look:
    """The materials that one room's furniture shares, and random numbers to build it."""

    def __init__(self, rng, mood):
        self.rng, self.mood = rng, mood
        self.uniform = rng.uniform
        self.wood = make_material("grain", rng.choice(WOODS), period=1.2)
        self.other = make_material("grain", rng.choice(WOODS), period=1.2)
        self.white = make_material("plain", rng.choice(PALES), 0.1)
        self.metal = make_material("plain", rng.choice(GREYS), 0.2)
        self.black = make_material("plain", (0.03, 0.03, 0.035), 0.3)

    def body(self):
        return self.rng.choice((self.wood, self.wood, self.other, self.white))

    def fabric(self):
        texture = self.rng.choice(("weave", "weave", "weave", "plaid", "stripes", "plain"))
        return make_material(texture, make_tint(self.rng, 0.08, 0.6), period=self.uniform(0.8, 1.8))

    def ceramic(self):
        return make_material("plain", self.rng.choice(PALES[:3]), 0.08)

    def carton(self):
        return make_material("plain", (0.48, 0.34, 0.2), 0.2) if self.rng.random() < 0.6 else self.paint()

    def paint(self):
        return make_material("plain", make_tint(self.rng, 0.1, 0.7), 0.15)

    def fronts(self, material, texture, across, up):
        return Material(
            texture, tuple(0.25 * c for c in material.dark), tuple(1.2 * c for c in material.light), fit=(across, up)
        )
