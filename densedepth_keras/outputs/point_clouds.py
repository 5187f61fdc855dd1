"""Coloured point clouds in metres, from a picture, its depth and its camera, and the files they are kept in.

Axes are the camera's, right-handed: X right, Y down, Z forward. PLY and PCD keep them (what OpenCV, Open3D and ROS's
optical frames use). glTF has Y up, so GLB has X right, Y up, Z backward: the photographer's view down the -Z axis.
"""

import io
import math
import os
from collections.abc import Callable
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from densedepth_keras.atomic import written_beside
from densedepth_keras.names import check_name

EDGE = 1.05
"""Depths of neighbours differ by more than this factor where one thing hides another. At 640 pixels for 63 degrees a
wall would have to be seen at more than 87 degrees to do so. Cuts 3.3 % of NYU's pixels, 2.5 % of maps enlarged from 320
(benchmarks/thresholds.py)."""

EDGE_SIDE = 640
"""Neighbours are one 640th of the longer side apart, but a pixel at least: an enlarged map spreads its steps."""

_GLTF_FLOAT = 5126
_GLTF_AXES = (1, -1, -1)


class PointCloud(NamedTuple):
    """Coloured points in metres, in the order of their pixels, row by row."""

    points: np.ndarray
    """float32 (N, 3): X right, Y down, Z forward."""

    colors: np.ndarray
    """uint8 (N, 3): sRGB, as in the picture."""

    pixels: np.ndarray
    """int32 (N, 2): X, Y of the pixel that a point was."""


def point_cloud(
    image: np.ndarray, depth: np.ndarray, camera, *, max_points: int | None = None, edge: float | None = EDGE
) -> PointCloud:
    """The points that a picture and its depth show.

    Args:
        image: uint8 RGB `(H, W, 3)`.
        depth: float `(H, W)`, metres; what is not positive and finite is left out.
        camera: a `densedepth_keras.cameras.Camera` of that size.
        max_points: keeps at most so many, spread evenly over the picture and the same ones every time; None keeps all.
        edge: leaves out both sides of a step where depth changes by more than this factor, or they would hang in the
            air between near and far; see `EDGE_SIDE` for the distance. None cuts nothing.

    Raises:
        ValueError: shapes that do not fit, values out of bounds, or no point left.

    Example:
        >>> camera = camera_for("photo.jpg", depth.shape)
        >>> write_ply("photo.ply", point_cloud(image, depth, camera))
    """
    image, depth = np.asarray(image), np.asarray(depth)
    _check_arguments(image, depth, max_points, edge)
    points = camera.points(depth)
    kept = (depth > 0) & np.isfinite(points).all(axis=-1)
    if edge is not None:
        kept &= ~steps(depth, edge)
    rows, columns = np.nonzero(kept)
    if not len(rows):
        raise ValueError(
            "No point is left: depth is nowhere positive and finite, or changes everywhere by more than `edge`. "
            f"Received: depth.shape={depth.shape}, {np.count_nonzero(depth > 0)} positive, edge={edge}"
        )
    if max_points is not None and len(rows) > max_points:
        spread = _spread(rows, columns, max_points)
        rows, columns = rows[spread], columns[spread]
    pixels = np.stack([columns, rows], axis=-1).astype(np.int32)
    return PointCloud(points[rows, columns], np.ascontiguousarray(image[rows, columns]), pixels)


def steps(depth: np.ndarray, ratio: float = EDGE) -> np.ndarray:
    """Bool `(H, W)`: depth is more than `ratio` times that of a neighbour across or down, or less than its part.

    Neighbours are `EDGE_SIDE`th parts of the longer side apart. A hole, 0, is no neighbour.
    """
    depth = np.where(np.isfinite(depth) & (depth > 0), depth, np.float32(np.nan))  # NaN compares as false
    apart = max(1, round(max(depth.shape) / EDGE_SIDE))
    found = np.zeros(depth.shape, bool)
    with np.errstate(over="ignore"):
        farther = depth * np.float32(ratio)
    for axis in (0, 1):
        lines, limits, marks = (np.moveaxis(array, axis, 0) for array in (depth, farther, found))
        jumps = (lines[:-apart] > limits[apart:]) | (lines[apart:] > limits[:-apart])
        marks[:-apart] |= jumps
        marks[apart:] |= jumps
    return found


def check_cloud_format(name: str) -> None:
    """Raises a ValueError unless clouds can be written as `name`, an ImportError where its package is missing."""
    check_name(name, CLOUD_WRITERS, "point cloud format", "format")
    _package(name)


def write_ply(path: str | os.PathLike, cloud: PointCloud) -> None:
    """Writes binary PLY, float32 and RGBA, axes as in the cloud; `trimesh` does.

    Raises:
        ValueError: an empty cloud.
        ImportError: `trimesh` is missing.
        OSError: the file cannot be written; none is left then.
    """
    _write(path, cloud, _trimesh_cloud(cloud).export(file_type="ply"))


