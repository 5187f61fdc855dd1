"""Searches: with a training that only pretends, then a real one, killed and resumed, and one of a chief and workers."""

import csv
import itertools
import json
import math
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from densedepth_keras.config import TrainConfig
from densedepth_keras.config.search import SearchConfig
from densedepth_keras.data.augment import PRESETS
from densedepth_keras.distribution import open_distribution
from densedepth_keras.models.build import output_size
from densedepth_keras.search import findings, folder, roles, search, shared_data, trials
from densedepth_keras.search.figures import plot_parallel, plot_rates
from densedepth_keras.search.findings import PARALLEL_FILE, RATES_FILE
from densedepth_keras.search.oracles import hyperband_trials, make_oracle
from densedepth_keras.search.shared_data import SharedData
from densedepth_keras.search.space import dimensions, trial_config
from densedepth_keras.search.trials import Outcome
from densedepth_keras.search.tuner import make_tuner
from densedepth_keras.training import Run
from densedepth_keras.training_data import open_training_data

ROOT = Path(__file__).resolve().parents[1]
UNET = {"architecture": "unet", "base_filters": 2, "image_size": (32, 32), "limit": 8, "batch_size": 4}
SMALL = {**UNET, "epochs": 1, "schedule": "constant", "name": "s"}


def small(tmp_path, **more):
    return SearchConfig(**{**SMALL, "output_dir": str(tmp_path), **more})


def bowl(config):
    """What the pretended training reaches: lowest at 1e-3 and 0.1."""
    rate, weight = math.log10(config.learning_rate) + 3, math.log10(config.depth_weight) + 1
    return 0.5 + 0.1 * rate**2 + 0.2 * weight**2 + 0.01 * config.seed - 0.001 * config.epochs


class Pretended:
    """In place of `train`: no network, but the folder and the answer of a run."""

    def __init__(self):
        self.calls = []
        self.before = lambda config: None

    def __call__(self, config, announce, *, resume, force, folder, data):
        config = config.resolved()
        self.before(config)
        self.calls.append({"config": config, "resume": resume, "force": force, "folder": folder})
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps(config.to_json()))
        return Run(folder, config.epochs, bowl(config), 1.5, {})

    def values(self):
        return [(call["config"].learning_rate, call["config"].depth_weight) for call in self.calls]


class NoData:
    fingerprint = "80 rows 1a2b"

    def __init__(self, config, announce):
        pass

    def of(self, config):
        return None


@pytest.fixture
def pretended(monkeypatch):
    pretended = Pretended()
    monkeypatch.setattr(trials, "train", pretended)
    monkeypatch.setattr(trials, "SharedData", NoData)
    monkeypatch.setattr(trials, "_forget_models", lambda: None)
    monkeypatch.setattr(folder, "provenance", dict)
    monkeypatch.setattr(findings, "plot_rates", lambda *arguments: None)
    monkeypatch.setattr(findings, "plot_parallel", lambda *arguments: None)
    return pretended


def table(folder):
    with open(folder / "trials.csv", newline="") as file:
        return list(csv.DictReader(file))


