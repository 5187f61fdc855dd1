"""Colorization of depth the slow way, pixel by pixel over the whole frame: the yardstick for `fill_holes`.

Written from the paper's equations, with the NYU toolbox's variance. Shares nothing with the package.
"""

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import spsolve


def neighbour_weights(luma, y, x):
    """The pixel's neighbours inside the image, `[(row, column), ...]`, and their weights, which sum to 1."""
    height, width = luma.shape
    rows, columns = range(max(y - 1, 0), min(y + 2, height)), range(max(x - 1, 0), min(x + 2, width))
    places = [(row, column) for row in rows for column in columns if (row, column) != (y, x)]
    values = np.array([luma[place] for place in places])
    variance = np.var([*values, luma[y, x]])
    squares = (values - luma[y, x]) ** 2
    spread = max(0.6 * variance, -squares.min() / np.log(0.01), 2e-6)
    weights = np.exp(-squares / spread)
    return places, weights / weights.sum()


def solve_frame(image, depth, *, soft=False):
    """Solves for every pixel of the frame with `spsolve`; float64 metres.

    Args:
        image: uint8 `(H, W, 3)`.
        depth: metres, 0 = hole.
        soft: measured pixels as the toolbox has them, `depth - mean of neighbours + (depth - measured) = 0`: a data
            term of weight 1 beside smoothness. Else `depth = measured`.
    """
    height, width = depth.shape
    red, green, blue = np.moveaxis(image / 255, 2, 0)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    rows, columns, values, constants = [], [], [], np.zeros(height * width)
    for y in range(height):
        for x in range(width):
            pixel, measured = y * width + x, depth[y, x] > 0
            rows.append(pixel)
            columns.append(pixel)
            values.append(2.0 if measured and soft else 1.0)
            constants[pixel] = depth[y, x]
            if measured and not soft:
                continue
            for (row, column), weight in zip(*neighbour_weights(luma, y, x), strict=True):
                rows.append(pixel)
                columns.append(row * width + column)
                values.append(-weight)
    matrix = coo_matrix((values, (rows, columns)), shape=(height * width, height * width)).tocsc()
    return spsolve(matrix, constants).reshape(height, width)
