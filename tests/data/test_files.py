"""One image, one depth map, one pair: every format and mode, the limits, and what damage is found."""

import io
import os
import struct
import sys
import warnings
import zipfile
import zlib

import h5py
import numpy as np
import pytest
import simplejpeg
from PIL import Image, ImageOps

from densedepth_keras.data.files import check_header, read_depth, read_image, read_pair, rgb_array
from densedepth_keras.data.hdf5 import hdf5_image_size, read_hdf5_image

ORIENTATION = 0x0112


@pytest.fixture
def metres(rng):
    return rng.uniform(0.5, 9.5, (40, 50)).astype("float32")


def write_pfm(path, values, kind=b"Pf", scale=b"-1.0", dtype="<f4", keep=None):
    data = kind + b"\n%d %d\n" % values.shape[1::-1] + scale + b"\n" + values[::-1].astype(dtype).tobytes()
    path.write_bytes(data[:keep])


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def huge_png(width, height, bits=16):
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + png_chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + png_chunk(b"IEND", b"")


class TestImages:
    """Pictures of any mode become uint8 RGB."""

    def test_grey_and_bits(self, tmp_path, rng):
        grey = rng.integers(0, 256, (40, 50), dtype=np.uint8)
        Image.fromarray(grey).save(tmp_path / "grey.png")
        Image.fromarray(grey > 99).save(tmp_path / "bits.png")
        np.testing.assert_array_equal(read_image(tmp_path / "grey.png"), np.dstack([grey] * 3))
        np.testing.assert_array_equal(read_image(tmp_path / "bits.png"), np.dstack([(grey > 99) * np.uint8(255)] * 3))

    @pytest.mark.parametrize("suffix", [".png", ".tif"])
    def test_sixteen_bits_are_scaled_and_rounded(self, tmp_path, suffix):
        stored = np.arange(2**16, dtype=np.uint16).reshape(256, 256)
        Image.fromarray(stored).save(tmp_path / f"deep{suffix}")
        expected = np.round(stored / 257).astype(np.uint8)  # 65535 / 257 = 255; no ties, 257 is odd
        np.testing.assert_array_equal(read_image(tmp_path / f"deep{suffix}"), np.dstack([expected] * 3))

    def test_transparency_lies_over_black(self, tmp_path, rng):
        rgba = rng.integers(0, 256, (40, 50, 4), dtype=np.uint8)
        Image.fromarray(rgba).save(tmp_path / "glass.png")
        expected = np.round(rgba[..., :3].astype(float) * rgba[..., 3:] / 255)  # no ties either
        np.testing.assert_array_equal(read_image(tmp_path / "glass.png"), expected.astype(np.uint8))

    def test_opaque_pixels_keep_their_colour(self, tmp_path, rng):
        rgba = rng.integers(0, 256, (40, 50, 4), dtype=np.uint8)
        rgba[..., 3] = 255
        Image.fromarray(rgba).save(tmp_path / "opaque.png")
        np.testing.assert_array_equal(read_image(tmp_path / "opaque.png"), rgba[..., :3])

    def test_palette_with_a_transparent_entry(self, tmp_path):
        indices = np.arange(2000).reshape(40, 50) % 3
        picture = Image.frombytes("P", (50, 40), indices.astype(np.uint8).tobytes())
        picture.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
        picture.save(tmp_path / "palette.png", transparency=2)
        palette = np.array([[10, 20, 30], [40, 50, 60], [0, 0, 0]], np.uint8)
        np.testing.assert_array_equal(read_image(tmp_path / "palette.png"), palette[indices])

    def test_cmyk(self, tmp_path):
        Image.new("CMYK", (50, 40), (255, 0, 0, 0)).save(tmp_path / "print.tif")
        np.testing.assert_array_equal(read_image(tmp_path / "print.tif")[0, 0], [0, 255, 255])

    @pytest.mark.parametrize("mode", ["F", "I"])
    def test_undefined_ranges_are_refused(self, tmp_path, mode):
        path = tmp_path / "range.tif"
        Image.new(mode, (50, 40), 3).save(path)
        with pytest.raises(ValueError, match=rf"8 bits per channel.*mode '{mode}'.*range\.tif"):
            read_image(path)

    def test_lab_is_refused(self):
        with pytest.raises(ValueError, match=r"mode 'LAB'.*'it'"):
            rgb_array(Image.new("LAB", (50, 40)), "it")

    @pytest.mark.parametrize("suffix", [".png", ".webp", ".gif", ".tif"])
    def test_animations_are_refused(self, tmp_path, suffix):
        frames = [Image.new("RGB", (50, 40), (90 * i, 0, 0)) for i in range(3)]
        frames[0].save(tmp_path / f"moves{suffix}", save_all=True, append_images=frames[1:])
        with pytest.raises(ValueError, match=r"one picture, not an animation.*Received: 3 in .*moves"):
            read_image(tmp_path / f"moves{suffix}")

    def test_a_phones_picture_with_extras_is_read(self, tmp_path):
        frames = [Image.new("RGB", (50, 40), (0, 200, 0)), Image.new("RGB", (50, 40))]
        frames[0].save(tmp_path / "phone.jpg", "MPO", save_all=True, append_images=frames[1:])
        with Image.open(tmp_path / "phone.jpg") as picture:
            assert (picture.format, picture.n_frames) == ("MPO", 2)
        assert np.abs(read_image(tmp_path / "phone.jpg") - np.array([0, 200, 0])).max() <= 2  # JPEG's rounding

    def test_a_program_for_printers_is_not_run(self, tmp_path):
        (tmp_path / "page.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 50 40\n%%EndComments\n")
        with pytest.raises(ValueError, match=r"Not a picture that Pillow can read.*page\.png"):
            read_image(tmp_path / "page.png")


