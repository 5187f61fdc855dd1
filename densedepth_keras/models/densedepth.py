"""DenseDepth: pretrained encoder, decoder with skips."""

from densedepth_keras.models.decoder import decode
from densedepth_keras.models.encoders import batch_norm_layers, build_encoder, freeze, normalization_layer
from densedepth_keras.models.options import ModelOptions


def densedepth_stages(image, options: ModelOptions):
    """Encoder and decoder on an image.

    Args:
        image: `(B, H, W, 3)` symbolic tensor, RGB 0..255.
        options: checked ones.

    Returns:
        The outputs of the decoder's four stages, coarse to fine; the last is `(B, ceil(H/2), ceil(W/2), filters / 16)`.
    """
    encoder = build_encoder(options.encoder, options.weights)
    if options.freeze_encoder:
        freeze(encoder)
    if options.freeze_batch_norm:
        # Only `trainable = False` on the layers themselves keeps their statistics: `training=False` in this call would
        # be overridden by the training flag that `fit` sends through the whole graph.
        for layer in batch_norm_layers(encoder):
            layer.trainable = False
    pyramid = encoder(normalization_layer(options.encoder)(image))
    return decode(pyramid, options.filters(pyramid[-1].shape[-1]), options.decoder, options.block())
