"""One training run: check the data, build, compile, fit, and leave a run folder behind."""

import contextlib
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from densedepth_keras.config import CONFIG_FILE, HISTORY_FILE, MEAN_FILE, MODEL_FILE, TrainConfig, write_json
from densedepth_keras.data.sample import evenly_spaced
from densedepth_keras.losses import LOSSES
from densedepth_keras.metrics import streaming
from densedepth_keras.models import build_model, inference_model
from densedepth_keras.models.build import check_model, output_size
from densedepth_keras.models.encoders import calibrate_batch_norm, check_weights
from densedepth_keras.plots import plot_loss_curves, plot_samples
from densedepth_keras.run_folder import BestModel, created, new_path, provenance
from densedepth_keras.training_data import TrainingData, open_training_data

CALIBRATION_IMAGES, CALIBRATION_PIXELS = 64, 2**20
"""Training images, and their pixels at most, that set the batch statistics of an encoder without pretrained weights."""

SAMPLES = 5
"""Rows of samples.png: validation images, evenly spaced."""

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


class Run(NamedTuple):
    """A finished run.

    Attributes:
        folder: where config.json, model.keras, history.csv and the pictures lie.
        best_epoch: from 1 on.
        best_rmse: validation RMSE of that epoch, metres, pooled, at network resolution.
        seconds: of training.
    """

    folder: Path
    best_epoch: int
    best_rmse: float
    seconds: float


def train(config: TrainConfig, announce: Callable[[str], None] = lambda line: None) -> Run:
    """Runs a training from a config to a run folder.

    Args:
        config: what to do; None stands for the data set's default.
        announce: gets every line worth reading.

    Returns:
        The finished `Run`.

    Raises:
        ValueError: bad configuration or bad data (row and file named); training that diverged.
        FileNotFoundError: data or weights that are not there.
        FileExistsError: the run folder exists.
        OSError: the disk is full, the folder cannot be written.
    """
    config = config.resolved()
    given_weights = {} if config.encoder_weights is None else {"weights": _weights(config)}
    check_model(**model_arguments(config), **given_weights)
    check_weights(_weights(config))
    folder = new_path(config)
    keras.utils.set_random_seed(config.seed)
    depth_size = output_size(config.image_size, config.architecture, config.full_resolution)
    data = open_training_data(config, depth_size, announce)
    model, encoder_start = _build(config, data.training, announce)
    announce(_headline(config, model, data))
    loss = _loss(config)
    model.compile(
        optimizer=_optimizer(config, data.training.steps_per_epoch),
        loss=loss,
        metrics=[
            *(metric(config.min_depth, config.max_depth) for metric in LOGGED),
            *loss.term_metrics(),
        ],
    )
    with created(folder):
        facts_of_run = {"encoder_start": encoder_start, "parameters": model.count_params(), **provenance()}
        write_json(folder / CONFIG_FILE, {**config.to_json(), **facts_of_run})
        np.save(folder / MEAN_FILE, data.facts.mean_depth)
        return _fit(model, data, config, folder, announce)


def _fit(model, data, config, folder, announce) -> Run:
    best = BestModel(folder / MODEL_FILE)
    started = time.perf_counter()
    try:
        history = model.fit(
            data.training.dataset(),
            steps_per_epoch=data.training.steps_per_epoch,
            epochs=config.epochs,
            validation_data=data.validation.dataset(epochs=1),
            callbacks=[best, keras.callbacks.CSVLogger(folder / HISTORY_FILE), keras.callbacks.TerminateOnNaN()],
            shuffle=False,  # the pipeline has shuffled
            verbose=1 if os.isatty(1) else 2,
        ).history
    except Exception:
        for pipeline in (data.training, data.validation):
            if pipeline.error is not None:
                raise pipeline.error from None
        raise
    seconds = time.perf_counter() - started
    if not best.best_epoch:
        raise ValueError(
            "Training diverged: the loss is no number. Try a lower --learning-rate. "
            f"Received: learning_rate={config.learning_rate}"
        )
    if not np.isfinite(history["loss"][-1]):
        announce(
            f"\nWARNING: training diverged in epoch {len(history['loss'])}: the loss was no number any more. "
            f"The model of epoch {best.best_epoch} is kept. Try a lower --learning-rate."
        )
    _draw(model, folder, history, data, config)
    return Run(folder, best.best_epoch, best.best, seconds)


