"""What a run trains on: the splits opened, looked at before anything else, and made into pipelines."""

from collections.abc import Callable
from typing import NamedTuple

from densedepth_keras.config import TrainConfig
from densedepth_keras.data import load_dataset
from densedepth_keras.data.augment import parse_augmentation
from densedepth_keras.data.checks import Survey, bad_rows, bad_rows_text, readable_rows, survey
from densedepth_keras.data.pipeline import Pipeline
from densedepth_keras.data.sample import Rows, Source


class TrainingData(NamedTuple):
    """Both splits of a run.

    Attributes:
        training: batches in a new order every epoch, augmented.
        validation: batches in the source's order.
        facts: what the training samples hold.
    """

    training: Pipeline
    validation: Pipeline
    facts: Survey


def open_training_data(
    config: TrainConfig, depth_size: tuple[int, int], announce: Callable[[str], None]
) -> TrainingData:
    """Opens the training and the validation split of a resolved config, and refuses what would spoil the run.

    Args:
        config: a resolved one.
        depth_size: `(height, width)` of the network's output, pixels.
        announce: gets warnings, and what `skip_bad_rows` leaves out.

    Raises:
        ValueError: an unknown augmentation; rows that cannot be read, all of them listed; a wrong unit.
        FileNotFoundError: data that is not there.
    """
    augmentation = parse_augmentation(config.augment) if config.augment else None
    sources = (_source(config, split, announce) for split in ("train", "validation"))
    training, validation = (_good_rows(source, config, announce) for source in sources)
    shared = {
        "image_size": config.image_size,
        "depth_size": depth_size,
        "batch_size": config.batch_size,
        "seed": config.seed,
        "cache": config.cache,
    }
    pipelines = Pipeline(training, shuffle=True, augment=augmentation, **shared), Pipeline(validation, **shared)
    facts, _ = (_surveyed(pipeline, config, announce) for pipeline in pipelines)
    return TrainingData(*pipelines, facts)


def _source(config, split, announce) -> Source:
    fill = config.fill_holes and split == "train"  # what judges the model has to be measured
    arguments = config.source_arguments()
    return load_dataset(split=split, partition=config.split, fill_holes=fill, announce=announce, **arguments)


def _good_rows(source, config, announce) -> Source:
    if config.skip_bad_rows:
        rows, bad = readable_rows(source, announce)
        if bad:
            announce(f"WARNING: {len(bad)} of {len(source)} rows are left out:\n{bad_rows_text(bad)}")
        return Rows(source, rows) if bad else source
    bad = bad_rows(source)
    if bad:
        raise ValueError(
            f"{len(bad)} of {len(source)} rows cannot be read; --skip-bad-rows goes on without them.\n"
            f"{bad_rows_text(bad)}"
        )
    return source


def _surveyed(pipeline, config, announce) -> Survey:
    """Looks at samples of a split before they are used; a wrong unit is a ValueError that names the split."""
    source = pipeline.source
    try:
        facts = survey(pipeline.read, len(source), config.min_depth, config.max_depth)
    except ValueError as error:
        raise ValueError(f"{source!r}: {error}") from error
    if facts.outside:
        announce(
            f"WARNING: {len(facts.outside)} depth maps of {source!r} have not one depth within "
            f"{config.min_depth:g}..{config.max_depth:g} m, first number {facts.outside[0]}: is their unit another?"
        )
    return facts
