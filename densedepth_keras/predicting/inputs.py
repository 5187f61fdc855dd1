"""Which pictures are meant: files, folders with all below them, patterns."""

import glob
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from densedepth_keras.data.files import IMAGE_SUFFIXES
from densedepth_keras.names import printable

VIDEO_SUFFIXES = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v")

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")


class Found(NamedTuple):
    """A picture, and its place below the output folder."""

    path: Path
    inside: Path
    """Its path from the folder that was named on; the bare name of a file that was named itself."""

    folder: Path | None
    """The folder that was searched for it, None of a file that was named."""


def find_images(inputs: Iterable[str]) -> list[Found]:
    """All pictures that the inputs name, each once.

    A file is taken whatever it is called. Of a folder, and of a pattern that ends in `*`, those with a picture's suffix
    are; nothing hidden. Whether they can be read is found out when they are.

    Args:
        inputs: paths, folders, and patterns with `*`, `?`, `[...]`; `**` stands for any folders.

    Raises:
        ValueError: a URL, a video, a folder or pattern without a picture, a folder that cannot be read.
        FileNotFoundError: no such file, or nothing that a pattern fits.
    """
    found: dict[str, Found] = {}
    for name in inputs:
        for each in _found(name):
            found.setdefault(os.path.abspath(each.path), each)
    return list(found.values())


def _found(name):
    if os.path.isdir(name):
        return _in_folder(Path(name), Path())
    if os.path.lexists(name):
        _check_no_video(name)
        return [Found(Path(name), Path(os.path.basename(name)), None)]
    if _URL.match(name):
        raise ValueError(f"A URL is no file: nothing is fetched here. Download it first. Received: {printable(name)!r}")
    if glob.has_magic(name):
        return _matching(name)
    raise FileNotFoundError(f"No such file or folder. Received: {printable(name)!r}")


def _check_no_video(name):
    if name.lower().endswith(VIDEO_SUFFIXES):
        raise ValueError(f"A video: name it with --video. Received: {printable(name)!r}")


def _in_folder(folder, inside):
    """The pictures of a folder; `inside` is where it stands below the output folder."""
    found = [Found(folder / path, inside / path, folder) for path in _walk(folder) if _is_picture(path)]
    if not found:
        raise ValueError(
            f"No picture in that folder ({', '.join(IMAGE_SUFFIXES)}). Received: {printable(str(folder))!r}"
        )
    return found


def _matching(pattern):
    base = _fixed_part(pattern)
    recursive = "**" in pattern.split(os.sep)
    chosen_by_suffix = not glob.has_magic(os.path.splitext(pattern)[1]) and os.path.splitext(pattern)[1]
    found = []
    for match in sorted(glob.glob(pattern, recursive=True)):
        inside = Path(os.path.relpath(match, base))
        if os.path.isdir(match):
            found += [] if recursive else _in_folder(Path(match), inside)
        elif chosen_by_suffix or _is_picture(match):
            found.append(Found(Path(match), inside, base if recursive else None))
    if not found:
        raise FileNotFoundError(f"No picture fits that pattern. Received: {printable(pattern)!r}")
    return found


def _fixed_part(pattern):
    """The folder in front of the first wildcard."""
    parts = []
    for part in Path(pattern).parts[:-1]:
        if glob.has_magic(part):
            break
        parts.append(part)
    return Path(*parts)


def _is_picture(path):
    return str(path).lower().endswith(IMAGE_SUFFIXES)


def _walk(folder: Path) -> Iterator[Path]:
    """Files below a folder, by name, nothing hidden; links to folders are followed, each folder is entered once."""
    entered = set()
    for top, folders, files in os.walk(folder, onerror=_raise, followlinks=True):
        entered.add(os.path.realpath(top))
        shown = sorted(name for name in folders if not name.startswith("."))
        folders[:] = [name for name in shown if os.path.realpath(os.path.join(top, name)) not in entered]
        yield from (Path(top, name).relative_to(folder) for name in sorted(files) if not name.startswith("."))


def _raise(error):
    raise ValueError(
        f"The folder cannot be read: {error.strerror}. Received: {printable(str(error.filename))!r}"
    ) from error
