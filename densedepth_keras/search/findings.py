"""What a search says and leaves behind: lines, a table, pictures, and the config to train with."""

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from densedepth_keras.config.search import MAX_TRIALS, SearchConfig
from densedepth_keras.search.figures import plot_parallel, plot_rates
from densedepth_keras.search.oracles import hyperband_trials
from densedepth_keras.search.space import LABELS, Dimension
from densedepth_keras.search.table import TABLE_FILE, best_of, shown, table_text, write_best, write_table
from densedepth_keras.search.trials import COMPLETED, Outcome, Trials, read_outcome

RATES_FILE, PARALLEL_FILE = "rmse_over_rate_and_lambda.png", "parallel_coordinates.png"


class SearchResult(NamedTuple):
    """What a search found.

    Attributes:
        folder: of the search.
        outcomes: of all trials, in their order; a worker has those that it ran.
        best: the completed trial of the lowest val_rmse.
        best_config: file for `train --config`; None of a worker.
    """

    folder: Path
    outcomes: list[Outcome]
    best: Outcome | None
    best_config: Path | None


def headline(config: SearchConfig, space: Sequence[Dimension], folder: Path) -> str:
    """What is about to be searched."""
    what = " x ".join(_extent(each) for each in space)
    if config.tuner == "hyperband":
        trials, epochs = hyperband_trials(config.epochs, config.factor)
        return f"Hyperband over {what}: up to {trials} trials, {epochs} epochs together. Search folder: {folder}"
    count = config.max_trials or MAX_TRIALS
    return f"{config.tuner.capitalize()} search over {what}: up to {count} trials. Search folder: {folder}"


def told(trials: Trials, announce: Callable[[str], None], outcomes: list[Outcome]) -> Callable[..., Outcome]:
    """`trials.run` with a line before and after each trial; `outcomes`, of those before, gets what came of them."""

    def run(trial, values, **options):
        words = ", ".join(f"{LABELS[field]} {shown(value)}" for field, value in values.items())
        announce(f"\nTrial {trial}: {words}")
        outcome = trials.run(trial, values, **options)
        outcomes.append(outcome)
        best = best_of(outcomes)
        standing = "" if best is None else f"; lowest so far {best.val_rmse:.4f} m (trial {best.trial})"
        announce(f"Trial {trial}: {_said(outcome)}{standing}")
        return outcome

    return run


def finish(
    config: SearchConfig, space: Sequence[Dimension], folder: Path, oracle, announce: Callable[[str], None]
) -> SearchResult:
    """Writes trials.csv, the pictures and best_config.json, and announces the table.

    Raises:
        ValueError: no trial succeeded; the table is written all the same.
        OSError: the disk is full.
    """
    outcomes = [_outcome(folder, oracle.get_trial(trial)) for trial in oracle.start_order]
    write_table(folder, space, outcomes)
    announce(f"\n{table_text(space, outcomes)}\n")
    best = best_of(outcomes)
    if best is None:
        raise ValueError(
            "No trial succeeded, so there is no best config: try lower values of --learning-rate-range. The reasons "
            f"are in {folder / TABLE_FILE}. Received: learning_rate_range={config.learning_rate_range}"
        )
    plot_rates(folder / RATES_FILE, space, outcomes)
    plot_parallel(folder / PARALLEL_FILE, space, outcomes)
    file = write_best(folder, config, best)
    announce(f"Lowest: trial {best.trial}, {_said(best)}. Table and pictures: {folder}")
    announce(f"\nNext: python train.py --config {shlex.quote(str(file))}")
    return SearchResult(folder, outcomes, best, file)


def _said(outcome):
    if outcome.status != COMPLETED:
        return f"failed: {outcome.reason}"
    return f"val_rmse {outcome.val_rmse:.4f} m in epoch {outcome.best_epoch}, {outcome.seconds:.0f} s"


def _outcome(folder, trial):
    values = {name: value for name, value in trial.hyperparameters.values.items() if not name.startswith("tuner/")}
    return read_outcome(folder, trial.trial_id) or Outcome(trial.trial_id, values)


def _extent(each):
    if each.is_range:
        return f"{LABELS[each.field]} {shown(each.values[0])}..{shown(each.values[1])}"
    return f"{LABELS[each.field]} {{{', '.join(map(shown, each.values))}}}"
