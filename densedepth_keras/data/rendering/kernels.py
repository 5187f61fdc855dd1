"""Rendering's loops over pixels: in C where they have been built, else NumPy's (`pixels.py` says what)."""

from densedepth_keras.data.rendering import pixels

try:
    from densedepth_keras.data.rendering import _pixels as built
except ImportError:  # installed without a compiler
    built = None

# A build that is older than this file is not used.
_chosen = built if built is not None and getattr(built, "VERSION", None) == pixels.VERSION else pixels

cover, fetch, lighten = _chosen.cover, _chosen.fetch, _chosen.lighten
expose, develop = _chosen.expose, _chosen.develop
