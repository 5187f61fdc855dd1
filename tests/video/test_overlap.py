"""Order, bounds, and what happens when one side fails or leaves."""

import threading
import time

import pytest
from clips import threads

from densedepth_keras.video.overlap import doing_behind, reading_ahead


def test_reading_ahead_keeps_order_and_count():
    with reading_ahead(range(1000), 3) as items:
        assert list(items) == list(range(1000))


def test_reading_ahead_of_nothing():
    with reading_ahead([], 3) as items:
        assert list(items) == []


def test_no_more_than_the_bound_is_read_ahead():
    fetched = []

    def source():
        for number in range(100):
            fetched.append(number)
            yield number

    with reading_ahead(source(), 4) as items:
        iterator = iter(items)
        next(iterator)
        deadline = time.monotonic() + 5
        while len(fetched) < 6 and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.05)  # for one too many to come
        assert len(fetched) == 6  # one taken, four waiting, one in hand


def test_an_error_while_reading_comes_through_and_the_thread_ends():
    def source():
        yield 1
        raise ValueError("row 2 is broken")

    before = threads()
    with pytest.raises(ValueError, match="row 2 is broken"), reading_ahead(source(), 1) as items:
        list(items)
    assert threads() == before


def test_leaving_early_ends_the_thread():
    before = threads()
    with reading_ahead(iter(int, 1), 2) as items:  # endless
        next(iter(items))
    assert threads() == before


def test_doing_behind_calls_in_order_and_all_of_them():
    done = []
    with doing_behind(2) as later:
        for number in range(500):
            later(done.append, number)
    assert done == list(range(500))


@pytest.mark.parametrize("at", [0, 7, 19])
def test_an_error_while_doing_is_raised_once_and_ends_all(at):
    def work(number):
        if number == at:
            raise OSError(f"disk full at {number}")

    def run():
        with doing_behind(3) as later:
            for number in range(20):
                later(work, number)

    before = threads()
    with pytest.raises(OSError, match=f"disk full at {at}"):
        run()
    assert threads() == before


def test_an_error_of_the_block_wins_and_what_waits_is_not_done():
    done, go = [], threading.Event()

    def run():
        with doing_behind(5) as later:
            later(go.wait, 5)
            later(done.append, 1)
            threading.Timer(0.05, go.set).start()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    assert done == []


def test_a_writer_that_fails_stops_the_reader():
    """The chain of a video: reader, main thread, writer. The writer's error is what comes out."""

    def fail(number):
        raise OSError("no space left")

    def run():
        with doing_behind(2) as later, reading_ahead(iter(int, 1), 2) as items:
            for item in items:
                later(fail, item)

    before = threads()
    with pytest.raises(OSError, match="no space left"):
        run()
    assert threads() == before
