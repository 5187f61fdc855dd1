"""Every pair of a data set read before a network sees it, and a verdict in plain words."""

from densedepth_keras.data.checking.check import check_data
from densedepth_keras.data.checking.verdict import Finding, Verdict

__all__ = ["Finding", "Verdict", "check_data"]
