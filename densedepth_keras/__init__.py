"""Monocular depth estimation with Keras 3: train, judge and use.

Names are imported when they are first used (PEP 562), so that `import densedepth_keras` costs nothing.
"""

import importlib

__version__ = "0.1.0"

_HOME = {
    "AbsRel": "metrics.streaming",
    "DATASETS": "data",
    "Delta1": "metrics.streaming",
    "DepthLoss": "losses",
    "DepthPredictor": "predictor",
    "ENCODERS": "models",
    "EvaluationConfig": "config",
    "LOSSES": "losses",
    "METRICS": "metrics",
    "MODELS": "models",
    "RMSE": "metrics.streaming",
    "Sample": "data",
    "TrainConfig": "config",
    "build_model": "models",
    "evaluate": "evaluation",
    "inference_model": "models",
    "load_dataset": "data",
    "load_model": "prediction",
    "load_reference_weights": "models",
    "predict_depth": "prediction",
    "train": "training",
}

__all__ = [*_HOME, "__version__"]


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *__all__})
