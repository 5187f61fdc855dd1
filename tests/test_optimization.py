"""Optimisers and schedules against hand arithmetic, Keras' own classes, and other backends."""

import importlib.util
import math
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from densedepth_keras.optimization import (
    OPTIMIZERS,
    SCHEDULES,
    Staged,
    WarmUp,
    averaged_weights,
    current_learning_rate,
    make_optimizer,
    make_schedule,
)

HERE = Path(__file__).resolve().parent
ROUNDING = 1e-6
"""Absolute; of a few float32 operations on numbers around 1."""

KERAS_CLASSES = {
    "amsgrad": lambda rate: keras.optimizers.Adam(rate, amsgrad=True),
    "adam": lambda rate: keras.optimizers.Adam(rate),
    "adamw": lambda rate: keras.optimizers.AdamW(rate, weight_decay=0.01),
    "sgd": lambda rate: keras.optimizers.SGD(rate, momentum=0.9, nesterov=True),
}


def weights():
    return [keras.Variable(1.0, name="encoder"), keras.Variable(1.0, name="decoder")]


def stepped(optimizer, gradients):
    """Two weights of 1 after one `apply` for every pair of gradients."""
    variables = weights()
    for pair in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(float(gradient)) for gradient in pair], variables)
    return [float(keras.ops.convert_to_numpy(variable)) for variable in variables]


def plain_sgd(rate=0.1, **options):
    return make_optimizer("sgd", rate, **{"total_steps": 100, "momentum": 0.0, **options})


def at(schedule, step):
    return float(keras.ops.convert_to_numpy(schedule(step)))