class TestJPEG:
    """Decoded past Pillow, to Pillow's bits; what is damaged or unusual is Pillow's as before."""

    @staticmethod
    def pillow(path):
        with Image.open(path) as picture:
            return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))

    @staticmethod
    def write(path, rng, mode="RGB", **settings):
        noise = Image.fromarray(rng.integers(0, 256, (23, 31, 3), dtype=np.uint8))
        noise.resize((61, 45), Image.Resampling.BICUBIC).convert(mode).save(path, **settings)  # no multiples of 8
        return path

    @pytest.fixture
    def without_pillow(self, monkeypatch):
        """Pillow opens, but must not decode."""
        monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda self: pytest.fail("decoded by Pillow"))

    @pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
    @pytest.mark.parametrize("quality", [30, 95])
    @pytest.mark.parametrize("progressive", [False, True])
    def test_pixels_are_pillows(self, tmp_path, rng, request, subsampling, quality, progressive):
        settings = {"subsampling": subsampling, "quality": quality, "progressive": progressive}
        path = self.write(tmp_path / "a.jpg", rng, **settings)
        expected = self.pillow(path)
        request.getfixturevalue("without_pillow")
        np.testing.assert_array_equal(read_image(path), expected)

    def test_colours_that_are_stored_as_they_are(self, tmp_path, rng, request):
        path = self.write(tmp_path / "a.jpg", rng, keep_rgb=True)
        expected = self.pillow(path)
        request.getfixturevalue("without_pillow")
        np.testing.assert_array_equal(read_image(path), expected)

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_turned(self, tmp_path, rng, request, orientation):
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        path = self.write(tmp_path / "a.jpg", rng, exif=exif)
        expected = self.pillow(path)
        request.getfixturevalue("without_pillow")
        np.testing.assert_array_equal(read_image(path), expected)

    @pytest.mark.parametrize("mode", ["L", "CMYK"])
    def test_other_modes(self, tmp_path, rng, mode):
        path = self.write(tmp_path / "a.jpg", rng, mode)
        np.testing.assert_array_equal(read_image(path), self.pillow(path))

    def test_what_is_cut_short_is_refused_in_pillows_words(self, tmp_path, rng):
        path = self.write(tmp_path / "a.jpg", rng)
        path.write_bytes(path.read_bytes()[:-200])
        with pytest.raises(ValueError, match=r"The image cannot be decoded: image file is truncated.*a\.jpg"):
            read_image(path)

    def test_what_only_warns_is_read_as_pillow_reads_it(self, tmp_path, rng):
        path = self.write(tmp_path / "a.jpg", rng)
        data = path.read_bytes()
        path.write_bytes(data[:-2] + b"junk" + data[-2:])  # "extraneous bytes before marker"
        with pytest.raises(ValueError, match="xtraneous"):
            simplejpeg.decode_jpeg(path.read_bytes())
        np.testing.assert_array_equal(read_image(path), self.pillow(path))

    def test_another_size_than_was_checked_is_not_decoded(self, tmp_path, rng, monkeypatch):
        """The limit was held against the size that Pillow found."""
        path = self.write(tmp_path / "a.jpg", rng)
        monkeypatch.setattr(simplejpeg, "decode_jpeg_header", lambda data: (30000, 30000, "YCbCr", "420"))
        monkeypatch.setattr(simplejpeg, "decode_jpeg", lambda data: pytest.fail("decoded at a size of its own"))
        np.testing.assert_array_equal(read_image(path), self.pillow(path))


