"""`densedepth predict` of pictures: which files, where to, read - predict - write. Keras is loaded when it predicts."""

from densedepth_keras.predicting.jobs import predict_files
from densedepth_keras.predicting.outcome import Predicted

__all__ = ["Predicted", "predict_files"]
