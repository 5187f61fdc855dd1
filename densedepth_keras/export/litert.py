"""LiteRT, once TensorFlow Lite: one file for phones and small computers."""

import importlib.metadata
import json
import os
import re
import tempfile
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from densedepth_keras.export.network import INPUT, OUTPUT, Network
from densedepth_keras.export.savedmodel import write_savedmodel

FACTS_FILE = "densedepth.json"
"""In a zip archive behind the model, as LiteRT's metadata has it: `unzip -p model.tflite densedepth.json`."""

_IN_FLOAT = re.compile(r"(^|/)(normalization|depth_reciprocal|depth|full_resolution)(_\d+)*(/|$)|^clip_by_value")
"""Layers that int8 leaves in float32: they cost next to nothing, and metres in 256 steps would be 4 cm apart."""

_IN_ENCODER = re.compile(r"(^|/)encoder(_\d+)*/")

_SHALLOW = 4
"""Encoder layers whose size is the image's divided by this, or larger, are left in float32, too.

The narrow ones among them hold few channels of a wide range: of a MobileNetV2, 16 channels over 54 units, 0.21 apart.
"""


def write_litert(network: Network, path: Path, *, quantize: str = "none", images: Sequence[np.ndarray] = ()) -> None:
    """Writes the file: one image of uint8 in, metres of float32 out, whatever `quantize` makes of what lies between.

    Args:
        network: with both sides fixed for int8.
        path: of the file.
        quantize: none, float16, dynamic or int8.
        images: uint8 `(H, W, 3)`, to calibrate int8 with.
    """
    with tempfile.TemporaryDirectory() as folder:
        write_savedmodel(network, Path(folder) / "network", batch=1)
        converter = tf.lite.TFLiteConverter.from_saved_model(f"{folder}/network")
        content = _converted(converter, quantize, images)
    path.write_bytes(content)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(FACTS_FILE, json.dumps(network.facts(quantize), indent=1) + "\n")


def _converted(converter, quantize, images):
    if quantize == "none":
        return converter.convert()
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantize == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if quantize != "int8":
        return converter.convert()
    converter.representative_dataset = lambda: ({INPUT: image[None]} for image in images)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"\s*Warning: tf.lite.Interpreter is deprecated")  # TensorFlow's own
        return _with_ends_in_float(converter, images[0].shape[0])


def _with_ends_in_float(converter, height):
    """int8 but for the first and the last layers. Calibrated once; quantized again, with their tensors left out."""
    lite = tf.lite.experimental
    debugger = lite.QuantizationDebugger(converter=converter)
    interpreter = _interpreter(model_content=bytes(debugger.calibrated_model))
    left = [tensor["name"] for tensor in interpreter.get_tensor_details() if _stays_float(tensor, height)]
    if left:  # the last tensor has lost its layer's name
        left += [tensor["name"] for tensor in interpreter.get_output_details()]
    debugger.options = lite.QuantizationDebugOptions(denylisted_nodes=left)
    return bytes(debugger.get_nondebug_quantized_model())


def _stays_float(tensor, height):
    parts, shape = tensor["name"].split(";"), tensor["shape"]
    is_shallow = len(shape) == 4 and shape[1] * _SHALLOW >= height and any(map(_IN_ENCODER.search, parts))
    return is_shallow or any(map(_IN_FLOAT.search, parts))


def check_litert() -> None:
    """Raises an ImportError where the package is missing."""
    try:
        import ai_edge_litert.interpreter  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"LiteRT needs a package that is missing ({error}): pip install densedepth_keras[export]. "
            "Received: format='litert'"
        ) from error


def _interpreter(**model):
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(**model, num_threads=os.cpu_count())


def open_litert(path: Path):
    """The written network as a function: uint8 `(1, H, W, 3)` to float32 `(1, h, w)`, metres."""
    interpreter = _interpreter(model_path=str(path))
    runner = interpreter.get_signature_runner()

    def answer(images: np.ndarray, interpreter=interpreter) -> np.ndarray:  # the interpreter owns the memory
        return runner(**{INPUT: images})[OUTPUT][..., 0]

    return answer, f"LiteRT {importlib.metadata.version('ai-edge-litert')}"
