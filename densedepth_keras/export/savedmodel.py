"""SavedModel: a folder for TensorFlow and TensorFlow Serving; and the traced function that every format starts from."""

import json
from pathlib import Path

import numpy as np
import tensorflow as tf

from densedepth_keras.export.network import INPUT, OUTPUT, Network

FACTS_FILE = "assets.extra/densedepth.json"
"""`assets.extra` is where TensorFlow leaves room for files of others; see its SavedModel README."""


def traced(network: Network, batch: int | None = None):
    """`network.metres` as a `tf.function` of one signature."""
    signature = [tf.TensorSpec((batch, *network.image_size, 3), tf.uint8, name=INPUT)]
    return tf.function(lambda image: network.metres(image), input_signature=signature)


def write_savedmodel(network: Network, path: Path, *, batch: int | None = None, quantize: str = "none") -> None:
    """Writes the folder: signature `serving_default`, `image` in and `depth` out."""
    module = tf.Module()
    module.weights = [variable.value for variable in network.model.variables]
    module.serve = traced(network, batch)
    try:
        tf.saved_model.save(module, str(path), signatures=module.serve)
    except tf.errors.OpError as error:  # what TensorFlow makes of a full disk, behind names of its own parts
        reason = error.message.split("; ")[-1].split(" [Op:")[0]
        raise OSError(f"{reason}: {str(path.parent)!r}") from error
    facts = path / FACTS_FILE
    facts.parent.mkdir(exist_ok=True)
    facts.write_text(json.dumps(network.facts(quantize), indent=1) + "\n", encoding="utf-8")


def open_savedmodel(path: Path):
    """The written network as a function: uint8 `(B, H, W, 3)` to float32 `(B, h, w)`, metres."""
    module = tf.saved_model.load(str(path))
    serve = module.signatures["serving_default"]

    def answer(images: np.ndarray, module=module) -> np.ndarray:  # the module owns the weights
        return serve(**{INPUT: tf.constant(images)})[OUTPUT].numpy()[..., 0]

    return answer, f"TensorFlow {tf.__version__}"