def write_glb(path: str | os.PathLike, cloud: PointCloud) -> None:
    """Writes binary glTF 2.0, points in its axes: X right, Y up, Z backward; raises as `write_ply`.

    glTF wants linear colours, for which 8 bits are too few in the dark, and has viewers light whatever is not declared
    unlit. `trimesh` does neither of itself, so float32 colours and KHR_materials_unlit are put into what it writes.
    """
    turned = cloud._replace(points=cloud.points * np.float32(_GLTF_AXES))
    amend = _unlit_linear(cloud.colors)
    _write(path, cloud, _trimesh_cloud(turned, "glb").export(file_type="glb", buffer_postprocessor=amend))


def write_pcd(path: str | os.PathLike, cloud: PointCloud) -> None:
    """Writes binary PCD 0.7 with the packed `rgb` of the Point Cloud Library, axes as in the cloud.

    `pypcd4` does; raises as `write_ply`.
    """
    pypcd4 = _package("pcd")
    fields = [*cloud.points.T, pypcd4.PointCloud.encode_rgb(cloud.colors)]
    kept = pypcd4.PointCloud.from_points(fields, ("x", "y", "z", "rgb"), (np.float32,) * 4)
    data = io.BytesIO()
    kept.save(data, pypcd4.Encoding.BINARY)
    _write(path, cloud, data.getbuffer())


CLOUD_WRITERS: MappingProxyType[str, tuple[str, Callable[[str | os.PathLike, PointCloud], None]]] = MappingProxyType(
    {"ply": (".ply", write_ply), "glb": (".glb", write_glb), "pcd": (".pcd", write_pcd)}
)
"""Format -> suffix and writer."""


def _check_arguments(image, depth, max_points, edge):
    if image.ndim != 3 or image.shape != (*depth.shape, 3) or image.dtype != np.uint8:
        raise ValueError(
            "`image` must be uint8 RGB, (height, width, 3), and `depth` metres of the same (height, width). "
            f"Received: image.shape={image.shape}, image.dtype={image.dtype}, depth.shape={depth.shape}"
        )
    if max_points is not None and max_points < 1:
        raise ValueError(f"`max_points` must be 1 or more, or None for all. Received: max_points={max_points}")
    if edge is not None and not 1 < edge < math.inf:
        raise ValueError(f"`edge` must be a factor above 1, or None to cut nothing. Received: edge={edge}")


def _spread(rows, columns, count):
    """Which `count` of the pixels to keep, ascending: those with the smallest numbers of an even pattern.

    Martin Roberts' R2 dither: pixel x, y has the number x/g + y/g^2 modulo 1, g^3 = g + 1, and those below any limit
    lie evenly. Here in 2^32th parts, whole numbers, so that every machine keeps the same ones.
    """
    order = rows.astype(np.uint32) * np.uint32(0x91E10DA5) + columns.astype(np.uint32) * np.uint32(0xC13FA9A9)
    return np.sort(np.argpartition(order, count - 1)[:count])


def _package(name):
    try:
        if name == "pcd":
            import pypcd4 as package
        else:
            import trimesh as package
    except ImportError as error:
        raise ImportError(
            f"Point clouds need a package that is missing ({error}): pip install densedepth_keras[points]. "
            f"Received: format={name!r}"
        ) from error
    return package


def _trimesh_cloud(cloud, name="ply"):
    _check_some(cloud)
    return _package(name).PointCloud(cloud.points, cloud.colors)


def _check_some(cloud):
    if not len(cloud.points):
        raise ValueError("An empty point cloud is no file. Received: cloud of 0 points")


def _write(path, cloud, data):
    _check_some(cloud)
    with written_beside(path) as side:
        side.write_bytes(data)


def _unlit_linear(colors):
    """What amends trimesh's glTF before it is packed, as its `buffer_postprocessor`."""

    def amend(buffers, tree):
        accessors = list(tree["accessors"].values())
        accessor = accessors[tree["meshes"][0]["primitives"][0]["attributes"]["COLOR_0"]]
        linear = _linear()[colors]
        buffers[list(buffers)[accessor["bufferView"]]] = linear.astype("<f4").tobytes()
        accessor.pop("normalized")
        accessor.update(componentType=_GLTF_FLOAT, type="VEC3")
        accessor.update(min=linear.min(axis=0).tolist(), max=linear.max(axis=0).tolist())
        tree["materials"][0] = {"extensions": {"KHR_materials_unlit": {}}}
        tree["extensionsUsed"] = ["KHR_materials_unlit"]

    return amend


def _linear():
    """Linear light, float32 0..1, of the 256 values of sRGB (IEC 61966-2-1)."""
    value = np.arange(256) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)
