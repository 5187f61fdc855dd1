"""The pictures that a network is compared on, and calibrated with."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from densedepth_keras.data.images import IMAGE_SUFFIXES, read_image
from densedepth_keras.data.resize import resize_image
from densedepth_keras.names import printable

DYNAMIC_SIZES = ((240, 320), (319, 241))
"""Heights and widths that pictures are brought to in turn where the network takes any: an even and an odd one."""

ROOMS = 8
"""Rendered rooms, where no pictures are named."""


def find_pictures(inputs: Iterable[str], limit: int) -> list[Path]:
    """At most `limit` of the files that are named, and of the pictures below folders that are, evenly spread.

    Depth maps often lie beside their pictures: 16-bit grey files of a folder are left out, and so is what is hidden.

    Raises:
        FileNotFoundError: no such file or folder.
        ValueError: a folder without a picture.
    """
    files = list(dict.fromkeys(path for name in inputs for path in _found(Path(name))))
    count = min(limit, len(files))
    return [files[index * len(files) // count] for index in range(count)]


def _found(path):
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise FileNotFoundError(f"No such picture or folder. Received: images={printable(str(path))!r}")
    files = sorted(path.rglob("*"))
    found = [file for file in files if file.suffix.lower() in IMAGE_SUFFIXES and _is_shown(file.relative_to(path))]
    found = [file for file in found if file.is_file() and not _is_depth(file)]
    if not found:
        raise ValueError(f"No picture in that folder. Received: images={printable(str(path))!r}")
    return found


def _is_shown(path):
    return not any(part.startswith(".") for part in path.parts)


def _is_depth(path):
    try:
        with Image.open(path) as picture:
            return picture.mode.startswith("I")
    except (OSError, ValueError, SyntaxError):  # it is named when it is read
        return False


def pictures(paths: list[Path], image_size: tuple[int | None, int | None], rooms: int = ROOMS) -> list[np.ndarray]:
    """uint8 `(height, width, 3)` at the size the network sees; rendered rooms where there are no paths.

    Raises:
        ValueError: a file that cannot be read as a picture.
    """
    sizes = [tuple(own or other for own, other in zip(image_size, size, strict=True)) for size in DYNAMIC_SIZES]
    if paths:
        return [resize_image(read_image(path), sizes[number % len(sizes)]) for number, path in enumerate(paths)]
    from densedepth_keras.data.rooms import Rooms

    return [Rooms("test", image_size=sizes[number % len(sizes)])[number].image for number in range(rooms)]
