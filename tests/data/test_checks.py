"""What is looked at before a run starts: bad rows collected, not the first one alone."""

import re
import shutil
import threading
import time

import numpy as np
import pytest
from painted_scenes import Scenes, paint
from PIL import Image

from densedepth_keras.config import TrainConfig
from densedepth_keras.data import checks
from densedepth_keras.data.checking import reading
from densedepth_keras.data.checking.reading import Progress, duration, listed, read_rows
from densedepth_keras.data.checks import bad_rows, bad_rows_text, check_unit, readable_rows, survey
from densedepth_keras.data.folder import Folder
from densedepth_keras.data.sample import Rows
from densedepth_keras.training_data import open_training_data


def write_folder(folder, count):
    folder.mkdir()
    for row in range(count):
        image, depth = paint(row, (48, 64))
        Image.fromarray(image).save(folder / f"{row}.jpg")
        Image.fromarray(np.round(depth * 1000).astype(np.uint16)).save(folder / f"{row}.png")
    (folder / "train.csv").write_text("".join(f"{row}.jpg,{row}.png\n" for row in range(count)))
    return Folder(folder, "train", depth_unit="mm")


def write_lists(folder, training, validation):
    """Which of the pairs of `write_folder` are of which split."""
    for split, rows in (("train", training), ("validation", validation)):
        (folder / f"{split}.csv").write_text("".join(f"{row}.jpg,{row}.png\n" for row in rows))


