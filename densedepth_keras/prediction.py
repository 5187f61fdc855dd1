"""From pictures to metres: load a model, predict depth at every image's own size."""

import functools
import os
import threading
import zipfile
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

import keras
import numpy as np
from PIL import Image

from densedepth_keras.config import MODEL_FILE
from densedepth_keras.data.images import check_sides, read_image, rgb_array
from densedepth_keras.data.resize import enlarge_prediction, resize_image
from densedepth_keras.distribution.devices import list_devices
from densedepth_keras.models import inference_model
from densedepth_keras.models.heads import ReciprocalToDepth

_TURN = threading.Lock()
"""One thread at a time: on JAX, Keras hands a model's weights over to each step and takes them back from it."""


def load_model(path: str | os.PathLike) -> keras.Model:
    """Loads a depth model for use: a `.keras` file, or a run folder.

    Args:
        path: the file or the folder.

    Returns:
        The `keras.Model`, uncompiled: RGB 0..255 in, metres out; companion heads of deep supervision are left out.

    Raises:
        FileNotFoundError: no such file, or a run folder without a model.
        ValueError: a file that Keras cannot read, or a model that is none of depth.
    """
    file = check_checkpoint(path)
    try:
        with zipfile.ZipFile(file):  # Keras calls a broken archive "not found"
            pass
        model = keras.saving.load_model(file, compile=False)
    except Exception as error:  # zip, JSON, HDF5 and Keras each raise their own kinds on a broken file
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ValueError(
            f"Truncated, or not a model that Keras can load: {reason[:300]}. Received: {str(file)!r}"
        ) from error
    try:
        model = inference_model(model)
    except ValueError as error:
        raise ValueError(f"{error} in {str(file)!r}") from error
    _check_depth_model(model, file)
    return model


def check_checkpoint(path: str | os.PathLike) -> Path:
    """The model file of a `.keras` path or a run folder; FileNotFoundError where there is none."""
    file = Path(path) / MODEL_FILE if os.path.isdir(path) else Path(path)
    if not os.path.isfile(file):
        raise FileNotFoundError(f"No model there: expected a run folder or a .keras file. Received: {str(path)!r}")
    return file


def depth_range(model: keras.Model) -> tuple[float, float]:
    """`(min_depth, max_depth)` a model was built for, metres; `(0, inf)` where it does not say."""
    for layer in model.layers:
        if isinstance(layer, ReciprocalToDepth):
            return layer.min_depth, layer.max_depth
    return 0.0, float("inf")


def predict_depth(model: keras.Model, images, *, batch_size: int = 8, flip_average: bool = False):
    """Predicts metric depth.

    Args:
        model: what `build_model` or `load_model` returns.
        images: one image or a list of any sizes: RGB arrays `(H, W, 3)` of 0..255 (uint8 or float), paths, or PIL
            images. Sides of 32 pixels or more.
        batch_size: images of one size that go through the network together.
        flip_average: averages with the prediction for the mirrored image; takes twice the time.

    Returns:
        Depth, float32 `(H, W)`, metres, at the image's own size and clipped to the model's range; a list of them for
        a list of images. A model with a fixed input size gets the images resized to it, another sees them as they
        are.

    Raises:
        ValueError: an array that is no RGB image of 0..255, a picture that cannot be decoded.
        FileNotFoundError: no such file.

    Example:
        >>> model = build_model("mobilenet_v2", weights=None, decoder_filters=64)
        >>> predict_depth(model, numpy.zeros((100, 150, 3), "uint8")).shape
        (100, 150)
    """
    if batch_size < 1:
        raise ValueError(f"`batch_size` must be at least 1. Received: batch_size={batch_size}")
    if images is None:
        raise TypeError("`images` must be an image or a list of images. Received: images=None")
    alone = isinstance(images, str | os.PathLike | Image.Image) or len(getattr(images, "shape", range(4))) < 4
    names = ((image, f"image {number}") for number, image in enumerate([images] if alone else images))
    arrays = (as_image(image, name) for image, name in names)
    depths = list(iterate_depth(model, arrays, batch_size=batch_size, flip_average=flip_average))
    return depths[0] if alone else depths


