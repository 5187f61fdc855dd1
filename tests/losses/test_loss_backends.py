"""Values and slopes of every loss on JAX and PyTorch: TensorFlow alone forgives a square root of 0."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from depth_maps import punch, smooth_pair, value_and_slope

from densedepth_keras.losses import LOSSES

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import sys
import keras
import numpy as np
from densedepth_keras.losses import LOSSES

def value_and_slope(loss, true, pred):
    if keras.backend.backend() == "jax":
        import jax
        value, slope = jax.jit(jax.value_and_grad(lambda y: loss(true, y)))(pred)
        return float(value), np.asarray(slope)
    import torch
    pred = torch.tensor(pred, requires_grad=True)
    value = loss(true, pred)
    value.backward()
    return value.item(), pred.grad.numpy()

folder, out = sys.argv[1:]
given, found = np.load(f"{folder}/given.npz"), {}
for name in LOSSES:
    for case in ("pred", "perfect"):
        value, slope = value_and_slope(LOSSES[name](), given["true"], given[case])
        found |= {f"{name} {case} value": value, f"{name} {case} slope": slope}
np.savez(out, backend=keras.backend.backend(), **found)
"""


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """A folder with a truth of three images, one of them empty; a prediction, NaN in the holes; and the truth again."""
    rng = np.random.default_rng(0)
    true, pred = smooth_pair(rng, 3)
    true, holes = punch(true, rng)
    true[1], holes[1] = 0, True
    maps = {"true": true, "pred": np.where(holes, np.nan, pred), "perfect": np.where(holes, 1, true)}
    folder = tmp_path_factory.mktemp("losses")
    np.savez(folder / "given.npz", holes=holes, **{name: each.astype("float32") for name, each in maps.items()})
    return folder


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_backend_gives_the_tensorflow_values_and_slopes(backend, given):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed (a CPU build: pip install {backend}); its slopes are NOT checked here")
    out = given / f"{backend}.npz"
    environment = {**os.environ, "KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", SCRIPT, str(given), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=given, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    maps, found = np.load(given / "given.npz"), np.load(out)
    assert found["backend"] == backend
    for name in LOSSES:
        value, slope = value_and_slope(LOSSES[name](), maps["true"], maps["pred"])
        assert float(found[f"{name} pred value"]) == pytest.approx(value, rel=1e-5), name  # sums in another order
        tolerance = 1e-4 * np.abs(slope).max()  # SSIM's float32 moments
        np.testing.assert_allclose(found[f"{name} pred slope"], slope, atol=tolerance, err_msg=name)
        assert float(found[f"{name} perfect value"]) == pytest.approx(0, abs=1e-6), name
        assert np.isfinite(found[f"{name} perfect slope"]).all(), name
        assert (found[f"{name} perfect slope"][maps["holes"]] == 0).all(), name
