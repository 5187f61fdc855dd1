"""What one of the reference's Keras 2 HDF5 files says: its architecture, judged from its JSON, and its weights."""

import itertools
import json
import os
import re
from collections import Counter
from typing import NamedTuple

import h5py
import numpy as np

FILTERS = 1664
"""Channels the published decoder starts with: as many as DenseNet169 ends with."""

SLOPE = 0.2
"""Of the published decoder's LeakyReLUs."""

_SKIPS = ("pool3_pool", "pool2_pool", "pool1", "conv1_relu")
_BLOCKS = {(6, 12, 24, 16): "DenseNet121", (6, 12, 32, 32): "DenseNet169", (6, 12, 48, 32): "DenseNet201"}
_USUAL = {"activation": "linear", "strides": [1, 1], "dilation_rate": [1, 1], "groups": 1, "use_bias": True}
_DAMAGE = (OSError, RuntimeError, KeyError, IndexError, TypeError, AttributeError, json.JSONDecodeError, UnicodeError)
"""What h5py and a walk through broken JSON raise."""


class ReferenceFile(NamedTuple):
    """A file of the reference that this package can compute.

    Attributes:
        weights: layer -> weight -> array; layers as in keras.applications of Keras 3, `/` being `_`; weights as Keras
            calls them: `kernel`, `moving_mean`, ...
        decoder: its ten convolutions, from the encoder to the answer.
        last_relu: False where the decoder stands on DenseNet's last BatchNormalization itself: keras_applications
            before 1.0.5 forgot the ReLU behind it.
    """

    weights: dict[str, dict[str, np.ndarray]]
    decoder: list[str]
    last_relu: bool


def read_reference_file(path: str | os.PathLike) -> ReferenceFile:
    """Reads a whole file, or refuses it.

    Args:
        path: what Keras 2's `model.save("x.h5")` wrote.

    Raises:
        FileNotFoundError: no such file.
        ValueError: anything but the published architecture in a sound file; the message names what was expected and
            what the file has.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(
            f"No such file: expected one of the reference's weight files. Received: path={str(path)!r}"
        )
    try:
        if not h5py.is_hdf5(path):
            raise ValueError("Empty, or no HDF5 file, which the reference's weight files are.")
        with h5py.File(path, "r") as file:
            layers, output = _graph(file)
            steps, end = _decoder(layers, output)
            convolutions = [_plain(name) for name in steps if layers[name]["class_name"] == "Conv2D"]
            return ReferenceFile(_weights(file["model_weights"]), convolutions, end == "relu")
    except _DAMAGE as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
        raise ValueError(f"Truncated or damaged: {reason}. Received: path={str(path)!r}") from error
    except ValueError as error:
        raise ValueError(f"{error} Received: path={str(path)!r}") from error


def _graph(file):
    """The file's layers by name and the name of its output layer."""
    if "model_config" not in file.attrs or "model_weights" not in file:
        is_bare = "layer_names" in file.attrs or {"layers", "_layer_checkpoint_dependencies"} & set(file)
        content = "weights alone (save_weights, or a backbone's file)" if is_bare else f"{[*file.attrs, *file][:6]}"
        raise ValueError(
            "Expected a whole model as the reference saved it, `model_config` and `model_weights`; the file has "
            f"{content}. Weights alone do not say what they compute."
        )
    version = _text(file.attrs.get("keras_version", "2"))
    if version.partition(".")[0] != "2":
        raise ValueError(f"Expected a file of Keras 2, which the reference was written in; the file is of {version}.")
    model = json.loads(_text(file.attrs["model_config"]))["config"]
    layers = {layer["config"]["name"]: layer for layer in model["layers"]}
    if any(layer["config"].get("data_format") == "channels_first" for layer in layers.values()):
        raise ValueError("Expected data_format='channels_last'; the file has 'channels_first'.")
    _check_encoder(layers)
    outputs = np.atleast_2d(model["output_layers"])[:, 0]
    if len(outputs) != 1:
        raise ValueError(f"Expected one output, reciprocal depth; the file has {len(outputs)}: {outputs.tolist()}.")
    return layers, str(outputs[0])


