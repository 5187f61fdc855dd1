"""TrainConfig and EvaluationConfig: flags, checks, JSON."""

import argparse
import dataclasses
import inspect
import json

import pytest

from densedepth_keras.config import (
    DEFAULTS,
    CheckConfig,
    EvaluationConfig,
    FillConfig,
    ImportConfig,
    PredictConfig,
    ShowConfig,
    TrainConfig,
    add_flags,
    check_values,
    write_json,
)
from densedepth_keras.config.deploy import DemoConfig, ExportConfig
from densedepth_keras.config.search import SearchConfig
from densedepth_keras.data import DATASETS
from densedepth_keras.losses import LOSSES
from densedepth_keras.models import DECODERS, MODELS, build_model
from densedepth_keras.models.decoder import UPSAMPLINGS


def parsed(config_class, *arguments):
    parser = argparse.ArgumentParser()
    add_flags(parser, config_class)
    return config_class(**vars(parser.parse_args(arguments)))


@pytest.mark.parametrize("config_class", [TrainConfig, EvaluationConfig, CheckConfig, ShowConfig])
def test_no_flag_is_the_default_config(config_class):
    assert parsed(config_class) == config_class()


def test_positional_arguments():
    assert parsed(FillConfig, "from", "to", "--workers", "3") == FillConfig(source="from", destination="to", workers=3)
    assert parsed(ImportConfig, "a.h5", "--output", "b.keras") == ImportConfig(file="a.h5", output="b.keras")


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
        augment="paper",
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


@pytest.mark.parametrize("config_class", [TrainConfig, SearchConfig, EvaluationConfig, PredictConfig])
def test_what_a_config_writes_is_of_the_right_types(config_class):
    values = dataclasses.asdict(config_class(inputs=("a",)) if config_class is PredictConfig else config_class())
    check_values(config_class, json.loads(json.dumps(values)), "a.json")


@pytest.mark.parametrize(
    "values",
    [{"learning_rate": 1}, {"augment": True}, {"versions": {"keras": 3}}, {"image_size": [32, 48]}, {"name": None}],
)
def test_values_of_a_file_that_fit(values):
    check_values(TrainConfig, values, "a.json")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], r"must be a JSON object. Received: \[\] in 'a.json'"),
        ({"epochs": 2.5}, r"`epochs` must be int \| None. Received: epochs=2.5 in 'a.json'"),
        ({"epochs": True}, r"`epochs` must be int"),
        ({"seed": None}, r"`seed` must be int. Received: seed=None"),
        ({"freeze_encoder": "yes"}, r"`freeze_encoder` must be bool. Received: freeze_encoder='yes'"),
        ({"image_size": 32}, r"`image_size` must be tuple\[int, int\] \| None"),
        ({"learning_rate": "1e-3"}, r"`learning_rate` must be float \| None"),
        ({"epoch": 3}, r"Unknown flag 'epoch'. Did you mean 'epochs'\? Received: config='a.json'"),
    ],
)
def test_values_of_a_file_that_do_not_fit(values, message):
    with pytest.raises(ValueError, match=message):
        check_values(TrainConfig, values, "a.json")


@pytest.mark.parametrize(
    ("flags", "augment"), [("", None), ("--augment", "paper"), ("--augment strong,crop=1.2", "strong,crop=1.2")]
)
def test_augment_has_a_value_of_its_own(flags, augment):
    assert parsed(TrainConfig, *flags.split()).augment == augment


@pytest.mark.parametrize(("before", "now"), [(True, "paper"), (False, None), (None, None), ("strong", "strong")])
def test_config_of_an_older_run_says_whether_it_augmented(before, now):
    assert TrainConfig.from_json({"dataset": "rooms", "augment": before}).augment == now


@pytest.mark.parametrize("dataset", DEFAULTS)
def test_range_is_the_data_set_s(dataset):
    config = TrainConfig(dataset=dataset, data_dir="somewhere").resolved()
    assert (config.min_depth, config.max_depth) == ((0.8, 80.0) if dataset == "kitti" else (0.1, 10.0))
    assert TrainConfig(dataset=dataset, max_depth=5.0).resolved().max_depth == 5.0


def test_side_car_says_the_range(tmp_path):
    (tmp_path / "dataset.json").write_text('{"max_depth": 25, "depth_unit": "mm"}')
    config = TrainConfig(dataset="folder", data_dir=str(tmp_path)).resolved()
    assert (config.min_depth, config.max_depth) == (0.1, 25)
    assert TrainConfig(dataset="folder", data_dir=str(tmp_path), max_depth=4.0).resolved().max_depth == 4.0
    with pytest.raises(ValueError, match=r"min_depth=30.0, max_depth=25.* max_depth: of dataset.json in "):
        TrainConfig(dataset="folder", data_dir=str(tmp_path), min_depth=30.0).resolved()


@pytest.mark.parametrize("dataset", DEFAULTS)
def test_resolved_leaves_nothing_open(dataset):
    config = TrainConfig(dataset=dataset, data_dir="somewhere").resolved()
    assert None not in (config.image_size, config.batch_size, config.epochs, config.learning_rate)
    assert TrainConfig(dataset=dataset, epochs=99).resolved().epochs == 99


