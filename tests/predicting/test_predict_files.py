"""predict_files with a network of arithmetic: depth is told by a picture's red channel."""

import errno
import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from densedepth_keras.config.predict import PredictConfig
from densedepth_keras.data.files import read_depth, read_image
from densedepth_keras.outputs import Coloring
from densedepth_keras.predicting import predict_files, reading, writing


class Arithmetic:
    """10 m of white, 0.1 m of black; counts what it holds."""

    min_depth, max_depth, name = 0.1, 10.0, "arithmetic"

    def __init__(self, network_size=(48, 64), fails_at=None):
        self.network_size, self.fails_at, self.seen = network_size, fails_at, []

    def iterate(self, images):
        for image in images:
            if len(self.seen) == self.fails_at:
                raise KeyboardInterrupt
            self.seen.append(image.shape[:2])
            yield depth_of(image)


def depth_of(image):
    return (0.1 + image[..., 0].astype(np.float32) / 255 * np.float32(9.9)).astype(np.float32)


@pytest.fixture(autouse=True)
def _in_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def photos(rng):
    """Five pictures in two folders; returns path inside -> image."""
    images = {}
    for name in ("a.png", "b.png", "c.png", "day/a.png", "day/d.png"):
        images[name] = rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)
        path = Path("photos") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(images[name]).save(path)
    return images


def predict(*inputs, predictor=None, **settings):
    lines = []
    config = PredictConfig(inputs=inputs, **settings)
    result = predict_files(config, lines.append, predictor=predictor or Arithmetic())
    return result, lines


def files_below(folder="."):
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file())


def test_folders_in_folders_out_in_millimetres_and_colours(photos):
    result, lines = predict("photos")
    for name, image in photos.items():
        stem = Path("depth") / Path(name).with_suffix("")
        back = read_depth(f"{stem}-depth.png", units_per_metre=1000)
        assert np.abs(back - depth_of(image)).max() <= 0.0005 + 1e-6  # half a millimetre, float32 at 10 m
        colors = read_image(f"{stem}-color.png")
        np.testing.assert_array_equal(colors[:, :60], Coloring(0.1, 10.0).paint(depth_of(image)))
        assert colors.shape[1] > 60  # the scale bar
    assert sorted(map(str, result.written)) == [f"depth/{name}" for name in files_below("depth")]
    assert len(result.written) == 10
    assert result.failed == {}
    assert lines[0] == "arithmetic: answers 0.1 to 10 m, sees pictures at 64x48"
    assert lines[1] == "Colours: 0.1 to 10 m, plasma_r"
    assert lines[-1].startswith("5 pictures in ")
    assert "10 files written" in lines[-1]


def test_every_format_holds_the_same_metres(photos):
    pytest.importorskip("OpenEXR")
    predict("photos/b.png", formats=("npy", "pfm", "exr", "png16", "side-by-side"), output="out")
    expected = depth_of(photos["b.png"])
    for suffix in ("npy", "pfm", "exr"):
        np.testing.assert_array_equal(read_depth(f"out/b-depth.{suffix}", units_per_metre=1), expected)
    pair = read_image("out/b-side-by-side.png")
    np.testing.assert_array_equal(pair[:, :60], photos["b.png"])
    np.testing.assert_array_equal(pair[:, 60:120], Coloring(0.1, 10.0).paint(expected))
    assert files_below("out") == [f"b-{end}" for end in ("depth.exr", "depth.npy", "depth.pfm", "depth.png")] + [
        "b-side-by-side.png"
    ]


def test_range_and_colour_map(photos):
    _, lines = predict("photos/a.png", formats=("color",), range=(1, 3), colormap="turbo")
    colors = read_image("depth/a-color.png")[:, :60]
    np.testing.assert_array_equal(colors, Coloring(1, 3, "turbo").paint(depth_of(photos["a.png"])))
    assert "Colours: 1 to 3 m, turbo" in lines


