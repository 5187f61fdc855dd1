"""The reference's published weights, nyu.h5 and kitti.h5, as models of this package."""

import os
from pathlib import Path
from types import MappingProxyType

import keras

from densedepth_keras.depth import check_range
from densedepth_keras.models.backbones import UNIT
from densedepth_keras.models.decoder import Block, decode
from densedepth_keras.models.encoders import Normalization, build_encoder
from densedepth_keras.models.heads import depth_head
from densedepth_keras.models.options import check_image_size
from densedepth_keras.models.reference_file import FILTERS, ReferenceFile, read_reference_file

PUBLISHED = MappingProxyType({"nyu": (10.0, (480, 640)), "kitti": (80.0, (384, 1280))})
"""How a published file's name starts -> farthest depth in metres, and the input's size it was trained at."""

RANGE = 100.0
"""Farthest over nearest depth: the reference clips its answers to 10..1000 of its units, 1000 being `max_depth`."""

_DECODER = ("bridge", *(f"up{stage}_conv_{part}" for stage in (1, 2, 3, 4) for part in "ab"), "depth_reciprocal")


def load_reference_weights(
    path: str | os.PathLike,
    *,
    max_depth: float | None = None,
    image_size: tuple[int | None, int | None] | None = None,
) -> keras.Model:
    """Reads a weight file that the reference published into a model that answers its metres.

    The published files are not what the published code builds: full width, one LeakyReLU per stage, up-sampling with
    aligned corners, RGB / 255 without ImageNet's statistics. The file's own description of its decoder is checked
    against that, layer by layer; how it up-samples and what it is fed is written in no file. Every weight of the model
    must be in the file and every weight of the file in the model, or nothing is loaded.

    The original answers `r = max_depth / depth` from a linear layer and clips `max_depth / r` to its range. The model
    here answers `max_depth / (elu(r - 1) + 1)`, the same for r >= 1; once clipped to the range, as `predict_depth`
    does, it is the same for 0 <= r < 1 too, `max_depth`. Only where the original answers r < 0 do they differ: its
    clip makes that the nearest depth, here it is the farthest.

    Args:
        path: the `.h5` file, as Keras 2's `model.save` wrote it.
        max_depth: metres that r = 1 stands for. `None` asks the file's name, since its content does not tell: 10 for
            names that start with "nyu", 80 for "kitti". `min_depth` is a hundredth of it.
        image_size: `(height, width)` of the model's input, `None` for a side that stays open. `None` alone takes the
            size the published weights were trained at: 480x640 for 10 m, 384x1280 for 80 m (KITTI's frames of about
            375x1242, enlarged to multiples of 32), and leaves it open for any other depth.

    Returns:
        A functional `keras.Model`, as `build_model` gives it: RGB 0..255 in, metres at half the size out.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a file that is not of the published architecture (the message names what was expected and what
            the file has), or whose name does not tell its depths.

    Example:
        >>> model = load_reference_weights("nyu.h5")
        >>> model.save("nyu.keras")

    Reference:
        Alhashim, Wonka, High Quality Monocular Depth Estimation via Transfer Learning, arXiv 1812.11941.
    """
    file = read_reference_file(path)
    max_depth, image_size = resolve(path, max_depth, image_size)
    model = build_reference(max_depth, image_size, last_relu=file.last_relu)
    try:
        assign_weights(model, file)
    except ValueError as error:
        raise ValueError(f"{error} Received: path={str(path)!r}") from error
    return model


def resolve(path, max_depth, image_size):
    """`max_depth` and `image_size` of `load_reference_weights` with the published values where they are None."""
    if max_depth is None:
        name = Path(path).name.lower()
        max_depth = next((depth for start, (depth, _) in PUBLISHED.items() if name.startswith(start)), None)
    if max_depth is None:
        raise ValueError(
            "The file cannot tell its depths, and its name starts neither with 'nyu' (10 m) nor with 'kitti' (80 m): "
            f"pass `max_depth`, in metres (--max-depth). Received: path={str(path)!r}, max_depth=None"
        )
    check_range(max_depth / RANGE, max_depth)
    if image_size is None:
        image_size = dict(PUBLISHED.values()).get(max_depth, (None, None))
    check_image_size(image_size)
    return float(max_depth), tuple(image_size)


def build_reference(max_depth: float, image_size: tuple[int | None, int | None], *, last_relu: bool = True):
    """The published architecture with random weights; the arguments are those of a file, see `ReferenceFile`."""
    image = keras.Input((*image_size, 3), name="image")
    encoder = build_encoder("densenet169", None)
    if not last_relu:
        encoder.get_layer("backbone").get_layer("relu").activation = keras.activations.linear
    pyramid = encoder(Normalization(*UNIT, name="normalization")(image))
    stages = decode(pyramid, FILTERS, block=Block(activate_all=False, align_corners=True))
    return keras.Model(image, depth_head(stages[-1], max_depth / RANGE, max_depth), name="densedepth_reference")


def assign_weights(model: keras.Model, file: ReferenceFile) -> None:
    """Gives a `build_reference` all weights of a file; a ValueError, and nothing assigned, unless all fit exactly."""
    backbone = model.get_layer("encoder").get_layer("backbone")
    layers = {layer.name: layer for layer in backbone.layers if layer.weights}
    layers |= {theirs: model.get_layer(ours) for ours, theirs in zip(_DECODER, file.decoder, strict=True)}
    missing, foreign = sorted(layers.keys() - file.weights), sorted(file.weights.keys() - layers)
    if missing or foreign:
        raise ValueError(
            f"Expected {len(layers)} layers with weights; the file lacks {_some(missing)} and has {_some(foreign)} "
            "that the architecture does not."
        )
    for name, layer in layers.items():
        expected = {weight.name: tuple(weight.shape) for weight in layer.weights}
        found = {weight: value.shape for weight, value in file.weights[name].items()}
        if expected != found:
            raise ValueError(f"Expected in layer {name!r}: {expected}; the file has {found}.")
    for name, layer in layers.items():
        for weight in layer.weights:
            weight.assign(file.weights[name][weight.name])


def _some(names):
    return f"{len(names)} ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})" if names else "none"
