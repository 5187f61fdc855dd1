"""Which camera a picture has: what the caller says, what its EXIF says, or an assumed one."""

import math
import os

from densedepth_keras.cameras.camera import Camera, is_number
from densedepth_keras.cameras.exif import exif_camera
from densedepth_keras.cameras.intrinsics import intrinsics_camera

ASSUMED_FOV = 60.0
"""Degrees across the longer side where nothing else is known. NYU Depth v2's colour camera: 63.3 (fx 518.86, 640)."""

_ASSUMED = f"assumed: {ASSUMED_FOV:g} degrees across the longer side"


def camera_for(
    path: str | os.PathLike | None,
    size: tuple[int, int],
    *,
    fov: float | None = None,
    focal_px: float | None = None,
    intrinsics: str | os.PathLike | None = None,
) -> Camera:
    """The camera of a picture: what the caller says of it, else what its EXIF says, else an assumed one.

    Args:
        path: the picture's file, for its EXIF; None where there is none.
        size: `(height, width)` of the upright picture, pixels.
        fov: field of view across, degrees.
        focal_px: focal length, pixels of this picture.
        intrinsics: JSON file with `fx`, `fy`, `cx`, `cy`, or the 3x3 matrix `K`; `width` and `height` where they are
            for another size of the same picture.

    Returns:
        The `Camera`; its `source` says which of them it was.

    Raises:
        ValueError: more than one of the three, a value out of bounds, intrinsics that do not fit the picture.
        FileNotFoundError: no such file.
    """
    given = {"fov": fov, "focal_px": focal_px, "intrinsics": intrinsics}
    given = {name: value for name, value in given.items() if value is not None}
    if len(given) > 1:
        raise ValueError(
            "One of `fov`, `focal_px`, `intrinsics` is enough. "
            f"Received: {', '.join(f'{name}={value!r}' for name, value in given.items())}"
        )
    if fov is not None:
        return Camera.centred(size, _focal_of(fov, size[1]), f"--fov {fov:g}")
    if focal_px is not None:
        if not (is_number(focal_px) and focal_px > 0):
            raise ValueError(f"`focal_px` must be positive, in pixels. Received: focal_px={focal_px!r}")
        return Camera.centred(size, focal_px, f"--focal-px {focal_px:g}")
    if intrinsics is not None:
        return intrinsics_camera(intrinsics, size)
    found = None if path is None else exif_camera(path, size)
    return found or Camera.centred(size, _focal_of(ASSUMED_FOV, max(size)), _ASSUMED)


def _focal_of(fov, side):
    if not (is_number(fov) and 0 < fov < 180):
        raise ValueError(f"`fov` must be above 0 and below 180 degrees. Received: fov={fov!r}")
    return side / 2 / math.tan(math.radians(fov) / 2)
