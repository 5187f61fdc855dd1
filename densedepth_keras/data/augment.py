"""Augmentation: image and depth always together, and a function of the generator alone."""

import dataclasses
from types import MappingProxyType

import numpy as np

from densedepth_keras.data.colour import CHANNEL_ORDERS, REFERENCE_ORDERS, RGB, add_noise, blur, rearrange, recolour
from densedepth_keras.data.geometry import Window, cut_out, cut_window, place_window, rotate, window_zoom
from densedepth_keras.data.resize import resize_depth, resize_image
from densedepth_keras.data.sample import Sample
from densedepth_keras.names import check_name

BOUNDS = MappingProxyType(
    {
        "mirror": (0, 1),
        "channel_order": (0, 1),
        "reference_channel_order": (0, 1),
        "brightness": (0, 0.9),
        "contrast": (0, 0.9),
        "gamma": (0, 4),
        "saturation": (0, 1),
        "hue": (0, 0.5),
        "crop": (1, 4),
        "rotation": (0, 15),
        "cut_out": (0, 0.9),
        "blur": (0, 5),
        "noise": (0, 40),
    }
)
"""Least and largest value of every option; the least switches it off, and is the default. Read-only."""

_UNIFORM = ("reference", "reference_order", "gamma", "brightness", "contrast", "saturation", "hue", "rotation")
_UNIFORM += ("share", "shape", "down", "right", "blur", "noise")
"""What is drawn beside the paper's two. A new option appends to it."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Augmentation:
    """What training samples go through, each part off by default.

    A sample goes through `before_resize` at the source's own size and `after_resize` at the network's. Every part is
    drawn uniformly up to its strength for every sample, from a block of numbers that is the same whatever is switched
    on: adding noise does not change who is mirrored, and a run with one part more can be compared with one without.

    Args:
        mirror: probability that left and right are exchanged.
        channel_order: probability that R, G, B take one of the five other orders.
        reference_channel_order: probability that they take one of `REFERENCE_ORDERS`; not beside `channel_order`.
        brightness: grey levels times a factor of `1 - brightness` to `1 + brightness`.
        contrast: their distance from the picture's mean times `1 - contrast` to `1 + contrast`.
        gamma: exponent of the grey levels, between 0 and 1, of `1 / (1 + gamma)` to `1 + gamma`, uniform in its
            logarithm: as often lighter as darker.
        saturation: distance from the grey of the same luma times `1 - saturation` to `1 + saturation`.
        hue: colours turned by up to this part of a full turn, either way, at constant luma.
        crop: largest zoom. A window of 1 / z of each side, z between 1 and `crop`, anywhere, is enlarged to the whole,
            and its depth divided by z (see `geometry.cut_window`).
        rotation: degrees at most, either way; pixels from outside are holes in depth, the mirrored border in the image.
        cut_out: share of the depth map at most that becomes a hole, as one rectangle; the image keeps it.
        blur: standard deviation at most, pixels of the network's input.
        noise: standard deviation at most, grey levels; independent in every value.

    Raises:
        ValueError: a value outside `BOUNDS`, or both orders of channels.
        TypeError: a value that is no number.

    Example:
        >>> augmentation = Augmentation(mirror=0.5, rotation=3)
        >>> sample = Sample(np.zeros((48, 64, 3), np.uint8), np.ones((48, 64), np.float32))
        >>> augmentation(sample, np.random.default_rng([0, 1, 2])).depth.shape
        (48, 64)
        >>> str(augmentation)
        'mirror=0.5,rotation=3'

    Reference:
        Krishna & Beura (mirror, channel_order); Alhashim & Wonka, arXiv 1812.11941 (reference_channel_order); Lee et
        al., BTS, arXiv 1907.10326 (gamma, brightness, colour, rotation, crop).
    """

    mirror: float = 0.0
    channel_order: float = 0.0
    reference_channel_order: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    gamma: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    crop: float = 1.0
    rotation: float = 0.0
    cut_out: float = 0.0
    blur: float = 0.0
    noise: float = 0.0

    def __post_init__(self):
        for name, value in dataclasses.asdict(self).items():
            _check_value(name, value, f"{name}={value!r}")
            object.__setattr__(self, name, float(value))
        if self.channel_order and self.reference_channel_order:
            raise ValueError(
                "`channel_order` and `reference_channel_order` exclude each other. Received: "
                f"channel_order={self.channel_order:g}, reference_channel_order={self.reference_channel_order:g}"
            )

    @property
    def needs_source(self) -> bool:
        """Whether `before_resize` does anything, so that samples are to be kept at the source's size."""
        return self.crop > 1

    def crop_window(self, size: tuple[int, int], rng: np.random.Generator) -> Window | None:
        """The window `(top, left, height, width)` of a picture of `size=(height, width)`; None for all of it."""
        if not self.needs_source:
            return None
        zoom, down, right = rng.random(3)
        window = place_window(size, 1 + (self.crop - 1) * zoom, down, right)
        return None if window[2:] == tuple(size) else window

    def zoom(self, size: tuple[int, int], window: Window | None) -> float:
        """By how much a window of `crop_window` is enlarged, which its depth is divided by; 1 for None."""
        return 1.0 if window is None else window_zoom(size, Window(*window))

    def before_resize(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """The crop, with its depth divided by the zoom and its size still its own; else the sample itself.

        Args:
            sample: as the source yields it, image and depth of one size.
            rng: not the generator that `after_resize` gets, or what that draws depends on `crop`.
        """
        window = self.crop_window(sample.depth.shape, rng)
        return sample if window is None else cut_window(sample, window)

    def after_resize(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Everything else, on image `(H, W, 3)` and depth `(h, w)` of any two sizes, which they keep.

        Args:
            sample: left as it is; the result may share memory with it.
            rng: fresh, the only source of chance.
        """
        draw = _draw(rng)
        image, depth = rotate(sample, self.rotation * _either_way(draw["rotation"]))
        place = {name: draw[name] for name in ("shape", "down", "right")}
        depth = cut_out(depth, self.cut_out * draw["share"], **place)
        image = recolour(image, **self._recolouring(draw))
        mirrored = draw["mirror"] < self.mirror
        image = rearrange(image, mirrored, self._order(draw))
        image = blur(image, self.blur * draw["blur"])
        image = add_noise(image, self.noise * draw["noise"], rng)
        return Sample(image, depth[:, ::-1] if mirrored else depth)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Both at the sample's own size; a child of `rng` draws the crop."""
        image, depth = self.before_resize(sample, rng.spawn(1)[0]) if self.needs_source else sample
        whole = Sample(resize_image(image, sample.image.shape[:2]), resize_depth(depth, sample.depth.shape))
        return self.after_resize(whole, rng)

    def _recolouring(self, draw):
        factors = {
            name: 1 + getattr(self, name) * _either_way(draw[name]) for name in ("brightness", "contrast", "saturation")
        }
        gamma = (1 + self.gamma) ** _either_way(draw["gamma"])
        return {**factors, "gamma": gamma, "hue": self.hue * _either_way(draw["hue"])}

    def _order(self, draw):
        if draw["channels"] < self.channel_order:
            return CHANNEL_ORDERS[draw["order"]]
        if draw["reference"] < self.reference_channel_order:
            return REFERENCE_ORDERS[int(len(REFERENCE_ORDERS) * draw["reference_order"])]
        return RGB

    def describe(self) -> str:
        """The shortest text of which `parse_augmentation` makes this again: 'paper,rotation=3'."""
        bases = {"": Augmentation(), **PRESETS}
        return min((self._difference(name, base) for name, base in bases.items()), key=len) or "none"

    __str__ = describe

    def _difference(self, name, base):
        values = {key: value for key, value in dataclasses.asdict(self).items() if value != getattr(base, key)}
        parts = [f"{key}={repr(value).removesuffix('.0')}" for key, value in values.items()]
        return ",".join([name, *parts] if name else parts)


def _draw(rng):
    """One block of numbers for all options; those of the paper's first and drawn as always, as runs depend on them."""
    mirror, channels = rng.random(2)
    order = int(rng.integers(len(CHANNEL_ORDERS)))
    rest = dict(zip(_UNIFORM, rng.random(len(_UNIFORM)).tolist(), strict=True))
    return {"mirror": mirror, "channels": channels, "order": order, **rest}


def _either_way(uniform):
    """From 0..1 to -1..1."""
    return 2 * uniform - 1


def _check_value(name, value, received):
    least, most = BOUNDS[name]
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise TypeError(f"`{name}` must be a number. Received: {received}")
    if not least <= value <= most:
        raise ValueError(f"`{name}` must be between {least} and {most}. Received: {received}")


PRESETS = MappingProxyType(
    {
        "paper": Augmentation(mirror=0.5, channel_order=0.5),
        "reference": Augmentation(mirror=0.5, reference_channel_order=0.5),
        "strong": Augmentation(
            mirror=0.5, brightness=0.25, gamma=0.1, saturation=0.2, hue=0.02, crop=1.3, rotation=2.5, noise=4
        ),
    }
)
"""Name -> Augmentation: the paper's, the reference's, and one in the manner of BTS, with zoom. Read-only."""


def parse_augmentation(text: str) -> Augmentation | None:
    """What a text like 'paper', 'crop=1.3,mirror=0.5' or 'paper,brightness=0.2' asks for; None for 'none'.

    Args:
        text: 'none', or parts between commas: a preset, if any, first, then `name=value` for options, which go over
            those of the preset.

    Raises:
        ValueError: an unknown name, a value that is no number or out of its bounds, an option given twice.
    """
    first, *others = parts = [part.strip() for part in text.split(",")]
    if parts == ["none"]:
        return None
    if "=" not in first:
        check_name(first, [*PRESETS, "none"], "augmentation", "augment")
    base, settings = (Augmentation(), parts) if "=" in first else (PRESETS.get(first), others)
    options = [_parse_option(setting, text) for setting in settings]
    if base is None or len(dict(options)) < len(options):
        raise ValueError(f"Expected 'none' alone, and every option once. Received: augment={text!r}")
    result = dataclasses.replace(base, **dict(options))
    return None if result == Augmentation() else result


def _parse_option(setting, text):
    name, equals, value = (part.strip() for part in setting.partition("="))
    if not equals:
        raise ValueError(f"Expected name=value after the first part, not {setting!r}. Received: augment={text!r}")
    check_name(name, BOUNDS, "augmentation", "augment")
    try:
        number = float(value)
    except ValueError:
        raise ValueError(f"`{name}` must be a number. Received: augment={text!r}") from None
    _check_value(name, number, f"augment={text!r}")
    return name, number
