"""The model that answers where none was handed over."""

from collections.abc import Callable

from densedepth_keras.config.predict import PredictConfig

_TOGETHER = 4
"""Frames that go through the network together at most: a frame waits for its batch. On two cores, where a batch is no
faster than its frames one by one, the latency was 0.9, 1.3 and 2.4 s with 1, 4 and 8 (docs/video.md)."""


def opened_predictor(config: PredictConfig, announce: Callable[[str], None]):
    """A `DepthPredictor` of `config.checkpoint`, or of the newest run; which it is, and what it sees, is said."""
    # Here, not above: a video that cannot be read is said without waiting for Keras.
    from densedepth_keras.predictor import description, open_predictor

    batch_size = 1 if config.is_live else min(config.batch_size, _TOGETHER)  # a live picture does not wait for others
    settings = {"batch_size": batch_size, "flip_average": config.flip_average}
    predictor = open_predictor(config.checkpoint, config.output_dir, announce, **settings)
    announce(description(predictor))
    return predictor
