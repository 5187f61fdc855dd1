"""Callbacks over runs that are made of several `fit` calls, on TensorFlow and, in a process of its own, on JAX."""

import csv
import io
import itertools
import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from matplotlib import colormaps
from PIL import Image

from densedepth_keras.callbacks import (
    AveragedWeights,
    EarlyStopping,
    History,
    NanGuard,
    ReduceOnPlateau,
    RunLog,
    SamplePictures,
    Samples,
    TensorBoard,
)
from densedepth_keras.callbacks.pace import Pace
from densedepth_keras.callbacks.painting import painted_depth, painted_row
from densedepth_keras.plots import COLORMAP

ROOT = Path(__file__).resolve().parents[1]
ONLY_TENSORFLOW = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="starts processes of its own")
ONLY_JAX = pytest.mark.skipif(keras.backend.backend() != "jax", reason="a part of test_all_of_this_on_jax")
BATCHES = 4


def numbers(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


X, Y = numbers(0, 8, 3), numbers(1, 8, 1)
VALIDATION = numbers(2, 6, 3), numbers(3, 6, 1)


def tiny_model(rate=0.1, **options):
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(4, "tanh"), keras.layers.BatchNormalization(), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((3,)), *layers])
    optimizer = keras.optimizers.SGD(rate, momentum=0.9, **options)
    model.compile(optimizer, "mse", metrics=[keras.metrics.RootMeanSquaredError(name="rmse")])
    return model


