"""`densedepth search`: learning rate, lambda and more tried over many runs, by KerasTuner's oracles.

A search is a folder: `search.json` (the whole SearchConfig), `tuner/` (KerasTuner's own files), `trials/<id>` (a run
folder each) and `trials/<id>.json` (what came of it), and at the end `trials.csv`, `best_config.json` and two pictures.
"""

from densedepth_keras.search.findings import SearchResult
from densedepth_keras.search.searching import search
from densedepth_keras.search.trials import Outcome

__all__ = ["Outcome", "SearchResult", "search"]