def _draw(model, folder, history, data, config):
    if len(history["loss"]) == len(history["val_loss"]):
        plot_loss_curves(folder / "loss_curves.png", history, baseline_rmse=_baseline_rmse(data, config))
    model.load_weights(folder / MODEL_FILE)
    images, depths = data.validation.batch(0, evenly_spaced(len(data.validation.source), SAMPLES))
    predictions = np.clip(inference_model(model).predict_on_batch(images), config.min_depth, config.max_depth)
    plot_samples(folder / "samples.png", images, depths[..., 0], predictions[..., 0], max_depth=config.max_depth)


def _baseline_rmse(data: TrainingData, config) -> float:
    """RMSE of answering the mean training depth, counted as val_rmse is: pooled, at network resolution."""
    metric, validation = streaming.RMSE(config.min_depth, config.max_depth), data.validation
    for indices in np.array_split(validation.order(0), validation.steps_per_epoch):
        _, depth = validation.batch(0, indices)
        metric.update_state(depth, np.broadcast_to(data.facts.mean_depth[..., None], depth.shape))
    return float(metric.result())


def _build(config, pipeline, announce):
    """The model, and a word for config.json on what its encoder started from."""
    arguments = model_arguments(config)
    with dtype_policy(config.precision):
        if config.architecture == "unet":
            return build_model(**arguments), None
        return _with_encoder(config, arguments, pipeline, announce)


def _with_encoder(config, arguments, pipeline, announce):
    weights, start = _weights(config), config.encoder_weights
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
    calibrate_batch_norm(model, images)
    return model, start


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


def _loss(config):
    weight = {"depth_weight": config.depth_weight} if config.loss == "densedepth" else {}
    return LOSSES[config.loss](min_depth=config.min_depth, max_depth=config.max_depth, **weight)


def _weights(config):
    return None if str(config.encoder_weights).lower() == "none" else config.encoder_weights


def _random_meaning(config):
    if config.freeze_encoder:
        return (
            "--freeze-encoder therefore keeps RANDOM features fixed (their batch statistics set on training images)\n"
            "and trains the decoder alone: in the few minutes of this run that learns more than training all of it."
        )
    return "It is trained together with the decoder."


def _optimizer(config, steps_per_epoch):
    adam = keras.optimizers.Adam(_learning_rate(config, steps_per_epoch), amsgrad=True)
    # Keras would scale float16's losses by itself, but forget to once the model has been saved and loaded.
    return keras.optimizers.LossScaleOptimizer(adam) if config.precision == "mixed_float16" else adam


def _learning_rate(config, steps_per_epoch):
    if config.schedule == "constant":
        return config.learning_rate
    steps = config.epochs * steps_per_epoch
    return keras.optimizers.schedules.CosineDecay(config.learning_rate, steps, alpha=0.01)


def _headline(config, model, data):
    facts, (height, width) = data.facts, config.image_size
    parts = (
        f"{config.dataset}: {len(data.training.source)} training and {len(data.validation.source)} "
        f"validation images at {width}x{height}",
        f"{facts.samples} read: {facts.measured_share:.0%} of the pixels measured, {facts.valid_share:.0%} of those "
        f"within {config.min_depth:g}..{config.max_depth:g} m",
        f"{_network(config)}, {model.count_params() / 1e6:.1f} M parameters",
        f"{', '.join(keras.distribution.list_devices())} on the {keras.backend.backend()} backend",
    )
    return " | ".join(parts)


def _network(config):
    if config.architecture == "unet":
        return f"U-Net from {config.base_filters} filters"
    state = "frozen" if config.freeze_encoder else "trainable"
    if config.freeze_batch_norm and not config.freeze_encoder:
        state += " but for its BatchNormalization"
    decoder = "" if config.decoder == "densedepth" else f", {config.decoder} decoder"
    return f"{config.encoder}, encoder {state}{decoder}"
