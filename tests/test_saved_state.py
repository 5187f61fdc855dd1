"""State files: everything bit for bit, on three backends; damage and full disks; a run that goes on in mid-epoch."""

import importlib.util
import json
import os
import re
import resource
import subprocess
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

from densedepth_keras.metrics.streaming import RMSE
from densedepth_keras.models.supervision import DeeplySupervised
from densedepth_keras.saved_state import STATE_FILE, read_state, restore, save_state, state_variables

ROOT = Path(__file__).resolve().parents[1]
FACTS = {"epoch": 3, "step": 7, "history": {"loss": [0.1, 1 / 3, float("inf")]}, "encoder": None}


class AllState(keras.optimizers.Adam):
    """With all the state an optimizer can have: amsgrad's slots, averages of the weights, accumulated gradients."""

    def __init__(self, accumulated=2):
        super().__init__(0.01, amsgrad=True, use_ema=True, gradient_accumulation_steps=accumulated)

    def finalize_variable_values(self, var_list):
        """Leaves the weights: Keras would put their averages in their place at the end of every `fit`."""


def small_model(seed=0, *, optimizer=None, units=4, frozen=False):
    """A few weights, batch statistics and a random layer."""
    keras.utils.set_random_seed(seed)
    given = keras.Input((3,))
    dense = keras.layers.Dense(units)
    normalized = keras.layers.BatchNormalization()(dense(given))
    model = keras.Model(given, keras.layers.Dense(1)(keras.layers.Dropout(0.5)(normalized)))
    dense.trainable = not frozen
    model.compile(optimizer or AllState(), loss="mse", metrics=["mae", keras.metrics.RootMeanSquaredError()])
    return model


def batches(epoch, first_step=0, steps=6):
    for step in range(first_step, steps):
        rng = np.random.default_rng([epoch, step])
        yield rng.normal(size=(4, 3)).astype("float32"), rng.normal(size=(4, 1)).astype("float32")


def values(groups):
    return {group: [keras.ops.convert_to_numpy(variable) for variable in listed] for group, listed in groups.items()}


def assert_equal_bits(a, b):
    assert a.keys() == b.keys()
    for group in a:
        one, other = ([(x.dtype, x.shape, x.tobytes()) for x in arrays[group]] for arrays in (a, b))
        assert one == other


@pytest.fixture
def variables():
    """A group of every dtype there is, without a model."""
    rng = np.random.default_rng(0)
    given = {"float32": rng.normal(size=(2, 3)), "float16": rng.normal(size=5), "int64": -7, "bool": [True, False]}
    return [keras.Variable(value, dtype=dtype, trainable=False, name=dtype) for dtype, value in given.items()]


def test_every_value_and_fact_comes_back(tmp_path, variables):
    groups = {"model": variables[:1], "optimizer": variables[1:], "metrics": []}
    save_state(tmp_path / STATE_FILE, groups, FACTS)
    state = read_state(tmp_path / STATE_FILE)
    assert state.facts == FACTS
    assert state.names["model"] == ["float32"]
    assert state.dtypes["optimizer"] == ["float16", "int64", "bool"]
    assert_equal_bits(state.arrays, values(groups))
    assert os.listdir(tmp_path) == [STATE_FILE]


def test_the_file_is_an_npz_without_pickles(tmp_path, variables):
    save_state(tmp_path / STATE_FILE, {"model": variables}, {"a": 1})
    with np.load(tmp_path / STATE_FILE, allow_pickle=False) as archive:
        assert archive["model/00001"].dtype == np.float16
        assert json.loads(archive["state.json"])["facts"] == {"a": 1}


