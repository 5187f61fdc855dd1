"""What is behind the page, without a browser and without Gradio."""

import errno
import os

import numpy as np
import pytest
from demo_predictor import FakePredictor, metres, slope, write_photo
from PIL import Image

from densedepth_keras.config.deploy import DemoConfig
from densedepth_keras.data.images import read_image
from densedepth_keras.demo.answers import METRES_FILE, UNKNOWN_RANGE, VIEW_SIDE, Answers, sampled
from densedepth_keras.demo.examples import EXAMPLE_SIZE, write_examples
from densedepth_keras.demo.photos import read_photo
from densedepth_keras.demo.shelf import Shelf
from densedepth_keras.demo.viewer import address, depth_view, status

LIMITS = {"max_mb": 1, "max_megapixels": 1}


@pytest.fixture
def answers(tmp_path):
    return Answers(FakePredictor(), DemoConfig(), tmp_path)


@pytest.fixture
def photo(tmp_path):
    return write_photo(tmp_path / "my room.png", slope())


def test_the_files_hold_the_metres(answers, photo):
    answer = answers.measure(photo)
    png, npy = answer.depth_files
    assert (png.name, npy.name) == ("my_room-depth.png", "my_room-depth.npy")
    assert np.array_equal(np.load(npy), metres(slope()))
    # Half a millimetre by rounding, and the last bit of float32
    assert np.abs(np.asarray(Image.open(png)) / 1000 - metres(slope())).max() <= 0.0005 + 1e-6
    assert answer.size == (60, 80)
    assert (answer.nearest, answer.farthest) == (metres(slope()).min(), metres(slope()).max())


def test_what_the_browser_gets_is_what_the_file_says(answers, tmp_path):
    image = slope(2 * VIEW_SIDE, 1500)
    answer = answers.measure(write_photo(tmp_path / "large.png", image))
    rows, columns = sampled(answer.size)
    assert (len(rows), len(columns)) == (VIEW_SIDE, 750)
    shown = np.fromfile(answer.folder / METRES_FILE, "<f4").reshape(len(rows), len(columns))
    assert np.array_equal(shown, metres(image)[rows][:, columns])


@pytest.mark.parametrize("size", [(1, 1), (37, 64), (1024, 1024), (1025, 3), (5000, 7001)])
def test_sampled_pixels_are_inside_in_order_and_spread(size):
    for chosen, side in zip(sampled(size), size, strict=True):
        assert chosen[0] >= 0
        assert chosen[-1] < side
        assert len(chosen) <= VIEW_SIDE
        steps = np.diff(chosen)
        assert not len(steps) or (steps.min() >= 1 and steps.max() - steps.min() <= 1)
        assert side > VIEW_SIDE or max(size) > VIEW_SIDE or len(chosen) == side


def test_the_range_moves_the_colours(answers, photo):
    answer = answers.measure(photo)
    shown, plain, scaled, values = answers.paint(answer, 0.1, 10)
    assert np.array_equal(read_image(shown), slope())
    assert read_image(plain).shape == (60, 80, 3)
    assert read_image(scaled).shape[1] > 80  # the scale
    assert np.array_equal(values, metres(slope()))
    _, narrow, _, _ = answers.paint(answer, 2, 5)
    assert narrow != plain
    assert not np.array_equal(read_image(narrow), read_image(plain))
    near, far = answers.fitted(answer)
    low, high = np.percentile(metres(slope()), (1, 99))
    assert low - 0.1 <= near <= low < high <= far <= high + 0.1


def test_a_flat_wall_has_a_range_too(answers, tmp_path):
    near, far = answers.fitted(answers.measure(write_photo(tmp_path / "wall.png", np.full((40, 40, 3), 64, np.uint8))))
    assert near < far


def test_photos_of_other_folders_are_none_of_ours(answers, photo, tmp_path_factory):
    outside = write_photo(tmp_path_factory.mktemp("private") / "mine.png", slope())
    (photo.parent / "link.png").symlink_to(outside)
    for path in (outside, photo.parent / ".." / outside.parent.name / outside.name, photo.parent / "link.png"):
        with pytest.raises(ValueError, match="Not a photo that was sent to this page"):
            answers.measure(path)


def test_a_range_that_is_none_is_refused(answers, photo):
    with pytest.raises(ValueError, match=r"near=5.*far=2"):
        answers.paint(answers.measure(photo), 5, 2)


def test_without_a_range_of_its_own_the_model_gets_one(tmp_path):
    predictor = FakePredictor()
    predictor.max_depth = float("inf")
    assert Answers(predictor, DemoConfig(), tmp_path / "a").range == UNKNOWN_RANGE
    assert Answers(FakePredictor(), DemoConfig(), tmp_path / "b").range == (0.1, 10.0)


