"""The whole command: what is asked for, the network, the file, the comparison."""

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from densedepth_keras.config import MODEL_FILE
from densedepth_keras.config.deploy import ExportConfig
from densedepth_keras.export.destination import bytes_of, destination, placed
from densedepth_keras.export.parity import Parity, check_parity, compare
from densedepth_keras.interruption import Interruption
from densedepth_keras.names import printable


class Exported(NamedTuple):
    """What `export_model` left behind."""

    path: Path
    bytes: int
    parity: Parity


def export_model(config: ExportConfig, announce: Callable[[str], None] = lambda line: None) -> Exported:
    """Writes a trained network as a SavedModel, ONNX or LiteRT, runs that beside Keras, and leaves it if they agree.

    One input `image`, uint8 `(batch, height, width, 3)`, RGB 0..255, with all pre-processing inside; one output
    `depth`, float32 `(batch, h, w, 1)`, metres, clipped to the network's range, at the size the network answers at
    (for most half of its input's). Batches of any size but in LiteRT, which takes one image. The network computes in
    float32 on both sides, mixed precision in training or not.

    Args:
        config: see `ExportConfig`.
        announce: gets every line worth reading, the table of the comparison among them.

    Returns:
        An `Exported`: path, bytes, and a `Parity`.

    Raises:
        ValueError: differences above the tolerance (nothing is left behind then); a checkpoint of something else; a
            size that the network does not take; int8 without pictures; another backend of Keras than TensorFlow.
        FileNotFoundError: no such checkpoint, no such picture.
        FileExistsError: the output is there, and `overwrite` is not given.
        OSError: nothing can be written there.
        ImportError: a package is missing.
        KeyboardInterrupt: Ctrl-C or SIGTERM; nothing is left behind.

    Example:
        >>> export_model(ExportConfig(checkpoint="runs/my_run", format="onnx", images=("photos",)), print).path
        PosixPath('runs/my_run/model.onnx')
    """
    from densedepth_keras.prediction import check_checkpoint

    if config.quantize == "int8" and not config.images:
        raise ValueError(
            "int8 is calibrated on pictures like those it will see: name some dozens with --images. Received: images=()"
        )
    checkpoint = _checkpoint(config, announce)
    check_checkpoint(checkpoint)
    path = destination(config, checkpoint)
    network, images = _prepared(config, checkpoint, announce)
    announce(f"Writing {printable(str(path))}; large networks take minutes")
    with Interruption(), placed(path, is_folder=config.format == "savedmodel") as side:
        write, read = _format(config, images)
        _write(write, network, side, path, config.format)
        answer, runtime = read(side)
        parity, size = compare(network.answer, answer, images, runtime), bytes_of(side)
        del answer
        for line in parity.lines(size):
            announce(line)
        check_parity(parity, config.quantize, config.tolerance)
    announce(f"Written: {printable(str(path))}; agrees with Keras within the tolerance")
    return Exported(path, size, parity)


def _checkpoint(config, announce):
    if config.checkpoint is not None:
        return config.checkpoint
    from densedepth_keras.run_folder import newest_run

    for name in map(Path, config.images):  # `--images photos RUN` gives RUN to the flag, and another run to export
        if name.suffix == ".keras" or (name / MODEL_FILE).is_file():
            raise ValueError(
                "That is no picture but a run: name it before the flags, densedepth export RUN --images ... "
                f"Received: images={printable(str(name))!r}"
            )
    try:
        checkpoint = newest_run(config.output_dir)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"No run below {printable(str(config.output_dir))!r} yet: train one with train.py, or name a run folder or "
            ".keras file, densedepth export RUN. Received: checkpoint=None"
        ) from error
    announce(f"Newest run: {printable(str(checkpoint))}")
    return checkpoint


def _prepared(config, checkpoint: str | os.PathLike, announce):
    """The network and the pictures, and a line about both."""
    from densedepth_keras.export.network import load_network
    from densedepth_keras.export.pictures import ROOMS, find_pictures, pictures

    paths = find_pictures(config.images, config.limit)
    _check_packages(config.format)
    network = load_network(checkpoint, config.image_size)
    if config.quantize == "int8" and None in network.image_size:
        raise ValueError(
            "int8 needs one size of images, and this network takes any: give --image-size H W. "
            f"Received: quantize='int8', image_size={config.image_size}"
        )
    images = pictures(paths, network.image_size, rooms=min(config.limit, ROOMS))
    sides = " x ".join("any" if side is None else str(side) for side in network.image_size)
    kind = ("picture" if paths else "rendered room") + ("s" if len(images) > 1 else "")
    announce(f"{printable(str(checkpoint))}: {network.model.name}, {sides} pixels; compared on {len(images)} {kind}")
    return network, images


def _write(write, network, side, path, name):
    try:
        write(network, side)
    except OSError as error:
        raise OSError(
            f"The network could not be written: {error.strerror or error}. Received: output={printable(str(path))!r}"
        ) from error
    except (ValueError, MemoryError):
        raise
    except Exception as error:  # each converter raises its own kinds on what it cannot express
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
        raise ValueError(f"This network cannot be written as {name}: {reason}. Received: format={name!r}") from error


def _check_packages(name):
    if name == "onnx":
        from densedepth_keras.export.onnx_file import check_onnx

        check_onnx()
    if name == "litert":
        from densedepth_keras.export.litert import check_litert

        check_litert()


def _format(config, images):
    """The functions that write and read it."""
    if config.format == "savedmodel":
        from densedepth_keras.export.savedmodel import open_savedmodel, write_savedmodel

        return write_savedmodel, open_savedmodel
    if config.format == "onnx":
        from densedepth_keras.export.onnx_file import open_onnx, write_onnx

        return write_onnx, open_onnx
    from densedepth_keras.export.litert import open_litert, write_litert

    return functools.partial(write_litert, quantize=config.quantize, images=images), open_litert
