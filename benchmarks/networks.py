"""The network of a run, at its own image size or built again at another one."""

import dataclasses
from pathlib import Path

import keras


def network_of(run: str, image_size: tuple[int, int] | None = None) -> keras.Model:
    """The model of a run folder or `.keras` file; with `(height, width)`, a run's weights in a network of that size."""
    from densedepth_keras.model_setup import blank_model
    from densedepth_keras.models import inference_model
    from densedepth_keras.prediction import load_model
    from densedepth_keras.run_folder import read_run

    trained = load_model(run)
    if image_size is None:
        return trained
    _, config = read_run(Path(run))
    if config is None:
        raise ValueError(f"`image_size` needs a run folder, whose settings are known. Received: run={run!r}")
    resized = inference_model(blank_model(dataclasses.replace(config, image_size=tuple(image_size)), None))
    resized.set_weights(trained.get_weights())
    return resized
