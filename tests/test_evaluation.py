"""Evaluation: numbers against an independent computation, files, memory, refusals."""

import csv
import json
import math
import os
import shutil
import threading
import weakref

import keras
import numpy as np
import pytest
from keras import ops
from PIL import Image

from densedepth_keras import cli, evaluation
from densedepth_keras.config import EvaluationConfig, TrainConfig, write_json
from densedepth_keras.data import load_dataset
from densedepth_keras.data.sample import Sample
from densedepth_keras.evaluation import evaluate, evaluate_checkpoint
from densedepth_keras.metrics import METRICS, functional
from densedepth_keras.run_folder import newest_run


@pytest.fixture
def run(own_data, tmp_path, small_model):
    """A run folder with an untrained model; what it answers can be computed by other means."""
    folder = tmp_path / "runs" / "one"
    folder.mkdir(parents=True)
    small_model.save(folder / "model.keras")
    config = TrainConfig(dataset="folder", data_dir=str(own_data), depth_unit="mm").resolved()
    write_json(folder / "config.json", config.to_json())
    np.save(folder / "mean_depth.npy", np.full((24, 32), 5.0, "float32"))
    return folder


def command(*arguments):
    return cli.main(["evaluate", *map(str, arguments)])


def test_numbers_are_those_of_a_plain_loop(own_data, small_model):
    source = load_dataset("folder", "test", data_dir=own_data, depth_unit="mm")
    report = evaluate(small_model, source, mean_depth=np.full((2, 2), 5.0), batch_size=2)
    squares, rmses, baselines = [], [], []
    for i in range(3):
        image, depth = source[i]
        inside = ops.image.resize(small_model(image[None]), depth.shape, interpolation="bilinear")[0, ..., 0]
        error = np.clip(ops.convert_to_numpy(inside), 0.1, 10).astype(float) - depth
        squares.append(error**2)
        rmses.append(np.sqrt(np.mean(error**2)))
        baselines.append(functional.rmse(depth, np.full_like(depth, 5.0)))
    assert report.metrics["rmse"] == pytest.approx(np.mean(rmses), rel=1e-4)
    assert report.metrics["rmse_pooled"] == pytest.approx(np.sqrt(np.mean(squares)), rel=1e-4)
    assert report.metrics["rmse"] < report.metrics["rmse_pooled"]
    assert report.baseline["rmse"] == pytest.approx(np.mean(baselines))


def test_files_and_their_schema(run, capsys):
    assert command("--checkpoint", run) == 0
    folder = run / "evaluation-folder-test-full"
    assert {path.name for path in folder.iterdir()} == {"evaluation.json", "per_image.csv", "gallery.png"}
    values = json.loads((folder / "evaluation.json").read_text())
    assert set(values) == {"protocol", "num_images", "metrics", "baseline"}
    assert set(values["metrics"]) == {"rmse_pooled", *METRICS}
    assert values["num_images"] == 3
    for key in ("name", "crop", "mask", "clip", "flip_average", "averaging", "num_pixels", "dataset", "split"):
        assert key in values["protocol"]
    rows = list(csv.DictReader((folder / "per_image.csv").read_text().splitlines()))
    assert len(rows) == 3
    assert np.mean([float(row["rmse"]) for row in rows]) == pytest.approx(values["metrics"]["rmse"])
    said = capsys.readouterr().out
    assert f"{values['metrics']['rmse']:.4f} m    mean of the images' RMSE" in said
    assert f"{values['metrics']['rmse_pooled']:.4f} m    pooled" in said
    assert "protocol   full: crop none; mask 0 < depth m" in said
    with Image.open(folder / "gallery.png") as picture:
        assert min(picture.size) > 200
    assert command("--checkpoint", run) == 0  # the same again replaces its own report


def test_bare_checkpoint_is_the_newest_run(run, tmp_path, capsys):
    older = tmp_path / "runs" / "zzz"
    older.mkdir()
    (older / "model.keras").write_bytes(b"old")
    os.utime(older / "model.keras", (1, 1))
    assert newest_run(tmp_path / "runs") == run
    assert command("--checkpoint", "--output-dir", tmp_path / "runs", "--output", tmp_path / "report") == 0
    assert str(run) in capsys.readouterr().out
    assert (tmp_path / "report" / "evaluation.json").exists()
    assert command("--checkpoint", run, "--output", tmp_path / "report") == 2
    assert "holds gallery.png, per_image.csv, evaluation.json already" in capsys.readouterr().err