class TestTurning:
    """An image that EXIF says is stored turned, and its depth map."""

    @pytest.fixture
    def metres(self):
        """Smooth, so that lossy pictures of it stay near, and without a symmetry."""
        rows, columns = np.mgrid[:40, :50].astype("float32")
        return 1 + rows / 10 + columns / 30

    @staticmethod
    def write(folder, depth, orientation, *, suffix=".jpg"):
        """An image painted from its depth map, both as stored."""
        image = Image.fromarray(np.dstack([(depth * 25).astype(np.uint8)] * 3))
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        image.save(folder / f"a{suffix}", exif=exif, **({"quality": 100} if suffix == ".jpg" else {}))
        return folder / f"a{suffix}"

    @pytest.mark.parametrize("orientation", [5, 6, 7, 8])
    @pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
    def test_depth_of_the_stored_size_is_turned_along(self, tmp_path, metres, orientation, suffix):
        path = self.write(tmp_path, metres, orientation, suffix=suffix)
        np.save(tmp_path / "a.npy", metres)
        image, depth = read_pair(path, tmp_path / "a.npy", units_per_metre=1)
        assert image.shape == (50, 40, 3)
        upright = np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB"))
        np.testing.assert_array_equal(image, upright)
        # Painted from the depth, and still the same picture; 180 levels from corner to corner, coding moves a few.
        tolerance = {".jpg": 3, ".webp": 12}.get(suffix, 0)
        assert np.abs(image[..., 0].astype(int) - (depth * 25).astype(np.uint8)).max() <= tolerance
        check_header(path, tmp_path / "a.npy")

    @pytest.mark.parametrize("orientation", [5, 6, 7, 8])
    def test_depth_of_the_upright_size_is_taken_as_it_is(self, tmp_path, metres, orientation):
        path = self.write(tmp_path, metres.T, orientation)
        np.save(tmp_path / "a.npy", metres)
        np.testing.assert_array_equal(read_pair(path, tmp_path / "a.npy", units_per_metre=1)[1], metres)
        check_header(path, tmp_path / "a.npy")

    @pytest.mark.parametrize(("orientation", "size"), [(2, (40, 50)), (3, (40, 50)), (4, (40, 50)), (6, (40, 40))])
    @pytest.mark.parametrize("read", [check_header, lambda *paths: read_pair(*paths, units_per_metre=1)])
    def test_one_size_both_ways_is_refused(self, tmp_path, metres, orientation, size, read):
        depth = np.resize(metres, size)
        path = self.write(tmp_path, depth, orientation)
        np.save(tmp_path / "a.npy", depth)
        with pytest.raises(ValueError, match=rf"both ways have one size.*orientation {orientation} in .*a\.jpg"):
            read(path, tmp_path / "a.npy")

    @pytest.mark.parametrize("read", [check_header, lambda *paths: read_pair(*paths, units_per_metre=1)])
    def test_third_sizes_are_refused(self, tmp_path, metres, read):
        path = self.write(tmp_path, metres, 6)
        np.save(tmp_path / "a.npy", metres[:, :45])
        with pytest.raises(ValueError, match="image of 40x50, depth of 45x40"):
            read(path, tmp_path / "a.npy")

    def test_exif_behind_the_pixels_of_a_png_counts(self, tmp_path, metres):
        plain = io.BytesIO()
        Image.fromarray(np.zeros((40, 50, 3), np.uint8)).save(plain, "PNG")
        exif = Image.Exif()
        exif[ORIENTATION] = 6
        late = png_chunk(b"eXIf", exif.tobytes()[6:])
        (tmp_path / "a.png").write_bytes(plain.getvalue()[:-12] + late + plain.getvalue()[-12:])
        np.save(tmp_path / "a.npy", metres)
        check_header(tmp_path / "a.png", tmp_path / "a.npy")
        assert read_pair(tmp_path / "a.png", tmp_path / "a.npy", units_per_metre=1)[0].shape == (50, 40, 3)

    @pytest.mark.parametrize("suffix", [".png", ".tif"])
    def test_depth_that_calls_itself_turned_is_refused(self, tmp_path, metres, suffix):
        exif = Image.Exif()
        exif[ORIENTATION] = 6
        path = tmp_path / f"a{suffix}"
        Image.fromarray((metres * 1000).astype(np.uint16)).save(path, exif=exif)
        with pytest.raises(ValueError, match=r"stored upright; its EXIF orientation is 6.*a\."):
            read_depth(path, units_per_metre=1000)