def test_bfloat16_keeps_its_bits(tmp_path):
    every = (np.arange(2**16, dtype=np.uint32) << 16).view(np.float32)
    numbers = every[~np.isnan(every)]
    variable = keras.Variable(np.zeros(numbers.shape), dtype="bfloat16", name="half")
    variable.assign(numbers)
    save_state(tmp_path / STATE_FILE, {"optimizer": [variable]}, {})
    state = read_state(tmp_path / STATE_FILE)
    assert state.dtypes == {"optimizer": ["bfloat16"]}
    assert state.arrays["optimizer"][0].tobytes() == numbers.tobytes()
    variable.assign(np.zeros(numbers.shape))
    restore(state, {"optimizer": [variable]})
    assert keras.ops.convert_to_numpy(variable).astype(np.float32).tobytes() == numbers.tobytes()


def test_a_state_can_be_restored_twice(tmp_path):
    variable = keras.Variable(np.ones(100, "float32"), name="v")
    save_state(tmp_path / STATE_FILE, {"model": [variable]}, {})
    state = read_state(tmp_path / STATE_FILE)
    for _ in range(2):  # were memory shared, training on would change the state
        restore(state, {"model": [variable]})
        assert float(keras.ops.sum(variable.value)) == 100
        variable.assign_add(np.ones(100))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_model_that_is_not_finite_is_not_saved(tmp_path, bad, dtype):
    variable = keras.Variable(np.zeros(3), dtype=dtype, name="kernel")
    save_state(tmp_path / STATE_FILE, {"model": [variable]}, {"step": 1})
    variable.assign([0, bad, 0])
    with pytest.raises(ValueError, match=r"^Training diverged: .*nothing was saved\. .*Received: kernel"):
        save_state(tmp_path / STATE_FILE, {"model": [variable]}, {"step": 2})
    assert read_state(tmp_path / STATE_FILE).facts == {"step": 1}
    assert os.listdir(tmp_path) == [STATE_FILE]
    save_state(tmp_path / STATE_FILE, {"metrics": [variable]}, {"step": 2})  # a metric may be no number
    np.testing.assert_array_equal(read_state(tmp_path / STATE_FILE).arrays["metrics"][0], [0, bad, 0])


def test_facts_that_json_cannot_hold_are_found_before_anything_is_written(tmp_path):
    with pytest.raises(TypeError, match="ndarray"):
        save_state(tmp_path / STATE_FILE, {}, {"a": np.ones(2)})
    assert os.listdir(tmp_path) == []


def test_a_full_disk_leaves_the_last_good_state(tmp_path):
    path, variable = tmp_path / STATE_FILE, keras.Variable(np.zeros(2**16, "float32"), name="v")
    save_state(path, {"model": [variable]}, {"step": 1})
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for most_bytes in (10, 100_000, len(before) - 10):  # in the facts, in an array, in the directory at the end
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, hard))
        try:
            with pytest.raises(OSError, match=r"could not be saved as .*state\.npz: .*; the last good one is kept"):
                save_state(path, {"model": [variable]}, {"step": 2})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert path.read_bytes() == before
        assert os.listdir(tmp_path) == [STATE_FILE]


def test_the_bytes_are_on_the_disk_before_the_file_has_its_name(tmp_path, monkeypatch, variables):
    done, fsync, replace = [], os.fsync, os.replace

    def recorded_fsync(descriptor):
        done.append(("fsync", os.fstat(descriptor).st_size))
        fsync(descriptor)

    def recorded_replace(source, target):
        done.append(("replace", os.stat(source).st_size))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", recorded_fsync)
    monkeypatch.setattr(os, "replace", recorded_replace)
    save_state(tmp_path / STATE_FILE, {"model": variables}, {})
    size = (tmp_path / STATE_FILE).stat().st_size
    assert done == [("fsync", size), ("replace", size)]


DAMAGED = r"saved state cannot be read: .+ The run cannot go on: start a new one; .+ Received: path=.*state\.npz"