def fit(model, callbacks, epochs=2, first=0, x=X, y=Y, validation=VALIDATION):
    where = {"epochs": epochs, "initial_epoch": first, "batch_size": len(x) // BATCHES}
    return model.fit(x, y, validation_data=validation, shuffle=False, verbose=0, callbacks=callbacks, **where)


def through_json(state):
    return json.loads(json.dumps(state))


def resumed(old, new):
    new.set_state(through_json(old.state()))
    return new


def epochs_of(callback, model, logs_of_epochs, make):
    """Each epoch in another `fit` of another process; yields the callback after each."""
    for epoch, logs in enumerate(logs_of_epochs):
        callback = resumed(callback, make())
        callback.set_model(model)
        callback.on_train_begin()
        callback.on_epoch_end(epoch, dict(logs))
        yield callback


def test_early_stopping_counts_through_fits_and_processes():
    model = tiny_model()
    logs = [{"val_rmse": value} for value in (float("nan"), 1.0, 0.75, 0.75, float("nan"))]
    stages = epochs_of(EarlyStopping(2), model, logs, lambda: EarlyStopping(2))
    assert [(stage.stopped, stage.wait) for stage in stages] == [
        (False, 1),
        (False, 0),
        (False, 0),
        (False, 1),
        (True, 2),
    ]
    assert model.stop_training
    stopped = resumed(EarlyStopping(2), EarlyStopping(2))
    assert not stopped.stopped


def test_early_stopping_counts_from_its_first_epoch():
    logs = [{"val_rmse": value} for value in (0.5, 0.5, 0.5, 1.0, 0.9, 0.9)]  # worse at first: another phase
    stages = epochs_of(EarlyStopping(1, 3), tiny_model(), logs, lambda: EarlyStopping(1, 3))
    assert [stage.stopped for stage in stages] == [False, False, False, False, False, True]


def test_early_stopping_ends_a_fit_and_says_so():
    stopping, model = EarlyStopping(2), tiny_model(rate=1e-9)  # a rate at which nothing gets better
    model.layers[1].trainable = False  # nor do the batch statistics
    history = fit(model, [stopping], epochs=9).history
    assert stopping.stopped
    assert len(history["val_rmse"]) < 9
    assert resumed(stopping, EarlyStopping(2)).stopped
    assert not resumed(stopping, EarlyStopping(3)).stopped  # asked for more patience, the run goes on


def test_patience_below_one_is_refused():
    with pytest.raises(ValueError, match="patience=0"):
        EarlyStopping(0)


@pytest.mark.parametrize("rate", [1e-2, 1e-4, 5e-5])
def test_plateau_is_that_of_an_uninterrupted_run(rate):
    losses = np.random.default_rng(0).uniform(0.9, 1.0, 40) - 0.004 * np.arange(40) // 8
    oracle = keras.callbacks.ReduceLROnPlateau("val_loss", 0.7, 5, min_lr=0.00009, min_delta=1e-2)
    (whole, expected), (pieces, found) = ((tiny_model(rate), []) for _ in range(2))
    oracle.set_model(whole)
    oracle.on_train_begin()
    logs = [{"val_loss": loss} for loss in losses]
    for epoch, values in enumerate(logs):
        oracle.on_epoch_end(epoch, dict(values))
        expected.append(float(whole.optimizer.learning_rate))
    for _ in epochs_of(ReduceOnPlateau(), pieces, logs, ReduceOnPlateau):
        found.append(float(pieces.optimizer.learning_rate))
    assert found == expected
    assert (found[-1] < found[0]) == (rate > 9e-5)
    assert min(found) >= np.float32(min(rate, 9e-5))


def test_plateau_ignores_small_steps_and_adds_the_rate_of_the_epoch_to_the_logs():
    model, plateau, rates = tiny_model(1e-2), ReduceOnPlateau(), []
    plateau.set_model(model)
    for epoch in range(7):
        logs = {"val_loss": 1 - 0.001 * epoch}
        plateau.on_epoch_end(epoch, logs)
        rates.append(logs["learning_rate"])
    # epoch 0 is the best; epochs 1..5 fall by less than 0.01; epoch 6 is the first at 0.7 of the rate
    np.testing.assert_allclose(rates, [0.01] * 6 + [0.007], rtol=1e-6)  # float32


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_guard_names_the_batch(value):
    x = np.repeat(X, 5, axis=0)
    x[23] = value  # in batch 2 of 10 rows
    asked = []

    def rows(epoch, step):
        asked.append((epoch, step))
        return [f"row {number}" for number in range(10)]

    guard = NanGuard(rows, lambda batch: (4, batch + 3), lambda: "The model of epoch 3 is kept.")
    with pytest.raises(ValueError, match="no finite number in step 6 of epoch 5") as raised:
        fit(tiny_model(1e-3), [guard], x=x, y=np.repeat(Y, 5, axis=0))
    assert asked == [(4, 5)]
    for part in (
        "row 0, row 1,",
        "row 7 and 2 more.",
        "--clip-norm 1",
        "The model of epoch 3 is kept. Received: loss=",
    ):
        assert part in str(raised.value)


def values(variables):
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


class Recorder(keras.callbacks.Callback):
    """What the model held after training, while it is shown, and when the next epoch begins."""

    def __init__(self, averages):
        super().__init__()
        self.averages, self.whole = averages, None
        self.trained, self.shown, self.average, self.after = [], [], [], []

    def on_test_begin(self, logs=None):
        self.trained.append(values(self.model.trainable_variables))
        self.whole = self.model.get_weights()

    def on_epoch_end(self, epoch, logs=None):
        self.shown.append(values(self.model.trainable_variables))
        self.average.append(values(self.averages()))

    def on_epoch_begin(self, epoch, logs=None):
        if epoch:
            self.after.append(values(self.model.trainable_variables))


def averages_of(model):
    return lambda: model.optimizer._model_variables_moving_average


def equal(one, other):
    assert len(one) == len(other) > 0
    for left, right in zip(one, other, strict=True):
        np.testing.assert_array_equal(left, right)


def test_averages_are_validated_and_the_weights_come_back_to_the_bit():
    plain, model = (tiny_model(use_ema=True, ema_momentum=0.8) for _ in range(2))
    recorder, averaged = Recorder(averages_of(model)), AveragedWeights(averages_of(model))
    history = fit(model, [recorder, averaged], epochs=3).history
    fit(plain, [], epochs=3)
    for epoch in range(3):
        equal(recorder.shown[epoch], recorder.average[epoch])
        assert not np.array_equal(recorder.shown[epoch][-1], recorder.trained[epoch][-1])
    for epoch in range(2):
        equal(recorder.after[epoch], recorder.trained[epoch])
    # Keras ends a fit by putting the averages into the model; they are the same where all steps were the same
    equal(model.get_weights(), plain.get_weights())
    equal(values(model.trainable_variables), recorder.average[-1])
    # the averages are what was validated; in the same batches, as each replica has its own batch statistics
    validated = plain.evaluate(*VALIDATION, batch_size=len(X) // BATCHES, verbose=0)[0]
    assert history["val_loss"][-1] == pytest.approx(validated, rel=1e-6)  # float32 sums over six values


def test_a_validation_outside_of_fit_sees_the_averages_until_its_epoch_ends():
    model = tiny_model(use_ema=True, ema_momentum=0.8)
    recorder, averaged = Recorder(averages_of(model)), AveragedWeights(averages_of(model))
    callbacks = keras.callbacks.CallbackList([recorder, averaged], model=model)
    for batch in range(2):
        model.train_on_batch(X[batch : batch + 4], Y[batch : batch + 4])
    for _ in range(2):  # the second one finds them in the model
        model.evaluate(*VALIDATION, verbose=0, callbacks=callbacks)
    callbacks.on_epoch_end(0, {})
    equal(recorder.shown[0], recorder.average[0])
    assert not np.array_equal(recorder.shown[0][-1], recorder.trained[0][-1])
    equal(values(model.trainable_variables), recorder.trained[0])


@pytest.mark.parametrize("hook", ["on_test_batch_begin", "on_test_batch_end"])
def test_interrupted_validation_gives_the_weights_back(hook):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    model, interrupting = tiny_model(use_ema=True), keras.callbacks.Callback()
    setattr(interrupting, hook, interrupt)
    recorder, averaged = Recorder(averages_of(model)), AveragedWeights(averages_of(model))
    with pytest.raises(KeyboardInterrupt):
        fit(model, [recorder, averaged, interrupting])
    averaged.restore()
    equal(model.get_weights(), recorder.whole)
    averaged.restore()
    equal(model.get_weights(), recorder.whole)


class Unreadable(keras.utils.PyDataset):
    """A validation that cannot be read any more from its second pass on."""

    fails = False

    def __len__(self):
        return 1

    def __getitem__(self, index):
        if self.fails:
            raise OSError("the disk is gone")
        return VALIDATION


def test_unreadable_validation_gives_the_weights_back():
    model, validation = tiny_model(use_ema=True), Unreadable()
    recorder, averaged = Recorder(averages_of(model)), AveragedWeights(averages_of(model))
    breaking = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: setattr(validation, "fails", epoch == 1)
    )
    with pytest.raises(Exception, match="the disk is gone"):  # TensorFlow has an error of its own
        fit(model, [recorder, averaged, breaking], validation=validation)
    averaged.restore()
    equal(model.get_weights(), recorder.whole)


def test_averages_that_do_not_fit_are_refused():
    model = tiny_model(use_ema=True)
    with pytest.raises(ValueError, match="averages of 1 variables, the model has 6"):
        fit(model, [AveragedWeights(lambda: averages_of(model)()[:1])])


def test_without_averages_nothing_happens():
    model = tiny_model()
    recorder = Recorder(list)
    fit(model, [recorder, AveragedWeights(lambda: None)])
    equal(recorder.shown[0], recorder.trained[0])


def history_at(path, rate=lambda: 0.25):
    return History(path, learning_rate=rate, images=len(X), batch_size=2)


def read_csv(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


TIMES = {"seconds", "images_per_second"}


def test_history_of_two_processes_is_that_of_one(tmp_path):
    whole, first = history_at(tmp_path / "whole.csv"), history_at(tmp_path / "parts.csv")
    fit(tiny_model(), [whole], epochs=4)
    model = tiny_model()
    fit(model, [first], epochs=2)
    state = through_json(first.state())
    stale = [{**row, "epoch": 2} for row in first.rows[-1:]]
    first.rows += stale
    first._write()  # a row that the state does not know of: killed before it was saved
    second = history_at(tmp_path / "parts.csv")
    second.set_state(state)
    assert [row["epoch"] for row in read_csv(tmp_path / "parts.csv")] == ["0", "1"]
    fit(model, [second], epochs=4, first=2)
    rows, expected = read_csv(tmp_path / "parts.csv"), read_csv(tmp_path / "whole.csv")
    assert [{name: row[name] for name in row if name not in TIMES} for row in rows] == [
        {name: row[name] for name in row if name not in TIMES} for row in expected
    ]
    assert list(rows[0]) == ["epoch", *sorted({"learning_rate", "loss", "rmse", "val_loss", "val_rmse"} | TIMES)]
    assert [float(row["loss"]) for row in rows] == second.columns()["loss"]  # exact: repr
    assert second.columns()["learning_rate"] == [0.25] * 4
    assert all(float(row[name]) > 0 for row in rows for name in TIMES)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["parts.csv", "whole.csv"]


def test_history_does_an_epoch_again_and_marks_what_an_epoch_has_not(tmp_path):
    history = history_at(tmp_path / "history.csv")
    for epoch, logs in ((0, {"loss": 3.0}), (1, {"loss": 2.0}), (1, {"loss": 1.5, "term": 1.0, "learning_rate": 0.5})):
        history.on_epoch_begin(epoch)
        history.on_epoch_end(epoch, logs)
    rows = read_csv(tmp_path / "history.csv")
    assert [(row["epoch"], row["loss"], row["term"], row["learning_rate"]) for row in rows] == [
        ("0", "3.0", "NA", "0.25"),
        ("1", "1.5", "1.0", "0.5"),
    ]
    assert np.isnan(history.columns()["term"][0])
    assert "epoch" not in history.columns()
    history.set_state({"rows": [], "seconds": 0.0})
    assert not (tmp_path / "history.csv").exists()


def test_history_of_a_process_that_does_not_write():
    history = history_at(None)
    history.on_epoch_end(0, {"loss": 1.0})  # its steps were an earlier process's
    assert history.columns()["loss"] == [1.0]
    assert "images_per_second" not in history.columns()


def test_pace_leaves_out_the_first_step_and_the_validation():
    times = iter([100.0, 130.0, 131.0, 133.0, 150.0])
    pace = Pace(images=11, batch_size=4, clock=lambda: next(times))
    pace.earlier = 7.0
    pace.begin()
    for _ in range(3):
        pace.step()
    assert pace.images_per_second == (11 - 4) / (133 - 130)
    assert pace.seconds == 7 + (150 - 100)
    pace.end()
    assert pace.seconds == 0
    one = Pace(images=3, batch_size=4, clock=iter([0.0, 2.0]).__next__)
    one.begin()
    with pytest.raises(ValueError, match="steps=0"):
        one.images_per_second  # noqa: B018
    one.step()
    assert one.images_per_second == 3 / 2


def samples(scale=1.0):
    images = np.random.default_rng(0).integers(0, 256, (2, 12, 16, 3), dtype=np.uint8)
    depths = np.full((2, 6, 8, 1), 4.0, "float32")
    depths[:, 0, 0], depths[:, 0, 1], depths[:, 5, 7] = 0.0, 1.0, 10.0
    return Samples(images, depths, 1.0, 10.0, lambda images: scale * depths)


def test_sample_pictures_follow_the_model(tmp_path):
    path, scales = tmp_path / "samples.png", itertools.count(1)
    many = samples()._replace(predict=lambda images: next(scales) * samples().depths)
    pictures = SamplePictures(path, many)
    contents = []
    for epoch in range(2):
        pictures.on_epoch_end(epoch, {})
        contents.append(path.read_bytes())
        with Image.open(path) as picture:
            assert min(picture.size) > 100
    assert contents[0] != contents[1]


def test_predictions_of_samples_are_clipped_to_the_range():
    predictions = samples(scale=5.0).predictions()
    assert predictions.shape == (2, 6, 8)
    assert set(np.unique(predictions)) == {1.0, 5.0, 10.0}  # 0, 5, 20 and 50 m


def test_painted_row_has_one_metric_range_and_grey_holes():
    given = samples()
    depth = given.depths[0, ..., 0]
    row = painted_row(given.images[0], (depth, 2 * depth), min_depth=1.0, max_depth=10.0)
    assert row.shape == (12, 3 * 16, 3)
    assert row.dtype == np.uint8
    np.testing.assert_array_equal(row[:, :16], given.images[0])
    colour = {metres: np.uint8(255 * np.array(colormaps[COLORMAP]((metres - 1) / 9)[:3])) for metres in (1, 8, 10)}
    for at, expected in (((0, 16), 153), ((0, 18), colour[1]), ((11, 31), colour[10]), ((6, 40), colour[8])):
        # 0.6 * 255 = 153; matplotlib rounds colours where the line above cuts them off
        assert np.abs(row[at].astype(int) - expected).max() <= 1
    assert (painted_depth(np.full((1, 1), 99.0), min_depth=1, max_depth=10) == row[11, 31]).all()


def events_in(folder):
    """The events of the files in order, checked and read by TensorFlow, purged as TensorBoard does."""
    import tensorflow as tf

    kept = []
    for file in sorted(folder.iterdir()):
        assert "tfevents" in file.name
        events = [
            tf.compat.v1.Event.FromString(data) for data in tf.data.TFRecordDataset(str(file)).as_numpy_iterator()
        ]
        assert events[0].file_version == "brain.Event:2"
        for event in events:
            if event.HasField("session_log"):
                kept = [value for value in kept if value[0] < event.step]
            kept += [(event.step, value.tag, value) for value in event.summary.value]
    return kept


def board(folder, **more):
    return TensorBoard(folder, steps_per_epoch=BATCHES, position=lambda batch: (0, batch), every=3, **more)


def test_tensorboard_holds_curves_pictures_and_settings(tmp_path):
    callback = board(tmp_path / "t", samples=samples(), settings={"learning_rate": 0.1, "encoder": "densenet169"})
    history = history_at(None)
    fitted = fit(tiny_model(), [history, callback], epochs=1).history
    events = events_in(tmp_path / "t")
    scalars = {(tag, step): value.simple_value for step, tag, value in events if value.HasField("simple_value")}
    tags = {"train/loss": "loss", "train/rmse": "rmse", "validation/loss": "val_loss", "validation/rmse": "val_rmse"}
    for tag, name in tags.items():
        assert scalars.pop((tag, 4)) == np.float32(fitted[name][0])
    assert scalars.pop(("run/learning_rate", 4)) == 0.25
    assert scalars.pop(("steps/loss", 3)) > 0
    assert set(scalars) == {("run/seconds", 4), ("run/images_per_second", 4)}
    (text,) = (value.tensor.string_val[0].decode() for step, tag, value in events if tag == "settings/text_summary")
    assert "| encoder | densenet169 |" in text
    pictures = {tag: value for step, tag, value in events if value.HasField("image")}
    assert set(pictures) == {"samples/0", "samples/1"}
    value = pictures["samples/1"]
    assert "1 to 10 m" in value.metadata.summary_description
    assert any("metres" in event[2].metadata.summary_description for event in events if event[1] == "validation/rmse")
    with Image.open(io.BytesIO(value.image.encoded_image_string)) as picture:
        assert (value.image.height, value.image.width) == (picture.height, picture.width) == (12, 48)
        np.testing.assert_array_equal(np.asarray(picture)[:, :16], samples().images[1])


def test_tensorboard_after_a_kill_has_nothing_doubled_or_lost(tmp_path):
    def session(callback, epochs):
        for epoch, steps in epochs:
            callback.position = lambda batch, epoch=epoch, first=steps.start: (epoch, first + batch)
            for batch, _ in enumerate(steps):
                callback.on_train_batch_end(batch, {"loss": 1.0})
            if steps.stop == BATCHES:
                callback.on_epoch_end(epoch, {"loss": 1.0})

    folder = tmp_path / "t"
    session(board(folder), [(0, range(2))])  # killed before the first save
    first = board(folder)
    session(first, [(0, range(BATCHES)), (1, range(2))])
    saved = first.state()  # after step 6
    session(first, [(1, range(2, BATCHES)), (2, range(1))])
    second = board(folder)
    second.set_state(through_json(saved))
    session(second, [(1, range(2, BATCHES)), (2, range(BATCHES))])
    events = [(tag, step) for step, tag, _ in events_in(folder)]
    steps = [("steps/loss", step) for step in (3, 6, 9, 12)]
    epochs = [("train/loss", step) for step in (4, 8, 12)]
    assert sorted(events) == sorted([("settings/text_summary", 0), *steps, *epochs])


def test_tensorboard_without_its_package_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX.proto.event_pb2", None)
    with pytest.raises(ImportError, match=r"pip install densedepth_keras\[tensorboard\]"):
        board(tmp_path)


LINE = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d "


def test_run_log_appends_through_processes(tmp_path):
    path, announced = tmp_path / "run.log", []
    log = RunLog(path, announced.append, epochs=10, peak_memory=lambda: 1_234_000_000)
    log.log("cpu:0\non the jax backend")
    logs = {"loss": 0.1234, "val_rmse": 0.7341, "images_per_second": 12.34, "rmse": 1.0}
    log.on_epoch_end(2, logs)
    again = RunLog(path, epochs=10)
    again.on_epoch_end(3, {"loss": 0.1, "val_loss": 0.2})
    lines = path.read_text().splitlines()
    assert announced == ["cpu:0\non the jax backend"]
    assert [line[20:] for line in lines] == [
        "cpu:0",
        "on the jax backend",
        "epoch 3/10: loss 0.123, val_rmse 0.734 m, 12.3 images/s, peak memory 1.2 GB",
        "epoch 4/10: loss 0.100, val_loss 0.200",
    ]
    RunLog(None, announced.append, epochs=1).log("only said")
    assert announced[-1] == "only said"


WRITERS = {
    "history.csv": history_at,
    "samples.png": lambda path: SamplePictures(path, samples()),
    "run.log": lambda path: RunLog(path, epochs=3),
    "tfevents": lambda path: board(path.parent / "t"),
}


@pytest.mark.parametrize("name", list(WRITERS))
def test_full_disk_is_named_and_ends_the_run(name, tmp_path):
    """A file size limit makes writing fail as a full disk does."""
    writer = WRITERS[name](tmp_path / name)
    fit(tiny_model(), [writer], epochs=1)
    good = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert len(good) == 1
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40, limits[1]))
    try:
        with pytest.raises(OSError, match=f"could not be saved as .*{name}"):
            writer.on_epoch_end(1, {"loss": 1.0})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == good


