"""A predictor for the tests: depth follows from the pixels by arithmetic."""

import time

import numpy as np
from PIL import Image


class FakePredictor:
    """Metres of a pixel: 0.5 + R / 32 + G / 1024, 0.5 to 8.7; every number is exact in float32."""

    min_depth, max_depth = 0.1, 10.0

    def __init__(self, seconds=0.0):
        self.seconds, self.asked = seconds, 0

    def predict(self, image):
        self.asked += 1
        time.sleep(self.seconds)
        return metres(image)


def metres(image):
    red, green = (image[..., channel].astype(np.float32) for channel in (0, 1))
    return np.float32(0.5) + red / np.float32(32) + green / np.float32(1024)


def slope(height=60, width=80, blue=0):
    """A picture whose depth differs from pixel to pixel and has no step that the point cloud would cut."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([64 + columns % 128, rows % 256, np.full_like(rows, blue)], -1).astype(np.uint8)


def write_photo(path, image):
    Image.fromarray(image).save(path)
    return path
