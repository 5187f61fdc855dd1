"""The import rule of docs/architecture.md, read from the source with ast."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = "densedepth_keras"
ROOT = Path(__file__).resolve().parents[1]
FLOORS: dict[str, float] = {
    **dict.fromkeys(("depth", "atomic", "names", "interruption"), 0.0),  # vocabulary, from the ground up
    **dict.fromkeys(("protocols", "sidecar"), 0.1),
    "config": 0.2,
    **dict.fromkeys(("models", "losses", "metrics", "data", "plots", "run_folder"), 1),
    **dict.fromkeys(("optimization", "saved_state", "distribution", "outputs", "cameras"), 1),
    **dict.fromkeys(("training_data", "callbacks", "initialization", "resuming"), 1.5),
    "model_setup": 1.6,
    "fitting": 1.7,
    **dict.fromkeys(("watching", "headline"), 1.8),
    **dict.fromkeys(("training", "prediction", "tiling", "report", "inspection"), 2),
    "predictor": 2.2,
    **dict.fromkeys(("evaluation", "data_commands", "search", "predicting", "video", "export", "demo"), 3),
    "commands": 4,
    "cli": 4.1,
}
DEVICES = {"distribution/devices.py", "distribution/opening.py"}
TENSORFLOW_IN = {"data/pipeline.py", "data/catalog.py", "export/savedmodel.py", "export/litert.py", *DEVICES}
OPTIONAL = {
    "cv2",
    "av",
    "keras_tuner",
    "gradio",
    "onnx",
    "onnxruntime",
    "tf2onnx",
    "ai_edge_litert",
    "trimesh",
    "pypcd4",
    "tensorflow_datasets",
    "jax",
    "torch",
    "OpenEXR",
    "tensorboardX",
}
FORBIDDEN_NAMES = {"utils", "misc", "common", "helpers"}


def violations(path: str, source: str) -> list[str]:
    """What breaks the import rule in one file; `path` is relative to the package."""
    found = []
    tree = ast.parse(source)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    inside_functions = {id(node) for function in functions for node in ast.walk(function)}
    here = path.split("/")[0].removesuffix(".py")
    for node in ast.walk(tree):
        for target in _imported(node):
            top = target.split(".")[0]
            if top == "tensorflow" and path not in TENSORFLOW_IN:
                found.append(f"{path}: stray tensorflow")
            if target.startswith("keras.src"):
                found.append(f"{path}: keras.src")
            if top in OPTIONAL and id(node) not in inside_functions:
                found.append(f"{path}: optional {top} at module level")
            if top == PACKAGE:
                found += _floor_violations(path, here, target)
    return found


def _imported(node):
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        if node.level:
            return [f"{PACKAGE}.relative_imports_are_not_used"]
        return [f"{node.module}.{alias.name}" for alias in node.names]
    if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("import_module", "__import__"):
        return [argument.value for argument in node.args[:1] if isinstance(argument, ast.Constant)]
    if isinstance(node, ast.Attribute) and ast.unparse(node) == "keras.src":
        return ["keras.src"]
    return []


def _floor_violations(path, here, target):
    there = target.split(".")[1] if "." in target else ""
    if here == "__init__" or there == here:
        return []
    if there not in FLOORS:
        return [f"{path}: imports {target}, which has no floor"]
    if here not in FLOORS:
        return [f"{path}: has no floor"]
    if FLOORS[there] >= FLOORS[here]:
        return [f"{path} (floor {FLOORS[here]}) imports {target} (floor {FLOORS[there]})"]
    return []


def package_files():
    return sorted((ROOT / PACKAGE).rglob("*.py"))


@pytest.mark.parametrize("file", package_files(), ids=lambda file: str(file.relative_to(ROOT / PACKAGE)))
def test_file_keeps_the_import_rule(file):
    path = file.relative_to(ROOT / PACKAGE).as_posix()
    assert violations(path, file.read_text(encoding="utf-8")) == []
    assert file.stem not in FORBIDDEN_NAMES


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("losses/ssim.py", "from densedepth_keras.models import build_model"),  # sideways
        ("metrics/streaming.py", "import densedepth_keras.losses.ssim"),  # sideways
        ("training.py", "from densedepth_keras import prediction"),  # sideways on floor 2
        ("depth.py", "from densedepth_keras.data.sample import Sample"),  # upward
        ("data/rooms.py", "def f():\n    from densedepth_keras.evaluation import evaluate"),  # upward, hidden
        ("models/decoder.py", "import tensorflow as tf"),  # stray tensorflow
        ("prediction.py", "def f():\n    from tensorflow import data"),  # stray tensorflow, hidden
        ("losses/ssim.py", "from keras.src import ops"),
        ("evaluation.py", "import trimesh"),
        ("evaluation.py", "try:\n    import trimesh\nexcept ImportError:\n    trimesh = None"),
        ("models/decoder.py", "import importlib\ntf = importlib.import_module('tensorflow')"),
        ("models/decoder.py", "import keras\nresize = keras.src.ops.image.resize"),
        ("losses/ssim.py", "from . import gradient"),
    ],
)
def test_planted_violation_is_caught(path, source):
    assert len(violations(path, source)) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("data/pipeline.py", "import tensorflow as tf"),
        ("losses/composite.py", "from densedepth_keras.losses.ssim import ssim"),
        ("training.py", "from densedepth_keras.models import build_model"),
        ("evaluation.py", "def f():\n    import trimesh"),
    ],
)
def test_allowed_import_is_no_violation(path, source):
    assert violations(path, source) == []


def _modules_after(statement):
    code = f"import sys\n{statement}\nprint(*sys.modules)"
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout.split()


def test_importing_the_package_and_the_command_line_imports_no_framework():
    loaded = _modules_after("import densedepth_keras, densedepth_keras.cli, densedepth_keras.config")
    assert not {"numpy", "keras", "tensorflow", "jax", "torch", "matplotlib"} & set(loaded)


def test_models_losses_metrics_and_prediction_load_without_tensorflow():
    statement = (
        "import os; os.environ['KERAS_BACKEND'] = 'jax'; sys.modules['tensorflow'] = None\n"
        "import densedepth_keras.models, densedepth_keras.losses, densedepth_keras.metrics, densedepth_keras.prediction"
    )
    assert "densedepth_keras.prediction" in _modules_after(statement)
