"""The pinhole camera of a picture: which one it is, and where its pixels lie in metres. NumPy and Pillow.

Axes are those of OpenCV, right-handed: X right, Y down, Z forward, metres, the origin in the camera. Pixels are counted
from the centre of the top left one, 0 0, so a picture's middle is ((width - 1) / 2, (height - 1) / 2). Lens distortion
is not undone.
"""

from densedepth_keras.cameras.camera import Camera
from densedepth_keras.cameras.choosing import ASSUMED_FOV, camera_for

__all__ = ["ASSUMED_FOV", "Camera", "camera_for"]
