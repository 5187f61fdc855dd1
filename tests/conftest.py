"""What several tests share: real data where it is at hand, and small models."""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import pytest
from PIL import Image

SHARED = Path(os.environ.get("DENSEDEPTH_TEST_DATA", Path(__file__).resolve().parents[2] / "shared"))
"""Real NYU frames and MobileNetV2 weights; never part of the repository."""

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


def write_pairs(folder, split, count, *, size=(48, 64), seed=0, unit=0.001):
    """Writes `count` image/depth pairs and `<split>.csv`; returns the depths in metres."""
    rng = np.random.default_rng(seed)
    (folder / split).mkdir(parents=True)
    rows, depths = ["image,depth"], []
    for i in range(count):
        image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
        depth = np.round(rng.uniform(0.6, 9.5, size) / unit).astype(np.uint16)
        Image.fromarray(image).save(folder / split / f"{i}.png")
        Image.fromarray(depth).save(folder / split / f"{i}_depth.png")
        rows.append(f"{split}/{i}.png,{split}/{i}_depth.png")
        depths.append(depth * unit)
    (folder / f"{split}.csv").write_text("\n".join(rows) + "\n")
    return depths


@pytest.fixture
def own_data(tmp_path):
    """A small own-data folder in millimetres: 6 training, 3 validation, 3 test pairs of 48x64."""
    folder = tmp_path / "data"
    for seed, (split, count) in enumerate((("train", 6), ("validation", 3), ("test", 3))):
        write_pairs(folder, split, count, seed=seed)
    return folder
