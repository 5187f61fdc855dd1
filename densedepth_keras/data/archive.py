"""Files read by name from a zip that stays packed, or from the same tree unpacked: at random, from any thread."""

import io
import os
import struct
import threading
import weakref
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

MEMBER_BYTES = 2**26
"""Most bytes of a list or a picture, unpacked; more is refused before anything is inflated."""

MOST_RATIO = 200
"""Most that a member above `FREE_BYTES` may grow by inflating. Pictures hardly grow; zip bombs grow a thousandfold."""

FREE_BYTES = 2**20
"""Up to so many bytes unpacked the ratio is not looked at: a short list may repeat itself."""

_BLOCK = 2**20
_LOCAL_HEADER = struct.Struct("<4s5H3I2H")
_ENCRYPTED = 0x0001 | 0x0040 | 0x2000
_UTF_8 = 0x0800
_SEEKING = threading.Lock()
_OPEN: weakref.WeakValueDictionary[tuple, "Archive"] = weakref.WeakValueDictionary()


class Archive:
    """The members of a zip file, each read where it lies; nothing is unpacked to disk.

    The directory is read once (100,000 members: a second, 60 MB). A member is then read at its own offset without
    moving the file's position, so threads and forked processes neither wait for nor disturb each other; `zipfile`
    itself seeks, under a lock that ends at the process. Stored and deflated members, ZIP64; of two members of one
    name the last counts. Every full read is compared with the member's CRC-32. Can be pickled: it is opened again.

    Args:
        path: of the zip file.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a zip, or one whose end or directory is damaged. Reading raises it for members that are
            damaged, encrypted, of another compression or larger than allowed, a FileNotFoundError for absent ones.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        if not self.path.is_file():
            raise FileNotFoundError(f"No such file. Received: {self.path}")
        self.file = _open(self.path)
        weakref.finalize(self, self.file.close)
        self._stamp = self._state()
        self._members = self._directory()

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def member(self, name: str) -> zipfile.ZipInfo:
        """What the directory says of a member."""
        if name not in self._members:
            raise FileNotFoundError(f"The archive has no such member. Received: {name!r} in {self.path}")
        return self._members[name]

    def read(self, name: str) -> bytes:
        """A member of at most `MEMBER_BYTES`, whole, its CRC-32 verified."""
        return b"".join(self.blocks(name))

    def head(self, name: str, count: int, most_bytes: int = MEMBER_BYTES) -> bytes:
        """The first `count` bytes of a member, unverified; all of a shorter one."""
        member = self._checked(name, most_bytes)
        stored = self._read_at(self.data_offset(member), min(member.compress_size, count + 1024), member)
        try:  # 1024 bytes more than asked for hold the code tables that deflated data may begin with
            deflated = member.compress_type == zipfile.ZIP_DEFLATED
            return (zlib.decompressobj(-15).decompress(stored, max(count, 1)) if deflated else stored)[:count]
        except zlib.error as error:
            raise self._damaged(f"Member {name!r} cannot be inflated: {error}") from error

    def fingerprint(self, name: str) -> tuple[int, int]:
        """Bytes and CRC-32 of a member, as the directory states them."""
        member = self.member(name)
        return member.file_size, member.CRC

    def blocks(self, name: str, most_bytes: int = MEMBER_BYTES) -> Iterator[bytes]:
        """A member piece by piece; a damaged one raises at the last."""
        member = self._checked(name, most_bytes)
        size = crc = 0
        try:
            for block in self._inflated(member):
                size, crc = size + len(block), zlib.crc32(block, crc)
                if size > member.file_size:
                    break
                yield block
        except zlib.error as error:
            raise self._damaged(f"Member {name!r} cannot be inflated: {error}") from error
        if (size, crc) != (member.file_size, member.CRC):
            raise self._damaged(f"Member {name!r} is not what was packed (size or CRC-32 differs)")

    def data_offset(self, member: zipfile.ZipInfo) -> int:
        """Where a member's bytes begin in the file."""
        name = member.orig_filename.encode("utf-8" if member.flag_bits & _UTF_8 else "cp437")
        header = read_at(self.file, member.header_offset, _LOCAL_HEADER.size + len(name))
        if len(header) == _LOCAL_HEADER.size + len(name):
            signature, *_, name_length, extra_length = _LOCAL_HEADER.unpack_from(header)
            if signature == b"PK\3\4" and header[_LOCAL_HEADER.size :] == name and name_length == len(name):
                return member.header_offset + len(header) + extra_length
        raise self._damaged(f"Member {member.filename!r} is not where the directory says")

    def unchanged(self) -> bool:
        """The file has the length and the time of change that it had when it was opened."""
        return self._state() == self._stamp

    def __reduce__(self):
        return type(self), (self.path,)

    def __repr__(self):
        return f"Archive({str(self.path)!r})"

    def _state(self):
        status = os.fstat(self.file.fileno())
        return status.st_size, status.st_mtime_ns

    def _directory(self):
        try:
            return {member.filename: member for member in zipfile.ZipFile(self.file).infolist()}
        except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error, OverflowError, OSError) as error:
            cut = read_at(self.file, 0, 4) == b"PK\3\4"
            reason = "A zip file without its end: if the download broke off, repeat it" if cut else "Not a zip file"
            raise ValueError(f"{reason} ({error}). Received: {self.path}") from error

    def _checked(self, name, most_bytes):
        member = self.member(name)
        size, stored = member.file_size, member.compress_size
        if size > most_bytes or size > max(FREE_BYTES, MOST_RATIO * stored):
            raise ValueError(
                f"A member may have {most_bytes:,} bytes and, above {FREE_BYTES:,}, at most {MOST_RATIO} times those "
                f"stored. Received: {name!r} of {size:,} bytes, stored in {stored:,}, in {self.path}"
            )
        if member.flag_bits & _ENCRYPTED:
            raise ValueError(f"The archive must not be encrypted. Received: {name!r} in {self.path}")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(
                "Members must be stored or deflated: pack the archive again. "
                f"Received: compression method {member.compress_type} of {name!r} in {self.path}"
            )
        return member

    def _inflated(self, member):
        if member.compress_type == zipfile.ZIP_STORED:
            yield from self._stored(member)
            return
        inflater = zlib.decompressobj(-15)
        for block in self._stored(member):
            while block:
                yield inflater.decompress(block, _BLOCK)
                block = inflater.unconsumed_tail
            if inflater.eof:  # whatever the directory adds behind the end is no part of it
                return
        yield inflater.flush()

    def _stored(self, member):
        start = self.data_offset(member)
        for offset in range(0, member.compress_size, _BLOCK):
            yield self._read_at(start + offset, min(_BLOCK, member.compress_size - offset), member)

    def _read_at(self, offset, count, member):
        data = read_at(self.file, offset, count)
        if len(data) < count:
            raise self._damaged(f"Member {member.filename!r} is cut off")
        return data

    def _damaged(self, what):
        damaged = "The file is damaged; download it again" if self.unchanged() else "The file was changed meanwhile"
        return ValueError(f"{what}. {damaged}. Received: {self.path}")


