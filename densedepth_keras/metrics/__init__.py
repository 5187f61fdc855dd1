"""Metrics on metres: `functional` defines them, `streaming` follows them during `fit`."""

from densedepth_keras.metrics import functional, streaming
from densedepth_keras.metrics.functional import METRICS

__all__ = ["METRICS", "functional", "streaming"]
