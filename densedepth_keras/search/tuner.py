"""KerasTuner's loop over trials, with our runs inside."""

import time
from collections.abc import Callable
from pathlib import Path

from densedepth_keras.search.oracles import OBJECTIVE, ORACLE_FILE
from densedepth_keras.search.trials import COMPLETED, Outcome

TUNER_FOLDER = "tuner"
"""KerasTuner's, in a search folder."""

_IDLE_SECONDS = 1.0


def make_tuner(oracle, folder: Path, run: Callable[..., Outcome] | None, is_there: Callable[[], None] = lambda: None):
    """A tuner whose `search()` asks the oracle for values and trains with them, until there are no more.

    Args:
        oracle: a `keras_tuner.Oracle`; what it noted in the folder before is taken up again, unless a chief does that.
        folder: of the search.
        run: `Trials.run`; None of a chief, which trains nothing.
        is_there: called before the oracle is asked or told anything; raises what is to end the search.

    Returns:
        A `keras_tuner.engine.base_tuner.BaseTuner`.
    """
    import keras_tuner

    class Tuner(keras_tuner.engine.base_tuner.BaseTuner):
        """The hooks that KerasTuner documents, and nothing else."""

        outcome: Outcome | None = None
        waits = False

        def pre_create_trial(self):
            if self.waits:  # the oracle had nothing: KerasTuner would ask again at once, and again
                time.sleep(_IDLE_SECONDS)
            self.waits = True
            is_there()

        def on_trial_begin(self, trial):
            self.waits = False

        def run_trial(self, trial):
            try:
                self.outcome = run(trial.trial_id, **_arguments(trial.hyperparameters.values))
                is_there()
            except Exception as error:  # KerasTuner would call any error a failed trial and go on
                raise keras_tuner.errors.FatalError(str(error)) from error
            return {OBJECTIVE: float("inf") if self.outcome.val_rmse is None else self.outcome.val_rmse}

        def on_trial_end(self, trial):
            if self.outcome.status != COMPLETED:
                trial.status, trial.message = "FAILED", self.outcome.reason
            super().on_trial_end(trial)

        def save(self):
            """The oracle saves itself, as each trial begins and ends."""

    tuner = Tuner(oracle, directory=str(folder), project_name=TUNER_FOLDER)
    if (folder / TUNER_FOLDER / ORACLE_FILE).exists() and tuner.oracle is oracle:
        oracle.reload()
    return tuner


def _arguments(values):
    """A trial's values as arguments of `Trials.run`; Hyperband puts its own among them."""
    own = {name.removeprefix("tuner/"): value for name, value in values.items() if name.startswith("tuner/")}
    asked = {name: value for name, value in values.items() if not name.startswith("tuner/")}
    return {
        "values": asked,
        "epochs": own.get("epochs"),
        "after": own.get("trial_id") if own.get("initial_epoch") else None,
    }
