"""Signals, sent to real processes, and the lock of a run folder; nothing here loads a framework."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from densedepth_keras.interruption import LOCK_FILE, Interruption, exit_status, run_lock

ROOT = Path(__file__).resolve().parents[1]

LOOP = """
import sys, time
from densedepth_keras.interruption import Interruption, exit_status, run_lock

def until(asked, seconds=20):
    end = time.monotonic() + seconds
    while not asked() and time.monotonic() < end:
        time.sleep(0.01)

with Interruption() as interruption:
    if "defer" in sys.argv:
        interruption.defer()
    try:
        print("ready", flush=True)
        until(lambda: interruption.requested)
        print("step ended", interruption.requested, flush=True)
        if "twice" in sys.argv:
            until(lambda: False)
    except KeyboardInterrupt as error:
        print("at once", error, flush=True)
    finally:
        print("cleaned up", flush=True)
sys.exit(exit_status(interruption.requested))
"""

HOLD = """
import sys, time
from densedepth_keras.interruption import run_lock
with run_lock(sys.argv[1]):
    print("locked", flush=True)
    time.sleep(60)
"""


def started(code, *arguments):
    """A Python process that has written its first line."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.readline()
    return process


def finished(process):
    out, err = process.communicate(timeout=30)
    return process.returncode, out.splitlines(), err


@pytest.fixture
def killed_after():
    """Processes that are not to outlive their test."""
    processes = []
    yield processes
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_before_defer_a_signal_stops_at_once_and_cleans_up(number, status, killed_after):
    process = started(LOOP)
    killed_after.append(process)
    process.send_signal(number)
    assert finished(process) == (status, [f"at once {number.name}", "cleaned up"], "")


@pytest.mark.parametrize(
    ("number", "status", "called"),
    [(signal.SIGINT, 130, "Ctrl-C"), (signal.SIGTERM, 143, "SIGTERM"), (signal.SIGHUP, 129, "SIGHUP")],
)
def test_after_defer_the_step_ends_first(number, status, called, killed_after):
    process = started(LOOP, "defer")
    killed_after.append(process)
    process.send_signal(number)
    returned, lines, told = finished(process)
    assert (returned, lines) == (status, [f"step ended {number.name}", "cleaned up"])
    assert told == f"\n{called}: finishing this step and saving; again to stop at once\n"


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_the_second_signal_stops_at_once(second, killed_after):
    process = started(LOOP, "defer", "twice")
    killed_after.append(process)
    process.send_signal(signal.SIGTERM)
    assert process.stdout.readline() == "step ended SIGTERM\n"
    process.send_signal(second)
    returned, lines, told = finished(process)
    assert (returned, lines) == (143, ["at once SIGTERM", "cleaned up"])  # the first one asked
    assert told.count("again to stop at once") == 1


def test_under_nohup_the_end_of_the_terminal_ends_nothing():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interruption() as interruption:
            os.kill(os.getpid(), signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        assert interruption.requested is None
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_closed_error_stream_does_not_matter(monkeypatch):
    def closed(descriptor, content):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    with Interruption() as interruption:
        interruption.defer()
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", closed)
            signal.raise_signal(signal.SIGINT)
    assert interruption.requested == "SIGINT"


def test_handlers_are_put_back_also_when_nested():
    lines, before = [], [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with Interruption(lines.append) as outer:
        outer.defer()
        with pytest.raises(KeyboardInterrupt, match="SIGTERM"), Interruption(lines.append) as inner:
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    assert (inner.requested, outer.requested) == ("SIGTERM", "SIGINT")
    assert lines == ["Ctrl-C: finishing this step and saving; again to stop at once"]


def test_another_thread_than_the_main_one_catches_nothing():
    seen, before = [], signal.getsignal(signal.SIGTERM)

    def run():
        with Interruption() as interruption:
            interruption.defer()
            seen.append((signal.getsignal(signal.SIGTERM), interruption.requested))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [(before, None)]


def test_exit_status():
    assert [exit_status(name) for name in ("SIGINT", "SIGTERM", "SIGHUP")] == [130, 143, 129]


def test_two_processes_never_train_in_one_folder(tmp_path, killed_after):
    process = started(HOLD, tmp_path)
    killed_after.append(process)
    expected = rf"Another process \(pid {process.pid}\) is training in this run folder\. Received: folder="
    for _ in range(2):  # asking does not wipe out who holds it
        with pytest.raises(ValueError, match=expected), run_lock(tmp_path):
            pass
    process.kill()
    process.wait(timeout=30)
    assert (tmp_path / LOCK_FILE).exists()  # left by the kill, and no obstacle
    with run_lock(tmp_path):
        assert (tmp_path / LOCK_FILE).read_text().split()[0] == str(os.getpid())
    assert list(tmp_path.iterdir()) == []


def test_the_lock_goes_with_a_run_that_fails_and_with_its_folder(tmp_path):
    with pytest.raises(RuntimeError, match="failed"), run_lock(tmp_path):
        raise RuntimeError("failed")
    with run_lock(tmp_path):
        (tmp_path / LOCK_FILE).unlink()  # as a run folder is taken away that has no model
    with run_lock(tmp_path), pytest.raises(ValueError, match=f"pid {os.getpid()}"), run_lock(tmp_path):
        pass


def test_a_holder_on_another_machine_is_named_with_it(tmp_path):
    with run_lock(tmp_path):
        (tmp_path / LOCK_FILE).write_text("123 gpu7")
        with pytest.raises(ValueError, match=r"\(pid 123 on gpu7\)"), run_lock(tmp_path):
            pass


def test_a_lock_on_a_file_that_was_just_removed_does_not_count(tmp_path, monkeypatch):
    real, removed = fcntl.flock, []

    def flock_after_removal(descriptor, operation):
        if not removed:
            removed.append(os.fstat(descriptor).st_ino)
            (tmp_path / LOCK_FILE).unlink()
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock_after_removal)
    with run_lock(tmp_path):
        assert removed
        monkeypatch.undo()
        with pytest.raises(ValueError, match="is training"), run_lock(tmp_path):
            pass


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP])
def test_a_file_system_without_locks_is_no_obstacle(tmp_path, monkeypatch, number):
    def flock(descriptor, operation):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    with run_lock(tmp_path):
        assert (tmp_path / LOCK_FILE).exists()


def test_other_errors_of_the_lock_are_raised_and_nothing_stays_open(tmp_path, monkeypatch):
    opened = []

    def flock(descriptor, operation):
        opened.append(descriptor)
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(OSError, match="Input/output error"), run_lock(tmp_path):
        pass
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(opened[0])


def test_no_folder(tmp_path):
    with pytest.raises(FileNotFoundError), run_lock(tmp_path / "none"):
        pass
