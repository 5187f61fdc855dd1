"""`densedepth data check|show|fill|list` from the command line: what they print, write and return."""

import json

import numpy as np
import pytest
from pair_folders import write_pairs
from PIL import Image

from densedepth_keras import cli
from densedepth_keras.data import DATASETS, load_dataset
from densedepth_keras.data.files import read_depth


@pytest.fixture
def pairs(tmp_path):
    folder = tmp_path / "pairs"
    for seed, split in enumerate(("train", "validation", "test")):
        write_pairs(folder, split, 3, seed=seed)
    return folder


def run(capsys, *arguments):
    status = cli.main(["data", *map(str, arguments)])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_check_of_good_pairs_is_status_0(pairs, capsys):
    status, out, _ = run(capsys, "check", "--dataset", "folder", "--data-dir", pairs, "--depth-unit", "mm")
    assert status == 0
    assert "train: 3 pairs, all read" in out
    assert "Training can start" in out


def test_check_of_a_wrong_unit_is_status_1_and_says_the_right_one(pairs, capsys):
    status, out, _ = run(capsys, "check", "--dataset", "folder", "--data-dir", pairs, "--depth-unit", "m")
    assert status == 1
    assert "--depth-unit mm" in out


def test_check_names_every_bad_row(pairs, capsys):
    (pairs / "train" / "0.png").write_bytes(b"no picture")
    (pairs / "train" / "2_depth.png").unlink()
    status, out, _ = run(capsys, "check", "--dataset", "folder", "--data-dir", pairs, "--depth-unit", "mm")
    assert status == 1
    assert "Row 2 of train.csv" in out
    assert "Row 4 of train.csv" in out


def test_check_as_json_is_json_alone(pairs, capsys):
    arguments = ("check", "--dataset", "folder", "--data-dir", pairs, "--depth-unit", "mm", "--json", "--split", "test")
    status, out, _ = run(capsys, *arguments)
    assert status == 0
    assert list(json.loads(out)["splits"]) == ["test"]


def test_check_writes_a_report_with_pictures(pairs, tmp_path, capsys):
    arguments = ("--dataset", "folder", "--data-dir", pairs, "--depth-unit", "mm", "--report", tmp_path / "report")
    assert run(capsys, "check", *arguments)[0] == 0
    names = {path.name for path in (tmp_path / "report").iterdir()}
    assert {"report.json", "report.txt", "depth_histogram.png", "samples_train.png"} <= names


def test_side_car_says_the_unit(pairs, capsys):
    (pairs / "dataset.json").write_text('{"depth_unit": "mm"}')
    assert run(capsys, "check", "--dataset", "folder", "--data-dir", pairs)[0] == 0
    assert load_dataset("folder", data_dir=pairs)[0].depth.max() < 10


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dataset", "folder"], "data_dir"),
        (["--data-dir", "there"], "--dataset folder"),
        (["--dataset", "foldr"], "Did you mean 'folder'"),
        (["--dataset", "kitti", "--data-dir", "nowhere"], "nowhere"),
        (["--samples", "0"], "samples=0"),
        (["--depth-unit", "mm"], "`depth_unit` belongs to 'folder'"),
    ],
)
def test_bad_arguments_are_status_2_in_one_line(arguments, message, capsys):
    status, _, err = run(capsys, "check", *arguments)
    assert status == 2
    assert message in err
    assert len(err.splitlines()) == 1


def test_show_draws_augmented_samples(tmp_path, capsys):
    output = tmp_path / "sheet.png"
    status, out, _ = run(capsys, "show", "--count", "2", "--augment", "strong", "--output", output)
    assert status == 0
    assert str(output) in out
    picture = np.asarray(Image.open(output).convert("RGB"))
    assert picture.std() > 10


def test_show_refuses_an_unknown_augmentation(tmp_path, capsys):
    status, _, err = run(capsys, "show", "--augment", "strng", "--output", tmp_path / "sheet.png")
    assert status == 2
    assert "strong" in err


def test_fill_writes_a_folder_without_holes(pairs, tmp_path, capsys):
    path = pairs / "train" / "1_depth.png"
    stored = np.array(Image.open(path))
    stored[10:20, 30:40] = 0
    Image.fromarray(stored).save(path)
    status, _, _ = run(capsys, "fill", pairs, tmp_path / "filled", "--depth-unit", "mm", "--workers", "1")
    assert status == 0
    filled = read_depth(tmp_path / "filled" / "train" / "1_depth.png", units_per_metre=1000)
    assert (filled > 0).all()
    np.testing.assert_array_equal(filled[stored > 0], (stored / np.float32(1000)).astype(np.float32)[stored > 0])
    assert run(capsys, "check", "--dataset", "folder", "--data-dir", tmp_path / "filled")[0] == 0


def test_fill_reports_a_bad_row_with_status_1(pairs, tmp_path, capsys):
    (pairs / "train" / "0.png").write_bytes(b"no picture")
    status, out, _ = run(capsys, "fill", pairs, tmp_path / "filled", "--depth-unit", "mm", "--workers", "1")
    assert status == 1
    assert "Row 2 of train.csv" in out


def test_list_names_every_data_set(capsys):
    status, out, _ = run(capsys, "list")
    assert status == 0
    assert all(name in out for name in DATASETS)