class TestDepthFormats:
    """Every format gives the same metres."""

    def test_pfm_of_both_byte_orders(self, tmp_path, metres):
        write_pfm(tmp_path / "little.pfm", metres)
        write_pfm(tmp_path / "big.pfm", metres, scale=b"1", dtype=">f4")
        for name in ("little.pfm", "big.pfm"):
            np.testing.assert_array_equal(read_depth(tmp_path / name, units_per_metre=1), metres)

    @pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
    def test_npz_of_one_array_or_with_depth(self, tmp_path, metres, save):
        save(tmp_path / "one.npz", metres)
        save(tmp_path / "named.npz", depth=metres, confidence=metres > 2)
        for name in ("one.npz", "named.npz"):
            np.testing.assert_array_equal(read_depth(tmp_path / name, units_per_metre=1), metres)

    @pytest.mark.parametrize("dtype", ["<f2", ">f4", "<f8", "u1", ">u2", "<i4", "<u8"])
    @pytest.mark.parametrize("order", ["C", "F"])
    def test_npy_of_any_numbers_is_divided_in_float32(self, tmp_path, metres, dtype, order):
        stored = np.asarray(metres * 20, dtype=dtype, order=order)
        np.save(tmp_path / "a.npy", stored)
        expected = np.load(tmp_path / "a.npy").astype(np.float32) / np.float32(20)
        np.testing.assert_array_equal(read_depth(tmp_path / "a.npy", units_per_metre=20), expected)

    @pytest.mark.parametrize("channels", [("Z",), ("Y",), ("A", "B", "G", "R", "Z"), ("depth",), ("left.Z", "left.R")])
    def test_exr(self, tmp_path, metres, channels):
        exr = pytest.importorskip("OpenEXR", reason="optional: pip install OpenEXR")
        values = {name: metres if name.split(".")[-1] in ("Z", "Y", "depth") else metres * 0 for name in channels}
        exr.File({"compression": exr.ZIP_COMPRESSION, "type": exr.scanlineimage}, values).write(str(tmp_path / "a.exr"))
        np.testing.assert_array_equal(read_depth(tmp_path / "a.exr", units_per_metre=1), metres)

    def test_exr_in_colours(self, tmp_path, metres):
        exr = pytest.importorskip("OpenEXR", reason="optional: pip install OpenEXR")
        head = {"compression": exr.ZIP_COMPRESSION, "type": exr.scanlineimage}
        exr.File(head, {"RGB": np.dstack([metres] * 3)}).write(str(tmp_path / "grey.exr"))
        np.testing.assert_array_equal(read_depth(tmp_path / "grey.exr", units_per_metre=1), metres)
        exr.File(head, {"RGB": np.dstack([metres, metres, 2 * metres])}).write(str(tmp_path / "colour.exr"))
        with pytest.raises(ValueError, match=r"R, G and B differ.*colour\.exr"):
            read_depth(tmp_path / "colour.exr", units_per_metre=1)
        exr.File(head, {"u": metres, "v": metres}).write(str(tmp_path / "flow.exr"))
        with pytest.raises(ValueError, match=r"channel Z, Y or R.*it holds u, v.*flow\.exr"):
            read_depth(tmp_path / "flow.exr", units_per_metre=1)

    def test_exr_without_its_package(self, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "OpenEXR", None)
        with pytest.raises(ImportError, match=r"pip install OpenEXR\. Received: .*a\.exr"):
            read_depth(tmp_path / "a.exr", units_per_metre=1)

    @pytest.mark.parametrize("suffix", [".h5", ".hdf5"])
    def test_hdf5(self, tmp_path, metres, suffix):
        with h5py.File(tmp_path / f"a{suffix}", "w") as file:
            file.create_dataset("depth", data=metres, compression="gzip")
        np.testing.assert_array_equal(read_depth(tmp_path / f"a{suffix}", units_per_metre=1), metres)

    @pytest.mark.parametrize("channels_first", [True, False])
    def test_hdf5_pair(self, tmp_path, metres, rng, channels_first):
        image = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
        path = tmp_path / "a.h5"
        with h5py.File(path, "w") as file:
            file["rgb"] = image.transpose(2, 0, 1) if channels_first else image
            file["depth"] = metres
        check_header(path, path)
        read = read_pair(path, path, units_per_metre=1)
        np.testing.assert_array_equal(read[0], image)
        np.testing.assert_array_equal(read[1], metres)

    def test_values_beyond_float32_are_holes(self, tmp_path):
        stored = np.full((40, 50), 2.0)
        stored[3, 4] = 1e300
        np.save(tmp_path / "a.npy", stored)
        assert np.argwhere(read_depth(tmp_path / "a.npy", units_per_metre=1) == 0).tolist() == [[3, 4]]

    def test_both_ways_to_say_the_unit(self, tmp_path, metres):
        stored = np.round(metres * 1000).astype(np.uint16)
        Image.fromarray(stored).save(tmp_path / "a.png")
        expected = stored.astype(np.float32) / np.float32(1000)
        np.testing.assert_array_equal(read_depth(tmp_path / "a.png", 0.001), expected)
        np.testing.assert_array_equal(read_depth(tmp_path / "a.png", units_per_metre=1000), expected)
        for arguments in ({}, {"metres_per_unit": 1.0, "units_per_metre": 1.0}):
            with pytest.raises(ValueError, match="Give one of"):
                read_depth(tmp_path / "a.png", **arguments)


