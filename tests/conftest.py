"""What several tests share: real data where it is at hand, and small models."""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import pytest
from pair_folders import SHARED, write_pairs

MODELS = Path(__file__).resolve().parent / "models"


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_xdist_auto_num_workers(config):
    """Two processes for the models' tests alone, most of whose time one core spends building graphs; else none.

    `--dist worksteal` (setup.cfg) hands out long runs of tests in order: a costly fixture is made once or twice.
    """
    chosen = [Path(argument.split("::")[0]).resolve() for argument in config.args]
    return 2 if chosen == [MODELS] else 0


@pytest.fixture(scope="session")
def nyu_folder():
    folder = SHARED / "nyu_depth_v2"
    if not folder.is_dir():
        pytest.skip(f"real NYU frames are not at hand: {folder} (set DENSEDEPTH_TEST_DATA)")
    return folder


@pytest.fixture(scope="session")
def mobilenet_weights():
    files = sorted((SHARED / "weights").glob("mobilenet_v2*no_top.h5"))
    if not files:
        pytest.skip(f"real MobileNetV2 weights are not at hand: {SHARED / 'weights'} (set DENSEDEPTH_TEST_DATA)")
    return files[0]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def small_model():
    """The smallest network with every part; open image size; untrained, but its answers spread over metres."""
    import keras

    from densedepth_keras.models import build_model
    from densedepth_keras.models.encoders import calibrate_batch_norm

    keras.utils.set_random_seed(0)
    model = build_model("mobilenet_v2", weights=None, decoder_filters=16)
    calibrate_batch_norm(model, np.random.default_rng(0).integers(0, 256, (8, 64, 64, 3), dtype=np.uint8))
    head = model.get_layer("depth_reciprocal")
    kernel, bias = head.get_weights()
    head.set_weights([30 * kernel, bias])
    return model


@pytest.fixture
def own_data(tmp_path):
    """A small own-data folder in millimetres: 6 training, 3 validation, 3 test pairs of 48x64."""
    folder = tmp_path / "data"
    for seed, (split, count) in enumerate((("train", 6), ("validation", 3), ("test", 3))):
        write_pairs(folder, split, count, seed=seed)
    return folder
