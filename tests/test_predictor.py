"""DepthPredictor: one picture, streams, threads, tiles."""

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
from PIL import Image

from densedepth_keras import prediction
from densedepth_keras.models import build_model
from densedepth_keras.prediction import predict_depth
from densedepth_keras.predictor import DepthPredictor

SAME_NUMBERS = {"rtol": 1e-4}  # batches of another size are summed in another order


@pytest.fixture(scope="module")
def fixed_model(small_model):
    """The same network at one size, as a trained one has it."""
    model = build_model("mobilenet_v2", weights=None, decoder_filters=16, image_size=(64, 80), max_depth=10.0)
    model.set_weights(small_model.get_weights())
    return model


@pytest.fixture
def images(rng):
    sizes = [(64, 80), (64, 80), (64, 80), (40, 50), (100, 90), (64, 80), (64, 80)]
    return [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]


@pytest.fixture
def batches(monkeypatch):
    """Batches go through the network as they do on a GPU; the list of their shapes."""
    shapes, real = [], keras.Model.predict_on_batch

    def predict_on_batch(self, inputs):
        shapes.append(inputs.shape)
        return real(self, inputs)

    monkeypatch.setattr(prediction, "_on_cpu", lambda: False)
    monkeypatch.setattr(keras.Model, "predict_on_batch", predict_on_batch)
    return shapes


@pytest.mark.usefixtures("batches")
@pytest.mark.parametrize("batch_size", [1, 2, 3, 8])
def test_a_stream_is_in_order_and_says_what_predict_depth_says(fixed_model, images, batch_size):
    predictor = DepthPredictor(fixed_model, batch_size=batch_size)
    for image, depth in zip(images, predictor.iterate(iter(images)), strict=True):
        assert depth.dtype == np.float32
        assert depth.shape == image.shape[:2]
        np.testing.assert_allclose(depth, predict_depth(fixed_model, image), **SAME_NUMBERS)


@pytest.mark.parametrize("batch_size", [1, 3, 8])
def test_on_a_cpu_an_answer_is_the_same_to_the_bit_in_whatever_batch(fixed_model, images, batch_size, monkeypatch):
    monkeypatch.setattr(prediction, "_on_cpu", lambda: True)
    predictor = DepthPredictor(fixed_model, batch_size=batch_size)
    for image, depth in zip(images, predictor.iterate(images), strict=True):
        np.testing.assert_array_equal(depth, predict_depth(fixed_model, image))
        np.testing.assert_array_equal(depth, predictor.predict(image))


def test_same_batches_same_bits(fixed_model, images, batches):
    depths = list(DepthPredictor(fixed_model, batch_size=4).iterate(images))
    for depth, other in zip(depths, predict_depth(fixed_model, images, batch_size=4), strict=True):
        np.testing.assert_array_equal(depth, other)
    assert {len(shape) for shape in batches} == {4}


def test_few_shapes_reach_the_network(fixed_model, images, batches):
    """Each is compiled: batches are filled up to a power of two, or to the largest batch."""
    for count in (1, 2, 3, 5, 6, 7):
        assert len(list(DepthPredictor(fixed_model, batch_size=6).iterate(images[:count]))) == count
    assert {shape[0] for shape in batches} == {1, 2, 4, 6}
    assert [shape[0] for shape in batches[-2:]] == [6, 1]


def test_batches_end_early_where_images_are_large(fixed_model, batches, monkeypatch):
    monkeypatch.setattr("densedepth_keras.predictor.BATCH_PIXELS", 2 * 64 * 80)
    images = [np.zeros((64, 80, 3), np.uint8)] * 4 + [np.zeros((640, 80, 3), np.uint8)] * 2
    list(DepthPredictor(fixed_model, batch_size=8).iterate(images))
    assert [shape[0] for shape in batches] == [2, 2, 1, 1]


def test_network_of_open_size_sees_every_image_as_it_is(small_model, images):
    predictor = DepthPredictor(small_model, batch_size=2)
    assert predictor.network_size == (None, None)
    for image, depth in zip(images, predictor.iterate(images), strict=True):
        np.testing.assert_allclose(depth, predict_depth(small_model, image), **SAME_NUMBERS)


def test_what_predict_takes(fixed_model, images, tmp_path):
    predictor = DepthPredictor(fixed_model)
    Image.fromarray(images[4]).save(tmp_path / "a.png")
    expected = predict_depth(fixed_model, images[4])
    for given in (images[4], Image.fromarray(images[4]), tmp_path / "a.png", str(tmp_path / "a.png")):
        np.testing.assert_array_equal(predictor.predict(given), expected)
    with pytest.raises(ValueError, match="shape="):
        predictor.predict(images[4][..., 0])


