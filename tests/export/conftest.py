"""Small networks in files, exported once each for several tests."""

import keras
import numpy as np
import pytest
from PIL import Image

from densedepth_keras.models import build_model


@pytest.fixture(scope="session")
def open_network(small_model, tmp_path_factory):
    """The `.keras` file of a network that takes any size; its answers spread over metres."""
    path = tmp_path_factory.mktemp("open") / "net.keras"
    small_model.save(path)
    return path


@pytest.fixture(scope="session")
def fixed_run(small_model, tmp_path_factory):
    """A run folder with the same network at 64x96."""
    folder = tmp_path_factory.mktemp("runs") / "fixed"
    folder.mkdir()
    model = build_model("mobilenet_v2", weights=None, decoder_filters=16, image_size=(64, 96))
    model.set_weights(small_model.get_weights())
    model.save(folder / "model.keras")
    return folder


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    """Four pictures of patches, and a depth map beside them."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for number in range(4):
        patches = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(patches).resize((160, 120), Image.Resampling.BICUBIC).save(folder / f"{number}.png")
    Image.fromarray(np.full((120, 160), 2000, np.uint16)).save(folder / "0-depth.png")
    return folder


@pytest.fixture(scope="session")
def model_at():
    """Saves a small U-Net whose answers spread over metres."""

    def save(path, **arguments):
        keras.utils.set_random_seed(0)
        model = build_model(architecture="unet", base_filters=2, **arguments)
        head = model.get_layer("depth_reciprocal")
        kernel, bias = head.get_weights()
        head.set_weights([5 * kernel, bias])
        model.save(path)
        return path

    return save