# ------------------------------------------------------------------------------------------------ what is asked


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"tuner": "bayes"}, r"Unknown tuner.*tuner='bayes'.*Did you mean 'bayesian'"),
        ({"max_trials": 0}, r"`max_trials` must be at least 1.*max_trials=0"),
        ({"executions_per_trial": 0}, r"executions_per_trial=0"),
        ({"learning_rate_range": (1e-2, 1e-5)}, r"lower one first. Received: learning_rate_range=\(0.01, 1e-05\)"),
        ({"depth_weight_range": (0.0, 1.0)}, r"positive numbers.*depth_weight_range"),
        ({"search_batch_size": (4, 4)}, r"none of them twice.*search_batch_size=\(4, 4\)"),
        ({"search_encoder_scale": ()}, r"a U-Net has no such part. Received: search_encoder_scale=\(0.01, 1.0\)"),
        ({"search_decoder_filters": (64,)}, r"a U-Net has no such part"),
        ({"factor": 4}, r"it belongs to hyperband. Received: factor=4"),
        ({"tuner": "hyperband", "max_trials": 9, "epochs": 9}, r"follows from its epochs and factor.*max_trials=9"),
        ({"tuner": "hyperband", "epochs": 2}, r"epochs=2, factor=3"),
        ({"num_processes": 2}, r"a search has a chief and workers instead. Received: num_processes=2"),
    ],
)
def test_a_config_that_cannot_be_is_refused(more, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        small(tmp_path, **more)


def test_more_refusals_of_a_config(tmp_path):
    with pytest.raises(ValueError, match=r"multiples of 16.*search_decoder_filters=\(64, 65\)"):
        SearchConfig(search_decoder_filters=(64, 65))
    with pytest.raises(ValueError, match="needs an encoder that is trained"):
        SearchConfig(search_encoder_scale=(0.1, 1), freeze_encoder=True)
    with pytest.raises(ValueError, match=r"shortest trials would end before. Received: unfreeze_at=2"):
        SearchConfig(tuner="hyperband", schedule="constant", epochs=9, unfreeze_at=2).resolved()
    assert SearchConfig(search_encoder_scale=[], freeze_encoder=True, unfreeze_at=1).search_encoder_scale == (0.01, 1)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"learning_rate": 1e-4}, r"`learning_rate` is searched within `learning_rate_range`.*learning_rate=0.0001"),
        ({"depth_weight": 0.5}, r"`depth_weight` is searched within"),
        ({"learning_rate_range": (1e-3, 1e-3), "depth_weight_range": (0.1, 0.1)}, "Nothing is searched"),
        ({"tuner": "grid", "max_trials": 3}, r"smallest grid over learning_rate, depth_weight has 4 points"),
        ({"search_augment": ("none", "papr")}, r"Did you mean 'paper'"),
        ({"resume": True}, r"No such search to go on with"),
        ({"tuner": "hyperband", "epochs": 9, "schedule": "cosine"}, r"expected --schedule constant.*schedule='cosine'"),
        ({"tuner": "hyperband", "epochs": 9, "warmup_epochs": 1}, r"no --warmup-epochs.*warmup_epochs=1"),
    ],
)
def test_a_search_that_cannot_be_leaves_no_folder(more, message, tmp_path, pretended):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        search(small(tmp_path, **more))
    assert list(tmp_path.iterdir()) == []
    assert pretended.calls == []


def test_config_survives_json_and_gives_a_run_without_what_is_the_searchs(tmp_path):
    config = small(tmp_path, search_batch_size=[2, 4], tuner="grid", seed=3).resolved()
    assert SearchConfig.from_json(json.loads(json.dumps(config.to_json()))) == config
    run = config.train_config(learning_rate=0.5)
    assert type(run) is TrainConfig
    assert (run.learning_rate, run.seed, run.name, run.base_filters) == (0.5, 3, None, 2)


def test_dimensions_are_what_varies(tmp_path):
    config = small(tmp_path, learning_rate_range=(1e-3, 1e-3), search_augment=("none", "paper"), search_batch_size=(4,))
    found = dimensions(config.resolved())
    assert [each.field for each in found] == ["depth_weight", "augment"]
    run = trial_config(config.resolved(), {"depth_weight": 0.2, "augment": "none"}, epochs=None, execution=2)
    assert (run.learning_rate, run.batch_size, run.augment, run.seed) == (1e-3, 4, "none", 2)
    assert [each.field for each in dimensions(small(tmp_path, loss="l1").resolved())] == ["learning_rate"]


def test_a_grid_cuts_ranges_into_as_many_points_as_trials_allow(tmp_path):
    rates, weights = dimensions(small(tmp_path, tuner="grid", max_trials=12).resolved())
    assert rates.values == (1e-5, 1e-4, 1e-3, 1e-2)  # 4 x 3 = 12; evenly on a log scale
    assert weights.values == (0.01, 0.1, 1.0)


# ------------------------------------------------------------------------------------------------ a whole search