def _text(folder, name, data):
    (folder / name).write_bytes(data)


def _two_arrays(folder, metres):
    np.savez(folder / "a.npz", near=metres, far=metres)


def _objects(folder, metres):
    np.save(folder / "a.npy", np.full((40, 50), None), allow_pickle=True)


def _lying_npz(folder, metres):
    """A header that promises more than the member holds."""
    data = io.BytesIO()
    np.save(data, metres)
    with zipfile.ZipFile(folder / "a.npz", "w") as archive:
        archive.writestr("depth.npy", data.getvalue().replace(b"(40, 50)", b"(80, 50)"))


def _linked_hdf5(folder, metres):
    with h5py.File(folder / "other.h5", "w") as file:
        file["secret"] = metres
    with h5py.File(folder / "a.h5", "w") as file:
        file["depth"] = h5py.ExternalLink(str(folder / "other.h5"), "/secret")


def _outside_hdf5(folder, metres):
    (folder / "secret").write_bytes(metres.tobytes())
    with h5py.File(folder / "a.h5", "w") as file:
        file.create_dataset("depth", (40, 50), "f4", external=[(str(folder / "secret"), 0, 8000)])


def _virtual_hdf5(folder, metres):
    with h5py.File(folder / "other.h5", "w") as file:
        file["secret"] = metres
    layout = h5py.VirtualLayout((40, 50), "f4")
    layout[:] = h5py.VirtualSource(str(folder / "other.h5"), "secret", (40, 50))
    with h5py.File(folder / "a.h5", "w") as file:
        file.create_virtual_dataset("depth", layout)


