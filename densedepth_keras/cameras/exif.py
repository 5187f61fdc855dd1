"""The camera that a photograph's EXIF speaks of."""

import math
import os
from pathlib import Path

from PIL import ExifTags, Image

from densedepth_keras.cameras.camera import Camera
from densedepth_keras.names import printable

FILM_DIAGONAL = math.hypot(36, 24)
"""Of 35 mm film, millimetres. Equivalent focal lengths compare diagonals, not widths, so that cameras of 4:3 and of 3:2
agree: Apple's `nominalFocalLengthIn35mmFilm` is "measured diagonally" and "similar to" EXIF's FocalLengthIn35mmFilm."""

_FILM_LENSES = 5.0, 2000.0  # millimetres on 35 mm film, fisheye to astronomy; what lies outside is no lens
_UNIT_MM = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}  # FocalPlaneResolutionUnit; cameras write 4 and 5, EXIF has them not
_DENSITIES = ExifTags.Base.FocalPlaneXResolution, ExifTags.Base.FocalPlaneYResolution
_SIDES = ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight  # as the camera wrote them, before any resizing
_SAME_SHAPE = 0.02


def exif_camera(path: str | os.PathLike, size: tuple[int, int]) -> Camera | None:
    """The Camera of an upright picture of `(height, width)`; None where EXIF says nothing of the lens, or nonsense.

    `FocalLengthIn35mmFilm`, or else `FocalLength` and `FocalPlaneXResolution`. A picture that was cut out of a
    photograph says of itself what was true of the whole.

    Raises:
        FileNotFoundError: no such file.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(f"No such picture. Received: {str(path)!r}")
    try:
        with Image.open(path) as picture:
            exif = Image.Image.getexif(picture)  # a PNG's own would decode the pixels to look behind them
            tags = exif.get_ifd(ExifTags.IFD.Exif)
            turned = exif.get(ExifTags.Base.Orientation, 1) in (5, 6, 7, 8)  # the stored rows are upright columns
            focals, words = _film_lens(tags, size) or _sensor_lens(tags, size, turned)
    except Exception:  # a broken EXIF makes Pillow raise nearly everything, and the pixels are none the worse for it
        return None
    low, high = _FILM_LENSES
    if not all(low <= focal / math.hypot(*size) * FILM_DIAGONAL <= high for focal in focals):
        return None
    source = f"EXIF of {printable(Path(path).name)} ({words})"
    return Camera.centred(size, focals[0], source, focal_down=focals[1])


def _film_lens(tags, size):
    """Focal lengths across and down, pixels, and the lens in words; None where EXIF does not say."""
    film = float(tags.get(ExifTags.Base.FocalLengthIn35mmFilm, 0))  # 0: unknown
    focal = film / FILM_DIAGONAL * math.hypot(*size)
    return ((focal, focal), f"{film:g} mm on 35 mm film") if film > 0 else None


def _sensor_lens(tags, size, turned):
    """The same from the lens itself and the sensor's pixels; a KeyError where EXIF does not say."""
    lens = float(tags[ExifTags.Base.FocalLength])
    densities = [float(tags[name]) for name in _DENSITIES]
    per_mm = [density / _UNIT_MM[tags.get(ExifTags.Base.FocalPlaneResolutionUnit, 2)] for density in densities]
    stored = size if turned else size[::-1]  # (width, height)
    shrunk = [now / tags.get(name, now) for now, name in zip(stored, _SIDES, strict=True)]
    if abs(shrunk[0] / shrunk[1] - 1) > _SAME_SHAPE:
        raise ValueError("a part of the photograph, and nobody knows which")
    focals = [lens * density * share for density, share in zip(per_mm, shrunk, strict=True)]
    return focals[::-1] if turned else focals, f"{lens:g} mm lens"