def test_random_search_leaves_a_table_pictures_and_the_best_config(tmp_path, pretended):
    lines = []
    found = search(small(tmp_path, max_trials=5), lines.append)
    place = tmp_path / "s"
    rows = table(place)
    assert [row["trial"] for row in rows] == list("01234")
    assert [float(row["val_rmse"]) for row in rows] == [bowl(call["config"]) for call in pretended.calls]
    assert {row["status"] for row in rows} == {"completed"}
    lowest = min(pretended.calls, key=lambda call: bowl(call["config"]))["config"]
    assert found.best.val_rmse == bowl(lowest)
    best = json.loads((place / "best_config.json").read_text())
    assert (best["learning_rate"], best["depth_weight"]) == (lowest.learning_rate, lowest.depth_weight)
    assert not {"tuner", "max_trials", "resume"} & set(best)
    assert best["name"] is best["limit"] is None
    assert TrainConfig.from_json({**best, "limit": 8}).resolved() == lowest
    assert all((place / "trials" / row["trial"] / "config.json").exists() for row in rows)
    assert f"\nNext: python train.py --config {place / 'best_config.json'}" in lines
    assert any(line.startswith("Random search over learning rate 1e-05..0.01 x lambda 0.01..1") for line in lines)
    assert SearchConfig.from_json(json.loads((place / "search.json").read_text())).max_trials == 5


def test_values_follow_from_the_seed_and_lie_within_the_ranges(tmp_path, pretended):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        search(small(tmp_path, max_trials=6, name=name, seed=seed))
    a, b, c = (pretended.values()[start : start + 6] for start in (0, 6, 12))
    assert a == b != c
    assert all(1e-5 <= rate <= 1e-2 and 0.01 <= weight <= 1 for rate, weight in a)
    assert len({rate for rate, _ in a}) == 6


def test_executions_differ_in_seed_and_their_mean_counts(tmp_path, pretended):
    found = search(small(tmp_path, max_trials=2, executions_per_trial=3, seed=7))
    assert [call["config"].seed for call in pretended.calls] == [7, 8, 9] * 2
    assert [call["folder"].name for call in pretended.calls[:3]] == ["0-0", "0-1", "0-2"]
    first = [bowl(call["config"]) for call in pretended.calls[:3]]
    assert found.outcomes[0].val_rmse == sum(first) / 3
    assert found.outcomes[0].seconds == 4.5


def test_every_searched_field_reaches_the_run(tmp_path, pretended):
    asked = {
        "search_decoder_filters": (64, 128),
        "search_augment": ("none", "paper"),
        "search_batch_size": (2, 4),
        "search_encoder_scale": (0.1, 1),
    }
    config = SearchConfig(**asked, output_dir=str(tmp_path), name="s", max_trials=12, encoder="mobilenet_v2")
    found = search(config)
    runs = [call["config"] for call in pretended.calls]
    for field in ("decoder_filters", "augment", "batch_size"):
        assert len({getattr(run, field) for run in runs}) == 2, field  # of 12 trials none would miss one of two
    assert len({run.encoder_learning_rate_scale for run in runs}) == 12
    path = tmp_path / "parallel.png"
    plot_parallel(path, dimensions(config.resolved()), found.outcomes)
    assert _colours(path) > 12  # a line each, beside black and white


def _colours(path):
    with Image.open(path) as picture:
        return len(np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0))


@pytest.mark.parametrize("ranges", [{}, {"depth_weight_range": (0.1, 0.1)}, {"learning_rate_range": (1e-3, 1e-3)}])
def test_rmse_is_drawn_over_what_varies_of_rate_and_lambda(ranges, tmp_path, pretended):
    config = small(tmp_path, max_trials=4, search_batch_size=(2, 4), **ranges)
    outcomes = [*search(config).outcomes, Outcome("9", {"learning_rate": 1e-2, "depth_weight": 1.0}, "failed")]
    plot_rates(tmp_path / "rates.png", dimensions(config.resolved()), outcomes)
    with Image.open(tmp_path / "rates.png") as picture:
        assert picture.width == pytest.approx(110 * (4.4 if ranges else 13.6), abs=1)  # one panel or three; rounding
    assert _colours(tmp_path / "rates.png") > 4


def test_one_trial_alone_can_be_drawn(tmp_path, pretended):
    config = small(tmp_path, max_trials=1)
    outcomes = search(config).outcomes
    for draw in (plot_rates, plot_parallel):
        draw(tmp_path / "one.png", dimensions(config.resolved()), outcomes)
        assert _colours(tmp_path / "one.png") > 1


