"""One picture as uint8 RGB."""

import contextlib
import io
import os

import numpy as np
import simplejpeg
from PIL import Image

from densedepth_keras.data.pictures import (
    MAX_FILE_BYTES,
    check_crc,
    check_pixels,
    check_regular,
    check_whole,
    exif_orientation,
    naming,
    open_picture,
    orientation,
    stored_bytes,
    stored_size,
    turned,
)
from densedepth_keras.depth import MIN_IMAGE_SIDE

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
_MODES = ("RGB", "L", "RGBA", "LA", "P", "PA", "CMYK", "YCbCr", "RGBX", "1", "I;16", "I;16B", "I;16L", "I;16N")
_UNDECODABLE = "The image cannot be decoded"


def read_image(path: str | os.PathLike, *, turn: bool = True) -> np.ndarray:
    """Reads a picture as uint8 RGB `(H, W, 3)`, upright; see `rgb_array` for what becomes of other modes.

    Args:
        path: of the picture.
        turn: turns it upright where EXIF says so; without, a picture that would have to be turned is refused.

    Raises:
        ValueError: not a picture, damaged or truncated, an animation or several pages, more than `MAX_PIXELS`, or of
            a kind whose 0..255 RGB is not defined (32-bit, float).
        FileNotFoundError: no such file.
    """
    image, _, stored_turn = read_stored_image(path)
    if stored_turn != 1 and not turn:
        raise ValueError(f"The image is stored turned (EXIF orientation {stored_turn}). Received: {str(path)!r}")
    return image


def check_sides(image: np.ndarray, name: str) -> None:
    """Raises a ValueError unless both sides of `(H, W, ...)` have the pixels that a network needs."""
    if min(image.shape[:2]) < MIN_IMAGE_SIDE:
        raise ValueError(
            f"An image must be at least {MIN_IMAGE_SIDE} pixels high and wide. "
            f"Received: {image.shape[1]}x{image.shape[0]} (width x height): {name}"
        )


def rgb_array(picture: Image.Image, name: str) -> np.ndarray:
    """A Pillow picture as uint8 RGB `(H, W, 3)`, upright as EXIF says; `name` is what an error calls it.

    Grey becomes three equal channels, 16-bit grey v / 257 rounded (of 16-bit colours Pillow keeps the high byte).
    Whatever is transparent is laid over black: what cannot be seen has no colour of its own.
    """
    _check_mode(picture, name)
    check_pixels(picture.size, name)
    with naming(name, _UNDECODABLE):
        picture.load()  # before the orientation is asked for, or a TIFF would be turned twice
        return turned(_to_rgb(picture), exif_orientation(picture))


def decoded_rgb(picture: Image.Image, data: bytes, name: str) -> np.ndarray:
    """`rgb_array` of a picture that was opened from `data`, but for a JPEG's colours in two thirds of the time.

    Pillow keeps them in four bytes per pixel and packs them again for NumPy; the library below it, asked directly, has
    the same bits in an array at once. It refuses whatever makes it warn, and then Pillow judges.
    """
    if picture.format == "JPEG" and picture.mode == "RGB":
        with contextlib.suppress(ValueError), naming(name, _UNDECODABLE):
            if simplejpeg.decode_jpeg_header(data)[:2] == picture.size[::-1]:  # of what has passed the limit
                return turned(simplejpeg.decode_jpeg(data), exif_orientation(picture))
    return rgb_array(picture, name)


def read_stored_image(path: str | os.PathLike) -> tuple[np.ndarray, tuple[int, int], int]:
    """`read_image`, and with it (width, height) as stored and EXIF's orientation."""
    data = stored_bytes(path)
    with open_picture(io.BytesIO(data), path) as picture:
        _check_mode(picture, path)
        with naming(path, _UNDECODABLE):
            if picture.format == "PNG":
                check_crc(data)
            turn = orientation(picture, io.BytesIO(data))
        return decoded_rgb(picture, data, str(path)), stored_size(picture, turn), turn


def image_header(path: str | os.PathLike) -> tuple[tuple[int, int], int]:
    """(width, height) as stored and EXIF's orientation; raises as `read_image`, as far as can be told undecoded."""
    check_regular(path, MAX_FILE_BYTES)
    with open(path, "rb") as file, open_picture(file, path) as picture:
        _check_mode(picture, path)
        with naming(path, _UNDECODABLE):
            turn = orientation(picture, file)
            check_whole(picture, file)
        return stored_size(picture, turn), turn


def _to_rgb(picture):
    if picture.mode.startswith("I;16"):
        grey = (np.asarray(picture).astype(np.uint32) + 128) // 257
        return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=-1)
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        alpha = picture.getchannel("A")
        if alpha.getextrema() != (255, 255):
            black = Image.new("RGB", picture.size)
            black.paste(picture.convert("RGB"), mask=alpha)
            picture = black
    return np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"))


def _check_mode(picture, name):
    if picture.mode not in _MODES:
        raise ValueError(
            "The image must have 8 bits per channel, or 16 and be grey. "
            f"Received: a picture of Pillow mode {picture.mode!r}: {str(name)!r}"
        )
