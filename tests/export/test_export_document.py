"""What docs/export.md tells to run in Python, run."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from densedepth_keras.config import ExportConfig
from densedepth_keras.export import export_model

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "export.md"

pytest.importorskip("onnxruntime")
pytest.importorskip("tf2onnx")
pytest.importorskip("ai_edge_litert")


def test_python_of_the_document_runs_and_agrees(model_at, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "my_run").mkdir(parents=True)
    model_at(tmp_path / "runs" / "my_run" / "model.keras", image_size=(240, 320))
    for name, output in {"onnx": "model.onnx", "litert": "model.tflite", "savedmodel": "served/depth"}.items():
        export_model(ExportConfig(checkpoint="runs/my_run", format=name, output=output, limit=1))
    patches = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    Image.fromarray(patches).resize((200, 150)).save("photo.jpg")
    blocks = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), flags=re.DOTALL)
    names, depths = {}, []
    for block in blocks:
        exec(compile(block, str(DOCUMENT), "exec"), names)
        depths += [names.pop("depth")] if "depth" in names else []
    assert len(depths) == 3
    assert depths[0].shape == (1, 240, 320, 1)
    assert depths[0].std() > 0.05  # or they would agree on nothing
    for depth in depths[1:]:
        np.testing.assert_allclose(depth, depths[0], atol=1e-4)  # float32 in other orders of summing
    assert names["exported"].path.is_file()