def test_a_grid_visits_every_point_once(tmp_path, pretended):
    search(small(tmp_path, tuner="grid", max_trials=6))
    assert sorted(pretended.values()) == sorted(itertools.product((1e-5, 3.162e-4, 1e-2), (0.01, 1.0)))


def test_bayesian_optimisation_gets_nearer_than_its_first_guesses(tmp_path, pretended):
    pytest.importorskip("sklearn")
    outcomes = search(small(tmp_path, tuner="bayesian", max_trials=14)).outcomes
    guessed, chosen = outcomes[:6], outcomes[6:]
    assert min(each.val_rmse for each in chosen) < min(each.val_rmse for each in guessed)


def test_hyperband_goes_on_with_the_best(tmp_path, pretended):
    found = search(small(tmp_path, tuner="hyperband", epochs=9))
    assert (len(pretended.calls), sum(_new_epochs(pretended.calls))) == hyperband_trials(9, 3)
    promoted = [call for call in pretended.calls if call["resume"] is not None]
    assert len(promoted) == 3 + 1 + 2  # brackets of 9, 5 and 3 trials
    for call in promoted:
        assert call["force"]
        assert call["config"].epochs in (3, 9)
    short = [call for call in pretended.calls if call["config"].epochs == 1]
    lowest = sorted(bowl(call["config"]) for call in short)[:3]
    rungs = [bowl(call["config"]) + 0.002 for call in promoted if call["config"].epochs == 3]
    assert rungs == pytest.approx(lowest, abs=1e-9)  # 0.002: two epochs more; rounding of the sums
    assert found.best.epochs == 9
    assert json.loads((tmp_path / "s" / "best_config.json").read_text())["epochs"] == 9


