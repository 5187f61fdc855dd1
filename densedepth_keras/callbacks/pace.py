"""Pace: seconds and images per second of an epoch."""

import time
from collections.abc import Callable


class Pace:
    """A stop-watch for epochs that may have begun in an earlier process.

    Args:
        images: of an epoch.
        batch_size: images per step, of all devices together; the last batch of an epoch may be smaller.
        clock: seconds.
    """

    def __init__(self, images: int, batch_size: int, clock: Callable[[], float] = time.perf_counter):
        self.images, self.batch_size, self.clock = images, batch_size, clock
        self.earlier = 0.0
        """Seconds of this epoch that went by in the process which was interrupted."""
        self._begun: float | None = None
        self._first = self._last = 0.0
        self.steps = 0
        """Of this epoch in this process."""

    def begin(self) -> None:
        self._begun, self.steps = self.clock(), 0

    def step(self) -> None:
        self._last, self.steps = self.clock(), self.steps + 1
        if self.steps == 1:
            self._first = self._last

    def end(self) -> None:
        self.earlier, self._begun = 0.0, None

    @property
    def seconds(self) -> float:
        """Of the epoch so far, whatever was done in them."""
        return self.earlier + (0.0 if self._begun is None else self.clock() - self._begun)

    @property
    def images_per_second(self) -> float:
        """While training, validation left out, and the first step, which may compile, wherever there is a second.

        Raises:
            ValueError: there has been no step.
        """
        if not self.steps:
            raise ValueError(f"There is no pace before the first step. Received: steps={self.steps}")
        images, since = min(self.steps * self.batch_size, self.images), self._begun
        if self.steps > 1:
            images, since = images - self.batch_size, self._first
        return images / max(self._last - since, 1e-9)
