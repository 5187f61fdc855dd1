"""The contract over the whole ENCODERS table: pyramid, normalisation, weights from a file, freezing."""

import gc
import importlib
import inspect
import warnings
from typing import NamedTuple

import keras
import numpy as np
import pytest
from keras import ops

from densedepth_keras.models import ENCODERS
from densedepth_keras.models.backbones import (
    CENTRED_BGR,
    STANDARDIZED,
    SYMMETRIC,
    SYMMETRIC_128,
    UNIT,
    WITHOUT_BATCH_NORM,
)
from densedepth_keras.models.encoders import (
    Normalization,
    batch_norm_layers,
    build_encoder,
    freeze,
    leaf_layers,
    normalization_layer,
)

CHANNELS = {  # of P1..P5
    "densenet121": (64, 64, 128, 256, 1024),
    "densenet169": (64, 64, 128, 256, 1664),
    "densenet201": (64, 64, 128, 256, 1920),
    "resnet50": (64, 256, 512, 1024, 2048),
    "resnet101": (64, 256, 512, 1024, 2048),
    "resnet152": (64, 256, 512, 1024, 2048),
    "resnet50_v2": (64, 256, 512, 1024, 2048),
    "resnet101_v2": (64, 256, 512, 1024, 2048),
    "resnet152_v2": (64, 256, 512, 1024, 2048),
    "mobilenet": (64, 128, 256, 512, 1024),
    "mobilenet_v2": (96, 144, 192, 576, 1280),
    "mobilenet_v3_small": (16, 72, 96, 288, 576),
    "mobilenet_v3_large": (64, 72, 240, 672, 960),
    "efficientnet_b0": (96, 144, 240, 672, 1280),
    "efficientnet_b1": (96, 144, 240, 672, 1280),
    "efficientnet_b2": (96, 144, 288, 720, 1408),
    "efficientnet_b3": (144, 192, 288, 816, 1536),
    "efficientnet_b4": (144, 192, 336, 960, 1792),
    "efficientnet_b5": (144, 240, 384, 1056, 2048),
    "efficientnet_b6": (192, 240, 432, 1200, 2304),
    "efficientnet_b7": (192, 288, 480, 1344, 2560),
    "efficientnet_v2_b0": (16, 32, 192, 672, 1280),
    "efficientnet_v2_b1": (16, 32, 192, 672, 1280),
    "efficientnet_v2_b2": (16, 32, 224, 720, 1408),
    "efficientnet_v2_b3": (16, 40, 224, 816, 1536),
    "efficientnet_v2_s": (24, 48, 256, 960, 1280),
    "efficientnet_v2_m": (24, 48, 320, 1056, 1280),
    "efficientnet_v2_l": (32, 64, 384, 1344, 1280),
    "convnext_tiny": (3, 96, 192, 384, 768),
    "convnext_small": (3, 96, 192, 384, 768),
    "convnext_base": (3, 128, 256, 512, 1024),
    "vgg16": (128, 256, 512, 512, 512),
    "vgg19": (128, 256, 512, 512, 512),
}


class Pair(NamedTuple):
    """An encoder, and the keras.applications model of 64x64 whose weights it read from a file."""

    name: str
    encoder: keras.Model
    backbone: keras.Model
    asked_for: list[str]


@pytest.fixture(scope="module", params=list(ENCODERS))
def pair(request, tmp_path_factory):
    """The backbone as it is built for ImageNet weights, with random ones in their place; the encoder from its file."""
    name = request.param
    keras.utils.set_random_seed(0)
    asked_for = []
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="`input_shape` is undefined")
        patch.setattr("keras.src.utils.file_utils.get_file", lambda file, *_, **__: asked_for.append(file))
        patch.setattr(keras.Model, "load_weights", lambda *_: None)
        backbone = ENCODERS[name].constructor(include_top=False, weights="imagenet", input_shape=(64, 64, 3))
    _liven(backbone)
    path = tmp_path_factory.mktemp("weights") / f"{name}.weights.h5"
    backbone.save_weights(path)
    yield Pair(name, build_encoder(name, path), backbone, asked_for)
    path.unlink()
    keras.backend.clear_session()
    gc.collect()


