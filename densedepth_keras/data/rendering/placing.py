"""Puts furniture into a room so that nothing overlaps and nothing stands before the lens."""

import math

from densedepth_keras.data.rendering.geometry import make_basis
from densedepth_keras.data.rendering.scene import SHADE_REACH, Box, Round


class Builder:
    """Collects bodies in a room and keeps them apart, inside the walls and away from the lens."""

    def __init__(self, size, camera):
        self.size, self.camera = size, camera
        self.basis = make_basis(camera)
        self.lens = tuple(p + 0.38 * f for p, f in zip(camera.position, self.basis[0], strict=True))
        self.taken, self.boxes, self.rounds, self.shades = [], [], [], []

    def put(self, item, x, y, yaw=0.0, bottom=0.0, *, room=0.0, shade=True):
        """Adds the item if it fits; `room` metres are kept free in front of it. Returns whether it was added."""
        width, depth, height = item.size
        cos, sin = math.cos(yaw), math.sin(yaw)
        reach = (abs(cos) * width + abs(sin) * depth) / 2, (abs(sin) * width + abs(cos) * depth) / 2
        low, high = (x - reach[0], y - reach[1]), (x + reach[0], y + reach[1])
        if min(low) < 0 or high[0] > self.size[0] or high[1] > self.size[1] or bottom + height > self.size[2]:
            return False
        free = (-sin * room, cos * room)
        span = (
            low[0] + min(0, free[0]),
            high[0] + max(0, free[0]),
            low[1] + min(0, free[1]),
            high[1] + max(0, free[1]),
            bottom,
            bottom + height,
        )
        center, half = (x, y, bottom + height / 2), (width / 2, depth / 2, height / 2)
        if self._is_taken(span) or self._disturbs_lens(center, half, cos, sin):
            return False
        self.taken.append(span)
        if self._is_seen(center, math.hypot(*half) + SHADE_REACH):
            self._add(item, x, y, yaw, bottom)
            low = 0.3 * height  # half of the lower part: a thing's upper end darkens the wall behind it less
            self.shades += [((x, y, bottom + low), (half[0] - 0.03, half[1] - 0.03, low), yaw)] if shade else []
        return True

    def _is_taken(self, span):
        x0, x1, y0, y1, z0, z1 = span
        for a0, a1, b0, b1, c0, c1 in self.taken:
            if x0 < a1 and a0 < x1 and y0 < b1 and b0 < y1 and z0 < c1 and c0 < z1:
                return True
        return False

    def _disturbs_lens(self, center, half, cos, sin):
        """Whether a box reaches the ball that holds all of the view nearer than 0.5 m, or stands right before it."""
        dx, dy, dz = self.lens[0] - center[0], self.lens[1] - center[1], self.lens[2] - center[2]
        wide, deep = abs(cos * dx + sin * dy) - half[0], abs(cos * dy - sin * dx) - half[1]
        distance = math.hypot(max(wide, 0.0), max(deep, 0.0), max(abs(dz) - half[2], 0.0))
        tall = center[2] + half[2] > self.camera.position[2] - 0.35
        return distance < (0.8 if tall and self._place(center)[0] > 0 else 0.42)

    def _place(self, point):
        """Forward, right and down coordinates of a point."""
        x, y, z = (value - eye for value, eye in zip(point, self.camera.position, strict=True))
        return [x * axis[0] + y * axis[1] + z * axis[2] for axis in self.basis]

    def _is_seen(self, center, radius):
        """Whether a ball reaches into the view; half the furniture stands behind the camera and costs nothing."""
        along, right, _ = self._place(center)
        slope = self.camera.tangent
        return along > -radius and abs(right) <= along * slope + radius * math.hypot(1, slope)

    def _add(self, item, x, y, yaw, bottom):
        cos, sin = math.cos(yaw), math.sin(yaw)
        for a, b, low, width, depth, height, *materials in item.boxes:
            center = (x + cos * a - sin * b, y + sin * a + cos * b, bottom + low + height / 2)
            self.boxes.append(Box(center, (width / 2, depth / 2, height / 2), yaw, *materials))
        for a, b, low, radius, height, material in item.rounds:
            center = (x + cos * a - sin * b, y + sin * a + cos * b, bottom + low + (height / 2 or radius))
            self.rounds.append(Round(center, radius, height / 2, material))

    def put_at_wall(self, item, rng, bottom=0.0, *, gap=0.0, room=0.0, shade=True):
        """Tries a few places along the walls, back to the wall. Returns the place, or None."""
        for _ in range(3):
            wall = rng.randrange(4)
            length, far = (self.size[0], self.size[1]) if wall < 2 else (self.size[1], self.size[0])
            if item.size[0] > length - 0.05:
                continue
            along = rng.uniform(item.size[0] / 2 + 0.02, length - item.size[0] / 2 - 0.02)
            off = item.size[1] / 2 + gap + 0.002
            across = off if wall % 2 == 0 else far - off
            x, y = (along, across) if wall < 2 else (across, along)
            yaw = (0.0, math.pi, -math.pi / 2, math.pi / 2)[wall]
            if self.put(item, x, y, yaw, bottom, room=room, shade=shade):
                return x, y, yaw
        return None
