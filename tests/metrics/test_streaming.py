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


def test_rank_3_is_rank_4_and_other_shapes_are_refused(batches):
    true, pred = batches[0]
    values = []
    for y_true, y_pred in ((true, pred), (true[..., 0], pred), (true[..., 0], pred[..., 0])):
        metric = streaming.Delta1()
        metric.update_state(y_true, y_pred)
        values.append(float(metric.result()))
    assert len(set(values)) == 1
    with pytest.raises(ValueError, match=r"y_pred.shape=\(4, 12, 14, 1\)"):
        streaming.RMSE().update_state(true, pred[:, :, :14])


def test_sample_weight():
    metric = streaming.RMSE()
    true, pred = np.ones((2, 4, 4, 1)), np.stack([np.full((4, 4, 1), 2.0), np.full((4, 4, 1), 4.0)])
    metric.update_state(true, pred, sample_weight=np.array([1.0, 0.0]))
    assert float(metric.result()) == pytest.approx(1.0)
    metric.reset_state()
    weights = np.zeros((2, 4, 4))
    weights[1, 0, 0] = 1
    metric.update_state(true, pred, sample_weight=weights)
    assert float(metric.result()) == pytest.approx(3.0)
    assert float(metric.count) == 1
