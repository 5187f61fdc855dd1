"""Arrays for batches, in memory that is used again."""

import collections
import functools
import math

import numpy as np

ALIGNMENT = 64
"""Bytes. TensorFlow takes over an array at a multiple of it as it is, and copies any other."""


@functools.cache
def keep_freed_memory() -> None:
    """Has glibc keep what large arrays leave behind for the next ones; of no effect elsewhere. Once per process.

    It gives free memory above twice the largest block freed so far back to the system, to fetch it again page by page
    for the next picture. Freeing one large block, never touched, raises that mark to 48 MiB.
    """
    np.empty(24 << 20, np.uint8)


class Buffers:
    """Empty arrays whose memory comes back once nothing refers to them any more.

    The kernel clears fresh memory page by page before it hands it out; for a batch of cached samples that takes longer
    than filling it. Threads may share one.

    Args:
        most: so many blocks of a size wait for their next use; more are given back to the system.
    """

    def __init__(self, most: int):
        self._free = collections.defaultdict(lambda: collections.deque(maxlen=most))

    def empty(self, shape: tuple[int, ...], dtype) -> np.ndarray:
        """An array of any content, at a multiple of `ALIGNMENT`."""
        size = math.prod(shape) * np.dtype(dtype).itemsize
        free = self._free[size]
        try:
            memory = free.pop()
        except IndexError:
            memory = _aligned(size)
        return np.asarray(_Lease(memory, free)).view(dtype).reshape(shape)


class _Lease:
    """What every array on one block of memory, and every view of it, keeps alive; its end gives the block back."""

    def __init__(self, memory, free):
        self.__array_interface__ = memory.__array_interface__
        self._memory, self._free = memory, free

    def __del__(self):
        self._free.append(self._memory)


def _aligned(size):
    memory = np.empty(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size]
