"""OPTIMIZERS, and one made for a phase of a run."""

from collections.abc import Collection
from types import MappingProxyType

import keras
from keras import ops

from densedepth_keras.names import check_name
from densedepth_keras.optimization.schedules import check, make_schedule
from densedepth_keras.optimization.staged import StagedAdam, StagedAdamW, StagedSGD


def _line(cls, **arguments):
    return cls, MappingProxyType(arguments)


OPTIMIZERS: MappingProxyType[str, tuple[type[keras.optimizers.Optimizer], MappingProxyType]] = MappingProxyType(
    {
        "amsgrad": _line(StagedAdam, amsgrad=True),
        "adam": _line(StagedAdam, beta_1=0.9, beta_2=0.999),
        "adamw": _line(StagedAdamW, weight_decay=0.01),
        "sgd": _line(StagedSGD, momentum=0.9, nesterov=True),  # Nesterov's, as in SGDR (arXiv:1608.03983)
    }
)
"""Name -> class, and its arguments by default. Read-only."""


def make_optimizer(
    name: str,
    learning_rate: float,
    *,
    total_steps: int,
    schedule: str = "constant",
    warmup_steps: int = 0,
    first_step: int = 0,
    fresh_steps: int = 0,
    weight_decay: float | None = None,
    momentum: float | None = None,
    clip_norm: float | None = None,
    accumulate_steps: int = 1,
    ema_momentum: float | None = None,
    encoder_scale: float = 1.0,
    encoder_paths: Collection[str] = (),
    loss_scaling: bool = False,
) -> keras.optimizers.Optimizer:
    """The optimiser of a run, or of one of its stages.

    Args:
        name: of `OPTIMIZERS`.
        learning_rate: the schedule's peak.
        total_steps: training steps (batches) of the whole run; with `schedule`, `warmup_steps` and `first_step` it goes
            to `make_schedule`.
        schedule: of `SCHEDULES`.
        warmup_steps: in which the rate rises from 0.
        first_step: of the run, at which this optimiser begins.
        fresh_steps: over which it is led from 0 to the schedule, where it begins late.
        weight_decay: of adamw alone, 0.01 by default.
        momentum: of sgd alone, 0.9 by default.
        clip_norm: bound of the L2 norm of all gradients together.
        accumulate_steps: batches whose mean gradient makes one update.
        ema_momentum: of the running average of the weights; None: there is none.
        encoder_scale: factor on the learning rate of the encoder's weights.
        encoder_paths: their paths.
        loss_scaling: scale the loss and unscale the gradients, for float16. Said here because Keras would do it by
            itself, but forget to once the model has been saved and loaded.

    Returns:
        A Keras optimiser, wrapped into a `LossScaleOptimizer` where asked.

    Raises:
        ValueError: a value out of bounds, an unknown name, an option that the optimiser or schedule does not have.
    """
    check_name(name, OPTIMIZERS, "optimizer", "optimizer")
    if clip_norm is not None:
        check("clip_norm", clip_norm, clip_norm > 0, "positive")
    check("accumulate_steps", accumulate_steps, accumulate_steps >= 1, "1 or more")
    check("encoder_scale", encoder_scale, 0 < encoder_scale < float("inf"), "positive")
    check("encoder_scale", encoder_scale, encoder_scale == 1 or encoder_paths, "1 where no weight is the encoder's")
    averaging = {}
    if ema_momentum is not None:
        check("ema_momentum", ema_momentum, 0 <= ema_momentum < 1, "0 or more and below 1")
        averaging = {"use_ema": True, "ema_momentum": float(ema_momentum)}
    optimizer = OPTIMIZERS[name][0](
        make_schedule(
            schedule,
            learning_rate,
            total_steps,
            warmup_steps=warmup_steps,
            first_step=first_step,
            fresh_steps=fresh_steps,
        ),
        **_own_arguments(name, weight_decay=weight_decay, momentum=momentum),
        global_clipnorm=clip_norm,
        gradient_accumulation_steps=accumulate_steps if accumulate_steps > 1 else None,
        encoder_scale=encoder_scale,
        encoder_paths=encoder_paths,
        **averaging,
    )
    return keras.optimizers.LossScaleOptimizer(optimizer) if loss_scaling else optimizer


def _own_arguments(name, **options):
    """The table's arguments, with those options in their place that were given."""
    arguments = OPTIMIZERS[name][1]
    given = {option: value for option, value in options.items() if value is not None}
    for option, value in given.items():
        others = ", ".join(other for other, (_, taken) in OPTIMIZERS.items() if option in taken)
        check(option, value, option in arguments, f"left alone: {name} has none, {others} has")
        check(option, value, 0 <= value < 1, "0 or more and below 1")
    return {**arguments, **{option: float(value) for option, value in given.items()}}


def averaged_weights(optimizer: keras.optimizers.Optimizer) -> list[keras.Variable] | None:
    """The running averages of the weights, in the order of the trainable variables; None where none are kept.

    They are 0 until the first update, which they take over whole.

    Raises:
        ValueError: the optimiser is not built yet.
    """
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    if not inner.use_ema:
        return None
    if not inner.built:
        raise ValueError(
            f"`optimizer` must be built: optimizer.build(model.trainable_variables). Received: optimizer={inner.name!r}"
        )
    return list(inner._model_variables_moving_average)


def current_learning_rate(optimizer: keras.optimizers.Optimizer) -> float:
    """The learning rate of the next training step, of the weights that are not the encoder's."""
    return float(ops.convert_to_numpy(optimizer.learning_rate))