def _new_epochs(calls):
    return [call["config"].epochs - (0 if call["resume"] is None else call["config"].epochs // 3) for call in calls]


# ------------------------------------------------------------------------------------------------ what goes wrong


def diverge_above(limit):
    def before(config):
        if config.learning_rate > limit:
            raise ValueError("Training diverged: the loss is no finite number in step 3 of epoch 1.\nSecond line")

    return before


def test_a_diverged_trial_is_in_the_table_and_the_search_goes_on(tmp_path, pretended, capsys):
    pretended.before = diverge_above(1e-4)
    lines = []
    found = search(small(tmp_path, max_trials=10), lines.append)
    failed = [each for each in found.outcomes if each.status == "failed"]
    assert len(failed) >= 4  # more than KerasTuner's three in a row would have allowed
    assert len(failed) + len(pretended.calls) == 10
    rows = table(tmp_path / "s")
    assert next(row["reason"] for row in rows if row["status"] == "failed").endswith("in step 3 of epoch 1.")
    assert all(row["val_rmse"] == "" for row in rows if row["status"] == "failed")
    assert found.best.values["learning_rate"] <= 1e-4
    assert any(line.startswith(f"Trial {failed[0].trial}: failed: Training diverged") for line in lines)
    assert "Traceback" not in capsys.readouterr().err


def test_a_search_without_any_success_says_so_and_keeps_the_table(tmp_path, pretended):
    pretended.before = diverge_above(0)
    with pytest.raises(ValueError, match=r"No trial succeeded.*learning_rate_range=\(1e-05, 0.01\)"):
        search(small(tmp_path, max_trials=5))
    assert [row["status"] for row in table(tmp_path / "s")] == ["failed"] * 5
    assert not (tmp_path / "s" / "best_config.json").exists()


def test_an_error_of_every_trial_ends_the_search_as_it_was_raised(tmp_path, pretended, capsys):
    def before(config):
        raise FileNotFoundError("depth_7.png is gone")

    pretended.before = before
    with pytest.raises(FileNotFoundError, match=r"depth_7\.png is gone"):
        search(small(tmp_path, max_trials=5))
    pretended.before = lambda config: None
    assert len(search(small(tmp_path, max_trials=5, resume=True)).outcomes) == 5
    assert "Traceback" not in capsys.readouterr().err


def interrupt_at(number):
    count = itertools.count(1)

    def before(config):
        if next(count) == number:
            raise KeyboardInterrupt("SIGTERM", "stopped in epoch 1")

    return before


@pytest.mark.parametrize("tuner", ["random", "grid"])
def test_an_interrupted_search_goes_on_where_it_was(tuner, tmp_path, pretended):
    search(small(tmp_path, max_trials=6, name="whole", tuner=tuner))
    whole, pretended.calls = pretended.values(), []
    pretended.before = interrupt_at(3)
    with pytest.raises(KeyboardInterrupt) as stop:
        search(small(tmp_path, max_trials=6, tuner=tuner))
    assert stop.value.args[0] == "SIGTERM"
    assert "the same command and --resume" in stop.value.args[1]
    search(small(tmp_path, max_trials=6, tuner=tuner, resume=True))
    assert pretended.values() == whole
    assert len(search(small(tmp_path, max_trials=6, tuner=tuner, resume=True)).outcomes) == 6
    assert len(pretended.calls) == 6  # a search that has ended trains nothing


def test_a_trial_under_way_is_resumed_and_one_that_ended_unnoted_is_not_repeated(tmp_path, pretended):
    pretended.before = interrupt_at(2)
    with pytest.raises(KeyboardInterrupt):
        search(small(tmp_path, max_trials=3))
    run = tmp_path / "s" / "trials" / "1"
    run.mkdir()
    (run / "config.json").write_text("{}")  # begun
    search(small(tmp_path, max_trials=3, resume=True))
    assert [call["resume"] for call in pretended.calls] == [None, run, None]
    (tmp_path / "s" / "tuner" / "oracle.json").unlink()  # as if killed before KerasTuner had noted anything
    assert len(search(small(tmp_path, max_trials=3, resume=True)).outcomes) == 3
    assert len(pretended.calls) == 3


@pytest.mark.filterwarnings(
    "ignore:currentThread:DeprecationWarning", "ignore:getName:DeprecationWarning"
)  # KerasTuner
def test_a_trial_that_was_written_but_not_noted_is_made_again(tmp_path):
    config, place = small(tmp_path, max_trials=3).resolved(), tmp_path / "s"

    def tuner():
        oracle = make_oracle(config, dimensions(config), place / "tuner")
        return make_tuner(oracle, place, run=None)

    first = tuner().oracle
    before = None
    while len(first.trials) < 2:
        before = (place / "tuner" / "oracle.json").read_text() if first.trials else None
        trial = first.create_trial(f"tuner{len(first.trials)}")
    (place / "tuner" / "oracle.json").write_text(before)  # killed between the two files
    again = tuner().oracle
    assert list(again.trials) == ["0"]
    assert again.create_trial("tuner0").trial_id == "0"
    assert again.create_trial("tuner1").hyperparameters.values == trial.hyperparameters.values
    assert not list(place.rglob(".partial-*"))


def test_a_search_goes_on_with_more_trials_but_not_with_another_space(tmp_path, pretended):
    search(small(tmp_path, max_trials=3))
    with pytest.raises(FileExistsError, match=r"left as it is.*--resume.*name='s'"):
        search(small(tmp_path, max_trials=5))
    with pytest.raises(ValueError, match=r"began otherwise") as refusal:
        search(small(tmp_path, max_trials=5, resume=True, epochs=2, learning_rate_range=(1e-5, 1e-3)))
    assert "  epochs: 1 in the search, 2 now" in str(refusal.value)
    assert "  learning_rate_range: (1e-05, 0.01) in the search, (1e-05, 0.001) now" in str(refusal.value)
    assert len(str(refusal.value).splitlines()) == 3
    with pytest.raises(ValueError, match=r"skip_bad_rows: False in the search, True now"):
        search(small(tmp_path, resume=True, skip_bad_rows=True))
    first = pretended.values()
    assert len(search(small(tmp_path, max_trials=5, resume=True)).outcomes) == 5
    assert pretended.values()[:3] == first
    assert len(set(pretended.values())) == 5


def test_a_search_does_not_go_on_with_other_data(tmp_path, pretended, monkeypatch):
    """The trials of before would be compared with those on them."""
    search(small(tmp_path, max_trials=2))
    assert json.loads((tmp_path / "s" / "search.json").read_text())["data_fingerprint"] == NoData.fingerprint
    monkeypatch.setattr(NoData, "fingerprint", "81 rows 3c4d")
    with pytest.raises(ValueError, match=r"others than those the search began with.*81 rows 3c4d.*80 rows 1a2b"):
        search(small(tmp_path, max_trials=3, resume=True))
    assert len(pretended.calls) == 2


def test_a_damaged_search_is_named(tmp_path, pretended):
    search(small(tmp_path, max_trials=1))
    file = tmp_path / "s" / "search.json"
    values = json.loads(file.read_text())
    for content in ("[]", "{", json.dumps({**values, "epochs": "one"})):
        file.write_text(content)
        with pytest.raises(ValueError, match=r"Not the search.json of a search: .*s/search\.json"):
            search(small(tmp_path, max_trials=2, resume=True))


def test_the_lowest_so_far_is_that_of_all_trials_after_a_resume_too(tmp_path, pretended):
    lowest = search(small(tmp_path, max_trials=5)).best
    lines = []
    outcomes = search(small(tmp_path, max_trials=6, resume=True), lines.append).outcomes
    assert outcomes[5].val_rmse > lowest.val_rmse  # or the line would be right by itself
    said = [line for line in lines if "lowest so far" in line]
    assert len(said) == 1  # what had ended is not begun again
    assert said[0].endswith(f"lowest so far {lowest.val_rmse:.4f} m (trial {lowest.trial})")


def test_a_folder_that_is_no_search_is_left_alone(tmp_path, pretended):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "thesis.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="is no search"):
        search(small(tmp_path))
    assert [path.name for path in (tmp_path / "s").iterdir()] == ["thesis.txt"]


# ------------------------------------------------------------------------------------------------ chief and workers


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "alone"),
        ({"KERASTUNER_TUNER_ID": "tuner0"}, "alone"),
        ({"KERASTUNER_TUNER_ID": "chief", "KERASTUNER_ORACLE_IP": "::1", "KERASTUNER_ORACLE_PORT": "8000"}, "chief"),
        ({"KERASTUNER_TUNER_ID": "t1", "KERASTUNER_ORACLE_IP": "::1", "KERASTUNER_ORACLE_PORT": "8000"}, "worker"),
        ({"KERASTUNER_TUNER_ID": "t1", "KERASTUNER_ORACLE_IP": "::1"}, "Missing: KERASTUNER_ORACLE_PORT"),
        ({"KERASTUNER_ORACLE_IP": "::1", "KERASTUNER_ORACLE_PORT": "80"}, "Missing: KERASTUNER_TUNER_ID"),
        ({"KERASTUNER_TUNER_ID": "t", "KERASTUNER_ORACLE_IP": "x", "KERASTUNER_ORACLE_PORT": "http"}, "must be a port"),
    ],
)
def test_the_environment_says_what_a_process_is(environment, expected):
    if expected in ("alone", "chief", "worker"):
        assert roles.role(environment) == expected
        return
    with pytest.raises(ValueError, match=expected):
        roles.role(environment)


