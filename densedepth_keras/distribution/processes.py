"""The processes of a run on several machines: connected before it, and noticed when one of them dies (JAX)."""

import atexit
import contextlib
import inspect
import os
import socket
import sys
import time
from collections.abc import Iterator

from densedepth_keras.interruption import exit_status

HEARTBEAT_SECONDS = 20
"""A process that has given no sign for so long counts as dead, and the others stop."""

START_SECONDS = 300
"""So long the processes of a run wait for each other when they start."""

LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""Addresses of a machine for itself alone."""

DEAD_PEER = ("Gloo", "NCCL", "coordination service", "heartbeat", "UNAVAILABLE", "Connection reset", "Socket closed")
"""Words of errors between processes: JAX raises them as ValueError or RuntimeError, without a class of their own."""


def check_processes(coordinator: str | None, num_processes: int | None, process_id: int | None) -> None:
    """Raises a ValueError unless none of the three is given, or all, and sensibly."""
    given = [value is not None for value in (coordinator, num_processes, process_id)]
    if not any(given):
        return
    received = f"Received: coordinator={coordinator!r}, num_processes={num_processes}, process_id={process_id}"
    if not all(given):
        raise ValueError(f"`coordinator`, `num_processes` and `process_id` go together: give all three. {received}")
    host, port = _address(coordinator)
    if not host or not 0 < port < 2**16:
        raise ValueError(f"`coordinator` must be host:port of process 0, e.g. 10.0.0.1:12345. {received}")
    if num_processes < 1 or not 0 <= process_id < num_processes:
        raise ValueError(f"`process_id` must be 0 to `num_processes` - 1. {received}")


def _address(coordinator):
    host, _, port = coordinator.rpartition(":")
    return host.strip("[]"), int(port) if port.isdecimal() else 0


def connect(coordinator: str, num_processes: int, process_id: int) -> None:
    """Starts `jax.distributed`, once; before JAX computes anything.

    Raises:
        OSError: the coordinator cannot be reached, or its port is taken.
    """
    import jax

    if jax.distributed.is_initialized():
        return
    # JAX itself would abort the process, with a stack trace.
    _check_free_port(coordinator) if process_id == 0 else _await(coordinator)
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    with contextlib.suppress(AttributeError):  # an older JAX
        jax.config.update("jax_enable_preemption_service", False)  # it would take SIGTERM away from the run
    wanted = {
        "coordinator_address": coordinator,
        # JAX would listen to the whole network, where only processes of this machine are meant.
        "coordinator_bind_address": coordinator if _address(coordinator)[0] in LOOPBACK else None,
        "num_processes": num_processes,
        "process_id": process_id,
        "initialization_timeout": START_SECONDS,
        "heartbeat_timeout_seconds": HEARTBEAT_SECONDS,
        "cluster_detection_method": "deactivate",  # on SLURM it would leave a process one GPU
    }
    known = inspect.signature(jax.distributed.initialize).parameters
    jax.distributed.initialize(**{name: value for name, value in wanted.items() if name in known})


def _check_free_port(coordinator):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", _address(coordinator)[1]))
        except OSError as error:
            raise OSError(
                f"The coordinator's port cannot be used: {error}. Received: coordinator={coordinator!r}"
            ) from error


def _await(coordinator):
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(_address(coordinator), timeout=5).close()
        except OSError as error:
            if time.monotonic() > deadline:
                raise OSError(
                    f"Process 0 has not answered for {START_SECONDS:g} s: {error}. Is it running, and its port open? "
                    f"Received: coordinator={coordinator!r}"
                ) from error
            time.sleep(0.2)
        else:
            return


@contextlib.contextmanager
def noticed() -> Iterator[None]:
    """Lets the others notice an error of this process, and says of one between processes what it means; an OSError.

    After an error the process ends as soon as Python does, with the exit status that the command line gives it: JAX
    would wait for the others, which wait for this one, and abort with a stack trace.
    """
    try:
        yield
    except BaseException as error:
        atexit.register(_leave, _exit_status(error))
        if not isinstance(error, Exception) or not any(word in str(error) for word in DEAD_PEER):
            raise
        raise OSError(
            "Another process of this run has stopped, or cannot be reached any more. Start all of them again, with "
            f"--resume to go on from the last saved state. Received: {str(error).splitlines()[0]}"
        ) from error


def _exit_status(error):
    if isinstance(error, KeyboardInterrupt):
        return exit_status((*error.args, "SIGINT")[0])
    return 2


def _leave(status):
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)
