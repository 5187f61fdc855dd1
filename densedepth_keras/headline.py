"""What a run says of itself before its first step."""

import keras

from densedepth_keras.config import TrainConfig
from densedepth_keras.distribution import Distribution
from densedepth_keras.model_setup import encoder_weights
from densedepth_keras.models.backbones import WITHOUT_BATCH_NORM
from densedepth_keras.training_data import TrainingData

SMALL_BATCH = 16
"""Below it BatchNormalization's own statistics are noisy: Wu & He, Group Normalization (2018), figure 1."""


def headline(config: TrainConfig, model: keras.Model, data: TrainingData, distribution: Distribution) -> str:
    """Data, network and devices of a run, in one line."""
    facts, (height, width) = data.facts, config.image_size
    parts = (
        f"{config.dataset}: {len(data.training.source)} training and {len(data.validation.source)} "
        f"validation images at {width}x{height}",
        f"{facts.samples} read: {facts.measured_share:.0%} of the pixels measured, {facts.valid_share:.0%} of those "
        f"within {config.min_depth:g}..{config.max_depth:g} m",
        f"{_network(config)}, {model.count_params() / 1e6:.1f} M parameters",
        distribution.description,
    )
    return " | ".join(parts)


def _network(config):
    if config.architecture == "unet":
        return f"U-Net from {config.base_filters} filters"
    state = "frozen" if config.freeze_encoder else "trainable"
    if config.unfreeze_at is not None:
        state = f"frozen for {config.unfreeze_at} epochs, then trained"
    if config.freeze_batch_norm and not config.freeze_encoder:
        state += " but for its BatchNormalization"
    decoder = "" if config.decoder == "densedepth" else f", {config.decoder} decoder"
    return f"{config.encoder}, encoder {state}{decoder}"


def small_batches(config: TrainConfig, distribution: Distribution) -> str | None:
    """A warning where trained weights get the statistics of few images, or None.

    Args:
        config: a resolved one.
        distribution: tf.distribute's devices each take the statistics of their own part of a batch.
    """
    has_none = config.architecture == "unet" or config.encoder.startswith(WITHOUT_BATCH_NORM)
    is_blank = encoder_weights(config) is None and config.init_from is None
    if config.unfreeze_at is None:
        is_fixed, flag = config.freeze_encoder or config.freeze_batch_norm, "--freeze-batch-norm"
    else:
        is_fixed, flag = not config.train_batch_norm, "--no-train-batch-norm"
    batch = config.batch_size // (distribution.num_devices if distribution.kind == "mirrored" else 1)
    if has_none or is_blank or is_fixed or batch >= SMALL_BATCH:
        return None
    return (
        f"WARNING: the encoder's BatchNormalization takes its statistics from batches of {batch}, which are noise; "
        f"{flag} keeps those that its weights were trained with."
    )