def _group_hdf5(folder, metres):
    with h5py.File(folder / "a.h5", "w") as file:
        file["depth/values"] = metres


def _empty_hdf5(folder, metres):
    with h5py.File(folder / "a.h5", "w") as file:
        file["depth"] = h5py.Empty("f4")


def _time_hdf5(path, name, shape):
    """A dataset of HDF5's time type, which NumPy does not know."""
    with h5py.File(path, "w") as file:
        h5py.h5d.create(file.id, name.encode(), h5py.h5t.UNIX_D32LE, h5py.h5s.create_simple(shape))


BROKEN = {
    "colour PFM": ("a.pfm", lambda f, m: write_pfm(f / "a.pfm", m, kind=b"PF"), "colour PFM"),
    "no PFM": ("a.pfm", lambda f, m: _text(f, "a.pfm", b"hello\n"), "not a PFM"),
    "PFM without a scale": ("a.pfm", lambda f, m: write_pfm(f / "a.pfm", m, scale=b"0"), "scale of a PFM"),
    "PFM cut short": ("a.pfm", lambda f, m: write_pfm(f / "a.pfm", m, keep=-1), "cut short: 7999 bytes.*8000 expected"),
    "npy cut short": ("a.npy", lambda f, m: _cut(f, m), "cut short"),
    "no npy": ("a.npy", lambda f, m: _text(f, "a.npy", b"hello hello hello"), "cannot be read"),
    "pickled objects": ("a.npy", _objects, "two-dimensional numbers.*dtype=object"),
    "three dimensions": ("a.npy", lambda f, m: np.save(f / "a.npy", np.zeros((40, 50, 3))), r"shape=\(40, 50, 3\)"),
    "complex": ("a.npy", lambda f, m: np.save(f / "a.npy", m + 1j), "dtype=complex64"),
    "bool": ("a.npy", lambda f, m: np.save(f / "a.npy", m > 3), "dtype=bool"),
    "empty": ("a.npy", lambda f, m: np.save(f / "a.npy", m[:0]), r"shape=\(0, 50\)"),
    "npz of two": ("a.npz", _two_arrays, "one called 'depth'; it holds near, far"),
    "npz that lies": ("a.npz", _lying_npz, "cut short"),
    "no npz": ("a.npz", lambda f, m: _text(f, "a.npz", b"PK hello"), "cannot be read"),
    "external link": ("a.h5", _linked_hdf5, "expected a dataset 'depth'"),
    "external storage": ("a.h5", _outside_hdf5, "lies in another file"),
    "virtual": ("a.h5", _virtual_hdf5, "lies in another file"),
    "group": ("a.h5", _group_hdf5, "expected a dataset 'depth'"),
    "HDF5 without values": ("a.h5", _empty_hdf5, r"two-dimensional numbers.*shape=\(\)"),
    "HDF5 of times": ("a.h5", lambda f, m: _time_hdf5(f / "a.h5", "depth", (40, 50)), "cannot be read: No NumPy"),
    "no HDF5": ("a.h5", lambda f, m: _text(f, "a.h5", b"hello"), "cannot be read"),
    "jpeg in disguise": ("a.png", lambda f, m: Image.new("L", (50, 40)).save(f / "a.png", "JPEG"), "in PNG or TIFF"),
    "palette": ("a.png", lambda f, m: Image.new("P", (50, 40)).save(f / "a.png"), "a palette picture"),
}


