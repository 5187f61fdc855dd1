"""The camera: directions, picture coordinates, and where in the picture a body may lie.

With a ray `d = forward + u right + v down` the inverse depth of a plane is linear in the picture coordinates (u, v),
so bodies are compared without a division per pixel, and depth is along the optical axis by construction.
"""

import math

import numpy as np

CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float32).T[..., None]
CLIP_DEPTH = 0.3  # metres; nothing visible is nearer than 0.5, corners behind the lens have no place in the picture


def make_basis(camera):
    """The camera's forward, right and down directions in world axes, three tuples."""
    (cos_y, sin_y), (cos_p, sin_p), (cos_r, sin_r) = (
        (math.cos(angle), math.sin(angle)) for angle in (camera.yaw, camera.pitch, camera.roll)
    )
    forward = (cos_y * cos_p, sin_y * cos_p, sin_p)
    right, down = (sin_y, -cos_y, 0.0), (cos_y * sin_p, sin_y * sin_p, -cos_p)  # before the roll
    rolled = [(cos_r * a + sin_r * b, cos_r * b - sin_r * a) for a, b in zip(right, down, strict=True)]
    return forward, *zip(*rolled, strict=True)


def make_grid(camera, image_size):
    """Picture coordinates u (width,) and v (height,) of pixel centres at depth 1.

    The field never exceeds `tangent` across and 0.75 `tangent` up: other shapes than 4:3 are central crops, so a
    scene that keeps its distance in 4:3 keeps it in every shape.
    """
    height, width = image_size
    focal = max(width / 2, height / 1.5) / camera.tangent
    u = (np.arange(width, dtype=np.float32) + np.float32(0.5 - width / 2)) / np.float32(focal)
    v = (np.arange(height, dtype=np.float32) + np.float32(0.5 - height / 2)) / np.float32(focal)
    return u, v


class View:
    """The camera's numbers that every step needs."""

    def __init__(self, camera, image_size):
        self.basis = np.array(make_basis(camera), np.float32)
        self.position = np.array(camera.position, np.float32)
        self.shape = tuple(image_size)
        self.u, self.v = make_grid(camera, image_size)
        self.pixel = float(self.u[1] - self.u[0])

    def spread(self, plane, rows=slice(None), columns=slice(None)):
        """The linear function `plane[0] + plane[1] u + plane[2] v` on a rectangle of pixels."""
        return (plane[0] + plane[2] * self.v[rows])[:, None] + plane[1] * self.u[columns]

    def bound(self, centers, halves, yaws):
        """Slices (rows, columns) of the picture around turned boxes; None for a box out of view.

        A box that reaches behind the lens gets the whole picture, unless it lies beside the view.

        Args:
            centers, halves: (n, 3); yaws: (n,).
        """
        right, down, depth = self._locate_corners(centers, halves, yaws)
        cut, gone = depth.min(axis=0) < CLIP_DEPTH, depth.max(axis=0) < CLIP_DEPTH
        for place, (start, end) in ((right, self.u[[0, -1]]), (down, self.v[[0, -1]])):
            gone |= (place < start * depth).all(axis=0) | (place > end * depth).all(axis=0)
        np.maximum(depth, CLIP_DEPTH, out=depth)
        place = np.stack([right / depth, down / depth])
        first, limit = np.array([[self.u[0]], [self.v[0]]]), np.array([[len(self.u)], [len(self.v)]])
        low = np.clip(np.ceil((place.min(axis=1) - first) / self.pixel - 0.01), 0, limit)
        high = np.clip(np.floor((place.max(axis=1) - first) / self.pixel + 0.01) + 1, 0, limit)
        low[:, cut], high[:, cut] = 0, limit
        high[:, gone] = 0
        rectangles = np.concatenate([low, high]).T.astype(int).tolist()
        return [(slice(y0, y1), slice(x0, x1)) if x0 < x1 and y0 < y1 else None for x0, y0, x1, y1 in rectangles]

    def _locate_corners(self, centers, halves, yaws):
        """Right, down and forward coordinates of the corners, each (8, n)."""
        cos, sin = np.cos(yaws), np.sin(yaws)
        a, b, z = CORNERS * halves.T[:, None]
        x, y, z = np.stack([a * cos - b * sin, a * sin + b * cos, z]) + (centers - self.position).T[:, None]
        forward, right, down = (x * axis[0] + y * axis[1] + z * axis[2] for axis in self.basis)
        return right, down, forward
