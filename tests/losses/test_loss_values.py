"""Every loss against a slow formula in NumPy, its slope against finite differences of that formula, and by hand."""

import math

import numpy as np
import pytest
import tensorflow as tf
from depth_maps import value_and_slope

from densedepth_keras.losses import (
    LOSSES,
    BerHuLoss,
    L2Loss,
    MultiScaleGradientLoss,
    SILogLoss,
    berhu_loss,
    l1_loss,
    l2_loss,
    multi_scale_gradient_loss,
    silog_loss,
    ssim,
)


def slow_masked_ssim(x, y, m, max_val):
    """Window by window in float64: moments over valid pixels, windows weighted by their valid share."""
    offsets = np.arange(11) - 5
    g = np.exp(-(offsets[:, None] ** 2 + offsets[None] ** 2) / (2 * 1.5**2))
    g /= g.sum()
    c1, c2, total, weight = (0.01 * max_val) ** 2, (0.03 * max_val) ** 2, 0.0, 0.0
    for i in range(x.shape[0] - 10):
        for j in range(x.shape[1] - 10):
            w = g * m[i : i + 11, j : j + 11]
            share = w.sum()
            if share == 0:
                continue
            a, b, w = x[i : i + 11, j : j + 11], y[i : i + 11, j : j + 11], w / share
            ma, mb = (w * a).sum(), (w * b).sum()
            va, vb, cov = (w * (a - ma) ** 2).sum(), (w * (b - mb) ** 2).sum(), (w * (a - ma) * (b - mb)).sum()
            total += share * (2 * ma * mb + c1) / (ma**2 + mb**2 + c1) * (2 * cov + c2) / (va + vb + c2)
            weight += share
    return total / weight


def slow_gradient_error(error, valid):
    """Pair by pair; the reference's zero row and column are the factor."""
    total = 0.0
    for e, m in ((error, valid), (error.T, valid.T)):
        pairs = [(e[i + 1, j] - e[i, j]) for i, j in np.ndindex(e.shape) if i + 1 < len(e) and m[i, j] and m[i + 1, j]]
        if pairs:
            total += np.mean(np.abs(pairs)) * (len(e) - 1) / len(e)
    return total


def slow_depth_loss(true, pred, valid):
    error = 10 / pred - 10 / true
    structure = (1 - slow_masked_ssim(10 / true, 10 / pred, valid, 100.0)) / 2
    return 0.1 * np.abs(error[valid]).mean() + slow_gradient_error(error, valid) + structure


def slow_berhu(true, pred, valid, limit=None):
    errors = np.abs(true - pred)[valid]
    c = 0.2 * errors.max() if limit is None else limit
    return np.mean([e if e <= c else (e * e + c * c) / (2 * c) for e in errors])


def slow_silog(true, pred, valid, focus=0.85):
    d = np.log(pred[valid]) - np.log(true[valid])
    return math.sqrt((d**2).mean() - focus * d.mean() ** 2)


def slow_multi_scale_gradient(true, pred, valid, depth_weight=1.0, gradient_weight=0.5, scales=4):
    d = np.log(pred) - np.log(true)
    edges = [slow_gradient_error(d[:: 2**s, :: 2**s], valid[:: 2**s, :: 2**s]) for s in range(scales)]
    return depth_weight * np.abs(d[valid]).mean() + gradient_weight * sum(edges)


ORACLES = {
    "densedepth": slow_depth_loss,
    "l1": lambda true, pred, valid: np.abs(true - pred)[valid].mean(),
    "l2": lambda true, pred, valid: ((true - pred)[valid] ** 2).mean(),
    "berhu": slow_berhu,
    "silog": slow_silog,
    "multi_scale_gradient": slow_multi_scale_gradient,
}
"""`(true, pred, valid)` of one image, float64 `(H, W)`, positive everywhere -> the loss with default arguments."""


@pytest.fixture
def maps(rng):
    """One image of float64 `(14, 13)`: every prediction 10..40 % off, away from the kink at 0; a quarter is holes."""
    true = rng.uniform(1.0, 9.0, (14, 13))
    pred = true * np.exp(rng.choice([-1, 1], true.shape) * rng.uniform(0.1, 0.35, true.shape))
    return true, pred, rng.random(true.shape) < 0.75


def as_batch(true, pred, valid):
    return (a[None, ..., None].astype("float32") for a in (np.where(valid, true, 0), pred))


@pytest.mark.parametrize("name", LOSSES)
def test_value_is_the_slow_formula_s(name, maps):
    expected = ORACLES[name](*maps)
    assert float(LOSSES[name]()(*as_batch(*maps))) == pytest.approx(expected, rel=1e-5)  # float32 sums


