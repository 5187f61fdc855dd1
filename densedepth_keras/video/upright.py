"""Decoded frames as pictures: RGB, and upright whichever way the camera was held."""

import numpy as np

_UNSPECIFIED, _HD_HEIGHT = 2, 720


def display_matrix(frame) -> np.ndarray | None:
    """Where a frame's columns and rows go on the screen: `[[a, b], [c, d]]`, signs alone count; None if as they are.

    A point `(x, y)` of the stored picture is shown at `(a x + c y, b x + d y)`.
    """
    data = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return None
    matrix = np.frombuffer(bytes(data), np.int32).reshape(3, 3)[:2, :2]
    return None if matrix[0, 0] > 0 and matrix[1, 1] > 0 and not (matrix[0, 1] or matrix[1, 0]) else matrix


def is_transposed(matrix: np.ndarray | None) -> bool:
    """Whether rows are shown as columns. Other than quarter turns count as the nearest one."""
    return matrix is not None and abs(int(matrix[0, 1])) > abs(int(matrix[0, 0]))


def turn(picture: np.ndarray, matrix: np.ndarray | None) -> np.ndarray:
    """A stored picture `(H, W, 3)` as the display matrix wants it shown: one of eight quarter turns and mirrors."""
    if matrix is None:
        return picture
    if is_transposed(matrix):
        picture, right, down = picture.transpose(1, 0, 2), matrix[1, 0], matrix[0, 1]
    else:
        right, down = matrix[0, 0], matrix[1, 1]
    picture = picture[:, ::-1] if right < 0 else picture
    picture = picture[::-1] if down < 0 else picture
    return np.ascontiguousarray(picture)


def picture_of(frame, size: tuple[int, int] | None = None) -> np.ndarray:
    """A decoded frame as upright uint8 RGB `(H, W, 3)`.

    Args:
        frame: an `av.VideoFrame`.
        size: `(height, width)`, upright, that pictures of another size are brought to.
    """
    matrix = display_matrix(frame)
    options = {}
    if size is not None:
        options["height"], options["width"] = size[::-1] if is_transposed(matrix) else size
    if frame.colorspace == _UNSPECIFIED and frame.height >= _HD_HEIGHT and frame.format.name.startswith("yuv"):
        options["src_colorspace"] = "ITU709"  # what players take such a picture for; FFmpeg's own guess is ITU601
    return turn(frame.to_ndarray(format="rgb24", **options), matrix)
