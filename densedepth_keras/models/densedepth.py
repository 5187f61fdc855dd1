"""DenseDepth: pretrained encoder, decoder with skips."""

from densedepth_keras.models.decoder import decode
from densedepth_keras.models.encoders import build_encoder, freeze, freeze_batch_norm, normalization_layer
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
        freeze_batch_norm(encoder)
    pyramid = encoder(normalization_layer(options.encoder)(image))
    return decode(pyramid, options.filters(pyramid[-1].shape[-1]), options.decoder, options.block())
