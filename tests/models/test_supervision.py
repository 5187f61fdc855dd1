"""Deep supervision: outputs, weights of the total loss, names in the log, and use without companions."""

import keras
import numpy as np
import pytest
from keras import ops

from densedepth_keras.losses import DepthLoss
from densedepth_keras.metrics.streaming import RMSE
from densedepth_keras.models import build_model, inference_model
from densedepth_keras.models.supervision import DeeplySupervised
from densedepth_keras.prediction import depth_range, load_model, predict_depth


def model_of(deep_supervision, **arguments):
    keras.utils.set_random_seed(0)
    arguments = {"decoder_filters": 16, "weights": None, "freeze_encoder": True, **arguments}
    return build_model("mobilenet_v2", deep_supervision=deep_supervision, **arguments)


@pytest.fixture(scope="module")
def fitted():
    """Three companions of weights 0.5, 0.25, 0.125, and the log of two epochs."""
    model = model_of(3, companion_weight=0.5, companion_decay=0.5)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (6, 64, 64, 3), dtype=np.uint8)
    depth = rng.uniform(1, 9, (6, 32, 32, 1)).astype("float32")
    model.compile(keras.optimizers.Adam(1e-3), loss=DepthLoss(), metrics=[RMSE(), *DepthLoss().term_metrics()])
    history = model.fit(images, depth, validation_split=0.5, epochs=2, batch_size=3, verbose=0).history
    return model, images, depth, history