def test_clouds_are_metric(answers, photo):
    trimesh = pytest.importorskip("trimesh", reason="trimesh is not installed: pip install densedepth_keras[points]")
    answer = answers.measure(photo)
    path, camera = answers.cloud(answer, "ply")
    points = np.asarray(trimesh.load(path).vertices)
    assert points.shape == (60 * 80, 3)
    assert np.allclose(points[:, 2].reshape(60, 80), metres(slope()), rtol=1e-6)  # float32
    assert "assumed" in camera.source
    view, _ = answers.cloud(answer, "glb")
    assert view.read_bytes()[:4] == b"glTF"
    stamp = view.stat().st_mtime_ns
    assert answers.cloud(answer, "glb")[0].stat().st_mtime_ns == stamp  # made once


def test_a_full_disk_keeps_nothing_of_the_answer(answers, photo, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("densedepth_keras.demo.answers.write_npy", full)
    with pytest.raises(OSError, match="No space left"):
        answers.measure(photo)
    assert list((answers.folder / "answers").iterdir()) == []


def test_an_answer_knows_its_photo_while_it_is_kept(answers, photo):
    answer = answers.measure(photo)
    assert answers.has(answer, str(photo))
    assert not answers.has(answer, photo.with_name("another.png"))
    assert not answers.has(None, photo)
    answers.forget(answer)
    assert not answers.has(answer, photo)


def test_a_forgotten_answer_says_so(answers, photo):
    answer = answers.measure(photo)
    answers.forget(answer)
    answers.forget(None)
    assert not answer.folder.exists()
    for ask in (
        lambda: answers.paint(answer, 0.1, 10),
        lambda: answers.cloud(answer, "glb"),
        lambda: answers.fitted(answer),
    ):
        with pytest.raises(FileNotFoundError, match="no longer kept: choose the photo again"):
            ask()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("bad.jpg", b"no picture at all", "Not a picture that Pillow can read"),
        ("empty.png", b"", "Not a picture that Pillow can read"),
        ("heavy.png", bytes(2**20 + 1), r"Files of at most 1 MB are taken\. Received: 1\.0 MB"),
    ],
)
def test_bad_files_are_told_by_their_names_alone(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_photo(tmp_path / name, **LIMITS)
    assert name in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_animated_cut_large_and_small_pictures_are_told(tmp_path):
    frames = [Image.new("RGB", (64, 64), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "two.gif", save_all=True, append_images=frames[1:])
    cut = write_photo(tmp_path / "cut.png", slope())
    cut.write_bytes(cut.read_bytes()[:-40])
    write_photo(tmp_path / "wide.png", np.zeros((1001, 1000, 3), np.uint8))
    write_photo(tmp_path / "tiny.png", np.zeros((8, 200, 3), np.uint8))
    for name, message in {
        "two.gif": "not an animation",
        "cut.png": "truncated",
        "wide.png": r"at most 1 megapixels .* 1000x1001, 1\.0 megapixels, in 'wide.png'",
        "tiny.png": "at least 32 pixels high and wide",
    }.items():
        with pytest.raises(ValueError, match=message) as caught:
            read_photo(tmp_path / name, **LIMITS)
        assert str(tmp_path) not in str(caught.value)


def test_a_turned_photo_stands_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(slope(40, 60)).save(tmp_path / "turned.png", exif=exif)
    assert read_photo(tmp_path / "turned.png", **LIMITS).shape == (60, 40, 3)


def test_the_shelf_drops_what_is_old_and_too_much(tmp_path):
    shelf = Shelf(tmp_path / "shelf", seconds=100, max_bytes=1000)
    old, first, second = shelf.new(), shelf.new(), shelf.new()
    for age, folder in ((200, old), (50, first), (20, second)):
        (folder / "file").write_bytes(bytes(600))
        stamp = folder.stat().st_mtime - age
        os.utime(folder, (stamp, stamp))
    new = shelf.new()
    assert not old.exists()  # too old
    assert not first.exists()  # 600 + 600 bytes are too many, and it is the older one
    assert second.exists()
    assert new.exists()
    assert shelf.find(new.name) == new


def test_examples_are_rooms(tmp_path):
    paths = write_examples(tmp_path / "examples")
    assert len(paths) == 3
    for path in paths:
        image = read_image(path)
        assert image.shape == (*EXAMPLE_SIZE, 3)
        assert image.std() > 5


def test_nothing_that_a_sender_writes_becomes_html(tmp_path):
    assert "<script>" not in status("<script>alert(1)</script>")
    assert 'role="alert"' in status("wrong", error=True)
    name = write_photo(tmp_path / '"><script>.png', slope())
    assert "<script>" not in depth_view(name, name, shown=(60, 80), size=(60, 80))
    assert address(name).endswith("%22%3E%3Cscript%3E.png")
