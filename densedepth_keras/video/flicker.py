"""The flicker figure: by how many metres depth changes from one frame to the next where the picture does not."""

from collections.abc import Iterable

import numpy as np

from densedepth_keras.video.smoothing import is_cut, thumbnail

STATIC = 3
"""Levels, of 255, by which each colour of a static pixel changes at most: about what a video's compression changes."""


class Flicker:
    """Adds up `flicker` frame by frame.

    Args:
        step: looks at every so many-th pixel of every so many-th row; 1 sees all.
    """

    def __init__(self, step: int = 1):
        self._step = step
        self._before: tuple | None = None
        self._sum, self._count = 0.0, 0

    def add(self, picture: np.ndarray, depth: np.ndarray) -> None:
        """Takes the next picture, uint8 `(H, W, 3)`, and its depth `(H, W)`, metres."""
        every = slice(None, None, self._step)
        seen = np.ascontiguousarray(picture[every, every])
        now = seen.astype(np.int16), np.array(depth[every, every], np.float32), thumbnail(seen)
        before, self._before = self._before, now
        if before is None or before[1].shape != now[1].shape or is_cut(before[2], now[2]):
            return
        static = (np.abs(now[0] - before[0]) <= STATIC).all(axis=-1)
        self._sum += float(np.abs(now[1] - before[1])[static].sum(dtype=np.float64))
        self._count += int(static.sum())

    @property
    def metres(self) -> float:
        """The figure so far; NaN where no pixel was static."""
        return self._sum / self._count if self._count else float("nan")


def flicker(depths: Iterable[np.ndarray], pictures: Iterable[np.ndarray]) -> float:
    """Mean absolute temporal change of depth on static pixels.

        mean of |depth_t - depth_(t-1)| over all pixels and frames where no colour changed by more than `STATIC` levels

    Across cuts nothing is counted. A flat wall that a moving camera passes counts as static, too: its colour does not
    change and its depth hardly does.

    Args:
        depths: float `(H, W)`, metres, one per picture.
        pictures: uint8 RGB `(H, W, 3)`.

    Returns:
        Metres per frame; best 0, NaN where no pixel was static.

    Raises:
        ValueError: not as many depths as pictures.
    """
    figure = Flicker()
    for depth, picture in zip(depths, pictures, strict=True):
        figure.add(picture, depth)
    return figure.metres