def test_another_evaluation_is_not_overwritten(run, own_data, tmp_path, capsys):
    assert command("--checkpoint", run) == 0
    file = run / "evaluation-folder-test-full" / "evaluation.json"
    whole = file.read_bytes()
    assert command("--checkpoint", run, "--limit", "1") == 0
    assert (run / "evaluation-folder-test-full-first1" / "evaluation.json").exists()
    shutil.copytree(own_data, tmp_path / "other")
    assert command("--checkpoint", run, "--data-dir", tmp_path / "other") == 2
    assert "another evaluation (data_dir differ)" in capsys.readouterr().err
    # A run that was copied with its report is judged anew in its new place
    shutil.copytree(run, tmp_path / "copy")
    assert command("--checkpoint", tmp_path / "copy") == 0
    copied = json.loads((tmp_path / "copy" / "evaluation-folder-test-full" / "evaluation.json").read_text())
    assert copied["protocol"]["checkpoint"] == str(tmp_path / "copy")
    assert file.read_bytes() == whole


def test_the_same_data_typed_otherwise_is_the_same_evaluation(run, own_data, tmp_path, monkeypatch):
    assert command("--checkpoint", run) == 0
    monkeypatch.chdir(tmp_path)
    assert command("--checkpoint", run, "--data-dir", own_data.relative_to(tmp_path)) == 0
    values = json.loads((run / "evaluation-folder-test-full" / "evaluation.json").read_text())
    assert values["protocol"]["data_dir"] == str(own_data)


@pytest.mark.parametrize("where", ["/proc/nothing", "{data}/test.csv/deeper"])
def test_output_that_cannot_be_made_is_said_before_the_work(run, own_data, where, capsys, monkeypatch):
    monkeypatch.setattr(evaluation, "load_model", lambda _: pytest.fail("too late"))
    assert command("--checkpoint", run, "--output", where.format(data=own_data)) == 2
    assert "Nothing can be written there" in capsys.readouterr().err


def test_a_run_folder_that_takes_no_report_is_said_before_the_work(run, capsys, monkeypatch):
    monkeypatch.setattr(evaluation, "load_model", lambda _: pytest.fail("too late"))
    (run / "evaluation-folder-test-full").write_text("a file")
    assert command("--checkpoint", run) == 2
    assert "The report needs a folder of its own, --output. Nothing can be written there" in capsys.readouterr().err


@pytest.mark.parametrize("values", ["no JSON", "5", '{"protocol": 5}', '{"protocol": {}}', "{}"])
def test_what_is_no_report_is_not_overwritten(run, values, capsys, monkeypatch):
    monkeypatch.setattr(evaluation, "load_model", lambda _: pytest.fail("too late"))
    file = run / "evaluation-folder-test-full" / "evaluation.json"
    file.parent.mkdir()
    file.write_text(values)
    assert command("--checkpoint", run) == 2
    assert "is the report of another evaluation" in capsys.readouterr().err
    assert file.read_text() == values


def test_a_link_to_another_model_does_not_overwrite_the_report_of_the_first(run, own_data, tmp_path, capsys):
    link, data = tmp_path / "best.keras", ("--dataset", "folder", "--data-dir", own_data, "--depth-unit", "mm")
    shutil.copytree(run, tmp_path / "other")
    link.symlink_to(run / "model.keras")
    assert command("--checkpoint", link, *data) == 0
    link.unlink()
    link.symlink_to(tmp_path / "other" / "model.keras")
    assert command("--checkpoint", link, *data) == 2
    assert "another evaluation (checkpoint differ)" in capsys.readouterr().err


def test_missing_checkpoint_is_said_as_such(capsys, tmp_path):
    for path in (tmp_path / "nowhere.keras", tmp_path):
        assert command("--checkpoint", path) == 2
        assert "No model there: expected a run folder or a .keras file" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["gallery.png", "per_image.csv"])
def test_output_with_somebody_s_file_in_it_is_refused(run, tmp_path, name, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / name).write_text("mine")
    assert command("--checkpoint", run, "--output", tmp_path / "mine") == 2
    assert f"holds {name} already" in capsys.readouterr().err
    assert (tmp_path / "mine" / name).read_text() == "mine"


