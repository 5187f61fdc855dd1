"""What a network costs: multiply-adds of one image."""

import math

import keras

from densedepth_keras.models.encoders import leaf_layers

COUNTED = (
    keras.layers.Dense,
    keras.layers.Conv2D,
    keras.layers.Conv2DTranspose,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
)


def multiply_adds(model: keras.Model, image_size: tuple[int, int]) -> int:
    """Multiply-adds of all convolutions and dense layers for one image; what else a network does is not counted.

    Args:
        model: what `build_model` or `build_encoder` returns, or a part of it; open or fixed image size.
        image_size: `(height, width)` of the image.

    Returns:
        Their number; floating-point operations are twice that.

    Example:
        >>> model = build_model("mobilenet_v2", weights=None, decoder_filters=64)
        >>> multiply_adds(model, (480, 640)) / 1e9
        2.19
    """
    counts: list[int] = []
    layers = [layer for layer in leaf_layers(model) if isinstance(layer, COUNTED)]
    try:
        for layer in layers:
            layer.compute_output_spec = _counting(layer, counts)
        model.compute_output_spec(keras.KerasTensor((1, *image_size, model.input_shape[-1])))
    finally:
        for layer in layers:
            del layer.compute_output_spec
    return sum(counts)


def _counting(layer, counts):
    """The layer's shape inference, which also notes what its call would cost: a model of open size knows no sizes."""
    infer = layer.compute_output_spec

    def compute_output_spec(inputs, *args, **kwargs):
        outputs = infer(inputs, *args, **kwargs)
        counts.append(_layer_cost(layer, inputs, outputs))
        return outputs

    return compute_output_spec


def _layer_cost(layer, inputs, outputs):
    layers = keras.layers
    channels_in, channels_out = inputs.shape[-1], outputs.shape[-1]
    if isinstance(layer, layers.Dense):
        return math.prod(outputs.shape[1:]) * channels_in
    window, pixels = math.prod(layer.kernel_size), math.prod(outputs.shape[1:3])
    if isinstance(layer, layers.DepthwiseConv2D):
        return window * pixels * channels_out
    if isinstance(layer, layers.SeparableConv2D):
        return pixels * channels_in * layer.depth_multiplier * (window + channels_out)
    if isinstance(layer, layers.Conv2DTranspose):  # every pixel that comes in is spread over a window
        return window * math.prod(inputs.shape[1:3]) * channels_in * channels_out
    return window * pixels * channels_out * channels_in // layer.groups
