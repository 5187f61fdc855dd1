"""Networks: encoders, decoders, heads, and the function that joins them."""

from densedepth_keras.models.backbones import ENCODERS
from densedepth_keras.models.build import MODELS, build_model
from densedepth_keras.models.decoder import DECODERS
from densedepth_keras.models.reference import load_reference_weights
from densedepth_keras.models.supervision import inference_model

__all__ = ["DECODERS", "ENCODERS", "MODELS", "build_model", "inference_model", "load_reference_weights"]
