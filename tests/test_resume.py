"""Runs that are killed, stopped, damaged or asked for something else, and what becomes of them.

Whatever a run went through, its end must be that of the run which nothing happened to, bit for bit. Real processes are
killed at exact moments by killed_run.py; where nothing has to die, the command runs in this process.
"""

import csv
import io
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import h5py
import keras
import killed_run
import numpy as np
import pytest
from pair_folders import write_pairs
from PIL import Image

from densedepth_keras import cli, fitting, training
from densedepth_keras.callbacks import NanGuard
from densedepth_keras.config import TrainConfig
from densedepth_keras.data import load_dataset
from densedepth_keras.data.pipeline import Pipeline
from densedepth_keras.resuming import find_run
from densedepth_keras.run_folder import read_run
from densedepth_keras.saved_state import read_state

SIZE = "--image-size 32 32 --batch-size 2 --epochs 3"
"""8 images: 4 steps an epoch. All batches are of one size: compiling costs most of the time here."""

LOOP = "--augment --dropout 0.1 --schedule cosine --weight-ema 0.9 --save-every 3"
"""Whatever has a memory or draws random numbers."""

UNET = f"--architecture unet --base-filters 2 --loss l1 {SIZE} {LOOP} --accumulate-steps 2"
PLAIN = "--architecture unet --base-filters 2 --loss l1 --image-size 32 32 --batch-size 5 --optimizer sgd"
PLATEAU = f"{PLAIN} --epochs 8 --steps-per-epoch 1 --schedule plateau --learning-rate 1e-4"
"""Epochs of one step, of 5 images or 3; nothing is learnt in them, so that the rate falls after the 6th."""

UNFROZEN = (
    "--encoder mobilenet_v2 --encoder-weights none --encoder-learning-rate-scale 0.1 --decoder-filters 16 --batch-norm "
    f"--unfreeze-at 2 --train-batch-norm --warmup-epochs 0.5 {SIZE} {LOOP}"
)
CLOCKS = ("seconds", "images_per_second")
"""Columns of the history that no two runs share."""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """`place/data` with 8 training images and 4 to validate; runs lie in `place/runs`."""
    folder = tmp_path_factory.mktemp("place")
    for seed, (split, count) in enumerate((("train", 8), ("validation", 4))):
        write_pairs(folder / "data", split, count, seed=seed)
    return folder


@pytest.fixture(scope="module")
def reference(place):
    """The run that nothing happens to."""
    assert cli.main(command(place, UNET, "reference")) == 0
    return place / "runs" / "reference"


@pytest.fixture(scope="module")
def plateau(place):
    """A cheaper one, without anything random but the order."""
    assert cli.main(command(place, PLATEAU, "plateau")) == 0
    return place / "runs" / "plateau"


@pytest.fixture
def finished(reference, tmp_path):
    """A copy of it, to be spoilt."""
    return Path(shutil.copytree(reference, tmp_path / "runs" / "a"))


def command(place, flags, name, *more):
    where = ["--dataset", "folder", "--data-dir", str(place / "data"), "--depth-unit", "mm"]
    return ["train", *where, "--output-dir", str(place / "runs"), "--name", name, *flags.split(), *more]


def process(moment, arguments) -> subprocess.Popen:
    """The command as a program of its own that a signal hits at a moment."""
    program = [sys.executable, killed_run.__file__, moment, *arguments]
    environment = {**os.environ, "PYTHONHASHSEED": "random"}
    return subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def run_and_kill(moment, arguments):
    killed = process(moment, arguments)
    _, errors = killed.communicate(timeout=400)
    assert killed.returncode == -signal.SIGKILL, (moment, errors[-2000:])


def resumed(arguments, capsys):
    """Runs to the end in this process; returns what was said."""
    return answered([*arguments, "--resume"], capsys)


def answered(arguments, capsys):
    """What a command says that ends well."""
    capsys.readouterr()
    status, output = cli.main(arguments), capsys.readouterr()
    assert status == 0, output.err
    return output.out


