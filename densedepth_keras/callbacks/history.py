"""History: what an epoch gave, as rows and as history.csv."""

import csv
import math
from collections.abc import Callable
from pathlib import Path

import keras

from densedepth_keras.atomic import written_beside
from densedepth_keras.callbacks.pace import Pace
from densedepth_keras.callbacks.writing import named_in_errors


class History(keras.callbacks.Callback):
    """One row per epoch, in memory and in a CSV file that is always whole.

    A row is `epoch` from 0, then the logs by name, `NA` where an epoch has none. Adds to the logs, so that the
    callbacks behind it see them, too: `learning_rate` (at the end of the epoch; the one that ReduceOnPlateau logged in
    front of it, where there is one), `seconds` of the epoch with its validation, and `images_per_second` of training.

    Args:
        path: CSV to write; None for a process that does not.
        learning_rate: the rate now.
        images: training images of an epoch.
        batch_size: images per step, of all devices together.
    """

    def __init__(self, path: Path | None, *, learning_rate: Callable[[], float], images: int, batch_size: int):
        super().__init__()
        self.path, self.learning_rate, self.rows = path, learning_rate, []
        self.pace = Pace(images, batch_size)

    def on_epoch_begin(self, epoch, logs=None):
        self.pace.begin()

    def on_train_batch_end(self, batch, logs=None):
        self.pace.step()

    def on_epoch_end(self, epoch, logs=None):
        """Raises OSError where the file cannot be written."""
        logs.setdefault("learning_rate", float(self.learning_rate()))
        logs["seconds"] = self.pace.seconds
        if self.pace.steps:  # none, where an earlier process was stopped in the validation
            logs["images_per_second"] = self.pace.images_per_second
        self.pace.end()
        self.rows = [*(row for row in self.rows if row["epoch"] < epoch), {"epoch": epoch, **logs}]
        self._write()

    def columns(self) -> dict[str, list[float]]:
        """Each log by name, one value per epoch, NaN where an epoch has none; without `epoch`."""
        return {name: [row.get(name, math.nan) for row in self.rows] for name in self._names()}

    def state(self) -> dict:
        return {"rows": self.rows, "seconds": self.pace.seconds}

    def set_state(self, state: dict) -> None:
        """Takes the rows over; the file, which may be an epoch ahead, is written from them."""
        self.rows, self.pace.earlier = [dict(row) for row in state["rows"]], state["seconds"]
        self._write()

    def _names(self):
        return sorted({name for row in self.rows for name in row} - {"epoch"})

    def _write(self):
        if self.path is None:
            return
        with named_in_errors("The history", self.path):
            if not self.rows:
                self.path.unlink(missing_ok=True)
                return
            with written_beside(self.path) as side, open(side, "w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, ["epoch", *self._names()], restval="NA")
                writer.writeheader()
                writer.writerows(self.rows)
