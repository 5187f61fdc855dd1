"""Where every answer goes, and what is refused before one is made."""

from pathlib import Path

import pytest

from densedepth_keras.config.predict import FORMATS
from densedepth_keras.predicting.inputs import Found, find_images
from densedepth_keras.predicting.plan import ENDINGS, plan


@pytest.fixture(autouse=True)
def _in_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def touch(*names):
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def outputs(names, *formats, output="out"):
    found = [Found(Path(name), Path(name), None) for name in names]
    return [str(file) for job in plan(found, output, formats) for file in job.outputs.values()]


def test_every_format_has_an_ending_of_its_own():
    assert tuple(sorted(ENDINGS)) == tuple(sorted(FORMATS))
    assert len(set(ENDINGS.values())) == len(ENDINGS)


def test_names():
    expected = {
        "png16": "out/day/a-depth.png",
        "npy": "out/day/a-depth.npy",
        "pfm": "out/day/a-depth.pfm",
        "exr": "out/day/a-depth.exr",
        "color": "out/day/a-color.png",
        "side-by-side": "out/day/a-side-by-side.png",
        "ply": "out/day/a.ply",
        "glb": "out/day/a.glb",
        "pcd": "out/day/a.pcd",
    }
    (job,) = plan([Found(Path("x/day/a.jpg"), Path("day/a.jpg"), Path("x"))], "out", FORMATS)
    assert {name: str(path) for name, path in job.outputs.items()} == expected


def test_pictures_of_one_stem_keep_their_suffix_in_the_name():
    assert outputs(["a.jpg", "a.png", "b.jpg", "day/a.jpg"], "npy") == [
        "out/a.jpg-depth.npy",
        "out/a.png-depth.npy",
        "out/b-depth.npy",
        "out/day/a-depth.npy",
    ]


def test_nothing_asked_for_is_nothing_to_write():
    assert outputs(["a.jpg"]) == []


def test_two_pictures_for_one_file_are_refused():
    touch("x/a.jpg", "y/a.jpg")
    with pytest.raises(ValueError, match=r"'x/a\.jpg' and 'y/a\.jpg' would both be written to 'out/a\.jpg-depth\.png'"):
        plan(find_images(["x", "y"]), "out", ["png16"])
    with pytest.raises(ValueError, match="would both be written"):
        outputs(["a.jpg", "a.png", "a.jpg.png"], "png16")


def test_an_output_that_is_there_stays():
    touch("out/b-depth.png", "out/c-depth.png")
    found = [Found(Path(name), Path(name), None) for name in ("a.jpg", "b.jpg", "c.jpg")]
    with pytest.raises(FileExistsError, match=r"2 of 6 files.*--overwrite.*'out/b-depth\.png'"):
        plan(found, "out", ["png16", "color"])
    assert len(plan(found, "out", ["png16", "color"], overwrite=True)) == 3


def test_never_over_a_picture_that_is_read_nor_a_folder():
    touch("out/a-depth.png")
    found = [Found(Path(name), Path(name).relative_to("out"), None) for name in ("out/a.jpg", "out/a-depth.png")]
    with pytest.raises(ValueError, match=r"over a picture that is to be read.*a-depth\.png"):
        plan(found, "out", ["png16"], overwrite=True)
    Path("out/b-depth.png").mkdir()
    with pytest.raises(ValueError, match=r"over a folder.*b-depth\.png"):
        plan([Found(Path("b.jpg"), Path("b.jpg"), None)], "out", ["png16"], overwrite=True)


@pytest.mark.parametrize("output", ["photos", "photos/depth", "photos/day/../depth", "link/depth"])
@pytest.mark.parametrize("named", ["photos", "photos/**/*.jpg", "photos/day/.."])
def test_an_output_folder_inside_a_searched_one_is_refused(named, output):
    touch("photos/day/a.jpg")
    Path("link").symlink_to("photos")
    with pytest.raises(ValueError, match=f"searched for pictures.*Received: output='{output}'"):
        plan(find_images([named]), output, ["png16"])


def test_beside_a_file_that_is_named_itself_is_fine():
    touch("photos/a.jpg")
    (job,) = plan(find_images(["photos/a.jpg"]), "photos", ["color"])
    assert str(job.outputs["color"]) == "photos/a-color.png"
    assert plan(find_images(["photos/*.jpg"]), "photos", ["color"]) == [job]
    assert len(plan(find_images(["photos"]), "photos2", ["color"])) == 1


@pytest.mark.parametrize("output", ["photo-depth.png", "out/metres.NPY", "a.glb"])
def test_an_output_named_like_a_file_is_refused(output):
    """A folder called photo-depth.png is what nobody meant."""
    with pytest.raises(ValueError, match=rf"`output` is a folder.*Received: output='{output}'"):
        plan([Found(Path("a.jpg"), Path("a.jpg"), None)], output, ["png16"])
    Path(output).mkdir(parents=True)  # but there it is
    assert len(plan([Found(Path("a.jpg"), Path("a.jpg"), None)], output, ["png16"])) == 1


def test_an_output_that_is_no_folder():
    touch("a.jpg", "taken")
    with pytest.raises(OSError, match=r"taken is no folder\. Received: output='taken/deeper'"):
        plan(find_images(["a.jpg"]), "taken/deeper", ["png16"])
    assert not Path("out").exists()
