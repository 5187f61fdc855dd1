"""Random access to TFRecord files, which have no index: their records are found once, then read one at a time."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

_HEADER, _FOOTER = 12, 4  # length (8) and its checksum (4); the data's checksum


def _crc_table():
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(0x82F63B78), table >> 1)
    return table.astype(np.uint32)


_TABLE = _crc_table()


class TFRecords:
    """The records of some TFRecord files, in order, by number. Safe to read from threads.

    A record is length (8 bytes, little-endian), checksum of it, data, checksum of the data; CRC-32C, masked. Opening
    reads the lengths alone, and reading one record checks its data.

    Args:
        paths: the files.
        counts: how many records each is said to hold.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a file that is truncated, damaged, or holds another number of records. Reading raises it for a
            record whose data does not fit its checksum; the message names record and file.
    """

    def __init__(self, paths: Sequence[str | os.PathLike], counts: Sequence[int]):
        self.paths = [Path(path) for path in paths]
        parts = [_record_starts(path) for path in self.paths]
        for path, starts, count in zip(self.paths, parts, counts, strict=True):
            if len(starts) - 1 != count:
                raise ValueError(f"Expected {count} records. Received: {len(starts) - 1} in {path}")
        self._ends = np.cumsum([len(starts) - 1 for starts in parts])
        self._starts = parts

    def __len__(self) -> int:
        return int(self._ends[-1])

    def place(self, index: int) -> tuple[Path, int]:
        """File and number within it, from 0 on, of a record; an IndexError out of range."""
        index = range(len(self))[index]
        file = int(np.searchsorted(self._ends, index, side="right"))
        return self.paths[file], index - (int(self._ends[file - 1]) if file else 0)

    def __getitem__(self, index: int) -> bytes:
        path, number = self.place(index)
        start, end = self._starts[self.paths.index(path)][number : number + 2].tolist()
        with open(path, "rb") as file:
            file.seek(start)
            record = file.read(end - start)
        data = record[_HEADER:-_FOOTER]
        if len(record) != end - start or masked_crc32c(data) != int.from_bytes(record[-_FOOTER:], "little"):
            raise ValueError(f"Record {number} does not fit its checksum: the file is damaged. Received: {path}")
        return data


def _record_starts(path):
    """Where each record starts, and the end of the file, int64."""
    starts, headers, size = [0], [], os.path.getsize(path)
    with open(path, "rb", buffering=0) as file:
        while starts[-1] < size:
            file.seek(starts[-1])
            headers.append(file.read(_HEADER))
            starts.append(starts[-1] + _HEADER + int.from_bytes(headers[-1][:8], "little") + _FOOTER)
    if starts[-1] != size or not _headers_fit(headers):
        raise ValueError(f"Not a complete TFRecord file: truncated or damaged. Received: {path}")
    return np.array(starts, np.int64)


def _headers_fit(headers):
    """Whether every length fits its checksum; of all headers at once, since one by one takes seconds."""
    table = np.frombuffer(b"".join(headers), np.uint8).reshape(-1, _HEADER)
    crc = _masked(~_advanced(np.full(len(table), 0xFFFFFFFF, np.uint32), table[:, :8].T))
    return np.array_equal(crc, table[:, 8:].copy().view("<u4")[:, 0])


def masked_crc32c(data: bytes) -> int:
    """The checksum of a TFRecord: CRC-32C (Castagnoli), rotated by 15 bits, plus a constant.

    A checksum is sequential, which Python is slow at. But it is linear over the bits: the data is cut into lanes that
    are advanced together, and neighbouring lanes are joined by the linear map of a lane of zero bytes until one is
    left. 32 more lanes of zeros, one for each bit, carry that map along.

    Args:
        data: any length.
    """
    if len(data) < 4:
        start = np.full(1, 0xFFFFFFFF, np.uint32)
        return int(_masked(~_advanced(start, np.frombuffer(data, np.uint8)[:, None]))[0])
    lanes = 1 << max(0, (len(data) // 256).bit_length() - 1)
    length = -(-len(data) // lanes)
    padded = np.zeros(lanes * length, np.uint8)  # zeros in front leave a state of zero as it is
    padded[-len(data) :] = np.frombuffer(data, np.uint8)
    padded[len(padded) - len(data) :][:4] ^= 0xFF  # the same as starting with all bits set
    rows = np.zeros((length, lanes + 32), np.uint8)
    rows[:, :lanes] = padded.reshape(lanes, length).T
    state = np.zeros(lanes + 32, np.uint32)
    state[lanes:] = _BITS
    state = _advanced(state, rows)
    crc, columns = state[:lanes], state[lanes:]
    while len(crc) > 1:
        crc = _mapped(columns, crc[0::2]) ^ crc[1::2]
        columns = _mapped(columns, columns)  # of twice as many zeros
    return int(_masked(~crc)[0])


_BITS = np.uint32(1) << np.arange(32, dtype=np.uint32)


def _advanced(state, rows):
    for row in rows:
        state = _TABLE[(state ^ row) & 0xFF] ^ (state >> 8)
    return state


def _mapped(columns, vectors):
    """The linear map with these columns, of every vector of 32 bits."""
    return np.bitwise_xor.reduce(np.where(vectors[:, None] & _BITS, columns, np.uint32(0)), axis=1)


def _masked(crc):
    return ((crc >> 15) | (crc << 17)) + np.uint32(0xA282EAD8)
