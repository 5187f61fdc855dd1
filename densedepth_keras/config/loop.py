"""Flags of the training loop: optimiser, schedule, what is saved when, and on which devices."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from densedepth_keras.config.data import RANGES, DataConfig
from densedepth_keras.config.flags import check, check_at_least_one, default_text, flag

_PAPER = {
    "image_size": (480, 640),
    "decoder_filters": None,
    "base_filters": 64,
    "batch_size": 4,
    "epochs": 20,
    "learning_rate": 1e-4,
    "schedule": "constant",
}
_QUICK = {
    "image_size": (48, 64),
    "decoder_filters": 256,
    "base_filters": 16,
    "batch_size": 8,
    "epochs": 10,
    "learning_rate": 1e-3,
    "schedule": "cosine",
}
_KITTI = {**_PAPER, "image_size": (384, 1280)}
"""The reference's size; KITTI's frames are 375x1242, or a few pixels less."""

DEFAULTS = MappingProxyType(dict.fromkeys(RANGES, _PAPER) | {"rooms": _QUICK, "kitti": _KITTI})
"""What a flag that is not given means, per data set. Rooms is a demonstration that two CPU cores finish in minutes."""

PRESETS = MappingProxyType(
    {
        "paper": {
            "optimizer": "adam",
            "learning_rate": 0.01,
            "schedule": "constant",
            "batch_size": 2,
            "epochs": 20,
            "augment": "paper",
        },
        "reference": {
            "optimizer": "amsgrad",
            "learning_rate": 1e-4,
            "schedule": "plateau",
            "batch_size": 4,
            "epochs": 20,
            "augment": "reference",
        },
    }
)
"""What a preset puts in place of flags that are not given.

