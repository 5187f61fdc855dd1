"""Depth as a picture for the eye: one fixed metric range, a scale bar in metres, holes grey."""

import math
import os

import numpy as np
from matplotlib import colormaps
from PIL import Image, ImageDraw, ImageFont

from densedepth_keras.atomic import written_beside
from densedepth_keras.names import check_name

COLORMAP = "plasma_r"
"""Near is bright, far is dark."""

HOLE = (153, 153, 153)
"""Where nothing is known; no colour of a perceptual colour map is this grey."""

_INK, _PAPER = (32, 32, 32), (255, 255, 255)


def check_colormap(name: str) -> None:
    """Raises a ValueError that suggests the nearest unless matplotlib has a colour map of that name."""
    check_name(name, sorted(colormaps), "colour map", "colormap")


def write_picture(path: str | os.PathLike, picture: np.ndarray) -> None:
    """Writes uint8 RGB `(H, W, 3)`, or uint16 `(H, W)`, as a PNG, replaced as a whole or not at all."""
    with written_beside(path) as side:
        # Level 2 of zlib: of predictions a quarter (16 bits) to a half (colours) of the time of level 6, Pillow's own,
        # and a fifth to a third larger.
        Image.fromarray(picture).save(side, format="PNG", compress_level=2)


class Coloring:
    """Paints depth in the colours of one range, so that a colour means the same metres in every picture.

    Args:
        near: depth of the first colour, metres.
        far: depth of the last colour, metres; whatever is nearer or farther gets the colour of that end.
        colormap: any name of matplotlib's.

    Raises:
        ValueError: ends that are no range, a colour map that is not there.

    Example:
        >>> Coloring(0.1, 10.0).paint(numpy.full((480, 640), 2.5)).shape
        (480, 640, 3)
    """

    def __init__(self, near: float, far: float, colormap: str = COLORMAP):
        if not 0 <= near < far < float("inf"):
            raise ValueError(
                f"Colours need two ends, 0 <= near < far, finite, in metres. Received: near={near}, far={far}"
            )
        check_colormap(colormap)
        self.near, self.far, self.colormap = float(near), float(far), colormap
        self._table = colormaps[colormap](np.linspace(0, 1, 256), bytes=True)[:, :3]  # uint8 (256, 3)
        self._bars: dict[int, np.ndarray] = {}

    def paint(self, depth: np.ndarray) -> np.ndarray:
        """Depth `(H, W)`, metres, as uint8 RGB `(H, W, 3)`; 0, negative and NaN are holes."""
        depth = np.asarray(depth, np.float32)
        holes = ~(depth > 0)
        some = holes.any()
        if some:
            depth = np.where(holes, np.float32(self.near), depth)
        position = depth - np.float32(self.near)
        position *= np.float32(256 / (self.far - self.near))
        np.clip(position, 0, 255, out=position)
        indices = Image.fromarray(position.astype(np.uint8))
        indices.putpalette(self._table.tobytes())  # Pillow looks up three times as fast as NumPy
        picture = np.array(indices.convert("RGB"))
        if some:
            picture[holes] = HOLE
        return picture

    def with_scale_bar(self, picture: np.ndarray) -> np.ndarray:
        """A picture `(H, W, 3)` with the colours and their metres at its right; `(H, W + bar, 3)`, the bar even."""
        height = picture.shape[0]
        if height not in self._bars:
            self._bars = {height: self._bar(height)}  # a video asks for the same one again and again
        return np.concatenate([picture, self._bars[height]], axis=1)

    def side_by_side(self, picture: np.ndarray, depth: np.ndarray, *, bar: bool = True) -> np.ndarray:
        """Picture and painted depth of one size beside each other, the scale bar last: `(H, 2 W + bar, 3)`."""
        if picture.shape[:2] != depth.shape:
            raise ValueError(
                "Picture and depth must be of one size, (height, width). "
                f"Received: picture.shape={picture.shape}, depth.shape={depth.shape}"
            )
        pair = np.concatenate([picture, self.paint(depth)], axis=1)
        return self.with_scale_bar(pair) if bar else pair

    def _bar(self, height):
        font_size = max(9, min(height // 20, 96))
        font = ImageFont.load_default(font_size)
        ticks = self._ticks(max(2, int(height / (1.8 * font_size))))
        labels = _labels(ticks)
        gap, colours = font_size // 2, font_size
        width = 3 * gap + colours + math.ceil(max(font.getlength(label) for label in labels))
        width += width % 2  # for encoders of video
        bar = Image.new("RGB", (width, height), _PAPER)
        draw = ImageDraw.Draw(bar)
        top, bottom = self._ends(height, font_size)
        rows = np.linspace(255, 0, bottom - top).round().astype(np.uint8)  # far above, near below
        strip = np.repeat(self._table[rows][:, None], colours, axis=1)
        bar.paste(Image.fromarray(strip), (gap, top))
        for tick, label in zip(ticks, labels, strict=True):
            row = bottom - 1 - (tick - self.near) / (self.far - self.near) * (bottom - 1 - top)
            draw.line([(gap + colours, row), (gap + colours + gap // 2, row)], fill=_INK, width=max(1, font_size // 12))
            draw.text((2 * gap + colours, row), label, fill=_INK, font=font, anchor="lm")
        return np.asarray(bar)

    @staticmethod
    def _ends(height, font_size):
        """Rows between which the colours lie: half a line is left for the numbers of the ends."""
        margin = min(font_size // 2 + 2, height // 3)
        return margin, height - margin

    def _ticks(self, most):
        """Round depths, and the two ends; neighbours at least a line apart."""
        span = self.far - self.near
        step = _round_up(span / most)
        first = math.ceil(self.near / step)
        inner = [step * i for i in range(first, math.floor(self.far / step) + 1)]
        apart = 0.8 * span / most
        kept = [tick for tick in inner if self.near + apart <= tick <= self.far - apart]
        return [self.near, *kept, self.far]


def _round_up(value):
    """The next of 1, 2, 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= value * (1 - 1e-9))


def _labels(ticks):
    """As many decimals as tell neighbours apart, as few as do: 0.1 m, 2 m."""
    return [f"{round(tick, 3):g} m" for tick in ticks]