def _liven(backbone):
    """Statistics and preprocessing as pretrained ones are: not 0 and 1.

    EfficientNet's file holds standard deviations where variances belong; keras.applications makes up for that by
    another division (tensorflow issue 49930).
    """
    rng = np.random.default_rng(0)
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            width = layer.moving_mean.shape
            layer.moving_mean.assign(rng.normal(0, 0.1, width))
            layer.moving_variance.assign(rng.uniform(0.5, 1.5, width))
        elif isinstance(layer, keras.layers.Normalization) and layer.weights:  # EfficientNet's, learnt on ImageNet
            layer.set_weights([np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225]), np.array(0)])
            layer.finalize_state()


def test_levels_of_an_odd_image_are_ceil_of_its_size_over_powers_of_two(pair, rng):
    image = normalization_layer(pair.name)(rng.uniform(0, 255, (1, 33, 47, 3)).astype("float32"))
    for n, (level, channels) in enumerate(zip(pair.encoder(image), CHANNELS[pair.name], strict=True), start=1):
        assert level.shape == (1, -(-33 // 2**n), -(-47 // 2**n), channels)
        assert np.isfinite(level).all()
        assert np.std(level) > 0


def test_frozen_in_training_it_gives_what_keras_applications_gives_in_use(pair, rng):
    """One comparison for four promises: the file's weights, the family's preprocessing, padding, fixed statistics."""
    image = rng.uniform(0, 255, (1, 64, 64, 3)).astype("float32")
    module = importlib.import_module(inspect.unwrap(ENCODERS[pair.name].constructor).__module__)
    expected = ops.convert_to_numpy(pair.backbone(module.preprocess_input(image.copy())))
    freeze(pair.encoder)
    before = [weight.copy() for layer in batch_norm_layers(pair.encoder) for weight in layer.get_weights()]
    got = ops.convert_to_numpy(pair.encoder(normalization_layer(pair.name)(image), training=True)[-1])
    # float32 through up to 800 layers: relative to the largest feature
    np.testing.assert_allclose(got, expected, atol=2e-4 * np.abs(expected).max())
    assert expected.std() > 0
    assert pair.encoder.trainable_weights == []
    after = [weight for layer in batch_norm_layers(pair.encoder) for weight in layer.get_weights()]
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(old, new)


def test_weight_file_is_the_one_keras_applications_asks_for(pair):
    assert pair.asked_for == [ENCODERS[pair.name].weight_file]


def test_backbones_without_batch_norm_are_known(pair):
    assert bool(batch_norm_layers(pair.encoder)) != pair.name.startswith(WITHOUT_BATCH_NORM)


def test_every_weight_of_the_backbone_feeds_the_last_level(pair):
    """Nothing with weights was cut away, but for EfficientNet's own normalisation."""
    kept = sum(weight.shape.num_elements() for weight in pair.encoder.weights)
    own = sum(layer.count_params() for layer in pair.backbone.layers if isinstance(layer, keras.layers.Normalization))
    assert kept == pair.backbone.count_params() - own


@pytest.mark.parametrize(
    ("values", "mode"), [(STANDARDIZED, "torch"), (SYMMETRIC, "tf"), (CENTRED_BGR, "caffe")], ids=lambda v: str(v)[:5]
)
def test_normalization_is_the_mode_of_keras_applications(values, mode, rng):
    image = rng.uniform(0, 255, (1, 8, 8, 3)).astype("float32")
    preprocess = {
        "torch": keras.applications.densenet.preprocess_input,
        "tf": keras.applications.mobilenet_v2.preprocess_input,
        "caffe": keras.applications.resnet.preprocess_input,
    }[mode]
    expected = preprocess(image.copy(), data_format="channels_last")
    np.testing.assert_allclose(Normalization(*values)(image), expected, rtol=1e-5, atol=1e-5)


def test_other_normalizations_by_hand():
    image = np.array([0.0, 64.0, 255.0], "float32").reshape(1, 1, 1, 3)
    np.testing.assert_allclose(np.ravel(Normalization(*SYMMETRIC_128)(image)), [-1, -0.5, 255 / 128 - 1], rtol=1e-6)
    np.testing.assert_allclose(np.ravel(Normalization(*UNIT)(image)), [0, 64 / 255, 1], rtol=1e-6)


def test_freezing_silences_dropped_blocks():
    encoder = build_encoder("efficientnet_b0", None)
    assert max(layer.rate for layer in leaf_layers(encoder) if isinstance(layer, keras.layers.Dropout)) > 0
    freeze(encoder)
    assert max(layer.rate for layer in leaf_layers(encoder) if isinstance(layer, keras.layers.Dropout)) == 0
