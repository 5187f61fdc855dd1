"""A run's model: built, started from the weights it is to start from, compiled for a phase of the run."""

import contextlib
import math
from collections.abc import Callable

import keras

from densedepth_keras.config import TrainConfig
from densedepth_keras.initialization import summary, take_over_weights
from densedepth_keras.losses import LOSSES
from densedepth_keras.metrics import streaming
from densedepth_keras.models import build_model
from densedepth_keras.models.encoders import batch_norm_layers, calibrate_batch_norm
from densedepth_keras.optimization import averaged_weights, make_optimizer

CALIBRATION_IMAGES, CALIBRATION_PIXELS = 64, 2**20
"""Training images, and their pixels at most, that set the batch statistics of an encoder without pretrained weights."""

CALIBRATED_MOMENTUM = 0.9
"""Of the batch statistics of such an encoder, from there on."""

LOGGED = (streaming.RMSE, streaming.AbsRel, streaming.Delta1)

MODEL_FLAGS = (
    "architecture",
    "encoder",
    "freeze_encoder",
    "freeze_batch_norm",
    "decoder",
    "decoder_filters",
    "base_filters",
    "upsampling",
    "num_convs",
    "batch_norm",
    "activation",
    "dropout",
    "deep_supervision",
    "companion_weight",
    "companion_decay",
    "full_resolution",
    "min_depth",
    "max_depth",
    "image_size",
)
"""Fields of TrainConfig that are arguments of `build_model`, by the same name."""

RANDOM_WEIGHTS_WARNING = """
**********************************************************************************************************
WARNING: THE ENCODER STARTS FROM RANDOM WEIGHTS, NOT FROM IMAGENET'S.
{reason}
{meaning}
This is good enough to see everything work on the rendered rooms. It is no basis for results on photographs.
**********************************************************************************************************"""


def start_model(config: TrainConfig, pipeline, announce: Callable[[str], None]) -> tuple[keras.Model, str | None]:
    """Builds the model of a new run.

    Args:
        config: a resolved one.
        pipeline: of the training split; an encoder without pretrained weights gets its batch statistics from it.
        announce: gets warnings, and what `init_from` took over.

    Returns:
        The model, not compiled, and a word for config.json on what its encoder started from.

    Raises:
        ValueError, FileNotFoundError: weights that cannot be had or do not fit.
    """
    if config.init_from is not None:
        return _initialized(config, pipeline, announce)
    with dtype_policy(config.precision):
        if config.architecture == "unet":
            return build_model(**model_arguments(config)), None
        return _with_encoder(config, pipeline, announce)


def _initialized(config, pipeline, announce):
    model, start = blank_model(config, config.init_from), config.init_from
    taken = take_over_weights(model, config.init_from)
    if any(line.startswith("encoder:") for line in taken.left):  # another backbone: it starts as in any new run
        with dtype_policy(config.precision):
            model, start = _with_encoder(config, pipeline, announce)
        taken = take_over_weights(model, config.init_from)
    for line in summary(taken):
        announce(line)
    return model, start


def blank_model(config: TrainConfig, encoder_start: str | None) -> keras.Model:
    """The network of `start_model` without its start: for weights that come from elsewhere.

    Args:
        config: a resolved one.
        encoder_start: what `start_model` said of the run.
    """
    without = {} if config.architecture == "unet" else {"weights": None}
    with dtype_policy(config.precision):
        model = build_model(**model_arguments(config), **without)
    if encoder_start is not None and encoder_start.lower().split(":")[0] == "none":
        for layer in batch_norm_layers(model.get_layer("encoder")):
            layer.momentum = CALIBRATED_MOMENTUM  # no weight, so no saved state brings it back
    return model