def test_u_net_has_defaults_of_its_own():
    config = TrainConfig(architecture="unet", dataset="nyu-labeled").resolved()
    assert (config.image_size, config.base_filters) == ((320, 320), 64)  # the paper's
    assert (config.encoder, config.encoder_weights, config.decoder_filters) == (None, None, None)
    config = TrainConfig(dataset="nyu-labeled").resolved()
    assert (config.encoder, config.encoder_weights, config.base_filters) == ("densenet169", "imagenet", None)


def test_choices_are_the_tables_keys():
    """The config cannot import the tables: Keras would come along."""
    choices = {item.name: item.metadata.get("choices") for item in dataclasses.fields(TrainConfig)}
    assert choices["architecture"] == tuple(MODELS)
    assert choices["decoder"] == tuple(DECODERS)
    assert choices["loss"] == tuple(LOSSES)
    assert choices["dataset"] == tuple(DEFAULTS) == tuple(DATASETS)
    assert choices["upsampling"] == UPSAMPLINGS


def test_every_choice_of_build_model_is_a_flag():
    """But for the names that differ: weights (--encoder-weights) and the model's name."""
    from densedepth_keras.model_setup import MODEL_FLAGS

    assert set(inspect.signature(build_model).parameters) - {"weights", "name"} == set(MODEL_FLAGS)
    assert set(MODEL_FLAGS) <= {item.name for item in dataclasses.fields(TrainConfig)}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"loss": "l1", "depth_weight": 0.5}, "left alone: l1 has none. Received: depth_weight=0.5"),
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
        ({"max_depth": -1.0}, "max_depth=-1.0"),
        ({"depth_unit": "mm", "depth_scale": 1000.0}, "depth_unit='mm', depth_scale=1000.0"),
        ({"camera": "middle"}, "camera='middle'"),
    ],
)
def test_values_out_of_bounds(arguments, message):
    with pytest.raises(ValueError, match=message):
        TrainConfig(**arguments)


def test_config_is_frozen():
    with pytest.raises(AttributeError):
        TrainConfig().epochs = 3


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("", "Expected pictures or one of --video, --camera, --stream. Received: none of them"),
        ("a.jpg --camera 0", r"Received: inputs=\('a.jpg',\), camera=0"),
        ("--video a.mp4 --stream rtsp://x", "Received: video='a.mp4', stream='rtsp://x'"),
        ("a.jpg --formats png", "Unknown format.*Did you mean 'png16'"),
        ("a.jpg --formats png16,", "Unknown format.*formats=''"),
        ("a.jpg --range 5 1", r"two depths in metres, near far. Received: range=\(5.0, 1.0\)"),
        ("a.jpg --at -1 4", r"0 or more, X Y. Received: at=\(-1, 4\)"),
        ("a.jpg --formats ply --fov 180", "below 180 degrees. Received: fov=180.0"),
        ("a.jpg --formats ply --fov 60 --focal-px 500", "is enough. Received: fov, focal_px"),
        ("a.jpg --fov 60", "`fov` belongs to point clouds: .*Received: formats=png16,color"),
        ("a.jpg --max-points 5", "`max_points` belongs to point clouds"),
        ("a.jpg --smooth 0.5", "`smooth` belongs to videos. Received: smooth=0.5"),
        ("--video a.mp4 --smooth 1", "below 1. Received: smooth=1.0"),
        ("--video a.mp4 --formats npy", r"`formats` belongs to pictures. Received: formats=\('npy',\)"),
        ("--video a.mp4 --serve", "`serve` goes with --camera or --stream. Received: serve=8000"),
        ("--camera 0 --serve 70000", "a port, 0 to 65535. Received: serve=70000"),
    ],
)
def test_what_cannot_be_predicted(flags, message):
    with pytest.raises(ValueError, match=message):
        parsed(PredictConfig, *flags.split())


def test_what_is_to_be_predicted():
    flags = "a.jpg b --formats npy,ply,npy --focal-px 500 --at 3 4 --range 1 5"
    config = parsed(PredictConfig, *flags.split())
    assert (config.inputs, config.formats, config.at, config.range) == (("a.jpg", "b"), ("npy", "ply"), (3, 4), (1, 5))
    assert not config.is_live
    live = parsed(PredictConfig, "--camera", "0", "--serve", "--no-side-by-side")
    assert (live.is_live, live.serve, live.side_by_side) == (True, 8000, False)


def test_formats_may_be_written_with_blanks():
    assert PredictConfig(inputs=("a.png",), formats="png16, npy ,png16").formats == ("png16", "npy")


def test_what_is_to_be_exported():
    assert parsed(ExportConfig, "runs/a", "--image-size", "240", "320").image_size == (240, 320)
    assert parsed(ExportConfig, "--image-size", "dynamic").image_size == "dynamic"
    for size in ("240", "240 x", "16 320", "1 2 3"):
        with pytest.raises(ValueError, match=r"32 or more a side, or dynamic. Received: image_size="):
            parsed(ExportConfig, "--image-size", *size.split())
    with pytest.raises(ValueError, match=r"`quantize` is for litert. Received: quantize='int8', format='onnx'"):
        parsed(ExportConfig, "--quantize", "int8")
    with pytest.raises(ValueError, match="Received: max_upload_mb=0"):
        parsed(DemoConfig, "--max-upload-mb", "0")
