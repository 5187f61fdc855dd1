"""The terms of DepthLoss in the training log."""

import keras
import numpy as np
import pytest
from depth_maps import smooth_pair

from densedepth_keras.losses import LOSSES, DepthLoss, DepthLossTerm, depth_loss_terms

TERMS = {"depth": "l_depth", "gradient": "l_grad", "ssim": "l_ssim"}


@pytest.fixture
def maps(rng):
    """Seven images of 12x14 with holes, the third without a single measurement, and their predictions."""
    true, pred = smooth_pair(rng, 7, 12, 14)
    true[rng.random(true.shape) < 0.2] = 0
    true[2] = np.nan
    return true, pred


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_says_what_it_logs(name):
    metrics = LOSSES[name](min_depth=0.5, max_depth=8.0).term_metrics()
    assert [metric.name for metric in metrics] == (list(TERMS.values()) if name == "densedepth" else [])
    assert all((metric.min_depth, metric.max_depth) == (0.5, 8.0) for metric in metrics)


def test_running_mean_over_images_is_the_terms_mean(maps):
    true, pred = maps
    metrics = DepthLoss(max_depth=5.0).term_metrics()
    for metric, term in zip(metrics, depth_loss_terms(true, pred, max_depth=5.0), strict=True):
        for part in (slice(0, 4), slice(4, 6), slice(6, 7)):
            metric.update_state(true[part], pred[part])
        assert float(metric.result()) == pytest.approx(np.mean(term), rel=1e-6)
        metric.reset_state()
        assert float(metric.result()) == 0


@pytest.mark.parametrize("weights", [(0.1, 1.0, 1.0), (2.0, 0.5, 3.0)])
def test_weighted_terms_of_the_log_are_its_loss(maps, weights):
    """Seven images in batches of 3, 3 and 1, one image empty; in training, where the network moves, and validation."""
    true, _ = maps
    loss = DepthLoss(*weights)
    model = keras.Sequential(
        [keras.Input((12, 14, 1)), keras.layers.Conv2D(1, 3, padding="same", activation="softplus")]
    )
    model.compile("adam", loss=loss, metrics=loss.term_metrics())
    images = np.nan_to_num(true)
    logs = model.fit(images, true, batch_size=3, validation_data=(images, true), verbose=0).history
    for prefix in ("", "val_"):
        parts = [weight * logs[prefix + name][0] for weight, name in zip(weights, TERMS.values(), strict=True)]
        assert all(part > 0 for part in parts)
        assert sum(parts) == pytest.approx(logs[f"{prefix}loss"][0], rel=1e-5)  # float32 sums


@pytest.mark.parametrize("term", TERMS)
def test_sample_weight_is_per_image(maps, term):
    true, pred = maps
    metric = DepthLossTerm(term)
    each = np.array(depth_loss_terms(true, pred)[list(TERMS).index(term)])
    weights = np.array([1, 0, 2, 0, 0.5, 0, 0])
    metric.update_state(true, pred, sample_weight=weights)
    assert float(metric.result()) == pytest.approx((each[0] + 2 * 0 + 0.5 * each[4]) / 3.5, rel=1e-6)


def test_a_term_computes_itself_alone():
    """Below SSIM's window only SSIM complains."""
    small = np.ones((1, 8, 8, 1), "float32")
    for term in ("depth", "gradient"):
        DepthLossTerm(term).update_state(small, small)
    with pytest.raises(ValueError, match="at least 11 pixels"):
        DepthLossTerm("ssim").update_state(small, small)


@pytest.mark.parametrize("term", TERMS)
def test_survives_serialization_and_mixed_precision(maps, term):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        metric = DepthLossTerm(term, 0.5, 8.0, name="mine")
    finally:
        keras.config.set_dtype_policy("float32")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    assert again.get_config() == metric.get_config()
    assert again.dtype == "float32"
    for each in (metric, again):
        each.update_state(*maps)
    assert float(again.result()) == float(metric.result())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("edges",), "Expected one of: 'depth', 'gradient', 'ssim'. Received: term='edges'"),
        (("depth", 5.0, 2.0), "min_depth=5.0, max_depth=2.0"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        DepthLossTerm(*arguments)
