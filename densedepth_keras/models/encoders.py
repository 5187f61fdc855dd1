"""The ENCODERS table: ImageNet backbones as five-level feature pyramids.

An encoder takes RGB 0..255 `(B, H, W, 3)` and returns P1..P5, feature maps 2, 4, 8, 16 and 32 times smaller. Which
backbone stands behind it, how it wants its pixels and which of its layers are the taps is said here, one line each,
and nowhere else.
"""

import difflib
import os
from collections.abc import Callable
from types import MappingProxyType
from typing import NamedTuple

import keras

# Per-channel (scale, offset) on RGB 0..255; each equals the backbone family's `preprocess_input`.
_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
STANDARDIZED = (
    tuple(1 / (255 * std) for std in _IMAGENET_STD),
    tuple(-mean / std for mean, std in zip(_IMAGENET_MEAN, _IMAGENET_STD, strict=True)),
)
"""Zero mean and unit variance over ImageNet: `(x / 255 - mean) / std`."""
SYMMETRIC = ((1 / 127.5,) * 3, (-1.0,) * 3)
"""Into [-1, 1]: `x / 127.5 - 1`."""


class EncoderSpec(NamedTuple):
    """One line of ENCODERS.

    Attributes:
        constructor: a function of keras.applications.
        normalization: `(scale, offset)` per channel.
        taps: names of the layers whose outputs are P1..P5.
        weight_file: how keras.applications calls the ImageNet weights without top, in `~/.keras/models`.
    """

    constructor: Callable[..., keras.Model]
    normalization: tuple[tuple[float, ...], tuple[float, ...]]
    taps: tuple[str, str, str, str, str]
    weight_file: str


_DENSENET_TAPS = ("conv1_relu", "pool1", "pool2_pool", "pool3_pool", "relu")
_MOBILENET_V2_TAPS = (
    "block_1_expand_relu",
    "block_3_expand_relu",
    "block_6_expand_relu",
    "block_13_expand_relu",
    "out_relu",
)

_NO_TOP = "_weights_tf_dim_ordering_tf_kernels_notop.h5"
_MOBILENET_V2_FILE = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"

_APPS = keras.applications
ENCODERS = MappingProxyType(
    {
        "densenet121": EncoderSpec(_APPS.DenseNet121, STANDARDIZED, _DENSENET_TAPS, "densenet121" + _NO_TOP),
        "densenet169": EncoderSpec(_APPS.DenseNet169, STANDARDIZED, _DENSENET_TAPS, "densenet169" + _NO_TOP),
        "densenet201": EncoderSpec(_APPS.DenseNet201, STANDARDIZED, _DENSENET_TAPS, "densenet201" + _NO_TOP),
        "mobilenet_v2": EncoderSpec(_APPS.MobileNetV2, SYMMETRIC, _MOBILENET_V2_TAPS, _MOBILENET_V2_FILE),
    }
)
"""Name -> EncoderSpec. Read-only; a new line here is a tested line."""


def build_encoder(encoder: str, weights: str | os.PathLike | None = "imagenet") -> keras.Model:
    """Builds the named backbone as a pyramid.

    Args:
        encoder: a key of `ENCODERS`.
        weights: `"imagenet"` (downloaded once by keras.applications), `None` for random, or the path of a backbone
            weight file: `.h5` as keras.applications ships them (without top), or `.weights.h5`.

    Returns:
        A `keras.Model` called `"encoder"`: normalised RGB `(B, H, W, 3)` in, the list P1..P5 out. Normalisation is
        a layer of its own in front of it, see `normalization_layer`.

    Raises:
        ValueError: unknown encoder, or a file that does not hold this backbone's weights.
        FileNotFoundError: the path does not exist, or the ImageNet weights can't be downloaded.
    """
    spec = encoder_spec(encoder)
    backbone = _backbone(encoder, spec, weights)
    taps = [backbone.get_layer(name).output for name in spec.taps]
    return keras.Model(backbone.input, taps, name="encoder")


def normalization_layer(encoder: str) -> keras.layers.Layer:
    """The layer that turns RGB 0..255 into what the backbone was trained on; no weights, always float32."""
    scale, offset = encoder_spec(encoder).normalization
    return keras.layers.Rescaling(list(scale), list(offset), dtype="float32", name="normalization")


