"""The ENCODERS table: which backbone stands behind an encoder, how it wants its pixels, where its five taps are.

All of that is said here, one line each, and nowhere else. Left out of what keras.applications offers:

- Xception, InceptionV3, InceptionResNetV2, NASNet: their stems convolve without padding, so P1 and P2 lack rows and
  columns at the borders and slide against the image (Inception's layer names also depend on what was built before);
- ConvNeXt Large and XLarge: nothing hinders them but 0.8 and 1.4 GB of weights that no test here would load.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import keras

# Per-channel (scale, offset, to_bgr) on RGB 0..255; each equals the backbone family's `preprocess_input`, or what the
# backbone would do first of all by itself.
_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
STANDARDIZED = (
    tuple(1 / (255 * std) for std in _IMAGENET_STD),
    tuple(-mean / std for mean, std in zip(_IMAGENET_MEAN, _IMAGENET_STD, strict=True)),
    False,
)
"""Zero mean and unit variance over ImageNet: `(x / 255 - mean) / std`."""
SYMMETRIC = ((1 / 127.5,) * 3, (-1.0,) * 3, False)
"""Into [-1, 1]: `x / 127.5 - 1`."""
SYMMETRIC_128 = ((1 / 128,) * 3, (-1.0,) * 3, False)
"""`x / 128 - 1`, EfficientNetV2 S to L."""
CENTRED_BGR = ((1.0,) * 3, (-103.939, -116.779, -123.68), True)
"""Blue first, minus ImageNet's mean, not scaled: as the networks once trained with Caffe."""
UNIT = ((1 / 255,) * 3, (0.0,) * 3, False)
"""Into [0, 1]: what the reference feeds its DenseNet, ImageNet's statistics left out."""

HALF_IMAGE, OUTPUT = ":half image", ":output"
"""Taps that are no layers: the input averaged over 2x2 pixels, and what the backbone returns."""


class EncoderSpec(NamedTuple):
    """One line of ENCODERS.

    Attributes:
        constructor: a function of keras.applications.
        normalization: `(scale, offset, to_bgr)`, see `Normalization`.
        taps: where P1..P5 are: a layer's name for its output, `name:input` for what it is given (for features that
            come out of layers with numbered names), HALF_IMAGE or OUTPUT.
        weight_file: how keras.applications calls the ImageNet weights without top, in `~/.keras/models`.
        arguments: more of the constructor's.
        start: the layer that takes the normalised image, where the backbone's own normalisation comes first and has
            no switch.
    """

    constructor: Callable[..., keras.Model]
    normalization: tuple[tuple[float, ...], tuple[float, ...], bool]
    taps: tuple[str, str, str, str, str]
    weight_file: str
    arguments: Mapping[str, Any] = MappingProxyType({})
    start: str | None = None


WITHOUT_BATCH_NORM = ("convnext", "vgg")
"""How the names of backbones start that have no BatchNormalization layer."""

_AS_IT_IS, _BARE = MappingProxyType({}), MappingProxyType({"include_preprocessing": False})
"""Arguments of constructors; the backbone's own normalisation is off where it can be."""


def _resnet_taps(*blocks):
    return ("conv1_relu", *(f"conv{stage}_block{count}_out" for stage, count in enumerate(blocks, start=2)))


def _resnet_v2_taps(*blocks):
    # The last block of a stage strides: the stage's features are what its pre-activation saw before.
    inner = (f"conv{stage}_block{count}_preact_relu" for stage, count in enumerate(blocks, start=2))
    return ("conv1_conv", *inner, "post_relu")


def _mobilenet_v3(name, *strided):
    # The activations in front of the strided convolutions have numbered names; the padding behind them has not.
    taps = (*(f"expanded_conv{number}_depthwise_pad:input" for number in strided), OUTPUT)
    return taps, f"weights_mobilenet_v3_{name}_224_1.0_float_no_top_v2.h5", _BARE


def _efficientnet(number):
    taps = (*(f"block{n}a_expand_activation" for n in (2, 3, 4, 6)), "top_activation")
    return taps, f"efficientnetb{number}_notop.h5", _AS_IT_IS, "stem_conv_pad"


def _efficientnet_v2(name, first, second):
    taps = (f"block{first}", f"block{second}", *(f"block{n}a_expand_activation" for n in (4, 6)), "top_activation")
    return taps, f"efficientnetv2-{name}_notop.h5", _BARE


def _convnext(name):
    # Its stem strides by 4: there is no P1, and the image itself stands in.
    taps = (HALF_IMAGE, *(f"{name}_downsampling_block_{i}:input" for i in range(3)), OUTPUT)
    return taps, f"{name}_notop.h5", _BARE


_DENSENET_TAPS = ("conv1_relu", "pool1", "pool2_pool", "pool3_pool", "relu")
_MOBILENET_TAPS = tuple(f"conv_pw_{n}_relu" for n in (1, 3, 5, 11, 13))
_MOBILENET_V2_TAPS = (*(f"block_{n}_expand_relu" for n in (1, 3, 6, 13)), "out_relu")
_VGG16_TAPS = ("block2_conv2", "block3_conv3", "block4_conv3", "block5_conv3", "block5_pool")
_VGG19_TAPS = ("block2_conv2", "block3_conv4", "block4_conv4", "block5_conv4", "block5_pool")

_NO_TOP = "_weights_tf_dim_ordering_tf_kernels_notop.h5"
_MOBILENET_V2_FILE = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"