@pytest.mark.parametrize("name", LOSSES)
def test_slope_is_the_slow_formula_s(name, maps):
    """Central differences in float64; berHu's limit stands still, as it does for the gradient."""
    true, pred, valid = maps
    frozen = {"limit": 0.2 * np.abs(true - pred)[valid].max()} if name == "berhu" else {}
    step, expected = 1e-6, np.zeros_like(pred)
    for at in np.ndindex(pred.shape):
        values = []
        for sign in (1, -1):
            moved = pred.copy()
            moved[at] += sign * step
            values.append(ORACLES[name](true, moved, valid, **frozen))
        expected[at] = (values[0] - values[1]) / (2 * step)
    _, slope = value_and_slope(LOSSES[name](), *as_batch(*maps))
    np.testing.assert_allclose(slope[0, ..., 0], expected, atol=1e-4 * np.abs(expected).max())  # float32 moments


def test_masked_ssim_against_a_slow_loop(rng):
    x, y = rng.uniform(1, 30, (2, 24, 20))
    m = (rng.random((24, 20)) < 0.5).astype(float)
    m[5:20, 3:18] = 0
    got = ssim(*(a[None, ..., None].astype("float32") for a in (x * m, y * m, m)), max_val=100.0)
    assert float(got[0]) == pytest.approx(slow_masked_ssim(x, y, m, 100.0), abs=2e-5)  # float32 variances


def by_hand(formula, true, pred, **arguments):
    return float(formula(*(np.array([rows], "float32") for rows in (true, pred)), **arguments)[0])


def test_losses_in_metres_by_hand():
    """Errors of 1, 0 and 3 m; a hole."""
    true, pred = [[2, 2], [4, 0]], [[3, 2], [1, 9]]
    assert by_hand(l1_loss, true, pred) == pytest.approx((1 + 0 + 3) / 3)
    assert by_hand(l2_loss, true, pred) == pytest.approx((1 + 0 + 9) / 3)
    c = 0.2 * 3
    assert by_hand(berhu_loss, true, pred) == pytest.approx(((1 + c * c) / (2 * c) + 0 + (9 + c * c) / (2 * c)) / 3)
    c = 0.5 * 3
    assert by_hand(berhu_loss, true, pred, threshold=0.5) == pytest.approx((1 + 0 + (9 + c * c) / (2 * c)) / 3)
    assert by_hand(berhu_loss, true, pred, threshold=1.0) == by_hand(l1_loss, true, pred)


def test_logarithmic_losses_by_hand():
    """Logarithms off by 1, 0 and 2; a hole."""
    true, pred = [[1, 1], [1, 0]], [[math.e, 1], [math.e**2, 9]]
    assert by_hand(silog_loss, true, pred) == pytest.approx(math.sqrt((1 + 0 + 4) / 3 - 0.85 * (3 / 3) ** 2))
    assert by_hand(silog_loss, true, pred, variance_focus=0) == pytest.approx(math.sqrt(5 / 3))
    # one valid pair down, |2 - 1|, and one across, |0 - 1|, each times (2 - 1) / 2
    assert by_hand(multi_scale_gradient_loss, true, pred) == pytest.approx(3 / 3 + 0.5 * (1 / 2 + 1 / 2))


def test_scales_by_hand():
    """Logarithms off by 0, 1, 2 and 3 from row to row of a 4x4 map."""
    true = np.ones((4, 4))
    pred = np.exp(np.arange(4.0))[:, None] * true
    ramp = (0 + 1 + 2 + 3) / 4
    for scales, edges in ((1, 3 / 4), (2, 3 / 4 + 2 * 1 / 2), (3, 3 / 4 + 2 * 1 / 2), (9, 3 / 4 + 2 * 1 / 2)):
        value = by_hand(multi_scale_gradient_loss, true, pred, scales=scales)
        assert value == pytest.approx(ramp + 0.5 * edges, rel=1e-5)  # logarithms of rounded exponentials
    value = by_hand(multi_scale_gradient_loss, true[:, :1], pred[:, :1])  # one column has neighbours down, none across
    assert value == pytest.approx(ramp + 0.5 * (3 / 4 + 2 * 1 / 2), rel=1e-5)


def test_weights_of_the_scales_are_used(maps):
    arguments = {"depth_weight": 0.2, "gradient_weight": 3.0, "scales": 2}
    expected = slow_multi_scale_gradient(*maps, **arguments)
    assert float(MultiScaleGradientLoss(**arguments)(*as_batch(*maps))) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("shape", [(1, 2), (2, 1), (1, 17), (5, 9), (40, 3)])
