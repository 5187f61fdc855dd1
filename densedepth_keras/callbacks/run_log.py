"""RunLog: run.log, a line for everything worth knowing afterwards."""

import time
from collections.abc import Callable
from pathlib import Path

import keras

from densedepth_keras.callbacks.writing import named_in_errors


class RunLog(keras.callbacks.Callback):
    """Appends to run.log, each line with its time, and one per epoch by itself.

    `epoch 3/10: loss 0.123, val_loss 0.150, val_rmse 0.734 m, 12.3 images/s, peak memory 1.2 GB`

    Args:
        path: text file to append to; None for a process that does not.
        announce: gets every line of `log`, too; not those of the epochs, which the progress bar shows.
        epochs: of the whole run.
        peak_memory: bytes of the fullest device so far, None where nobody knows.
    """

    def __init__(
        self,
        path: Path | None,
        announce: Callable[[str], None] = lambda line: None,
        *,
        epochs: int,
        peak_memory: Callable[[], int | None] = lambda: None,
    ):
        super().__init__()
        self.path, self.announce, self.epochs, self.peak_memory = path, announce, epochs, peak_memory

    def log(self, line: str) -> None:
        """Announces and appends a line, or several.

        Raises:
            OSError: the file cannot be written.
        """
        self.announce(line)
        self._append(line)

    def on_epoch_end(self, epoch, logs=None):
        """Raises OSError where the file cannot be written."""
        parts = [f"{name} {logs[name]:.3f}" for name in ("loss", "val_loss") if name in logs]
        if "val_rmse" in logs:
            parts.append(f"val_rmse {logs['val_rmse']:.3f} m")
        if "images_per_second" in logs:
            parts.append(f"{logs['images_per_second']:.1f} images/s")
        peak = self.peak_memory()
        if peak is not None:
            parts.append(f"peak memory {peak / 1e9:.1f} GB")
        self._append(f"epoch {epoch + 1}/{self.epochs}: {', '.join(parts)}")

    def _append(self, text):
        if self.path is None:
            return
        stamp = time.strftime("%Y-%m-%d %H:%M:%S")
        lines = "".join(f"{stamp} {line}".rstrip() + "\n" for line in text.splitlines())
        # Opened anew every time: nothing waits in a buffer when the process is killed.
        with named_in_errors("The run log", self.path), open(self.path, "a", encoding="utf-8") as file:
            file.write(lines)
