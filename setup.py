"""Builds the one part that is written in C; all else about the package stands in setup.cfg.

Where there is no compiler it is left out, and Pillow decodes depth maps to the same bits in more time.
"""

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension(
            "densedepth_keras.data._unfilter",
            ["densedepth_keras/data/_unfilter.c"],
            define_macros=[("Py_LIMITED_API", "0x030B0000")],  # one build serves Python 3.11 and later
            py_limited_api=True,
            optional=True,
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
