"""What a run trains on: the splits opened, looked at before anything else, and made into pipelines."""

import hashlib
from collections.abc import Callable
from typing import NamedTuple

from densedepth_keras.config import TrainConfig
from densedepth_keras.data import load_dataset
from densedepth_keras.data.augment import parse_augmentation
from densedepth_keras.data.checking.fingerprints import equal_pairs
from densedepth_keras.data.checking.units import stored_units
from densedepth_keras.data.checks import (
    Looked,
    Survey,
    bad_rows,
    bad_rows_text,
    look,
    summed_up,
    surveyed_rows,
    without_bad_rows,
)
from densedepth_keras.data.pipeline import Pipeline
from densedepth_keras.data.sample import Source, evenly_spaced, row_name

FINGERPRINT_SAMPLES = 8
"""Of each split, evenly spaced."""


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

    @property
    def fingerprint(self) -> str:
        """A digest of the numbers of rows, the mean training depth and some samples: other data have another.

        It does not depend on where the data lie. A change in a few rows of many can pass unseen.
        """
        digest = hashlib.blake2b(self.facts.mean_depth.tobytes(), digest_size=8)
        for pipeline in (self.training, self.validation):
            count = len(pipeline.source)
            digest.update(f"{count}".encode())
            for index in evenly_spaced(count, FINGERPRINT_SAMPLES):
                sample = pipeline.read(index)
                digest.update(sample.image.tobytes() + sample.depth.tobytes())
        return digest.hexdigest()


def open_training_data(
    config: TrainConfig,
    depth_size: tuple[int, int],
    announce: Callable[[str], None],
    *,
    multiple_of: int = 1,
    shard: tuple[int, int] = (0, 1),
) -> TrainingData:
    """Opens the training and the validation split of a resolved config, and refuses what would spoil the run.

    Of every row the headers are looked at, and at most `SURVEY_SAMPLES` rows of a split are decoded. A damaged one
    among the others stops the run when it is read; `skip_bad_rows` decodes every row first.

    Args:
        config: a resolved one.
        depth_size: `(height, width)` of the network's output, pixels.
        announce: gets warnings, what `skip_bad_rows` leaves out, and how many rows were not decoded.
        multiple_of: devices that divide every batch, of all hosts.
        shard: `(index, count)` of this host.

    Raises:
        ValueError: an unknown augmentation; a batch larger than the training split; rows that cannot be read, those of
            both splits in one list; a wrong unit.
        FileNotFoundError: data that is not there.
    """
    augmentation = None if config.augment in (None, "none") else parse_augmentation(config.augment)
    sources = [_source(config, split, announce) for split in ("train", "validation")]
    if config.skip_bad_rows:
        sources = [without_bad_rows(source, announce) for source in sources]
    training, validation = sources
    if config.batch_size > len(training):
        raise ValueError(
            f"A batch cannot be larger than the training split of {len(training)} samples. "
            f"Received: batch_size={config.batch_size}"
        )
    shared = {
        "image_size": config.image_size,
        "depth_size": depth_size,
        "batch_size": config.batch_size,
        "seed": config.seed,
        "cache": config.cache,
        "multiple_of": multiple_of,
        "shard": shard,
    }
    pipelines = Pipeline(training, shuffle=True, augment=augmentation, **shared), Pipeline(validation, **shared)
    looked = _looked(pipelines, config)
    facts, _ = (_surveyed(*each, config, announce) for each in zip(pipelines, looked, strict=True))
    _warn_of_known_pictures(validation, looked, announce)
    return TrainingData(*pipelines, facts)


def _source(config, split, announce) -> Source:
    fill = config.fill_holes and split == "train"  # what judges the model has to be measured
    arguments = config.source_arguments()
    return load_dataset(split=split, partition=config.split, fill_holes=fill, announce=announce, **arguments)


def _looked(pipelines, config) -> list[Looked]:
    """Headers of all rows and samples of both splits, before anything is said of the bad ones among them."""
    bad, looked = [], []
    for pipeline in pipelines:
        known = {} if config.skip_bad_rows else bad_rows(pipeline.source)
        indices = [index for index in surveyed_rows(len(pipeline.source)) if index not in known]
        looked.append(look(pipeline.read, indices, config.min_depth, config.max_depth))
        bad.append({**known, **looked[-1].bad})
    if any(bad):
        raise ValueError(_refusal(bad, [len(pipeline.source) for pipeline in pipelines]))
    return looked


def _warn_of_known_pictures(validation, looked, announce):
    """Says how many of the validation pictures looked at are among the training pictures looked at."""
    theirs, ours = (each.pictures for each in looked)
    known = equal_pairs([*ours.values()], [*theirs.values()])
    if known:
        first = [*ours][known[0][0]]
        announce(
            f"WARNING: {len(known):,} of {len(ours):,} validation pictures looked at are among the {len(theirs):,} "
            f"training pictures looked at, first {row_name(validation, first)}: val_rmse says little of new "
            "ones. `densedepth data check` of the same data names all."
        )


def _refusal(bad, counts):
    """One list for both splits; a split without a bad row is not counted."""
    rows = sum(count for count, of_split in zip(counts, bad, strict=True) if of_split)
    reasons = dict(enumerate(of_split[index] for of_split in bad for index in sorted(of_split)))
    return (
        f"{len(reasons)} of {rows} rows cannot be read; --skip-bad-rows goes on without them.\n{bad_rows_text(reasons)}"
    )


def _surveyed(pipeline, looked, config, announce) -> Survey:
    """What the samples of a split hold; a wrong unit is a ValueError that names the split."""
    source = pipeline.source
    try:
        facts = summed_up(looked, config.min_depth, config.max_depth, units_per_metre=stored_units(source))
    except ValueError as error:
        raise ValueError(f"{source!r}: {error}") from error
    if facts.outside:
        announce(
            f"WARNING: {len(facts.outside)} depth maps of {source!r} have not one depth within "
            f"{config.min_depth:g}..{config.max_depth:g} m, first {row_name(source, facts.outside[0])}: is their unit "
            "another?"
        )
    if facts.samples < len(source) and not config.skip_bad_rows and config.dataset != "rooms":  # rooms are drawn
        announce(
            f"{source!r}: {facts.samples:,} of {len(source):,} rows were decoded; a damaged one among the others would "
            "stop the run when it is read; --skip-bad-rows reads every row first."
        )
    return facts