@pytest.fixture
def chief_port(monkeypatch):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setenv("KERASTUNER_TUNER_ID", "tuner0")
    monkeypatch.setenv("KERASTUNER_ORACLE_IP", "127.0.0.1")
    monkeypatch.setenv("KERASTUNER_ORACLE_PORT", str(port))
    return port


def test_a_worker_does_not_wait_for_ever(chief_port):
    with pytest.raises(ConnectionError, match=rf"has not answered.*127.0.0.1:{chief_port}"):
        roles.chief_answers(lambda: False, patience=0.0)
    assert roles.chief_answers(lambda: True, patience=0.0) is False
    with socket.socket() as chief:
        chief.bind(("127.0.0.1", chief_port))
        chief.listen()
        assert roles.chief_answers(lambda: False, patience=0.0) is True


def test_a_chief_without_a_port_of_its_own_is_refused(chief_port, tmp_path, monkeypatch):
    monkeypatch.setenv("KERASTUNER_TUNER_ID", "chief")
    with socket.socket() as other:
        other.bind(("127.0.0.1", chief_port))
        other.listen()
        with pytest.raises(OSError, match=rf"cannot listen there.*KERASTUNER_ORACLE_PORT={chief_port}"):
            search(small(tmp_path))
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------------------------------------ shared data


