"""What every callback that writes says when it cannot."""

import contextlib
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def named_in_errors(what: str, path: Path) -> Iterator[None]:
    """An OSError from inside, a full disk, is raised again with the file that could not be written."""
    try:
        yield
    except OSError as error:
        raise OSError(f"{what} could not be saved as {path}: {error}") from error
