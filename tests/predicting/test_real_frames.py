"""The whole command with a small untrained network and real frames: metres on file are the network's."""

import numpy as np

from densedepth_keras.config.predict import PredictConfig
from densedepth_keras.data.files import read_depth
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


def test_the_newest_run_is_used_and_named(small_model, tmp_path, monkeypatch):
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    for name in ("first", "second"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        small_model.save(tmp_path / "runs" / name / "model.keras")
    Image.new("RGB", (64, 48), (90, 80, 70)).save("photo.jpg")
    lines = []
    predict_files(PredictConfig(inputs=["photo.jpg"]), lines.append)
    assert lines[0] == "Newest run: runs/second"
    assert sorted(path.name for path in (tmp_path / "depth").iterdir()) == ["photo-color.png", "photo-depth.png"]
