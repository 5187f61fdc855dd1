"""Runs a command of densedepth and sends its own process a signal at an exact moment; SIGKILL unless told otherwise.

    python tests/killed_run.py step:7 train --dataset rooms --name a ...
    python tests/killed_run.py validation:2:SIGTERM train ...
    python tests/killed_run.py slow:0.2 train ...               every step takes so many seconds more; no signal

The number says at which occurrence, from 1 on, in this process.
"""

import functools
import io
import os
import signal
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from densedepth_keras import cli, fitting, saved_state, training


class Strike:
    """Ends the process the `count`-th time it is called."""

    def __init__(self, count: int, number: int):
        self.left, self.number = count, number

    def __call__(self) -> None:
        if self.is_due():
            os.kill(os.getpid(), self.number)

    def is_due(self) -> bool:
        self.left -= 1
        return self.left == 0


def before(owner, name, strike, concerned=lambda *arguments: True):
    """Strikes in front of calls of a function, those that concern it."""
    real = getattr(owner, name)

    @functools.wraps(real)
    def struck(*arguments, **named):
        if concerned(*arguments):
            strike()
        return real(*arguments, **named)

    setattr(owner, name, struck)


def after(owner, name, strike):
    real = getattr(owner, name)

    @functools.wraps(real)
    def struck(*arguments, **named):
        result = real(*arguments, **named)
        strike()
        return result

    setattr(owner, name, struck)


def half_written(strike):
    """In the middle of a state file: half of its bytes are on the disk."""
    real = saved_state._write

    def write(stream, header, groups):
        whole = io.BytesIO()
        real(whole, header, groups)
        if not strike.is_due():
            stream.write(whole.getvalue())
            return
        stream.write(whole.getvalue()[: len(whole.getvalue()) // 2])
        stream.flush()
        os.kill(os.getpid(), strike.number)

    saved_state._write = write


def before_renaming(name):
    """Between a file written to the side, whole, and its taking the place of the last one."""
    return lambda strike: before(os, "replace", strike, lambda side, path: Path(path).name == name)


MOMENTS = {
    "step": lambda strike: after(fitting.Position, "on_train_batch_end", strike),
    "half-written": half_written,
    "written": before_renaming("state.npz"),
    "renamed": lambda strike: after(fitting.StateSaver, "save", strike),
    "model": before_renaming("model.keras"),
    "validation": lambda strike: before(fitting.StateSaver, "on_test_batch_end", strike),
    "epoch-unsaved": lambda strike: before(fitting.StateSaver, "on_epoch_end", strike),
    "epoch": lambda strike: after(fitting.StateSaver, "on_epoch_end", strike),
    "unfreezing": lambda strike: before(fitting, "unfreeze_encoder", strike),
    "folder": lambda strike: before(training, "start_model", strike),
    "begun": lambda strike: before(training, "fit_course", strike),
    "result": lambda strike: before(training, "draw_results", strike),
}


def slow_down(seconds):
    real = fitting.Position.on_train_batch_end

    def slowly(self, batch, logs=None):
        time.sleep(seconds)
        real(self, batch, logs)

    fitting.Position.on_train_batch_end = slowly


def main():
    moment, value, number = [*sys.argv[1].split(":"), "SIGKILL"][:3]
    if moment == "slow":
        slow_down(float(value))
    else:
        MOMENTS[moment](Strike(int(value), signal.Signals[number]))
    return cli.main(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