def test_full_disk_leaves_no_half_of_a_report(small_model, tmp_path, monkeypatch):
    from densedepth_keras import report as report_module

    def full(*_):
        raise OSError(28, "No space left on device")

    report = evaluate(small_model, Made(2))
    monkeypatch.setattr(report_module, "write_json", full)
    with pytest.raises(OSError, match="No space left"):
        report_module.write_report(report, tmp_path / "report")
    assert not (tmp_path / "report").exists()


def test_flip_average_and_split_are_used_and_said(run):
    base = {"checkpoint": str(run), "split": "validation"}
    plain = evaluate_checkpoint(EvaluationConfig(**base))
    flipped = evaluate_checkpoint(EvaluationConfig(**base, flip_average=True))
    assert plain.metrics["rmse"] != flipped.metrics["rmse"]
    assert flipped.protocol["flip_average"] is True
    assert plain.protocol["split"] == "validation"
    assert (run / "evaluation-folder-validation-full-flip" / "evaluation.json").exists()


class Made:
    """Samples made on demand; counts how many images are alive at once."""

    def __init__(self, count, depth=2.0, size=(32, 32)):
        self.count, self.depth, self.size = count, depth, size
        self.alive = self.most = 0
        self.lock = threading.RLock()  # a collection may run _gone inside the other block

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        image = np.full((*self.size, 3), index % 250, np.uint8)
        with self.lock:
            self.alive += 1
            self.most = max(self.most, self.alive)
        weakref.finalize(image, self._gone)
        return Sample(image, np.full(self.size, self.depth, np.float32))

    def _gone(self):
        with self.lock:
            self.alive -= 1


def test_memory_does_not_grow_with_the_images(small_model):
    few, many = Made(40), Made(160)
    for source in (few, many):
        evaluate(small_model, source, batch_size=4)
    # two batches read ahead, two on their way through the network, the gallery, and one or two in hand
    assert max(few.most, many.most) <= 4 * 4 + evaluation.GALLERY + 2


def test_images_without_valid_pixels_are_left_out_and_said(small_model):
    class Gaps(Made):
        def __getitem__(self, index):
            image, depth = super().__getitem__(index)
            return Sample(image, depth * (index != 1))

    report = evaluate(small_model, Gaps(3))
    assert report.num_images == 2
    assert report.protocol["images_without_valid_pixels"] == 1
    with pytest.raises(ValueError, match="Not one of 2 images has a pixel that counts"):
        evaluate(small_model, Made(2, depth=0.0))


def test_predictions_are_clipped_to_the_model_s_range(small_model):
    class Far(Made):
        def __getitem__(self, index):
            image, depth = super().__getitem__(index)
            depth[:16] = 50.0
            return Sample(image, depth)

    report = evaluate(small_model, Far(1))
    assert report.protocol["clip"] == [0.1, 10.0]
    assert report.metrics["rmse"] >= 40.0 / math.sqrt(2)  # half the pixels are 40 m off at least


def test_progress_is_told(small_model):
    done = []
    evaluate(small_model, Made(5), on_image=done.append)
    assert done == [1, 2, 3, 4, 5]


def test_real_frames_under_the_eigen_protocol(nyu_folder, small_model, tmp_path):
    source = load_dataset("folder", "test", data_dir=nyu_folder, depth_unit="mm", limit=2)
    mean = np.full((48, 64), 2.7, "float32")
    report = evaluate(small_model, source, "eigen", mean_depth=mean)
    depth = source[0].depth[45:471, 41:601]
    assert report.rows[0]["pixels"] == np.count_nonzero((depth > 1e-3) & (depth < 10))
    whole = np.concatenate([source[i].depth[45:471, 41:601].ravel() for i in range(2)]).astype(float)
    assert report.baseline["rmse_pooled"] == pytest.approx(math.sqrt(np.mean((whole - 2.7) ** 2)), rel=1e-6)


def test_model_without_a_run_needs_a_data_set(run, own_data, tmp_path, capsys):
    alone = tmp_path / "alone.keras"
    alone.write_bytes((run / "model.keras").read_bytes())
    assert command("--checkpoint", alone) == 2
    assert "`dataset` must be given" in capsys.readouterr().err
    assert command("--checkpoint", alone, "--dataset", "folder", "--data-dir", own_data, "--depth-unit", "mm") == 0
    assert "baseline" not in json.loads((tmp_path / "alone-evaluation-folder-test-full/evaluation.json").read_text())


