"""Decoders: from the pyramid's top back to its largest level, stage by stage.

DECODERS holds the reference's ("densedepth": up-sample, concatenate the skip, convolve) and a light one ("separable").
"""

from types import MappingProxyType
from typing import NamedTuple

import keras
from keras import ops

from densedepth_keras.models.resizing import CropLike, UpsampleLike

BATCH_NORM_MOMENTUM = 0.9
"""Of the decoder's own BatchNormalization: Keras' 0.99 would still remember the start after a run of 300 steps."""

TRANSPOSE_KERNEL = 2
"""Pixels, as in the U-Net; a multiple of the stride 2, or outputs get unequal numbers of inputs: a checkerboard
(Odena et al., Distill 2016)."""

DEPTHWISE_LIMIT = 1 / 3**0.5
"""Of uniform 3x3 depthwise kernels: variance 1/9, one over the inputs of an output. Keras' own choices count every
channel's kernel as inputs and let a signal of 64 channels fade to a sixth at each convolution."""

UPSAMPLINGS = ("bilinear", "transpose")

ACTIVATIONS = ("leaky_relu", "relu", "relu6", "elu", "selu", "gelu", "silu", "mish", "hard_silu")
"""Activations of keras.activations; `leaky_relu` has the reference's slope of 0.2 there."""


@keras.saving.register_keras_serializable(package="densedepth_keras")
class EqualTaps(keras.initializers.Initializer):
    """Lets a transposed convolution of kernel = stride start as a 1x1 convolution of repeated pixels.

    Each output pixel sees one tap of the kernel. With taps drawn one by one, neighbours start unlike each other in a
    pattern of 2x2 pixels; the gradient term of the paper's loss then drives the head to zero to be rid of it, and on
    NYU training ended there, on a flat map. Also, Keras counts all taps as inputs of a pixel and draws them too small.

    Args:
        initializer: of the 1x1 convolution.

    Reference:
        Aitken et al., Checkerboard artifact free sub-pixel convolution (arXiv 1707.02937): there for sub-pixel layers.
    """

    def __init__(self, initializer: str):
        self.initializer = initializer

    def __call__(self, shape, dtype=None):
        *window, filters, channels = shape
        taps = keras.initializers.get(self.initializer)((1, 1, channels, filters), dtype)
        return ops.tile(ops.transpose(taps, (0, 1, 3, 2)), (*window, 1, 1))

    def get_config(self):
        return {"initializer": self.initializer}


class Block(NamedTuple):
    """How the convolutions of one stage look.

    Attributes:
        upsampling: "bilinear", or "transpose" for a learnt one: a transposed convolution of stride 2.
        num_convs: 3x3 convolutions per stage.
        batch_norm: BatchNormalization between convolution and activation, in place of the bias.
        activation: one of ACTIVATIONS.
        dropout: share of channels dropped behind each stage while training.
        activate_all: False leaves every convolution but the stage's last without activation, as in the reference's
            published weights.
        align_corners: of bilinear up-sampling, see `UpsampleLike`.
        initializer: of the kernels.
    """

    upsampling: str = "bilinear"
    num_convs: int = 2
    batch_norm: bool = False
    activation: str = "leaky_relu"
    dropout: float = 0.0
    activate_all: bool = True
    align_corners: bool = False
    initializer: str = "glorot_uniform"


def up_projection(x, skip, filters: int, block: Block, name: str):
    """One stage of the reference's decoder: `x` to the size of `skip`, concatenated, then 3x3 convolutions.

    Args:
        x: `(B, h, w, C)` symbolic tensor.
        skip: `(B, H, W, S)` symbolic tensor of the next larger pyramid level, `h = ceil(H / 2)`.
        filters: channels out.
        block: of the stage.
        name: prefix of the stage's layer names.

    Returns:
        `(B, H, W, filters)`.

    Reference:
        Alhashim, Wonka, arXiv 1812.11941, section 3.1; Krishna & Beura, "bilinear + two 3x3 convolutions" or
        "transpose convolution".
    """
    x = upsample(x, skip, filters, block, name)
    x = keras.layers.Concatenate(name=f"{name}_concat")([x, skip])
    return convolutions(x, filters, block, name)


