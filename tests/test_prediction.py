"""predict_depth, load_model."""

import numpy as np
import pytest
from PIL import Image

from densedepth_keras.models import build_model
from densedepth_keras.prediction import depth_range, load_model, predict_depth


@pytest.fixture(scope="module")
def fixed_model():
    return build_model("mobilenet_v2", weights=None, decoder_filters=16, image_size=(64, 80), max_depth=5.0)


def test_one_image_and_lists_of_any_sizes(small_model, rng, tmp_path):
    arrays = [rng.integers(0, 256, (h, w, 3), dtype=np.uint8) for h, w in ((64, 64), (64, 64), (33, 50), (64, 64))]
    Image.fromarray(arrays[2]).save(tmp_path / "a.png")
    given = [arrays[0], Image.fromarray(arrays[1]), tmp_path / "a.png", arrays[3].astype("float64")]
    depths = predict_depth(small_model, given, batch_size=2)
    for array, depth in zip(arrays, depths, strict=True):
        assert depth.shape == array.shape[:2]
        assert depth.dtype == np.float32
        # a batch of two sums in another order than one
        np.testing.assert_allclose(depth, predict_depth(small_model, array), rtol=1e-4)


def test_metres_are_the_network_s_brought_to_size(small_model, rng):
    from keras import ops

    image = rng.integers(0, 256, (64, 96, 3), dtype=np.uint8)
    inside = ops.image.resize(small_model(image[None]), (64, 96), interpolation="bilinear")[0, ..., 0]
    np.testing.assert_allclose(predict_depth(small_model, image), np.clip(inside, 0.1, 10), rtol=1e-4)


def test_fixed_size_model_takes_any_image_and_clips_to_its_range(fixed_model, rng):
    depth = predict_depth(fixed_model, rng.integers(0, 256, (100, 150, 3), dtype=np.uint8))
    assert depth.shape == (100, 150)
    assert 0.1 <= depth.min() <= depth.max() <= 5.0
    assert depth_range(fixed_model) == (0.1, 5.0)


def test_array_batch_is_a_list(small_model, rng):
    assert len(predict_depth(small_model, rng.integers(0, 256, (3, 40, 40, 3), dtype=np.uint8))) == 3


def test_flip_average_is_symmetric(small_model, rng):
    image = rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)
    depth = predict_depth(small_model, image, flip_average=True)
    mirrored = predict_depth(small_model, image[:, ::-1], flip_average=True)
    np.testing.assert_allclose(depth, mirrored[:, ::-1], rtol=1e-4)
    assert np.abs(depth - predict_depth(small_model, image)).max() > 1e-3


def test_picture_turned_by_exif_is_upright(small_model, rng, tmp_path):
    picture = Image.fromarray(rng.integers(0, 256, (40, 60, 3), dtype=np.uint8))
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.save(tmp_path / "turned.png", exif=exif)
    assert predict_depth(small_model, tmp_path / "turned.png").shape == (60, 40)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((31, 64, 3), np.uint8), "64x31"),
        (np.zeros((64, 64), np.uint8), r"shape=\(64, 64\)"),
        (np.zeros((64, 64, 4), np.uint8), r"shape=\(64, 64, 4\)"),
        (np.full((64, 64, 3), 0.5), "multiplied by 255"),
        (np.full((64, 64, 3), 300), "from 300 to 300"),
        (np.full((64, 64, 3), np.nan), "from nan"),
        (np.full((64, 64, 3), "a"), "dtype=<U1"),
    ],
)
def test_what_is_no_image(small_model, image, message):
    with pytest.raises(ValueError, match=message):
        predict_depth(small_model, image)


def test_missing_and_broken_picture(small_model, tmp_path):
    with pytest.raises(FileNotFoundError):
        predict_depth(small_model, tmp_path / "nowhere.png")
    (tmp_path / "bad.png").write_text("hello")
    with pytest.raises(ValueError, match="Not a picture"):
        predict_depth(small_model, str(tmp_path / "bad.png"))


def test_load_model_round_trip(fixed_model, tmp_path, rng):
    fixed_model.save(tmp_path / "model.keras")
    image = rng.integers(0, 256, (64, 80, 3), dtype=np.uint8)
    expected = predict_depth(fixed_model, image)
    for path in (tmp_path, tmp_path / "model.keras"):
        np.testing.assert_allclose(predict_depth(load_model(path), image), expected, rtol=1e-5)


def test_checkpoints_that_are_none(tmp_path):
    import keras

    with pytest.raises(FileNotFoundError, match="No model there"):
        load_model(tmp_path)
    path = tmp_path / "x.keras"
    path.write_bytes(b"PK hello")
    with pytest.raises(ValueError, match=r"not a model that Keras can load.*x\.keras"):
        load_model(path)
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save(path)
    with pytest.raises(ValueError, match="Not a depth model"):
        load_model(path)
