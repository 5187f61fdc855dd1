"""Several processes, one search: KerasTuner's chief and workers, told apart by its environment variables."""

import os
import socket
import time
from collections.abc import Callable, Mapping

TUNER_ID, ORACLE_IP, ORACLE_PORT = "KERASTUNER_TUNER_ID", "KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT"

CHIEF_PATIENCE = 120.0
"""Seconds a worker waits for a chief that does not answer; KerasTuner itself would wait an hour."""

_PAUSE = 0.5


def role(environment: Mapping[str, str] = os.environ) -> str:
    """What this process is: `"alone"`, `"chief"` (chooses the values) or `"worker"` (trains).

    Raises:
        ValueError: some of the three variables are set, but not all, or the port is none.
    """
    given = {name: environment.get(name) for name in (TUNER_ID, ORACLE_IP, ORACLE_PORT)}
    if given[ORACLE_IP] is None and given[ORACLE_PORT] is None:
        return "alone"
    missing = [name for name, value in given.items() if not value]
    if missing:
        raise ValueError(
            f"A search over several processes needs {TUNER_ID}, {ORACLE_IP} and {ORACLE_PORT}. Missing: "
            f"{', '.join(missing)}. Received: {given}"
        )
    if not given[ORACLE_PORT].isdigit() or not 0 < int(given[ORACLE_PORT]) < 2**16:
        raise ValueError(f"{ORACLE_PORT} must be a port, 1 to 65535. Received: {ORACLE_PORT}={given[ORACLE_PORT]!r}")
    return "chief" if "chief" in given[TUNER_ID] else "worker"  # as KerasTuner tells them apart


def address() -> tuple[str, int]:
    """Where the chief listens."""
    return os.environ[ORACLE_IP], int(os.environ[ORACLE_PORT])


def chief_answers(has_ended: Callable[[], bool], patience: float = CHIEF_PATIENCE) -> bool:
    """Waits until the chief takes connections.

    Args:
        has_ended: whether the search has ended in the meantime, so that there is no chief any more.
        patience: seconds.

    Returns:
        False where the search has ended.

    Raises:
        ConnectionError: no chief within that time.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            socket.create_connection(address(), timeout=_PAUSE).close()
            return True
        except OSError as error:
            if has_ended():
                return False
            if time.monotonic() > deadline:
                raise ConnectionError(
                    f"The chief of the search has not answered for {patience:.0f} s: {error}. Start it, or start it "
                    f"again with --resume, and then this worker. Received: {ORACLE_IP}:{ORACLE_PORT}="
                    f"{':'.join(map(str, address()))}"
                ) from error
        time.sleep(_PAUSE)


def check_port_is_free() -> None:
    """Raises an OSError where the chief could not listen."""
    ip, port = address()
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gRPC: not hindered by connections just closed
        try:
            probe.bind((ip, port))
        except OSError as error:
            raise OSError(
                f"The chief cannot listen there: {error}. Received: {ORACLE_IP}={ip}, {ORACLE_PORT}={port}"
            ) from error
