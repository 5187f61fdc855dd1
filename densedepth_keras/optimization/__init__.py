"""Optimisers and learning-rate schedules of a run.

A run is several `fit` calls (before and after the encoder is unfrozen, after a resume), and its encoder may learn at a
rate of its own. The optimisers here are Keras' with these two things added; the schedules are Keras' with the warm-up
and the late start that it does not have.
"""

from densedepth_keras.optimization.optimizers import OPTIMIZERS, averaged_weights, current_learning_rate, make_optimizer
from densedepth_keras.optimization.schedules import SCHEDULES, WarmUp, make_schedule
from densedepth_keras.optimization.staged import Staged, StagedAdam, StagedAdamW, StagedSGD

__all__ = [
    "OPTIMIZERS",
    "SCHEDULES",
    "Staged",
    "StagedAdam",
    "StagedAdamW",
    "StagedSGD",
    "WarmUp",
    "averaged_weights",
    "current_learning_rate",
    "make_optimizer",
    "make_schedule",
]
