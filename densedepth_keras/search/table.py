"""What a search found, as a table, a CSV file and a config to train with."""

import csv
from collections.abc import Sequence
from pathlib import Path

from densedepth_keras.atomic import written_beside
from densedepth_keras.config import write_json
from densedepth_keras.config.search import SearchConfig
from densedepth_keras.search.space import Dimension, trial_config
from densedepth_keras.search.trials import COMPLETED, Outcome

TABLE_FILE, BEST_FILE = "trials.csv", "best_config.json"

_FACTS = ("epochs", "val_rmse", "best_epoch", "seconds", "status", "reason")


def best_of(outcomes: Sequence[Outcome]) -> Outcome | None:
    """The completed trial of the lowest val_rmse; None where no trial was completed."""
    completed = [each for each in outcomes if each.status == COMPLETED]
    return min(completed, key=lambda each: each.val_rmse, default=None)


def write_table(folder: Path, dimensions: Sequence[Dimension], outcomes: Sequence[Outcome]) -> None:
    """trials.csv: a line per trial, in their order."""
    fields = [each.field for each in dimensions]
    with written_beside(folder / TABLE_FILE) as side, open(side, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("trial", *fields, *_FACTS))
        for each in outcomes:
            writer.writerow(
                [each.trial, *(each.values[field] for field in fields), *(getattr(each, name) for name in _FACTS)]
            )


def write_best(folder: Path, config: SearchConfig, best: Outcome) -> Path:
    """best_config.json: the config of the best trial, of all samples, at the search's full length and with its seed."""
    file = folder / BEST_FILE
    found = trial_config(config, best.values, epochs=None, execution=0)
    write_json(file, {**found.to_json(), "limit": None})  # a limit makes searches short; what is found is for all data
    return file


def table_text(dimensions: Sequence[Dimension], outcomes: Sequence[Outcome]) -> str:
    """The trials, best first, in columns; val_rmse in metres."""
    fields = [each.field for each in dimensions]
    worst = float("inf")
    order = sorted(outcomes, key=lambda each: worst if each.val_rmse is None else each.val_rmse)
    rows = [("trial", *fields, "epochs", "val_rmse", "best epoch", "seconds", "")]
    rows += [(each.trial, *(shown(each.values[field]) for field in fields), *_fact_texts(each)) for each in order]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.rjust, row, widths)).rstrip() for row in rows)


def shown(value) -> str:
    """A value of a dimension, short."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _fact_texts(each):
    if each.status != COMPLETED:
        return str(each.epochs or ""), "", "", "", each.status
    return str(each.epochs), f"{each.val_rmse:.4f}", str(each.best_epoch), f"{each.seconds:.0f}", ""
