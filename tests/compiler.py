"""Whether this machine can build the parts in C. There they must be; elsewhere the package goes without."""

import shutil
import sysconfig
from pathlib import Path

CAN_BUILD = bool(shutil.which("cc") or shutil.which("cl")) and Path(sysconfig.get_path("include"), "Python.h").exists()