`paper`: Krishna & Beura, who also divide NYU's 1449 frames in their own way (see `TrainConfig.resolved`). `reference`:
Alhashim & Wonka, arXiv 1812.11941, and their published code.
"""

SPLIT_OF_PRESET = MappingProxyType({"paper": "paper", "reference": "official"})
"""How a preset divides `nyu-labeled`; other data sets have one partition."""


@dataclass(frozen=True, kw_only=True)
class LoopConfig(DataConfig):
    """How a network is fitted: the fields of the training loop."""

    preset: str | None = flag(
        "defaults as published: the paper's or the reference's; flags given beside it win", choices=tuple(PRESETS)
    )
    batch_size: int | None = flag(
        "images per step, of all devices together", type=int, metavar="N", shown=default_text(DEFAULTS, "batch_size")
    )
    epochs: int | None = flag(
        "passes over the training split", type=int, metavar="N", shown=default_text(DEFAULTS, "epochs")
    )
    steps_per_epoch: int | None = flag(
        "count so many steps as an epoch", type=int, metavar="N", shown="one pass over the training split"
    )
    optimizer: str | None = flag(
        "adam; amsgrad, Adam with its AMSGrad variant; adamw; sgd with Nesterov momentum",
        shown="amsgrad",
        choices=("amsgrad", "adam", "adamw", "sgd"),
    )
    learning_rate: float | None = flag(
        "its peak, with a schedule", type=float, metavar="RATE", shown=default_text(DEFAULTS, "learning_rate")
    )
    schedule: str | None = flag(
        "the learning rate over the run: constant; plateau, times 0.7 after 5 epochs without gain; falling along half "
        "a cosine, or a polynomial; or one cycle up and down",
        choices=("constant", "plateau", "cosine", "polynomial", "one-cycle"),
        shown=default_text(DEFAULTS, "schedule"),
    )
    warmup_epochs: float = flag(
        "the rate rises linearly over so many epochs, before constant, cosine or polynomial, and again from where "
        "--unfreeze-at unfreezes the encoder",
        0.0,
        type=float,
        metavar="EPOCHS",
    )
    weight_decay: float | None = flag("of adamw", type=float, metavar="DECAY", shown="0.01")
    momentum: float | None = flag("of sgd", type=float, metavar="MOMENTUM", shown="0.9")
    clip_norm: float | None = flag("scale gradients down to this norm, all of them together", type=float, metavar="N")
    accumulate_steps: int = flag("change the weights once in so many steps", 1, type=int, metavar="N")
    encoder_learning_rate_scale: float = flag(
        "the encoder learns at so many times the rate", 1.0, type=float, metavar="FACTOR"
    )
    unfreeze_at: int | None = flag(
        "keep the encoder frozen for so many epochs, then train it too, its BatchNormalization staying fixed",
        type=int,
        metavar="EPOCH",
    )
    train_batch_norm: bool = flag("with --unfreeze-at: train the encoder's BatchNormalization, too", False)
    weight_ema: float | None = flag(
        "judge and keep a moving average of the weights; without a value of momentum 0.999",
        nargs="?",
        const=0.999,
        type=float,
        metavar="MOMENTUM",
    )
    patience: int | None = flag(
        "stop when val_rmse has not fallen for so many epochs", type=int, metavar="EPOCHS", shown="never"
    )
    precision: str = flag(
        "what the network computes in; normalisation, heads and loss stay float32, under bfloat16 the first layers too",
        "float32",
        choices=("float32", "mixed_float16", "mixed_bfloat16"),
    )
    seed: int = flag("of weights, order and augmentation", 0, type=int)
    deterministic: bool = flag("ask a GPU for the same result every time; slower", False)
    save_every: int | None = flag(
        "save the state to --resume from after so many steps, too", type=int, metavar="STEPS", shown="every epoch"
    )
    tensorboard: bool = flag("write curves and pictures for TensorBoard into the run folder", False)
    init_from: str | None = flag(
        "start from the weights of a run folder or .keras file, as far as they fit", metavar="MODEL"
    )
    distribute: str = flag(
        "over devices: mirrored (TensorFlow), data-parallel (JAX), auto where there are several GPUs",
        "auto",
        choices=("auto", "none", "mirrored", "data-parallel"),
    )
    coordinator: str | None = flag("of several machines (JAX): address of process 0", metavar="HOST:PORT")
    num_processes: int | None = flag("how many machines, one process each", type=int, metavar="N")
    process_id: int | None = flag("which of them this is, 0 to N - 1", type=int, metavar="I")

    def __post_init__(self):
        super().__post_init__()
        check_at_least_one(
            self, "batch_size", "epochs", "steps_per_epoch", "accumulate_steps", "unfreeze_at", "patience", "save_every"
        )
        for name in ("learning_rate", "clip_norm", "encoder_learning_rate_scale"):
            check(name, getattr(self, name), lambda value: 0 < value < float("inf"), "positive")
        check("warmup_epochs", self.warmup_epochs, lambda value: 0 <= value < float("inf"), "0 or more")
        check("weight_decay", self.weight_decay, lambda value: 0 <= value < float("inf"), "0 or more")
        check("momentum", self.momentum, lambda value: 0 <= value < 1, "0 or more and below 1")
        check("weight_ema", self.weight_ema, lambda value: 0 < value < 1, "above 0 and below 1")
        check("seed", self.seed, lambda value: 0 <= value < 2**32, "between 0 and 2^32 - 1")
        if self.train_batch_norm and self.unfreeze_at is None:
            raise ValueError(
                "`train_batch_norm` goes with --unfreeze-at. Received: train_batch_norm=True, unfreeze_at=None"
            )

    def loop_defaults(self) -> dict[str, Any]:
        """Values for the fields left open: the preset's, then the data set's."""
        values = {"optimizer": "amsgrad", **DEFAULTS[self.dataset]}
        if self.preset is not None:
            values |= PRESETS[self.preset]
        partition = SPLIT_OF_PRESET.get(self.preset, "official") if self.dataset == "nyu-labeled" else "official"
        return {**values, "split": partition}

    def check_loop(self) -> None:
        """What only the values of all flags together show; for a config without open fields."""
        for name, optimizer in (("weight_decay", "adamw"), ("momentum", "sgd")):
            if getattr(self, name) is not None and self.optimizer != optimizer:
                raise ValueError(
                    f"`{name}` belongs to {optimizer}. "
                    f"Received: {name}={getattr(self, name)}, optimizer={self.optimizer!r}"
                )
        if self.warmup_epochs >= self.epochs:
            raise ValueError(
                "`warmup_epochs` must be fewer than the epochs of the run. "
                f"Received: warmup_epochs={self.warmup_epochs:g}, epochs={self.epochs}"
            )
        if self.warmup_epochs and self.schedule in ("plateau", "one-cycle"):
            raise ValueError(
                "`warmup_epochs` goes before constant, cosine or polynomial. "
                f"Received: warmup_epochs={self.warmup_epochs:g}, schedule={self.schedule!r}"
            )
        if self.unfreeze_at is not None and self.unfreeze_at >= self.epochs:
            raise ValueError(
                "`unfreeze_at` must be fewer than the epochs of the run, or nothing is ever unfrozen. "
                f"Received: unfreeze_at={self.unfreeze_at}, epochs={self.epochs}"
            )
        if self.unfreeze_at is not None and self.warmup_epochs:
            shorter = min(self.unfreeze_at, self.epochs - self.unfreeze_at)
            if self.warmup_epochs > shorter:
                raise ValueError(
                    f"`warmup_epochs` must be at most {shorter}, the epochs before or from unfreezing: the rate rises "
                    f"in both. Received: warmup_epochs={self.warmup_epochs:g}, unfreeze_at={self.unfreeze_at}, "
                    f"epochs={self.epochs}"
                )
