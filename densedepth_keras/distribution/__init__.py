"""What a run computes on: one device, several GPUs, several machines."""

from densedepth_keras.distribution.devices import device_names, make_deterministic, peak_memory, unused_gpu
from densedepth_keras.distribution.opening import Distribution, open_distribution

__all__ = ["Distribution", "device_names", "make_deterministic", "open_distribution", "peak_memory", "unused_gpu"]
