"""Every metric by hand, and properties over the whole table."""

import math

import numpy as np
import pytest

from densedepth_keras.metrics import METRICS, functional

TRUE, PRED = np.array([[1.0, 2.0], [4.0, 8.0]]), np.array([[1.0, 4.0], [2.0, 8.0]])
LN2 = math.log(2)
BY_HAND = {
    "rmse": math.sqrt((0 + 4 + 4 + 0) / 4),
    "abs_rel": (0 + 2 / 2 + 2 / 4 + 0) / 4,
    "sq_rel": (0 + 4 / 2 + 4 / 4 + 0) / 4,
    "log10": (0 + math.log10(2) + math.log10(2) + 0) / 4,
    "rmse_log": math.sqrt((0 + LN2**2 + LN2**2 + 0) / 4),
    "silog": 100 * math.sqrt((LN2**2 + LN2**2) / 4 - ((LN2 - LN2) / 4) ** 2),
    "delta1": 2 / 4,
    "delta2": 2 / 4,
    "delta3": 2 / 4,
}
SHARES = ("delta1", "delta2", "delta3")


@pytest.fixture
def maps(rng):
    true = rng.uniform(0.5, 9, (12, 17))
    return true, true * np.exp(rng.normal(0.05, 0.3, true.shape)), rng.random(true.shape) < 0.7


@pytest.mark.parametrize("name", METRICS)
def test_by_hand(name):
    assert METRICS[name](TRUE, PRED) == pytest.approx(BY_HAND[name], abs=1e-15)


@pytest.mark.parametrize(("ratio", "shares"), [(1.2, (1, 1, 1)), (1.25, (0, 1, 1)), (1.6, (0, 0, 1)), (2.0, (0, 0, 0))])
def test_thresholds_are_strict_and_symmetric(ratio, shares):
    for true, pred in ((1.0, ratio), (ratio, 1.0)):
        assert tuple(METRICS[name]([true], [pred]) for name in SHARES) == shares


@pytest.mark.parametrize("name", METRICS)
def test_perfect_prediction(name, maps):
    assert METRICS[name](maps[0], maps[0], maps[2]) == (1.0 if name in SHARES else 0.0)


@pytest.mark.parametrize("name", METRICS)
def test_changing_an_invalid_pixel_changes_nothing(name, maps):
    true, pred, valid = maps
    value = METRICS[name](true, pred, valid)
    for bad in (0.0, np.nan, np.inf, -3.0, 1e6):
        assert METRICS[name](np.where(valid, true, bad), np.where(valid, pred, bad), valid) == value


@pytest.mark.parametrize("name", METRICS)
def test_empty_mask_is_nan(name, maps):
    assert math.isnan(METRICS[name](maps[0], maps[1], np.zeros(maps[0].shape, bool)))


@pytest.mark.parametrize("name", METRICS)
def test_float32_input_is_computed_in_float64(name, maps):
    true, pred, valid = maps
    true, pred = true.astype("float32"), pred.astype("float32")
    assert METRICS[name](true, pred, valid) == METRICS[name](true.astype(float), pred.astype(float), valid)


@pytest.mark.parametrize("name", ["rmse", "log10", "rmse_log", "silog", *SHARES])
def test_symmetric_metrics(name, maps):
    assert METRICS[name](maps[0], maps[1]) == pytest.approx(METRICS[name](maps[1], maps[0]))


@pytest.mark.parametrize("name", ["abs_rel", "sq_rel"])
def test_relative_metrics_divide_by_the_truth(name):
    assert METRICS[name]([2.0], [1.0]) == 0.5
    assert METRICS[name]([1.0], [2.0]) == 1.0


def test_silog_is_blind_to_a_common_scale(maps):
    assert functional.silog(maps[0], 3 * maps[1]) == pytest.approx(functional.silog(maps[0], maps[1]))


@pytest.mark.parametrize("name", METRICS)
def test_unequal_shapes(name):
    with pytest.raises(ValueError, match=r"y_pred.shape=\(3,\)"):
        METRICS[name](np.ones(4), np.ones(3))
    with pytest.raises(ValueError, match="valid_mask=float64"):
        METRICS[name](np.ones(4), np.ones(4), np.ones(4))


@pytest.mark.parametrize("name", [name for name in METRICS if name != "rmse"])
@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan])
def test_values_without_a_logarithm_are_refused(name, bad):
    with pytest.raises(ValueError, match="y_pred with a valid pixel of"):
        METRICS[name](np.ones(3), np.array([1.0, bad, 1.0]))
