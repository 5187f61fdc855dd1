"""A new run from a trained model's weights: what fits is taken over layer by layer, what does not is listed."""

import math
import os
import re
import zipfile
from pathlib import Path
from typing import NamedTuple

import keras

from densedepth_keras.config import MODEL_FILE
from densedepth_keras.models.encoders import Normalization
from densedepth_keras.models.heads import ReciprocalToDepth
from densedepth_keras.models.resizing import UpsampleLike
from densedepth_keras.models.supervision import CompanionDepth

ENCODER = "encoder"
"""Name of the sub-model that holds the backbone."""

GROUPS = 8
"""Lines of a summary about layers that were left; with the headline and three notes that makes twelve."""

_NOT_COMPARED = ("name", "dtype", "trainable")


class Taken(NamedTuple):
    """What a model got from a trained one.

    Attributes:
        layers_taken: layers whose weights are the trained ones now.
        parameters_taken: numbers in them.
        left: one line for each layer that stays as it started, and why; the encoder, whole or not at all, is one.
        notes: what else differs, in whole sentences.
        layers: all of the model's layers that have weights.
        parameters: all of the model's numbers.
        source: the file that was read.
    """

    layers_taken: int
    parameters_taken: int
    left: list[str]
    notes: list[str]
    layers: int
    parameters: int
    source: str


def take_over_weights(model: keras.Model, source: str | os.PathLike) -> Taken:
    """Gives a model the weights of a trained one, wherever a layer of the same name has weights of the same shapes.

    The encoder is taken as a whole or not at all: a part of another backbone's layers, between others, computes
    nothing of use. Statistics of BatchNormalization come along, frozen or not. Every other layer goes by itself; one
    that does not fit stays as it started.

    A head answers `r = max_depth / depth`, so for another `max_depth` its kernel and bias are multiplied by new over
    old. Metres are then the same for every depth up to both. Beyond, with a larger `max_depth`: what the old model
    would have clipped to its range is answered as r says, from the old `max_depth` to the new and further; those depths
    it never saw and has yet to learn. With a smaller one: all that lay beyond the new `max_depth` still does, nearer
    than before, and is clipped to it.

    Args:
        model: what `build_model` returns; its weights are changed in place, or not at all where an error is raised.
        source: a run folder, whose model.keras is read, or a `.keras` file.

    Returns:
        What was taken over, and what not.

    Raises:
        FileNotFoundError: no such file, or a run folder without a model.
        ValueError: a file that Keras cannot read, a model that is none of this package's, or nothing in it that fits
            below the heads.
        TypeError: `source` is no path.
    """
    file = _model_file(source)
    trained = _load(file)
    there, here = _layers(trained), _layers(model)
    fitting, left = _matched(there, here)
    heads = _ranges(trained).keys() & _ranges(model).keys()
    if heads.issuperset(fitting):  # alone, a head reads features that it does not know
        raise ValueError(
            f"No layer below the heads of {model.name!r} fits one of the trained {trained.name!r}: "
            f"{'; '.join(left[:3])}. Received: source={str(source)!r}"
        )
    factors = {name: _ranges(model)[name] / _ranges(trained)[name] for name in heads.intersection(fitting)}
    for path in fitting:
        for name, weight in here[path].items():
            weight.assign(keras.ops.convert_to_numpy(there[path][name]) * factors.get(path, 1.0))
    return Taken(
        layers_taken=len(fitting),
        parameters_taken=_count(here[path] for path in fitting),
        left=left,
        notes=[*_range_note(trained, model, factors), *_settings_note(trained, model), *_unused_note(there, here)],
        layers=len(here),
        parameters=_count(here.values()),
        source=str(file),
    )


def summary(taken: Taken) -> list[str]:
    """At most twelve lines for a log: how much was taken over, which layers were left, what else differs."""
    headline = (
        f"Weights taken over from {taken.source}: {taken.parameters_taken:,} of {taken.parameters:,} parameters, "
        f"{taken.layers_taken} of {taken.layers} layers"
    )
    groups = {}
    for line in taken.left:
        groups.setdefault(_stage(line), []).append(line)
    lines = [_group_line(stage, lines) for stage, lines in groups.items()]
    if len(groups) > GROUPS:
        rest = list(groups)[GROUPS - 1 :]
        lines[GROUPS - 1 :] = [f"{sum(len(groups[stage]) for stage in rest)} layers of {', '.join(rest)}"]
    return [headline, *(f"  left as it started: {line}" for line in lines), *taken.notes]


def _stage(line):
    """`up1` of "up1_conv_a: ..."."""
    return re.split(r"[_:]", line)[0]


def _group_line(stage, lines):
    return lines[0] if len(lines) == 1 else f"{lines[0]}; and {len(lines) - 1} more of {stage}"


def _model_file(source):
    if not isinstance(source, str | os.PathLike):
        raise TypeError(f"`source` must be the path of a run folder or a .keras file. Received: source={source!r}")
    file = Path(source) / MODEL_FILE if os.path.isdir(source) else Path(source)
    if not os.path.isfile(file):
        raise FileNotFoundError(
            f"No model to start from: expected a run folder or a .keras file. Received: source={str(source)!r}"
        )
    return file


