"""What every line of the LOSSES table keeps: a new loss is a tested loss."""

import inspect
from types import MappingProxyType

import keras
import numpy as np
import pytest
import tensorflow as tf
from depth_maps import punch, smooth_pair, value_and_slope

from densedepth_keras.losses import LOSSES

OTHER_ARGUMENTS = {
    "densedepth": {"depth_weight": 0.3, "gradient_weight": 0.5, "ssim_weight": 2.0},
    "berhu": {"threshold": 0.4},
    "silog": {"variance_focus": 0.5},
    "multi_scale_gradient": {"depth_weight": 0.3, "gradient_weight": 0.2, "scales": 2},
}
"""Every argument but range, name and reduction, with a value that is not the default."""


@pytest.fixture(params=LOSSES)
def name(request):
    return request.param


@pytest.fixture
def loss(name):
    return LOSSES[name]()


@pytest.fixture
def pair(rng):
    return smooth_pair(rng)


def test_table_is_read_only_and_its_constructors_take_a_range(name):
    assert isinstance(LOSSES, MappingProxyType)
    config = LOSSES[name](min_depth=0.2, max_depth=80.0).get_config()
    assert (config["min_depth"], config["max_depth"]) == (0.2, 80.0)


def test_perfect_prediction_costs_nothing_and_every_other_something(loss, pair, rng):
    true = punch(pair[0], rng)[0]
    assert float(loss(true, true)) == pytest.approx(0, abs=1e-6)  # SSIM's float32 moments; the others are exact
    one_pixel = true.copy()
    one_pixel[0, 5, 5] = 1.5 * pair[0][0, 5, 5]
    true[0, 5, 5] = pair[0][0, 5, 5]
    for pred in (pair[1], 0.9 * pair[0], 1.1 * pair[0], pair[0] + 0.3, pair[0][:, ::-1], one_pixel):
        assert float(loss(true, pred)) > 1e-5


@pytest.mark.parametrize("mark", [0.0, np.nan, np.inf, -1.0, 10.5, 0.05])
def test_pixels_without_usable_truth_change_nothing(loss, pair, rng, mark):
    true, holes = punch(pair[0], rng)
    marked = np.where(holes, mark, true).astype("float32")
    value, slope = value_and_slope(loss, true, pair[1])
    assert (slope[holes] == 0).all()
    assert (slope[~holes] != 0).mean() > 0.9
    for wild in (rng.uniform(-1e4, 1e4, holes.shape), np.nan, np.inf):
        wild_value, wild_slope = value_and_slope(loss, marked, np.where(holes, wild, pair[1]).astype("float32"))
        assert value == wild_value
        np.testing.assert_array_equal(slope, wild_slope)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize("case", ["whole", "holes", "all holes"])
@pytest.mark.parametrize("perfect", [True, False])
def test_value_and_gradient_are_finite(loss, pair, rng, dtype, case, perfect):
    true = {"whole": pair[0], "holes": punch(pair[0], rng)[0], "all holes": 0 * pair[0]}[case]
    true = tf.cast(true, dtype)
    pred = tf.where(true > 0, true, tf.ones_like(true)) if perfect else tf.cast(pair[1], dtype)
    value, slope = value_and_slope(loss, true, pred)
    assert np.isfinite(slope).all()
    assert (abs(value) < 1e-6) == (perfect or case == "all holes")  # SSIM's float32 moments
    if case == "all holes":
        assert (slope == 0).all()


@pytest.mark.parametrize("depth", [1e-30, 0.0, -5.0, 1e30, -1e30, np.inf, -np.inf])
def test_extreme_predictions_stay_finite(loss, depth):
    true = np.full((1, 16, 16, 1), 2.0, "float32")
    pred = np.full_like(true, 3.0)
    pred[:, 4:9] = depth
    for extreme in (pred, np.full_like(true, depth)):
        value, slope = value_and_slope(loss, true, extreme)
        assert np.isfinite(value)
        assert np.isfinite(slope).all()