def test_from_a_run_folder_with_its_range(fixed_model, images, tmp_path):
    fixed_model.save(tmp_path / "model.keras")
    predictor = DepthPredictor(tmp_path)
    assert (predictor.min_depth, predictor.max_depth, predictor.network_size) == (0.1, 10.0, (64, 80))
    assert predictor.name == str(tmp_path)
    np.testing.assert_allclose(predictor.predict(images[0]), predict_depth(fixed_model, images[0]), rtol=1e-5)


def test_several_threads_get_what_each_would_get_alone(fixed_model, images):
    predictor = DepthPredictor(fixed_model, batch_size=2)
    alone = [predictor.predict(image) for image in images]
    barrier = threading.Barrier(4)

    def ask(number):
        barrier.wait()
        if number % 2:
            return [predictor.predict(image) for image in images]
        return list(predictor.iterate(images))

    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(ask, range(4)))
    for answer in answers:
        for depth, expected in zip(answer, alone, strict=True):
            np.testing.assert_allclose(depth, expected, **SAME_NUMBERS)


def test_flip_average(fixed_model, images):
    depth = DepthPredictor(fixed_model, flip_average=True).predict(images[0])
    np.testing.assert_array_equal(depth, predict_depth(fixed_model, images[0], flip_average=True))
    assert np.abs(depth - predict_depth(fixed_model, images[0])).max() > 1e-3


def test_few_images_are_in_memory_at_a_time(fixed_model, images):
    drawn = []

    def stream():
        for number in range(40):
            drawn.append(number)
            yield images[0]

    for done, _ in enumerate(DepthPredictor(fixed_model, batch_size=4).iterate(stream())):
        assert len(drawn) - done <= 3 * 4


def test_an_error_of_the_stream_is_the_caller_s_and_ends_the_threads(fixed_model, images):
    before = threading.active_count()

    def stream():
        yield images[0]
        raise OSError("the camera has gone")

    with pytest.raises(OSError, match="the camera"):
        list(DepthPredictor(fixed_model).iterate(stream()))
    depths = DepthPredictor(fixed_model, batch_size=1).iterate(images)
    next(depths)
    depths.close()
    assert threading.active_count() == before


def test_an_error_of_the_network_is_the_caller_s(fixed_model, images, monkeypatch):
    def out_of_memory(self, inputs):
        raise MemoryError("of the GPU")

    monkeypatch.setattr(keras.Model, "predict_on_batch", out_of_memory)
    with pytest.raises(MemoryError, match="of the GPU"):
        list(DepthPredictor(fixed_model).iterate(images))


def test_what_is_refused(fixed_model, small_model, tmp_path):
    with pytest.raises(ValueError, match="batch_size=0"):
        DepthPredictor(fixed_model, batch_size=0)
    with pytest.raises(ValueError, match="tile=True"):
        DepthPredictor(small_model, tile=True)
    with pytest.raises(FileNotFoundError, match="No model there"):
        DepthPredictor(tmp_path)


def test_tiles_of_larger_images_only(fixed_model, images, rng):
    predictor, plain = (DepthPredictor(fixed_model, batch_size=3, tile=tile) for tile in (True, False))
    large = rng.integers(0, 256, (150, 170, 3), dtype=np.uint8)
    np.testing.assert_array_equal(predictor.predict(images[3]), plain.predict(images[3]))
    tiled = predictor.predict(large)
    assert tiled.shape == (150, 170)
    assert tiled.min() >= 0.1
    assert tiled.max() <= 10
    assert np.abs(tiled - plain.predict(large)).max() > 0.01
    streamed = list(predictor.iterate([images[0], large, images[0], images[3]]))
    np.testing.assert_array_equal(streamed[1], tiled)
    np.testing.assert_allclose(streamed[3], plain.predict(images[3]), **SAME_NUMBERS)


@pytest.mark.parametrize("batch_size", [1, 8])
def test_ctrl_c_does_not_wait_for_the_rest_of_a_tiled_picture(fixed_model, monkeypatch, batch_size):
    """Of 8192x8192 pixels there are thousands of tiles."""
    answered = []
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs begin by ignoring it

    def predict_on_batch(self, inputs):
        answered.append(len(inputs))
        if len(answered) == 20:
            os.kill(os.getpid(), signal.SIGINT)
        return np.ones((len(inputs), 32, 40, 1), np.float32)

    monkeypatch.setattr(keras.Model, "predict_on_batch", predict_on_batch)
    large = np.zeros((2000, 2400, 3), np.uint8)  # 1681 tiles
    try:
        with pytest.raises(KeyboardInterrupt):
            list(DepthPredictor(fixed_model, batch_size=batch_size, tile=True).iterate([large, large]))
    finally:
        signal.signal(signal.SIGINT, before)
    assert sum(answered) < 1000
