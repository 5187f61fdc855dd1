"""Files that are complete or not there, and folders that can be written to. Standard library only."""

import contextlib
import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def written_beside(path: str | os.PathLike) -> Iterator[Path]:
    """Yields a path beside `path` to write to; renames it over `path` at the end, removes it on failure.

    A full disk or a kill leaves the last good file as it was. Of several writers at once the last to end is the one
    whose file stays, whole. A killed writer leaves its part behind: `.partial-`, its process id, a random number and
    the suffix. No reader of folders looks at names that begin with a dot, and nothing else is lost by deleting it.
    """
    path = Path(path)
    # The suffix stays: writers look at it. The rest of the name does not, or a long one would become too long.
    side = path.with_name(f".partial-{os.getpid()}-{secrets.token_hex(8)}{path.suffix}")
    try:
        yield side
        os.replace(side, path)
    finally:
        side.unlink(missing_ok=True)


def check_writable(folder: str | os.PathLike, argument: str) -> None:
    """Raises an OSError that names the argument unless the folder, or the nearest one above it, can be written to."""
    path = Path(folder).absolute()
    try:
        while not os.path.lexists(path):
            path = path.parent
        if path.is_dir():
            with tempfile.TemporaryFile(dir=path):
                return
        reason = f"{path} is no folder"
    except (OSError, ValueError) as error:
        reason = str(error)
    raise OSError(f"Nothing can be written there: {reason}. Received: {argument}={str(folder)!r}")