def _spoil(run, kind):
    if kind == "no model":
        (run / "model.keras").unlink()
    elif kind == "broken model":
        (run / "model.keras").write_bytes((run / "model.keras").read_bytes()[:1000])
    elif kind == "broken config":
        (run / "config.json").write_text("{")
    elif kind == "config of another kind":
        (run / "config.json").write_text("[]")
    elif kind == "broken mean":
        (run / "mean_depth.npy").write_bytes(b"")
    elif kind == "foreign mean":
        np.save(run / "mean_depth.npy", np.ones(5))
    elif kind == "foreign config":
        (run / "config.json").write_text('{"dataset": "imagenet"}')


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("no model", "No model there"),
        ("broken model", "not a model that Keras can load"),
        ("broken config", "Not the config.json of a run"),
        ("foreign config", "dataset='imagenet'"),
        ("config of another kind", "must be a JSON object that names its dataset"),
        ("broken mean", "mean depth cannot be read"),
        ("foreign mean", "no map of metres"),
    ],
)
def test_spoilt_run_folders(run, kind, message, capsys):
    _spoil(run, kind)
    assert command("--checkpoint", run) == 2
    assert message in capsys.readouterr().err
    assert not list(run.glob("evaluation*"))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--depth-unit", "m"], "a thousand times too large: --depth-unit mm"),
        (["--protocol", "eigen"], "defined on 640x480 frames"),
        (["--data-dir", "/nowhere"], "not a folder"),
        (["--batch-size", "0"], "batch_size=0"),
        (["--dataset", "nyu-labeled"], "`data_dir` must say where"),
    ],
)
def test_bad_flags(run, more, message, capsys):
    assert command("--checkpoint", run, *more) == 2
    assert message in capsys.readouterr().err
    assert not list(run.glob("evaluation*"))


def test_no_run_yet(tmp_path, capsys):
    assert command("--checkpoint", "--output-dir", tmp_path) == 2
    assert "No run below" in capsys.readouterr().err


def test_broken_row_in_the_middle_leaves_no_report(run, own_data, capsys):
    path = own_data / "test" / "2_depth.png"
    path.write_bytes(path.read_bytes()[:100])
    assert command("--checkpoint", run) == 2
    assert "Row 4 of test.csv" in capsys.readouterr().err
    assert not list(run.glob("evaluation*"))


def test_other_data_that_names_its_unit_is_read_in_it(own_data, tmp_path):
    run = TrainConfig(dataset="folder", data_dir=str(own_data), depth_unit="mm").resolved()
    (tmp_path / "other").mkdir()
    config = EvaluationConfig(data_dir=str(tmp_path / "other"))
    assert evaluation._data_of(config, run)["depth_unit"] == "mm"
    (tmp_path / "other" / "dataset.json").write_text('{"depth_unit": "cm"}')
    assert evaluation._data_of(config, run)["depth_unit"] is None  # the side-car's, then
    assert evaluation._data_of(EvaluationConfig(), run)["depth_unit"] == "mm"


@pytest.mark.parametrize(
    ("dataset", "protocol"), [("rooms", "full"), ("nyu-csv", "eigen"), ("nyu-labeled", "eigen"), ("kitti", "garg")]
)
def test_default_protocol_is_the_data_set_s(dataset, protocol):
    assert evaluation._default_protocol({"name": dataset, "data_dir": None}) == protocol


def test_crop_of_the_side_car_is_the_default_protocol(own_data):
    data = {"name": "folder", "data_dir": str(own_data)}
    assert evaluation._default_protocol(data) == "full"
    (own_data / "dataset.json").write_text('{"crop": [4, 44, 8, 56]}')
    protocol = evaluation._default_protocol(data)
    assert protocol.valid_mask(np.ones((48, 64)), 10.0).sum() == 40 * 48
    with pytest.raises(ValueError, match="leaves the frame"):
        protocol.valid_mask(np.ones((40, 64)), 10.0)


def test_a_model_without_a_range_is_judged_in_the_data_s():
    assert evaluation._finite_range(keras.Sequential([keras.layers.Identity()]), (0.8, 80.0)) == (0.8, 80.0)


def test_a_run_that_left_bad_rows_out_is_judged_without_them(run, own_data, capsys):
    values = json.loads((run / "config.json").read_text())
    write_json(run / "config.json", {**values, "skip_bad_rows": True})
    (own_data / "test" / "1.png").unlink()
    assert cli.main(["evaluate", "--checkpoint", str(run)]) == 0
    out = capsys.readouterr().out
    assert "WARNING: 1 of" in out
    assert "Row 3 of test.csv" in out
