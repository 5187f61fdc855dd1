"""`densedepth data check|show|list`: verdict, report and pictures, from a config to files."""

import itertools
import json

import numpy as np
import pytest
from PIL import Image

from densedepth_keras.config import CheckConfig, ShowConfig
from densedepth_keras.data import DATASETS, load_dataset
from densedepth_keras.data.augment import parse_augmentation
from densedepth_keras.data.checking import check_data
from densedepth_keras.data.pipeline import Pipeline
from densedepth_keras.inspection import check, list_datasets, show, show_samples, write_report
from densedepth_keras.plots import plot_depth_shares, plot_sheet


def folder_config(folder, **options):
    return CheckConfig(dataset="folder", data_dir=str(folder), depth_unit="mm", **options)


def test_check_announces_the_verdict(own_data):
    lines: list[str] = []
    verdict = check(folder_config(own_data), lines.append)
    assert verdict.ok
    assert lines[0].startswith("train: reading 6 pairs of Folder(")
    assert lines[-1].strip() == verdict.text()
    assert list(verdict.splits) == ["train", "validation", "test"]


def test_check_in_a_wrong_unit_is_not_ok(own_data):
    config = CheckConfig(dataset="folder", data_dir=str(own_data), depth_unit="m")
    assert not check(config, lambda line: None).ok


def test_check_of_one_split_with_json_alone_on_its_output(own_data):
    lines: list[str] = []
    check(folder_config(own_data, split="test", json=True), lines.append)
    values = json.loads("\n".join(lines))
    assert list(values["splits"]) == ["test"]
    assert values["ok"] is True
    assert values["range"] == [0.1, 10]


def test_show_overwrites_no_file_of_the_data(own_data, tmp_path):
    def drawn(output):
        return show(ShowConfig(dataset="folder", data_dir=str(own_data), depth_unit="mm", output=str(output)))

    depth = own_data / "train/1.png"
    whole = depth.read_bytes()
    (tmp_path / "link.png").symlink_to(depth)
    for output in (depth, tmp_path / "link.png"):
        with pytest.raises(FileExistsError, match="data set's folder is not overwritten"):
            drawn(output)
    assert depth.read_bytes() == whole
    for _ in range(2):
        drawn(tmp_path / "sheet.png")  # its own it may


def test_check_writes_its_report(own_data, tmp_path):
    (own_data / "train/1.png").unlink()
    lines: list[str] = []
    folder = tmp_path / "deep" / "report"
    verdict = check(folder_config(own_data, report=str(folder)), lines.append)
    assert sorted(path.name for path in folder.iterdir()) == [
        "depth_histogram.png",
        "report.json",
        "report.txt",
        "samples_test.png",
        "samples_train.png",
        "samples_validation.png",
    ]
    assert json.loads((folder / "report.json").read_text()) == verdict.to_json()
    assert (folder / "report.txt").read_text() == verdict.text() + "\n"
    assert "Row 3 of train.csv" in (folder / "report.txt").read_text()
    assert str(folder) in lines[-1]


def test_a_report_without_one_readable_row_has_no_pictures(tmp_path):
    class Broken:
        def __len__(self):
            return 3

        def __getitem__(self, index):
            raise ValueError("broken")

    write_report(check_data(lambda split: Broken(), ("train",)), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.json", "report.txt"]


def test_a_report_that_cannot_be_written_is_refused_before_reading(own_data, tmp_path):
    (tmp_path / "file").write_text("")
    lines: list[str] = []
    with pytest.raises(OSError, match="report="):
        check(folder_config(own_data, report=str(tmp_path / "file" / "report")), lines.append)
    assert lines == []


def test_missing_data_are_one_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="not a folder"):
        check(folder_config(tmp_path / "nowhere"), lambda line: None)


def test_show_draws_rooms_without_a_flag(tmp_path):
    path = show(ShowConfig(count=2, output=str(tmp_path / "new" / "rooms.png")))
    with Image.open(path) as picture:
        assert picture.width > picture.height > 300


def test_show_draws_augmented_folders(own_data, tmp_path):
    config = ShowConfig(
        dataset="folder",
        data_dir=str(own_data),
        depth_unit="mm",
        split="validation",
        augment="strong",
        image_size=(32, 64),
        output=str(tmp_path / "a.png"),
    )
    first = Image.open(show(config)).tobytes()
    assert Image.open(show(config)).tobytes() == first  # the seed decides, nothing else


def test_show_of_an_unknown_augmentation(tmp_path):
    with pytest.raises(ValueError, match="augment"):
        show(ShowConfig(augment="storng", output=str(tmp_path / "a.png")))
    assert list(tmp_path.iterdir()) == []


