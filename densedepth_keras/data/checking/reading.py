"""Reading many rows with threads: results in order, memory bounded, bad rows collected, time to go announced."""

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

READ_ERRORS = (ValueError, OSError)
"""What a bad row may raise; anything else is a fault of the program and is not caught."""

SECONDS_BETWEEN_LINES = 10.0
"""Of progress: often enough to see life, seldom enough to be read later."""


def read_rows(
    read: Callable[[int], Any], indices: Iterable[int], workers: int | None = None
) -> Iterator[tuple[int, Any, str | None]]:
    """Calls `read` on every index with threads.

    Args:
        read: from index to anything; what it returns should be small, since a few per worker wait for their turn.
        indices: rows.
        workers: threads; None takes as many as there are cores.

    Yields:
        `(index, result, None)`, or `(index, None, reason)` where `read` raised one of READ_ERRORS; in order.

    Raises:
        ValueError: fewer workers than one.
    """
    workers = os.cpu_count() or 1 if workers is None else workers
    if workers < 1:
        raise ValueError(f"`workers` must be at least 1. Received: workers={workers}")
    waiting: deque = deque()
    with ThreadPoolExecutor(workers) as threads:
        try:
            for index in indices:
                waiting.append((index, threads.submit(read, index)))
                if len(waiting) >= 4 * workers:
                    yield _outcome(*waiting.popleft())
            while waiting:
                yield _outcome(*waiting.popleft())
        finally:  # the caller has stopped, or a row has failed in a way nobody expected
            for _, future in waiting:
                future.cancel()


def _outcome(index, future):
    try:
        return index, future.result(), None
    except READ_ERRORS as error:
        return index, None, str(error) or type(error).__name__


def listed(lines: Sequence[str], most: int = 20, indent: str = "  ") -> str:
    """Lines below each other, the first `most` of them and how many more there are."""
    shown = [f"{indent}{line}" for line in lines[:most]]
    return "\n".join(shown + ([f"{indent}and {len(lines) - most:,} more"] if len(lines) > most else []))


class Progress:
    """Announces how far a long reading is, and how long it will still take.

    Args:
        announce: gets a line at most every SECONDS_BETWEEN_LINES.
        what: what is read, e.g. the split's name.
        count: how many rows there are.
    """

    def __init__(self, announce: Callable[[str], None], what: str, count: int):
        self.announce, self.what, self.count = announce, what, count
        self.done, self.started = 0, time.monotonic()
        self._next = self.started + SECONDS_BETWEEN_LINES

    def step(self) -> None:
        """One more row is read."""
        self.done += 1
        now = time.monotonic()
        if now < self._next or self.done == self.count:
            return
        self._next = now + SECONDS_BETWEEN_LINES
        rate = self.done / (now - self.started)
        to_go = duration((self.count - self.done) / rate)
        self.announce(f"{self.what}: {self.done:,} of {self.count:,} rows read, {rate:.0f} a second, {to_go} to go")


def duration(seconds: float) -> str:
    """`50 s`, `3 min 20 s` or `2 h 5 min`."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes} min {seconds} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
