"""Intrinsics from a JSON file: `fx`, `fy`, `cx`, `cy` or the matrix `K`, and the size of the pictures they are for."""

import json
import os
from pathlib import Path

from densedepth_keras.cameras.camera import Camera
from densedepth_keras.names import printable

SAME_SHAPE = 0.02
"""How far two ratios of sides may differ: 1296x968 pictures made 640x480 are off by 0.004."""

_MAX_BYTES = 2**20


def intrinsics_camera(path: str | os.PathLike, size: tuple[int, int]) -> Camera:
    """The Camera of a picture of `(height, width)` from the file `path`; see `camera_for`.

    Numbers without a size are for this picture's. Whatever else the file holds is passed over.
    """
    try:
        content = _read_json(path)
        numbers = _four_numbers(content)
        height, width = (content.get(side) for side in ("height", "width"))
        if (height is None) != (width is None):
            raise ValueError(f"`width` and `height` belong together. Received: width={width}, height={height}")
        source = f"--intrinsics {printable(Path(path).name)}"
        if width is None:
            return _inside(Camera(*numbers, *size[::-1], source))
        return _fitted(Camera(*numbers, width, height, source), size)
    except ValueError as error:
        raise ValueError(f"{error} in intrinsics={str(path)!r}") from error


def _read_json(path):
    if not os.path.isfile(path):
        raise FileNotFoundError(f"No such file of intrinsics. Received: intrinsics={str(path)!r}")
    with open(path, "rb") as file:
        data = file.read(_MAX_BYTES + 1)
    try:
        content = json.loads(data) if len(data) <= _MAX_BYTES else None
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise ValueError(
            'Expected JSON such as {"fx": 518.9, "fy": 519.5, "cx": 325.6, "cy": 253.7, "width": 640, "height": 480}, '
            f"at most {_MAX_BYTES} bytes. Received: {data[:40]!r}"
        )
    return content


def _four_numbers(content):
    names = ("fx", "fy", "cx", "cy")
    if "K" in content and "fx" not in content:
        return _of_matrix(content["K"])
    missing = [name for name in names if name not in content]
    if missing:
        raise ValueError(
            f"Expected `fx`, `fy`, `cx`, `cy`, or `K`; missing: {', '.join(missing)}. Received: {sorted(content)[:20]}"
        )
    return tuple(content[name] for name in names)


def _of_matrix(matrix):
    """`(fx, fy, cx, cy)` of the three rows, or of the nine numbers without rows, as ROS has them."""
    rows = matrix if isinstance(matrix, list) else []
    flat = [value for row in rows for value in (row if isinstance(row, list) else [row])]
    zeros_and_one = [flat[place] for place in (1, 3, 6, 7, 8)] if len(flat) == 9 else []
    if zeros_and_one != [0, 0, 0, 0, 1]:
        raise ValueError(
            f"`K` must be [[fx, 0, cx], [0, fy, cy], [0, 0, 1]], without skew. Received: K={str(matrix)[:200]}"
        )
    return flat[0], flat[4], flat[2], flat[5]


def _inside(camera):
    """Refuses a principal point outside the picture: the numbers are then for a larger one."""
    if not (-0.5 <= camera.cx <= camera.width - 0.5 and -0.5 <= camera.cy <= camera.height - 0.5):
        raise ValueError(
            f"`cx`, `cy` lie outside the picture, {camera.width}x{camera.height} (width x height): add the `width` and "
            f"`height` that they are for. Received: cx={camera.cx}, cy={camera.cy}"
        )
    return camera


def _fitted(camera, size):
    height, width = size
    if abs(width / camera.width * camera.height / height - 1) > SAME_SHAPE:
        raise ValueError(
            f"The picture is {width}x{height} (width x height), of another shape than the intrinsics are for. "
            f"Received: width={camera.width}, height={camera.height}"
        )
    return camera.scaled_to(height, width)