def _cut(folder, metres):
    np.save(folder / "a.npy", metres)
    (folder / "a.npy").write_bytes((folder / "a.npy").read_bytes()[:-1])


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_depth_is_named_by_reading_and_by_checking(tmp_path, metres, kind):
    name, write, message = BROKEN[kind]
    write(tmp_path, metres)
    Image.new("RGB", (50, 40)).save(tmp_path / "image.jpg")
    for read in (
        lambda path: read_depth(path, units_per_metre=1),
        lambda path: check_header(tmp_path / "image.jpg", path),
    ):
        with pytest.raises(ValueError, match=rf"(?s){message}.*{name}|{name}.*{message}"):
            read(tmp_path / name)


def test_an_image_of_times_is_named(tmp_path):
    _time_hdf5(tmp_path / "a.h5", "rgb", (40, 50, 3))
    for read in (hdf5_image_size, read_hdf5_image):
        with pytest.raises(ValueError, match=r"The image cannot be read: No NumPy.*a\.h5"):
            read(tmp_path / "a.h5")


class TestLimits:
    """What is too large is refused from its header, by an ordinary error, and pipes are not waited for."""

    @pytest.mark.parametrize(("width", "height"), [(8193, 8192), (12000, 9000), (30000, 30000)])
    def test_pictures(self, tmp_path, width, height):
        path = tmp_path / "huge.png"
        path.write_bytes(huge_png(width, height))
        for read in (
            read_image,
            lambda path: read_depth(path, units_per_metre=1),
            lambda path: check_header(path, path),
        ):
            with pytest.raises(ValueError, match=r"at most 67108864 pixels \(8192x8192\).*huge\.png"):
                read(path)

    def test_between_the_limits_pillow_warns_and_the_error_stays(self, tmp_path):
        (tmp_path / "huge.png").write_bytes(huge_png(12000, 9000))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pytest.raises(ValueError, match=r"at most .*12000x9000"):
                read_image(tmp_path / "huge.png")

    def test_arrays(self, tmp_path):
        shape = (30000, 30000)
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": shape})
        with open(tmp_path / "a.npy", "wb") as file:
            file.write(header.getvalue())
            file.truncate(2**20)
        (tmp_path / "a.pfm").write_bytes(b"Pf\n30000 30000\n-1\n")
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file.create_dataset("depth", shape, "f4", chunks=(100, 100))
        for name, message in (
            ("a.npy", "cut short"),
            ("a.pfm", "cut short"),
            ("a.h5", "at most 67108864.*30000x30000"),
        ):
            with pytest.raises(ValueError, match=message):
                read_depth(tmp_path / name, units_per_metre=1)

    def test_zip_bomb_stays_folded(self, tmp_path):
        header = io.BytesIO()
        shape = (9000, 9000)
        np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
        with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("depth.npy", header.getvalue() + bytes(9000 * 9000))
        assert (tmp_path / "a.npz").stat().st_size < 100_000
        with pytest.raises(ValueError, match=r"at most 67108864.*9000x9000 in .*a\.npz"):
            read_depth(tmp_path / "a.npz", units_per_metre=1)

    def test_sparse_file_of_two_gigabytes(self, tmp_path):
        with open(tmp_path / "a.png", "wb") as file:
            file.truncate(2**31)
        with pytest.raises(ValueError, match=r"at most 1073741824 bytes.*2147483648 bytes in .*a\.png"):
            read_depth(tmp_path / "a.png", units_per_metre=1)

    @pytest.mark.parametrize("suffix", [".png", ".npy", ".h5", ".exr"])
    def test_pipes_are_not_waited_for(self, tmp_path, suffix):
        if suffix == ".exr":
            pytest.importorskip("OpenEXR", reason="optional: pip install OpenEXR")
        os.mkfifo(tmp_path / f"a{suffix}")
        with pytest.raises(ValueError, match="regular file"):
            read_depth(tmp_path / f"a{suffix}", units_per_metre=1)


