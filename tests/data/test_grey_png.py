"""Grey PNG past Pillow: the same numbers for every filter, and None for whatever is unusual."""

import io
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from compiler import CAN_BUILD
from PIL import Image

from densedepth_keras.data import grey_png
from densedepth_keras.data.files import read_depth
from densedepth_keras.data.grey_png import decode_grey

pytestmark = pytest.mark.skipif(grey_png.unfilter is None and not CAN_BUILD, reason="no C compiler")


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, bits, stream, *, colour=0, interlaced=0, pieces=1):
    """A PNG of this zlib stream, cut into so many chunks."""
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlaced)
    step = -(-len(stream) // pieces)
    parts = [chunk(b"IDAT", stream[start : start + step]) for start in range(0, len(stream), step)]
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + b"".join(parts) + chunk(b"IEND", b"")


def predict(kind, left, up, corner):
    """PNG specification, section 9, word for word."""
    if kind == 4:
        estimate = left + up - corner
        return min((left, up, corner), key=lambda value: abs(estimate - value))  # the first of equals
    return (0, left, up, (left + up) // 2)[kind]


def filtered_rows(values, filters):
    """What is to be deflated: each row's filter, then its bytes less what the filter predicts."""
    size = values.itemsize
    rows = [list(row.astype(values.dtype.newbyteorder(">")).tobytes()) for row in values]
    above, result = [0] * len(rows[0]), bytearray()
    for row, kind in zip(rows, filters, strict=True):
        result.append(kind)
        for i, value in enumerate(row):
            left, corner = (row[i - size], above[i - size]) if i >= size else (0, 0)
            result.append((value - predict(kind, left, above[i], corner)) % 256)
        above = row
    return bytes(result)


def numbers(rng, height, width, dtype, kind="noise"):
    if kind == "noise":
        return rng.integers(0, np.iinfo(dtype).max + 1, (height, width)).astype(dtype)
    return (100 + rng.integers(-2, 3, (height, width)).cumsum(0) + np.arange(width)).astype(dtype)  # many ties


def pillow(data):
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
class TestDecoding:
    @pytest.mark.parametrize("kind", ["noise", "smooth"])
    @pytest.mark.parametrize("filters", [[0], [1], [2], [3], [4], [4, 2, 0, 3, 1, 1, 4]])
    def test_filters(self, rng, dtype, kind, filters):
        values = numbers(rng, 28, 37, dtype, kind)
        filters = (filters * 28)[:28]
        data = png(37, 28, 8 * values.itemsize, zlib.compress(filtered_rows(values, filters)))
        decoded = decode_grey(data)
        np.testing.assert_array_equal(decoded, values)
        np.testing.assert_array_equal(pillow(data), values)
        assert decoded.dtype == dtype
        assert decoded.flags.writeable

    @pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1)])
    def test_narrow(self, rng, dtype, size):
        values = numbers(rng, *size, dtype)
        rows = filtered_rows(values, ([4, 3] * 9)[: size[0]])
        np.testing.assert_array_equal(decode_grey(png(*size[::-1], 8 * values.itemsize, zlib.compress(rows))), values)

    def test_what_pillow_writes(self, rng, dtype):
        for kind in ("noise", "smooth"):
            file = io.BytesIO()
            Image.fromarray(numbers(rng, 48, 64, dtype, kind)).save(file, "PNG")
            np.testing.assert_array_equal(decode_grey(file.getvalue()), pillow(file.getvalue()))

    def test_several_chunks(self, rng, dtype):
        values = numbers(rng, 40, 50, dtype)
        data = png(50, 40, 8 * values.itemsize, zlib.compress(filtered_rows(values, [4] * 40)), pieces=7)
        np.testing.assert_array_equal(decode_grey(data), values)


class TestUnusual:
    """Left to Pillow, which refuses or reads it as it always did."""

    @pytest.fixture
    def rows(self, rng):
        return filtered_rows(numbers(rng, 40, 50, np.uint16), [1] * 40)

    def test_the_rows_themselves_are_fine(self, rows):
        assert decode_grey(png(50, 40, 16, zlib.compress(rows))) is not None

    def test_an_unknown_filter(self, rows):
        assert decode_grey(png(50, 40, 16, zlib.compress(rows[:-101] + b"\5" + rows[-100:]))) is None

    @pytest.mark.parametrize("change", [lambda rows: rows[:-1], lambda rows: rows + b"\0"])
    def test_another_number_of_bytes(self, rows, change):
        assert decode_grey(png(50, 40, 16, zlib.compress(change(rows)))) is None

    @pytest.mark.parametrize("change", [lambda data: data[:-9], lambda data: data[:-1] + bytes([data[-1] ^ 1])])
    def test_a_stream_that_is_cut_or_fails_its_checksum(self, rows, change):
        assert decode_grey(png(50, 40, 16, change(zlib.compress(rows)))) is None

    @pytest.mark.parametrize("kind", [(16, 0, 1), (8, 2, 0), (8, 3, 0), (4, 0, 0), (16, 4, 0)])
    def test_other_kinds(self, rows, kind):
        bits, colour, interlaced = kind
        assert decode_grey(png(50, 40, bits, zlib.compress(rows), colour=colour, interlaced=interlaced)) is None

    @pytest.mark.parametrize("keep", [0, 8, 20, 33, 60, -13])
    def test_cut_files(self, rows, keep):
        assert decode_grey(png(50, 40, 16, zlib.compress(rows))[:keep]) is None

    def test_more_than_the_header_says_is_not_inflated(self):
        data = png(50, 40, 16, zlib.compress(bytes(2**27)))
        tracemalloc.start()
        assert decode_grey(data) is None
        assert tracemalloc.get_traced_memory()[1] < 2**20
        tracemalloc.stop()

    def test_buffers_that_do_not_fit_are_refused(self):
        with pytest.raises(ValueError, match="must have height rows"):
            grey_png.unfilter(bytes(9), bytearray(8), 2, 4, 2)
        for height, length, size in ((0, 8, 1), (2, 4, 3), (-2, -4, 2), (2, 2**62, 2), (8, 1, 2)):
            with pytest.raises(ValueError, match="must have height rows"):
                grey_png.unfilter(bytes(10), bytearray(8), height, length, size)
        with pytest.raises(TypeError):
            grey_png.unfilter(bytes(10), bytes(8), 2, 4, 2)  # not to be written to


def test_depth_maps_are_read_by_it_and_without_it_alike(tmp_path, rng, monkeypatch):
    Image.fromarray(numbers(rng, 48, 64, np.uint16, "smooth")).save(tmp_path / "depth.png")
    with monkeypatch.context() as patch:
        patch.setattr("PIL.ImageFile.ImageFile.load", lambda self: pytest.fail("decoded by Pillow"))
        fast = read_depth(tmp_path / "depth.png", units_per_metre=1000)
    monkeypatch.setattr(grey_png, "unfilter", None)
    np.testing.assert_array_equal(fast, read_depth(tmp_path / "depth.png", units_per_metre=1000))
