"""What watches a run. One run is several `fit` calls (a resume, an unfreezing): none of these starts anew with a call.

A callback with a memory gives it away as `state()`, JSON, and takes it back with `set_state`. At the end of an epoch
they belong in this order: ReduceOnPlateau, EarlyStopping, History (which adds the learning rate, the seconds and the
images per second to the logs), the best model, SamplePictures, TensorBoard, RunLog, AveragedWeights, and whatever
saves the state. The model holds the averaged weights from the validation on until AveragedWeights has had its turn.
"""

from densedepth_keras.callbacks.averaging import AveragedWeights
from densedepth_keras.callbacks.history import History
from densedepth_keras.callbacks.monitors import EarlyStopping, ReduceOnPlateau
from densedepth_keras.callbacks.nan_guard import NanGuard
from densedepth_keras.callbacks.run_log import RunLog
from densedepth_keras.callbacks.samples import SamplePictures, Samples
from densedepth_keras.callbacks.tensorboard import TensorBoard

__all__ = [
    "AveragedWeights",
    "EarlyStopping",
    "History",
    "NanGuard",
    "ReduceOnPlateau",
    "RunLog",
    "SamplePictures",
    "Samples",
    "TensorBoard",
]
