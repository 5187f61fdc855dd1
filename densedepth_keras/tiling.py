"""Pictures larger than the network: predicted in overlapping tiles, each brought to the metres of the whole picture."""

import math
from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np
from PIL import Image

from densedepth_keras.data.resize import enlarge_prediction, resize_image

OVERLAP = 0.25
"""Share of a tile that it has in common with the next one, at least."""

CELLS = 8
"""Parts of a tile, across and down, that get the depth of the whole picture. RMSE with 1, 2, 4, 8, 16 of them: 0.628,
0.593, 0.576, 0.572, 0.573 m; without tiles 0.576. MobileNetV2 at 224x288, 100 NYU pictures of 480x640
(benchmarks/tiling.py)."""

_LEAST = np.float32(1e-3)
"""Metres; keeps logarithms finite."""


class Tile(NamedTuple):
    """Rows and columns of the picture, and how much the tile counts in each of them."""

    rows: slice
    columns: slice
    row_weights: np.ndarray
    column_weights: np.ndarray


def predict_tiled(
    image: np.ndarray,
    network_size: tuple[int, int],
    answer: Callable[[list[np.ndarray]], np.ndarray],
    batch_size: int,
) -> np.ndarray:
    """Depth of a large picture with the detail of its own pixels.

    A tile is a window of the network's size, or as high and wide as the picture where that is less. What a network
    takes a window for is another matter: cut out, everything looks nearer, and a wall without its floor could stand
    anywhere. So the picture is predicted whole first, shrunk, and each tile is multiplied by a smooth field that gives
    it the whole picture's depths on the scale of an eighth of a tile; only what is finer is the tile's own. Where tiles
    overlap, their weights fall off linearly towards their edges and add up to 1.

    Args:
        image: uint8 `(H, W, 3)`.
        network_size: `(height, width)`.
        answer: from a list of images of that size to their depths `(B, h, w)`, metres.
        batch_size: tiles that go through the network together.

    Returns:
        float32 `(H, W)`, metres. Beside image and answer a batch of tiles is in memory.
    """
    whole = answer([resize_image(image, network_size)])[0]
    depth = np.zeros(image.shape[:2], np.float32)
    tiles = tiles_of(image.shape[:2], network_size)
    while batch := list(islice(tiles, batch_size)):
        windows = [resize_image(np.ascontiguousarray(image[tile.rows, tile.columns]), network_size) for tile in batch]
        for tile, own in zip(batch, answer(windows), strict=True):
            own = enlarge_prediction(own, (len(tile.row_weights), len(tile.column_weights)))
            own = own * agreement(own, _window_of(whole, tile, image.shape[:2]))
            depth[tile.rows, tile.columns] += own * tile.row_weights[:, None] * tile.column_weights
    return depth


def tiles_of(size: tuple[int, int], tile_size: tuple[int, int]) -> Iterator[Tile]:
    """The tiles of a picture of `size`, row by row; in every pixel their weights add up to 1."""
    across = list(_spans(size[1], tile_size[1]))
    for rows, row_weights in _spans(size[0], tile_size[0]):
        for columns, column_weights in across:
            yield Tile(rows, columns, row_weights, column_weights)


def agreement(depth: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """What a tile is multiplied by to agree with a reference on the large scale: `(H, W)`, smooth.

    The mean logarithm of reference / depth over each of `CELLS` x `CELLS` parts, bilinear between them. One factor for
    a whole tile would leave each of them with what the network takes it for; see `CELLS`.
    """
    ratio = np.log(np.maximum(reference, _LEAST) / np.maximum(depth, _LEAST))
    cells = Image.fromarray(ratio).resize((CELLS, CELLS), Image.Resampling.BOX)
    return np.exp(np.asarray(cells.resize(depth.shape[::-1], Image.Resampling.BILINEAR)))


def _window_of(whole, tile, size):
    """The part of the whole picture's answer, at the resolution of the tile."""
    down, across = whole.shape[0] / size[0], whole.shape[1] / size[1]
    box = (tile.columns.start * across, tile.rows.start * down, tile.columns.stop * across, tile.rows.stop * down)
    shape = (len(tile.column_weights), len(tile.row_weights))
    return np.asarray(Image.fromarray(np.ascontiguousarray(whole)).resize(shape, Image.Resampling.BILINEAR, box=box))


def _spans(length, tile):
    """`(slice, weights)` along one axis: evenly spaced, from edge to edge."""
    tile = min(tile, length)
    shared = max(1, math.floor(tile * OVERLAP))
    count = 1 if tile == length else math.ceil((length - shared) / (tile - shared))
    starts = [round(place) for place in np.linspace(0, length - tile, count)]
    hats = [_hat(tile, number > 0, number < count - 1) for number in range(count)]
    total = np.zeros(length, np.float32)
    for start, hat in zip(starts, hats, strict=True):
        total[start : start + tile] += hat
    for start, hat in zip(starts, hats, strict=True):
        yield slice(start, start + tile), hat / total[start : start + tile]


def _hat(length, falls_left, falls_right):
    """1, but for ends that overlap: rising from nearly 0 over the share of the overlap."""
    ramp = (np.arange(length, dtype=np.float32) + 1) / max(1, math.floor(length * OVERLAP))
    hat = np.ones(length, np.float32)
    if falls_left:
        hat = np.minimum(hat, ramp)
    if falls_right:
        hat = np.minimum(hat, ramp[::-1])
    return hat
