"""The whole command with a small untrained network and real frames: metres on file are the network's."""

import json

import numpy as np
import pytest
from PIL import Image

from densedepth_keras.config.predict import PredictConfig
from densedepth_keras.data.files import read_depth
from densedepth_keras.outputs.point_clouds import steps
from densedepth_keras.predicting import predict_files
from densedepth_keras.prediction import predict_depth


def test_nyu_frames_become_files(small_model, nyu_folder, tmp_path):
    small_model.save(tmp_path / "runs-model.keras")
    frames = sorted((nyu_folder / "rgb").glob("*.jpg"))[:2]
    lines = []
    config = PredictConfig(
        inputs=[str(frame) for frame in frames],
        checkpoint=str(tmp_path / "runs-model.keras"),
        output=str(tmp_path / "out"),
        formats=("png16", "npy", "pfm"),
        at=(320, 240),
    )
    result = predict_files(config, lines.append)
    assert len(result.written) == 6
    assert result.failed == {}
    for frame in frames:
        expected = predict_depth(small_model, frame)
        stem = tmp_path / "out" / f"{frame.stem}-depth"
        stored = np.load(f"{stem}.npy")
        np.testing.assert_allclose(stored, expected, rtol=1e-5)  # a saved model's graph is another one
        np.testing.assert_array_equal(read_depth(f"{stem}.pfm", units_per_metre=1), stored)
        # half a millimetre, and the last bit of float32 at 10 m
        assert np.abs(read_depth(f"{stem}.png", units_per_metre=1000) - stored).max() <= 0.0005 + 1e-6
        assert f"{frame}: {stored[240, 320]:.3f} m at 320 240" in lines


def test_points_on_file_are_seen_at_the_pixels_they_came_from(small_model, nyu_folder, tmp_path):
    """PLY read by another library, through NYU's camera written out here: pixel, depth and colour of every point."""
    trimesh = pytest.importorskip("trimesh")
    fx, fy, cx, cy = 518.858, 519.470, 325.582, 253.736
    numbers = {"fx": fx, "fy": fy, "cx": cx, "cy": cy, "width": 640, "height": 480}
    (tmp_path / "nyu.json").write_text(json.dumps(numbers))
    small_model.save(tmp_path / "model.keras")
    frame = min((nyu_folder / "rgb").glob("*.jpg"))
    config = PredictConfig(
        inputs=[str(frame)],
        checkpoint=str(tmp_path / "model.keras"),
        output=str(tmp_path),
        formats=("npy", "ply"),
        intrinsics=str(tmp_path / "nyu.json"),
    )
    assert predict_files(config).failed == {}
    depth, picture = np.load(tmp_path / f"{frame.stem}-depth.npy"), np.asarray(Image.open(frame))
    cloud = trimesh.load(tmp_path / f"{frame.stem}.ply")
    x, y, z = cloud.vertices.T
    u, v = fx * x / z + cx, fy * y / z + cy
    columns, rows = np.rint(u).astype(int), np.rint(v).astype(int)
    # float32 X of 3 m at 518 pixels a metre per metre: 2.4e-7 * 518 / 1
    assert max(np.abs(u - columns).max(), np.abs(v - rows).max()) < 1e-3
    np.testing.assert_array_equal(z.astype(np.float32), depth[rows, columns])
    np.testing.assert_array_equal(cloud.colors[:, :3], picture[rows, columns])
    kept = np.zeros(depth.shape, int)
    np.add.at(kept, (rows, columns), 1)
    np.testing.assert_array_equal(kept, ~steps(depth))  # every pixel but those at edges, each once
