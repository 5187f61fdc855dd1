"""The Keras metrics follow the functional ones."""

import keras
import numpy as np
import pytest

from densedepth_keras.metrics import functional, streaming

METRICS = {"rmse": streaming.RMSE, "abs_rel": streaming.AbsRel, "delta1": streaming.Delta1}


@pytest.fixture
def batches(rng):
    """Three batches of unequal size with holes of every kind, and predictions partly outside the range."""
    made = []
    for size in (4, 4, 1):
        true = rng.uniform(0.2, 9.9, (size, 12, 15, 1)).astype("float32")
        pred = (true * np.exp(rng.normal(0, 0.4, true.shape))).astype("float32")
        for mark in (0.0, np.nan, np.inf, 12.0):
            true[rng.random(true.shape) < 0.1] = mark
        made.append((true, pred))
    return made


@pytest.mark.parametrize("name", METRICS)
def test_pooled_value_equals_functional_on_all_pixels(name, batches):
    metric = METRICS[name]()
    for true, pred in batches:
        metric.update_state(true, pred)
    true, pred = (np.concatenate([batch[i].ravel() for batch in batches]) for i in (0, 1))
    expected = getattr(functional, name)(true, np.clip(pred, 0.1, 10), (true >= 0.1) & (true <= 10))
    assert float(metric.result()) == pytest.approx(expected, rel=1e-5)  # float32 sums


@pytest.mark.parametrize("name", METRICS)
def test_invalid_pixels_change_nothing(name, batches):
    values = []
    for fill in (1.0, np.nan):
        metric = METRICS[name]()
        for true, pred in batches:
            metric.update_state(true, np.where((true >= 0.1) & (true <= 10), pred, fill).astype("float32"))
        values.append(float(metric.result()))
    assert values[0] == values[1]


@pytest.mark.parametrize("name", METRICS)
def test_reset_empty_and_config(name, batches):
    metric = METRICS[name](0.5, 8.0)
    metric.update_state(*batches[0])
    metric.reset_state()
    assert float(metric.result()) == 0.0
    metric.update_state(np.zeros((1, 4, 4, 1)), np.ones((1, 4, 4, 1)))
    assert float(metric.result()) == 0.0
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    assert (again.name, again.min_depth, again.max_depth) == (name, 0.5, 8.0)


def test_count_does_not_saturate():
    """float32 counts stop growing at 2^24 when pixels are added one by one; whole batches are added here."""
    metric = streaming.RMSE()
    metric.count.assign(2.0**25)
    metric.update_state(np.ones((1, 100, 100, 1)), np.ones((1, 100, 100, 1)))
    assert float(metric.count) == 2.0**25 + 10_000


def test_sample_weight():
    metric = streaming.RMSE()
    true, pred = np.ones((2, 4, 4, 1)), np.stack([np.full((4, 4, 1), 2.0), np.full((4, 4, 1), 4.0)])
    metric.update_state(true, pred, sample_weight=np.array([1.0, 0.0]))
    assert float(metric.result()) == pytest.approx(1.0)
