"""`python train.py --help` says it all; the same as `densedepth train`."""

import sys

from densedepth_keras.cli import script

if __name__ == "__main__":
    sys.exit(script("train"))
