"""Photometric changes of a picture: uint8 `(H, W, 3)` in and out, by table look-up and integers, never wrapping around.

Nothing is changed in place; where there is nothing to do, the input itself comes back.
"""

import functools
import itertools
import math
import statistics

import numpy as np
from PIL import Image

RGB = (0, 1, 2)
"""The order that the channels are in."""

CHANNEL_ORDERS = tuple(itertools.permutations(RGB))[1:]
"""The five orders of R, G, B that change something."""

REFERENCE_ORDERS = (RGB, RGB, *CHANNEL_ORDERS)
"""The reference's seven entries, of which two change nothing: at p 0.5 its colours change with p 5/14 = 0.357."""

_RGB_TO_YIQ = np.array([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
"""Luma and the two axes of colour of NTSC television."""

_STRIPE = 16
"""Rows that are blurred at a time, few enough to stay in the cache."""


def rearrange(image: np.ndarray, mirrored: bool, order: tuple[int, int, int]) -> np.ndarray:
    """Mirrors left to right and reorders the channels, in one copy; the image itself where neither is asked for.

    A view would cost nothing here and several times as much where it is copied into a batch: three bytes at a time.
    """
    if not mirrored and order == RGB:
        return image
    view = image[:, ::-1] if mirrored else image
    result = np.empty(image.shape, np.uint8)
    for channel, origin in enumerate(order):
        result[..., channel] = view[..., origin]
    return result


def recolour(
    image: np.ndarray,
    *,
    gamma: float = 1.0,
    brightness: float = 1.0,
    contrast: float = 1.0,
    saturation: float = 1.0,
    hue: float = 0.0,
) -> np.ndarray:
    """Hue and saturation by one matrix, then gamma, brightness and contrast by one table.

    Args:
        image: uint8 `(H, W, 3)`.
        gamma: exponent of the grey level between 0 and 1; below 1 the picture gets lighter.
        brightness: factor of the grey level.
        contrast: factor of the distance from the picture's mean grey level.
        saturation: factor of the distance from the grey of the same luma; 0 gives a grey picture.
        hue: turn of the colours about the grey axis at constant luma, in full turns.
    """
    turned, toned = (saturation, hue) != (1, 0), (gamma, brightness, contrast) != (1, 1, 1)
    if not turned and not toned:
        return image
    picture = Image.fromarray(image)
    if turned:
        picture = picture.convert("RGB", _colour_matrix(saturation, hue))
    if toned:
        picture = picture.point(3 * _tone_table(picture, gamma, brightness, contrast).tolist())
    return np.asarray(picture)


def _colour_matrix(saturation, hue):
    """Twelve numbers, row by row: three factors and an offset each. Grey stays the same grey, luma the same luma."""
    cos, sin = saturation * math.cos(2 * math.pi * hue), saturation * math.sin(2 * math.pi * hue)
    turn = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
    matrix = np.linalg.solve(_RGB_TO_YIQ, turn @ _RGB_TO_YIQ)
    return tuple(np.pad(matrix, ((0, 0), (0, 1))).ravel().tolist())


def _tone_table(picture, gamma, brightness, contrast):
    """uint8 `(256,)`: what every grey level becomes. The mean is that of the picture at an eighth of its size."""
    table = 255 * brightness * np.linspace(0, 1, 256) ** gamma
    if contrast != 1:
        middle = table[np.asarray(picture.reduce(8))].mean()
        table = (table - middle) * contrast + middle
    return np.rint(table).clip(0, 255).astype(np.uint8)


def blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur, the border mirrored. Within two grey levels of the exact one, in a fraction of Pillow's time.

    Args:
        image: uint8 `(H, W, 3)`.
        sigma: pixels, up to 5.
    """
    weights = _blur_weights(sigma)
    if len(weights) == 1:
        return image
    margin, (height, width, channels) = len(weights) - 1, image.shape
    padded = np.pad(image, ((margin, margin), (margin, margin), (0, 0)), mode="symmetric").reshape(
        -1, channels * (width + 2 * margin)
    )
    result = np.empty((height, width * channels), np.uint8)
    for top in range(0, height, _STRIPE):
        part = _weigh(padded[top : top + _STRIPE + 2 * margin].astype(np.uint16), weights, 1)
        result[top : top + _STRIPE] = _weigh(part.T, weights, channels).T
    return result.reshape(image.shape)


def _blur_weights(sigma):
    """Integers over 256: of the middle and of its neighbours at distance 1, 2, ... Rounding the tails keeps the sum."""
    if sigma <= 0:
        return [256]
    bell = np.exp(-0.5 * (np.arange(math.ceil(3 * sigma) + 1) / sigma) ** 2)
    tails = np.rint(256 * bell[::-1].cumsum()[::-1] / (2 * bell.sum() - 1)).astype(int)[1:].tolist()
    tails = [tail for tail in tails if tail] + [0]
    return [256 - 2 * tails[0], *(a - b for a, b in itertools.pairwise(tails))]


def _weigh(array, weights, step):
    """Weighted sum, uint16, along axis 0 over neighbours `step` apart; shorter by `2 step (len(weights) - 1)`.

    255 * 256 + 128 is the most that a sum reaches, which uint16 holds.
    """
    margin = step * (len(weights) - 1)
    count = len(array) - 2 * margin
    total = array[margin : margin + count] * np.uint16(weights[0]) + np.uint16(128)
    for distance, weight in enumerate(weights[1:], 1):
        before, after = margin - step * distance, margin + step * distance
        pair = array[before : before + count] + array[after : after + count]
        pair *= np.uint16(weight)
        total += pair
    total >>= 8
    return total


def add_noise(image: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Gaussian noise, independent in every value, in whole grey levels, cut off at 0 and 255.

    Args:
        image: uint8 `(H, W, 3)`.
        sigma: standard deviation, grey levels, up to 40.
        rng: gives one byte per value, which is looked up among 256 quantiles: a fifth of the time of normal numbers.
    """
    if sigma <= 0:
        return image
    table = np.rint(sigma * _quantiles()).astype(np.int8)
    levels = rng.bytes(image.size).translate(table.tobytes())
    total = image.astype(np.int16)
    total += np.frombuffer(levels, np.int8).reshape(image.shape)
    return np.clip(total, 0, 255, out=total).astype(np.uint8)


@functools.cache
def _quantiles():
    """float64 `(256,)`: a standard normal variable at the middles of 256 equally likely parts, variance made 1."""
    normal = statistics.NormalDist()
    values = np.array([normal.inv_cdf((part + 0.5) / 256) for part in range(256)])
    return values / values.std()
