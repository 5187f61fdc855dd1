"""Networks: encoders, decoder, heads, and the function that joins them."""

from densedepth_keras.models.densedepth import build_model
from densedepth_keras.models.encoders import ENCODERS

__all__ = ["ENCODERS", "build_model"]