def encoder_spec(encoder: str) -> EncoderSpec:
    """Looks a name up in ENCODERS; an unknown one is a ValueError that suggests the nearest."""
    if encoder in ENCODERS:
        return ENCODERS[encoder]
    near = difflib.get_close_matches(str(encoder), ENCODERS, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    names = ", ".join(map(repr, ENCODERS))
    raise ValueError(f"Unknown backbone. Expected one of: {names}. Received: encoder={encoder!r}.{hint}")


def check_weights(weights: str | os.PathLike | None) -> None:
    """Raises a FileNotFoundError unless `weights` is `"imagenet"`, None or a file."""
    if weights is not None and weights != "imagenet" and not os.path.isfile(weights):
        raise FileNotFoundError(
            "`weights` must be 'imagenet', None, or the path of a backbone weight file (.h5 or .weights.h5). "
            f"No such file. Received: weights={os.fspath(weights)!r}"
        )


def calibrate_batch_norm(model: keras.Model, images, momentum: float = 0.9) -> None:
    """Sets the batch statistics of a depth model's encoder to those of the given images.

    For an encoder without pretrained weights: its untouched statistics (mean 0, variance 1) let signals fade over a
    hundred layers, and keras.applications' momentum of 0.99 or 0.999 needs thousands of steps to forget them, which a
    short run does not have.

    Args:
        model: what `build_model` returns; frozen encoders are calibrated too and stay frozen.
        images: uint8 or float `(B, H, W, 3)`, RGB 0..255. All go through the encoder at once: a few dozen small ones,
            or a few large ones.
        momentum: of the running averages from here on.
    """
    encoder = model.get_layer("encoder")
    layers = batch_norm_layers(encoder)
    were_trainable = [layer.trainable for layer in layers]
    for layer in layers:  # the running average becomes the batch's own value, in frozen layers too
        layer.trainable, layer.momentum = True, 0.0
    encoder(model.get_layer("normalization")(images), training=True)
    for layer, trainable in zip(layers, were_trainable, strict=True):
        layer.trainable, layer.momentum = trainable, momentum


def batch_norm_layers(model: keras.Model) -> list[keras.layers.BatchNormalization]:
    """Every BatchNormalization layer of a model, nested models included."""
    found = []
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            found += batch_norm_layers(layer)
        elif isinstance(layer, keras.layers.BatchNormalization):
            found.append(layer)
    return found


def _backbone(encoder, spec, weights):
    # `(None, None, 3)` keeps every size possible; keras.applications warns that MobileNetV2's ImageNet weights were
    # trained at 224, which says nothing about a fully convolutional use of them.
    arguments = {"include_top": False, "input_shape": (None, None, 3)}
    if weights is None:
        return spec.constructor(weights=None, **arguments)
    if weights == "imagenet":
        return _imagenet_backbone(encoder, spec, arguments)
    check_weights(weights)
    path = os.fspath(weights)
    backbone = spec.constructor(weights=None, **arguments)
    try:
        backbone.load_weights(path)
    except Exception as error:  # h5py, Keras' two loaders and zip each raise their own kinds
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ValueError(
            f"The file does not hold weights of {encoder!r} without its classification top ({reason[:300]}). "
            f"Received: weights={path!r}"
        ) from error
    return backbone


def _imagenet_backbone(encoder, spec, arguments):
    home = os.environ.get("KERAS_HOME", os.path.join("~", ".keras"))
    file = os.path.join(home, "models", spec.weight_file)
    try:
        return spec.constructor(weights="imagenet", **arguments)
    except Exception as error:  # URL errors come as a bare Exception, broken connections and broken files as they are
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
        broken = os.path.isfile(os.path.expanduser(file))
    what = "is there but cannot be used; delete it" if broken else "could not be downloaded"
    raise FileNotFoundError(
        f"The ImageNet weights of {encoder!r}: {file} {what} ({reason}). Put a good copy of that file there, or name a "
        "weight file you have (weights=PATH, on the command line --encoder-weights PATH), or start from random weights "
        "(weights=None, --encoder-weights none). Received: weights='imagenet'"
    )