def test_a_bad_picture_is_reported_and_the_others_go_on(photos):
    Path("photos/bad.png").write_bytes(b"no picture")
    Path("photos/empty.jpg").touch()
    Path("photos/cut.png").write_bytes(Path("photos/a.png").read_bytes()[:2000])
    Image.new("RGB", (31, 200)).save("photos/narrow.png")
    frames = [Image.new("RGB", (64, 64), color) for color in ("red", "blue")]
    frames[0].save("photos/moving.webp", save_all=True, append_images=frames[1:])
    result, lines = predict("photos", "photos/a.png")
    reasons = {path.name: reason for path, reason in result.failed.items()}
    assert set(reasons) == {"bad.png", "empty.jpg", "cut.png", "narrow.png", "moving.webp"}
    assert "Not a picture" in reasons["bad.png"]
    assert "Not a picture" in reasons["empty.jpg"]
    assert "cut.png" in reasons["cut.png"]
    assert "at least 32 pixels" in reasons["narrow.png"]
    assert "animation" in reasons["moving.webp"]
    assert len(result.written) == 10
    assert len([line for line in lines if line.startswith("photos/bad.png: Not a picture")]) == 1
    assert "5 pictures failed" in lines[-1]


def test_cmyk_16_bit_alpha_grey_and_turned_pictures(rng):
    Path("photos").mkdir()
    grey = rng.integers(0, 256, (40, 60), dtype=np.uint8)
    Image.fromarray(grey).save("photos/grey.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save("photos/deep.png")
    Image.merge("RGBA", [Image.fromarray(grey)] * 3 + [Image.new("L", (60, 40), 255)]).save("photos/alpha.png")
    Image.merge("RGB", [Image.fromarray(grey)] * 3).convert("CMYK").save("photos/cmyk.tif")
    picture = Image.fromarray(grey)
    exif = picture.getexif()
    exif[0x0112] = 6  # stored turned to the left
    picture.save("photos/turned.png", exif=exif)
    result, _ = predict("photos", formats=("npy",))
    assert result.failed == {}
    expected = depth_of(np.repeat(grey[..., None], 3, axis=-1))
    for name in ("grey", "deep", "alpha", "cmyk"):
        np.testing.assert_array_equal(np.load(f"depth/{name}-depth.npy"), expected, err_msg=name)
    np.testing.assert_array_equal(np.load("depth/turned-depth.npy"), expected[::-1].T)


def test_depth_at_a_pixel_is_said_and_nothing_written(photos):
    result, lines = predict("photos/a.png", "photos/b.png", at=(59, 3))
    for name in ("a.png", "b.png"):
        assert f"photos/{name}: {depth_of(photos[name])[3, 59]:.3f} m at 59 3" in lines
    assert result.written == []
    assert not Path("depth").exists()


def test_depth_at_a_pixel_and_files_where_they_are_asked_for(photos):
    result, _ = predict("photos/a.png", at=(1, 2), output="out")
    assert len(result.written) == 2
    result, _ = predict("photos/a.png", at=(1, 2), formats=("npy",))
    assert list(map(str, result.written)) == ["depth/a-depth.npy"]


def test_a_pixel_outside_of_one_picture(photos):
    Image.new("RGB", (100, 100)).save("photos/large.png")
    result, lines = predict("photos", at=(80, 3))
    assert len(result.failed) == 5
    assert "60x40 (width x height). Received: at=80 3" in result.failed[Path("photos/a.png")]
    assert "photos/large.png: 0.100 m at 80 3" in lines


def test_nothing_is_written_over(photos):
    predict("photos/a.png", formats=("npy",))
    before = Path("depth/a-depth.npy").read_bytes()
    Image.new("RGB", (60, 40)).save("photos/a.png")
    with pytest.raises(FileExistsError, match="--overwrite"):
        predict("photos", formats=("npy",))
    assert Path("depth/a-depth.npy").read_bytes() == before
    assert files_below("depth") == ["a-depth.npy"]
    predict("photos", formats=("npy",), overwrite=True)
    assert Path("depth/a-depth.npy").read_bytes() != before


def test_network_of_open_size_gets_pictures_of_one_size_together(rng):
    Path("photos").mkdir()
    for number in range(12):
        size = ((40, 60), (48, 40), (33, 90))[number % 3]
        Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(f"photos/{number}.png")
    Path("photos/bad.png").touch()
    predictor = Arithmetic((None, None))
    result, lines = predict("photos", predictor=predictor, formats=("npy",))
    assert [predictor.seen[i : i + 4] for i in (0, 4, 8)] == [[(33, 90)] * 4, [(40, 60)] * 4, [(48, 40)] * 4]
    for number in range(12):
        image = read_image(f"photos/{number}.png")
        np.testing.assert_array_equal(np.load(f"depth/{number}-depth.npy"), depth_of(image))
    assert len(result.failed) == 1
    assert "as they are" in lines[0]


def test_a_file_that_cannot_be_written_fails_alone(photos, monkeypatch):
    real = os.replace

    def refuse(side, path):
        if Path(path).name == "b-depth.npy":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        real(side, path)

    monkeypatch.setattr(os, "replace", refuse)
    result, lines = predict("photos", formats=("npy",))
    assert list(map(str, result.failed)) == ["photos/b.png"]
    assert any(line.startswith("photos/b.png: ") and "Permission denied" in line for line in lines)
    assert files_below("depth") == ["a-depth.npy", "c-depth.npy", "day/a-depth.npy", "day/d-depth.npy"]


def test_what_was_written_of_a_picture_before_it_failed_is_counted(photos):
    """A cloud without a point fails behind a depth map that is good: the file is there, and must be known of."""
    noise = np.indices((40, 60)).sum(axis=0) % 2 * 255  # a step at every pixel
    Image.fromarray(noise.astype(np.uint8)).save("photos/a.png")
    result, lines = predict("photos/a.png", formats=("npy", "color", "ply"))
    assert "No point is left" in result.failed[Path("photos/a.png")]
    assert sorted(map(str, result.written)) == ["depth/a-color.png", "depth/a-depth.npy"]
    assert files_below("depth") == ["a-color.png", "a-depth.npy"]
    assert "2 files written to depth; 1 picture failed, see above" in lines[-1]


def test_the_last_line_says_where_the_files_are(photos):
    assert "; 1 file written to depth" in predict("photos/a.png", formats=("npy",))[1][-1]
    assert "; 2 files written to my out/new" in predict("photos/a.png", output="my out/new")[1][-1]
    assert "written" not in predict("photos/a.png", at=(1, 2))[1][-1]


def test_a_full_disk_ends_it_and_leaves_nothing_half_written(photos, monkeypatch):
    real, done = os.replace, []

    def fill_up(side, path):
        if len(done) == 2:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        done.append(path)
        real(side, path)

    monkeypatch.setattr(os, "replace", fill_up)
    with pytest.raises(OSError, match=r"No space left.*written before is whole"):
        predict("photos", formats=("npy",))
    assert len(files_below("depth")) == 2
    for name in files_below("depth"):
        assert np.load(Path("depth") / name).shape == (40, 60)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_no_half_file(photos, number, monkeypatch):
    real = os.replace

    def stop(side, path):
        if Path(path).name == "b-depth.npy":
            os.kill(os.getpid(), number)  # between a file's writing and its renaming
        real(side, path)

    monkeypatch.setattr(os, "replace", stop)
    with pytest.raises(KeyboardInterrupt, match=signal.Signals(number).name):
        predict("photos", formats=("npy",))
    assert not [name for name in files_below("depth") if ".partial" in name]
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_an_interruption_leaves_whole_files(photos):
    with pytest.raises(KeyboardInterrupt):
        predict("photos", formats=("npy", "color"), predictor=Arithmetic(fails_at=4))
    for name in files_below("depth"):
        assert not Path(name).name.startswith(".partial")
        array = np.load(f"depth/{name}") if name.endswith(".npy") else read_image(f"depth/{name}")
        assert array.shape[0] == 40


def test_few_pictures_are_in_memory(photos, monkeypatch):
    """However far the network falls behind."""
    loaded, answered = [], []
    real = reading.read_image
    monkeypatch.setattr(reading, "read_image", lambda path: loaded.append(path) or real(path))
    for number in range(60):
        Image.new("RGB", (64, 64), (number, 0, 0)).save(f"photos/{number}.png")

    class Slow(Arithmetic):
        def iterate(self, images):
            for depth in super().iterate(images):
                assert len(loaded) - len(answered) <= 2 * 2 + 2  # twice a batch; the one in hand, the one coming
                answered.append(depth[0, 0])
                yield depth

    predict("photos", predictor=Slow(), formats=("npy",), batch_size=2)
    assert len(answered) == 65


def test_few_answers_wait_to_be_written(photos, monkeypatch):
    monkeypatch.setattr(writing, "PIXELS_AHEAD", 3 * 40 * 60)
    begun = []
    real = writing.Writer.write

    def write(self, job, *rest):
        begun.append(job)
        return real(self, job, *rest)

    monkeypatch.setattr(writing.Writer, "write", write)
    result, _ = predict("photos", formats=("npy",))
    assert len(begun) == 5
    assert len(result.written) == 5


def test_what_is_known_to_be_wrong_is_said_before_a_network_is_asked(photos):
    Path("camera.json").write_text("[]")

    class Never:
        def __getattr__(self, name):
            raise AssertionError("the network was asked")

    for settings, error in (
        ({"colormap": "plazma"}, ValueError),
        ({"output": "photos/depth"}, ValueError),
        ({"output": "camera.json"}, OSError),
        ({"formats": ("ply",), "intrinsics": "nowhere.json"}, FileNotFoundError),
        ({"formats": ("ply",), "intrinsics": "camera.json"}, ValueError),
    ):
        with pytest.raises(error, match="Received"):
            predict("photos", predictor=Never(), **settings)


def test_a_model_without_a_range_needs_one_for_colours(photos):
    predictor = Arithmetic()
    predictor.min_depth, predictor.max_depth = 0.0, float("inf")
    with pytest.raises(ValueError, match="--range NEAR FAR"):
        predict("photos", predictor=predictor)
    result, lines = predict("photos", predictor=predictor, formats=("png16",))
    assert len(result.written) == 5
    assert any("65.535 m" in line for line in lines)
    assert len(predict("photos", predictor=predictor, range=(0, 5), overwrite=True)[0].written) == 10


def test_point_clouds_say_their_camera_once(photos):
    pytest.importorskip("trimesh")
    numbers = {"fx": 50, "fy": 50, "cx": 29.5, "cy": 19.5, "width": 60, "height": 40}
    Path("camera.json").write_text(json.dumps(numbers))
    for name in photos:  # nothing to cut
        Image.new("RGB", (60, 40), (100, 50, 25)).save(Path("photos") / name)
    _, lines = predict("photos", formats=("ply",), intrinsics="camera.json", max_points=100)
    assert len([line for line in lines if line.startswith("Camera of the point clouds: ")]) == 1
    assert any("camera.json" in line for line in lines)
    import trimesh

    assert trimesh.load("depth/day/a.ply").vertices.shape == (100, 3)
    assert files_below("depth") == ["a.ply", "b.ply", "c.ply", "day/a.ply", "day/d.ply"]


def test_no_bar_where_stderr_is_no_terminal(photos, capfd):
    predict("photos", formats=("npy",))
    assert capfd.readouterr().err == ""


def test_a_bar_with_an_eta_on_a_terminal(photos, capfd, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    predict("photos", formats=("npy",))
    bar = capfd.readouterr().err
    assert "5/5" in bar
    assert "picture/s" in bar
    assert "<" in bar  # time spent < time left
