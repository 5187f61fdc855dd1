"""The searched dimensions: what varies, between which values, and what a trial's values make of the config."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from densedepth_keras.config.search import MAX_TRIALS, SearchConfig
from densedepth_keras.config.train import TrainConfig

RANGES = {
    "learning_rate": "learning_rate_range",
    "depth_weight": "depth_weight_range",
    "encoder_learning_rate_scale": "search_encoder_scale",
}
"""Field of TrainConfig -> field of SearchConfig with its lowest and highest value; all on a log scale."""

CHOICES = {
    "decoder_filters": "search_decoder_filters",
    "augment": "search_augment",
    "batch_size": "search_batch_size",
}
"""Field of TrainConfig -> field of SearchConfig with its values."""

LABELS = {
    "learning_rate": "learning rate",
    "depth_weight": "lambda",
    "encoder_learning_rate_scale": "encoder's share of the rate",
    "decoder_filters": "decoder filters",
    "augment": "augmentation",
    "batch_size": "batch size",
}
"""What pictures call a dimension."""


class Dimension(NamedTuple):
    """One thing that varies.

    Attributes:
        field: of TrainConfig.
        values: all there are, or the two ends of a range.
        is_range: any value between the two, evenly on a log scale.
    """

    field: str
    values: tuple
    is_range: bool = False


def dimensions(config: SearchConfig) -> list[Dimension]:
    """What is searched, in a fixed order; a grid's ranges are cut into points.

    Raises:
        ValueError: nothing varies; a grid of more points than trials.
    """
    found = [Dimension(field, values, field in RANGES) for field, values in _asked(config).items() if _varies(values)]
    if not found:
        raise ValueError(
            "Nothing is searched: every range has one value. Received: "
            f"learning_rate_range={config.learning_rate_range}, depth_weight_range={config.depth_weight_range}"
        )
    return _grid(found, config.max_trials or MAX_TRIALS) if config.tuner == "grid" else found


def kept_values(config: SearchConfig) -> dict[str, Any]:
    """Fields whose range or list has one value: the same in every trial."""
    return {field: values[0] for field, values in _asked(config).items() if not _varies(values)}


def trial_config(config: SearchConfig, values: dict[str, Any], *, epochs: int | None, execution: int) -> TrainConfig:
    """The run of one trial.

    Args:
        config: of the search, resolved.
        values: field -> value of the searched dimensions.
        epochs: of this trial; None for the search's.
        execution: which of the trial's runs, from 0; each has a seed of its own.
    """
    length = {} if epochs is None else {"epochs": epochs}
    seed = (config.seed + execution) % 2**32
    return config.train_config(**kept_values(config), **values, **length, seed=seed)


def _asked(config):
    """Field -> its values, of everything that could vary under the config."""
    asked = {field: getattr(config, name) for field, name in {**RANGES, **CHOICES}.items()}
    if config.loss != "densedepth":  # the others have no lambda
        del asked["depth_weight"]
    return {field: values for field, values in asked.items() if values is not None}


def _varies(values):
    return len(set(values)) > 1


def _grid(found: Sequence[Dimension], max_trials: int) -> list[Dimension]:
    """Ranges become as many points each as the trials allow, two at least."""
    counts = {each.field: 2 if each.is_range else len(each.values) for each in found}
    if math.prod(counts.values()) > max_trials:
        raise ValueError(
            f"The smallest grid over {', '.join(counts)} has {math.prod(counts.values())} points. Allow as many "
            f"trials, or search at random. Received: max_trials={max_trials}"
        )
    ranges = [each.field for each in found if each.is_range]
    while ranges:  # one point more for each in turn, as long as the grid stays small enough
        field = min(ranges, key=counts.get)
        if math.prod({**counts, field: counts[field] + 1}.values()) > max_trials:
            ranges.remove(field)
        else:
            counts[field] += 1
    return [_cut(each, counts[each.field]) for each in found]


def _cut(dimension, count):
    if not dimension.is_range:
        return dimension
    low, high = dimension.values
    inner = [float(f"{low * (high / low) ** (i / (count - 1)):.4g}") for i in range(1, count - 1)]
    return Dimension(dimension.field, (low, *inner, high))
