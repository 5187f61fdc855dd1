"""What has become of the pictures so far: counted, shown as a bar on a terminal, said."""

import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from densedepth_keras.names import printable


class Predicted(NamedTuple):
    """What `predict_files` did."""

    written: list[Path]
    failed: dict[Path, str]
    """Picture -> why nothing, or not everything, was made of it."""

    seconds: float
    """From the first picture on, without loading the network."""


class Outcome:
    """A context: the bar is there within it, on stderr and only where that is a terminal.

    Args:
        count: pictures there are.
        output: where the files go.
        announce: gets lines; they do not run into the bar.
    """

    def __init__(self, count: int, output: str, announce: Callable[[str], None]):
        self._count, self._output, self._announce = count, output, announce
        self._written: list[Path] = []
        self._failed: dict[Path, str] = {}
        self._said: set[str] = set()

    def __enter__(self):
        self._started = time.perf_counter()
        self._bar = tqdm(
            total=self._count, unit="picture", file=sys.stderr, disable=not sys.stderr.isatty(), dynamic_ncols=True
        )
        return self

    def __exit__(self, *_):
        self._bar.close()

    def say(self, line: str) -> None:
        """Announces a line."""
        with tqdm.external_write_mode(file=sys.stdout):
            self._announce(printable(line))

    def say_once(self, line: str) -> None:
        """Announces a line unless it has been announced."""
        if line not in self._said:
            self._said.add(line)
            self.say(line)

    def done(self, files: Iterable[Path]) -> None:
        """One picture more, and the files that were made of it."""
        self._written.extend(files)
        self._bar.update()

    def fail(self, path: Path, reason: Exception, files: Iterable[Path] = ()) -> None:
        """One picture of which not all was made, and the files that were."""
        text = str(reason) or type(reason).__name__
        self._failed[path] = text
        self._written.extend(files)
        self.say(f"{path}: {text}")
        self._bar.update()

    def summary(self) -> str:
        """How many, how fast, how many not."""
        good, seconds = self._count - len(self._failed), time.perf_counter() - self._started
        text = f"{_counted(good, 'picture')} in {seconds:.1f} s, {good / seconds:.1f} a second"
        if self._written:
            text += f"; {_counted(len(self._written), 'file')} written to {printable(self._output)}"
        if self._failed:
            text += f"; {_counted(len(self._failed), 'picture')} failed, see above"
        return text

    def predicted(self) -> Predicted:
        """The result."""
        return Predicted(self._written, self._failed, time.perf_counter() - self._started)


def _counted(count, word):
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
