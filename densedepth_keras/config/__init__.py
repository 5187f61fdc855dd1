"""Frozen dataclasses that are flags, checks and JSON at once.

Standard library only: `train.py --help` must not wait for Keras.
"""

from densedepth_keras.config.data import RANGES, CheckConfig, FillConfig, ShowConfig
from densedepth_keras.config.evaluation import EvaluationConfig, ImportConfig
from densedepth_keras.config.files import CONFIG_FILE, HISTORY_FILE, MEAN_FILE, MODEL_FILE, write_json
from densedepth_keras.config.flags import add_flags
from densedepth_keras.config.train import DEFAULTS, TrainConfig

__all__ = [
    "CONFIG_FILE",
    "DEFAULTS",
    "HISTORY_FILE",
    "MEAN_FILE",
    "MODEL_FILE",
    "RANGES",
    "CheckConfig",
    "EvaluationConfig",
    "FillConfig",
    "ImportConfig",
    "ShowConfig",
    "TrainConfig",
    "add_flags",
    "write_json",
]
