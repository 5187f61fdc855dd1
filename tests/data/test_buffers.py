"""Memory of batches: aligned, used again, never too early."""

import weakref

import numpy as np

from densedepth_keras.data.buffers import Buffers


def test_memory_of_batches_is_used_again_but_never_too_early():
    buffers = Buffers(most=2)
    first = buffers.empty((3, 5), np.float32)
    first[...] = 1
    view, address = first[1:, ::-1], first.ctypes.data
    del first
    other = buffers.empty((3, 5), np.float32)
    other[...] = 2
    assert view.min() == 1  # a view keeps the memory
    assert address % 64 == other.ctypes.data % 64 == 0
    del view
    assert buffers.empty((15,), np.int32).ctypes.data == address  # of that size, whatever its kind
    many = [buffers.empty((3, 5), np.float32) for _ in range(6)]
    blocks = [weakref.ref(array.base.base._memory) for array in many]
    del many
    assert sum(block() is not None for block in blocks) == 2  # no more than that wait for their next use
