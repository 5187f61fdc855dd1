"""The data of a search: looked at once, decoded once, and batched as each trial asks."""

from collections.abc import Callable

from densedepth_keras.config.search import SearchConfig
from densedepth_keras.config.train import TrainConfig
from densedepth_keras.data.augment import parse_augmentation
from densedepth_keras.data.pipeline import Pipeline
from densedepth_keras.data.sample import Rows, Sample
from densedepth_keras.distribution import open_distribution
from densedepth_keras.models.build import output_size
from densedepth_keras.training_data import TrainingData, open_training_data


class SharedData:
    """Both splits for one trial after another.

    What one trial has read and kept in memory serves the others, however they batch, order or augment it; but where
    augmentations are searched, one that works at the source's size reads the files anew.

    Args:
        config: of the search, resolved.
        announce: gets what there is to say of the data.

    Raises:
        ValueError: data that cannot be read; a batch larger than the training split, or that devices cannot divide.
        FileNotFoundError: data that is not there.
    """

    def __init__(self, config: SearchConfig, announce: Callable[[str], None]):
        sizes = config.search_batch_size or (config.batch_size,)
        how = {"distribute": config.distribute, "deterministic": config.deterministic}
        devices = [open_distribution(**how, batch_size=size).num_devices for size in sizes]
        self._opened_for = config.train_config(batch_size=max(sizes)).resolved()
        depth_size = output_size(config.image_size, config.architecture, config.full_resolution)
        self._data = open_training_data(self._opened_for, depth_size, announce, multiple_of=devices[0])

    @property
    def fingerprint(self) -> str:
        """See `TrainingData.fingerprint`."""
        return self._data.fingerprint

    def of(self, config: TrainConfig) -> TrainingData:
        """The data of a run, whose config may differ from the search's in what is searched, and in its seed."""
        config = config.resolved()
        if all(getattr(config, name) == getattr(self._opened_for, name) for name in ("batch_size", "augment", "seed")):
            return self._data
        augment = parse_augmentation(config.augment) if config.augment else None
        training = _varied(self._data.training, config, augment=augment, shuffle=True)
        return self._data._replace(training=training, validation=_varied(self._data.validation, config))


class _Read(Rows):
    """What a pipeline has read, at its sizes and before augmentation, as a source that calls its rows the same."""

    def __init__(self, pipeline: Pipeline):
        super().__init__(pipeline.source, range(len(pipeline.source)))
        self._pipeline = pipeline

    def __getitem__(self, index: int) -> Sample:
        return self._pipeline.read(index)

    def __repr__(self):
        return repr(self.source)


def _varied(pipeline, config, augment=None, **options):
    reads_whole = augment is not None and augment.needs_source
    return Pipeline(
        pipeline.source if reads_whole else _Read(pipeline),
        image_size=pipeline.image_size,
        depth_size=pipeline.depth_size,
        batch_size=config.batch_size,
        seed=config.seed,
        cache=config.cache if reads_whole else "none",
        augment=augment,
        multiple_of=pipeline.multiple_of,
        **options,
    )
