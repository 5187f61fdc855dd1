"""From pictures and their depth to the pictures of the video: smoothed, painted, set side by side."""

import math

import numpy as np

from densedepth_keras.config.predict import PredictConfig
from densedepth_keras.outputs.coloring import Coloring
from densedepth_keras.video.flicker import Flicker
from densedepth_keras.video.smoothing import Smoothing

_FLICKER_STEP = 4  # every fourth pixel of every fourth row: the figure's third digit is the same, for nothing


class Drawing:
    """Draws a video's pictures one after another.

    Args:
        coloring: the colours, of one metric range throughout.
        smooth: share of the last depth that stays in the next.
        side_by_side: whether the input stands beside its depth.

    Attributes:
        smoothing: with the number of `cuts` so far.
        flicker: of what was drawn, metres.
        raw_flicker: of what the network answered, metres.
    """

    def __init__(self, coloring: Coloring, smooth: float, side_by_side: bool):
        self._coloring, self._side_by_side = coloring, side_by_side
        self.smoothing = Smoothing(smooth)
        self._figures = Flicker(_FLICKER_STEP), Flicker(_FLICKER_STEP)

    def __call__(self, picture: np.ndarray, depth: np.ndarray) -> np.ndarray:
        """The next picture to show, uint8 RGB, of the input `(H, W, 3)` and its depth `(H, W)`, metres."""
        smoothed = self.smoothing.next(picture, depth)
        for figure, shown in zip(self._figures, (smoothed, depth), strict=True):
            figure.add(picture, shown)
        if self._side_by_side:
            return self._coloring.side_by_side(picture, smoothed)
        return self._coloring.with_scale_bar(self._coloring.paint(smoothed))

    def size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Height and width of what is drawn of pictures of that size."""
        row = np.zeros((size[0], 1, 3), np.uint8)
        bar = self._coloring.with_scale_bar(row).shape[1] - 1
        return size[0], size[1] * (1 + self._side_by_side) + bar

    @property
    def flicker(self) -> float:
        """Of what was drawn, metres; NaN where nothing stood still."""
        return self._figures[0].metres

    @property
    def raw_flicker(self) -> float:
        """Of what the network answered, metres; NaN where nothing stood still."""
        return self._figures[1].metres


def drawing_for(config: PredictConfig, predictor) -> Drawing:
    """The drawing that the flags ask for; a ValueError where neither they nor the model say the range of depth."""
    near, far = config.range or (predictor.min_depth, predictor.max_depth)
    if not math.isfinite(far):
        raise ValueError(
            "This model does not say how far it sees: give the ends of the colours, metres, with --range NEAR FAR. "
            f"Received: range=None, {predictor.name}"
        )
    return Drawing(Coloring(near, far, config.colormap), config.smooth, config.side_by_side)
