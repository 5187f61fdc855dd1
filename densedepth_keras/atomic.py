"""Files that are complete or not there. Standard library only."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def written_beside(path: str | os.PathLike) -> Iterator[Path]:
    """Yields a path beside `path` to write to; renames it over `path` at the end, removes it on failure.

    A full disk or a kill leaves the last good file as it was.
    """
    path = Path(path)
    side = path.with_name(f"partial-{path.name}")  # the suffix stays: writers look at it
    try:
        yield side
        os.replace(side, path)
    finally:
        side.unlink(missing_ok=True)
