"""The devices of a backend: their names and memory, one that lies idle, and the same result every time."""

import contextlib
import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import keras

NO_GPU = """
**********************************************************************************************************
WARNING: THIS MACHINE HAS A GPU, BUT {backend} DOES NOT SEE IT: THE RUN USES THE CPU.
{fix}
**********************************************************************************************************"""

INSTALL = {
    "tensorflow": "pip install 'tensorflow[and-cuda]'",
    "jax": "pip install 'jax[cuda12]'",
    "torch": "pip install torch, as https://pytorch.org/get-started says for CUDA",
}
"""How a backend comes to see an NVIDIA GPU."""


def list_devices() -> list[str]:
    """`["gpu:0", "gpu:1"]`, of all processes, or `["cpu:0"]` where the backend sees no GPU."""
    if keras.backend.backend() != "torch":
        return keras.distribution.list_devices()
    import torch  # Keras does not list its devices

    return [f"gpu:{index}" for index in range(torch.cuda.device_count())] or ["cpu:0"]


def device_names() -> list[str]:
    """The devices and, of GPUs, what their maker calls them, e.g. `["gpu:0 (NVIDIA H200)"]`."""
    devices = list_devices()
    return [f"{device} ({model})" if model else device for device, model in zip(devices, _models(devices), strict=True)]


def _models(devices):
    backend = keras.backend.backend()
    if all(device.startswith("cpu") for device in devices):
        return [""] * len(devices)
    if backend == "jax":
        import jax

        return [device.device_kind for device in jax.devices()]
    if backend == "torch":
        import torch

        return [torch.cuda.get_device_name(index) for index in range(len(devices))]
    import tensorflow as tf

    details = [tf.config.experimental.get_device_details(gpu) for gpu in tf.config.get_visible_devices("GPU")]
    models = [each.get("device_name", "") for each in details]
    return models if len(models) == len(devices) else [""] * len(devices)  # one GPU may be several logical ones


def unused_gpu() -> str | None:
    """A loud line where this machine has an NVIDIA GPU and the backend sees none, with what to do; else None."""
    if not _has_gpu() or not all(device.startswith("cpu") for device in list_devices()):
        return None
    backend = keras.backend.backend()
    hidden, platforms = os.environ.get("CUDA_VISIBLE_DEVICES"), os.environ.get("JAX_PLATFORMS")
    if hidden is not None and hidden.strip() in ("", "-1"):
        fix = f"The environment hides it: CUDA_VISIBLE_DEVICES={hidden!r}"
    elif backend == "jax" and platforms == "cpu":
        fix = f"The environment hides it: JAX_PLATFORMS={platforms!r}"
    else:
        fix = f"Install the backend with CUDA: {INSTALL[backend]}"
    return NO_GPU.format(backend=backend.upper(), fix=fix)


@functools.cache
def _has_gpu() -> bool:
    """By the driver's files, or by its own tool where there are none, as on WSL."""
    if any(Path("/dev").glob("nvidia[0-9]*")) or any(Path("/proc/driver/nvidia/gpus").glob("*")):
        return True
    if shutil.which("nvidia-smi") is None:
        return False
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=10, check=True)
        return listed.stdout.startswith("GPU ")
    return False


def peak_memory() -> dict[str, int]:
    """The most memory held so far, bytes: `"host"` for this process, `"gpu:0"` and so on for its GPUs.

    What cannot be told is left out: JAX and TensorFlow do not count a CPU's memory, Windows not a process's.
    """
    return {**_host_memory(), **_device_memory()}


def _host_memory():
    try:
        import resource
    except ImportError:  # Windows
        return {}
    unit = 1 if sys.platform == "darwin" else 1024
    return {"host": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit}


def _device_memory():
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        stats = {f"{device.platform}:{device.id}": device.memory_stats() or {} for device in jax.local_devices()}
        return {name: stat["peak_bytes_in_use"] for name, stat in stats.items() if "peak_bytes_in_use" in stat}
    if backend == "torch":
        import torch

        return {f"gpu:{index}": torch.cuda.max_memory_allocated(index) for index in range(torch.cuda.device_count())}
    import tensorflow as tf

    count = len(tf.config.list_logical_devices("GPU"))
    return {f"gpu:{index}": tf.config.experimental.get_memory_info(f"GPU:{index}")["peak"] for index in range(count)}


def keep_tensorflow_off_gpus() -> None:
    """Beside another backend it only reads data, but would take all of a GPU's memory."""
    with contextlib.suppress(ImportError, RuntimeError):  # not installed; has begun already
        import tensorflow as tf

        tf.config.set_visible_devices([], "GPU")


def make_deterministic() -> None:
    """Asks the backend for operations that give the same result every time; called before anything is computed."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
    elif backend == "jax":
        flags = os.environ.get("XLA_FLAGS", "").split()
        if "--xla_gpu_deterministic_ops=true" not in flags:
            os.environ["XLA_FLAGS"] = " ".join([*flags, "--xla_gpu_deterministic_ops=true"])
    elif backend == "torch":
        import torch

        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # PyTorch's notes on reproducibility ask for it
        torch.use_deterministic_algorithms(True)