def light_projection(x, skip, filters: int, block: Block, name: str):
    """One stage of the light decoder: as `up_projection`, with a small fraction of its arithmetic and memory.

    `x` is reduced to `filters` channels by a 1x1 convolution *before* it is up-sampled; the skip is reduced to as many
    and added, not concatenated; the 3x3 convolutions are depthwise-separable.

    Reference:
        Wofk et al., FastDepth (ICRA 2019): depthwise-separable decoder, added skips.
    """
    x = keras.layers.Conv2D(filters, 1, kernel_initializer=block.initializer, name=f"{name}_reduce")(x)
    x = upsample(x, skip, filters, block, name)
    skip = keras.layers.Conv2D(filters, 1, kernel_initializer=block.initializer, name=f"{name}_skip")(skip)
    x = keras.layers.Add(name=f"{name}_add")([x, skip])
    return convolutions(x, filters, block, name, separable=True)


DECODERS = MappingProxyType({"densedepth": up_projection, "separable": light_projection})
"""Name -> function of one stage. Read-only; a new line here is a tested line."""


def upsample(x, like, filters: int, block: Block, name: str):
    """`x` twice as large, cut to the size of `like`; transposed convolutions give `filters` channels."""
    if block.upsampling == "bilinear":
        return UpsampleLike(2, align_corners=block.align_corners, name=f"{name}_resize")([x, like])
    x = keras.layers.Conv2DTranspose(
        filters,
        TRANSPOSE_KERNEL,
        strides=2,
        padding="same",
        kernel_initializer=EqualTaps(block.initializer),
        name=f"{name}_transpose",
    )(x)
    return CropLike(name=f"{name}_crop")([x, like])


def convolutions(x, filters: int, block: Block, name: str, *, separable: bool = False):
    """`block.num_convs` 3x3 convolutions with what belongs behind each."""
    for part in "abcd"[: block.num_convs]:
        x = _convolution(filters, block, f"{name}_conv_{part}", separable)(x)
        if block.batch_norm:
            x = keras.layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM, name=f"{name}_norm_{part}")(x)
        if block.activate_all or part == "abcd"[block.num_convs - 1]:
            x = keras.layers.Activation(block.activation, name=f"{name}_activation_{part}")(x)
    if block.dropout:
        x = keras.layers.SpatialDropout2D(block.dropout, name=f"{name}_dropout")(x)
    return x


def _convolution(filters, block, name, separable):
    arguments = {"padding": "same", "use_bias": not block.batch_norm, "name": name}
    if not separable:
        return keras.layers.Conv2D(filters, 3, kernel_initializer=block.initializer, **arguments)
    return keras.layers.SeparableConv2D(
        filters,
        3,
        depthwise_initializer=keras.initializers.RandomUniform(-DEPTHWISE_LIMIT, DEPTHWISE_LIMIT),
        pointwise_initializer=block.initializer,
        **arguments,
    )


def decode(pyramid, filters: int, decoder: str = "densedepth", block: Block | None = None):
    """1x1 convolution on P5, then four stages with a half, a quarter, an eighth and a sixteenth the filters.

    Args:
        pyramid: P1..P5, symbolic `(B, ceil(H / 2^n), ceil(W / 2^n), C_n)`.
        filters: channels after the 1x1 convolution; divisible by 16.
        decoder: a key of `DECODERS`.
        block: of every stage; the reference's by default.

    Returns:
        The four stages' outputs, coarse to fine; the last has P1's size and `filters / 16` channels.
    """
    *skips, top = pyramid
    block = block or Block()
    x = keras.layers.Conv2D(filters, 1, kernel_initializer=block.initializer, name="bridge")(top)
    stages = []
    for level, skip in enumerate(reversed(skips), start=1):
        x = DECODERS[decoder](x, skip, filters // 2**level, block, name=f"up{level}")
        stages.append(x)
    return stages
