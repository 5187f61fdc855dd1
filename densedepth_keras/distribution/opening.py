"""How a run is spread over devices and processes."""

import contextlib
import weakref
from collections import Counter
from collections.abc import Callable, Iterator

import keras
import numpy as np

from densedepth_keras.distribution.devices import (
    device_names,
    keep_tensorflow_off_gpus,
    list_devices,
    make_deterministic,
)
from densedepth_keras.distribution.processes import check_processes, connect, noticed

BACKENDS = {"auto": None, "none": None, "mirrored": "tensorflow", "data-parallel": "jax"}
"""What `distribute` may be, and the backend it needs."""


class Distribution:
    """How a run is spread over devices and processes; `open_distribution` makes it.

    Args:
        kind: `"none"`, `"mirrored"` or `"data-parallel"`.
        num_devices: that divide every batch, of all processes together.
        shard: `(process_id, num_processes)`: every process reads its own part of a batch.
        context: makes the context in which Keras uses all these devices.
    """

    def __init__(
        self,
        kind: str,
        num_devices: int = 1,
        shard: tuple[int, int] = (0, 1),
        context: Callable[[], contextlib.AbstractContextManager] = contextlib.nullcontext,
    ):
        self.kind, self.num_devices, self.shard = kind, num_devices, shard
        self._context, self._predictors = context, weakref.WeakKeyDictionary()

    @property
    def is_chief(self) -> bool:
        """Whether this is process 0, which alone writes files and speaks."""
        return self.shard[0] == 0

    @property
    def description(self) -> str:
        """Device names, backend and how they are used: a line for the log."""
        names = device_names()
        used = names if self.kind != "none" else names[:1]
        parts = [f"{', '.join(used)} on the {keras.backend.backend()} backend"]
        if self.kind != "none":
            parts.append(f"{self.kind} over {self.num_devices} devices")
        if self.shard[1] > 1:
            parts.append(f"process {self.shard[0]} of {self.shard[1]}")
        return ", ".join(parts)

    def scope(self) -> contextlib.AbstractContextManager:
        """Around all that is done with the model: building, compiling, restoring and fitting it."""
        return self._context()

    def together(self) -> contextlib.AbstractContextManager:
        """Around all of a run from here on: a process that fails lets the others notice.

        Raises:
            OSError: another process of the run has stopped meanwhile.
        """
        return noticed() if self.shard[1] > 1 else contextlib.nullcontext()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Inside `scope`, around what this process does alone, such as saving the model.

        Keras would make every variable, even those of an optimizer it makes to look at, together with all processes.
        """
        shared = keras.distribution.distribution()
        keras.distribution.set_distribution(None)
        try:
            yield
        finally:
            keras.distribution.set_distribution(shared)

    def predict(self, model: keras.Model, images) -> np.ndarray | dict[str, np.ndarray]:
        """What a model answers to a batch of any size, computed by this process alone; during `fit`, too.

        `model.predict_on_batch` would answer every row once per mirrored device, and on JAX it would ask for a number
        of rows that devices can divide and for all processes.
        """
        if self.kind == "data-parallel":
            outputs = self._predict_on_one_device(model, np.asarray(images))
        else:
            outputs = model.predict_on_batch(images)
        return keras.tree.map_structure(lambda output: np.asarray(output)[: len(images)], outputs)

    def _predict_on_one_device(self, model, images):
        import jax

        if model not in self._predictors:
            same = weakref.proxy(model)  # the value of a weak dictionary must not hold its key
            self._predictors[model] = jax.jit(lambda *state: same.stateless_call(*state, training=False)[0])
        groups = model.trainable_variables, model.non_trainable_variables
        copies = [[variable.value.addressable_data(0) for variable in group] for group in groups]
        return self._predictors[model](*copies, images)


def open_distribution(
    distribute: str = "auto",
    *,
    batch_size: int,
    coordinator: str | None = None,
    num_processes: int | None = None,
    process_id: int | None = None,
    deterministic: bool = False,
) -> Distribution:
    """Finds the devices and connects the processes of a run; called before anything is computed.

    Args:
        distribute: `"none"`; `"mirrored"` over the GPUs of one machine, or its logical CPUs (TensorFlow);
            `"data-parallel"` over all devices of one or several machines (JAX); `"auto"`: what suits the backend
            where there are several GPUs or a coordinator, else none.
        batch_size: of all devices together.
        coordinator: `"host:port"` of process 0, the same for all; with it come `num_processes` and `process_id`.
        num_processes: of the run, usually one per machine.
        process_id: 0 to `num_processes - 1`.
        deterministic: the same result every time, on a GPU, too.

    Raises:
        ValueError: arguments that contradict each other or the backend, a batch that devices cannot divide.
        OSError: the coordinator cannot be reached, or its port is taken.

    Example:
        >>> distribution = open_distribution("auto", batch_size=8)
        >>> with distribution.together(), distribution.scope():
        ...     model = build_model(...)
    """
    check_processes(coordinator, num_processes, process_id)
    _check_backend(distribute, coordinator)
    if deterministic:
        make_deterministic()
    if keras.backend.backend() != "tensorflow":
        keep_tensorflow_off_gpus()
    if coordinator is not None:
        connect(coordinator, num_processes, process_id)
    kind = _suitable(coordinator) if distribute == "auto" else distribute
    distribution = {"none": _single, "mirrored": _mirrored, "data-parallel": _data_parallel}[kind]()
    _check_batch(batch_size, distribution.num_devices, distribute)
    return distribution


def _check_backend(distribute, coordinator):
    backend = keras.backend.backend()
    received = f"Received: distribute={distribute!r}, coordinator={coordinator!r} on the {backend} backend"
    if distribute not in BACKENDS:
        raise ValueError(f"`distribute` must be one of: {', '.join(map(repr, BACKENDS))}. {received}")
    if coordinator is not None and (distribute in ("none", "mirrored") or backend != "jax"):
        raise ValueError(
            "Several processes work together on JAX: set KERAS_BACKEND=jax, and `distribute` to 'data-parallel' or "
            f"'auto'. {received}"
        )
    if BACKENDS[distribute] not in (None, backend):
        suits = {"tensorflow": "mirrored", "jax": "data-parallel"}.get(backend, "none")
        raise ValueError(
            f"`distribute` {distribute!r} is for KERAS_BACKEND={BACKENDS[distribute]}; on the {backend} backend use "
            f"{suits!r}. {received}"
        )


def _check_batch(batch_size, num_devices, distribute):
    if batch_size % num_devices:
        way_out = ", or `distribute` 'none' for one device" if distribute == "auto" else ""
        raise ValueError(
            f"`batch_size` is that of all {num_devices} devices together: expected a multiple of {num_devices}, e.g. "
            f"{-(-batch_size // num_devices) * num_devices}{way_out}. Received: batch_size={batch_size}"
        )


def _suitable(coordinator):
    kind = {"tensorflow": "mirrored", "jax": "data-parallel"}.get(keras.backend.backend(), "none")
    several = sum(not device.startswith("cpu") for device in list_devices()) > 1
    return kind if several or coordinator is not None else "none"


def _single():
    return Distribution("none")


def _mirrored():
    import tensorflow as tf

    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    strategy = tf.distribute.MirroredStrategy([device.name for device in devices])
    return Distribution("mirrored", len(devices), context=strategy.scope)


def _data_parallel():
    import jax

    counts = Counter(device.process_index for device in jax.devices())
    if len(set(counts.values())) > 1:
        raise ValueError(f"All processes must have equally many devices. Received: devices={dict(counts)}")
    parallel = keras.distribution.DataParallel(auto_shard_dataset=False)  # the pipeline divides the batches
    return Distribution("data-parallel", jax.device_count(), (jax.process_index(), jax.process_count()), parallel.scope)
