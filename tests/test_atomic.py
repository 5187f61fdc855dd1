"""Files that are complete or not there: side names, writers at once, failure."""

import os
import subprocess
import sys

import numpy as np
import pytest
from pair_folders import write_pairs

from densedepth_keras.atomic import check_writable, written_beside
from densedepth_keras.data.folder import Folder


def names(folder):
    return [path.name for path in folder.iterdir()]


def test_the_file_appears_whole_at_the_end(tmp_path):
    path = tmp_path / "model.keras"
    path.write_text("old")
    with written_beside(path) as side:
        side.write_text("new")
        assert path.read_text() == "old"
        assert side.parent == tmp_path
        assert side.suffix == ".keras"
    assert path.read_text() == "new"
    assert names(tmp_path) == ["model.keras"]


def test_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("old")

    def write_half(side):
        side.write_text("ne")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"), written_beside(path) as side:
        write_half(side)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.csv"]


def test_two_writers_at_once_both_write_whole_files(tmp_path):
    path = tmp_path / "a.bin"
    with written_beside(path) as second:
        with written_beside(path) as first:
            first.write_bytes(b"A" * 1000)
            second.write_bytes(b"B" * 3)  # begun before the first ends
        assert path.read_bytes() == b"A" * 1000
        with second.open("ab") as file:
            file.write(b"B" * 497)
    assert path.read_bytes() == b"B" * 500
    assert names(tmp_path) == ["a.bin"]


def test_a_name_as_long_as_names_can_be(tmp_path):
    path = tmp_path / ("x" * 251 + ".npy")  # 255 bytes, the limit of most file systems
    with written_beside(path) as side:
        np.save(side, np.ones(3))
    assert np.load(path).sum() == 3


def test_what_a_killed_writer_leaves_no_reader_of_folders_sees(tmp_path):
    write_pairs(tmp_path, "train", 2)
    (tmp_path / "train.csv").unlink()
    for kind, mark in (("image", ""), ("depth", "_depth")):
        (tmp_path / "train" / kind).mkdir()
        for i in range(2):
            os.replace(tmp_path / f"train/{i}{mark}.png", tmp_path / f"train/{kind}/{i}.png")
    code = (
        "import os, sys\nfrom densedepth_keras.atomic import written_beside\n"
        "with written_beside(sys.argv[1]) as side:\n    side.write_text('half')\n    os._exit(9)"
    )
    depths = tmp_path / "train/depth"
    assert subprocess.run([sys.executable, "-c", code, depths / "2.png"], check=False).returncode == 9
    assert sorted(name.split("-")[0] for name in names(depths)) == [".partial", "0.png", "1.png"]
    assert len(Folder(tmp_path, "train", depth_unit="mm")) == 2


def test_check_writable(tmp_path):
    check_writable(tmp_path / "new/folder", "output_dir")
    assert names(tmp_path) == []
    (tmp_path / "file").write_text("x")
    with pytest.raises(OSError, match=r"is no folder\. Received: output_dir="):
        check_writable(tmp_path / "file/below", "output_dir")
