"""Layers that change sizes and keep every pixel where it was.

A pyramid level n is `ceil(H / 2^n)` by `ceil(W / 2^n)`, whatever H and W: the image is continued to a multiple of 32 in
front of the backbone, the levels are cut back behind it, and twice a level is never smaller than the next. So
up-sampling is by exactly 2 everywhere, and no feature slides against another at odd sizes.
"""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="densedepth_keras")
class PadToMultiple(keras.layers.Layer):
    """Continues an image below and to the right until both sides are multiples, as if a mirror stood at its edges.

    Args:
        multiple: pixels; an image must be half as large at least.

    Returns:
        `(B, H', W', C)`; the image itself where nothing is missing.
    """

    def __init__(self, multiple: int, **kwargs):
        super().__init__(**kwargs)
        self.multiple = int(multiple)

    def call(self, inputs):
        x = inputs
        for axis in (1, 2):
            size = ops.shape(x)[axis]
            padded = _round_up(size, self.multiple)
            if isinstance(size, int) and size == padded:
                continue
            indices = ops.arange(padded)
            x = ops.take(x, ops.minimum(indices, 2 * size - 1 - indices), axis=axis)
        return x

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        sides = (None if side is None else _round_up(side, self.multiple) for side in (height, width))
        return (batch, *sides, channels)

    def get_config(self):
        return {**super().get_config(), "multiple": self.multiple}


@keras.saving.register_keras_serializable(package="densedepth_keras")
class CropToLevel(keras.layers.Layer):
    """Cuts `[level, image]`'s level down to `ceil(side / stride)` of the image's sides.

    Args:
        stride: image pixels per pixel of the level.
    """

    def __init__(self, stride: int, **kwargs):
        super().__init__(**kwargs)
        self.stride = int(stride)

    def call(self, inputs):
        level, image = inputs
        height, width = (_round_up(side, self.stride) // self.stride for side in ops.shape(image)[1:3])
        return _crop(level, height, width)

    def compute_output_shape(self, input_shape):
        level, image = input_shape
        sides = (None if side is None else _round_up(side, self.stride) // self.stride for side in image[1:3])
        return (level[0], *sides, level[3])

    def get_config(self):
        return {**super().get_config(), "stride": self.stride}


@keras.saving.register_keras_serializable(package="densedepth_keras")
class CropLike(keras.layers.Layer):
    """Cuts `[x, like]`'s x down to the height and width of `like`, from the bottom and the right."""

    def call(self, inputs):
        x, like = inputs
        return _crop(x, *ops.shape(like)[1:3])

    def compute_output_shape(self, input_shape):
        x, like = input_shape
        return (x[0], like[1], like[2], x[3])


@keras.saving.register_keras_serializable(package="densedepth_keras")
class UpsampleLike(keras.layers.Layer):
    """Bilinear up-sampling of `[x, like]`'s x by a factor, then cut to the height and width of `like`.

    Where sizes halve evenly there is nothing to cut, and with a factor of 2 this is the reference's up-sampling.

    Args:
        factor: times larger, a whole number.
        align_corners: True puts corner pixels onto corner pixels instead of corners of areas onto each other: what
            the reference's published weights were trained with, before TensorFlow changed it.
    """

    def __init__(self, factor: int = 2, *, align_corners: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.factor, self.align_corners = int(factor), bool(align_corners)

    def call(self, inputs):
        x, like = inputs
        _, h, w, channels = ops.shape(x)
        height, width = self.factor * h, self.factor * w
        if None not in x.shape[1:] and not self.align_corners:
            x = ops.image.resize(x, (height, width), interpolation="bilinear", data_format="channels_last")
        else:  # keras.ops.image.resize knows no aligned corners, and no size that is only known at run time
            rows, columns = (self._weights(old, x.dtype) for old in (h, w))
            x = ops.matmul(rows, ops.reshape(x, (-1, h, w * channels)))
            x = ops.matmul(columns, ops.reshape(x, (-1, height, w, channels)))
            x = ops.reshape(x, (-1, height, width, channels))
        return _crop(x, *ops.shape(like)[1:3])

    def _weights(self, old, dtype):
        """The `(factor * old, old)` matrix of one-dimensional linear interpolation, edges held."""
        old_float = ops.cast(old, "float32")
        position = ops.arange(self.factor * old, dtype="float32")
        if self.align_corners:
            position = position * ((old_float - 1.0) / (self.factor * old_float - 1.0))
        else:
            position = ops.clip((position + 0.5) / self.factor - 0.5, 0.0, old_float - 1.0)
        distance = ops.abs(ops.expand_dims(position, 1) - ops.expand_dims(ops.arange(old, dtype="float32"), 0))
        return ops.cast(ops.relu(1.0 - distance), dtype)

    def compute_output_shape(self, input_shape):
        x, like = input_shape
        return (x[0], like[1], like[2], x[3])

    def get_config(self):
        return {**super().get_config(), "factor": self.factor, "align_corners": self.align_corners}


def _round_up(size, multiple):
    return (size + multiple - 1) // multiple * multiple


def _crop(x, height, width):
    known = isinstance(height, int) and isinstance(width, int)
    if known and tuple(x.shape[1:3]) == (height, width):
        return x
    return x[:, :height, :width]
