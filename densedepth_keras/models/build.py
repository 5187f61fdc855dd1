"""build_model: every network of the family behind one function."""

import inspect
import os
from types import MappingProxyType

import keras

from densedepth_keras.depth import MAX_DEPTH, MIN_DEPTH
from densedepth_keras.models.backbones import STANDARDIZED
from densedepth_keras.models.densedepth import densedepth_stages
from densedepth_keras.models.encoders import Normalization
from densedepth_keras.models.heads import depth_head
from densedepth_keras.models.options import BASE_FILTERS, ModelOptions
from densedepth_keras.models.resizing import UpsampleLike
from densedepth_keras.models.supervision import MAIN, DeeplySupervised, companions
from densedepth_keras.models.unet import unet_stages


def _unet_on_image(image, options):
    x = Normalization(*STANDARDIZED, name="normalization")(image)
    return unet_stages(x, options.base_filters or BASE_FILTERS, options.block())


MODELS = MappingProxyType({"densedepth": densedepth_stages, "unet": _unet_on_image})
"""Architecture -> function from image and options to the decoder's stages. Read-only."""


def output_size(image_size: tuple[int, int], architecture: str = "densedepth", full_resolution: bool = False):
    """Height and width at which a network answers: the image's own for the U-Net, else half of it, rounded up."""
    if architecture == "unet" or full_resolution:
        return tuple(image_size)
    return tuple(-(-side // 2) for side in image_size)


def build_model(
    encoder: str = "densenet169",
    *,
    architecture: str = "densedepth",
    weights: str | os.PathLike | None = "imagenet",
    freeze_encoder: bool = False,
    freeze_batch_norm: bool = False,
    decoder: str = "densedepth",
    decoder_filters: int | None = None,
    base_filters: int | None = None,
    upsampling: str | None = None,
    num_convs: int = 2,
    batch_norm: bool = False,
    activation: str | None = None,
    dropout: float = 0.0,
    deep_supervision: int = 0,
    companion_weight: float = 1.0,
    companion_decay: float = 1.0,
    min_depth: float = MIN_DEPTH,
    max_depth: float = MAX_DEPTH,
    image_size: tuple[int | None, int | None] = (None, None),
    full_resolution: bool = False,
    name: str | None = None,
) -> keras.Model:
    """Builds a depth network: one RGB image in, depth in metres out.

    Args:
        encoder: a key of `ENCODERS`, e.g. `"densenet169"`. The U-Net has none.
        architecture: a key of `MODELS`: `"densedepth"`, a pretrained encoder with a decoder, or `"unet"`, the paper's
            baseline from scratch.
        weights: of the backbone: `"imagenet"`, `None` for random, or a path (`.h5` as keras.applications ships them,
            or `.weights.h5`).
        freeze_encoder: fixes the encoder's weights and its batch statistics, and stops dropping blocks at random.
        freeze_batch_norm: fixes the encoder's BatchNormalization layers alone (scale, shift and statistics) while the
            rest of it trains. What small batches need: their own statistics are noise. Setting `encoder.trainable`
            later sets these layers too: call `freeze_batch_norm(encoder)` again behind it.
        decoder: a key of `DECODERS`: `"densedepth"`, the reference's, or `"separable"`, a light one for phones and
            CPUs.
        decoder_filters: channels the decoder starts with, divisible by 16; every stage halves them. `None` takes the
            encoder's own channel count, as the paper does (1664 for DenseNet169; half of that is the reference code's
            smaller default), and 256 for the separable decoder.
        base_filters: channels of the U-Net at full size, doubled by each of four levels; `None` means 64.
        upsampling: `"bilinear"` or `"transpose"` (a learnt 2x2 transposed convolution); `None` means bilinear, and
            transpose for the U-Net, as published.
        num_convs: 3x3 convolutions per block, 1 to 4; 2 is the paper's.
        batch_norm: BatchNormalization behind the decoder's convolutions (behind all of the U-Net's).
        activation: of the decoder, one of `ACTIVATIONS`; `None` means LeakyReLU of slope 0.2, ReLU for the U-Net.
        dropout: share of channels dropped behind each decoder block while training, 0 up to below 1.
        deep_supervision: 0 to 3 companion heads on the decoder's stages before the last.
        companion_weight: of each companion's loss; 1 is the paper's.
        companion_decay: factor on `companion_weight` from one companion to the next coarser one.
        min_depth: nearest depth, metres. Kept in the model for whoever evaluates it; clips nothing.
        max_depth: farthest depth, metres, the numerator of the reciprocal the head works in.
        image_size: `(height, width)` to fix the input's size, `None` to leave a side open. Any from 32 up; nothing
            has to be divisible by 32.
        full_resolution: adds a bilinear step from half the input's size to the input's size, where the U-Net is
            already.
        name: of the model; `None` means `densedepth_<encoder>` or `unet`.

    Returns:
        A functional `keras.Model`. Input RGB 0..255, uint8 or float, `(B, H, W, 3)`; output metres, float32,
        `(B, ceil(H/2), ceil(W/2), 1)`, or `(B, H, W, 1)` with `full_resolution` and for the U-Net. With companions the
        output is a dictionary `{"depth": ..., "depth_s2": ..., ...}`, all of one size; such a model is compiled and
        fitted like one with a single output (see `DeeplySupervised`), and `inference_model` drops the companions. An
        untrained model answers about `max_depth / 4` everywhere: the head's bias starts there (see `depth_head`), so
        training does not begin with a collapse.

    Raises:
        ValueError: unknown names, numbers out of bounds, arguments that do not go together, or a file that holds
            other weights.
        FileNotFoundError: weights that are not there or cannot be downloaded.

    Example:
        >>> model = build_model("mobilenet_v2", weights=None, decoder_filters=64)
        >>> model(keras.ops.zeros((1, 97, 130, 3))).shape
        (1, 49, 65, 1)

    Reference:
        Krishna & Beura, Monocular Depth Estimation using Deep Learning; Alhashim & Wonka, arXiv 1812.11941;
        Ronneberger, Fischer, Brox, MICCAI 2015.
    """
    options = ModelOptions(**{key: value for key, value in locals().items() if key != "name"})
    image = keras.Input((*options.image_size, 3), name="image")
    stages = MODELS[architecture](image, options)
    depth = depth_head(stages[-1], options.min_depth, options.max_depth, name=MAIN)
    if full_resolution:
        depth = UpsampleLike(2, dtype="float32", name="full_resolution")([depth, image])
    name = name or (f"densedepth_{encoder}" if architecture == "densedepth" else architecture)
    if not options.deep_supervision:
        return keras.Model(image, depth, name=name)
    return DeeplySupervised(image, {MAIN: depth, **companions(stages, depth, options)}, name=name)


def check_model(*args, **arguments) -> None:
    """Raises the ValueError that `build_model` would raise for these arguments, without building anything."""
    bound = inspect.signature(build_model).bind(*args, **arguments)
    bound.apply_defaults()
    ModelOptions(**{key: value for key, value in bound.arguments.items() if key != "name"})
