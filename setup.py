"""Builds the parts that are written in C; all else about the package stands in setup.cfg.

Where there is no compiler they are left out, and NumPy and Pillow do their work to the same bits in more time.
"""

import sys

from setuptools import Extension, setup

# No product is fused with a sum, so that the bits are NumPy's; roots set no error number, so that four go side by side.
FLAGS = [] if sys.platform == "win32" else ["-ffp-contract=off", "-fno-math-errno"]


def extension(name):
    return Extension(
        name,
        [name.replace(".", "/") + ".c"],
        define_macros=[("Py_LIMITED_API", "0x030B0000")],  # one build serves Python 3.11 and later
        extra_compile_args=FLAGS,
        depends=["setup.py"],  # other flags, another build
        py_limited_api=True,
        optional=True,
    )


setup(
    ext_modules=[extension("densedepth_keras.data._unfilter"), extension("densedepth_keras.data.rendering._pixels")],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
