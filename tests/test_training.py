"""A whole small run on own data: what it leaves behind, and what it refuses."""

import contextlib
import csv
import json
import re
import resource
import signal

import keras
import numpy as np
import pytest
from pair_folders import write_pairs
from PIL import Image

from densedepth_keras import cli, model_setup, run_folder
from densedepth_keras.config import TrainConfig
from densedepth_keras.data import load_dataset
from densedepth_keras.data.pipeline import Pipeline
from densedepth_keras.losses import DepthLoss
from densedepth_keras.models import build_model

SMALL = [
    "--encoder",
    "mobilenet_v2",
    "--encoder-weights",
    "none",
    "--decoder-filters",
    "16",
    "--image-size",
    "32",
    "48",
]


def flags(data, runs, *more):
    where = ["--dataset", "folder", "--data-dir", str(data), "--depth-unit", "mm", "--output-dir", str(runs)]
    return ["train", *where, *SMALL, *more]


VARIANTS = {
    "unet": """--architecture unet --base-filters 2 --upsampling bilinear --deep-supervision 1 --companion-weight 0.5
        --precision mixed_bfloat16 --loss silog""",
    "separable": """--encoder mobilenet_v3_small --encoder-weights none --decoder separable --decoder-filters 16
        --freeze-encoder --batch-norm --dropout 0.1 --full-resolution --precision mixed_float16 --loss berhu""",
}


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_variants_run_from_flags_to_report(variant, own_data, tmp_path, capsys):
    where = ["--dataset", "folder", "--data-dir", str(own_data), "--depth-unit", "mm", "--output-dir", str(tmp_path)]
    more = ["--image-size", "32", "48", "--epochs", "1", "--batch-size", "3", "--name", variant]
    assert cli.main(["train", *where, *more, *VARIANTS[variant].split()]) == 0
    assert keras.config.dtype_policy().name == "float32"  # the run's was its own
    with open(tmp_path / variant / "history.csv") as file:
        (row,) = csv.DictReader(file)
    assert {"loss", "rmse", "val_loss", "val_rmse"} <= set(row)
    assert ("val_depth_s2_loss" in row) == (variant == "unet")
    out = capsys.readouterr().out
    assert f"{float(row['val_rmse']):.3f} m (pooled, network resolution)" in out
    assert ("U-Net from 2 filters" in out) == (variant == "unet")
    assert ("separable decoder" in out) == (variant == "separable")
    model = keras.saving.load_model(tmp_path / variant / "model.keras", safe_mode=True)
    assert {tuple(output.shape[1:3]) for output in model.outputs} == {(32, 48)}
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer) == (variant == "separable")
    assert cli.main(["evaluate", "--checkpoint", str(tmp_path / variant)]) == 0
    assert (tmp_path / variant / "evaluation-folder-test-full" / "evaluation.json").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--architecture", "unet", "--encoder", "densenet169"], "encoder='densenet169'"),
        (["--architecture", "unet", "--encoder-weights", "imagenet"], "a U-Net has no encoder"),
        (["--architecture", "unet", "--freeze-encoder"], "freeze_encoder=True"),
        (["--architecture", "u-net"], "Did you mean 'unet'?"),
        (["--encoder", "resnet-50"], "Did you mean 'resnet50'?"),
        (["--loss", "sillog"], "Did you mean 'silog'?"),
        (["--base-filters", "32"], "`base_filters` does not go with architecture='densedepth'"),
        (["--companion-weight", "0.5"], "companion_weight=0.5, deep_supervision=0"),
        (["--deep-supervision", "4"], "deep_supervision=4"),
        (["--dropout", "1"], "dropout=1.0"),
        (["--loss", "l1", "--depth-weight", "1"], "l1 has none"),
    ],
)
def test_contradicting_flags_are_status_2_and_leave_nothing(more, message, own_data, tmp_path, capsys):
    where = ["--dataset", "folder", "--data-dir", str(own_data), "--depth-unit", "mm"]
    assert cli.main(["train", *where, "--output-dir", str(tmp_path / "runs"), *more]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Two epochs on six pairs; returns the run folder."""
    folder = tmp_path_factory.mktemp("run")
    for seed, (split, count) in enumerate((("train", 6), ("validation", 3), ("test", 3))):
        write_pairs(folder / "data", split, count, seed=seed, size=(48, 72))
    arguments = flags(folder / "data", folder / "runs", "--epochs", "2", "--freeze-encoder", "--augment", "--name", "a")
    assert cli.main(arguments) == 0
    return folder / "runs" / "a"


def test_run_folder_holds_everything(run):
    names = {path.name for path in run.iterdir()}
    pictures = {"loss_curves.png", "samples.png"}
    files = {"config.json", "history.csv", "mean_depth.npy", "state.npz", "run.log", *pictures}
    expected = {"model.keras", "last.keras", *files}
    assert names == expected
    for name in ("loss_curves.png", "samples.png"):
        with Image.open(run / name) as picture:
            assert min(picture.size) > 200


def test_config_json_repeats_the_run(run):
    values = json.loads((run / "config.json").read_text())
    config = TrainConfig.from_json(values)
    assert (config.encoder, config.freeze_encoder, config.image_size, config.epochs) == (
        "mobilenet_v2",
        True,
        (32, 48),
        2,
    )
    assert values["versions"]["keras"] == keras.__version__
    assert values["encoder_start"] == "none"
    assert set(values) >= {"git_commit", "git_dirty", "backend", "parameters", "command", "data_fingerprint"}
    assert values["result"]["epochs"] == 2


def test_history_has_a_line_per_epoch_and_the_best_model_is_kept(run):
    rows = list(csv.DictReader((run / "history.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["0", "1"]
    assert {"loss", "rmse", "abs_rel", "delta1", "val_loss", "val_rmse"} <= set(rows[0])
    model = keras.saving.load_model(run / "model.keras", compile=False)
    values = json.loads((run / "config.json").read_text())
    source = load_dataset("folder", "validation", data_dir=values["data_dir"], depth_unit="mm")
    line = Pipeline(source, image_size=(32, 48), depth_size=(16, 24), batch_size=3)
    images, depths = line.batch(0, range(3))
    error = np.clip(model.predict_on_batch(images), 0.1, 10) - depths
    best = min(float(row["val_rmse"]) for row in rows)
    assert np.sqrt(np.mean(error**2)) == pytest.approx(best, rel=1e-4)  # float32 sums


def test_mean_depth_is_that_of_the_training_split(run):
    values = json.loads((run / "config.json").read_text())
    source = load_dataset("folder", "train", data_dir=values["data_dir"], depth_unit="mm")
    mean = np.load(run / "mean_depth.npy")
    # 48x72 pixels make 16x24: every new one is the mean of 3x3
    expected = np.mean([source[i].depth for i in range(6)], axis=0).reshape(16, 3, 24, 3).mean((1, 3))
    np.testing.assert_allclose(mean, expected, rtol=1e-5)


def test_existing_run_folder_is_left_alone(run, capsys):
    values = json.loads((run / "config.json").read_text())
    before = {path.name: path.stat().st_mtime_ns for path in run.iterdir()}
    assert cli.main(flags(values["data_dir"], run.parent, "--epochs", "1", "--name", "a")) == 2
    assert "The run folder exists" in capsys.readouterr().err
    assert {path.name: path.stat().st_mtime_ns for path in run.iterdir()} == before


def _break_row(data, split):
    path = data / split / "1_depth.png"
    path.write_bytes(path.read_bytes()[:200])


def _colour(data):
    Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(data / "train" / "1_depth.png")


def _other_size(data):
    Image.fromarray(np.ones((40, 64), np.uint16)).save(data / "train" / "1_depth.png")


BAD_DATA = {
    "row that points nowhere": (lambda d: (d / "train/1.png").unlink(), r"Row 3 of train\.csv: no such file.*1\.png"),
    "broken depth": (lambda d: _break_row(d, "train"), r"Row 3 of train\.csv.*cannot be decoded.*1_depth\.png"),
    "broken validation": (lambda d: _break_row(d, "validation"), r"Row 3 of validation\.csv.*1_depth\.png"),
    "colour": (_colour, r"Row 3 of train\.csv: depth is a 3-channel 8-bit picture"),
    "other size": (_other_size, r"Row 3 of train\.csv \(train/1\.png, train/1_depth\.png\): .* one size.*64x48.*64x40"),
    "empty split": (lambda d: (d / "validation.csv").write_text("image,depth\n"), r"split is empty.*validation\.csv"),
    "no split": (lambda d: (d / "validation.csv").unlink(), r"No 'validation' split"),
}


@pytest.mark.parametrize("kind", BAD_DATA)
def test_bad_data_is_one_message_and_no_run_folder(kind, own_data, tmp_path, capsys):
    spoil, message = BAD_DATA[kind]
    spoil(own_data)
    assert cli.main(flags(own_data, tmp_path / "runs")) == 2
    error = capsys.readouterr().err
    assert "Traceback" not in error
    assert error.count("error:") == 1
    assert re.search(message, error), error
    assert not (tmp_path / "runs").exists()


def test_all_bad_rows_are_listed_and_can_be_left_out(own_data, tmp_path, capsys):
    (own_data / "train/0.png").unlink()
    _break_row(own_data, "train")
    assert cli.main(flags(own_data, tmp_path / "runs")) == 2
    error = capsys.readouterr().err
    assert "2 of 6 rows cannot be read; --skip-bad-rows" in error
    assert "Row 2 of train.csv" in error
    assert "Row 3 of train.csv" in error
    assert cli.main([*flags(own_data, tmp_path / "runs"), "--skip-bad-rows"]) == 0
    out = capsys.readouterr().out
    assert "WARNING: 2 of 6 rows are left out" in out
    assert "4 training and" in out


BAD_FLAGS = {
    "wrong unit": (["--depth-unit", "m"], "a thousand times too large"),
    "no unit": (["--depth-unit", "furlong"], "depth_unit='furlong'"),
    "unknown encoder": (["--encoder", "mobilnet_v2"], "Did you mean 'mobilenet_v2'?"),
    "missing weights": (["--encoder-weights", "nowhere.h5"], "weights='nowhere.h5'"),
    "tiny image": (["--image-size", "16", "16"], "image_size=(16, 16)"),
    "range": (["--min-depth", "20"], "min_depth=20.0, max_depth=10.0"),
    "no data": (["--data-dir", "/nowhere"], "not a folder"),
    "unknown augmentation": (["--augment", "strng"], "Did you mean 'strong'?"),
    "two units": (["--depth-scale", "1000"], "give one"),
    "rooms with a folder": (["--dataset", "rooms"], "`depth_unit` belongs to 'folder'"),
}


@pytest.mark.parametrize("kind", BAD_FLAGS)
def test_bad_flags_are_one_message_and_no_run_folder(kind, own_data, tmp_path, capsys):
    more, message = BAD_FLAGS[kind]
    assert cli.main(flags(own_data, tmp_path / "runs", *more)) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert not (tmp_path / "runs").exists()


def test_imagenet_weights_that_cannot_be_had_are_an_error_on_real_data(own_data, tmp_path, capsys, monkeypatch):
    def refuse(**arguments):
        raise FileNotFoundError("no weights") if arguments["weights"] else AssertionError("must not go on")

    monkeypatch.setattr(model_setup, "build_model", refuse)
    assert cli.main(flags(own_data, tmp_path / "runs", "--encoder-weights", "imagenet")) == 2
    assert "no weights" in capsys.readouterr().err


def test_rooms_go_on_from_random_weights_with_a_warning(monkeypatch):
    real = build_model

    def refuse(**arguments):
        if arguments["weights"]:
            raise FileNotFoundError("put the file THERE")
        return real(**arguments)

    monkeypatch.setattr(model_setup, "build_model", refuse)
    config = TrainConfig(
        encoder="mobilenet_v2", decoder_filters=16, freeze_encoder=True, image_size=(32, 48)
    ).resolved()
    source = load_dataset("rooms", "train", limit=4)
    line = Pipeline(source, image_size=(32, 48), depth_size=(16, 24), batch_size=2)
    said = []
    model, start = model_setup.start_model(config, line, said.append)
    assert not model.get_layer("encoder").trainable
    assert start == "none: the ImageNet weights could not be downloaded"
    assert "WARNING" in said[0]
    assert "put the file THERE" in said[0]
    assert "--freeze-encoder" in said[0]


def test_full_disk_keeps_the_last_good_model(tmp_path, small_model):
    """A file size limit makes writing fail as a full disk does: in the middle."""
    best = run_folder.BestModel(tmp_path / "model.keras")
    best.set_model(small_model)
    best.on_epoch_end(0, {"val_rmse": 2.0})
    good = (tmp_path / "model.keras").read_bytes()
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(good) // 2, limits[1]))
    try:
        with pytest.raises(OSError, match=r"could not be saved as .*model\.keras"):
            best.on_epoch_end(1, {"val_rmse": 1.0})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]
    assert (tmp_path / "model.keras").read_bytes() == good


def test_only_a_better_model_is_saved(tmp_path, small_model):
    best = run_folder.BestModel(tmp_path / "model.keras")
    best.set_model(small_model)
    for epoch, value in enumerate([float("nan"), 2.0, 3.0]):
        best.on_epoch_end(epoch, {"val_rmse": value})
    assert (best.best, best.best_epoch) == (2.0, 2)


def test_a_quicker_run_s_folder_stays(tmp_path):
    def make():
        with run_folder.created(tmp_path / "a", contextlib.nullcontext):
            pytest.fail("must not get here")

    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "config.json").write_text("theirs")
    with pytest.raises(FileExistsError):
        make()
    assert (tmp_path / "a" / "config.json").read_text() == "theirs"


def test_unnamed_runs_of_one_second_get_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr(run_folder.time, "strftime", lambda _: "now")
    config = TrainConfig(output_dir=str(tmp_path)).resolved()
    names = []
    for _ in range(3):
        names.append(run_folder.new_path(config).name)
        (tmp_path / names[-1]).mkdir()
    assert names == ["rooms-densenet169-now", "rooms-densenet169-now-2", "rooms-densenet169-now-3"]


@pytest.mark.parametrize("saved", [False, True])
def test_failed_run_takes_its_folder_away_unless_a_model_is_in_it(tmp_path, saved):
    folder = tmp_path / "runs" / "a"

    def fail():
        with run_folder.created(folder, contextlib.nullcontext):
            if saved:
                (folder / "model.keras").write_text("good")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert folder.exists() == saved


def test_one_batch_is_learnt_by_heart():
    """Loss, metrics and gradient fit together: two rendered rooms can be memorised."""
    from densedepth_keras.metrics.streaming import RMSE
    from densedepth_keras.models.encoders import calibrate_batch_norm

    keras.utils.set_random_seed(0)
    source = load_dataset("rooms", "train")
    line = Pipeline(source, image_size=(64, 96), depth_size=(32, 48), batch_size=2)
    images, depths = line.batch(0, [0, 1])
    model = build_model("mobilenet_v2", weights=None, decoder_filters=128, image_size=(64, 96))
    calibrate_batch_norm(model, images)
    model.compile(keras.optimizers.Adam(1e-3), loss=DepthLoss(), metrics=[RMSE()])
    first = model.train_on_batch(images, depths, return_dict=True)
    for _ in range(60):
        last = model.train_on_batch(images, depths, return_dict=True)
        model.reset_metrics()
    assert last["loss"] < 0.5 * first["loss"]
