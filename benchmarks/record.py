"""What every benchmark does with its result: print it, and keep it as JSON with what it was measured on."""

import json
import os
import platform
from pathlib import Path

import keras


def record(name: str, command: str, result: dict) -> None:
    """Prints the result and writes benchmarks/results/<name>.json."""
    conditions = {
        "versions": {"python": platform.python_version(), "keras": keras.__version__},
        "backend": keras.backend.backend(),
        "cpus": os.cpu_count(),
    }
    text = json.dumps({"command": command, **result, **conditions}, indent=1)
    file = Path(__file__).resolve().parent / "results" / f"{name}.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text + "\n")
    print(text)
