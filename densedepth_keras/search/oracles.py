"""KerasTuner's oracles, seeded, over our dimensions, with files that a kill cannot spoil."""

import itertools
import json
import math
from collections.abc import Sequence
from pathlib import Path

from densedepth_keras.atomic import written_beside
from densedepth_keras.config.search import MAX_TRIALS, SearchConfig
from densedepth_keras.search.space import Dimension

OBJECTIVE = "val_rmse"
"""Metres. Never val_loss, which lambda rescales."""

ORACLES = {
    "random": "RandomSearchOracle",
    "bayesian": "BayesianOptimizationOracle",
    "hyperband": "HyperbandOracle",
    "grid": "GridSearchOracle",
}
"""Tuner -> class of `keras_tuner.oracles`."""

ORACLE_FILE = "oracle.json"
"""KerasTuner's: which trials there are, which are under way, and where the random numbers stand."""

_NEVER = 10**9

_ENDED = ("COMPLETED", "FAILED")
"""KerasTuner's words."""


def make_oracle(config: SearchConfig, dimensions: Sequence[Dimension], folder: Path):
    """The oracle that chooses the trials' values.

    Args:
        config: of the search, resolved.
        dimensions: what varies.
        folder: where the oracle's files lie, KerasTuner's project folder.

    Returns:
        A `keras_tuner.Oracle`.

    Raises:
        ImportError: KerasTuner is not installed, or scikit-learn, which `bayesian` needs.
    """
    import keras_tuner

    length = {"max_trials": config.max_trials or MAX_TRIALS}
    if config.tuner == "hyperband":
        length = {"max_epochs": config.epochs, "factor": config.factor}
    oracle_class = getattr(keras_tuner.oracles, ORACLES[config.tuner])
    oracle = _durable(_in_order(oracle_class) if config.tuner == "grid" else oracle_class, folder)(
        objective=keras_tuner.Objective(OBJECTIVE, direction="min"),
        hyperparameters=_hyperparameters(dimensions),
        seed=1 + config.seed % (2**32 - 1),  # 0 would mean any
        max_consecutive_failed_trials=_NEVER,  # high learning rates diverge one after another, and that is an answer
        **length,
    )
    oracle.verbose = 0
    return oracle


def _hyperparameters(dimensions):
    import keras_tuner

    space = keras_tuner.HyperParameters()
    for field, values, is_range in dimensions:
        if is_range:
            space.Float(field, *values, sampling="log")
        else:
            space.Choice(field, list(values))
    return space


def _in_order(oracle_class):
    """GridSearchOracle by the number of the trial. KerasTuner's own order is not saved: a reloaded grid breaks off."""

    class InOrder(oracle_class):
        def populate_space(self, trial_id):
            axes = [dimension.values for dimension in self.hyperparameters.space]
            points = list(itertools.product(*axes))
            if len(self.trials) >= len(points):
                return {"status": "STOPPED", "values": None}
            names = [dimension.name for dimension in self.hyperparameters.space]
            return {"status": "RUNNING", "values": dict(zip(names, points[len(self.trials)], strict=True))}

    return InOrder


def _durable(oracle_class, folder):
    """The class with files that are complete or not there. KerasTuner writes over its files in place."""

    class Durable(oracle_class):
        def save(self):
            with written_beside(folder / ORACLE_FILE) as side:
                side.write_text(json.dumps(self.get_state()), encoding="utf-8")

        def _save_trial(self, trial):
            file = folder / f"trial_{trial.trial_id}" / "trial.json"
            file.parent.mkdir(parents=True, exist_ok=True)
            with written_beside(file) as side:
                trial.save(str(side))

        def reload(self):
            super().reload()
            # Killed between writing a trial and noting it: the oracle would count it and never run it.
            for trial_id in set(self.trials) - set(self.start_order):
                del self.trials[trial_id]
            # Noted as under way until the next one begins: KerasTuner takes a trial off its list behind the saving.
            ended = {trial_id for trial_id, trial in self.trials.items() if trial.status in _ENDED}
            self._retry_queue = [trial_id for trial_id in self._retry_queue if trial_id not in ended]

    return Durable


def hyperband_trials(max_epochs: int, factor: int) -> tuple[int, int]:
    """How many trials a pass of Hyperband makes, and how many epochs all together, as KerasTuner counts.

    Reference: Li et al., Hyperband, JMLR 18 (2018), algorithm 1.
    """
    brackets = 1
    while max_epochs / factor**brackets >= 1:
        brackets += 1
    at_full_length = math.ceil(1 + math.log(max_epochs, factor))
    trials = epochs = 0
    for bracket in range(brackets):
        before = 0
        for halving in range(bracket, -1, -1):
            size = math.ceil(at_full_length / (bracket + 1) * factor**halving)
            length = math.ceil(max_epochs / factor**halving)
            trials, epochs, before = trials + size, epochs + size * (length - before), length
    return trials, epochs