def test_damage_is_found_wherever_it_is(tmp_path, variables):
    path = tmp_path / STATE_FILE
    save_state(path, {"model": variables}, FACTS)
    good, whole = path.read_bytes(), read_state(path)
    found, rng = 0, np.random.default_rng(0)
    places = range(0, len(good), 3)
    for place in places:
        flipped = bytearray(good)
        flipped[place] ^= 1 << rng.integers(8)
        path.write_bytes(flipped)
        try:
            state = read_state(path)
        except ValueError as error:
            found += "The run cannot go on" in str(error)
        else:  # times and attributes in the zip's own directory: of no meaning
            assert state.facts == whole.facts
            assert_equal_bits(state.arrays, whole.arrays)
    assert found > 0.7 * len(places)  # the rest are zip's times, versions and paddings


@pytest.mark.parametrize("kept", [0, 1, 20, 300, -1])
def test_a_file_cut_short(tmp_path, variables, kept):
    path = tmp_path / STATE_FILE
    save_state(path, {"model": variables}, {})
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match=DAMAGED):
        read_state(path)


def foreign_npz(path):
    np.savez(path, a=np.ones(3))


def foreign_text(path):
    path.write_text("epoch,loss\n1,0.5\n")


def pickled_array(path):
    listed = {"model": [{"path": "v", "shape": [1], "dtype": "float32"}]}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("state.json", json.dumps({"format": 1, "facts": {}, "variables": listed}))
        with archive.open("model/00000.npy", "w") as member:
            np.lib.format.write_array(member, np.array([{}]), allow_pickle=True)


