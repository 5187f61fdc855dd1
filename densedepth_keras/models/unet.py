"""The U-Net: the paper's baseline, trained from scratch."""

import keras

from densedepth_keras.models.decoder import Block, convolutions, up_projection

LEVELS = 4
"""Times the contracting path halves its maps."""


def unet_stages(x, base_filters: int, block: Block):
    """Contracting and expanding path with skips between them; `same` padding, so the output has the input's size.

    Args:
        x: `(B, H, W, 3)` symbolic tensor, normalised; H and W need not be divisible by anything.
        base_filters: channels at full size; every level doubles them: 64, 128, 256, 512, 1024 by default.
        block: of every level.

    Returns:
        The outputs of the four expanding stages, coarse to fine; the last is `(B, H, W, base_filters)`.

    Reference:
        Ronneberger, Fischer, Brox, MICCAI 2015, figure 1; Krishna & Beura, "U-Net trained from scratch".
    """
    skips = []
    for level in range(LEVELS):
        x = convolutions(x, base_filters * 2**level, block, name=f"down{level + 1}")
        skips.append(x)
        x = keras.layers.MaxPooling2D(2, padding="same", name=f"down{level + 1}_pool")(x)
    x = convolutions(x, base_filters * 2**LEVELS, block, name="bottom")
    stages = []
    for level, skip in enumerate(reversed(skips), start=1):
        x = up_projection(x, skip, base_filters * 2 ** (LEVELS - level), block, name=f"up{level}")
        stages.append(x)
    return stages