class TestDamage:
    """No changed byte of a PNG passes, no JPEG or PNG that is cut short."""

    @pytest.mark.parametrize("dtype", [np.uint16, np.uint8])
    def test_no_flipped_bit_of_a_png_changes_depth(self, tmp_path, rng, dtype):
        stored = (np.arange(2000).reshape(40, 50) + rng.integers(0, 9, (40, 50))).astype(dtype)
        path = tmp_path / "a.png"
        Image.fromarray(stored).save(path)
        whole = path.read_bytes()
        expected, read = read_depth(path, units_per_metre=1), 0
        for position in rng.integers(0, len(whole), 300):
            damaged = bytearray(whole)
            damaged[position] ^= 1 << rng.integers(8)
            path.write_bytes(damaged)
            try:
                np.testing.assert_array_equal(read_depth(path, units_per_metre=1), expected)
                read += 1
            except ValueError as error:
                assert "a.png" in str(error)  # noqa: PT017
        assert read == 0  # every byte of a PNG is under a checksum or in the signature

    @pytest.mark.parametrize("suffix", [".jpg", ".png"])
    @pytest.mark.parametrize("cut", [1, 2, 5, 12, 13, 200])
    def test_cut_pictures_are_found_with_and_without_decoding(self, tmp_path, rng, metres, suffix, cut):
        image = tmp_path / f"a{suffix}"
        Image.fromarray(rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)).save(image)
        Image.fromarray((metres * 1000).astype(np.uint16)).save(tmp_path / "depth.png")
        check_header(image, tmp_path / "depth.png")
        image.write_bytes(image.read_bytes()[:-cut])
        for read in (read_image, lambda path: check_header(path, tmp_path / "depth.png")):
            with pytest.raises(ValueError, match=rf"cannot be decoded.*a\{suffix}"):
                read(image)

    def test_what_cameras_append_is_no_damage(self, tmp_path, rng, metres):
        Image.fromarray(rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)).save(tmp_path / "a.jpg")
        Image.fromarray((metres * 1000).astype(np.uint16)).save(tmp_path / "depth.png")
        for name in ("a.jpg", "depth.png"):
            with open(tmp_path / name, "ab") as file:
                file.write(bytes(5000))
        check_header(tmp_path / "a.jpg", tmp_path / "depth.png")
        assert read_pair(tmp_path / "a.jpg", tmp_path / "depth.png", units_per_metre=1000)[0].shape == (40, 50, 3)

    @pytest.mark.filterwarnings("ignore")  # Pillow warns of broken EXIF and TIFF tags; here only the errors count
    @pytest.mark.parametrize("name", ["a.tif", "a.npy", "a.npz", "a.pfm", "a.h5", "a.exr"])
    def test_mutated_files_are_read_or_refused(self, tmp_path, rng, metres, name):
        path = tmp_path / name
        save = {
            ".tif": lambda: Image.fromarray(metres).save(path, compression="tiff_deflate"),
            ".npy": lambda: np.save(path, metres),
            ".npz": lambda: np.savez_compressed(path, depth=metres),
            ".pfm": lambda: write_pfm(path, metres),
            ".h5": lambda: _gzip_hdf5(path, metres),
            ".exr": lambda: _zip_exr(path, metres),
        }
        save[path.suffix]()
        whole = path.read_bytes()
        refused = 0
        for trial in range(150):
            damaged = bytearray(whole)
            position = int(rng.integers(len(whole) if trial % 2 else min(400, len(whole))))
            damaged[position] ^= 1 << rng.integers(8)
            path.write_bytes(damaged if trial % 5 else damaged[:position])
            try:
                assert np.isfinite(read_depth(path, units_per_metre=1)).all()
            except ValueError as error:
                assert name in str(error)  # noqa: PT017
                refused += 1
        assert refused >= 30  # a fifth is cut short


def _gzip_hdf5(path, metres):
    with h5py.File(path, "w") as file:
        file.create_dataset("depth", data=metres, compression="gzip")


def _zip_exr(path, metres):
    exr = pytest.importorskip("OpenEXR", reason="optional: pip install OpenEXR")
    exr.File({"compression": exr.ZIP_COMPRESSION, "type": exr.scanlineimage}, {"Z": metres}).write(str(path))
