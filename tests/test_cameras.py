"""Cameras: which one a picture has, what its pixels become, and what is refused."""

import json
import math

import numpy as np
import pytest
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational

from densedepth_keras.cameras import ASSUMED_FOV, Camera, camera_for

Base = ExifTags.Base
NYU = {"fx": 518.858, "fy": 519.470, "cx": 325.582, "cy": 253.736}  # camera_params.m of the data set's toolbox
LANDSCAPE = (300, 400)  # (height, width); the diagonal is 500


def photo(path, tags, *, orientation=None, size=(400, 300)):
    """A picture with EXIF as a camera writes it; `size` is (width, height) as stored."""
    exif = Image.Exif()
    if orientation is not None:
        exif[Base.Orientation] = orientation
    exif.get_ifd(ExifTags.IFD.Exif).update(tags)
    Image.new("RGB", size, "grey").save(path, exif=exif.tobytes())
    return path


def canon(**changes):
    """Tags of a camera that tells of its sensor: 400 pixels on 20 mm, 300 on 15 mm, behind a 10 mm lens."""
    tags = {
        "FocalLength": IFDRational(10, 1),
        "FocalPlaneXResolution": IFDRational(200, 1),
        "FocalPlaneYResolution": IFDRational(200, 1),
        "FocalPlaneResolutionUnit": 3,  # centimetres
    } | changes
    return {getattr(Base, name): value for name, value in tags.items() if value is not None}


def intrinsics(tmp_path, content):
    path = tmp_path / "camera.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


class TestCamera:
    def test_points_by_hand(self):
        camera = Camera(2, 4, 1, 0.5, 3, 2)
        points = camera.points(np.array([[2, 2, 2], [4, 4, 0]], np.float32))
        expected = [
            [[(0 - 1) * 2 / 2, (0 - 0.5) * 2 / 4, 2], [0, -0.25, 2], [1, -0.25, 2]],
            [[(0 - 1) * 4 / 2, (1 - 0.5) * 4 / 4, 4], [0, 0.5, 4], [0, 0, 0]],  # a hole lies in the origin
        ]
        np.testing.assert_array_equal(points, np.array(expected, np.float32))
        assert points.dtype == np.float32

    def test_axes_are_right_handed_and_point_right_down_forward(self):
        points = camera_for(None, (5, 7)).points(np.full((5, 7), 2.0))
        right, down, forward = points[2, 4] - points[2, 3], points[3, 3] - points[2, 3], np.array([0, 0, 1])
        assert right[0] > 0
        assert down[1] > 0
        np.testing.assert_array_equal(np.sign(np.cross(right, down)), forward)

    @pytest.mark.parametrize("size", [(480, 640), (31, 8191)])
    def test_pixels_takes_points_back(self, size, rng):
        camera = camera_for(None, size, fov=75)
        seen = camera.pixels(camera.points(rng.uniform(0.1, 10, size)))
        v, u = np.mgrid[: size[0], : size[1]]
        # A float32 holds 7 digits: 6e-8 of 4096 pixels from the middle is 2.5e-4.
        np.testing.assert_allclose(seen, np.stack([u, v], axis=-1), atol=1e-3)

    def test_field_of_view_reaches_from_edge_to_edge(self):
        camera = camera_for(None, (480, 640), fov=90)
        assert camera.fx == camera.fy == pytest.approx(320)  # 640 / 2 / tan 45
        assert (camera.cx, camera.cy) == (319.5, 239.5)
        assert camera.fov == pytest.approx(90)

    def test_scaled_camera_sees_the_same_angles(self):
        camera = Camera(500, 510, 310, 250, 640, 480, "made")
        half = camera.scaled_to(240, 320)
        assert half == Camera(250, 255, (310 + 0.5) / 2 - 0.5, (250 + 0.5) / 2 - 0.5, 320, 240, "made")
        assert half.fov == pytest.approx(camera.fov)
        # Pixel 0 of the half covers pixels 0 and 1 of the whole: the same ray as between them.
        np.testing.assert_allclose((0 - half.cx) / half.fx, (0.5 - camera.cx) / camera.fx)

    def test_infinite_and_huge_depth_make_no_noise(self):
        points = Camera(0.1, 0.1, 0, 0, 2, 1).points(np.array([[np.inf, 3e38]], np.float32))
        assert not np.isfinite(points).all(axis=-1).any()  # 3e38 / 0.1 is no float32

    @pytest.mark.parametrize("depth", [np.ones((3, 4)), np.ones((4, 3), np.uint16), np.ones((4, 3, 1))])
    def test_other_depth_is_refused(self, depth):
        with pytest.raises(ValueError, match=rf"\(height, width\)\. Received: depth\.shape=.*{depth.dtype}"):
            Camera(1, 1, 1, 1, 3, 4).points(depth)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("fx", 0), ("fx", -1), ("fy", float("nan")), ("fy", True), ("cx", float("inf")), ("cy", "240"),
            ("cy", None), ("width", 0), ("width", 2.5), ("height", "480"), ("fx", 10**400),
        ],
    )  # fmt: skip
    def test_impossible_numbers_are_refused(self, name, value):
        numbers = {"fx": 500, "fy": 500, "cx": 320, "cy": 240, "width": 640, "height": 480} | {name: value}
        with pytest.raises(ValueError, match=f"`{name}` must be .*Received: {name}="):
            Camera(**numbers)