def later_format(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("state.json", json.dumps({"format": 2, "facts": {}, "variables": {}}))


@pytest.mark.parametrize("write", [foreign_npz, foreign_text, pickled_array, later_format])
def test_another_file(tmp_path, write):
    write(tmp_path / STATE_FILE)
    with pytest.raises(ValueError, match=DAMAGED):
        read_state(tmp_path / STATE_FILE)


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_state(tmp_path / STATE_FILE)


def test_a_state_of_another_model_changes_nothing_and_is_told_by_its_differences(tmp_path):
    model = small_model()
    save_state(tmp_path / STATE_FILE, state_variables(model), {})
    state, other = read_state(tmp_path / STATE_FILE), small_model(1, units=5)
    before = values(state_variables(other))
    with pytest.raises(ValueError, match=r"another model, optimizer or metrics:\n") as error:
        restore(state, state_variables(other))
    lines = str(error.value).splitlines()
    assert len(lines) == 1 + 5 + 1
    assert "model: " in lines[1]
    assert "kernel (3, 4) float32 saved" in lines[1]
    assert "kernel (3, 5) float32 expected" in lines[1]
    assert lines[-1].startswith("  ... and ")
    assert_equal_bits(values(state_variables(other)), before)


def test_other_number_path_dtype_or_group(tmp_path):
    a, b = (keras.Variable(np.zeros(2, "float32"), name=name) for name in "ab")
    save_state(tmp_path / STATE_FILE, {"model": [a, b]}, {})
    state = read_state(tmp_path / STATE_FILE)
    with pytest.raises(ValueError, match="model: 2 variables saved, 1 expected"):
        restore(state, {"model": [a]})
    with pytest.raises(ValueError, match=r"model: a \(2,\) float32 saved, b \(2,\) float32 expected"):
        restore(state, {"model": [b, a]})
    with pytest.raises(ValueError, match=r"float32 saved, b \(2,\) float16 expected"):
        restore(state, {"model": [a, keras.Variable(np.zeros(2), dtype="float16", name="b")]})
    with pytest.raises(ValueError, match="optimizer: 0 variables saved, 1 expected"):
        restore(state, {"model": [a, b], "optimizer": [a]})
    restore(state, {"model": [keras.Variable(np.ones(2, "float32"), name=name) for name in ("a_12", "b_1")]})
    with keras.name_scope("fit"):  # what the first step of `fit` makes bears the names of who called
        restore(state, {"model": [keras.Variable(np.ones(2, "float32"), name=name) for name in "ab"]})
    with pytest.raises(ValueError, match="float32 saved, ba"):
        restore(state, {"model": [a, keras.Variable(np.ones(2, "float32"), name="ba")]})


def test_the_order_does_not_depend_on_what_is_trainable():
    free, frozen = (state_variables(small_model(frozen=frozen)) for frozen in (False, True))
    names, other = ([re.sub(r"_\d+", "", variable.path) for variable in groups["model"]] for groups in (free, frozen))
    assert names == other
    assert "seed_generator/seed_generator_state" in names
    assert len(frozen["optimizer"]) < len(free["optimizer"])


def test_an_uncompiled_model():
    given = keras.Input((3,))
    with pytest.raises(ValueError, match="must be compiled"):
        state_variables(keras.Model(given, keras.layers.Dense(1)(given)))


class Saver(keras.callbacks.Callback):
    """Saves after one step of the run; notes what the log says at the end of every epoch."""

    def __init__(self, path, at):
        super().__init__()
        self.path, self.at, self.epoch, self.logs = path, at, 0, []

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == self.at:
            save_state(self.path, state_variables(self.model), {"at": self.at})

    def on_epoch_end(self, epoch, logs=None):
        self.logs.append(logs)


class Restorer(Saver):
    """Puts the metrics back where an epoch goes on."""

    def on_epoch_begin(self, epoch, logs=None):
        super().on_epoch_begin(epoch)
        if epoch == self.at[0]:
            restore(read_state(self.path), {"metrics": state_variables(self.model)["metrics"]})


def fit(model, epoch, callback, first_step=0, steps=6):
    model.fit(
        batches(epoch, first_step, steps),
        steps_per_epoch=steps - first_step,
        initial_epoch=epoch,
        epochs=epoch + 1,
        callbacks=[callback],
        shuffle=False,
        verbose=0,
    )


def check_going_on_in_mid_epoch(folder):
    """Two epochs at once, and the same saved after step 3 of the first and gone on with by another model."""
    path, model, other = folder / STATE_FILE, small_model(), small_model(1)
    saver, restorer = Saver(path, at=(0, 2)), Restorer(path, at=(0, -1))
    fit(model, 0, saver)
    fit(model, 1, saver)
    restore(read_state(path), state_variables(other))
    fit(other, 0, restorer, first_step=3)
    fit(other, 1, restorer)
    assert restorer.logs == saver.logs  # exactly: the epoch's averages are over all of its steps
    assert len(saver.logs[0]) == 3
    assert_equal_bits(values(state_variables(other)), values(state_variables(model)))


def check_loss_scaling(folder):
    """A loss scale that has changed, and the slots of the optimizer inside, come back."""
    scaled = [
        keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1, momentum=0.9), initial_scale=scale)
        for scale in (4.0, 8.0)
    ]
    model, other = (small_model(optimizer=optimizer) for optimizer in scaled)
    model.fit(batches(0), steps_per_epoch=6, shuffle=False, verbose=0)
    save_state(folder / "scaled.npz", state_variables(model), {})
    restore(read_state(folder / "scaled.npz"), state_variables(other))
    scale = [v for v in state_variables(other)["optimizer"] if v.path.endswith("dynamic_scale")]
    assert [float(v) for v in scale] == [4.0]
    assert_equal_bits(values(state_variables(other)), values(state_variables(model)))


def test_a_run_goes_on_in_mid_epoch_bit_for_bit(tmp_path):
    check_going_on_in_mid_epoch(tmp_path)


def test_loss_scale(tmp_path):
    check_loss_scaling(tmp_path)


