"""DepthLoss against the reference's formula, which knows no holes; what it shares with others is tested over LOSSES."""

import numpy as np
import pytest
import tensorflow as tf
from depth_maps import smooth_pair

from densedepth_keras.losses import DepthLoss, depth_loss, depth_loss_terms, gradient_error


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
    return smooth_pair(rng)


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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth_weight": -1.0}, "depth_weight=-1.0"),
        ({"depth_weight": 0.0, "gradient_weight": 0.0, "ssim_weight": 0.0}, "not all 0"),
        ({"ssim_weight": float("nan")}, "ssim_weight=nan"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        DepthLoss(**arguments)


def test_maps_below_the_window_of_ssim_are_refused():
    with pytest.raises(ValueError, match="at least 11 pixels"):
        depth_loss(np.ones((1, 10, 16, 1)), np.ones((1, 10, 16, 1)))