def test_nan_prediction_of_a_measured_pixel_is_not_hidden(loss, pair):
    """`TerminateOnNaN` has to see it."""
    pred = pair[1].copy()
    pred[0, 20, 20] = np.nan
    assert np.isnan(float(loss(pair[0], pred)))


def test_batch_is_the_mean_of_its_images_and_an_empty_one_counts_as_zero(loss, rng):
    true, pred = smooth_pair(rng, count=3)
    true[0] = punch(true[:1], rng)[0]
    true[1] = 0
    pred[2] *= 0.5  # errors of another size
    alone = [float(loss(true[i : i + 1], pred[i : i + 1])) for i in range(3)]
    assert alone[1] == 0 < alone[0] < alone[2]
    assert float(loss(true, pred)) == pytest.approx((alone[0] + 0 + alone[2]) / 3, rel=1e-6)


def test_rank_3_is_taken(loss, pair):
    assert float(loss(pair[0][..., 0], pair[1][..., 0])) == float(loss(*pair))
    assert float(loss(pair[0][..., 0], pair[1])) == float(loss(*pair))


def test_unequal_shapes_are_refused(loss):
    with pytest.raises(ValueError, match=r"y_pred.shape=\(1, 16, 15, 1\)"):
        loss(np.ones((1, 16, 16, 1)), np.ones((1, 16, 15, 1)))


def test_a_range_that_is_none_is_refused(name):
    with pytest.raises(ValueError, match=r"min_depth=5.0, max_depth=2.0"):
        LOSSES[name](min_depth=5.0, max_depth=2.0)


def test_compiled_equals_eager(loss, pair, rng):
    """With XLA, and as a graph that knows no size."""
    true = punch(pair[0], rng)[0]
    expected = pytest.approx(float(loss(true, pair[1])), rel=1e-5)  # sums in another order
    compiled = tf.function(lambda a, b: loss(a, b), jit_compile=True)
    assert float(compiled(tf.constant(true), tf.constant(pair[1]))) == expected
    unknown = tf.TensorSpec((None, None, None, 1))
    graph = tf.function(lambda a, b: loss(a, b), input_signature=(unknown, unknown))
    assert float(graph(true, pair[1])) == expected


def test_computes_in_float32_under_mixed_precision(name, pair):
    expected = float(LOSSES[name]()(*pair))
    keras.config.set_dtype_policy("mixed_float16")
    try:
        assert float(LOSSES[name]()(*pair)) == expected
    finally:
        keras.config.set_dtype_policy("float32")


def test_survives_serialization(name, pair):
    own = OTHER_ARGUMENTS.get(name, {})
    loss = LOSSES[name](**own, min_depth=0.2, max_depth=8.0, name="mine", reduction="sum")
    config = loss.get_config()
    defaults = {key: p.default for key, p in inspect.signature(LOSSES[name]).parameters.items()}
    assert config.keys() == defaults.keys()
    assert all(config[key] != default for key, default in defaults.items())
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert type(again) is LOSSES[name]
    assert again.get_config() == config
    assert float(again(*pair)) == float(loss(*pair))
    assert keras.saving.get_registered_name(LOSSES[name]) == f"densedepth_keras>{LOSSES[name].__name__}"


def test_training_moves_constants_to_the_truth(loss):
    """Gradient descent on one number per image finds 4 m from both sides, behind maps full of holes."""
    true = np.full((2, 16, 16, 1), 4.0, "float32")
    true[:, ::2] = 0
    depths = keras.Variable(np.array([1.0, 9.0], "float32").reshape(2, 1, 1, 1))
    optimizer = keras.optimizers.Adam(0.05)
    optimizer.build([depths])

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            value = loss(true, tf.ones_like(true) * depths.value)
        optimizer.apply([tape.gradient(value, depths.value)], [depths])

    for _ in range(300):
        step()
    np.testing.assert_allclose(depths.numpy().ravel(), 4.0, atol=0.1)  # two of Adam's steps
