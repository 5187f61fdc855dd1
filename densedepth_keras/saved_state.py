"""The state of a run in one file: every variable of a training, bit for bit, and facts in JSON.

An uncompressed .npz: `state.json` (facts; path, shape and dtype of every variable) and one array `group/00012.npy` per
variable. The CRC-32 that zip keeps of every member is what tells a damaged file.
"""

import io
import json
import os
import re
import zipfile
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from densedepth_keras.atomic import written_beside

STATE_FILE = "state.npz"
MODEL, OPTIMIZER, METRICS = "model", "optimizer", "metrics"
"""The groups of `state_variables`."""

_HEADER, _FORMAT = "state.json", 1
_OPEN_SIZE = 64  # pixels in place of a size that the model leaves open; any will do to create metrics
_MOST_DIFFERENCES = 5
_BFLOAT16 = "bfloat16"


class State(NamedTuple):
    """What a state file holds.

    Attributes:
        facts: what was given to `save_state`, through JSON.
        arrays: group -> one array per variable; bfloat16 comes as float32 of the same value.
        names: group -> the variables' paths.
        dtypes: group -> the variables' own dtypes, in Keras' words.
    """

    facts: dict
    arrays: dict[str, list[np.ndarray]]
    names: dict[str, list[str]]
    dtypes: dict[str, list[str]]


def state_variables(model: keras.Model) -> dict[str, list[keras.Variable]]:
    """Everything that changes while a model trains; creates what Keras would create at the first step.

    Args:
        model: functional and compiled; it may be in the middle of `fit`.

    Returns:
        `"model"`: weights, batch statistics and the states of random layers, in an order that does not depend on what
        is trainable. `"optimizer"`: iterations, learning rate, slots, weight averages, loss scale, accumulated
        gradients. `"metrics"`: the loss' and the compiled metrics' running sums. `fit` empties these before
        `on_epoch_begin`, so that is where those of an epoch begun are put back.

    Raises:
        ValueError: the model is not compiled.
    """
    if getattr(model, "optimizer", None) is None:
        raise ValueError(f"`model` must be compiled with an optimizer. Received: model={model.name!r}")
    if hasattr(model, "jax_state_sync"):
        model.jax_state_sync()  # within an epoch JAX holds the values elsewhere
    if not model.optimizer.built or not all(getattr(metric, "built", True) for metric in model.metrics):
        _create_variables(model)
    groups = {MODEL: model.variables, OPTIMIZER: model.optimizer.variables, METRICS: model.metrics_variables}
    return {group: list(variables) for group, variables in groups.items()}


def _create_variables(model):
    strategy = getattr(model, "distribute_strategy", None)  # TensorFlow's trainer alone has one
    if strategy is not None:
        with strategy.scope():
            return _create_in_scope(model)
    return _create_in_scope(model)


def _create_in_scope(model):
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    with keras.StatelessScope():  # variables are created, but none changes
        answer = keras.tree.map_structure(_zeros_like_output, model.output)
        model.compute_metrics(None, answer, answer)
        model.compute_loss(None, answer, answer)  # several outputs have a running mean of each one's loss


def _zeros_like_output(tensor):
    return keras.ops.zeros([1, *(size or _OPEN_SIZE for size in tensor.shape[1:])], tensor.dtype)


def save_state(path: str | os.PathLike, groups: dict[str, list[keras.Variable]], facts: dict) -> None:
    """Writes variables and facts to the side, forces them to the disk, and renames them over the last good file.

    Args:
        path: of the file.
        groups: name -> variables, as `state_variables` gives them.
        facts: anything that JSON can hold.

    Raises:
        ValueError: a value of the model is NaN or infinite: such a state is of no use.
        TypeError: facts that JSON cannot hold.
        OSError: the disk is full, the folder cannot be written.
    """
    listed = {group: [_description(variable) for variable in variables] for group, variables in groups.items()}
    header = json.dumps({"format": _FORMAT, "facts": facts, "variables": listed})
    try:
        with written_beside(path) as side, open(side, "wb") as stream:
            _write(stream, header, groups)
            stream.flush()
            os.fsync(stream.fileno())  # else a power cut could leave the name without its bytes
    except OSError as error:
        raise OSError(f"The state could not be saved as {path}: {error}; the last good one is kept") from error


def _description(variable):
    return {"path": variable.path, "shape": list(variable.shape), "dtype": variable.dtype}


