"""Stopping a run from outside: Ctrl-C, SIGTERM and SIGHUP between two steps, and one process per run folder."""

import contextlib
import errno
import os
import platform
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

LOCK_FILE = ".lock"
SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
"""Ctrl-C, the end that a scheduler asks for, a terminal that goes away; Windows has no SIGHUP."""

_NO_LOCKS_HERE = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}
"""What `flock` says on file systems that have no locks, some network ones among them."""


def tell(line: str) -> None:
    """Writes a line to the standard error stream, past Python's buffers: allowed at any moment."""
    with contextlib.suppress(OSError):  # nobody reads it any more
        os.write(2, f"\n{line}\n".encode())


class Interruption:
    """Catches SIGINT (Ctrl-C), SIGTERM and SIGHUP while a `with` block runs; under `nohup` SIGHUP stays ignored.

    At first each raises KeyboardInterrupt at once. From `defer` on the first one only sets `requested`, for a loop
    that looks at it after every step, and the second one raises. Outside of the main thread, where Python handles no
    signals, nothing is caught.

    Args:
        announce: gets one line at the first deferred signal. It is called inside a signal handler, so it may not wait
            for a lock or write to a buffered stream: neither `print` nor `logging`.

    Attributes:
        requested: `"SIGINT"`, `"SIGTERM"`, `"SIGHUP"`, or None so far. A KeyboardInterrupt raised here carries it as
            its argument.
        deferred: whether `defer` was called.
    """

    def __init__(self, announce: Callable[[str], None] = tell):
        self.announce = announce
        self.requested: str | None = None
        self.deferred = False
        self._before: dict = {}

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._handle) for number in _numbers()}
        return self

    def __exit__(self, *exception):
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)  # None: not set by Python
        self._before = {}

    def defer(self) -> None:
        """From now on the first signal waits for the end of the step."""
        self.deferred = True

    def _handle(self, number, frame):
        first, name = self.requested is None, signal.Signals(number).name
        self.requested = self.requested or name
        if not (self.deferred and first):
            raise KeyboardInterrupt(self.requested)
        called = "Ctrl-C" if name == "SIGINT" else name
        self.announce(f"{called}: finishing this step and saving; again to stop at once")


def _numbers():
    """Of the signals to catch."""
    numbers = [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]
    return [number for number in numbers if number.name != "SIGHUP" or signal.getsignal(number) != signal.SIG_IGN]


def exit_status(requested: str) -> int:
    """What a shell expects of a process stopped by a signal: 130 for SIGINT, 143 for SIGTERM, 129 for SIGHUP."""
    return 128 + signal.Signals[requested].value


@contextlib.contextmanager
def run_lock(folder: str | os.PathLike) -> Iterator[None]:
    """Keeps other processes from training in a run folder while the block runs.

    The kernel lets the lock go with the process, however that ends. Where a file system, or the operating system, has
    no locks the run goes on without.

    Args:
        folder: exists.

    Raises:
        ValueError: another process holds the lock.
        OSError: the folder cannot be written.
    """
    path = Path(folder) / LOCK_FILE
    descriptor = _locked(path)
    try:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()} {platform.node()}".encode())
        yield
    finally:
        with contextlib.suppress(OSError):  # the folder is gone already; or an open file cannot be removed (Windows)
            path.unlink()  # while it is locked: see _locked
        os.close(descriptor)


def _locked(path):
    """Opens and locks the file.

    Who held it before may have removed it between the opening and the locking, and then a third process could lock
    a new one: so it counts only when the file locked is the file there.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(descriptor, path.parent)
            if _is_there(descriptor, path):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _lock(descriptor, folder):
    try:
        import fcntl
    except ImportError:  # not on Windows
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ValueError(
            f"Another process ({_holder(descriptor)}) is training in this run folder. Received: folder={str(folder)!r}"
        ) from None
    except OSError as error:
        if error.errno not in _NO_LOCKS_HERE:
            raise


def _holder(descriptor):
    pid, _, host = os.read(descriptor, 300).decode(errors="replace").partition(" ")
    return f"pid {pid or 'unknown'}" if host in ("", platform.node()) else f"pid {pid} on {host}"


def _is_there(descriptor, path):
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False
