"""What predictions are written as: depth files, pictures in colours, point clouds. NumPy and Pillow; no Keras."""

from densedepth_keras.outputs.coloring import Coloring, check_colormap, write_picture
from densedepth_keras.outputs.depth_files import WRITERS, DepthFile, check_exr

__all__ = ["WRITERS", "Coloring", "DepthFile", "check_colormap", "check_exr", "write_picture"]