def outcome(folder):
    """Everything that must not differ: all variables of the state, the best model, the history, the epoch."""
    state = read_state(folder / "state.npz")
    values = {
        f"{group} {number}": array.tobytes()
        for group, arrays in state.arrays.items()
        for number, array in enumerate(arrays)
    }
    with open(folder / "history.csv", newline="") as file:
        rows = [{name: value for name, value in row.items() if name not in CLOCKS} for row in csv.DictReader(file)]
    position = {name: state.facts[name] for name in ("epoch", "step", "logs")}
    models = {**_weights(folder / "model.keras"), **_weights(folder / "last.keras")}
    return {**values, **models, "history": rows, **position}


def _weights(file):
    found = {}

    def keep(name, item):
        if isinstance(item, h5py.Dataset):
            found[f"{file.name} {name}"] = np.asarray(item).tobytes()

    with zipfile.ZipFile(file) as archive, archive.open("model.weights.h5") as stream, h5py.File(stream, "r") as tree:
        tree.visititems(keep)
    return found


def assert_same(folder, expected):
    """Same end, and nothing but the files of a run left in the folder."""
    a, b = outcome(folder), outcome(expected)
    assert [name for name in a.keys() | b.keys() if a.get(name) != b.get(name)] == []
    assert {path.name for path in folder.iterdir()} == {path.name for path in expected.iterdir()}
    assert json.loads((folder / "config.json").read_text())["result"]["best_rmse"] > 0


def done(folder):
    facts = read_state(folder / "state.npz").facts
    return facts["epoch"], facts["step"]


def refused(arguments, capsys):
    """The error of a command that must end with status 2 and one message."""
    capsys.readouterr()
    status, error = cli.main(arguments), capsys.readouterr().err
    assert status == 2, error
    assert error.count("error:") == 1
    assert "Traceback" not in error
    return error


def moments(rng):
    """In the middle of an epoch, during a save, and between two epochs; the run of 12 steps outlives the first two."""
    step = rng.choice([1, 2, 3, 5, 6, 7])
    between = rng.choice(["validation", "epoch-unsaved", "epoch"])  # the second: before the state of its end is saved
    return f"step:{step}", f"half-written:{rng.integers(1, 3)}", f"{between}:1"


@pytest.mark.timeout(900)  # four programs one after the other, on a machine that may be busy
def test_killed_at_three_random_moments(place, reference, capsys):
    """SIGKILL to a real process, in mid-epoch, during a save and between epochs; each time the same command goes on."""
    folder = place / "runs" / "killed"
    folder.mkdir(parents=True)
    (folder / ".lock").touch()  # as a kill before the first file leaves it: there is nothing to go on with yet
    arguments = command(place, UNET, "killed", "--resume")
    for moment in moments(np.random.default_rng(5)):
        run_and_kill(moment, arguments)
        (folder / f".partial-1-{moment[0]}.npz").touch()  # what a killed writer leaves
    resumed(arguments, capsys)
    assert_same(folder, reference)


