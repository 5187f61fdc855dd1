"""Where exported networks go, without any network."""

import pytest

from densedepth_keras.config.deploy import ExportConfig
from densedepth_keras.export.destination import bytes_of, destination, placed


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "model.keras").touch()
    return folder


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({}, "model.onnx"),
        ({"format": "litert"}, "model.tflite"),
        ({"format": "litert", "quantize": "int8"}, "model-int8.tflite"),
        ({"format": "savedmodel"}, "model-savedmodel"),
    ],
)
def test_lies_beside_the_model_unless_said(run, arguments, name):
    assert destination(ExportConfig(**arguments), run) == run / name
    assert destination(ExportConfig(**arguments), run / "model.keras") == run / name


@pytest.mark.parametrize("name", ["x.tflite", "x.keras"])
def test_name_of_another_format_is_refused(run, name):
    with pytest.raises(ValueError, match=rf"named like a file of.*{name}.*format='onnx'"):
        destination(ExportConfig(output=str(run / name), overwrite=True), run)


def test_what_is_there_stays_unless_overwrite(run):
    (run / "model.onnx").write_text("old")
    with pytest.raises(FileExistsError, match=r"--overwrite.*model\.onnx"):
        destination(ExportConfig(), run)
    assert destination(ExportConfig(overwrite=True), run) == run / "model.onnx"


@pytest.mark.parametrize(("name", "kind"), [("savedmodel", "no SavedModel"), ("onnx", "a folder")])
def test_folder_of_something_else_is_never_replaced(run, name, kind):
    with pytest.raises(ValueError, match=kind):
        destination(ExportConfig(output=str(run), format=name, overwrite=True), run)


def test_file_is_not_replaced_by_a_folder(run):
    (run / "x").touch()
    with pytest.raises(ValueError, match="a SavedModel is a folder"):
        destination(ExportConfig(output=str(run / "x"), format="savedmodel", overwrite=True), run)


def test_place_that_cannot_be_written_is_named(run):
    with pytest.raises(OSError, match="Received: output="):
        destination(ExportConfig(output=str(run / "model.keras" / "x.onnx")), run)


def _fill(folder, text):
    (folder / "variables").mkdir(parents=True)
    (folder / "variables" / "a").write_text(text)


def test_folder_takes_the_place_of_the_old_one(tmp_path):
    target = tmp_path / "deep" / "net"
    for text in ("old", "newer"):
        with placed(target, is_folder=True) as side:
            _fill(side, text)
    assert [path.name for path in target.parent.iterdir()] == ["net"]
    assert (target / "variables" / "a").read_text() == "newer"
    assert bytes_of(target) == len("newer")


@pytest.mark.parametrize("is_folder", [True, False])
def test_failure_leaves_the_old_and_nothing_else(tmp_path, is_folder):
    target = tmp_path / "net"
    with placed(target, is_folder=is_folder) as side:
        _fill(side, "old") if is_folder else side.write_text("old")

    def fail():
        with placed(target, is_folder=is_folder) as side:
            _fill(side, "new") if is_folder else side.write_text("new")
            raise ValueError("parity")

    with pytest.raises(ValueError, match="parity"):
        fail()
    assert list(tmp_path.iterdir()) == [target]
    assert (target / "variables" / "a" if is_folder else target).read_text() == "old"


def test_a_link_to_an_old_folder_is_replaced_and_its_folder_left(tmp_path):
    _fill(tmp_path / "old", "old")
    (tmp_path / "net").symlink_to("old")
    with placed(tmp_path / "net", is_folder=True) as side:
        _fill(side, "new")
    assert {path.name for path in tmp_path.iterdir()} == {"old", "net"}
    assert (tmp_path / "old" / "variables" / "a").read_text() == "old"
    assert (tmp_path / "net" / "variables" / "a").read_text() == "new"