class TestChoice:
    def test_what_the_caller_says_comes_before_exif(self, tmp_path):
        path = photo(tmp_path / "photo.jpg", {Base.FocalLengthIn35mmFilm: 26})
        assert camera_for(path, LANDSCAPE, fov=70).source == "--fov 70"
        camera = camera_for(path, LANDSCAPE, focal_px=512.5)
        assert (camera.fx, camera.fy, camera.source) == (512.5, 512.5, "--focal-px 512.5")
        file = intrinsics(tmp_path, {"fx": 1, "fy": 2, "cx": 3, "cy": 4})
        assert camera_for(path, LANDSCAPE, intrinsics=file).source == "--intrinsics camera.json"

    @pytest.mark.parametrize("size", [(300, 400), (400, 300)])
    def test_assumed_camera_is_as_wide_upright_as_lying(self, size):
        camera = camera_for(None, size)
        assert camera.fx == camera.fy == pytest.approx(200 / math.tan(math.radians(30)))
        assert camera.source == f"assumed: {ASSUMED_FOV:g} degrees across the longer side"

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"fov": 0}, "above 0 and below 180 degrees. Received: fov=0"),
            ({"fov": 180}, "Received: fov=180"),
            ({"fov": float("nan")}, "Received: fov=nan"),
            ({"focal_px": -1}, "positive, in pixels. Received: focal_px=-1"),
            ({"focal_px": float("inf")}, "Received: focal_px=inf"),
            ({"fov": 60, "focal_px": 500}, "enough. Received: fov=60, focal_px=500"),
        ],
    )
    def test_bad_arguments(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            camera_for(None, LANDSCAPE, **arguments)


class TestExif:
    @pytest.mark.parametrize("name", ["photo.jpg", "photo.png", "photo.webp", "photo.tif"])
    def test_film_lens_compares_diagonals(self, tmp_path, name):
        path = photo(tmp_path / name, {Base.FocalLengthIn35mmFilm: 26})
        camera = camera_for(path, LANDSCAPE)
        expected = 26 * 500 / math.sqrt(36**2 + 24**2)  # pixels of the diagonal per millimetre of film's
        assert camera.fx == camera.fy == pytest.approx(expected)
        assert (camera.cx, camera.cy) == (199.5, 149.5)
        assert camera.source == f"EXIF of {name} (26 mm on 35 mm film)"

    def test_a_phone_whose_sensor_is_known(self, tmp_path):
        """4032 pixels of 1.4 micrometres behind 4.25 mm, which its maker calls 26 mm: 67.2 degrees across."""
        camera = camera_for(photo(tmp_path / "photo.jpg", {Base.FocalLengthIn35mmFilm: 26}), (3024, 4032))
        sensor = math.degrees(2 * math.atan(4032 * 1.4e-3 / 2 / 4.25))
        assert camera.fov == pytest.approx(sensor, abs=0.3)  # widths instead of diagonals would give 69.4
        assert abs(2 * math.degrees(math.atan(36 / 2 / 26)) - sensor) > 2

    @pytest.mark.parametrize("orientation", [1, 3, 6, 8])
    def test_sensor_lens(self, tmp_path, orientation):
        """Pixels twice as dense across the sensor: where the picture is turned, they are so down the upright one."""
        tags = canon(FocalPlaneXResolution=IFDRational(400, 1))
        path = photo(tmp_path / "photo.jpg", tags, orientation=orientation)
        upright = LANDSCAPE[::-1] if orientation in (6, 8) else LANDSCAPE
        camera = camera_for(path, upright)
        focals = (10 * 40, 10 * 20)  # millimetres times pixels per millimetre
        assert (camera.fx, camera.fy) == pytest.approx(focals[::-1] if orientation in (6, 8) else focals)
        assert (camera.width, camera.height) == upright[::-1]
        assert camera.source == "EXIF of photo.jpg (10 mm lens)"

    @pytest.mark.parametrize(("unit", "per_mm"), [(2, 200 / 25.4), (None, 200 / 25.4), (3, 20), (4, 200)])
    def test_units_of_the_sensor(self, tmp_path, unit, per_mm):
        path = photo(tmp_path / "photo.jpg", canon(FocalPlaneResolutionUnit=unit))
        assert camera_for(path, LANDSCAPE).fx == pytest.approx(10 * per_mm)

    def test_resized_picture_keeps_its_angles(self, tmp_path):
        path = photo(tmp_path / "photo.jpg", canon(ExifImageWidth=800, ExifImageHeight=600))
        assert camera_for(path, LANDSCAPE).fx == pytest.approx(10 * 20 / 2)
        path = photo(tmp_path / "up.jpg", canon(ExifImageWidth=800, ExifImageHeight=600), orientation=6)
        assert camera_for(path, LANDSCAPE[::-1]).fx == pytest.approx(10 * 20 / 2)

    @pytest.mark.parametrize(
        "tags",
        [
            {},
            {Base.FocalLengthIn35mmFilm: 0},
            {Base.FocalLengthIn35mmFilm: 1},  # 175 degrees across the diagonal
            {Base.FocalLengthIn35mmFilm: 65535},
            canon(FocalLength=IFDRational(0, 1)),
            canon(FocalLength=IFDRational(10, 0)),
            canon(FocalPlaneYResolution=IFDRational(0, 0)),
            canon(FocalPlaneXResolution=None),
            canon(FocalPlaneResolutionUnit=77),
            canon(ExifImageWidth=800, ExifImageHeight=300),  # cut
            canon(ExifImageWidth=0, ExifImageHeight=0),
        ],
    )
    def test_nothing_or_nonsense_falls_back(self, tmp_path, tags):
        assert camera_for(photo(tmp_path / "photo.jpg", tags), LANDSCAPE).source.startswith("assumed")

    def test_broken_exif_falls_back(self, tmp_path):
        good = photo(tmp_path / "photo.jpg", {Base.FocalLengthIn35mmFilm: 26}).read_bytes()
        start = good.index(b"Exif\0\0")
        for cut in range(6, 60, 3):  # the tags point into nowhere, or are none
            (tmp_path / "broken.jpg").write_bytes(good[: start + cut] + b"\xff" * 40 + good[start + cut + 40 :])
            assert camera_for(tmp_path / "broken.jpg", LANDSCAPE).fx > 0

    def test_files_without_exif(self, tmp_path):
        Image.new("RGB", (400, 300)).save(tmp_path / "plain.png")
        (tmp_path / "text.jpg").write_text("no picture")
        for name in ("plain.png", "text.jpg"):
            assert camera_for(tmp_path / name, LANDSCAPE).source.startswith("assumed")
        with pytest.raises(FileNotFoundError, match=r"No such picture\. Received: .*gone\.jpg"):
            camera_for(tmp_path / "gone.jpg", LANDSCAPE)

    def test_png_is_not_decoded_for_it(self, tmp_path, monkeypatch):
        path = photo(tmp_path / "photo.png", {Base.FocalLengthIn35mmFilm: 26})
        monkeypatch.setattr(Image.Image, "load", lambda _: pytest.fail("decoded"))
        assert camera_for(path, LANDSCAPE).source.startswith("EXIF")


class TestIntrinsics:
    def test_numbers_for_this_picture(self, tmp_path):
        camera = camera_for(None, (480, 640), intrinsics=intrinsics(tmp_path, NYU | {"coeffs": [0, 0]}))
        assert camera == Camera(**NYU, width=640, height=480, source="--intrinsics camera.json")
        assert camera.fov == pytest.approx(63.3, abs=0.1)

    @pytest.mark.parametrize(
        "matrix", [[[500, 0, 320], [0, 510, 240], [0, 0, 1]], [500.0, 0.0, 320.0, 0.0, 510.0, 240.0, 0.0, 0.0, 1.0]]
    )
    def test_matrix(self, tmp_path, matrix):
        camera = camera_for(None, (480, 640), intrinsics=intrinsics(tmp_path, {"K": matrix}))
        assert (camera.fx, camera.fy, camera.cx, camera.cy) == (500, 510, 320, 240)

    def test_numbers_for_another_size_are_scaled(self, tmp_path):
        file = intrinsics(tmp_path, NYU | {"width": 640, "height": 480})
        assert camera_for(None, (960, 1280), intrinsics=file) == camera_for(
            None, (480, 640), intrinsics=file
        ).scaled_to(960, 1280)

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("", "Expected JSON such as"),
            ("fx: 500", "Expected JSON such as"),
            ("[1, 2]", "Expected JSON such as"),
            ("[" * 100_000, "Expected JSON such as"),
            (" " * 2**20 + "{}", "at most 1048576 bytes"),
            ({"fx": 500, "cx": 1}, "missing: fy, cy. Received: \\['cx', 'fx'\\]"),
            (NYU | {"fx": -3}, "`fx` must be .*Received: fx=-3"),
            (NYU | {"cy": "middle"}, "Received: cy='middle'"),
            ('{"fx": NaN, "fy": 1, "cx": 1, "cy": 1}', "Received: fx=nan"),
            (NYU | {"width": 640}, "belong together. Received: width=640, height=None"),
            (NYU | {"width": 480, "height": 640}, "another shape .*Received: width=480, height=640"),
            (NYU | {"cx": 960}, "lie outside the picture, 640x480.*Received: cx=960"),
            ({"K": [[500, 3, 320], [0, 500, 240], [0, 0, 1]]}, "`K` must be .*Received: K="),
            ({"K": [[500, 0], [0, 500]]}, "`K` must be"),
            ({"K": "500 0 320"}, "`K` must be"),
            ({"K": [["a", 0, 320], [0, 500, 240], [0, 0, 1]]}, "`fx` must be"),
        ],
    )
    def test_bad_files(self, tmp_path, content, message):
        with pytest.raises(ValueError, match=f"(?s){message}.* in intrinsics='.*camera.json'$"):
            camera_for(None, (480, 640), intrinsics=intrinsics(tmp_path, content))

    def test_no_such_file(self, tmp_path):
        for path in (tmp_path / "none.json", tmp_path):
            with pytest.raises(FileNotFoundError, match=r"No such file of intrinsics\. Received: intrinsics="):
                camera_for(None, (480, 640), intrinsics=path)
