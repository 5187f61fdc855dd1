"""Names a user may rely on."""

import inspect
from types import MappingProxyType

import pytest

import densedepth_keras
from densedepth_keras.data import DATASETS
from densedepth_keras.losses import LOSSES
from densedepth_keras.metrics import METRICS
from densedepth_keras.models import DECODERS, ENCODERS, MODELS
from densedepth_keras.protocols import PROTOCOLS


@pytest.mark.parametrize("name", densedepth_keras.__all__)
def test_public_name_exists_and_is_listed(name):
    assert getattr(densedepth_keras, name) is not None
    assert name in dir(densedepth_keras)


def test_the_four_names_of_the_readme():
    from densedepth_keras import DepthLoss, build_model, load_dataset, predict_depth

    assert all(callable(thing) for thing in (build_model, DepthLoss, load_dataset, predict_depth))


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'build_modle'"):
        densedepth_keras.build_modle  # noqa: B018


@pytest.mark.parametrize("name", [n for n in densedepth_keras.__all__ if n[0].islower() and n[0] != "_"])
def test_public_function_says_what_it_takes_and_returns(name):
    text = inspect.getdoc(getattr(densedepth_keras, name))
    assert "Args:" in text
    assert "Returns:" in text
    assert "Raises:" in text


@pytest.mark.parametrize("table", [DECODERS, ENCODERS, MODELS, DATASETS, LOSSES, METRICS, PROTOCOLS])
def test_tables_are_read_only(table):
    assert isinstance(table, MappingProxyType)
    with pytest.raises(TypeError):
        table["new"] = None


def test_build_model_signature_is_the_documented_one():
    parameters = inspect.signature(densedepth_keras.build_model).parameters
    assert {name: p.default for name, p in parameters.items()} == {
        "encoder": "densenet169",
        "architecture": "densedepth",
        "weights": "imagenet",
        "freeze_encoder": False,
        "freeze_batch_norm": False,
        "decoder": "densedepth",
        "decoder_filters": None,
        "base_filters": None,
        "upsampling": None,
        "num_convs": 2,
        "batch_norm": False,
        "activation": None,
        "dropout": 0.0,
        "deep_supervision": 0,
        "companion_weight": 1.0,
        "companion_decay": 1.0,
        "min_depth": 0.1,
        "max_depth": 10.0,
        "image_size": (None, None),
        "full_resolution": False,
        "name": None,
    }