def fitted(name, epochs=1, **options):
    """A tiny model after `fit`, always on the same data from the same start."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(24, 3)).astype("float32"), rng.normal(size=(24, 1)).astype("float32")
    start = [rng.normal(size=shape).astype("float32") for shape in ((3, 2), (2,), (2, 1), (1,))]
    layers = [keras.layers.Dense(2, name="encoder"), keras.layers.Dense(1, name="head")]
    model = keras.Sequential([keras.Input((3,)), *layers])
    model.set_weights(start)
    paths = [variable.path for variable in layers[0].weights]
    options = {"total_steps": 12, "encoder_scale": 0.1, "encoder_paths": paths, **options}
    model.compile(make_optimizer(name, 0.1, **options), loss="mse")
    model.fit(x, y, batch_size=4, epochs=epochs, shuffle=False, verbose=0)
    return model


# -- schedules


@pytest.mark.parametrize(
    ("name", "total", "warmup", "expected"),
    [
        ("constant", 110, 10, {0: 0, 5: 0.5, 10: 1, 60: 1, 109: 1}),
        ("cosine", 100, 0, {0: 1, 50: 0.505, 99: 0.01 + 0.99 * (1 + math.cos(0.99 * math.pi)) / 2, 100: 0.01}),
        ("cosine", 110, 10, {0: 0, 1: 0.1, 9: 0.9, 10: 1, 60: 0.99 / 2 + 0.01, 110: 0.01, 999: 0.01}),
        ("polynomial", 100, 0, {0: 1, 50: 0.9 * 0.5**0.9 + 0.1, 99: 0.9 * 0.01**0.9 + 0.1, 100: 0.1, 999: 0.1}),
        ("polynomial", 104, 4, {0: 0, 2: 0.5, 4: 1, 54: 0.9 * 0.5**0.9 + 0.1, 104: 0.1}),
        ("one-cycle", 100, 0, {0: 1 / 25, 15: (1 / 25 + 1) / 2, 30: 1, 65: (1 + 1 / 25e4) / 2, 100: 1 / 25e4}),
    ],
)
@pytest.mark.parametrize("peak", [1e-4, 2.0])
def test_schedule_by_hand(name, total, warmup, expected, peak):
    schedule = make_schedule(name, peak, total, warmup_steps=warmup)
    for step, share in expected.items():
        assert at(schedule, step) / peak == pytest.approx(share, abs=ROUNDING), step


@pytest.mark.parametrize("name", ["constant", "plateau"])
def test_constant_rate_is_a_float_and_callbacks_may_assign_it(name):
    assert make_schedule(name, 0.1, 10) == 0.1
    assert make_schedule(name, 0.1, 10, first_step=5) == 0.1
    optimizer = plain_sgd(schedule=name)
    optimizer.learning_rate = 0.05
    assert stepped(optimizer, [(1, 1)]) == pytest.approx([0.95, 0.95], abs=ROUNDING)


def test_cosine_without_warm_up_is_that_of_keras():
    schedule = make_schedule("cosine", 0.1, 20)
    expected = keras.optimizers.schedules.CosineDecay(0.1, 20, alpha=0.01)
    assert type(schedule) is type(expected)
    assert schedule.get_config() == expected.get_config()


@pytest.mark.parametrize("name", SCHEDULES)
def test_late_optimiser_goes_on_where_the_schedule_stands(name):
    warmup = 0 if name in ("plateau", "one-cycle") else 4
    whole = make_schedule(name, 0.1, 20, warmup_steps=warmup)
    for first in (2, 4, 13, 19):
        late = make_schedule(name, 0.1, 20, warmup_steps=warmup, first_step=first)
        for step in range(22 - first):
            expected = at(whole, first + step) if callable(whole) else whole
            assert (at(late, step) if callable(late) else late) == expected


@pytest.mark.parametrize("name", [name for name in SCHEDULES if name != "plateau"])
def test_late_optimiser_may_be_led_to_the_schedule(name):
    plain = make_schedule(name, 0.1, 20, first_step=8)
    led = make_schedule(name, 0.1, 20, first_step=8, fresh_steps=4)
    for step, share in enumerate((0, 0.25, 0.5, 0.75, 1, 1, 1)):
        expected = at(plain, step) if callable(plain) else np.float32(plain)
        assert at(led, step) == np.float32(share) * np.float32(expected)


def test_very_short_one_cycle_has_no_rise():
    assert at(make_schedule("one-cycle", 0.1, 1), 0) == pytest.approx(0.1)


@pytest.mark.parametrize("after", [0.1, keras.optimizers.schedules.CosineDecay(0.1, 10, alpha=0.01)])
def test_warm_up_survives_its_config(after):
    schedule = WarmUp(after, 0.1, 3, start=0.02, first_step=1, fresh_steps=4)
    back = keras.optimizers.schedules.deserialize(keras.optimizers.schedules.serialize(schedule))
    assert type(back) is WarmUp
    assert [at(back, step) for step in range(15)] == [at(schedule, step) for step in range(15)]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("cosinus", {}, "Did you mean 'cosine'"),
        ("cosine", {"peak": 0.0}, "learning_rate=0.0"),
        ("cosine", {"peak": float("nan")}, "learning_rate=nan"),
        ("cosine", {"total_steps": 0}, "total_steps=0"),
        ("cosine", {"warmup_steps": 10}, "warmup_steps=10"),
        ("cosine", {"warmup_steps": -1}, "warmup_steps=-1"),
        ("cosine", {"first_step": 10}, "first_step=10"),
        ("cosine", {"first_step": -1}, "first_step=-1"),
        ("cosine", {"first_step": 5, "fresh_steps": -1}, "fresh_steps=-1"),
        ("plateau", {"first_step": 5, "fresh_steps": 2}, "callback.* fresh_steps=2"),
        ("one-cycle", {"warmup_steps": 2}, "rise of its own.* warmup_steps=2"),
        ("plateau", {"warmup_steps": 2}, "callback.* warmup_steps=2"),
    ],
)
def test_schedule_refuses(name, options, message):
    with pytest.raises(ValueError, match=message):
        make_schedule(name, **{"peak": 0.1, "total_steps": 10, **options})


# -- steps by hand


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_is_the_class_of_keras_where_nothing_is_asked_for(name):
    gradients = [(0.3, -2), (-0.1, 5), (0, 1)]
    assert stepped(make_optimizer(name, 0.1, total_steps=3), gradients) == stepped(KERAS_CLASSES[name](0.1), gradients)


def test_unbuilt_optimiser_survives_its_config_too():
    options = {"encoder_scale": 0.25, "encoder_paths": ["encoder"]}
    optimizer = plain_sgd(**options)
    back = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(optimizer))
    assert stepped(back, [(2, 2)]) == stepped(optimizer, [(2, 2)]) == stepped(plain_sgd(**options), [(2, 2)])


def test_encoder_steps_at_its_own_rate():
    optimizer = plain_sgd(encoder_scale=0.25, encoder_paths=["encoder", "a frozen one"])
    assert stepped(optimizer, [(2, 2)]) == pytest.approx([1 - 0.1 * 0.25 * 2, 1 - 0.1 * 2], abs=ROUNDING)


@pytest.mark.parametrize("name", ["amsgrad", "adam"])
def test_encoder_steps_at_its_own_rate_whatever_the_size_of_its_gradients(name):
    optimizer = make_optimizer(name, 0.1, total_steps=9, encoder_scale=0.25, encoder_paths=["encoder"])
    # a first step of Adam is the learning rate, in the direction of the gradient
    assert stepped(optimizer, [(1000, 1)]) == pytest.approx([1 - 0.025, 1 - 0.1], abs=ROUNDING)


def test_decay_of_the_encoder_is_scaled_with_its_rate():
    optimizer = make_optimizer(
        "adamw", 0.1, total_steps=9, weight_decay=0.5, encoder_scale=0.25, encoder_paths=["encoder"]
    )
    assert stepped(optimizer, [(0, 0)]) == pytest.approx([1 - 0.5 * 0.1 * 0.25, 1 - 0.5 * 0.1], abs=ROUNDING)


def test_nesterov_momentum():
    first = 1 + 0.5 * -0.1 - 0.1  # velocity -0.1
    second = first + 0.5 * (0.5 * -0.1 - 0.1) - 0.1
    assert stepped(plain_sgd(momentum=0.5), [(1, 1)] * 2) == pytest.approx([second] * 2, abs=ROUNDING)


def test_gradients_are_accumulated_to_their_mean():
    assert stepped(plain_sgd(accumulate_steps=2), [(1, 2)]) == [1, 1]
    after = stepped(
        plain_sgd(accumulate_steps=2, encoder_scale=0.5, encoder_paths=["encoder"]), [(1, 2), (3, 4), (9, 9)]
    )
    assert after == pytest.approx([1 - 0.05 * (1 + 3) / 2, 1 - 0.1 * (2 + 4) / 2], abs=ROUNDING)


def test_schedule_counts_batches_where_gradients_are_accumulated():
    optimizer = plain_sgd(accumulate_steps=2, schedule="constant", warmup_steps=4)
    used = 0.1 * 1 / 4 + 0.1 * 3 / 4  # updates fall on steps 1 and 3 of 0 .. 3
    assert stepped(optimizer, [(1, 1)] * 4) == pytest.approx([1 - used] * 2, abs=ROUNDING)
    assert current_learning_rate(optimizer) == pytest.approx(0.1)


def test_all_gradients_together_are_clipped():
    # a norm of 5 is brought to 1; a mean gradient of norm 0.5 stays
    assert stepped(plain_sgd(clip_norm=1.0), [(3, 4)]) == pytest.approx([1 - 0.06, 1 - 0.08], abs=ROUNDING)
    after = stepped(plain_sgd(clip_norm=1.0, accumulate_steps=2), [(3, 4), (-2.4, -3.2)])
    assert after == pytest.approx([1 - 0.1 * 0.3, 1 - 0.1 * 0.4], abs=ROUNDING)


# -- averages of the weights


def test_average_by_hand():
    optimizer = plain_sgd(ema_momentum=0.5)
    assert stepped(optimizer, [(1, 2)] * 3) == pytest.approx([0.7, 0.4], abs=ROUNDING)
    averages = [((0.9 + 0.8) / 2 + 0.7) / 2, ((0.8 + 0.6) / 2 + 0.4) / 2]
    assert [float(average) for average in averaged_weights(optimizer)] == pytest.approx(averages, abs=ROUNDING)


def test_average_moves_with_updates_and_not_with_batches():
    optimizer = plain_sgd(ema_momentum=0.5, accumulate_steps=2)
    assert stepped(optimizer, [(1, 2)] * 7) == pytest.approx([0.7, 0.4], abs=ROUNDING)
    averages = [((0.9 + 0.8) / 2 + 0.7) / 2, ((0.8 + 0.6) / 2 + 0.4) / 2]
    assert [float(average) for average in averaged_weights(optimizer)] == pytest.approx(averages, abs=ROUNDING)


def test_fit_leaves_the_weights_and_not_their_averages():
    with_average, without = fitted("sgd", ema_momentum=0.9), fitted("sgd")
    averages = averaged_weights(with_average.optimizer)
    for weight, expected, average in zip(with_average.weights, without.weights, averages, strict=True):
        np.testing.assert_array_equal(weight.numpy(), expected.numpy())
        assert np.abs(average.numpy() - weight.numpy()).max() > 1e-3


def test_averages_are_those_inside_of_a_loss_scale_optimizer():
    optimizer = plain_sgd(ema_momentum=0.5, loss_scaling=True)
    variables = weights()
    optimizer.build(variables)
    inside = averaged_weights(optimizer.inner_optimizer)
    assert [average.shape for average in inside] == [variable.shape for variable in variables]
    assert all(one is other for one, other in zip(averaged_weights(optimizer), inside, strict=True))


def test_no_averages_without_being_asked_and_none_before_building():
    assert averaged_weights(plain_sgd()) is None
    assert averaged_weights(plain_sgd(loss_scaling=True)) is None
    assert averaged_weights(keras.optimizers.Adam()) is None
    with pytest.raises(ValueError, match=r"optimizer\.build"):
        averaged_weights(plain_sgd(ema_momentum=0.9))


# -- the whole


def test_loss_scaling_changes_nothing_where_nothing_overflows():
    options = {"accumulate_steps": 2, "clip_norm": 0.5, "ema_momentum": 0.9, "schedule": "polynomial"}
    scaled, plain = fitted("adamw", loss_scaling=True, **options), fitted("adamw", **options)
    assert isinstance(scaled.optimizer, keras.optimizers.LossScaleOptimizer)
    for one, other in zip(values_of(scaled), values_of(plain), strict=True):
        np.testing.assert_allclose(one, other, atol=ROUNDING)
    assert current_learning_rate(scaled.optimizer) == current_learning_rate(plain.optimizer)


def test_overflow_moves_neither_weights_nor_averages_nor_the_schedule():
    optimizer = plain_sgd(ema_momentum=0.5, loss_scaling=True, schedule="cosine")
    assert stepped(optimizer, [(float("inf"), 1)]) == [1, 1]
    assert [float(average) for average in averaged_weights(optimizer)] == [0, 0]
    assert current_learning_rate(optimizer) == pytest.approx(0.1)


def values_of(model):
    variables = [*model.trainable_variables, *(averaged_weights(model.optimizer) or [])]
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


@pytest.mark.parametrize(("name", "loss_scaling"), [*((name, False) for name in OPTIMIZERS), ("amsgrad", True)])
def test_compiled_model_survives_its_file(name, loss_scaling, tmp_path):
    model = fitted(name, schedule="one-cycle", first_step=2, ema_momentum=0.9, loss_scaling=loss_scaling)
    model.save(tmp_path / "model.keras")
    back = keras.saving.load_model(tmp_path / "model.keras")
    inner = getattr(back.optimizer, "inner_optimizer", back.optimizer)
    assert type(inner) is OPTIMIZERS[name][0]
    assert back.optimizer.get_config() == model.optimizer.get_config()
    for read, written in zip(back.optimizer.variables, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(read.numpy(), written.numpy())
    x, y = np.ones((4, 3), "float32"), np.ones((4, 1), "float32")
    for each in (back, model):
        each.train_on_batch(x, y)
    for read, written in zip(values_of(back), values_of(model), strict=True):
        np.testing.assert_array_equal(read, written)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_table_line_is_a_registered_keras_optimizer(name):
    cls, arguments = OPTIMIZERS[name]
    assert issubclass(cls, Staged)
    assert issubclass(cls, keras.optimizers.Optimizer)
    assert keras.saving.get_registered_name(cls) == f"densedepth_keras>{cls.__name__}"
    config = make_optimizer(name, 0.1, total_steps=1).get_config()
    assert {key: config[key] for key in arguments} == dict(arguments)


@pytest.mark.parametrize("table", [OPTIMIZERS, SCHEDULES])
def test_tables_are_read_only(table):
    with pytest.raises(TypeError):
        table["mine"] = None


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("adamax", {}, "Did you mean 'adam'"),
        ("adam", {"schedule": "step"}, "schedule='step'"),
        ("adam", {"weight_decay": 0.1}, "adam has none, adamw has.* weight_decay=0.1"),
        ("adamw", {"momentum": 0.9}, "adamw has none, sgd has.* momentum=0.9"),
        ("adamw", {"weight_decay": -0.1}, "weight_decay=-0.1"),
        ("sgd", {"momentum": 1.0}, "momentum=1.0"),
        ("adam", {"clip_norm": 0.0}, "clip_norm=0.0"),
        ("adam", {"accumulate_steps": 0}, "accumulate_steps=0"),
        ("adam", {"ema_momentum": 1.0}, "ema_momentum=1.0"),
        ("adam", {"encoder_scale": 0.0, "encoder_paths": ["encoder"]}, "encoder_scale=0.0"),
        ("adam", {"encoder_scale": 0.1}, "no weight is the encoder's.* encoder_scale=0.1"),
        ("adam", {"warmup_steps": 10}, "shorter than the run's 10 steps.* warmup_steps=10"),
    ],
)
def test_optimizer_refuses(name, options, message):
    with pytest.raises(ValueError, match=message):
        make_optimizer(name, 0.1, **{"total_steps": 10, **options})


# -- other backends, several devices

CASES = {
    "accumulated": {
        "name": "adamw",
        "schedule": "cosine",
        "warmup_steps": 3,
        "accumulate_steps": 2,
        "clip_norm": 0.5,
        "ema_momentum": 0.9,
    },
    "scaled": {"name": "amsgrad", "schedule": "one-cycle", "loss_scaling": True, "ema_momentum": 0.9, "clip_norm": 0.5},
    "plain": {"name": "sgd", "schedule": "polynomial"},
}


def trained_cases():
    return {
        f"{case}_{place}": value
        for case, options in CASES.items()
        for place, value in enumerate(values_of(fitted(epochs=2, **options)))
    }


BACKEND_SCRIPT = """
import sys, keras, numpy as np
from test_optimization import trained_cases
np.savez(sys.argv[1], backend=keras.backend.backend(), **trained_cases())
"""


def _from_subprocess(script, out, **environment):
    paths = os.pathsep.join((str(HERE), str(HERE.parent)))
    environment = {**os.environ, "PYTHONPATH": paths, "JAX_PLATFORMS": "cpu", **environment}
    command = [sys.executable, "-c", script, str(out)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(np.load(out))


@pytest.fixture(scope="module")
def tensorflow_values():
    return trained_cases()


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_backend_trains_as_tensorflow_does(backend, tensorflow_values, tmp_path):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed (a CPU build: pip install {backend}); its parity is NOT checked here")
    values = _from_subprocess(BACKEND_SCRIPT, tmp_path / "values.npz", KERAS_BACKEND=backend)
    assert values.pop("backend") == backend
    assert values.keys() == tensorflow_values.keys()
    for name, value in values.items():
        np.testing.assert_allclose(value, tensorflow_values[name], atol=ROUNDING, err_msg=name)


MIRRORED_SCRIPT = """
import sys, keras, numpy as np, tensorflow as tf
device = tf.config.LogicalDeviceConfiguration()
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], [device] * 2)
from test_optimization import fitted, make_optimizer, values_of
with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
    options = {"schedule": "cosine", "clip_norm": 0.5, "ema_momentum": 0.9}
    values = {name: values_of(fitted(name, **options)) for name in ("adamw", "sgd")}
    try:
        make_optimizer("sgd", 0.1, total_steps=2, accumulate_steps=2)
    except ValueError as error:
        refused = str(error)
values = {f"{name}_{place}": value for name, all in values.items() for place, value in enumerate(all)}
np.savez(sys.argv[1], refused=refused, **values)
"""


def test_two_mirrored_devices_step_as_one(tmp_path):
    values = _from_subprocess(MIRRORED_SCRIPT, tmp_path / "values.npz")
    assert "accumulate_steps=2" in str(values.pop("refused"))
    for name in ("adamw", "sgd"):
        expected = values_of(fitted(name, schedule="cosine", clip_norm=0.5, ema_momentum=0.9))
        for place, value in enumerate(expected):
            np.testing.assert_allclose(values[f"{name}_{place}"], value, atol=ROUNDING, err_msg=name)
