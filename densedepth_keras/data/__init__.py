"""Sources of samples, and the one pipeline over them."""

from densedepth_keras.data.datasets import DATASETS, load_dataset
from densedepth_keras.data.sample import Sample, Source

__all__ = ["DATASETS", "Sample", "Source", "load_dataset"]
