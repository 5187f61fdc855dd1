"""A folder filled as a whole: what the copy holds, going on after a break, and rows that cannot be filled."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from pair_folders import write_pairs
from PIL import Image

from densedepth_keras.data import fill_jobs, filled_folder
from densedepth_keras.data.fill_jobs import Job, fill_pairs
from densedepth_keras.data.filled_folder import fill_folder
from densedepth_keras.data.folder import Folder
from densedepth_keras.data.inpainting import fill_holes

HALF_MILLIMETRE = 0.5e-3 + 1e-6


def contents(folder):
    """Every file below, with its bytes and time."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def rewrite(path, change):
    depth = np.array(Image.open(path))
    Image.fromarray(change(depth).astype(np.uint16)).save(path)


def punched(depth):
    depth[10:30, 5:40] = 0
    return depth


@pytest.fixture
def holed(tmp_path):
    """Own data with holes: 4 training and 2 test pairs of 48x64, millimetres."""
    folder = tmp_path / "data"
    write_pairs(folder, "train", 4)
    write_pairs(folder, "test", 2, seed=1)
    for path in folder.glob("*/*_depth.png"):
        rewrite(path, punched)
    return folder


def test_the_copy(holed, tmp_path):
    (holed / "dataset.json").write_text(
        '{"depth_scale": 1000, "name": "mine", "max_depth": 9.5, "crop": [1, 40, 2, 60]}'
    )
    before, output = contents(holed), tmp_path / "filled"
    report = fill_folder(holed, output)
    assert report == (6, 0, ())
    assert contents(holed) == before
    assert json.loads((output / "dataset.json").read_text()) == {
        "name": "mine",
        "depth_unit": "mm",
        "max_depth": 9.5,
        "crop": [1, 40, 2, 60],
    }
    assert (output / "train.csv").read_text() == (holed / "train.csv").read_text()
    for split, count in (("train", 4), ("test", 2)):
        source, copy = Folder(holed, split), Folder(output, split)
        assert len(copy) == count
        for (image, depth), (same_image, filled) in zip(source, copy, strict=True):
            np.testing.assert_array_equal(same_image, image)
            np.testing.assert_array_equal(filled[depth > 0], depth[depth > 0])
            assert (depth == 0).sum() == 700
            np.testing.assert_allclose(filled, fill_holes(image, depth), rtol=0, atol=HALF_MILLIMETRE)  # rounding
    image = "train/0.png"
    assert (output / image).read_bytes() == (holed / image).read_bytes()


def test_processes_write_the_same_files(holed, tmp_path):
    lines = []
    rewrite(holed / "train/1_depth.png", np.zeros_like)
    alone = fill_folder(holed, tmp_path / "one", depth_unit="mm")
    report = fill_folder(holed, tmp_path / "two", depth_unit="mm", workers=2, announce=lines.append)
    assert alone == report
    assert report[:2] == (5, 0)
    assert report.failed[0].startswith("Row 3 of train.csv")
    one, two = ({name: data for name, (data, _) in contents(tmp_path / name).items()} for name in ("one", "two"))
    assert one == two
    assert lines[0] == "Filling 6 pairs with 2 processes; 0 are there already."
    assert lines[-1] == f"5 pairs written, 0 kept, 1 failed: {tmp_path / 'two'}"


