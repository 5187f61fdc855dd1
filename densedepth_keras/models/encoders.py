"""Encoders: ImageNet backbones as five-level feature pyramids, and the files of their weights."""

import os
import warnings

import keras
from keras import ops

from densedepth_keras.models.backbones import ENCODERS, HALF_IMAGE, OUTPUT, EncoderSpec
from densedepth_keras.models.resizing import CropToLevel, PadToMultiple
from densedepth_keras.names import check_name


@keras.saving.register_keras_serializable(package="densedepth_keras")
class Normalization(keras.layers.Layer):
    """`scale * x + offset` per channel, after turning RGB into BGR where asked; no weights, always float32.

    Args:
        scale: three factors.
        offset: three summands.
        to_bgr: reverse the channels first; scale and offset then count blue first.
    """

    def __init__(self, scale, offset, to_bgr: bool = False, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.scale, self.offset, self.to_bgr = tuple(scale), tuple(offset), bool(to_bgr)

    def call(self, inputs):
        x = ops.cast(inputs, "float32")
        scale, offset = (ops.convert_to_tensor(values, "float32") for values in (self.scale, self.offset))
        return (ops.flip(x, axis=-1) if self.to_bgr else x) * scale + offset

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "scale": self.scale, "offset": self.offset, "to_bgr": self.to_bgr}


def build_encoder(encoder: str, weights: str | os.PathLike | None = "imagenet") -> keras.Model:
    """Builds the named backbone as a pyramid.

    Args:
        encoder: a key of `ENCODERS`.
        weights: `"imagenet"` (downloaded once by keras.applications), `None` for random, or the path of a backbone
            weight file: `.h5` as keras.applications ships them (without top), or `.weights.h5`.

    Returns:
        A `keras.Model` called `"encoder"`: normalised image `(B, H, W, 3)` in, the list P1..P5 out, each
        `(B, ceil(H / 2^n), ceil(W / 2^n), C_n)`. Sizes that are no multiples of 32 are mirrored at the lower and right
        edge for the backbone. Normalisation is a layer of its own in front of it, see `normalization_layer`.

    Raises:
        ValueError: unknown encoder, or a file that does not hold this backbone's weights.
        FileNotFoundError: the path does not exist, or the ImageNet weights can't be downloaded.
    """
    spec = encoder_spec(encoder)
    backbone = _backbone(encoder, spec, weights)
    start = backbone.input if spec.start is None else backbone.get_layer(spec.start).input
    taps = [_tap(backbone, tap) for tap in spec.taps if tap != HALF_IMAGE]
    if keras.config.dtype_policy().compute_dtype == "bfloat16" and HALF_IMAGE not in spec.taps:
        _keep_float32(keras.Model(start, taps[0]))
    image = keras.Input((None, None, 3), name="normalized")
    padded = PadToMultiple(2 ** len(spec.taps), dtype="float32", name="pad")(image)
    levels = keras.Model(start, taps, name="backbone")(padded)
    if HALF_IMAGE in spec.taps:
        levels = [keras.layers.AveragePooling2D(2, name="half_image")(padded), *levels]
    cut = [CropToLevel(2**n, name=f"p{n}")([level, image]) for n, level in enumerate(levels, start=1)]
    return keras.Model(image, cut, name="encoder")


def _keep_float32(stem):
    """Lets the layers up to P1 compute in float32: 8 bits do not hold what pretrained first layers tell apart.

    MobileNetV2 on NYU, relative difference of the metres from float32's: 0.5 % with, 1.5 % without, three images;
    `benchmarks/mixed_precision.py` has the present figures. float16 has 11 bits and needs no such help.
    """
    for layer in stem.layers:
        if not isinstance(layer, keras.layers.InputLayer):
            layer.dtype_policy = keras.DTypePolicy("float32")


def _tap(backbone, tap):
    if tap == OUTPUT:
        return backbone.output
    name, _, side = tap.partition(":")
    layer = backbone.get_layer(name)
    return layer.input if side == "input" else layer.output


def normalization_layer(encoder: str) -> keras.layers.Layer:
    """The layer that turns RGB 0..255 into what the backbone was trained on."""
    return Normalization(*encoder_spec(encoder).normalization, name="normalization")


def encoder_spec(encoder: str) -> EncoderSpec:
    """Looks a name up in ENCODERS; an unknown one is a ValueError that suggests the nearest."""
    check_name(encoder, ENCODERS, "backbone", "encoder")
    return ENCODERS[encoder]


def check_weights(weights: str | os.PathLike | None) -> None:
    """Raises a FileNotFoundError unless `weights` is `"imagenet"`, None or a file."""
    if weights is not None and not isinstance(weights, str | os.PathLike):
        raise TypeError(f"`weights` must be 'imagenet', None or a path. Received: weights={weights!r}")
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
    return [layer for layer in leaf_layers(model) if isinstance(layer, keras.layers.BatchNormalization)]


def leaf_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """Every layer of a model that is no model itself, nested models' included."""
    nested = (leaf_layers(layer) if isinstance(layer, keras.Model) else [layer] for layer in model.layers)
    return [layer for layers in nested for layer in layers]


def freeze_batch_norm(encoder: keras.Model) -> None:
    """Fixes scale, shift and statistics of an encoder's BatchNormalization layers; the rest stays as it is.

    Only `trainable = False` on the layers themselves does: `training=False` in the call that builds a functional model
    is overridden by the flag that `fit` sends through the whole graph.
    """
    for layer in batch_norm_layers(encoder):
        layer.trainable = False


def freeze(encoder: keras.Model) -> None:
    """Fixes an encoder: no weight and no batch statistic changes, and in training it answers as in use.

    EfficientNets drop whole blocks at random while training, trainable or not; here they no longer do.
    """
    encoder.trainable = False
    for layer in leaf_layers(encoder):
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0


def _backbone(encoder, spec, weights):
    arguments = {"include_top": False, "input_shape": (None, None, 3), **spec.arguments}
    if weights is None:
        return spec.constructor(weights=None, **arguments)
    if weights == "imagenet":
        return _imagenet_backbone(encoder, spec, arguments)
    check_weights(weights)
    path = os.fspath(weights)
    backbone = spec.constructor(weights=None, **arguments)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Skipping nested container")  # the error behind them says it
            backbone.load_weights(path)
    except Exception as error:  # h5py, Keras' two loaders and zip each raise their own kinds
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(
            f"The file does not hold weights of {encoder!r} without its classification top ({reason[:300]}). "
            f"Received: weights={path!r}"
        ) from error
    return backbone


def _imagenet_backbone(encoder, spec, arguments):
    home = os.environ.get("KERAS_HOME", os.path.join("~", ".keras"))
    file = os.path.join(home, "models", spec.weight_file)
    try:
        with warnings.catch_warnings():
            # MobileNets' weights were trained at 224: true, and no word about a fully convolutional use of them.
            warnings.filterwarnings("ignore", message="`input_shape` is undefined")
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