@pytest.mark.timeout(900)  # compiles MobileNetV2 four times
def test_an_encoder_frozen_then_unfrozen(place, capsys, monkeypatch):
    """Goes on from what a kill just before the unfreezing leaves, and is killed in the middle of the epoch after."""
    undisturbed, folder = place / "runs" / "undisturbed", place / "runs" / "unfrozen"
    unfreeze, moment = fitting.unfreeze_encoder, np.random.default_rng(0).integers(1, 4)

    def copy_and_unfreeze(*arguments, **named):
        shutil.copytree(undisturbed, folder)
        unfreeze(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(fitting, "unfreeze_encoder", copy_and_unfreeze)
        said = answered(command(place, UNFROZEN, "undisturbed"), capsys)
    assert "Epoch 1/3" in said  # of the whole run, not of its frozen part
    assert "Epoch 3/3" in said
    assert done(folder) == (2, 0)
    arguments = command(place, UNFROZEN, "unfrozen")
    run_and_kill(f"step:{moment}", [*arguments, "--resume"])
    assert "after 2 epochs and" in resumed(arguments, capsys)
    assert_same(folder, undisturbed)


def test_sigterm_saves_and_says_how_to_go_on(place, reference, capsys):
    """A real process; nobody else may train in its folder meanwhile."""
    arguments, folder = command(place, UNET, "stopped"), place / "runs" / "stopped"
    slow = process("slow:1", arguments)
    try:
        _wait_for(folder / "state.npz", slow)
        assert f"Another process (pid {slow.pid}) is training" in refused([*arguments, "--resume"], capsys)
        slow.send_signal(signal.SIGTERM)
        began = time.monotonic()
        _, errors = slow.communicate(timeout=60)
        seconds = time.monotonic() - began
    finally:
        slow.kill()
    assert slow.returncode == 143, errors
    assert seconds < 1 + 10  # the step itself takes one
    assert f"all of it saved. Go on with: --resume {folder}" in errors
    assert done(folder) > (0, 0)
    assert f"Going on with {folder} after" in resumed(arguments, capsys)
    assert_same(folder, reference)


def _wait_for(file, running, seconds=120):
    deadline = time.monotonic() + seconds
    while not file.exists():
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_ctrl_c_during_validation(place, plateau, capsys, monkeypatch):
    """The learning rate falls after the resume, counted from before it."""
    arguments, folder = command(place, PLATEAU, "interrupted"), place / "runs" / "interrupted"
    with monkeypatch.context() as patch:
        for name in ("on_test_begin", "on_test_batch_end"):  # put back at the end
            patch.setattr(fitting.StateSaver, name, getattr(fitting.StateSaver, name))
        killed_run.MOMENTS["validation"](killed_run.Strike(4, signal.SIGINT))
        assert cli.main(arguments) == 130
    assert "stopped in epoch 4 of 8 after 1 of 1 steps" in capsys.readouterr().err
    assert done(folder) == (3, 1)
    resumed(arguments, capsys)
    assert_same(folder, plateau)
    rates = [float(row["learning_rate"]) for row in outcome(folder)["history"]]
    assert rates == pytest.approx([1e-4] * 6 + [9e-5] * 2, rel=1e-6)  # float32


def test_config_repeats_a_run_and_a_full_disk_keeps_its_last_state(place, reference, capsys, monkeypatch):
    """Settings from config.json alone; the third save fails as on a full disk, in the middle."""
    arguments = ["train", "--config", str(reference / "config.json"), "--output-dir", str(place / "runs"), "--name"]
    folder, saves = place / "runs" / "full", []
    with monkeypatch.context() as patch:
        patch.setattr(fitting, "save_state", lambda *given: _save_on_a_full_disk(saves, *given))
        error = refused([*arguments, "full"], capsys)
    assert f"The state could not be saved as {folder / 'state.npz'}" in error
    assert "the last good one is kept" in error
    assert done(folder) == (1, 0)
    assert not list(folder.glob(".partial-*"))
    assert find_run(place / "runs") == folder  # the one that has not ended
    resumed([*arguments, "full"], capsys)
    assert_same(folder, reference)


def _save_on_a_full_disk(saves, path, *given):
    """The third time, files cannot grow beyond half a state."""
    saves.append(path)
    if len(saves) != 3:
        return real_save(path, *given)
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size // 2, limits[1]))
    try:
        return real_save(path, *given)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


real_save = fitting.save_state


def test_without_a_state_a_run_starts_over(plateau, tmp_path, capsys):
    """Killed before the first save: only its settings are there."""
    folder = tmp_path / "runs" / "a"
    folder.mkdir(parents=True)
    shutil.copy(plateau / "config.json", folder)
    _unfinish(folder)
    assert "has no saved state yet: it starts over" in resumed(
        ["train", "--output-dir", str(tmp_path / "runs")], capsys
    )
    assert_same(folder, plateau)


def _unfinish(folder):
    values = json.loads((folder / "config.json").read_text())
    del values["result"]
    (folder / "config.json").write_text(json.dumps(values))


def test_more_epochs_need_force(plateau, tmp_path, capsys):
    folder = Path(shutil.copytree(plateau, tmp_path / "a"))
    more = ["train", "--resume", str(folder), "--epochs", "9"]
    error = refused(more, capsys)
    assert "--force goes on all the same" in error
    assert "epochs: 8 in the run, 9 now" in error
    assert "changed under way:  epochs: 8 in the run, 9 now" in answered([*more, "--force"], capsys)
    assert done(folder) == (9, 0)
    rows = outcome(folder)["history"]
    assert rows[:8] == outcome(plateau)["history"]
    assert len(rows) == 9
    values = json.loads((folder / "config.json").read_text())
    assert values["epochs"] == values["result"]["epochs"] == 9
    assert len(values["resumed"]) == 1


def test_divergence_is_named_and_keeps_the_state(finished, monkeypatch, capsys):
    """The loss is made NaN where the guard reads it: at which step a far too high rate does that depends on the CPU."""
    guard = NanGuard.on_train_batch_end
    spoilt = {"loss": float("nan")}
    monkeypatch.setattr(
        NanGuard, "on_train_batch_end", lambda self, batch, logs=None: guard(self, batch, {**logs, **spoilt})
    )
    before = (finished / "state.npz").read_bytes()
    error = refused(["train", "--resume", str(finished), "--epochs", "4", "--force"], capsys)
    in_step = r"the loss is no finite number in step 1 of epoch 4\. Rows of that batch: Row \d+ of"
    assert re.search(in_step, error), error
    assert f"model.keras and state.npz of before are kept in {finished}" in error
    assert (finished / "state.npz").read_bytes() == before


def test_patience_ends_a_run_for_good(place, capsys):
    flags = f"{PLAIN} --epochs 6 --patience 1 --learning-rate 1e-30"
    arguments, folder = command(place, flags, "patient"), place / "runs" / "patient"
    assert cli.main(arguments) == 0
    said = capsys.readouterr().out
    assert re.search(r"Stopped early \(--patience 1\): val_rmse has not fallen below \d+\.\d{3} m\.", said)
    assert done(folder) == (2, 0)
    for same in ([], ["--epochs", "5", "--force"]):  # it was not the number of epochs that ended it
        said = resumed([*arguments, *same], capsys)
        assert f"{folder} has ended after 2 epochs; a larger --patience, with --force, goes on." in said
    assert done(folder) == (2, 0)
    answered([*arguments, "--patience", "3", "--resume", "--force"], capsys)
    assert done(folder) == (4, 0)  # two epochs more without gain


def test_last_keras_is_what_the_last_epoch_was_judged_by(reference, place):
    """Of averaged weights here; and it is evaluated with the run's settings."""
    run, config = read_run(reference / "last.keras")
    assert (run, config.epochs) == (reference, 3)
    model = keras.saving.load_model(reference / "last.keras", compile=False)
    source = load_dataset("folder", "validation", data_dir=str(place / "data"), depth_unit="mm")
    images, depths = Pipeline(source, image_size=(32, 32), depth_size=(32, 32), batch_size=4).batch(0, range(4))
    error = np.clip(model.predict_on_batch(images), 0.1, 10) - depths
    last = outcome(reference)["history"][-1]
    assert np.sqrt(np.mean(error**2)) == pytest.approx(float(last["val_rmse"]), rel=1e-5)  # float32 sums


def test_a_run_without_its_state_is_not_started_over(finished, capsys):
    """It was deleted, or the run is of a version that kept none: the model that is there would be written over."""
    model = (finished / "model.keras").read_bytes()
    (finished / "state.npz").unlink()
    arguments = ["train", "--resume", str(finished)]
    for unfinished in (False, True):
        if unfinished:
            _unfinish(finished)
        error = refused([*arguments, "--epochs", "4", "--force"], capsys)
        assert f"no state.npz to go on from: start a new run with --init-from {finished}" in error
    assert (finished / "model.keras").read_bytes() == model
    going = finished.with_name("going")
    going.mkdir()
    shutil.copy(finished / "config.json", going)
    os.utime(finished / "config.json")  # the newest, but there is nothing to go on with
    assert find_run(finished.parent) == going


def test_what_a_run_was_started_from_may_be_gone_but_is_not_exchanged(plateau, place, tmp_path, capsys):
    start, flags = Path(shutil.copytree(plateau, tmp_path / "start")), PLAIN + " --epochs 1"
    arguments = command(place, flags, "child", "--output-dir", str(tmp_path / "runs"), "--init-from", str(start))
    answered(arguments, capsys)
    shutil.rmtree(start)
    _unfinish(tmp_path / "runs" / "child")
    assert "after 1 epochs and 0 steps" in resumed(arguments, capsys)
    error = refused([*arguments[:-1], str(plateau), "--resume", "--force"], capsys)
    assert f"init_from: '{start}' in the run, '{plateau}' now" in error


def test_another_learning_rate_on_a_plateau_counts_from_the_resume_on(plateau, tmp_path, capsys):
    """And what the plateau made of it stays when the run is resumed once more."""
    folder = Path(shutil.copytree(plateau, tmp_path / "a"))
    more = ["train", "--resume", str(folder), "--force", "--epochs"]
    answered([*more, "9", "--learning-rate", "9.5e-5"], capsys)
    answered([*more, "15"], capsys)
    rates = [float(row["learning_rate"]) for row in outcome(folder)["history"]]
    assert rates[8] == pytest.approx(9.5e-5, rel=1e-6)  # float32
    assert rates[-1] == pytest.approx(9e-5, rel=1e-6)


def test_files_of_an_ended_run_that_cannot_be_read(finished, capsys):
    arguments = ["train", "--resume", str(finished)]
    for content in ("", "epoch,loss\n0,much\n", "epoch,loss\n0\n"):
        (finished / "history.csv").write_text(content)
        assert "The run's history cannot be read: " in refused(arguments, capsys)
    values = json.loads((finished / "config.json").read_text())
    for result in (None, {"best_epoch": 1}, {**values["result"], "epochs": "2"}, 5):
        (finished / "config.json").write_text(json.dumps({**values, "result": result}))
        assert "its result is incomplete" in refused(arguments, capsys)


def test_a_config_that_lost_what_its_encoder_began_with(finished, capsys):
    values = json.loads((finished / "config.json").read_text())
    for name in ("encoder_start", "result"):
        del values[name]
    (finished / "config.json").write_text(json.dumps(values))
    before = {file.name: file.read_bytes() for file in finished.iterdir() if file.is_file()}
    assert "does not say what the encoder began with (encoder_start)" in refused(
        ["train", "--resume", str(finished)], capsys
    )
    assert {file.name: file.read_bytes() for file in finished.iterdir() if file.is_file()} == before


def test_a_finished_run_is_answered_however_it_is_called(finished, capsys):
    """By path, by name, with --name, and as the newest; nothing in it changes."""
    before = {path.name: path.stat().st_mtime_ns for path in finished.iterdir()}
    where = ["--output-dir", str(finished.parent)]
    calls = (["--resume", str(finished)], *(["--resume", *which, *where] for which in (["a"], ["--name", "a"], [])))
    for flags in calls:
        said = answered(["train", *flags], capsys)
        assert f"{finished} has ended after 3 epochs; --epochs N --force goes on." in said
        assert "Best epoch" in said
    assert {path.name: path.stat().st_mtime_ns for path in finished.iterdir()} == before


OTHERWISE = {
    "network": ("--base-filters 4 --dropout 0.2", "base_filters: 2 in the run, 4 now", "dropout: 0.1 in the run, 0.2"),
    "architecture": (
        "--architecture densedepth --encoder mobilenet_v2",
        "architecture: 'unet' in the run, 'densedepth' now",
    ),
    "loop": ("--seed 1 --batch-size 5", "seed: 0 in the run, 1 now", "batch_size: 2 in the run, 5 now"),
    "optimizer": ("--optimizer adam --schedule constant", "optimizer: 'amsgrad'", "schedule: 'cosine' in the run"),
    "averages": ("--weight-ema 0.99 --accumulate-steps 1", "weight_ema: 0.9 in the run", "accumulate_steps: 2 in the"),
    "data": ("--limit 5 --max-depth 8", "limit: None in the run, 5 now", "max_depth: 10.0 in the run, 8.0 now"),
}


@pytest.mark.parametrize("kind", OTHERWISE)
def test_another_run_s_state_is_refused_difference_by_difference(kind, reference, capsys):
    flags, *lines = OTHERWISE[kind]
    error = refused(["train", "--resume", str(reference), "--force", *flags.split()], capsys)
    assert all(line in error for line in lines), error
    assert "start a new run (--init-from" in error


def test_data_may_move_but_not_change(finished, reference, place, tmp_path, capsys):
    """Killed after the last save, too: only the end is drawn again."""
    data = Path(shutil.copytree(place / "data", tmp_path / "moved"))
    _unfinish(finished)
    arguments = ["train", "--resume", str(finished), "--data-dir", str(data)]
    assert "after 3 epochs and 0 steps" in answered(arguments, capsys)
    assert_same(finished, reference)
    _unfinish(finished)
    Image.fromarray(np.full((48, 64, 3), 7, np.uint8)).save(data / "train" / "4.png")
    assert "The data are others than those the run began with" in refused(arguments, capsys)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "Expecting value"),
        ("[]", "must be a JSON object"),
        ("{}", "names its dataset"),
        ('{"dataset": "rooms", "epochs": "three"}', "`epochs` must be int | None. Received: epochs='three'"),
        ('{"dataset": "rooms", "epochs": 0}', "`epochs` must be at least 1"),
    ],
)
def test_a_damaged_config_of_a_run_is_named(content, message, tmp_path, capsys):
    file = tmp_path / "a" / "config.json"
    file.parent.mkdir()
    file.write_text(content)
    error = refused(["train", "--resume", str(file.parent)], capsys)
    assert "Not the config.json of a run: " in error
    assert message in error
    assert str(file) in error


