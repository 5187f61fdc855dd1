"""`densedepth predict` as it is typed: right after training, and its exit statuses."""

import numpy as np
import pytest
from PIL import Image

from densedepth_keras import cli
from densedepth_keras.data.files import read_depth
from densedepth_keras.predictor import DepthPredictor

TRAIN = "train --dataset rooms --limit 4 --image-size 32 32 --epochs 1 --batch-size 4 --architecture unet"


@pytest.fixture
def photo(tmp_path, monkeypatch, rng):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(rng.integers(0, 256, (90, 120, 3), dtype=np.uint8)).save("photo.jpg")
    return tmp_path / "photo.jpg"


def below(folder):
    return sorted(path.name for path in folder.iterdir())


def test_right_after_training_a_photo_is_all_it_takes(photo, small_model, capsys):
    """An older run lies there as well; the new one is used, and named."""
    older = photo.parent / "runs" / "zz-older"
    older.mkdir(parents=True)
    small_model.save(older / "model.keras")
    assert cli.main(TRAIN.split()) == 0
    (run,) = set(older.parent.iterdir()) - {older}
    capsys.readouterr()
    assert cli.main(["predict", "photo.jpg"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"Newest run: runs/{run.name}"
    assert lines[1] == f"runs/{run.name}: answers 0.1 to 10 m, sees pictures at 32x32"
    assert lines[-1].endswith("2 files written to depth")
    assert below(photo.parent / "depth") == ["photo-color.png", "photo-depth.png"]
    expected = DepthPredictor(run).predict(photo)
    stored = read_depth("depth/photo-depth.png", units_per_metre=1000)
    assert np.abs(stored - expected).max() <= 0.0005 + 1e-6  # half a millimetre, float32 at 10 m


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ("photo.jpg --checkpoint model.keras", 0, "1 picture in "),
        ("photo.jpg broken.png --checkpoint model.keras", 1, "broken.png: Not a picture"),
        ("photo.jpg", 2, "No run below 'runs' yet: train one"),
        ("https://example.org/photo.jpg --checkpoint model.keras", 2, "A URL is no file"),
        ("photo.jpg --checkpoint photo.jpg", 2, "not a model that Keras can load"),
        ("photo.jpg --checkpoint model.keras --output photo.jpg/x", 2, "photo.jpg is no folder"),
        ("photo.jpg --formats png17", 2, "Did you mean 'png16'?"),
        ("--video photo.jpg --checkpoint model.keras", 2, "give it without --video"),
        ("--camera 97 --checkpoint model.keras", 2, "There is no camera /dev/video97"),
    ],
)
def test_exit_status_and_one_line(photo, small_model, capsys, words, status, said):
    small_model.save("model.keras")
    (photo.parent / "broken.png").write_bytes(b"no picture")
    assert cli.main(["predict", *words.split()]) == status
    out, err = capsys.readouterr()
    assert said in (err if status == 2 else out)
    assert err.startswith("densedepth: error: ") == (status == 2)
    assert err.count("\n") == (status == 2)
    if status == 2:
        assert below(photo.parent) == ["broken.png", "model.keras", "photo.jpg"]
    else:
        assert below(photo.parent / "depth") == ["photo-color.png", "photo-depth.png"]