def test_a_second_call_goes_on(holed, tmp_path, monkeypatch):
    output = tmp_path / "filled"
    monkeypatch.setattr(filled_folder, "PROGRESS_SECONDS", 0)
    lines = []

    def break_off(line):
        lines.append(line)
        if line.startswith("3 of 6"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill_folder(holed, output, depth_unit="mm", announce=break_off)
    assert re.fullmatch(r"1 of 6 pairs, [\d.]+ a second, \d+ s left", lines[1])
    with pytest.raises(FileNotFoundError, match="No 'train' split"):
        Folder(output, "train", depth_unit="mm")  # half a copy does not pass for a whole one
    half = contents(output)
    assert fill_folder(holed, output, depth_unit="mm") == (3, 3, ())
    whole = contents(output)
    assert {name: whole[name] for name in half} == half
    assert fill_folder(holed, output, depth_unit="mm") == (0, 6, ())
    assert len(Folder(output, "train")) == 4


def test_a_changed_or_half_written_pair_is_made_again(holed, tmp_path):
    output = tmp_path / "filled"
    fill_folder(holed, output, depth_unit="mm")
    changed = holed / "train/1_depth.png"
    rewrite(changed, lambda depth: depth // 2)
    later = (output / "train/1_depth.png").stat().st_mtime_ns + 10**9
    os.utime(changed, ns=(later, later))
    (output / "train/2_depth.png").unlink()
    assert fill_folder(holed, output, depth_unit="mm") == (2, 4, ())
    depth = Folder(holed, "train", depth_unit="mm")[1].depth
    np.testing.assert_array_equal(Folder(output, "train")[1].depth[depth > 0], depth[depth > 0])
    assert not list(output.rglob("*partial-*"))


@pytest.mark.parametrize("break_off", [False, True])
def test_a_mended_list_fills_again_what_was_filled_under_another_image(holed, tmp_path, break_off):
    output, table = tmp_path / "filled", holed / "train.csv"
    mended = table.read_text()
    pairs = [f"train/{i}.png,train/{(i + 1) % 3}_depth.png\n" for i in range(3)]  # slipped by one, but for the last
    table.write_text("".join(pairs) + "train/3.png,train/3_depth.png\n")
    fill_folder(holed, output, depth_unit="mm")
    table.write_text(mended)
    if break_off:
        with pytest.raises(KeyboardInterrupt):
            fill_folder(holed, output, depth_unit="mm", announce=break_at_once)
        assert not list(output.glob("*.csv"))  # the old lists would pair the files wrongly
    assert fill_folder(holed, output, depth_unit="mm") == (3, 3, ())
    fill_folder(holed, tmp_path / "new", depth_unit="mm")
    old, new = ({name: data for name, (data, _) in contents(tmp_path / name).items()} for name in ("filled", "new"))
    assert old == new
    assert fill_folder(holed, output, depth_unit="mm") == (0, 6, ())


def break_at_once(line):
    raise KeyboardInterrupt


def test_what_a_pair_was_filled_from_outlives_lists_without_it(holed, tmp_path):
    output, table = tmp_path / "filled", holed / "train.csv"
    for pairs, report in [
        ([(1, 0), (0, 1)], (4, 0, ())),  # image, depth: exchanged
        ([(3, 3)], (1, 2, ())),
        ([(0, 0)], (1, 2, ())),
        ([(0, 0), (3, 3)], (0, 4, ())),
    ]:
        table.write_text("".join(f"train/{image}.png,train/{depth}_depth.png\n" for image, depth in pairs))
        assert fill_folder(holed, output, depth_unit="mm") == report
    image, depth = Folder(holed, "train", depth_unit="mm")[0]
    # rounding to millimetres
    np.testing.assert_allclose(Folder(output, "train")[0].depth, fill_holes(image, depth), rtol=0, atol=HALF_MILLIMETRE)


def test_a_copy_that_does_not_say_what_it_was_filled_from_is_filled_again(holed, tmp_path):
    output = tmp_path / "filled"
    fill_folder(holed, output, depth_unit="mm")
    marker = output / "filled.json"
    told = json.loads(marker.read_text())
    del told["pairs"]
    marker.write_text(json.dumps(told))
    assert fill_folder(holed, output, depth_unit="mm") == (6, 0, ())
    assert fill_folder(holed, output, depth_unit="mm") == (0, 6, ())


def test_one_source_under_two_names_is_one(holed, tmp_path, monkeypatch):
    fill_folder(holed, tmp_path / "filled", depth_unit="mm")
    (tmp_path / "link").symlink_to(holed, target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    assert fill_folder("link", "filled", depth_unit="mm") == (0, 6, ())


@pytest.mark.parametrize("workers", [1, 2])
def test_a_row_that_memory_does_not_suffice_for_stops_no_other(holed, tmp_path, monkeypatch, workers):
    folder = {"train": Exhausting(Folder(holed, "train", depth_unit="mm"))}
    jobs = [
        Job("train", i, f"Row {i + 2} of train.csv", ("a", "b"), (tmp_path / "a", tmp_path / "b.png")) for i in (1, 2)
    ]
    failures = [failure for _, failure in fill_pairs(jobs, folder, workers)]
    assert sorted(failures) == ["Row 3 of train.csv: not enough memory", "Row 4 of train.csv: not enough memory"]


class Exhausting:
    """Finds no memory to read a row."""

    def __init__(self, source):
        self.source = source

    def __len__(self):
        return len(self.source)

    def __getitem__(self, index):
        raise MemoryError


@pytest.mark.parametrize(
    "other", ["test.md", "test/notes.txt", "test.tar/part.csv", "validation.CSV/x", "test/x/a.png"]
)
def test_what_is_named_as_a_split_but_is_none_is_passed_over(holed, tmp_path, other):
    for path in ("test.csv", *(f"test/{i}{end}.png" for i in range(2) for end in ("", "_depth"))):
        (holed / path).unlink()
    (holed / "test").rmdir()
    (holed / other).parent.mkdir(exist_ok=True, parents=True)
    (holed / other).write_text("x")
    lines = []
    assert fill_folder(holed, tmp_path / "filled", depth_unit="mm", announce=lines.append) == (4, 0, ())
    assert lines[0] == f"Not filled, as neither a list nor a folder of pairs: {other.split('/')[0]}"
    assert not (tmp_path / "filled/test.csv").exists()


def test_half_a_split_is_no_split_to_pass_over(holed, tmp_path):
    (holed / "validation/image").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match=r"No 'validation' split: expected .*validation/depth"):
        fill_folder(holed, tmp_path / "filled", depth_unit="mm")


def test_a_row_that_fails_is_named_and_stops_no_other(holed, tmp_path):
    rewrite(holed / "train/0_depth.png", np.zeros_like)
    rewrite(holed / "train/1_depth.png", lambda depth: np.where(depth, 65_535, 0))
    damaged = holed / "train/2_depth.png"
    damaged.write_bytes(damaged.read_bytes()[:-900])
    (holed / "test/1.png").unlink()
    report = fill_folder(holed, tmp_path / "filled", depth_scale=500)
    assert report[:2] == (2, 0)
    for failure, (row, reason) in zip(
        report.failed,
        [
            ("Row 2 of train.csv", "no measurement"),
            ("Row 3 of train.csv", r"ends at 65\.535 m.*131\.070 m"),
            ("Row 4 of train.csv", r"2_depth\.png"),
            ("Row 3 of test.csv", r"no such file.*test/1\.png"),
        ],
        strict=True,
    ):
        assert failure.startswith(row)
        assert re.search(reason, failure)
    assert [row.image.name for row in Folder(tmp_path / "filled", "train").rows] == ["3.png"]
    assert len(Folder(tmp_path / "filled", "test")) == 1


def stored_pairs(folder, rng, *, orientation=None):
    """One pair of each kind, as metres; returns what Folder must read, before the holes."""
    folder.mkdir()
    depth = punched(rng.uniform(1, 9, (40, 50)).astype(np.float32))
    image = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
    for name in ("tif", "npy"):
        Image.fromarray(image).save(folder / f"{name}.png")
    Image.fromarray(depth).save(folder / "tif.tif")
    np.save(folder / "npy.npy", depth * 100)  # beyond 65 m: .npy has no end
    with h5py.File(folder / "both.h5", "w") as file:
        file["rgb"], file["depth"] = image, depth
    turned = Image.fromarray(image)
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(folder / "turned.png", exif=exif)
    Image.fromarray(depth).save(folder / "turned.tiff")
    rows = ["tif.png,tif.tif", "npy.png,npy.npy", "both.h5,both.h5", "turned.png,turned.tiff"]
    (folder / "train.csv").write_text("\n".join(["image,depth", *rows, rows[0]]))
    return image, depth


def test_every_kind_of_file(tmp_path, rng):
    image, depth = stored_pairs(tmp_path / "data", rng)
    output = tmp_path / "filled"
    assert fill_folder(tmp_path / "data", output, depth_unit="m") == (4, 0, ())  # the repeated row once
    assert (output / "train.csv").read_text().splitlines()[1:] == [
        "tif.png,tif.tif.png",
        "npy.png,npy.npy",
        "both.h5_image.png,both.h5_depth.png",
        "turned.png,turned.tiff.png",
        "tif.png,tif.tif.png",
    ]
    copy, filled = Folder(output, "train"), fill_holes(image, depth)
    for index in (0, 2, 4):
        np.testing.assert_array_equal(copy[index].image, image)
        np.testing.assert_allclose(copy[index].depth, filled, rtol=0, atol=HALF_MILLIMETRE)  # rounding of the PNG
    np.testing.assert_allclose(copy[1].depth, filled * 100, rtol=1e-6)  # float32, scaled and back
    upright, upright_depth = Folder(tmp_path / "data", "train", depth_unit="m")[3]
    assert upright.shape == (50, 40, 3)
    np.testing.assert_array_equal(copy[3].image, upright)
    measured = upright_depth > 0
    np.testing.assert_allclose(copy[3].depth[measured], upright_depth[measured], rtol=0, atol=HALF_MILLIMETRE)


def test_a_tiny_depth_does_not_become_a_hole(tmp_path):
    (tmp_path / "data").mkdir()
    Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(tmp_path / "data/a.png")
    Image.fromarray(np.full((32, 32), 0.0003, np.float32)).save(tmp_path / "data/a.tif")
    (tmp_path / "data/train.csv").write_text("a.png,a.tif")
    fill_folder(tmp_path / "data", tmp_path / "filled", depth_unit="m")
    assert (Folder(tmp_path / "filled", "train")[0].depth == np.float32(0.001)).all()


@pytest.mark.parametrize("output", [".", "filled", "../data", "..", "link"])
def test_the_source_is_never_written_into(holed, tmp_path, output):
    (tmp_path / "elsewhere").symlink_to(holed)
    place = tmp_path / "elsewhere" / "x" if output == "link" else holed / output
    before = contents(holed)
    with pytest.raises(ValueError, match=r"`output_dir` must lie beside .*Received: source_dir=.*output_dir="):
        fill_folder(holed, place, depth_unit="mm")
    assert contents(holed) == before


def test_what_cannot_be_begun_is_refused(holed, tmp_path):
    output = tmp_path / "filled"
    with pytest.raises(ValueError, match="workers=0"):
        fill_folder(holed, output, depth_unit="mm", workers=0)
    with pytest.raises(FileNotFoundError, match="`source_dir` is not a folder"):
        fill_folder(tmp_path / "nowhere", output, depth_unit="mm")
    with pytest.raises(ValueError, match="`depth_unit` must say"):
        fill_folder(holed, output)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="No split to fill"):
        fill_folder(tmp_path / "empty", output, depth_unit="mm")
    assert not output.exists()
    output.mkdir()
    (output / "mine.txt").write_text("keep")
    with pytest.raises(ValueError, match="must be new, empty, or begun"):
        fill_folder(holed, output, depth_unit="mm")
    assert [path.name for path in output.iterdir()] == ["mine.txt"]


def test_another_unit_does_not_go_on_with_the_same_copy(holed, tmp_path):
    fill_folder(holed, tmp_path / "filled", depth_unit="mm")
    before = contents(tmp_path / "filled")
    with pytest.raises(ValueError, match=r"another unit.*1000\.0.*Expected.*100\.0"):
        fill_folder(holed, tmp_path / "filled", depth_unit="cm")
    assert contents(tmp_path / "filled") == before


@pytest.mark.parametrize("row", ["train/0.png,train/1_depth.png", "train/1.png,train/0_depth.png"])
def test_rows_that_would_overwrite_each_other_are_refused(holed, tmp_path, row):
    (holed / "train.csv").write_text(f"image,depth\ntrain/0.png,train/0_depth.png\n{row}\n")
    with pytest.raises(ValueError, match=r"Two rows share .*Row 2 of train\.csv and Row 3 of train\.csv"):
        fill_folder(holed, tmp_path / "filled", depth_unit="mm")
    assert not (tmp_path / "filled").exists()


def test_a_name_that_no_list_can_hold_is_refused(tmp_path):
    for kind, mode in (("image", "RGB"), ("depth", "I;16")):
        folder = tmp_path / "data/train" / kind
        folder.mkdir(parents=True)
        name = os.fsencode(folder) + b"/\xff.png"
        with contextlib.suppress(OSError), open(name, "wb") as file:
            Image.new(mode, (32, 32)).save(file, format="PNG")
        if not os.path.exists(name):
            pytest.skip("this file system has no such names")
    with pytest.raises(ValueError, match=r"must be UTF-8 .*udcff"):
        fill_folder(tmp_path / "data", tmp_path / "filled", depth_unit="mm")


def test_an_error_of_writing_is_no_row_that_fails(holed, tmp_path):
    output = tmp_path / "filled"
    fill_folder(holed, output, depth_unit="mm")
    for path in (output / "train").iterdir():
        path.unlink()
    (output / "train").rmdir()
    (output / "train").write_text("in the way")
    with pytest.raises(OSError, match="train"):
        fill_folder(holed, output, depth_unit="mm")


class Dying:
    """Takes its process with it."""

    def __len__(self):
        return 1

    def __getitem__(self, index):
        os._exit(9)


def test_a_worker_that_dies_is_reported(tmp_path):
    job = Job("train", 0, "Row 1", (Path("a"), Path("b")), (tmp_path / "a", tmp_path / "b"))
    with pytest.raises(OSError, match=r"worker process died.*workers=2"):
        list(fill_pairs([job], {"train": Dying()}, 2))


def test_an_empty_result_is_made_again(tmp_path):
    source, target = tmp_path / "from", tmp_path / "to"
    write_pairs(source, "train", 2)
    fill_folder(source, target, depth_unit="mm")
    whole = (target / "train" / "1_depth.png").read_bytes()
    (target / "train" / "1_depth.png").write_bytes(b"")  # as a power failure leaves it
    report = fill_folder(source, target, depth_unit="mm")
    assert (report.written, report.kept) == (1, 1)
    assert (target / "train" / "1_depth.png").read_bytes() == whole


def test_workers_end_with_a_killed_parent(tmp_path):
    """A parent that is killed cannot tell them."""
    script = (
        "import multiprocessing, os, signal, sys, time\n"
        "from concurrent.futures import ProcessPoolExecutor\n"
        "from densedepth_keras.data import fill_jobs\n"
        "if __name__ == '__main__':\n"
        "    context = multiprocessing.get_context('spawn')\n"
        "    pool = ProcessPoolExecutor(1, context, initializer=fill_jobs._receive, initargs=({},))\n"
        "    print(pool.submit(os.getpid).result(), flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    file = tmp_path / "parent.py"
    file.write_text(script)
    root = str(Path(fill_jobs.__file__).resolve().parents[2])
    done = subprocess.run(
        [sys.executable, file],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": root},
        timeout=60,
        check=False,
    )
    worker = int(done.stdout)
    for _ in range(100):
        if not _is_running(worker):
            return
        time.sleep(0.1)
    os.kill(worker, signal.SIGKILL)
    pytest.fail("the worker waits for ever")


def _is_running(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{process}/stat")
    return not (status.exists() and ") Z " in status.read_text())  # ended, but nobody has asked for its status
