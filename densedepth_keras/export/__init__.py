"""`densedepth export`: a trained network as a file for other runtimes, compared with Keras before it is left there."""

from densedepth_keras.export.exporting import Exported, export_model
from densedepth_keras.export.parity import Parity

__all__ = ["Exported", "Parity", "export_model"]
