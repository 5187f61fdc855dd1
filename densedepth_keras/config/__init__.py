"""Frozen dataclasses that are flags, checks and JSON at once.

Standard library only: `train.py --help` must not wait for Keras.
"""

from densedepth_keras.config.data import RANGES, CheckConfig, FillConfig, ShowConfig
from densedepth_keras.config.deploy import DemoConfig, ExportConfig
from densedepth_keras.config.evaluation import EvaluationConfig, ImportConfig
from densedepth_keras.config.files import (
    CONFIG_FILE,
    HISTORY_FILE,
    LAST_FILE,
    LOG_FILE,
    MEAN_FILE,
    MODEL_FILE,
    SEARCH_FILE,
    STATE_FILE,
    write_json,
)
from densedepth_keras.config.flags import add_flags, check_values
from densedepth_keras.config.loop import DEFAULTS, PRESETS
from densedepth_keras.config.predict import PredictConfig
from densedepth_keras.config.search import SearchConfig
from densedepth_keras.config.train import TrainConfig

__all__ = [
    "CONFIG_FILE",
    "DEFAULTS",
    "HISTORY_FILE",
    "LAST_FILE",
    "LOG_FILE",
    "MEAN_FILE",
    "MODEL_FILE",
    "PRESETS",
    "RANGES",
    "SEARCH_FILE",
    "STATE_FILE",
    "CheckConfig",
    "DemoConfig",
    "EvaluationConfig",
    "ExportConfig",
    "FillConfig",
    "ImportConfig",
    "PredictConfig",
    "SearchConfig",
    "ShowConfig",
    "TrainConfig",
    "add_flags",
    "check_values",
    "write_json",
]
