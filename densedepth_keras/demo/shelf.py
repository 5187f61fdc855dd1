"""Where answers lie until nobody needs them any more: a folder each, the oldest go first."""

import secrets
import shutil
import threading
import time
from pathlib import Path

KEPT_SECONDS = 3600
"""How long an answer can be looked at and downloaded."""

KEPT_BYTES = 2**31
"""Of all answers together; the newest one may be larger. A photo of 12 megapixels takes 80 MB."""


class Shelf:
    """Folders below one folder, each under a name that cannot be guessed. Threads may share it."""

    def __init__(self, folder: Path, *, seconds: float = KEPT_SECONDS, max_bytes: int = KEPT_BYTES):
        self.folder, self.seconds, self.max_bytes = Path(folder), seconds, max_bytes
        self._turn = threading.Lock()
        self.folder.mkdir(parents=True, exist_ok=True)

    def new(self) -> Path:
        """An empty folder; those that are too old, or too much, go."""
        with self._turn:
            self._tidy()
            folder = self.folder / secrets.token_hex(16)
            folder.mkdir()
            return folder

    def holds(self, name: str) -> bool:
        """Whether the folder of that name is still there."""
        return (self.folder / name).is_dir()

    def find(self, name: str) -> Path:
        """The folder of that name; a FileNotFoundError that says what to do where it is gone."""
        if not self.holds(name):
            raise FileNotFoundError("This answer is no longer kept: choose the photo again.")
        return self.folder / name

    def drop(self, name: str) -> None:
        """Takes a folder away; none of that name is fine."""
        shutil.rmtree(self.folder / name, ignore_errors=True)

    def _tidy(self):
        folders = sorted(self.folder.iterdir(), key=lambda folder: folder.stat().st_mtime, reverse=True)
        oldest, total = time.time() - self.seconds, 0
        for folder in folders:
            total += sum(file.stat().st_size for file in folder.iterdir())
            if total > self.max_bytes or folder.stat().st_mtime < oldest:
                shutil.rmtree(folder, ignore_errors=True)