@pytest.fixture
def spoilt(tmp_path):
    """Nine rows; the second has no image, the fourth a truncated one, the sixth a colour picture as depth."""
    source = write_folder(tmp_path / "data", 9)
    (tmp_path / "data/1.jpg").unlink()
    whole = (tmp_path / "data/3.jpg").read_bytes()
    (tmp_path / "data/3.jpg").write_bytes(whole[: len(whole) // 2])
    Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(tmp_path / "data/5.png")
    return source


def test_bad_rows_are_found_without_decoding(spoilt):
    bad = bad_rows(spoilt)
    assert {1, 5} <= bad.keys() <= {1, 3, 5}  # whether a header shows the truncation is the reader's affair
    assert "Row 2 of train.csv" in bad[1]
    assert "1.jpg" in bad[1]
    assert "3-channel" in bad[5]


def test_bad_rows_of_chosen_rows_and_of_a_source_that_cannot_say(spoilt):
    assert list(bad_rows(Rows(spoilt, [0, 5]))) == [1]
    assert bad_rows(Scenes(3, change=None)) == {}  # reading one would fail


def test_readable_rows_reads_every_row(spoilt):
    good, bad = readable_rows(spoilt)
    assert good == [0, 2, 4, 6, 7, 8]
    assert list(bad) == [1, 3, 5]
    assert [Rows(spoilt, good)[i].depth.shape for i in range(6)] == [(48, 64)] * 6
    text = bad_rows_text(bad).splitlines()
    assert [line.split(" of ")[0] for line in text] == ["  Row 2", "  Row 4", "  Row 6"]


def test_not_one_readable_row_is_an_error(spoilt):
    with pytest.raises(ValueError, match=r"Not one of 2 rows .*\n  Row 2 .*\n  Row 6 "):
        readable_rows(Rows(spoilt, [1, 5]))


def test_survey_lists_every_row_it_could_not_read(spoilt):
    with pytest.raises(ValueError, match=r"3 of 9 rows cannot be read; use --skip-bad-rows") as caught:
        survey(spoilt.__getitem__, 9, 0.1, 10)
    assert [number in str(caught.value) for number in ("Row 2 ", "Row 4 ", "Row 6 ", "Row 1 ")] == [True] * 3 + [False]


def test_survey_shows_twenty_rows_and_counts_the_rest():
    def read(index):
        raise ValueError(f"Row {index} is bad")

    with pytest.raises(ValueError, match="27 of 27 rows") as caught:
        survey(read, 27, 0.1, 10)
    lines = str(caught.value).splitlines()
    assert lines[1:] == [*(f"  Row {i} is bad" for i in range(20)), "  and 7 more"]


def test_survey_of_one_bad_row_names_it_in_the_singular(spoilt):
    with pytest.raises(ValueError, match=r"^1 row cannot be read; .*\n  Row 2 of train\.csv"):
        survey(Rows(spoilt, [0, 1]).__getitem__, 2, 0.1, 10)


def test_survey_reads_a_thousand_of_many_and_checks_the_unit():
    depth = np.full((4, 4), 2.0, np.float32)
    sample = Scenes(1)[0]._replace(depth=depth)
    assert survey(lambda index: sample, 5000, 0.1, 10).samples == 1000
    with pytest.raises(ValueError, match=r"median is 0\.002 m\. The unit looks a thousand times too small"):
        survey(lambda index: sample._replace(depth=depth / 1000), 3, 0.1, 10)


def test_check_unit_reads_a_few_rows():
    wrong = Scenes(50, change=lambda index, sample: sample._replace(depth=1000 * sample.depth))
    with pytest.raises(ValueError, match=r"The unit looks a thousand times too large\.$"):  # no flag would mend it
        check_unit(wrong, 0.1, 10)
    wrong.units_per_metre = 1.0
    with pytest.raises(ValueError, match="a thousand times too large: --depth-unit mm, these look like millimetres"):
        check_unit(wrong, 0.1, 10)
    check_unit(Scenes(50), 0.1, 10)


def training_config(folder, **options):
    config = TrainConfig(dataset="folder", data_dir=str(folder), depth_unit="mm", image_size=(32, 64), **options)
    return config.resolved()


def test_bad_rows_of_both_splits_and_both_looks_are_one_message(spoilt, tmp_path):
    """Headers tell of rows 2, 4 and 6 of nine; the damage in the middle of one of validation shows on decoding."""
    shutil.copy(tmp_path / "data/train.csv", tmp_path / "data/validation.csv")
    path = tmp_path / "data/7.jpg"
    data = bytearray(path.read_bytes())
    start = data.index(b"\xff\xc4")  # a Huffman table that is none
    data[start + 5 : start + 21] = bytes([255] * 16)
    path.write_bytes(bytes(data))
    assert 7 not in bad_rows(spoilt)
    with pytest.raises(ValueError, match=r"^8 of 18 rows cannot be read; --skip-bad-rows goes on") as caught:
        open_training_data(training_config(tmp_path / "data"), (16, 32), lambda line: None)
    lines = str(caught.value).splitlines()[1:]
    rows = [re.search(r"Row \d of \w+", line).group() for line in lines]
    assert rows == [f"Row {number} of {split}" for split in ("train", "validation") for number in (2, 4, 6, 8)]


def test_rows_that_are_not_decoded_are_spoken_of(monkeypatch, tmp_path):
    write_folder(tmp_path / "data", 18)
    write_lists(tmp_path / "data", range(9), range(9, 18))
    lines = []
    open_training_data(training_config(tmp_path / "data"), (16, 32), lines.append)
    assert lines == []
    monkeypatch.setattr(checks, "SURVEY_SAMPLES", 4)
    open_training_data(training_config(tmp_path / "data"), (16, 32), lines.append)
    assert len(lines) == 2
    assert "4 of 9 rows were decoded; a damaged one among the others would stop the run" in lines[0]
    lines.clear()
    open_training_data(training_config(tmp_path / "data", skip_bad_rows=True), (16, 32), lines.append)
    assert lines == []


def test_maps_outside_the_range_are_named_as_rows_are(tmp_path):
    write_folder(tmp_path / "data", 9)
    shutil.copy(tmp_path / "data/train.csv", tmp_path / "data/validation.csv")
    Image.fromarray(np.full((48, 64), 60_000, np.uint16)).save(tmp_path / "data/4.png")
    lines = []
    open_training_data(training_config(tmp_path / "data"), (16, 32), lines.append)
    assert "1 depth maps of" in lines[0]
    assert "first Row 5 of train.csv (4.jpg, 4.png): is their unit another?" in lines[0]


def warnings(folder, training, validation):
    lines = []
    write_lists(folder, training, validation)
    open_training_data(training_config(folder), (16, 32), lines.append)
    return lines


def test_validation_on_training_pictures_is_spoken_of(tmp_path, monkeypatch):
    data = tmp_path / "data"
    write_folder(data, 9)
    assert warnings(data, range(6), range(6, 9)) == []
    (line,) = warnings(data, range(6), (6, 2, 3))
    assert "2 of 3 validation pictures looked at are among the 6 training pictures looked at, first Row 2 of" in line
    assert "Row 2 of validation.csv (2.jpg, 2.png): val_rmse" in line
    shutil.copy(data / "5.jpg", data / "8.jpg")  # under another name, with another depth
    (line,) = warnings(data, range(6), range(6, 9))
    assert "1 of 3 validation pictures looked at" in line
    assert "first Row 3 of validation.csv (8.jpg, 8.png)" in line
    monkeypatch.setattr(checks, "SURVEY_SAMPLES", 2)  # the first and the last of each
    assert any(
        "1 of 2 validation pictures looked at are among the 2 training" in line
        for line in warnings(data, range(6), range(6, 9))
    )
    assert not any("looked at" in line for line in warnings(data, range(6), (6, 3, 7)))  # not looked at


def test_rows_come_in_order_whoever_is_faster():
    delays = np.random.default_rng(0).permutation(40) / 4000

    def read(index):
        time.sleep(delays[index])
        return 10 * index

    assert list(read_rows(read, range(40), 8)) == [(index, 10 * index, None) for index in range(40)]


def test_reading_runs_only_a_little_ahead():
    started, lock = [0], threading.Lock()

    def read(index):
        with lock:
            started[0] += 1

    rows = read_rows(read, range(1000), 2)
    next(rows)
    time.sleep(0.05)
    assert started[0] <= 8  # four per worker
    rows.close()


def test_expected_errors_are_reasons_and_others_end_the_reading():
    def read(index):
        raise (ValueError("odd"), FileNotFoundError("gone"), ZeroDivisionError("fault"))[index]

    rows = read_rows(read, range(3), 2)
    assert next(rows) == (0, None, "odd")
    assert next(rows) == (1, None, "gone")
    with pytest.raises(ZeroDivisionError):
        next(rows)


def test_no_workers_are_refused():
    with pytest.raises(ValueError, match="workers=0"):
        next(read_rows(len, [1], 0))


def test_progress_says_how_long_it_will_take(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(reading.time, "monotonic", lambda: now[0])
    lines: list[str] = []
    progress = Progress(lines.append, "train", 1000)
    for _ in range(1000):
        now[0] += 0.25  # four rows a second: 250 seconds in all, a line every ten but none at the end
        progress.step()
    assert len(lines) == 24
    assert lines[0] == "train: 40 of 1,000 rows read, 4 a second, 4 min 0 s to go"
    assert lines[-1] == "train: 960 of 1,000 rows read, 4 a second, 10 s to go"


@pytest.mark.parametrize(("seconds", "text"), [(0.2, "0 s"), (59.4, "59 s"), (60, "1 min 0 s"), (7500, "2 h 5 min")])
def test_duration(seconds, text):
    assert duration(seconds) == text


def test_listed():
    assert listed(["a", "b"], 2) == "  a\n  b"
    assert listed(["a", "b", "c"], 2, "- ") == "- a\n- b\n- and 1 more"
