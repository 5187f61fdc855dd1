"""The model that answers where none was handed over."""

from collections.abc import Callable

from densedepth_keras.config.predict import PredictConfig

_TOGETHER = 4
"""Frames that go through the network together at most. On two cores MobileNetV2 took 66 ms of processor time a frame in
batches of 8, 53 in batches of 4, 61 one by one; and a smaller batch is there sooner."""


def opened_predictor(config: PredictConfig, announce: Callable[[str], None]):
    """A `DepthPredictor` of `config.checkpoint`, or of the newest run, which is named."""
    # Here, not above: a video that cannot be read is said without waiting for Keras.
    from densedepth_keras.predictor import DepthPredictor
    from densedepth_keras.run_folder import newest_run

    checkpoint = config.checkpoint or newest_run(config.output_dir)
    announce(f"Model: {checkpoint}" + ("" if config.checkpoint else ", the newest run"))
    batch_size = 1 if config.is_live else min(config.batch_size, _TOGETHER)  # a live picture does not wait for others
    return DepthPredictor(checkpoint, batch_size=batch_size, flip_average=config.flip_average)