def test_small_maps_cost_the_same_where_the_size_is_not_known(rng, shape):
    true, pred = rng.uniform(1, 9, (2, 1, *shape, 1)).astype("float32")
    unknown = tf.TensorSpec((None, None, None, 1))
    graph = tf.function(lambda a, b: MultiScaleGradientLoss()(a, b), input_signature=(unknown, unknown))
    expected = slow_multi_scale_gradient(true[0, ..., 0], pred[0, ..., 0], np.ones(shape, bool))
    assert float(graph(true, pred)) == pytest.approx(expected, rel=1e-5)
    assert float(MultiScaleGradientLoss()(true, pred)) == pytest.approx(expected, rel=1e-5)


def test_a_single_pixel_has_no_neighbours():
    with pytest.raises(ValueError, match=r"at least 2 pixels. Received: y_true.shape=\(2, 1, 1, 1\)"):
        multi_scale_gradient_loss(np.ones((2, 1, 1)), np.ones((2, 1, 1)))


@pytest.mark.parametrize("focus", [0.0, 0.5, 0.85, 1.0])
def test_a_common_factor_costs_what_the_variance_focus_leaves(maps, focus):
    true, pred, valid = maps
    loss = SILogLoss(variance_focus=focus)
    assert float(loss(*as_batch(*maps))) == pytest.approx(slow_silog(*maps, focus), rel=1e-5)
    factor = float(loss(*as_batch(true, 1.3 * true, valid)))
    assert factor == pytest.approx(math.sqrt(1 - focus) * math.log(1.3), abs=1e-6)  # float32 logarithms
    if focus == 1:
        assert float(loss(*as_batch(true, 3 * pred, valid))) == pytest.approx(slow_silog(*maps, 1), rel=1e-5)


def test_a_forgiven_factor_has_a_finite_slope(maps):
    """There the root is 0 but for rounding, and its own slope infinite; a slope of unit length is all that is left."""
    true, _, valid = maps
    for factor in (1.0, 1.3, 2.0):
        value, slope = value_and_slope(SILogLoss(variance_focus=1.0), *as_batch(true, factor * true, valid))
        assert 0 <= value < 1e-6
        assert np.isfinite(slope).all()
        assert np.abs(slope).max() < 1


def test_berhu_looks_at_each_image_alone():
    """FCRN would take the second image's 5 m for both, and the first would cost as in L1."""
    true = np.full((2, 4, 4, 1), 2.0, "float32")
    pred = true + np.array([0.1, 5.0], "float32").reshape(2, 1, 1, 1)
    each = berhu_loss(true, pred)
    np.testing.assert_allclose(each, [0.1 * (1 + 0.04) / 0.4, 5 * (1 + 0.04) / 0.4], rtol=1e-5)


@pytest.mark.parametrize("name", ["l1", "l2", "berhu"])
def test_losses_in_metres_lift_a_prediction_below_zero(name):
    true = np.full((1, 16, 16, 1), 2.0, "float32")
    for depth in (0.0, -5.0):
        assert (value_and_slope(LOSSES[name](), true, np.full_like(true, depth))[1] < 0).all()


def test_range_is_used():
    """8 m counts up to 10 m, and no longer where the range ends at 5 m."""
    true, pred = np.array([[[2.0, 8.0]]], "float32"), np.array([[[3.0, 11.0]]], "float32")
    assert float(L2Loss()(true, pred)) == pytest.approx((1 + 9) / 2)
    assert float(L2Loss(max_depth=5.0)(true, pred)) == pytest.approx(1.0)
    assert float(L2Loss(min_depth=3.0)(true, pred)) == pytest.approx(9.0)


@pytest.mark.parametrize(
    ("loss", "arguments", "message"),
    [
        (BerHuLoss, {"threshold": 0.0}, "`threshold` must be above 0 .* threshold=0.0"),
        (BerHuLoss, {"threshold": 1.5}, "threshold=1.5"),
        (BerHuLoss, {"threshold": float("nan")}, "threshold=nan"),
        (SILogLoss, {"variance_focus": -0.1}, "`variance_focus` must lie in 0..1. .* variance_focus=-0.1"),
        (SILogLoss, {"variance_focus": 1.1}, "variance_focus=1.1"),
        (MultiScaleGradientLoss, {"depth_weight": -1.0}, "depth_weight=-1.0, gradient_weight=0.5"),
        (MultiScaleGradientLoss, {"depth_weight": 0.0, "gradient_weight": 0.0}, "not all 0"),
        (MultiScaleGradientLoss, {"scales": 0}, "`scales` must be a whole number .* scales=0"),
        (MultiScaleGradientLoss, {"scales": 1.5}, "scales=1.5"),
    ],
)
def test_wrong_arguments(loss, arguments, message):
    with pytest.raises(ValueError, match=message):
        loss(**arguments)
