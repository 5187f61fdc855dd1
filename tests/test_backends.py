"""The same models (from weights and from .keras files), loss and metrics on TensorFlow, JAX and PyTorch."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from densedepth_keras.models import build_model

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = """
import pathlib, sys
import numpy as np, keras
from densedepth_keras.losses import DepthLoss, depth_loss_terms
from densedepth_keras.metrics.streaming import RMSE, AbsRel, Delta1
from densedepth_keras.models import build_model
from densedepth_keras.prediction import predict_depth

folder, out = sys.argv[1:]
given = np.load(f"{folder}/given.npz")
model = build_model("mobilenet_v2", weights=None, decoder_filters=16)
model.load_weights(f"{folder}/model.weights.h5")
depth = model.predict_on_batch(given["image"])
values = {"depth": depth, "resized": predict_depth(model, given["image"][0])}
values["loss"] = float(DepthLoss()(given["true"], given["pred"]))
values["terms"] = np.stack([keras.ops.convert_to_numpy(t) for t in depth_loss_terms(given["true"], given["pred"])])
for file in sorted(pathlib.Path(folder).glob("*.keras")):
    whole = keras.saving.load_model(file, safe_mode=True)
    outputs = whole.predict_on_batch(given["image"])  # compiled as one: JAX would compile op by op
    for name, output in (outputs if isinstance(outputs, dict) else {"depth": outputs}).items():
        values[f"{file.stem}_{name}"] = keras.ops.convert_to_numpy(output)
trained = build_model(architecture="unet", base_filters=2, deep_supervision=1, companion_weight=0.5, batch_norm=True)
trained.load_weights(f"{folder}/trained.weights.h5")
trained.compile(keras.optimizers.SGD(0.01), loss=DepthLoss(), metrics=[RMSE()])
for _ in range(2):
    logged = trained.train_on_batch(given["image"][:, :32, :32], given["whole"], return_dict=True)
values.update({f"trained_{name}": float(value) for name, value in logged.items()})
for metric in (RMSE(), AbsRel(), Delta1()):
    metric.update_state(given["true"], given["pred"])
    values[metric.name] = float(metric.result())
np.savez(out, backend=keras.backend.backend(), **values)
"""


def _values(backend, folder):
    out = folder / f"{backend}.npz"
    environment = {**os.environ, "KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", SCRIPT, str(folder), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(np.load(out))


SAVED = {
    "supervised": {
        "encoder": "mobilenet_v3_small",
        "decoder": "separable",
        "decoder_filters": 16,
        "upsampling": "transpose",
        "batch_norm": True,
        "dropout": 0.1,
        "deep_supervision": 2,
        "full_resolution": True,
        "weights": None,
    },
    "unet": {"architecture": "unet", "base_filters": 4, "upsampling": "bilinear", "deep_supervision": 1},
}
"""Saved under TensorFlow: between them every layer of this package."""


@pytest.fixture(scope="module")
def tensorflow_values(tmp_path_factory, small_model):
    folder = tmp_path_factory.mktemp("backends")
    rng = np.random.default_rng(0)
    true = rng.uniform(0.3, 9.5, (2, 24, 30, 1)).astype("float32")
    true[rng.random(true.shape) < 0.2] = 0
    pred = rng.uniform(0.3, 9.5, true.shape).astype("float32")
    np.savez(
        folder / "given.npz",
        image=rng.integers(0, 256, (2, 50, 67, 3), dtype=np.uint8),
        true=true,
        pred=pred,
        whole=true.repeat(2, 1).repeat(2, 2)[:, :32, :32],
    )
    trained = build_model(architecture="unet", base_filters=2, deep_supervision=1, batch_norm=True)
    trained.save_weights(folder / "trained.weights.h5")
    small_model.save_weights(folder / "model.weights.h5")
    for name, arguments in SAVED.items():
        keras.utils.set_random_seed(0)
        build_model(**arguments).save(folder / f"{name}.keras")
    return folder, _values("tensorflow", folder)


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_backend_gives_the_tensorflow_values(backend, tensorflow_values):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed (a CPU build: pip install {backend}); its parity is NOT checked here")
    folder, expected = tensorflow_values
    values = _values(backend, folder)
    assert values.pop("backend") == backend
    for name, value in values.items():
        # the bound; metres, a loss and shares are all of order 1..10
        np.testing.assert_allclose(value, expected[name], rtol=1e-4, atol=1e-4, err_msg=name)
