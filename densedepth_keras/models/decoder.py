"""The decoder: up-sample, concatenate the skip, convolve twice."""

import keras
from keras import ops

NEGATIVE_SLOPE = 0.2
"""LeakyReLU's slope in the reference."""


@keras.saving.register_keras_serializable(package="densedepth_keras")
class ResizeLike(keras.layers.Layer):
    """Bilinear resize (half-pixel centres) of the first input to the second's height and width.

    Where sizes halve evenly this is the reference's factor-2 up-sampling; elsewhere it still fits, which is why no
    image size has to be divisible by 32.

    Args of `call`:
        inputs: `[x, like]`, two `(B, h, w, C)` tensors; only the size of `like` matters.

    Returns:
        `x` at the size of `like`, float.
    """

    def call(self, inputs):
        x, like = inputs
        height, width = ops.shape(like)[1:3]
        if isinstance(height, int) and isinstance(width, int) and None not in x.shape[1:]:
            return ops.image.resize(x, (height, width), interpolation="bilinear", data_format="channels_last")
        # keras.ops.image.resize takes no size that is only known at run time (TensorFlow graphs of open image sizes).
        _, h, w, channels = ops.shape(x)
        x = ops.matmul(_interpolation(h, height, x.dtype), ops.reshape(x, (-1, h, w * channels)))
        return ops.matmul(_interpolation(w, width, x.dtype), ops.reshape(x, (-1, height, w, channels)))

    def compute_output_shape(self, input_shape):
        x, like = input_shape
        return (x[0], like[1], like[2], x[3])


def _interpolation(old, new, dtype):
    """The `(new, old)` matrix of one-dimensional bilinear interpolation, half-pixel centres, edges held."""
    old_float, new_float = ops.cast(old, "float32"), ops.cast(new, "float32")
    centres = (ops.arange(new, dtype="float32") + 0.5) * (old_float / new_float) - 0.5
    centres = ops.clip(centres, 0.0, old_float - 1.0)
    distance = ops.abs(ops.expand_dims(centres, 1) - ops.expand_dims(ops.arange(old, dtype="float32"), 0))
    return ops.cast(ops.relu(1.0 - distance), dtype)


def up_projection(x, skip, filters: int, name: str):
    """One decoder stage: `x` to the size of `skip`, concatenated, then two 3x3 convolutions with LeakyReLU 0.2.

    Args:
        x: `(B, h, w, C)` symbolic tensor.
        skip: `(B, H, W, S)` symbolic tensor of the next larger pyramid level.
        filters: channels out.
        name: prefix of the stage's layer names.

    Returns:
        `(B, H, W, filters)`.

    Reference:
        Alhashim, Wonka, arXiv 1812.11941, section 3.1; Krishna & Beura, "bilinear + two 3x3 convolutions".
    """
    x = ResizeLike(name=f"{name}_resize")([x, skip])
    x = keras.layers.Concatenate(name=f"{name}_concat")([x, skip])
    for part in "ab":
        x = keras.layers.Conv2D(filters, 3, padding="same", name=f"{name}_conv_{part}")(x)
        x = keras.layers.LeakyReLU(NEGATIVE_SLOPE, name=f"{name}_activation_{part}")(x)
    return x


def decode(pyramid, decoder_filters: int):
    """1x1 convolution on P5, then four up-projections with a half, a quarter, an eighth and a sixteenth the filters.

    Args:
        pyramid: P1..P5, symbolic `(B, H / 2^n, W / 2^n, C_n)`.
        decoder_filters: channels after the 1x1 convolution; divisible by 16.

    Returns:
        The four stages' outputs, coarse to fine; the last has P1's size and `decoder_filters / 16` channels.
    """
    *skips, top = pyramid
    x = keras.layers.Conv2D(decoder_filters, 1, name="bridge")(top)
    stages = []
    for level, skip in enumerate(reversed(skips), start=1):
        x = up_projection(x, skip, decoder_filters // 2**level, name=f"up{level}")
        stages.append(x)
    return stages