def run_python(arguments, **environment):
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", **environment}
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env=environment, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@ONLY_TENSORFLOW
def test_all_of_this_on_jax():
    pytest.importorskip("jax")
    arguments = ["-m", "pytest", "-q", "-p", "no:xdist", "-o", "addopts=", __file__]
    two_devices = "--xla_force_host_platform_device_count=2"
    assert " passed" in run_python(arguments, KERAS_BACKEND="jax", XLA_FLAGS=two_devices)


@ONLY_JAX
def test_averages_on_two_devices_of_jax():
    keras.distribution.set_distribution(keras.distribution.DataParallel())
    try:
        assert len(keras.distribution.list_devices()) == 2
        test_averages_are_validated_and_the_weights_come_back_to_the_bit()
        test_interrupted_validation_gives_the_weights_back("on_test_batch_end")
    finally:
        keras.distribution.set_distribution(None)


MIRRORED = """
import tensorflow as tf
import test_callbacks as tests

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
assert strategy.num_replicas_in_sync == 2
make = tests.tiny_model

def mirrored_model(**options):
    with strategy.scope():
        return make(**options)

tests.tiny_model = mirrored_model
tests.test_averages_are_validated_and_the_weights_come_back_to_the_bit()
print("passed on two devices")
"""


@ONLY_TENSORFLOW
def test_averages_on_two_devices_of_tensorflow():
    assert "passed on two devices" in run_python(["-c", MIRRORED])
