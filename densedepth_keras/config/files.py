"""What a run folder holds, and how JSON is written."""

import json
import os
from typing import Any

from densedepth_keras.atomic import written_beside

CONFIG_FILE, MODEL_FILE, MEAN_FILE, HISTORY_FILE = "config.json", "model.keras", "mean_depth.npy", "history.csv"
"""Of a run folder, beside pictures: settings, best model, mean training depth, one line per epoch."""

LAST_FILE = "last.keras"
"""Of a run folder that has ended: the model of its last epoch."""

STATE_FILE, LOG_FILE = "state.npz", "run.log"
"""Of a run folder: what a resumed run goes on from, and what was said while it ran."""

SEARCH_FILE = "search.json"
"""Of a search folder: its settings. Not a run's config.json, so that nothing takes a search for a run."""


def write_json(path: str | os.PathLike, values: dict[str, Any]) -> None:
    """Writes JSON; the file is complete or not there."""
    with written_beside(path) as side:
        side.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
