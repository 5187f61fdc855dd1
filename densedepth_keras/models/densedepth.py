"""build_model: pretrained encoder, up-projection decoder, depth head."""

import os

import keras

from densedepth_keras.depth import MAX_DEPTH, MIN_DEPTH, MIN_IMAGE_SIDE, check_range
from densedepth_keras.models.decoder import ResizeLike, decode
from densedepth_keras.models.encoders import build_encoder, encoder_spec, normalization_layer
from densedepth_keras.models.heads import depth_head


def build_model(
    encoder: str = "densenet169",
    *,
    weights: str | os.PathLike | None = "imagenet",
    freeze_encoder: bool = False,
    decoder_filters: int | None = None,
    min_depth: float = MIN_DEPTH,
    max_depth: float = MAX_DEPTH,
    image_size: tuple[int | None, int | None] = (None, None),
    full_resolution: bool = False,
    name: str | None = None,
) -> keras.Model:
    """Builds the DenseDepth network: one RGB image in, depth in metres out.

    Args:
        encoder: a key of `ENCODERS`, e.g. `"densenet169"`.
        weights: of the backbone: `"imagenet"`, `None` for random, or a path (`.h5` as keras.applications ships them,
            or `.weights.h5`).
        freeze_encoder: fixes the encoder's weights and its batch statistics.
        decoder_filters: channels after the 1x1 convolution on the encoder's last map, divisible by 16; every stage
            halves them. `None` takes the encoder's own channel count, as the paper does (1664 for DenseNet169); half
            of that is the reference code's smaller default.
        min_depth: nearest depth, metres. Kept in the model for whoever evaluates it; clips nothing.
        max_depth: farthest depth, metres, the numerator of the reciprocal the head works in.
        image_size: `(height, width)` to fix the input's size, `None` to leave a side open. Any from 32 up; nothing
            has to be divisible by 32.
        full_resolution: adds a bilinear step from half the input's size to the input's size.
        name: of the model; default `densedepth_<encoder>`.

    Returns:
        A functional `keras.Model`. Input RGB 0..255, uint8 or float, `(B, H, W, 3)`; output metres, float32,
        `(B, ceil(H/2), ceil(W/2), 1)`, or `(B, H, W, 1)` with `full_resolution`. An untrained model answers about
        `max_depth / 4` everywhere: the head's bias starts there (see `depth_head`), so training does not begin with
        a collapse.

    Raises:
        ValueError: unknown encoder, range, size or filters out of bounds, or a file that holds other weights.
        FileNotFoundError: weights that are not there or cannot be downloaded.

    Example:
        >>> model = build_model("mobilenet_v2", weights=None, decoder_filters=64)
        >>> model(keras.ops.zeros((1, 97, 130, 3))).shape
        (1, 49, 65, 1)

    Reference:
        Krishna & Beura, Monocular Depth Estimation using Deep Learning; Alhashim & Wonka, arXiv 1812.11941.
    """
    encoder_spec(encoder)
    check_range(min_depth, max_depth)
    _check_image_size(image_size)
    _check_decoder_filters(decoder_filters)
    pyramid_model = build_encoder(encoder, weights)
    pyramid_model.trainable = not freeze_encoder

    image = keras.Input((*image_size, 3), name="image")
    pyramid = pyramid_model(normalization_layer(encoder)(image))
    filters = pyramid[-1].shape[-1] if decoder_filters is None else decoder_filters
    features = decode(pyramid, filters)[-1]
    depth = depth_head(features, min_depth, max_depth)
    if full_resolution:
        depth = ResizeLike(dtype="float32", name="full_resolution")([depth, image])
    return keras.Model(image, depth, name=name or f"densedepth_{encoder}")


def _check_image_size(image_size):
    sides = tuple(image_size) if isinstance(image_size, tuple | list) else ()
    if len(sides) == 2 and all(s is None or (isinstance(s, int) and s >= MIN_IMAGE_SIDE) for s in sides):
        return
    raise ValueError(
        f"`image_size` must be (height, width), each None or an integer of at least {MIN_IMAGE_SIDE} pixels. "
        f"Received: image_size={image_size}"
    )


def _check_decoder_filters(decoder_filters):
    if decoder_filters is None or (
        isinstance(decoder_filters, int) and decoder_filters >= 16 and decoder_filters % 16 == 0
    ):
        return
    raise ValueError(
        "`decoder_filters` must be None or a positive multiple of 16, since four stages halve it. "
        f"Received: decoder_filters={decoder_filters}"
    )
