"""DepthLoss against an independent formula, with holes, and at the edges of float."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from densedepth_keras.losses import DepthLoss, depth_loss, depth_loss_terms, gradient_error, ssim


def reference_loss(y_true, y_pred, max_depth=10.0, max_val=100.0, depth_weight=0.1):
    """facts: 1 clip((1 - SSIM)/2) + 1 mean(|dy e| + |dx e|) + 0.1 mean|e| on reciprocals, no mask; written afresh."""
    true, pred = tf.constant(max_depth / y_true), tf.constant(max_depth / y_pred)
    error = pred - true
    dy, dx = tf.image.image_gradients(error)
    structure = tf.clip_by_value((1 - tf.image.ssim(true, pred, max_val)) / 2, 0, 1)
    terms = [depth_weight * tf.reduce_mean(tf.abs(error)), tf.reduce_mean(tf.abs(dy) + tf.abs(dx))]
    return float(tf.add_n([*terms, tf.reduce_mean(structure)]))


@pytest.fixture
def pair(rng):
    """Smooth-ish depth and a prediction that is off by some 20 %, (2, 40, 52, 1), metres."""
    rows, columns = np.mgrid[0:40, 0:52]
    true = 3 + 2 * np.sin(rows / 9) * np.cos(columns / 7) + rng.uniform(0, 0.5, (2, 40, 52))
    pred = true * np.exp(rng.normal(0, 0.2, true.shape))
    return true[..., None].astype("float32"), pred[..., None].astype("float32")


def gradient(y_true, y_pred, loss=None):
    y_pred = tf.convert_to_tensor(y_pred)
    with tf.GradientTape() as tape:
        tape.watch(y_pred)
        value = (loss or DepthLoss())(y_true, y_pred)
    return float(value), tf.cast(tape.gradient(value, y_pred), "float32").numpy()


def test_without_holes_it_is_the_reference_s(pair):
    assert float(DepthLoss()(*pair)) == pytest.approx(reference_loss(*pair), rel=1e-5)


def test_without_holes_it_is_the_reference_s_over_the_whole_range(rng):
    true, pred = rng.uniform(0.1, 10, (2, 3, 30, 44, 1)).astype("float32")
    assert float(DepthLoss()(true, pred)) == pytest.approx(reference_loss(true, pred), rel=1e-5)


def test_weights_and_range_are_used(pair):
    loss = DepthLoss(depth_weight=0.7, min_depth=0.5, max_depth=20.0)
    expected = reference_loss(*pair, max_depth=20.0, max_val=40.0, depth_weight=0.7)
    assert float(loss(*pair)) == pytest.approx(expected, rel=1e-5)


def test_terms_by_hand():
    """One 12x12 image, truth 5 m (reciprocal 2), prediction 10 m (1) in the left half, else right."""
    true = np.full((1, 12, 12, 1), 5.0, "float32")
    pred = true.copy()
    pred[:, :, :6] = 10.0
    depth, edges, _ = (float(term[0]) for term in depth_loss_terms(true, pred))
    assert depth == pytest.approx(72 / 144)  # |2 - 1| on half the pixels
    assert edges == pytest.approx(12 / 144)  # one jump of 1 per row; the reference divides by all 144 pixels


def _punch(y_true, rng, share=0.4):
    holes = rng.random(y_true.shape) < share
    holes[:, 10:25, 20:40] = True
    return np.where(holes, 0, y_true).astype("float32"), holes


@pytest.mark.parametrize("mark", [0.0, np.nan, np.inf, -1.0, 10.5, 0.05])
def test_pixels_without_usable_truth_change_nothing(pair, rng, mark):
    true, pred = pair
    true, holes = _punch(true, rng)
    marked = np.where(holes, mark, true).astype("float32")
    wild = np.where(holes, rng.uniform(0, 1e4, pred.shape), pred).astype("float32")
    value, slope = gradient(true, pred)
    wild_value, wild_slope = gradient(marked, wild)
    assert value == wild_value
    np.testing.assert_array_equal(slope, wild_slope)
    assert (slope[holes] == 0).all()
    assert (slope[~holes] != 0).mean() > 0.9


def test_invalid_prediction_in_a_hole_is_no_poison(pair, rng):
    true, holes = _punch(pair[0], rng)
    value, slope = gradient(true, np.where(holes, np.nan, pair[1]).astype("float32"))
    assert np.isfinite(value)
    assert np.isfinite(slope).all()


def test_every_mean_divides_by_what_is_valid():
    """A constant error in reciprocals costs the same whether 100 % or 20 % of it was measured."""
    true = np.full((1, 30, 30, 1), 5.0, "float32")
    pred = np.full_like(true, 4.0)
    holes = true.copy()
    holes[:, :, 6:] = 0
    for whole, part in zip(depth_loss_terms(true, pred), depth_loss_terms(holes, pred), strict=True):
        assert float(part[0]) == pytest.approx(float(whole[0]), rel=1e-4)


def test_gradient_pairs_need_both_ends():
    """A lattice of single pixels has no neighbours: nothing to compare, whatever their errors."""
    valid = np.zeros((1, 12, 12, 1), "float32")
    valid[:, ::2, ::2] = 1
    noise = np.random.default_rng(0).normal(size=valid.shape).astype("float32")
    assert float(gradient_error(noise, 0 * noise, valid)[0]) == 0.0


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


def test_masked_ssim_against_a_slow_loop(rng):
    x, y = rng.uniform(1, 30, (2, 24, 20))
    m = (rng.random((24, 20)) < 0.5).astype(float)
    m[5:20, 3:18] = 0
    got = ssim(*(a[None, ..., None].astype("float32") for a in (x * m, y * m, m)), max_val=100.0)
    assert float(got[0]) == pytest.approx(slow_masked_ssim(x, y, m, 100.0), abs=2e-5)  # float32 variances


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize("case", ["whole", "holes", "all holes"])
@pytest.mark.parametrize("perfect", [True, False])
def test_value_and_gradient_are_finite(pair, rng, dtype, case, perfect):
    true = {"whole": pair[0], "holes": _punch(pair[0], rng)[0], "all holes": 0 * pair[0]}[case]
    true = tf.cast(true, dtype)
    pred = tf.where(true > 0, true, tf.ones_like(true)) if perfect else tf.cast(pair[1], dtype)
    value, slope = gradient(true, pred)
    assert np.isfinite(slope).all()
    assert (value < 1e-6) == (perfect or case == "all holes")
    if case == "all holes":
        assert (slope == 0).all()


def test_extreme_predictions_stay_finite():
    true = np.full((1, 16, 16, 1), 2.0, "float32")
    for depth in (1e-30, 0.0, -5.0, 1e30):
        value, slope = gradient(true, np.full_like(true, depth))
        assert np.isfinite(value)
        assert np.isfinite(slope).all()


def test_one_empty_image_of_a_batch_counts_as_zero(pair):
    true, pred = pair[0].copy(), pair[1]
    alone = float(DepthLoss()(true[:1], pred[:1]))
    true[1] = 0
    assert float(DepthLoss()(true, pred)) == pytest.approx(alone / 2, rel=1e-6)


def test_rank_3_is_taken(pair):
    np.testing.assert_allclose(depth_loss(pair[0][..., 0], pair[1][..., 0]), depth_loss(*pair))


def test_jit_compiled_equals_eager(pair):
    compiled = tf.function(lambda a, b: DepthLoss()(a, b), jit_compile=True)
    assert float(compiled(*map(tf.constant, pair))) == pytest.approx(float(DepthLoss()(*pair)), rel=1e-5)


def test_computes_in_float32_under_mixed_precision(pair):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        assert float(DepthLoss()(*pair)) == pytest.approx(reference_loss(*pair), rel=1e-5)
    finally:
        keras.config.set_dtype_policy("float32")


def test_survives_serialization(pair):
    loss = DepthLoss(0.3, 0.5, 2.0, min_depth=0.2, max_depth=8.0, name="mine")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert again.get_config() == loss.get_config()
    assert float(again(*pair)) == float(loss(*pair))


def test_training_moves_a_constant_to_the_truth():
    """Gradient descent on a single number finds 4 m behind a map full of holes."""
    true = np.full((1, 16, 16, 1), 4.0, "float32")
    true[:, ::2] = 0
    variable = keras.Variable(1.0)
    optimizer = keras.optimizers.Adam(0.05)
    for _ in range(300):
        with tf.GradientTape() as tape:
            loss = DepthLoss()(true, ops.ones_like(true) * variable)
        optimizer.apply([tape.gradient(loss, variable.value)], [variable])
    assert float(variable) == pytest.approx(4.0, abs=0.1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth_weight": -1.0}, "depth_weight=-1.0"),
        ({"depth_weight": 0.0, "gradient_weight": 0.0, "ssim_weight": 0.0}, "not all 0"),
        ({"min_depth": 5.0, "max_depth": 2.0}, "min_depth=5.0, max_depth=2.0"),
        ({"ssim_weight": float("nan")}, "ssim_weight=nan"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        DepthLoss(**arguments)


def test_unequal_shapes_and_tiny_maps():
    with pytest.raises(ValueError, match=r"y_pred.shape=\(1, 16, 15, 1\)"):
        depth_loss(np.ones((1, 16, 16, 1)), np.ones((1, 16, 15, 1)))
    with pytest.raises(ValueError, match="at least 11 pixels"):
        depth_loss(np.ones((1, 10, 16, 1)), np.ones((1, 10, 16, 1)))
