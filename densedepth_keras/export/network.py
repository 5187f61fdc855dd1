"""The network that is exported: loaded, computing in float32, its range and the size of its images."""

import contextlib
import importlib.metadata
import math
import os
from typing import NamedTuple

import keras
import numpy as np

from densedepth_keras.names import printable
from densedepth_keras.prediction import depth_range, load_model, predict_batch

INPUT, OUTPUT = "image", "depth"
"""What every exported file calls its one input and its one output."""


class Network(NamedTuple):
    """What is exported.

    Attributes:
        model: the `keras.Model`, with depth as its one output.
        image_size: `(height, width)`, None for a side that is open.
        min_depth: metres; 0 of a model that does not say its range.
        max_depth: metres; infinite of a model that does not say its range.
    """

    model: keras.Model
    image_size: tuple[int | None, int | None]
    min_depth: float
    max_depth: float

    def metres(self, image):
        """The function that is exported: uint8 `(B, H, W, 3)` to `{"depth": (B, h, w, 1)}`, clipped to the range."""
        depth = self.model(image, training=False)
        if math.isfinite(self.max_depth):
            depth = keras.ops.clip(depth, self.min_depth, self.max_depth)
        return {OUTPUT: depth}

    def answer(self, images: np.ndarray) -> np.ndarray:
        """What Keras says: uint8 `(B, H, W, 3)` to float32 `(B, h, w)`, metres, clipped to the range."""
        return np.clip(predict_batch(self.model, images, len(images)), self.min_depth, self.max_depth)

    def facts(self, quantize: str = "none") -> dict[str, str]:
        """What a user of the file should know, as text; goes into the file."""
        sides = "x".join("any" if side is None else str(side) for side in self.image_size)
        known = math.isfinite(self.max_depth)
        ends = {"min_depth": f"{self.min_depth:g}", "max_depth": f"{self.max_depth:g}"} if known else {}
        return {
            "input": f"{INPUT}: uint8 (batch, height, width, 3), RGB 0..255",
            "output": f"{OUTPUT}: float32 (batch, height, width, 1), distance along the optical axis",
            "unit": "metres",
            **ends,
            "image_size": f"{sides} (height x width)",
            "network": self.model.name,
            "quantize": quantize,
            "made_by": _made_by(),
        }


def _made_by():
    package = "densedepth_keras"
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):  # a checkout that was never installed
        package += f" {importlib.metadata.version(package)}"
    return f"{package}, keras {keras.__version__}"


def load_network(checkpoint: str | os.PathLike, image_size: tuple[int, int] | str | None = None) -> Network:
    """Loads a run folder or `.keras` file to be exported.

    Args:
        checkpoint: the path.
        image_size: `(height, width)`, `"dynamic"`, or None for the network's own.

    Raises:
        ValueError: not a depth model, a size that it does not take, another backend of Keras than TensorFlow.
        FileNotFoundError: no such checkpoint.
    """
    backend = keras.backend.backend()
    if backend != "tensorflow":
        raise ValueError(
            "Export goes through TensorFlow, whatever backend the network was trained on: set KERAS_BACKEND=tensorflow "
            f"for this command. Received: KERAS_BACKEND={backend}"
        )
    model = load_model(checkpoint)
    size = _settled_size(image_size, tuple(model.input_shape[1:3]), checkpoint)
    _compute_in_float32(model)
    return Network(model, size, *depth_range(model))


def _settled_size(wanted, own, checkpoint):
    if wanted is None:
        return own
    if wanted == "dynamic":
        wanted = (None, None)
    if any(mine is not None and mine != side for mine, side in zip(own, wanted, strict=True)):
        sides = " ".join("any" if side is None else str(side) for side in own)
        raise ValueError(
            f"This network was built for one size of images, {sides} (height width), and answers at no other: bring "
            "the pictures to that size, or train at another. Received: "
            f"image_size={'dynamic' if wanted == (None, None) else wanted}, {printable(str(checkpoint))}"
        )
    return wanted


def _compute_in_float32(model):
    """Mixed precision keeps its weights in float32, and runtimes differ in what they can do in 16 bits."""
    for layer in (model, *model.layers):
        if layer is not model and isinstance(layer, keras.Model):
            _compute_in_float32(layer)
        elif layer.compute_dtype in ("float16", "bfloat16"):
            layer.dtype_policy = keras.DTypePolicy("float32")
