"""Where an exported network goes; whole or not there, files and folders alike. Standard library only."""

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from densedepth_keras.atomic import check_writable, written_beside
from densedepth_keras.config import MODEL_FILE
from densedepth_keras.config.deploy import ExportConfig
from densedepth_keras.names import printable

SUFFIXES = {"savedmodel": "", "onnx": ".onnx", "litert": ".tflite"}
"""Format -> what the name of its file ends in; a SavedModel is a folder."""

SAVED_MODEL_FILE = "saved_model.pb"


def destination(config: ExportConfig, checkpoint: str | os.PathLike) -> Path:
    """The path to write to: `output`, or one beside the model.

    Raises:
        ValueError: an `output` that is named like another format or like a model of Keras, or that would replace a
            folder of something else.
        FileExistsError: it is there, and `overwrite` is not given.
        OSError: nothing can be written there.
    """
    path = _beside(config, Path(checkpoint)) if config.output is None else Path(config.output)
    _check_name(path, config)
    if os.path.lexists(path):
        _check_replaceable(path, config)
    check_writable(path.absolute().parent, "output")
    return path


def _beside(config, checkpoint):
    model = checkpoint / MODEL_FILE if checkpoint.is_dir() else checkpoint
    kind = "-savedmodel" if config.format == "savedmodel" else ""
    numbers = "" if config.quantize == "none" else f"-{config.quantize}"
    return model.with_name(f"{model.stem}{kind}{numbers}{SUFFIXES[config.format]}")


def _check_name(path, config):
    others = {suffix: name for name, suffix in SUFFIXES.items() if suffix and name != config.format}
    others[".keras"] = "Keras' own format"
    if path.suffix in others:
        raise ValueError(
            f"`output` is named like a file of {others[path.suffix]}. "
            f"Received: output={printable(str(path))!r}, format={config.format!r}"
        )


def _check_replaceable(path, config):
    is_folder, wants_folder = path.is_dir(), config.format == "savedmodel"
    if is_folder != wants_folder or (is_folder and not (path / SAVED_MODEL_FILE).is_file()):
        kind = "a folder that is no SavedModel" if wants_folder else "a folder"
        kind = kind if is_folder else "a file, and a SavedModel is a folder"
        raise ValueError(f"`output` is {kind}; it is left as it is. Received: output={printable(str(path))!r}")
    if not config.overwrite:
        raise FileExistsError(
            "The output is there already; write over it with --overwrite, or choose another --output. "
            f"Received: output={printable(str(path))!r}"
        )


@contextlib.contextmanager
def placed(path: Path, is_folder: bool) -> Iterator[Path]:
    """Yields a path beside `path` to write to, renames it to `path` at the end, removes it on failure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _folder_beside(path) if is_folder else written_beside(path) as side:
        yield side


@contextlib.contextmanager
def _folder_beside(path):
    """As `written_beside`; a folder cannot be renamed over one that is not empty, so the old one steps aside first."""
    side, old = (path.with_name(f".partial-{os.getpid()}-{secrets.token_hex(8)}") for _ in range(2))
    try:
        yield side
        if path.exists():
            os.replace(path, old)
        try:
            os.replace(side, path)
        except BaseException:
            if old.exists():
                os.replace(old, path)
            raise
    finally:
        for folder in (side, old):
            folder.unlink() if folder.is_symlink() else shutil.rmtree(folder, ignore_errors=True)


def bytes_of(path: Path) -> int:
    """Size of a file, or of all files of a folder."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)