_APPS = keras.applications
ENCODERS = MappingProxyType(
    {
        "densenet121": EncoderSpec(_APPS.DenseNet121, STANDARDIZED, _DENSENET_TAPS, "densenet121" + _NO_TOP),
        "densenet169": EncoderSpec(_APPS.DenseNet169, STANDARDIZED, _DENSENET_TAPS, "densenet169" + _NO_TOP),
        "densenet201": EncoderSpec(_APPS.DenseNet201, STANDARDIZED, _DENSENET_TAPS, "densenet201" + _NO_TOP),
        "resnet50": EncoderSpec(_APPS.ResNet50, CENTRED_BGR, _resnet_taps(3, 4, 6, 3), "resnet50" + _NO_TOP),
        "resnet101": EncoderSpec(_APPS.ResNet101, CENTRED_BGR, _resnet_taps(3, 4, 23, 3), "resnet101" + _NO_TOP),
        "resnet152": EncoderSpec(_APPS.ResNet152, CENTRED_BGR, _resnet_taps(3, 8, 36, 3), "resnet152" + _NO_TOP),
        "resnet50_v2": EncoderSpec(_APPS.ResNet50V2, SYMMETRIC, _resnet_v2_taps(3, 4, 6), "resnet50v2" + _NO_TOP),
        "resnet101_v2": EncoderSpec(_APPS.ResNet101V2, SYMMETRIC, _resnet_v2_taps(3, 4, 23), "resnet101v2" + _NO_TOP),
        "resnet152_v2": EncoderSpec(_APPS.ResNet152V2, SYMMETRIC, _resnet_v2_taps(3, 8, 36), "resnet152v2" + _NO_TOP),
        "mobilenet": EncoderSpec(_APPS.MobileNet, SYMMETRIC, _MOBILENET_TAPS, "mobilenet_1_0_224_tf_no_top.h5"),
        "mobilenet_v2": EncoderSpec(_APPS.MobileNetV2, SYMMETRIC, _MOBILENET_V2_TAPS, _MOBILENET_V2_FILE),
        "mobilenet_v3_small": EncoderSpec(
            _APPS.MobileNetV3Small, SYMMETRIC, *_mobilenet_v3("small", "", "_1", "_3", "_8")
        ),
        "mobilenet_v3_large": EncoderSpec(
            _APPS.MobileNetV3Large, SYMMETRIC, *_mobilenet_v3("large", "_1", "_3", "_6", "_12")
        ),
        "efficientnet_b0": EncoderSpec(_APPS.EfficientNetB0, STANDARDIZED, *_efficientnet(0)),
        "efficientnet_b1": EncoderSpec(_APPS.EfficientNetB1, STANDARDIZED, *_efficientnet(1)),
        "efficientnet_b2": EncoderSpec(_APPS.EfficientNetB2, STANDARDIZED, *_efficientnet(2)),
        "efficientnet_b3": EncoderSpec(_APPS.EfficientNetB3, STANDARDIZED, *_efficientnet(3)),
        "efficientnet_b4": EncoderSpec(_APPS.EfficientNetB4, STANDARDIZED, *_efficientnet(4)),
        "efficientnet_b5": EncoderSpec(_APPS.EfficientNetB5, STANDARDIZED, *_efficientnet(5)),
        "efficientnet_b6": EncoderSpec(_APPS.EfficientNetB6, STANDARDIZED, *_efficientnet(6)),
        "efficientnet_b7": EncoderSpec(_APPS.EfficientNetB7, STANDARDIZED, *_efficientnet(7)),
        "efficientnet_v2_b0": EncoderSpec(
            _APPS.EfficientNetV2B0, STANDARDIZED, *_efficientnet_v2("b0", "1a_project_activation", "2b_add")
        ),
        "efficientnet_v2_b1": EncoderSpec(
            _APPS.EfficientNetV2B1, STANDARDIZED, *_efficientnet_v2("b1", "1b_add", "2c_add")
        ),
        "efficientnet_v2_b2": EncoderSpec(
            _APPS.EfficientNetV2B2, STANDARDIZED, *_efficientnet_v2("b2", "1b_add", "2c_add")
        ),
        "efficientnet_v2_b3": EncoderSpec(
            _APPS.EfficientNetV2B3, STANDARDIZED, *_efficientnet_v2("b3", "1b_add", "2c_add")
        ),
        "efficientnet_v2_s": EncoderSpec(
            _APPS.EfficientNetV2S, SYMMETRIC_128, *_efficientnet_v2("s", "1b_add", "2d_add")
        ),
        "efficientnet_v2_m": EncoderSpec(
            _APPS.EfficientNetV2M, SYMMETRIC_128, *_efficientnet_v2("m", "1c_add", "2e_add")
        ),
        "efficientnet_v2_l": EncoderSpec(
            _APPS.EfficientNetV2L, SYMMETRIC_128, *_efficientnet_v2("l", "1d_add", "2g_add")
        ),
        "convnext_tiny": EncoderSpec(_APPS.ConvNeXtTiny, STANDARDIZED, *_convnext("convnext_tiny")),
        "convnext_small": EncoderSpec(_APPS.ConvNeXtSmall, STANDARDIZED, *_convnext("convnext_small")),
        "convnext_base": EncoderSpec(_APPS.ConvNeXtBase, STANDARDIZED, *_convnext("convnext_base")),
        "vgg16": EncoderSpec(_APPS.VGG16, CENTRED_BGR, _VGG16_TAPS, "vgg16" + _NO_TOP),
        "vgg19": EncoderSpec(_APPS.VGG19, CENTRED_BGR, _VGG19_TAPS, "vgg19" + _NO_TOP),
    }
)
"""Name -> EncoderSpec. Read-only; a new line here is a tested line."""
