"""Samples: fixed images of the validation, and the picture of what the model makes of them."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from densedepth_keras.callbacks.writing import named_in_errors
from densedepth_keras.plots import plot_samples


class Samples(NamedTuple):
    """Images that are predicted again at the end of every epoch.

    Attributes:
        images: uint8 `(B, H, W, 3)`.
        depths: float32 `(B, h, w, 1)`, metres, 0 = hole.
        min_depth: near end of the range, metres.
        max_depth: far end.
        predict: images to depth `(B, h, w, 1)`, metres.
    """

    images: np.ndarray
    depths: np.ndarray
    min_depth: float
    max_depth: float
    predict: Callable[[np.ndarray], np.ndarray]

    def predictions(self) -> np.ndarray:
        """`(B, h, w)`, metres, clipped to the range."""
        return np.clip(self.predict(self.images), self.min_depth, self.max_depth)[..., 0]


class SamplePictures(keras.callbacks.Callback):
    """samples.png, drawn anew at the end of every epoch.

    Args:
        path: PNG to write.
        samples: what to show.
    """

    def __init__(self, path: Path, samples: Samples):
        super().__init__()
        self.path, self.samples = path, samples

    def on_epoch_end(self, epoch, logs=None):
        """Raises OSError where the file cannot be written."""
        images, depths, _, max_depth, _ = self.samples
        predictions = self.samples.predictions()
        with named_in_errors("The pictures", self.path):
            plot_samples(self.path, images, depths[..., 0], predictions, max_depth=max_depth)