def iterate_depth(
    model: keras.Model, images: Iterable[np.ndarray], *, batch_size: int = 8, flip_average: bool = False
) -> Iterator[np.ndarray]:
    """`predict_depth` for a stream: uint8 images in, metres out one by one, a batch in memory at a time."""
    model = inference_model(model)
    near, far = depth_range(model)
    for _, same_size in groupby(images, key=lambda image: network_size(model, image)):
        for batch in _chunks(same_size, batch_size):
            inputs = np.stack([resize_image(image, network_size(model, image)) for image in batch])
            depths = predict_batch(model, inputs, batch_size, flip_average=flip_average)
            for image, depth in zip(batch, depths, strict=True):
                yield np.clip(enlarge_prediction(depth, image.shape[:2]), near, far)


def network_size(model: keras.Model, image: np.ndarray) -> tuple[int, int]:
    """Height and width at which the network sees an image."""
    height, width = model.input_shape[1:3]
    return height or image.shape[0], width or image.shape[1]


def as_image(image, name: str = "image") -> np.ndarray:
    """A path, PIL image or array as uint8 RGB `(H, W, 3)`; see `predict_depth`. `name` is what an error calls it."""
    if isinstance(image, str | os.PathLike):
        array, name = read_image(image), str(image)
    elif isinstance(image, Image.Image):
        array = rgb_array(image, name)
    else:
        array = _checked_array(np.asarray(image), name)
    check_sides(array, name)
    return array


def _checked_array(array, name):
    if array.ndim != 3 or array.shape[-1] != 3 or array.dtype.kind not in "uif":
        raise ValueError(
            "An image array must be RGB, (height, width, 3). "
            f"Received: shape={array.shape}, dtype={array.dtype}: {name}"
        )
    if array.dtype == np.uint8 or not array.size:
        return array
    low, high = array.min(), array.max()
    looks_scaled = array.dtype.kind == "f" and 0 < high <= 1
    if not (low >= 0 and high <= 255) or looks_scaled:  # false for NaN
        raise ValueError(
            "An image array holds 0..255. Values of 0..1 have to be multiplied by 255 first. "
            f"Received: values from {low} to {high}, dtype={array.dtype}: {name}"
        )
    return np.rint(array).astype(np.uint8)


def predict_batch(
    model: keras.Model, inputs: np.ndarray, batch_size: int = 8, *, flip_average: bool = False
) -> np.ndarray:
    """The network's own answer, float32 `(B, h, w)`, metres, neither clipped nor enlarged.

    On a CPU images go through the network one by one, so that an image's answer is the same to the bit in whatever
    company it comes; a batch of 8 is no faster there, it leaves the caches. On a GPU a batch of less than `batch_size`
    is filled up to the next power of two, or to `batch_size` where that is less: every new shape is compiled, which
    takes seconds, and an answer must not depend on which shapes came before. Threads wait for each other.

    Args:
        model: with one output.
        inputs: uint8 `(B, H, W, 3)`, at a size that the network takes.
        batch_size: the largest batch.
        flip_average: averages with the mirrored images' answer.
    """
    most = 1 if _on_cpu() else batch_size
    parts = [_answer(model, inputs[start : start + most], most) for start in range(0, len(inputs), most)]
    depth = np.concatenate(parts)
    if not flip_average:
        return depth
    mirrored = predict_batch(model, inputs[:, :, ::-1], batch_size)
    return (depth + mirrored[:, :, ::-1]) / 2


@functools.cache
def _on_cpu():
    return all(device.startswith("cpu") for device in list_devices())


def _answer(model, inputs, batch_size):
    count = len(inputs)
    filling = min(batch_size, 1 << (count - 1).bit_length()) - count
    if filling > 0:
        inputs = np.concatenate([inputs, np.repeat(inputs[-1:], filling, axis=0)])
    with _TURN:
        return np.asarray(model.predict_on_batch(inputs))[:count, ..., 0]


def _chunks(items, size):
    chunk = []
    for item in items:
        chunk.append(item)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _check_depth_model(model, file):
    shapes = getattr(model, "input_shape", None), getattr(model, "output_shape", None)
    is_depth = all(isinstance(shape, tuple) and len(shape) == 4 for shape in shapes)
    if not (is_depth and shapes[0][-1] == 3 and shapes[1][-1] == 1):
        raise ValueError(
            "Not a depth model: expected one RGB input (B, H, W, 3) and one output (B, h, w, 1). "
            f"Received: inputs {shapes[0]}, outputs {shapes[1]} in {str(file)!r}"
        )