def _with_encoder(config, pipeline, announce):
    arguments, weights, start = model_arguments(config), encoder_weights(config), config.encoder_weights
    if weights is not None:
        try:
            return build_model(weights=weights, **arguments), start
        except FileNotFoundError as error:
            if config.dataset != "rooms" or weights != "imagenet":
                raise
            announce(RANDOM_WEIGHTS_WARNING.format(reason=error, meaning=_random_meaning(config)))
            start = "none: the ImageNet weights could not be downloaded"
    model = build_model(weights=None, **arguments)
    count = min(CALIBRATION_IMAGES, max(1, CALIBRATION_PIXELS // math.prod(config.image_size)))
    images, _ = pipeline.batch(0, pipeline.order(0)[:count])
    calibrate_batch_norm(model, images, CALIBRATED_MOMENTUM)
    return model, start


def _random_meaning(config):
    if config.freeze_encoder:
        return (
            "--freeze-encoder therefore keeps RANDOM features fixed (their batch statistics set on training images)\n"
            "and trains the decoder alone: in the few minutes of this run that learns more than training all of it."
        )
    return "It is trained together with the decoder."


@contextlib.contextmanager
def dtype_policy(name):
    """Layers made inside compute as the policy says; it is global in Keras, so it is put back."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def model_arguments(config: TrainConfig) -> dict:
    """The arguments of `build_model` that a resolved config sets; its weights are left to the caller."""
    given = {name: getattr(config, name) for name in MODEL_FLAGS}
    return {name: value for name, value in given.items() if value is not None}


def encoder_weights(config: TrainConfig) -> str | None:
    """`weights` of `build_model`."""
    return None if str(config.encoder_weights).lower() == "none" else config.encoder_weights


def unfreeze_encoder(model: keras.Model, *, train_batch_norm: bool) -> None:
    """Makes a frozen encoder trainable; its BatchNormalization layers stay fixed unless asked.

    What `freeze` switched off while training (blocks that EfficientNets drop at random) stays off. Compile afterwards.
    """
    encoder = model.get_layer("encoder")
    encoder.trainable = True
    for layer in batch_norm_layers(encoder):
        layer.trainable = train_batch_norm


def warmup_steps(config: TrainConfig, total_steps: int) -> int:
    """Steps in which the rate rises, at the start and where the encoder is unfrozen."""
    return round(config.warmup_epochs * (total_steps // config.epochs))


def compile_model(model: keras.Model, config: TrainConfig, *, first_step: int, total_steps: int) -> None:
    """Compiles for what is trainable now, with an optimiser of its own whose variables are made at once.

    Args:
        model: of `start_model`.
        config: the run's, resolved.
        first_step: step of the run the phase begins at: the schedule goes on from there.
        total_steps: of the whole run.
    """
    loss = make_loss(config)
    encoder = None if config.architecture == "unet" else model.get_layer("encoder")
    rise = warmup_steps(config, total_steps)
    optimizer = make_optimizer(
        config.optimizer,
        config.learning_rate,
        schedule=config.schedule,
        total_steps=total_steps,
        warmup_steps=rise,
        first_step=first_step,
        fresh_steps=rise if first_step else 0,
        weight_decay=config.weight_decay,
        momentum=config.momentum,
        clip_norm=config.clip_norm,
        accumulate_steps=config.accumulate_steps,
        ema_momentum=config.weight_ema,
        encoder_scale=config.encoder_learning_rate_scale,
        encoder_paths=[] if encoder is None else [variable.path for variable in encoder.weights],
        # Keras would scale float16's losses by itself, but forget to once the model has been saved and loaded.
        loss_scaling=config.precision == "mixed_float16",
    )
    model.compile(
        optimizer=optimizer,
        loss=loss,
        metrics=[metric(config.min_depth, config.max_depth) for metric in LOGGED],
        weighted_metrics=loss.term_metrics(),  # means over images: rows that fill a batch up for devices weigh nothing
    )
    optimizer.build(model.trainable_variables)
    _start_averages(model, optimizer)


def _start_averages(model, optimizer):
    """Averages begin as the weights: loss scaling may leave out the first updates, and zeros are no network."""
    for variable, average in zip(model.trainable_variables, averaged_weights(optimizer) or (), strict=False):
        average.assign(keras.ops.copy(variable))


def make_loss(config: TrainConfig) -> keras.losses.Loss:
    """The loss a config names, over its range."""
    weight = {"depth_weight": config.depth_weight} if config.loss == "densedepth" else {}
    return LOSSES[config.loss](min_depth=config.min_depth, max_depth=config.max_depth, **weight)