def in_another_process(code, folder, **environment):
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", **environment}
    command = [sys.executable, "-W", "ignore", "-c", code, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines()[-1:] == ["passed"]


MIRRORED = """
import pathlib, sys
import numpy as np, tensorflow as tf
import test_saved_state as tests
from densedepth_keras.saved_state import read_state, restore, save_state, state_variables

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
strategy = tf.distribute.MirroredStrategy(["/cpu:0", "/cpu:1"])
data = tf.data.Dataset.from_tensor_slices(next(tests.batches(0))).batch(4).repeat()
path = pathlib.Path(sys.argv[1]) / "state.npz"
with strategy.scope():
    # Keras cannot accumulate gradients on replicas
    model, other = (tests.small_model(seed, optimizer=tests.AllState(accumulated=None)) for seed in (0, 1))
saver = tests.Saver(path, at=(0, 2))
model.fit(data, steps_per_epoch=3, verbose=0, callbacks=[saver])
restore(read_state(path), state_variables(other))  # before anything was built by fit
tests.assert_equal_bits(tests.values(state_variables(other)), tests.values(state_variables(model)))
for variable in state_variables(other)["model"]:
    copies = [np.array(copy) for copy in variable.value.values]
    assert len(copies) == 2 and (copies[0] == copies[1]).all()
alone = tests.small_model(1, optimizer=tests.AllState(accumulated=None))  # a state moves to one device
restore(read_state(path), state_variables(alone))
tests.assert_equal_bits(tests.values(state_variables(alone)), tests.values(state_variables(model)))
for each in (model, other):
    each.fit(data, steps_per_epoch=1, verbose=0)
tests.assert_equal_bits(tests.values(state_variables(other)), tests.values(state_variables(model)))
print("passed")
"""

ON_JAX = """
import pathlib, sys
import keras
import test_saved_state as tests
from densedepth_keras.saved_state import state_variables

assert (keras.backend.backend(), len(keras.distribution.list_devices())) == ("jax", 2)
folder = pathlib.Path(sys.argv[1])
tests.check_going_on_in_mid_epoch(folder)
tests.check_loss_scaling(folder)
tests.test_bfloat16_keeps_its_bits(folder)
tests.test_a_state_can_be_restored_twice(folder)
keras.distribution.set_distribution(keras.distribution.DataParallel(devices=keras.distribution.list_devices()))
assert all(len(v.value.sharding.device_set) == 2 for v in state_variables(tests.small_model())["model"])
tests.check_going_on_in_mid_epoch(folder)
print("passed")
"""


def test_mirrored_variables(tmp_path):
    in_another_process(MIRRORED, tmp_path, KERAS_BACKEND="tensorflow")


def test_jax_on_one_device_and_on_two(tmp_path):
    if importlib.util.find_spec("jax") is None:
        pytest.skip("jax is not installed; states on JAX are NOT checked here")
    two = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2", "JAX_PLATFORMS": "cpu", "KERAS_BACKEND": "jax"}
    in_another_process(ON_JAX, tmp_path, **two)


def test_metrics_of_several_outputs_are_there_before_the_first_step(tmp_path):
    def supervised(seed):
        keras.utils.set_random_seed(seed)
        given = keras.Input((None, None, 3))
        outputs = {name: keras.layers.Conv2D(1, 1, name=name)(given) for name in ("depth", "depth_s2")}
        model = DeeplySupervised(given, outputs)
        model.compile("sgd", loss="mse", metrics=[RMSE()])
        return model

    model, other = supervised(0), supervised(1)
    rng = np.random.default_rng(0)
    model.fit(rng.normal(size=(2, 8, 8, 3)), rng.uniform(1, 9, (2, 8, 8, 1)), verbose=0)
    save_state(tmp_path / STATE_FILE, state_variables(model), {})
    groups = state_variables(other)
    assert len(groups["metrics"]) == 2 + 2 + 2 * 2  # loss, RMSE, and each output's loss: sum and count
    assert all(not array.any() for array in values(groups)["metrics"])
    restore(read_state(tmp_path / STATE_FILE), groups)
    assert other.get_metrics_result() == model.get_metrics_result()
