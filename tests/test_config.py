"""TrainConfig and EvaluationConfig: flags, checks, JSON."""

import argparse
import json

import pytest

from densedepth_keras.config import DEFAULTS, EvaluationConfig, TrainConfig, add_flags, write_json


def parsed(config_class, *arguments):
    parser = argparse.ArgumentParser()
    add_flags(parser, config_class)
    return config_class(**vars(parser.parse_args(arguments)))


def test_no_flag_is_the_default_config():
    assert parsed(TrainConfig) == TrainConfig()
    assert parsed(EvaluationConfig) == EvaluationConfig()


def test_flags_become_fields():
    flags = """--dataset folder --data-dir d --depth-unit mm --encoder mobilenet_v2 --freeze-encoder --augment
        --image-size 224 288 --epochs 7 --learning-rate 3e-4 --depth-weight 0.2 --max-depth 80 --limit 5"""
    config = parsed(TrainConfig, *flags.split())
    assert config == TrainConfig(
        dataset="folder",
        data_dir="d",
        depth_unit="mm",
        encoder="mobilenet_v2",
        freeze_encoder=True,
        augment=True,
        image_size=(224, 288),
        epochs=7,
        learning_rate=3e-4,
        depth_weight=0.2,
        max_depth=80.0,
        limit=5,
    )


def test_json_round_trip(tmp_path):
    config = TrainConfig(dataset="folder", data_dir="d", image_size=(64, 96)).resolved()
    write_json(tmp_path / "c.json", {**config.to_json(), "versions": {}})
    assert TrainConfig.from_json(json.loads((tmp_path / "c.json").read_text())) == config
    assert [path.name for path in tmp_path.iterdir()] == ["c.json"]


@pytest.mark.parametrize("dataset", DEFAULTS)
def test_resolved_leaves_nothing_open(dataset):
    config = TrainConfig(dataset=dataset, data_dir="somewhere").resolved()
    assert None not in (config.image_size, config.batch_size, config.epochs, config.learning_rate)
    assert TrainConfig(dataset=dataset, epochs=99).resolved().epochs == 99


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dataset": "nyu"}, "Received: dataset='nyu'"),
        ({"min_depth": 10.0, "max_depth": 1000.0 / 1000}, "min_depth=10.0"),
        ({"epochs": 0}, "epochs=0"),
        ({"batch_size": -1}, "batch_size=-1"),
        ({"learning_rate": 0.0}, "learning_rate=0.0"),
        ({"learning_rate": float("nan")}, "learning_rate=nan"),
        ({"depth_weight": -0.1}, "depth_weight=-0.1"),
        ({"seed": -1}, "seed=-1"),
        ({"image_size": (16, 64)}, r"image_size=\(16, 64\)"),
        ({"name": "a/b"}, "name='a/b'"),
        ({"name": ".."}, r"name='\.\.'"),
        ({"limit": 0}, "limit=0"),
    ],
)
def test_values_out_of_bounds(arguments, message):
    with pytest.raises(ValueError, match=message):
        TrainConfig(**arguments)


def test_config_is_frozen():
    with pytest.raises(AttributeError):
        TrainConfig().epochs = 3