def _cut(content):
    return content[: len(content) // 2]


def _flip_a_bit(content):
    """In the last byte of the first weights; what zip notes of versions and times means nothing."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        array = archive.read("model/00000.npy")  # stored, not compressed
    at = content.index(array) + len(array) - 1
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


@pytest.mark.parametrize("damage", [_cut, _flip_a_bit])
def test_a_damaged_state_is_named_and_left_alone(damage, finished, tmp_path, capsys):
    """And what the message advises can be done."""
    _unfinish(finished)
    file = finished / "state.npz"
    file.write_bytes(damage(file.read_bytes()))
    before = file.read_bytes()
    error = refused(["train", "--resume", str(finished)], capsys)
    assert "The saved state cannot be read" in error
    assert "start a new one; --init-from takes over its best weights" in error
    assert str(file) in error
    assert file.read_bytes() == before
    arguments = ["train", "--config", str(finished / "config.json"), "--init-from", str(finished), "--epochs", "1"]
    said = answered([*arguments, "--output-dir", str(tmp_path / "runs"), "--name", "new"], capsys)
    assert f"Weights taken over from {finished / 'model.keras'}" in said


def test_nothing_to_go_on_with(tmp_path, reference, capsys):
    where = ["--output-dir", str(tmp_path)]
    assert "No run below" in refused(["train", "--resume", *where], capsys)
    assert "No such run" in refused(["train", "--resume", "nowhere", *where], capsys)
    assert "No such run" in refused(["train", "--resume", "--name", "nowhere", *where], capsys)
    assert "`force` goes with --resume" in refused(["train", "--force"], capsys)
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.png").touch()
    assert "Not a run folder: there is no config.json" in refused(["train", "--resume", "pictures", *where], capsys)
    file = str(reference / "model.keras")
    assert "model.keras" in refused(["train", "--resume", file], capsys)


REFUSED = {
    "batch larger than the data": ("--batch-size 9", "larger than the training split of 8 samples"),
    "gathers more steps than an epoch has": ("--accumulate-steps 5 --weight-ema", "must be at most 4, the steps of an"),
    "gathers more steps than the run has": ("--accumulate-steps 13", "must be at most 12, the steps of the run"),
    "no decay without adamw": ("--weight-decay 0.1", "`weight_decay` belongs to adamw"),
    "no momentum without sgd": ("--momentum 0.5", "`momentum` belongs to sgd"),
    "warm-up longer than the run": ("--warmup-epochs 3", "`warmup_epochs` must be fewer than the epochs"),
    "warm-up longer than what is left": (
        "--encoder mobilenet_v2 --architecture densedepth --epochs 9 --unfreeze-at 6 --warmup-epochs 4",
        "`warmup_epochs` must be at most 3, the epochs before or from unfreezing",
    ),
    "warm-up before a plateau": ("--warmup-epochs 1 --schedule plateau", "`warmup_epochs` goes before constant"),
    "nothing to unfreeze": ("--unfreeze-at 1", "a U-Net has no encoder"),
    "BatchNorm of what stays frozen": ("--train-batch-norm", "`train_batch_norm` goes with --unfreeze-at"),
    "BatchNorm trained and fixed": (
        "--architecture densedepth --encoder mobilenet_v2 --unfreeze-at 1 --train-batch-norm --freeze-batch-norm",
        "`train_batch_norm` and `freeze_batch_norm` contradict each other",
    ),
    "patience": ("--patience 0", "`patience` must be at least 1"),
    "rate": ("--learning-rate nan", "`learning_rate` must be positive"),
    "start that is not there": ("--init-from nowhere", "No run folder and no .keras file"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_bad_input_leaves_nothing(kind, place, tmp_path, capsys):
    flags, message = REFUSED[kind]
    small = f"--architecture unet --base-filters 2 {SIZE}"
    arguments = [*command(place, small, "a"), *flags.split(), "--output-dir", str(tmp_path / "runs")]
    assert message in refused(arguments, capsys)
    assert not (tmp_path / "runs").exists()


def test_parts_of_a_run_are_too_short_to_gather_steps(place, tmp_path, capsys):
    """The frozen part is one epoch of four steps."""
    flags = "--encoder mobilenet_v2 --encoder-weights none --unfreeze-at 1 --accumulate-steps 5"
    arguments = [*command(place, f"{SIZE} {flags}", "a"), "--output-dir", str(tmp_path / "runs")]
    assert "must be at most 4, the steps of the run before or from unfreezing" in refused(arguments, capsys)
    assert not (tmp_path / "runs").exists()


def test_nothing_can_be_written_there(place, tmp_path, capsys):
    (tmp_path / "file").write_text("keep")
    for folder in [tmp_path / "file", *([Path("/proc")] if Path("/proc").exists() else [])]:  # not even by root
        error = refused([*command(place, UNET, "a"), "--output-dir", str(folder)], capsys)
        assert f"output_dir='{folder}'" in error
    assert (tmp_path / "file").read_text() == "keep"


@pytest.fixture
def asked(monkeypatch):
    """The configs that `densedepth train` would train; nothing is trained."""
    configs = []

    def train(config, **named):
        configs.append(config)
        return training.Run(Path("runs/a"), 1, 1.0, 1.0, {})

    monkeypatch.setattr(training, "train", train)
    return configs


def test_flags_beside_a_config_file_win(reference, asked, capsys):
    assert cli.main(["train", "--config", str(reference / "config.json"), "--epochs", "7"]) == 0
    assert cli.main(["train", "--config", str(reference / "config.json"), "--augment", "none", "--name", "b"]) == 0
    values = json.loads((reference / "config.json").read_text())
    expected = TrainConfig.from_json({**values, "name": None, "output_dir": "runs"})  # those are the other run's own
    assert asked[0].to_json() == {**expected.to_json(), "epochs": 7}
    assert asked[1].to_json() == {**expected.to_json(), "augment": "none", "name": "b"}


def test_a_config_file_may_be_a_few_flags(tmp_path, asked, capsys):
    file = tmp_path / "best_config.json"
    file.write_text('{"dataset": "rooms", "learning_rate": 0.002, "rank": 1}')
    assert cli.main(["train", "--config", str(file), "--dataset", "folder", "--data-dir", "x"]) == 0
    assert asked == [TrainConfig(dataset="folder", data_dir="x", learning_rate=0.002)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "Not a JSON file of flags"),
        ("{", "Not a JSON file of flags"),
        ("[1]", "A file of flags must be a JSON object"),
        ('{"dataset": "rooms", "epochs": 0}', "`epochs` must be at least 1"),
        ('{"dataset": "rooms", "epochs": "many"}', "`epochs` must be int | None. Received: epochs='many'"),
        (
            '{"dataset": "rooms", "learning_rates": 1e-3}',
            "Unknown flag 'learning_rates'. Did you mean 'learning_rate'?",
        ),
    ],
)
def test_a_config_file_that_is_none(content, message, tmp_path, asked, capsys):
    file = tmp_path / "a.json"
    if content is not None:
        file.write_text(content)
    assert message in refused(["train", "--config", str(file)], capsys)
    assert asked == []
