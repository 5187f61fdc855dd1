from types import SimpleNamespace

import pytest

from densedepth_keras.config import TrainConfig
from densedepth_keras.headline import small_batches


def warning(kind="none", num_devices=1, **options):
    config = TrainConfig(**{"dataset": "rooms", "encoder_weights": "imagenet", "batch_size": 8, **options})
    return small_batches(config.resolved(), SimpleNamespace(kind=kind, num_devices=num_devices))


@pytest.mark.parametrize(
    ("options", "flag"),
    [
        ({}, "--freeze-batch-norm"),
        ({"encoder_weights": "none", "init_from": "runs/nyu"}, "--freeze-batch-norm"),
        ({"unfreeze_at": 1, "train_batch_norm": True}, "--no-train-batch-norm"),
    ],
)
def test_statistics_of_small_batches_are_spoken_of(options, flag):
    line = warning(**options)
    assert line.startswith("WARNING: the encoder's BatchNormalization takes its statistics from batches of 8,")
    assert f"{flag} keeps those" in line
    assert warning(**options, batch_size=16) is None
    assert "batches of 8," in warning("mirrored", 2, **options, batch_size=16)  # each device has its own
    assert warning("data-parallel", 2, **options, batch_size=16) is None


@pytest.mark.parametrize(
    "options",
    [
        {"freeze_encoder": True},
        {"freeze_batch_norm": True},
        {"unfreeze_at": 1},
        {"encoder_weights": "none"},
        {"encoder": "vgg16"},
        {"architecture": "unet", "encoder_weights": None},
    ],
)
def test_nothing_is_said_where_nothing_is_spoilt(options):
    assert warning(**options) is None
