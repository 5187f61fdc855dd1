"""Light of a picture: the hour, the lamps, and what the camera makes of them."""

from types import MappingProxyType
from typing import NamedTuple

from densedepth_keras.data.rendering.scene import Light


class Mood(NamedTuple):
    """Ends of uniform distributions, but for `exposure`, a factor, and `cast`, the greatest error of white balance."""

    weight: float
    windows: tuple  # radiance of the view through a window, and of the light that falls through it
    ambient: tuple  # light from everywhere
    lamps: tuple  # how many lamps, both included
    power: tuple  # irradiance one metre below a lamp
    warmth: tuple  # surplus of red and lack of blue
    cast: float = 0.12
    exposure: float = 1.0
    noise: tuple = (1.0, 5.0)  # deviation in grey levels


MOODS = MappingProxyType(
    {
        "day": Mood(0.45, (1.0, 3.0), (0.22, 0.9), (1, 2), (1.5, 5.0), (0.0, 0.3)),
        "lamps": Mood(0.25, (0.3, 1.2), (0.15, 0.6), (1, 2), (1.5, 5.0), (0.0, 0.3)),
        "evening": Mood(0.12, (0.0, 0.2), (0.06, 0.2), (1, 3), (1.5, 4.0), (0.2, 0.5), 0.1, 0.9, (1.5, 5.0)),
        "tubes": Mood(0.1, (0.2, 2.0), (0.4, 0.8), (2, 3), (2.0, 4.0), (-0.12, 0.05), 0.06, 1.1, (1.0, 3.0)),
        "dim": Mood(0.08, (0.0, 0.1), (0.03, 0.12), (1, 1), (0.8, 2.5), (0.0, 0.45), 0.2, 0.65, (3.0, 6.5)),
    }
)


def draw_mood(rng):
    """One of `MOODS`."""
    return rng.choices(tuple(MOODS.values()), [mood.weight for mood in MOODS.values()])[0]


def draw_lamps(rng, mood, size):
    """Lamps below the ceiling."""
    lamps = []
    for _ in range(rng.randint(*mood.lamps)):
        warmth, power = rng.uniform(*mood.warmth), rng.uniform(*mood.power)
        place = (rng.uniform(0.2, 0.8) * size[0], rng.uniform(0.2, 0.8) * size[1], size[2] - rng.uniform(0.15, 0.7))
        lamps.append(Light(place, (power * (1 + warmth), power, power * (1 - warmth))))
    return lamps
