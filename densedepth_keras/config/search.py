"""SearchConfig: a training run, and what of it is searched. Standard library only."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from densedepth_keras.config.flags import check, check_at_least_one, flag
from densedepth_keras.config.train import TrainConfig

TUNERS = ("random", "bayesian", "hyperband", "grid")
"""Values of `tuner`, KerasTuner's four."""

MAX_TRIALS = 12
"""Of a search that says nothing else; what Hyperband tries follows from its epochs."""

ENCODER_SCALES = (0.01, 1.0)
"""`--search-encoder-scale` without values: from a hundredth of the decoder's rate to the same."""


@dataclass(frozen=True, kw_only=True)
class SearchConfig(TrainConfig):
    """Everything a search depends on: a run's flags, and what varies. See `densedepth search --help`.

    Raises:
        ValueError: a value out of bounds; flags that contradict each other.
    """

    # Random by default: its trials do not wait for each other, so any number of workers stays busy, a search that was
    # killed draws the same points again, and a dozen trials are too few for a model of the objective to earn its keep.
    tuner: str = flag(
        "how values are chosen: at random; bayesian, by a model of the trials so far (from some 20 trials on); "
        "hyperband, many short trials of which the best go on; grid, all combinations",
        "random",
        choices=TUNERS,
    )
    max_trials: int | None = flag(
        "how many trials", type=int, metavar="N", shown=f"{MAX_TRIALS}; of hyperband it follows from --epochs, --factor"
    )
    executions_per_trial: int = flag("runs per trial, of seeds one after another; their mean counts", 1, type=int)
    epochs: int | None = flag(
        "passes over the training split per trial; of hyperband's longest trials",
        type=int,
        metavar="N",
        shown="as of train",
    )
    factor: int = flag("hyperband: one trial of so many goes on, for so many times the epochs", 3, type=int)
    learning_rate_range: tuple[float, float] = flag(
        "learning rates tried, evenly on a log scale; twice the same keeps it",
        (1e-5, 1e-2),
        type=float,
        nargs=2,
        metavar=("LOW", "HIGH"),
        shown="1e-5 1e-2",
    )
    depth_weight_range: tuple[float, float] = flag(
        "lambdas tried, evenly on a log scale; other losses have none",
        (0.01, 1.0),
        type=float,
        nargs=2,
        metavar=("LOW", "HIGH"),
        shown="0.01 1",
    )
    search_encoder_scale: tuple[float, float] | None = flag(
        "try the encoder's share of the learning rate, too, on a log scale; without values 0.01 1",
        type=float,
        nargs="*",
        metavar="LOW HIGH",
    )
    search_decoder_filters: tuple[int, ...] | None = flag(
        "try decoders that start with so many channels", type=int, nargs="+", metavar="N"
    )
    search_augment: tuple[str, ...] | None = flag(
        "try these augmentations; none is one, too", nargs="+", metavar="WHAT"
    )
    search_batch_size: tuple[int, ...] | None = flag("try these batch sizes", type=int, nargs="+", metavar="N")
    name: str | None = flag("of the search folder; default: search, data set, encoder or architecture")
    resume: bool = flag("go on with the search of that name, which was interrupted or is to have more trials", False)

    def __post_init__(self):
        self._settle_tuples()
        super().__post_init__()
        check_at_least_one(self, "max_trials", "executions_per_trial")
        check("factor", self.factor, lambda value: value >= 2, "at least 2")
        for name in ("learning_rate_range", "depth_weight_range", "search_encoder_scale"):
            check(name, getattr(self, name), _is_range, "LOW HIGH, two positive numbers, the lower one first")
        check(
            "search_decoder_filters", self.search_decoder_filters, _are_filters, "multiples of 16, none of them twice"
        )
        check("search_batch_size", self.search_batch_size, _are_counts, "1 or more, none of them twice")
        check("search_augment", self.search_augment, _are_different, "augmentations, none of them twice")
        self._check_tuner()
        self._check_architecture()
        for name in ("coordinator", "num_processes", "process_id"):
            check(
                name, getattr(self, name), lambda value: False, "left alone: a search has a chief and workers instead"
            )

    def _settle_tuples(self):
        """JSON and the command line give lists."""
        for item in dataclasses.fields(self):
            value = getattr(self, item.name)
            if isinstance(value, list):
                object.__setattr__(self, item.name, tuple(value))
        if self.search_encoder_scale == ():
            object.__setattr__(self, "search_encoder_scale", ENCODER_SCALES)

    def _check_tuner(self):
        if self.tuner != "hyperband":
            check("factor", self.factor, lambda value: value == 3, "left alone: it belongs to hyperband")
            return
        what = "left alone: how many trials hyperband makes follows from its epochs and factor"
        check("max_trials", self.max_trials, lambda value: False, what)
        if self.epochs is not None and self.epochs < self.factor:
            raise ValueError(
                "Hyperband needs at least `factor` epochs, or no trial could be a shorter one. "
                f"Received: epochs={self.epochs}, factor={self.factor}"
            )

    def _check_architecture(self):
        if self.architecture == "unet":
            for name in ("search_encoder_scale", "search_decoder_filters"):
                check(name, getattr(self, name), lambda value: False, "left alone: a U-Net has no such part")
        if self.search_encoder_scale is not None and self.freeze_encoder and self.unfreeze_at is None:
            raise ValueError(
                "`search_encoder_scale` needs an encoder that is trained. "
                f"Received: search_encoder_scale={self.search_encoder_scale}, freeze_encoder=True"
            )

    def check_loop(self) -> None:
        """Hyperband's short trials are runs of their own length: what is laid out over a run would be cut short."""
        super().check_loop()
        if self.tuner == "hyperband" and (self.schedule not in ("constant", "plateau") or self.warmup_epochs):
            raise ValueError(
                "Hyperband's trials go on from short runs to longer ones, so the rate cannot follow the length of the "
                "run: expected --schedule constant or plateau, and no --warmup-epochs. "
                f"Received: schedule={self.schedule!r}, warmup_epochs={self.warmup_epochs:g}"
            )
        if self.tuner == "hyperband":
            what = "left alone: hyperband's shortest trials would end before"
            check("unfreeze_at", self.unfreeze_at, lambda value: False, what)

    def folder_name(self) -> str:
        """Of the search folder in `output_dir`."""
        return self.name or f"search-{self.dataset}-{self.encoder or self.architecture}"

    def train_config(self, **changes: Any) -> TrainConfig:
        """The run that is searched over, without what belongs to the search alone, and without a name.

        Args:
            **changes: fields of `TrainConfig` that have another value.
        """
        own = {item.name: getattr(self, item.name) for item in dataclasses.fields(TrainConfig)}
        return TrainConfig(**{**own, "name": None, **changes})


def _is_range(values):
    return len(values) == 2 and 0 < values[0] <= values[1] < float("inf")


def _are_different(values):
    return len(values) > 0 and len(set(values)) == len(values)


def _are_counts(values):
    return _are_different(values) and min(values) >= 1


def _are_filters(values):
    return _are_counts(values) and not any(value % 16 for value in values)