@pytest.fixture
def opened(monkeypatch):
    """How often data were opened and looked at."""
    calls = []

    def counted(*arguments, **options):
        calls.append(arguments)
        return open_training_data(*arguments, **options)

    monkeypatch.setattr(shared_data, "open_training_data", counted)
    return calls


def test_a_search_asks_for_devices_as_a_run_does(own_data, monkeypatch):
    """JAX hears of determinism before its first computation, or never."""
    asked = []

    def noted(distribute, **options):
        asked.append(options)
        return open_distribution(distribute, batch_size=options["batch_size"])

    monkeypatch.setattr(shared_data, "open_distribution", noted)
    where = {"dataset": "folder", "data_dir": str(own_data), "depth_unit": "mm", "batch_size": 2}
    network = {name: UNET[name] for name in ("architecture", "base_filters", "image_size")}
    SharedData(SearchConfig(**where, **network, deterministic=True).resolved(), lambda line: None)
    assert asked == [{"batch_size": 2, "deterministic": True}]


@pytest.mark.parametrize("augment", ["none", "paper", "strong"])
def test_shared_data_are_those_a_run_would_open_itself(augment, own_data, opened):
    asked = {
        "dataset": "folder",
        "data_dir": str(own_data),
        "depth_unit": "mm",
        "search_batch_size": (2, 4),
        "search_augment": ("none", "paper", "strong"),
        **{name: UNET[name] for name in ("architecture", "base_filters", "image_size")},
    }
    shared = SharedData(SearchConfig(**asked).resolved(), lambda line: None)
    for batch_size, seed in ((2, 0), (4, 1)):
        config = SearchConfig(**asked).train_config(batch_size=batch_size, seed=seed, augment=augment).resolved()
        data = shared.of(config)
        own = open_training_data(config, output_size((32, 32), "unet", False), lambda line: None)
        assert data.fingerprint == own.fingerprint
        for ours, theirs in ((data.training, own.training), (data.validation, own.validation)):
            for epoch, step in ((0, 0), (1, ours.steps_per_epoch - 1)):
                batches = [each.batch(epoch, each.indices(epoch, step)) for each in (ours, theirs)]
                for part, expected in zip(*batches, strict=True):
                    np.testing.assert_array_equal(part, expected)
        assert data.training.source.row_name(1) == own.training.source.row_name(1)
    assert PRESETS["strong"].needs_source  # or the case above would not be two
    assert len(opened) == 1


def test_a_batch_larger_than_the_data_is_refused_before_there_is_a_folder(own_data, tmp_path):
    where = {"dataset": "folder", "data_dir": str(own_data), "depth_unit": "mm", "search_batch_size": (2, 64)}
    with pytest.raises(ValueError, match="batch_size=64"):
        search(small(tmp_path / "runs", **where))
    assert not (tmp_path / "runs").exists()


# ------------------------------------------------------------------------------------------------ the real thing

SCRIPT = """
import json, sys
from densedepth_keras.config.search import SearchConfig
from densedepth_keras.search import search
with open(sys.argv[1]) as file:
    config = SearchConfig.from_json(json.load(file))
search(config, lambda line: print(line, flush=True))
"""


def start(config, tmp_path, **environment):
    """A search as a process of its own."""
    file = tmp_path / f"asked-{environment.get('KERASTUNER_TUNER_ID', 'alone')}-{config.resume}.json"
    file.write_text(json.dumps(config.to_json()))
    with open(file.with_suffix(".log"), "w") as log:
        return subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(file)],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def logs(tmp_path):
    return "\n".join(f"== {file.name}\n{file.read_text()[-3000:]}" for file in sorted(tmp_path.glob("asked-*.log")))