def _load(file):
    try:
        with zipfile.ZipFile(file):  # Keras calls a broken archive "not found"
            pass
        model = keras.saving.load_model(file, compile=False, safe_mode=True)
    except Exception as error:  # zip, JSON, HDF5 and Keras each raise their own kinds on a broken file
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ValueError(
            f"Truncated, or not a model that Keras can load: {reason[:300]}. Received: source={str(file)!r}"
        ) from error
    if not _ranges(model):
        raise ValueError(
            f"Not a depth model of this package: none of its layers is a depth head. Received: source={str(file)!r}"
        )
    return model


def _layers(model, above=""):
    """`encoder/backbone/conv1` -> {weight's name: variable}, for every layer with weights, nested models' included."""
    names, found = _own_names(model), {}
    for layer in model.layers:
        path = f"{above}{names[layer.name]}"
        if isinstance(layer, keras.Model):
            found |= _layers(layer, f"{path}/")
        elif layer.weights:
            found[path] = {_weight_name(weight, place): weight for place, weight in enumerate(layer.weights)}
    return found


def _weight_name(weight, place):
    """`kernel`; by its place in the layer where it has none and Keras counted, as in ConvNeXt's LayerScale."""
    return f"#{place}" if re.fullmatch(r"variable(_\d+)?", weight.name) else weight.name


def _own_names(model):
    """Names as they are, but for those Keras counted up: `layer_normalization_7` may be `_2` in another process.

    ConvNeXt has such layers. They are counted again within their model, in the order in which they were made.
    """
    names, counts = {layer.name: layer.name for layer in model.layers}, {}
    for _, stem, name in sorted(filter(None, map(_counted, model.layers))):
        counts[stem] = counts.get(stem, 0) + 1
        names[name] = f"{stem}#{counts[stem]}"
    return names


def _counted(layer):
    """`(7, "layer_normalization", name)` of a layer that Keras named, else None."""
    stem, number = re.fullmatch(r"(.*?)(?:_(\d+))?", layer.name).groups()
    is_keras_own = stem.replace("_", "") == type(layer).__name__.lower()
    return (int(number or 0), stem, layer.name) if is_keras_own else None


def _matched(there, here):
    """Paths whose weights fit, and a line for each layer that is left."""
    same_encoder = _shapes_of_encoder(there) == _shapes_of_encoder(here)
    own = [path for path in here if same_encoder or not _is_encoder(path)]
    fitting = [path for path in own if path in there and _shapes(there[path]) == _shapes(here[path])]
    left = [_difference(path, there.get(path), here[path]) for path in own if path not in fitting]
    return fitting, left if same_encoder else [*_encoder_line(there, here), *left]


def _is_encoder(path):
    return path.startswith(f"{ENCODER}/")


def _shapes(weights):
    return {name: tuple(weight.shape) for name, weight in weights.items()}


def _shapes_of_encoder(layers):
    return {path: _shapes(weights) for path, weights in layers.items() if _is_encoder(path)}


def _encoder_line(there, here):
    trained, wanted = _shapes_of_encoder(there), _shapes_of_encoder(here)
    if not wanted:
        return []
    if not trained:
        return [f"{ENCODER}: not there"]
    alike = sum(trained.get(path) == shapes for path, shapes in wanted.items())
    return [f"{ENCODER}: another backbone, {len(trained)} layers there, {len(wanted)} here, {alike} of them alike"]


def _difference(path, there, here):
    if there is None:
        return f"{path}: not there"
    there, here = _shapes(there), _shapes(here)
    if there.keys() != here.keys():
        return f"{path}: {', '.join(there)} there, {', '.join(here)} here"
    name = next(name for name in here if there[name] != here[name])
    return f"{path}: {there[name]} there, {here[name]} here"


def _ranges(model):
    """`max_depth` in metres of every head, by the name of its convolution."""
    heads = [layer for layer in model.layers if isinstance(layer, ReciprocalToDepth)]
    return {f"{head.name}_reciprocal": head.max_depth for head in heads}


def _unused_note(there, here):
    has_encoder = any(map(_is_encoder, here))
    unused = [path for path in there if path not in here and not (has_encoder and _is_encoder(path))]
    names = list(dict.fromkeys(path.split("/")[0] for path in unused))
    return [f"No place here for the trained model's {_some(names)}."] if names else []


def _range_note(trained, model, factors):
    if set(factors.values()) <= {1.0}:
        return []
    old, new = (next(iter(_ranges(of).values())) for of in (trained, model))
    beyond = "; what lies beyond, the trained model never saw" if new > old else ""
    return [
        f"`max_depth` is {new:g} m here and {old:g} m in the trained model: its heads were multiplied by "
        f"{new / old:g}, so metres are the same up to {min(old, new):g} m{beyond}."
    ]


def _settings_note(trained, model):
    """The weights of one network are of little use to another that computes otherwise with them."""
    old, new = _settings(trained), _settings(model)
    differing = [name for name, settings in new.items() if old.get(name, settings) != settings]
    return [f"Computed otherwise in the trained model: {_some(differing)}."] if differing else []


def _settings(model):
    kinds = (Normalization, UpsampleLike, keras.layers.Activation)
    layers = [layer for layer in model.layers if isinstance(layer, kinds) and not isinstance(layer, CompanionDepth)]
    return {
        layer.name: {key: value for key, value in layer.get_config().items() if key not in _NOT_COMPARED}
        for layer in layers
    }


def _some(names):
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _count(layers):
    return sum(math.prod(weight.shape) for weights in layers for weight in weights.values())
