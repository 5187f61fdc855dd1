"""Reading ahead and writing behind: a thread on either side of the network, with bounded queues in between.

Order is kept, since every queue has one thread that fills it and one that empties it. What goes wrong in one thread is
raised in all of them, and last in the `with` block's own, with its message.
"""

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator

_AWAKE = 1.0  # seconds; a wait without an end hears no Ctrl-C on Windows


class Stopped(Exception):  # noqa: N818 (no error: it tells a thread that nobody needs it any more)
    """The other side has left."""


class Channel:
    """A bounded queue that ends, or fails, for both sides at once.

    Args:
        size: items it holds; `put` waits while it is full.
    """

    def __init__(self, size: int):
        self._items: deque = deque()
        self._size = size
        self._changed = threading.Condition()
        self._ended = False
        self._error: BaseException | None = None

    def put(self, item) -> None:
        """Appends an item; raises what either side failed with."""
        with self._changed:
            self._wait(lambda: len(self._items) < self._size)
            self._items.append(item)
            self._changed.notify_all()

    def end(self) -> None:
        """No more items."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def fail(self, error: BaseException) -> None:
        """Both sides raise `error` from now on, unless another one was first; what is in the queue is lost."""
        with self._changed:
            self._error = self._error or error
            self._items.clear()
            self._changed.notify_all()

    def __iter__(self) -> Iterator:
        while True:
            with self._changed:
                self._wait(lambda: self._items or self._ended)
                if not self._items:
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            yield item

    def check(self) -> None:
        """Raises what either side failed with."""
        if self._error is not None:
            raise self._error

    def _wait(self, is_ready):
        while self._error is None and not is_ready():
            self._changed.wait(_AWAKE)
        self.check()


@contextlib.contextmanager
def reading_ahead(items: Iterable, size: int) -> Iterator[Iterable]:
    """Yields the items in their order while a thread fetches up to `size` of them ahead.

    Args:
        items: iterated over in the thread; what it raises is raised where its items are used.
        size: items that wait at most.
    """
    channel = Channel(size)

    def fetch():
        try:
            for item in items:
                channel.put(item)
            channel.end()
        except BaseException as error:  # whatever it is, the other side has to hear of it
            channel.fail(error)

    with _thread(fetch, channel):
        yield channel


@contextlib.contextmanager
def doing_behind(size: int) -> Iterator[Callable]:
    """Yields `later(function, *arguments)`, which has a thread call functions one after another, in order.

    At the end of the block all of them have been called. What one raises is raised by the next `later`, or at the end.

    Args:
        size: calls that wait at most; `later` waits for room.
    """
    channel = Channel(size)

    def work():
        try:
            for function, arguments in channel:
                function(*arguments)
        except BaseException as error:
            channel.fail(error)

    with _thread(work, channel) as thread:
        yield lambda function, *arguments: channel.put((function, arguments))
        channel.end()
        while thread.is_alive():
            thread.join(_AWAKE)
        channel.check()


@contextlib.contextmanager
def _thread(target, channel):
    """Runs `target` beside the block; it has ended when the block has."""
    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    try:
        yield thread
    finally:
        channel.fail(Stopped())
        thread.join()