def _write(stream, header, groups):
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(_HEADER, header)
        for group, variables in groups.items():
            for number, variable in enumerate(variables):
                array = _value(variable, must_be_finite=group == MODEL)
                with archive.open(_member(group, number), "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, array, allow_pickle=False)


def _member(group, number):
    return f"{group}/{number:05d}.npy"


def _value(variable, must_be_finite):
    """A variable as NumPy can write it: bfloat16 as its bits, uint16."""
    array = keras.ops.convert_to_numpy(variable)
    if variable.dtype == _BFLOAT16:
        array = array.astype(np.float32)
    if must_be_finite and array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(
            "Training diverged: a value of the model is not finite, and nothing was saved. Try a lower --learning-rate "
            f"or --clip-norm 1. Received: {variable.path}"
        )
    return (array.view(np.uint32) >> 16).astype(np.uint16) if variable.dtype == _BFLOAT16 else array


def read_state(path: str | os.PathLike) -> State:
    """Reads a state file whole and checks every checksum; nothing in it is ever run.

    Args:
        path: what `save_state` wrote.

    Raises:
        FileNotFoundError: there is none.
        ValueError: the file is damaged, cut short or something else.
    """
    with open(path, "rb") as stream:
        try:
            return _read(stream)
        except Exception as error:  # a damaged zip raises BadZipFile, EOFError, OSError, NotImplementedError and more
            raise ValueError(
                f"The saved state cannot be read: {error or type(error).__name__}. "
                "The run cannot go on: start a new one; --init-from takes over its best weights, where it has a model. "
                f"Received: path={str(Path(path))!r}"
            ) from error


def _read(stream):
    with zipfile.ZipFile(stream) as archive:
        header = json.loads(archive.read(_HEADER))
        if header["format"] != _FORMAT:
            raise ValueError(f"expected format {_FORMAT}, found {header['format']!r}")
        listed = header["variables"]
        arrays = {
            group: [_array(archive, _member(group, number), facts) for number, facts in enumerate(variables)]
            for group, variables in listed.items()
        }
    names, dtypes = (
        {group: [variable[key] for variable in variables] for group, variables in listed.items()}
        for key in ("path", "dtype")
    )
    return State(header["facts"], arrays, names, dtypes)


def _array(archive, member, described):
    content = archive.read(member)  # whole: checked before anything in it is believed
    array = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    if described["dtype"] == _BFLOAT16:
        array = (array.astype(np.uint32) << 16).view(np.float32)
    if list(array.shape) != described["shape"]:
        raise ValueError(f"{member} has shape {array.shape}, expected {described['shape']}")
    return array


def restore(state: State, groups: dict[str, list[keras.Variable]]) -> None:
    """Puts a state's values back into variables; of none where one of them differs.

    Args:
        state: what `read_state` gave.
        groups: as for `save_state`; some of the groups will do.

    Raises:
        ValueError: other variables than those that were saved, by number, path, shape or dtype. Paths may differ in
            the numbers that Keras appends, which count what the process has made before, and in names in front.
    """
    differences = [line for group, variables in groups.items() for line in _differences(state, group, variables)]
    if differences:
        shown, more = differences[:_MOST_DIFFERENCES], len(differences) - _MOST_DIFFERENCES
        raise ValueError(
            "The saved state is of another model, optimizer or metrics:\n  "
            + "\n  ".join([*shown, *([f"... and {more} more"] if more > 0 else [])])
        )
    for group, variables in groups.items():
        for variable, array in zip(variables, state.arrays[group], strict=True):
            variable.assign(array)


def _differences(state, group, variables):
    saved = state.arrays.get(group, [])
    if len(saved) != len(variables):
        yield f"{group}: {len(saved)} variables saved, {len(variables)} expected"
    described = zip(saved, state.names.get(group, []), state.dtypes.get(group, []), variables, strict=False)
    for array, path, dtype, variable in described:
        same = (tuple(array.shape), dtype) == (tuple(variable.shape), variable.dtype)
        if not (same and _same_path(path, variable.path)):
            yield (
                f"{group}: {path} {tuple(array.shape)} {dtype} saved, "
                f"{variable.path} {tuple(variable.shape)} {variable.dtype} expected"
            )


def _same_path(a, b):
    """Whether two paths are one but for Keras' numbers and the scopes around the place where a variable was made."""
    a, b = (re.sub(r"_\d+(?=[_/]|$)", "", path) for path in (a, b))
    return f"/{a}".endswith(f"/{b}") or f"/{b}".endswith(f"/{a}")
