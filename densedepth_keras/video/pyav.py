"""PyAV, the door to FFmpeg's libraries: an optional package, imported on use; and its errors in plain words."""

from fractions import Fraction
from types import ModuleType


def pyav() -> ModuleType:
    """The package `av`; an ImportError that says how to get it where it is not installed."""
    try:
        import av
    except ImportError as error:
        raise ImportError(f"Videos need PyAV: pip install densedepth_keras[video]. Received: {error}") from error
    return av


def reason(error: Exception) -> str:
    """What went wrong, in FFmpeg's or the system's words, without numbers and file names."""
    return (getattr(error, "strerror", None) or str(error).strip() or type(error).__name__).rstrip(".")


def fraction(value) -> Fraction | None:
    """A rational number of PyAV's, which has its own kind from version 19 on; None for None."""
    return None if value is None else Fraction(int(value.numerator), int(value.denominator))