@pytest.mark.parametrize("count", [0, 1, 2, 3])
@pytest.mark.parametrize("size", [(64, 64), (75, 107)])
def test_as_many_companions_of_the_main_output_s_size(count, size, rng):
    outputs = model_of(count)(rng.integers(0, 256, (1, *size, 3), dtype=np.uint8))
    expected = (1, -(-size[0] // 2), -(-size[1] // 2), 1)
    if count == 0:
        assert outputs.shape == expected
        return
    assert list(outputs) == ["depth", "depth_s2", "depth_s3", "depth_s4"][: count + 1]
    assert {tuple(depth.shape) for depth in outputs.values()} == {expected}
    assert all((ops.convert_to_numpy(depth) > 0).all() for depth in outputs.values())


@pytest.mark.parametrize(
    "arguments", [{"full_resolution": True}, {"decoder": "separable"}, {"upsampling": "transpose"}]
)
def test_goes_with_every_other_switch(arguments, rng):
    outputs = model_of(3, **arguments)(rng.integers(0, 256, (1, 45, 70, 3), dtype=np.uint8))
    assert len({tuple(depth.shape) for depth in outputs.values()}) == 1


def test_unet_has_companions_too(rng):
    model = build_model(architecture="unet", base_filters=4, deep_supervision=2)
    outputs = model(rng.integers(0, 256, (1, 45, 70, 3), dtype=np.uint8))
    assert {name: tuple(depth.shape) for name, depth in outputs.items()} == dict.fromkeys(
        ("depth", "depth_s2", "depth_s3"), (1, 45, 70, 1)
    )


def test_companions_stand_on_the_stages_before_the_last():
    model = model_of(3)
    for place, stage in ((2, "up3"), (3, "up2"), (4, "up1")):
        head = model.get_layer(f"depth_s{place}_own_size_reciprocal")
        assert head.input is model.get_layer(f"{stage}_activation_b").output
    assert model.get_layer("depth_reciprocal").input is model.get_layer("up4_activation_b").output


def test_total_loss_is_the_weighted_sum(fitted):
    model, images, depth, _ = fitted
    outputs = model.predict(images, verbose=0, batch_size=3)
    expected = {f"{name}_loss": float(DepthLoss()(depth, outputs[name])) for name in outputs}
    logged = model.evaluate(images, depth, batch_size=3, return_dict=True, verbose=0)
    for name, value in expected.items():
        assert logged[name] == pytest.approx(value, rel=1e-4)
    total = [expected[f"{name}_loss"] for name in ("depth", "depth_s2", "depth_s3", "depth_s4")]
    assert logged["loss"] == pytest.approx(np.dot(total, [1, 0.5, 0.25, 0.125]), rel=1e-4)
    metric = RMSE()
    metric.update_state(depth, outputs["depth"])
    assert logged["rmse"] == pytest.approx(float(metric.result()), rel=1e-4)


def test_log_has_the_names_of_a_plain_model(fitted):
    *_, history = fitted
    for name in ("loss", "rmse", "l_depth", "l_grad", "l_ssim", "depth_loss", "depth_s4_loss"):
        assert {name, f"val_{name}"} <= set(history)
    main = 0.1 * history["val_l_depth"][-1] + history["val_l_grad"][-1] + history["val_l_ssim"][-1]
    assert history["val_depth_loss"][-1] == pytest.approx(main, rel=1e-4)


def test_every_head_is_trained(fitted):
    model = fitted[0]
    fresh = model_of(3, companion_weight=0.5, companion_decay=0.5)
    for name in ("depth", "depth_s2_own_size", "depth_s3_own_size", "depth_s4_own_size"):
        kernels = (m.get_layer(f"{name}_reciprocal").get_weights()[0] for m in (model, fresh))
        assert np.abs(np.subtract(*kernels)).max() > 0


def test_dictionaries_are_taken_as_they_are(fitted):
    _, images, depth, _ = fitted
    model = model_of(1)
    model.compile("adam", loss={"depth": DepthLoss(), "depth_s2": "mae"}, loss_weights={"depth": 1.0, "depth_s2": 0.0})
    logged = model.evaluate(images, {"depth": depth, "depth_s2": depth}, return_dict=True, verbose=0)
    assert logged["loss"] == pytest.approx(logged["depth_loss"], rel=1e-5)
    outputs = model.predict(images, verbose=0)
    assert logged["depth_s2_loss"] == pytest.approx(float(np.abs(outputs["depth_s2"] - depth).mean()), rel=1e-4)


def test_losses_of_some_outputs_or_in_a_list(fitted):
    _, images, depth, _ = fitted
    model = model_of(1)
    outputs = model.predict(images, verbose=0)
    main, companion = float(DepthLoss()(depth, outputs["depth"])), np.abs(outputs["depth_s2"] - depth).mean()
    for loss, expected in (({"depth": DepthLoss()}, main), ([DepthLoss(), "mae"], main + companion)):
        model.compile("adam", loss=loss)
        assert model.evaluate(images, depth, verbose=0, return_dict=True)["loss"] == pytest.approx(expected, rel=1e-4)


def test_metrics_of_companions_keep_their_names(fitted):
    _, images, depth, _ = fitted
    model = model_of(1)
    model.compile("adam", loss=DepthLoss(), metrics={"depth": [RMSE()], "depth_s2": [RMSE()]})
    logged = model.evaluate(images, depth, return_dict=True, verbose=0)
    assert set(logged) == {"loss", "depth_loss", "depth_s2_loss", "rmse", "depth_s2_rmse"}
    model.compile("adam", loss=DepthLoss(), weighted_metrics=[RMSE()])
    assert "rmse" in model.evaluate(images, depth, return_dict=True, verbose=0)


def test_sample_weight_reaches_every_output(fitted):
    _, images, depth, _ = fitted
    model = model_of(1)
    model.compile("adam", loss=DepthLoss())
    weighted = model.evaluate(images, depth, sample_weight=np.zeros(6, "float32"), return_dict=True, verbose=0)
    assert weighted["loss"] == 0


def test_saved_and_loaded_it_is_whole_and_compiled(fitted, tmp_path):
    model, images, depth, _ = fitted
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras", safe_mode=True)
    assert isinstance(loaded, DeeplySupervised)
    again, before = (m.evaluate(images, depth, batch_size=3, return_dict=True, verbose=0) for m in (loaded, model))
    assert again == pytest.approx(before, rel=1e-5)


def test_use_sees_the_main_head_alone(fitted, tmp_path):
    model, images, *_ = fitted
    model.save(tmp_path / "model.keras")
    loaded, main = load_model(tmp_path), ops.convert_to_numpy(model(images)["depth"])
    np.testing.assert_allclose(loaded(images), main, rtol=1e-6)
    assert not [layer.name for layer in loaded.layers if "depth_s" in layer.name]
    assert depth_range(loaded) == (0.1, 10.0)
    np.testing.assert_array_equal(predict_depth(model, images[0]), predict_depth(loaded, images[0]))
    assert inference_model(loaded) is loaded


def test_inference_model_shares_weights(fitted):
    model = fitted[0]
    assert inference_model(model).get_layer("depth_reciprocal") is model.get_layer("depth_reciprocal")
    assert inference_model(model) is inference_model(model)  # or every prediction would trace a graph anew


def test_foreign_models_of_several_outputs_are_refused():
    image = keras.Input((32, 32, 3))
    with pytest.raises(ValueError, match="none called 'depth'"):
        inference_model(keras.Model(image, {"a": image, "b": image}))