def _check_encoder(layers):
    found = [re.match(r"conv(\d)_block\d+_concat$", name) for name in layers]
    counts = Counter(match[1] for match in found if match)
    blocks = tuple(counts[stage] for stage in "2345")
    name = _BLOCKS.get(blocks, f"{blocks} dense blocks" if counts else f"layers {list(layers)[:4]}")
    if name != "DenseNet169":
        raise ValueError(f"Expected weights on the encoder DenseNet169; the file has {name}.")


def _decoder(layers, output):
    """The decoder's layers, first to last, and the encoder's layer it stands on; a ValueError unless as published."""
    steps, name = [], output
    while name is not None and _plain(name) not in ("relu", "bn") and len(steps) < len(layers):
        steps.append(name)
        name = next(iter(_inputs(layers[name])), None)
    widths = [layers[step]["config"].get("filters") for step in steps]
    if widths and widths[-1] == FILTERS // 2:
        raise ValueError(
            f"Expected the published width, a decoder that starts with {FILTERS} filters; the file has {FILTERS // 2}: "
            "the reference's later half-width code, with two LeakyReLUs per stage and half-pixel up-sampling, of "
            "which no weights were published."
        )
    leaky = sum(layers[step]["class_name"] == "LeakyReLU" for step in steps)
    if leaky == 2 * len(_SKIPS):
        raise ValueError(
            "Expected one LeakyReLU per stage, as in the published weights; the file has two: the reference's later "
            "code, which computes something else."
        )
    described = [_description(layers[step]) for step in steps]
    for place, (expected, found) in enumerate(itertools.zip_longest(reversed(_published()), described), start=1):
        if expected != found:
            raise ValueError(
                f"Not the reference's decoder. Counted back from its output, expected as layer {place}: "
                f"{expected or 'the encoder'}; the file has {found or f'the encoder ({name!r})'}."
            )
    return steps[::-1], _plain(name)


def _published():
    """The published decoder, one description per layer, first to last."""
    layers = [f"Conv2D 1x1 {FILTERS}"]
    for level, skip in enumerate(_SKIPS, start=1):
        convolution = f"Conv2D 3x3 {FILTERS // 2**level}"
        layers += [
            "BilinearUpSampling2D",
            f"Concatenate with {skip}",
            convolution,
            convolution,
            f"LeakyReLU {SLOPE}",
        ]
    return [*layers, "Conv2D 3x3 1"]


def _description(layer):
    config, kind = layer["config"], layer["class_name"]
    if kind == "Conv2D":
        height, width = config["kernel_size"]
        usual = {**_USUAL, "padding": "same"} if height > 1 else _USUAL
        unusual = [f" {key}={config[key]}" for key, value in usual.items() if config.get(key, value) != value]
        return f"Conv2D {height}x{width} {config['filters']}" + "".join(unusual)
    if kind == "Concatenate":
        return f"Concatenate with {', '.join(map(_plain, _inputs(layer)[1:]))}"
    if kind == "LeakyReLU":
        slope = config["alpha"]  # old versions wrote NumPy's scalar as {"type": "ndarray", "value": 0.2}
        return f"LeakyReLU {slope['value'] if isinstance(slope, dict) else slope:.6g}"
    return kind


def _inputs(layer):
    nodes = layer["inbound_nodes"]
    if len(nodes) > 1:
        raise ValueError(f"Expected every layer to be used once; the file has {layer['config']['name']!r} used twice.")
    return [tensor[0] for tensor in nodes[0]] if nodes else []


def _weights(group):
    weights = {}
    for name in map(_text, group.attrs["layer_names"]):
        names = [_text(weight) for weight in group[name].attrs["weight_names"]]
        values = {re.sub(r".*/|:\d+$", "", weight): group[name][weight][()].astype("float32") for weight in names}
        if values:
            weights[_plain(name)] = values
    return weights


def _plain(name):
    return name.replace("/", "_")


def _text(value):
    return value.decode() if isinstance(value, bytes) else str(value)