def open_archive(path: str | os.PathLike) -> Archive:
    """An `Archive`; the same one for all who read the same unchanged file: splits share one directory."""
    status = os.stat(path)
    key = os.path.realpath(path), status.st_ino, status.st_size, status.st_mtime_ns
    archive = _OPEN.get(key)
    if archive is None:
        archive = _OPEN[key] = Archive(path)
    return archive


class Tree:
    """The files below a folder, read as an `Archive` is. Links are followed, wherever they lead.

    Args:
        path: of the folder.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)

    def __contains__(self, name: str) -> bool:
        return os.path.isfile(self.path / name)  # False, not an error, for names that no file can have

    def read(self, name: str) -> bytes:
        """A file of at most `MEMBER_BYTES`, whole."""
        data = self.head(name, MEMBER_BYTES + 1)
        if len(data) > MEMBER_BYTES:
            raise ValueError(f"A file may have {MEMBER_BYTES:,} bytes. Received: {self.path / name}")
        return data

    def head(self, name: str, count: int) -> bytes:
        """The first `count` bytes of a file."""
        with self.open(name) as file:
            return file.read(min(count, os.fstat(file.fileno()).st_size))

    def open(self, name: str) -> BinaryIO:
        """A file, open for reading."""
        if name not in self:
            raise FileNotFoundError(f"No such file. Received: {self.path / name}")
        return io.BufferedReader(_open(self.path / name))

    def fingerprint(self, name: str) -> tuple[int, int]:
        """Bytes and CRC-32 of a file, those that an archive of it would state."""
        data = self.read(name)
        return len(data), zlib.crc32(data)

    def __repr__(self):
        return f"Tree({str(self.path)!r})"


def _open(path):
    try:
        return open(path, "rb", buffering=0)
    except OSError as error:
        raise ValueError(f"The file cannot be opened: {error.strerror}. Received: {path}") from error


def read_at(file: BinaryIO, offset: int, count: int) -> bytes:
    """Up to `count` bytes from `offset`, fewer only at the end; safe to call from threads on one file."""
    if not 0 <= offset < 2**63:  # a damaged directory may say anything
        return b""
    if hasattr(os, "pread"):
        return os.pread(file.fileno(), count, offset)
    with _SEEKING:  # Windows
        file.seek(offset)
        return file.read(count)
