"""`python evaluate.py --help` says it all; the same as `densedepth evaluate`."""

import sys

from densedepth_keras.cli import script

if __name__ == "__main__":
    sys.exit(script("evaluate"))
