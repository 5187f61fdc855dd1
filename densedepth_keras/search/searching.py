"""A search from a config to a folder with its best config: alone, as a chief, or as a worker."""

import contextlib
import warnings
from collections.abc import Callable, Iterator

from densedepth_keras.config.search import SearchConfig
from densedepth_keras.data.augment import parse_augmentation
from densedepth_keras.interruption import run_lock
from densedepth_keras.search.findings import SearchResult, finish, headline, told
from densedepth_keras.search.folder import check_data, check_folder, check_same, folder_of, open_folder
from densedepth_keras.search.oracles import make_oracle
from densedepth_keras.search.roles import check_port_is_free, chief_answers, role
from densedepth_keras.search.space import dimensions
from densedepth_keras.search.table import TABLE_FILE, best_of
from densedepth_keras.search.trials import Trials, earlier_outcomes
from densedepth_keras.search.tuner import TUNER_FOLDER, make_tuner


def search(config: SearchConfig, announce: Callable[[str], None] = lambda line: None) -> SearchResult:
    """Searches for the values of the lowest val_rmse (metres), one run after another.

    Alone, or, where KerasTuner's environment variables say so, as the chief that chooses values for workers, or as a
    worker that trains with them.

    Args:
        config: what to train and what to vary.
        announce: gets every line worth reading; what every run says, once.

    Raises:
        ValueError: bad configuration or bad data; another space than that of the search to go on with; no trial
            succeeded.
        FileExistsError: a search of that name exists, and `resume` was not asked for.
        FileNotFoundError: `resume`, but no such search; data that is not there.
        ImportError: KerasTuner is not installed, or scikit-learn, which `bayesian` needs.
        OSError: the disk is full, the folder cannot be written, no chief answers.
        KeyboardInterrupt: Ctrl-C or SIGTERM; everything is saved.
    """
    _check_given(config)
    config = config.resolved()
    space, folder, part = dimensions(config), folder_of(config), role()
    for augmentation in config.search_augment or ():
        parse_augmentation(augmentation)
    with _explained(folder):
        return (_work if part == "worker" else _lead)(config, space, folder, _once(announce), part)


def _lead(config, space, folder, announce, part):
    """The whole search; a chief's workers do the training."""
    check_folder(config, folder)
    trials = run = None
    if part == "chief":
        check_port_is_free()
    else:
        trials = Trials(config, folder, announce)
        run = told(trials, announce, earlier_outcomes(folder))
    oracle = make_oracle(config, space, folder / TUNER_FOLDER)
    open_folder(config, folder)
    with run_lock(folder):
        if trials is not None:
            check_data(trials.data.fingerprint, folder)
        announce(headline(config, space, folder))
        tuner = make_tuner(oracle, folder, run)
        _run(tuner)
        return finish(config, space, folder, oracle, announce)


def _work(config, space, folder, announce, part):
    """Trains with the chief's values until it has no more."""
    table, outcomes = folder / TABLE_FILE, []
    before = _changed(table)

    def is_there():
        if not chief_answers(has_ended=lambda: _changed(table) != before):
            raise StopIteration

    with contextlib.suppress(StopIteration):
        is_there()
        check_same(config, folder)
        trials = Trials(config, folder, announce)
        check_data(trials.data.fingerprint, folder)
        run = told(trials, announce, outcomes)
        _run(make_tuner(make_oracle(config, space, folder / TUNER_FOLDER), folder, run, is_there))
    announce(f"\nThis worker has run {len(outcomes)} trials; the chief writes what was found into {folder}")
    return SearchResult(folder, outcomes, best_of(outcomes), None)


def _changed(file):
    return file.stat().st_mtime_ns if file.exists() else None


def _run(tuner):
    """The search, with KerasTuner's wrapping taken off what went wrong."""
    import keras_tuner

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "(currentThread|getName)", DeprecationWarning)  # KerasTuner's own calls
        try:
            tuner.search()
        except keras_tuner.errors.FatalError as error:
            raise error.__cause__ or error from None


def _check_given(config):
    """What is searched cannot be given."""
    for name, default in (("learning_rate", None), ("depth_weight", 0.1)):
        value, limits = getattr(config, name), getattr(config, f"{name}_range")
        if value != default:
            raise ValueError(
                f"`{name}` is searched within `{name}_range`; twice the same value there keeps it. "
                f"Received: {name}={value}, {name}_range={limits}"
            )


@contextlib.contextmanager
def _explained(folder) -> Iterator[None]:
    """Says at an interruption how the search goes on, where the run would say how it does."""
    try:
        yield
    except KeyboardInterrupt as stop:
        message = f"the search stops; what was done is kept in {folder}. Go on with: the same command and --resume"
        raise KeyboardInterrupt(stop.args[0] if stop.args else "SIGINT", message) from None


def _once(announce):
    """Every run says the same of its data and its encoder; the first time is enough."""
    said = set()

    def announce_new(line):
        if line not in said:
            said.add(line)
            announce(line)

    return announce_new