def test_show_samples_augments_as_training_does(monkeypatch, tmp_path):
    drawn = {}
    monkeypatch.setattr(
        "densedepth_keras.inspection.plot_sheet", lambda path, rows, **options: drawn.update(rows=rows, **options)
    )
    rooms, augment = load_dataset("rooms", "test", limit=9), parse_augmentation("strong")
    show_samples(rooms, tmp_path / "a.png", count=3, augment=augment, image_size=(48, 64), seed=5, max_depth=10)
    size = (48, 64)
    line = Pipeline(rooms, image_size=size, depth_size=size, batch_size=1, augment=augment, seed=5)
    assert len(drawn["rows"]) == 3
    assert drawn["columns"] == ("image", "depth", "augmented", "its depth")
    for index, (name, panels) in zip((0, 4, 8), drawn["rows"], strict=True):
        assert f"{index}" in name
        assert [panel.shape for panel in panels] == [(48, 64, 3), (48, 64)] * 2
        images, depths = line.batch(0, [index])
        np.testing.assert_array_equal(panels[2], images[0])
        np.testing.assert_array_equal(panels[3], depths[0, ..., 0])


def test_what_a_data_set_says_as_it_is_opened_is_passed_on(own_data, tmp_path, monkeypatch, capsys):
    def load(*, announce, **arguments):
        announce("its licence")
        return load_dataset("folder", data_dir=own_data, depth_unit="mm", split=arguments["split"])

    monkeypatch.setattr("densedepth_keras.inspection.load_dataset", load)
    lines: list[str] = []
    check(folder_config(own_data, split="test"), lines.append)
    assert lines[0] == "its licence"
    lines.clear()
    check(folder_config(own_data, split="test", json=True), lines.append)
    assert len(lines) == 1  # JSON alone
    show(ShowConfig(count=1, output=str(tmp_path / "a.png")))
    assert capsys.readouterr() == ("", "its licence\nits licence\n")


def test_an_empty_source_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no samples"):
        show_samples([], tmp_path / "a.png", max_depth=10)


def test_every_data_set_is_listed():
    text = list_datasets()
    names = [line.split()[0] for line in text.splitlines() if line[:1].strip()]
    assert names == list(DATASETS)
    assert "--partition paper; in training, --split paper" in " ".join(text.split())
    paragraphs = text.split("\n\n")
    for key, paragraph in itertools.product(("size", "licence", "from", "flags"), paragraphs):
        assert f" {key} " in paragraph
    assert max(map(len, text.splitlines())) <= 120


def grey_share(path):
    with Image.open(path) as picture:
        return (np.asarray(picture.convert("RGB")) == 153).all(-1).mean()  # 0.6 of 255


def test_holes_are_grey(tmp_path):
    image, depth = np.full((40, 60, 3), 255, np.uint8), np.full((40, 60), 9, np.float32)
    plot_sheet(tmp_path / "a.png", [("whole", (image, depth))], max_depth=10)
    depth[:, :30] = 0
    plot_sheet(tmp_path / "b.png", [("holed", (image, depth))], max_depth=10)
    assert grey_share(tmp_path / "a.png") < 0.001  # edges of letters
    assert grey_share(tmp_path / "b.png") > 0.1  # half of one panel of two


def test_a_sheet_has_one_range_of_colours(tmp_path):
    """A map looks the same whatever stands beside it."""
    image, near, far = np.full((40, 60, 3), 255, np.uint8), *(np.full((40, 60), d, np.float32) for d in (1.0, 9.0))
    pictures = []
    for below in (near, far):
        plot_sheet(tmp_path / "a.png", [("first", (image, near)), ("second", (image, below))], max_depth=10)
        with Image.open(tmp_path / "a.png") as picture:
            pictures.append(np.asarray(picture.convert("RGB")))
    half = len(pictures[0]) // 2
    panels = [picture[: half - 10, : int(0.8 * picture.shape[1])] for picture in pictures]  # without the scale bar
    np.testing.assert_array_equal(*panels)
    assert (pictures[0] != pictures[1]).any()


def test_names_of_any_script_and_with_dollars_are_drawn(tmp_path):
    image, depth = np.zeros((40, 60, 3), np.uint8), np.ones((40, 60), np.float32)
    plot_sheet(tmp_path / "a.png", [("Bild $1_$ 深度 " + 20 * "lang/", (image, depth))], max_depth=10)
    assert (tmp_path / "a.png").stat().st_size > 1000


def test_histograms_of_every_split_are_side_by_side(tmp_path):
    bars = [(0.0, 1.0, 0.25), (1.0, 2.0, 0.5), (2.0, float("inf"), 0.25)]
    widths = []
    for count in (1, 3):
        charts = {f"split {i}": bars for i in range(count)}
        plot_depth_shares(tmp_path / "a.png", charts, min_depth=0.1, max_depth=10)
        with Image.open(tmp_path / "a.png") as picture:
            widths.append(picture.width)
    assert widths[1] > 2 * widths[0]