REAL = {"max_trials": 2, "epochs": 2, "learning_rate_range": (1e-3, 1e-2)}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A real search that nothing disturbs."""
    return search(small(tmp_path_factory.mktemp("whole"), **REAL))


def test_a_real_search_keeps_every_run_and_its_best_config_trains(whole, tmp_path):
    from densedepth_keras.training import train

    assert all((whole.folder / name).exists() for name in (RATES_FILE, PARALLEL_FILE))
    for row in table(whole.folder):
        run = whole.folder / "trials" / row["trial"]
        assert all((run / name).exists() for name in ("config.json", "history.csv", "model.keras", "state.npz"))
        with open(run / "history.csv") as file:
            curve = [float(line["val_rmse"]) for line in csv.DictReader(file)]
        assert min(curve) == pytest.approx(float(row["val_rmse"]), rel=1e-6)  # history.csv may round
        assert curve.index(min(curve)) + 1 == int(row["best_epoch"])
    best = json.loads(whole.best_config.read_text())
    best = TrainConfig.from_json({**best, "limit": UNET["limit"], "output_dir": str(tmp_path)})
    assert train(best).best_rmse == whole.best.val_rmse  # the same run, without the search around it


def test_killed_in_a_trial_a_search_goes_on_to_the_same_end(whole, tmp_path):
    process = start(small(tmp_path, **REAL), tmp_path)
    state = tmp_path / "s" / "trials" / "1" / "state.npz"
    _wait(state.exists, process, tmp_path)
    process.send_signal(signal.SIGKILL)
    process.wait()
    first = (tmp_path / "s" / "trials" / "0" / "model.keras").stat().st_mtime_ns
    killed_with = state.stat().st_mtime_ns
    assert not (tmp_path / "s" / "trials.csv").exists()
    process = start(small(tmp_path, **REAL, resume=True), tmp_path)
    assert process.wait(timeout=250) == 0, logs(tmp_path)
    assert (tmp_path / "s" / "trials" / "0" / "model.keras").stat().st_mtime_ns == first
    assert state.stat().st_mtime_ns > killed_with
    assert "Going on with" in (tmp_path / "s" / "trials" / "1" / "run.log").read_text()
    without_time = [{**row, "seconds": ""} for row in table(tmp_path / "s")]
    assert without_time == [{**row, "seconds": ""} for row in table(whole.folder)]  # to the last digit


def _wait(condition, process, tmp_path, seconds=250):
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, logs(tmp_path)
        assert time.monotonic() < deadline, logs(tmp_path)
        time.sleep(0.02)


def test_a_chief_and_two_workers_share_a_search_and_end(chief_port, tmp_path):
    config = small(tmp_path, max_trials=4)
    names = ("chief", "tuner0", "tuner1")
    processes = {name: start(config, tmp_path, KERASTUNER_TUNER_ID=name) for name in names}
    try:
        for name in names[::-1]:
            assert processes[name].wait(timeout=250) == 0, logs(tmp_path)
    finally:
        for process in processes.values():
            process.kill()
            process.wait()
    rows = table(tmp_path / "s")
    assert [row["status"] for row in rows] == ["completed"] * 4
    assert [float(row["val_rmse"]) for row in rows] == [
        _lowest(tmp_path / "s" / "trials" / row["trial"]) for row in rows
    ]
    counts = [(tmp_path / f"asked-{name}-False.log").read_text().count(": val_rmse ") for name in names[1:]]
    assert sum(counts) == 4
    assert TrainConfig.from_json(json.loads((tmp_path / "s" / "best_config.json").read_text())).epochs == 1


def _lowest(run):
    return json.loads((run / "config.json").read_text())["result"]["best_rmse"]


def test_outcomes_are_read_back_or_refused(tmp_path):
    (tmp_path / "trials").mkdir()
    outcome = Outcome("0", {"learning_rate": 0.1}, "completed", 0.5, 1, 1, 2.0)
    (tmp_path / "trials" / "0.json").write_text(json.dumps(outcome._asdict()))
    assert trials.read_outcome(tmp_path, "0") == outcome
    assert trials.read_outcome(tmp_path, "1") is None
    (tmp_path / "trials" / "0.json").write_text("{")
    with pytest.raises(ValueError, match="Not the outcome of a trial"):
        trials.read_outcome(tmp_path, "0")
