"""Reading one image or one depth map from a file."""

import os

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from densedepth_keras.depth import MIN_IMAGE_SIDE

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
DEPTH_SUFFIXES = (".png", ".tif", ".tiff", ".npy")
_IMAGE_MODES = ("RGB", "L", "RGBA", "LA", "P", "CMYK", "1")
_UNEQUAL = "image and depth must have one size. Received: image of {}, depth of {} (width x height)"
_ORIENTATION = 0x0112
_DEPTH_MODES = ("L", "I;16", "I;16B", "I;16L", "I", "F")


def read_image(path: str | os.PathLike, *, turn: bool = True) -> np.ndarray:
    """Reads a picture as uint8 RGB `(H, W, 3)`.

    Args:
        path: of the picture.
        turn: turns it upright where EXIF says so; without, a picture that would have to be turned is refused, since
            nothing says whether the depth map that belongs to it has been.

    Raises:
        ValueError: not a picture, truncated, or of a kind whose 0..255 RGB is not defined (16-bit, float).
        FileNotFoundError: no such file.
    """
    with _opened(path) as picture:
        if not turn and _orientation(picture, path) != 1:
            raise ValueError(
                "The image is stored turned (EXIF orientation), its depth map may be or not. Store both upright. "
                f"Received: {path}"
            )
        return rgb_array(picture, str(path))


def _orientation(picture, path):
    try:
        return picture.getexif().get(_ORIENTATION, 1)
    except (OSError, SyntaxError, ValueError) as error:  # a PNG is decoded to the end for its EXIF
        raise ValueError(f"The image cannot be decoded: {error}. Received: {path}") from error


def rgb_array(picture: Image.Image, name: str) -> np.ndarray:
    """A Pillow picture as uint8 RGB `(H, W, 3)`, turned upright; `name` is what an error calls it."""
    if picture.mode not in _IMAGE_MODES:
        raise ValueError(
            f"The image must have 8 bits per channel. Received: a picture of Pillow mode {picture.mode!r}: {name}"
        )
    try:
        return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"The image cannot be decoded: {error}. Received: {name}") from error


def read_depth(path: str | os.PathLike, metres_per_unit: float) -> np.ndarray:
    """Reads a depth map as float32 metres `(H, W)`; 0, negative, NaN and infinite values become 0, a hole.

    Args:
        path: PNG of 8 or 16 bits, TIFF of 8, 16 or 32 bits or float, or `.npy`; one channel.
        metres_per_unit: what one stored unit is in metres, e.g. 0.001 for millimetres.

    Raises:
        ValueError: a colour picture, an array that is no map, a file that cannot be decoded.
        FileNotFoundError: no such file.
    """
    stored = _read_array(path) if str(path).lower().endswith(".npy") else _read_depth_picture(path)
    # Divided, not multiplied: 1000 and 256 are exact in float32, 0.001 is not, and every reader must agree to the bit.
    depth = stored.astype(np.float32) / np.float32(1 / metres_per_unit)
    usable = np.isfinite(depth) & (depth > 0)
    return depth if usable.all() else np.where(usable, depth, np.float32(0))


def check_pair(image: np.ndarray, depth: np.ndarray) -> None:
    """Raises a ValueError unless image and depth have one size, of 32 pixels or more a side."""
    _check_sizes(image.shape[1::-1], depth.shape[::-1])


def check_header(image: str | os.PathLike, depth: str | os.PathLike) -> None:
    """What can be known of a pair without decoding it: kind and size. Raises as `read_depth` and `check_pair` do."""
    with _opened(image) as picture:
        size = picture.size
    if str(depth).lower().endswith(".npy"):
        depth_size = _read_array(depth, header_only=True).shape[::-1]
    else:
        with _opened(depth) as picture:
            _check_depth_mode(picture, depth)
            depth_size = picture.size
    _check_sizes(size, depth_size)


def _check_sizes(image_size, depth_size):
    """(width, height) of both."""
    if tuple(image_size) != tuple(depth_size):
        texts = ("{}x{}".format(*size) for size in (image_size, depth_size))
        raise ValueError(_UNEQUAL.format(*texts))
    if min(depth_size) < MIN_IMAGE_SIDE:
        raise ValueError(
            f"both sides must be at least {MIN_IMAGE_SIDE} pixels. Received: {depth_size[0]}x{depth_size[1]}"
        )


def _opened(path):
    try:
        return Image.open(path)
    except UnidentifiedImageError:
        raise ValueError(f"Not a picture that Pillow can read. Received: {path}") from None
    except Image.DecompressionBombError as error:
        raise ValueError(f"{error} Received: {path}") from None
    except (FileNotFoundError, PermissionError, IsADirectoryError):
        raise
    except OSError as error:
        raise ValueError(f"The picture cannot be read: {error}. Received: {path}") from error


def _check_depth_mode(picture, path):
    if picture.mode in _DEPTH_MODES:
        return
    kinds = {"P": "a palette", "1": "a 1-bit"}
    kind = kinds.get(picture.mode, f"a {len(picture.getbands())}-channel 8-bit")
    raise ValueError(
        f"depth is {kind} picture. Expected one channel, 8- or 16-bit or float. A colour rendering no longer "
        f"holds metres. Received: {path}"
    )


def _read_depth_picture(path):
    with _opened(path) as picture:
        _check_depth_mode(picture, path)
        try:
            return np.asarray(picture)
        except (OSError, SyntaxError, ValueError) as error:
            raise ValueError(f"The depth map cannot be decoded: {error}. Received: {path}") from error


def _read_array(path, header_only=False):
    try:
        if header_only:
            array = np.lib.format.open_memmap(path, mode="r")
        else:
            with open(path, "rb") as file:
                array = np.lib.format.read_array(file, allow_pickle=False)  # np.load would take a renamed .npz, too
    except FileNotFoundError:
        raise
    except Exception as error:  # NumPy's readers raise ValueError, EOFError, OSError and more on broken files
        raise ValueError(f"The depth array cannot be read: {error}. Received: {path}") from error
    if array.ndim == 3 and 1 in (array.shape[0], array.shape[-1]):
        array = array.reshape(array.shape[:2] if array.shape[-1] == 1 else array.shape[1:])
    if array.ndim != 2 or array.dtype.kind not in "fiu":
        raise ValueError(
            "A depth array must be two-dimensional numbers, (height, width). "
            f"Received: shape={array.shape}, dtype={array.dtype} in {path}"
        )
    return array
