"""Whether another runtime gives Keras' metres, and how long both take. NumPy only."""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

TOLERANCES = {"none": 0.001, "float16": 0.05, "dynamic": 0.25, "int8": 0.25}
"""Quantization -> metres that are let through: of the largest difference without any, else of the mean one."""

Answer = Callable[[np.ndarray], np.ndarray]
"""uint8 `(1, H, W, 3)` to float32 `(1, h, w)`, metres."""


class Parity(NamedTuple):
    """Two runtimes on the same pictures, one by one.

    Attributes:
        pictures: how many.
        max_difference: metres, over all pixels of all pictures.
        mean_difference: metres, absolute.
        keras_ms: median milliseconds of a picture, from uint8 to metres at the network's size.
        runtime_ms: the same of the other runtime.
        runtime: its name and version.
    """

    pictures: int
    max_difference: float
    mean_difference: float
    keras_ms: float
    runtime_ms: float
    runtime: str

    def lines(self, size_bytes: int) -> list[str]:
        """A small table."""
        width = max(len(self.runtime), 10)
        return [
            f"{'':24}{'Keras':>10}  {self.runtime:>{width}}",
            f"{'milliseconds a picture':24}{self.keras_ms:>10.1f}  {self.runtime_ms:>{width}.1f}",
            f"{'size, MB':24}{'':>10}  {size_bytes / 1e6:>{width}.1f}",
            f"{'largest difference, m':24}{'':>10}  {self.max_difference:>{width}.6f}",
            f"{'mean difference, m':24}{'':>10}  {self.mean_difference:>{width}.6f}",
        ]


def compare(keras: Answer, other: Answer, images: Sequence[np.ndarray], runtime: str) -> Parity:
    """Runs both on every picture, each first in turn; what compiles or allocates for a new size is not timed.

    Args:
        keras: the network in Keras.
        other: what was written, in its runtime.
        images: uint8 `(H, W, 3)`, one at least.
        runtime: what `other` runs in.
    """
    for image in {image.shape: image for image in images}.values():
        keras(image[None]), other(image[None])
    keras_seconds, other_seconds, differences = [], [], []
    for number, image in enumerate(images):
        order = (keras, other) if number % 2 else (other, keras)
        timed = {answer: _timed(answer, image[None]) for answer in order}
        (expected, keras_second), (depth, other_second) = timed[keras], timed[other]
        keras_seconds.append(keras_second)
        other_seconds.append(other_second)
        differences.append(_difference(depth, expected))
    keras_ms, other_ms = (1000 * statistics.median(seconds) for seconds in (keras_seconds, other_seconds))
    largest, mean = np.max([each.max() for each in differences]), np.mean([each.mean() for each in differences])
    return Parity(len(differences), float(largest), float(mean), keras_ms, other_ms, runtime)


def _timed(answer, images):
    started = time.perf_counter()
    return answer(images), time.perf_counter() - started


def _difference(depth, expected):
    if depth.shape != expected.shape:
        raise ValueError(f"The written network answers {depth.shape}, Keras {expected.shape}.")
    return np.abs(depth - expected)


def check_parity(parity: Parity, quantize: str, tolerance: float | None = None) -> None:
    """Raises a ValueError where the numbers differ by more than `tolerance` metres, or are none."""
    allowed = TOLERANCES[quantize] if tolerance is None else tolerance
    is_exact = quantize == "none"
    found = parity.max_difference if is_exact else parity.mean_difference
    if not found <= allowed:  # true for NaN
        raise ValueError(
            f"{parity.runtime} does not give Keras' metres on {parity.pictures} pictures: the "
            f"{'largest' if is_exact else 'mean'} difference is {found:.6f} m, allowed are {allowed:g} m; nothing was "
            f"left behind. Received: quantize={quantize!r}, tolerance={tolerance}"
        )
