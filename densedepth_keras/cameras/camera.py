"""A pinhole camera: from pixels and depth to points in metres, and back."""

import math
from dataclasses import dataclass, replace
from numbers import Real

import numpy as np

_LARGEST = 1e9


def is_number(value) -> bool:
    """A real number that a camera can have; not NaN, infinity or True."""
    return isinstance(value, Real) and not isinstance(value, bool) and abs(value) < _LARGEST  # false for NaN


@dataclass(frozen=True)
class Camera:
    """A pinhole camera: pixel `(u, v)` at depth `z` is the point `((u - cx) z / fx, (v - cy) z / fy, z)`.

    Args:
        fx: focal length across, pixels.
        fy: focal length down, pixels.
        cx: principal point, from the left; 0 is the centre of the first pixel.
        cy: principal point, from the top.
        width: of the pictures it is for, pixels.
        height: of the pictures it is for, pixels.
        source: where the numbers come from, in words.

    Raises:
        ValueError: what is no number, not finite, or a focal length or size that is not positive.

    Example:
        >>> Camera(500, 500, 319.5, 239.5, 640, 480).points(numpy.full((480, 640), 2.0))[0, 0]
        array([-1.278, -0.958,  2.   ], dtype=float32)
    """

    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int
    source: str = "given"

    def __post_init__(self):
        for name in ("fx", "fy", "cx", "cy"):
            positive = name in ("fx", "fy")
            value = getattr(self, name)
            if not (is_number(value) and (value > 0 or not positive)):
                kind = "positive and finite" if positive else "finite"
                raise ValueError(f"`{name}` must be a number of pixels, {kind}. Received: {name}={value!r}")
        for name in ("width", "height"):
            value = getattr(self, name)
            if not (is_number(value) and value >= 1 and value == int(value)):
                raise ValueError(f"`{name}` must be a whole number of pixels, 1 or more. Received: {name}={value!r}")

    @classmethod
    def centred(cls, size: tuple[int, int], focal: float, source: str, *, focal_down: float | None = None) -> "Camera":
        """The camera of pictures of `(height, width)` whose principal point is the middle and whose pixels are square.

        Not square with `focal_down`, pixels; `focal` is then the one across.
        """
        height, width = size
        down = focal if focal_down is None else focal_down
        return cls(float(focal), float(down), (width - 1) / 2, (height - 1) / 2, width, height, source)

    @property
    def fov(self) -> float:
        """Field of view across, from the left edge to the right one, degrees."""
        left, right = (self.cx + 0.5) / self.fx, (self.width - 0.5 - self.cx) / self.fx
        return math.degrees(math.atan(left) + math.atan(right))

    def scaled_to(self, height: int, width: int) -> "Camera":
        """The same camera for the same pictures at another size."""
        across, down = width / self.width, height / self.height
        return replace(
            self,
            fx=self.fx * across,
            fy=self.fy * down,
            cx=(self.cx + 0.5) * across - 0.5,  # edges stay edges; centres of pixels do not stay centres
            cy=(self.cy + 0.5) * down - 0.5,
            width=width,
            height=height,
        )

    def points(self, depth: np.ndarray) -> np.ndarray:
        """Where the pixels lie.

        Args:
            depth: float, `(height, width)`, metres along Z.

        Returns:
            float32 `(height, width, 3)`, metres: X right, Y down, Z forward. A hole, 0, lies in the origin.

        Raises:
            ValueError: a depth map of another size, or of whole numbers, which would be millimetres.
        """
        depth = np.asarray(depth)
        if depth.shape != (self.height, self.width) or depth.dtype.kind != "f":
            raise ValueError(
                f"`depth` must be metres, float, of the camera's size {(self.height, self.width)} (height, width). "
                f"Received: depth.shape={depth.shape}, depth.dtype={depth.dtype}"
            )
        points = np.empty((*depth.shape, 3), np.float32)
        with np.errstate(over="ignore", invalid="ignore"):  # infinite depth stays infinite
            across = (np.arange(self.width) - self.cx) / self.fx
            down = (np.arange(self.height)[:, None] - self.cy) / self.fy
            # `out` has NumPy multiply float64 in small blocks: a whole map of them would need twice the memory.
            np.multiply(depth, across, out=points[..., 0], casting="same_kind")
            np.multiply(depth, down, out=points[..., 1], casting="same_kind")
            points[..., 2] = depth
        return points

    def pixels(self, points: np.ndarray) -> np.ndarray:
        """Where points `(..., 3)` in front of the camera are seen: float64 `(..., 2)`, u (right), v (down)."""
        x, y, z = np.moveaxis(np.asarray(points, np.float64), -1, 0)
        return np.stack([self.fx * x / z + self.cx, self.fy * y / z + self.cy], axis=-1)
