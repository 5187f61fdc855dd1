"""Point clouds: planes stay planes at their metres, edges are cut, files hold what the cloud holds."""

import json
import struct
import sys

import numpy as np
import pytest
import trimesh

from densedepth_keras.cameras import Camera, camera_for
from densedepth_keras.outputs.point_clouds import (
    CLOUD_WRITERS,
    PointCloud,
    check_cloud_format,
    point_cloud,
    steps,
    write_glb,
    write_pcd,
    write_ply,
)

SIZE = (48, 64)


@pytest.fixture
def picture(rng):
    return rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8)


@pytest.fixture
def camera():
    return Camera(70.0, 72.0, 30.0, 25.0, SIZE[1], SIZE[0])


@pytest.fixture
def cloud(picture, camera, rng):
    return point_cloud(picture, rng.uniform(0.5, 9.5, SIZE).astype(np.float32), camera, edge=None)


def painted_plane(camera, normal, distance):
    """Depth of the plane `normal . point = distance`, metres: of each pixel's ray, where it meets the plane."""
    v, u = np.mgrid[: camera.height, : camera.width]
    rays = np.stack([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, np.ones(u.shape)], axis=-1)
    return (distance / (rays @ normal)).astype(np.float32)


def fitted_plane(points):
    """Unit normal, distance from the origin and the largest distance of a point from the plane through all of them."""
    points = points.astype(np.float64)
    middle = points.mean(axis=0)
    normal = np.linalg.svd(points - middle, full_matrices=False)[2][2]
    normal *= np.sign(normal @ middle)
    return normal, normal @ middle, np.abs((points - middle) @ normal).max()


def read_pcd(path):
    """What the documentation of PCD 0.7 says of a binary file, and nothing else."""
    data = path.read_bytes()
    head, body = data.split(b"DATA binary\n", 1)
    lines = dict(line.split(" ", 1) for line in head.decode("ascii").splitlines() if not line.startswith("#"))
    count = int(lines["POINTS"])
    assert (lines["FIELDS"], lines["SIZE"], lines["TYPE"], lines["COUNT"]) == (
        "x y z rgb",
        "4 4 4 4",
        "F F F F",
        "1 1 1 1",
    )
    assert (lines["VERSION"], int(lines["WIDTH"]), int(lines["HEIGHT"]), len(body)) == ("0.7", count, 1, 16 * count)
    assert [float(number) for number in lines["VIEWPOINT"].split()] == [0, 0, 0, 1, 0, 0, 0]
    points = np.frombuffer(body, "<f4").reshape(-1, 4)[:, :3]
    packed = np.frombuffer(body, "<u4").reshape(-1, 4)[:, 3]
    return points, np.stack([packed >> 16 & 255, packed >> 8 & 255, packed & 255], axis=-1)


def read_glb(path):
    """Points, colours and description of a binary glTF 2.0 of one mesh, by the specification."""
    data = path.read_bytes()
    magic, version, length, json_bytes, json_kind = struct.unpack("<4sII I4s", data[:20])
    assert (magic, version, length, json_kind) == (b"glTF", 2, len(data), b"JSON")
    tree = json.loads(data[20 : 20 + json_bytes])
    chunk, kind = struct.unpack("<I4s", data[20 + json_bytes : 28 + json_bytes])
    assert (kind, chunk) == (b"BIN\0", tree["buffers"][0]["byteLength"])
    body = data[28 + json_bytes :]
    primitive = tree["meshes"][0]["primitives"][0]
    arrays = []
    for name in ("POSITION", "COLOR_0"):
        accessor = tree["accessors"][primitive["attributes"][name]]
        view = tree["bufferViews"][accessor["bufferView"]]
        assert (accessor["componentType"], accessor["type"], view["byteOffset"] % 4) == (5126, "VEC3", 0)
        assert "normalized" not in accessor
        assert view["byteLength"] == 12 * accessor["count"]
        array = np.frombuffer(body, "<f4", 3 * accessor["count"], view["byteOffset"]).reshape(-1, 3)
        np.testing.assert_allclose([accessor["min"], accessor["max"]], [array.min(axis=0), array.max(axis=0)])
        arrays.append(array)
    return *arrays, tree, primitive


class TestMetres:
    def test_wall_comes_back_flat_and_at_its_metres(self, picture, camera):
        cloud = point_cloud(picture, np.full(SIZE, 2.5, np.float32), camera)
        normal, distance, residual = fitted_plane(cloud.points)
        np.testing.assert_allclose(normal, [0, 0, 1], atol=1e-6)
        assert distance == pytest.approx(2.5, abs=1e-6)
        assert residual < 1e-4  # metres
        # The outermost pixel centres: 63 and 47 pixels apart at 2.5 m behind focal lengths of 70 and 72 pixels.
        np.testing.assert_allclose(np.ptp(cloud.points, axis=0), [63 * 2.5 / 70, 47 * 2.5 / 72, 0], rtol=1e-6)

    @pytest.mark.parametrize("normal", [(0.6, 0, 0.8), (0, -0.8, 0.6), (0.48, 0.6, 0.64)])
    def test_slanted_plane_comes_back(self, picture, camera, normal):
        depth = painted_plane(camera, np.array(normal), 3.0)
        cloud = point_cloud(picture, depth, camera, edge=None)
        found, distance, residual = fitted_plane(cloud.points)
        np.testing.assert_allclose(found, normal, atol=1e-5)
        assert distance == pytest.approx(3.0, abs=1e-4)
        assert residual < 1e-4  # metres; the points are up to 12 m away, where a float32 is exact to 5e-7

    def test_floor_lies_below_and_ahead(self, picture):
        """A camera 1.5 m above a floor sees it in its lower half: Y is down."""
        camera = camera_for(None, SIZE, fov=80)
        depth = painted_plane(camera, np.array([0, 1, 0]), 1.5)
        floor = point_cloud(picture, np.where(depth > 0, depth, 0), camera, edge=None)
        np.testing.assert_allclose(floor.points[:, 1], 1.5, atol=1e-6)
        assert floor.pixels[:, 1].min() == SIZE[0] / 2
        assert (floor.points[:, 2] > 0).all()

    def test_points_are_seen_at_their_pixels(self, cloud, camera):
        np.testing.assert_allclose(camera.pixels(cloud.points), cloud.pixels, atol=1e-3)

    def test_axes_are_right_handed(self, picture, camera):
        points = point_cloud(picture, np.full(SIZE, 2.0), camera).points.reshape(*SIZE, 3)
        right, down = points[10, 20] - points[10, 10], points[20, 10] - points[10, 10]
        np.testing.assert_allclose(np.cross(right, down) / np.linalg.norm(np.cross(right, down)), [0, 0, 1], atol=1e-6)

    def test_colours_and_pixels_belong_to_the_points(self, cloud, picture, camera):
        columns, rows = cloud.pixels.T
        np.testing.assert_array_equal(cloud.colors, picture[rows, columns])
        assert [array.dtype for array in cloud] == [np.float32, np.uint8, np.int32]
        np.testing.assert_array_equal(np.diff(rows * SIZE[1] + columns) > 0, True)  # row by row

    def test_exif_turned_photograph_is_used_upright(self, tmp_path):
        """End to end: a file stored lying whose lens is known only across the sensor."""
        from PIL import ExifTags, Image

        from densedepth_keras.data.files import read_image

        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = 6
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.FocalLengthIn35mmFilm] = 28
        Image.new("RGB", SIZE[::-1], "teal").save(tmp_path / "up.jpg", exif=exif.tobytes())
        image = read_image(tmp_path / "up.jpg")
        camera = camera_for(tmp_path / "up.jpg", image.shape[:2])
        cloud = point_cloud(image, np.full(image.shape[:2], 2.0), camera)
        assert image.shape[:2] == SIZE[::-1]
        assert camera.source.startswith("EXIF")
        across, down, _ = np.ptp(cloud.points, axis=0)
        diagonal = 2 * np.hypot(36, 24) / 28  # metres that the frame's diagonal shows 2 m away
        assert np.hypot(across, down) == pytest.approx(diagonal * np.hypot(47, 63) / 80)  # between pixel centres


class TestEdges:
    def test_both_sides_of_a_step_are_cut(self):
        depth = np.full(SIZE, 2.0)
        depth[:, 32:] = 4.0
        found = steps(depth)
        assert np.flatnonzero(found.any(axis=0)).tolist() == [31, 32]
        assert found[:, 31:33].all()
        assert np.flatnonzero(steps(depth.T).any(axis=1)).tolist() == [31, 32]

    @pytest.mark.parametrize(("ratio", "cut"), [(1.09, True), (1.11, False)])
    def test_ratio_counts_whatever_the_metres(self, ratio, cut):
        for metres in (0.1, 1.0, 50.0):
            depth = np.full(SIZE, metres)
            depth[20:, :] = metres * 1.1
            assert steps(depth, ratio).any() == steps(depth[::-1], ratio).any() == cut

    def test_flying_pixels_go_and_surfaces_stay(self, picture, camera):
        depth = np.full(SIZE, 4.0)
        depth[10:30, 20:40] = 1.5
        depth[10:30, 40] = 2.6  # between the box and the wall, as an enlarged map has it
        kept = point_cloud(picture, depth, camera).points[:, 2]
        assert sorted(set(kept.tolist())) == [1.5, 4.0]
        assert 2.6 in point_cloud(picture, depth, camera, edge=None).points[:, 2].astype(np.float64).round(5)

    def test_enlarging_cuts_about_the_same_share(self):
        small = np.full((480, 640), 4.0)
        small[100:300, 200:400] = 1.5
        large = small.repeat(4, axis=0).repeat(4, axis=1)
        assert steps(large).mean() == pytest.approx(steps(small).mean(), rel=0.02)  # corners differ
        ramp = np.linspace(1.5, 4.0, 13)  # a step that enlarging spread over 12 pixels, each 8 % or less
        smeared = np.concatenate([np.full(1274, 1.5), ramp, np.full(1273, 4.0)])[None].repeat(8, axis=0)
        assert steps(smeared)[0, 1274:1287].all()

    def test_steep_but_whole_surfaces_stay(self):
        """A floor seen by a camera 1.5 m above it, 640x480: a row is up to 4 % of depth."""
        camera = camera_for(None, (480, 640), fov=63)
        depth = painted_plane(camera, np.array([0, 1, 0]), 1.5)
        near = (depth > 0) & (depth < 30)
        assert not steps(np.where(near, depth, 0)).any()

    def test_holes_are_no_steps_and_no_points(self, picture, camera):
        depth = np.full(SIZE, 2.0)
        depth[5, 5], depth[6, 9], depth[7, 13], depth[8, 17] = 0, np.nan, np.inf, -3
        assert not steps(depth).any()
        cloud = point_cloud(picture, depth, camera)
        assert len(cloud.points) == depth.size - 4
        assert not {(5, 5), (9, 6), (13, 7), (17, 8)} & set(map(tuple, cloud.pixels.tolist()))


class TestThinning:
    @pytest.mark.parametrize("count", [1, 7, 100, 1000, 3071])
    def test_number_is_exact_and_the_choice_always_the_same(self, picture, camera, count):
        clouds = [point_cloud(picture, np.full(SIZE, 2.0), camera, max_points=count) for _ in range(2)]
        assert len(clouds[0].points) == count == len(np.unique(clouds[0].pixels, axis=0))
        np.testing.assert_array_equal(clouds[0].pixels, clouds[1].pixels)
        columns, rows = clouds[0].pixels.T
        np.testing.assert_array_equal(clouds[0].colors, picture[rows, columns])

    @pytest.mark.parametrize("count", [3072, 10**9])
    def test_enough_is_left_alone(self, picture, camera, count):
        assert len(point_cloud(picture, np.full(SIZE, 2.0), camera, max_points=count).points) == 3072

    @pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 0.7])
    def test_points_lie_evenly(self, share):
        size = (480, 640)
        image, depth = np.zeros((*size, 3), np.uint8), np.full(size, 2.0)
        count = round(share * depth.size)
        cloud = point_cloud(image, depth, camera_for(None, size), max_points=count)
        blocks = np.zeros((12, 16))  # of 40x40 pixels
        np.add.at(blocks, tuple(cloud.pixels[:, ::-1].T // 40), 1)
        expected = 1600 * share
        # Chance would spread by sqrt(expected (1 - share)), 6 to 18 here; an even pattern by less than half of it.
        assert blocks.std() < 0.5 * np.sqrt(expected * (1 - share))
        assert abs(blocks - expected).max() < 0.25 * expected


class TestFiles:
    def test_ply_holds_the_cloud(self, tmp_path, cloud, camera):
        write_ply(tmp_path / "cloud.ply", cloud)
        read = trimesh.load(tmp_path / "cloud.ply")
        assert isinstance(read, trimesh.PointCloud)
        np.testing.assert_array_equal(read.vertices.astype(np.float32), cloud.points)
        np.testing.assert_array_equal(read.colors[:, :3], cloud.colors)
        np.testing.assert_allclose(camera.pixels(read.vertices), cloud.pixels, atol=1e-3)
        assert (tmp_path / "cloud.ply").read_bytes().startswith(b"ply\nformat binary_little_endian 1.0\n")

    def test_pcd_holds_the_cloud(self, tmp_path, cloud):
        write_pcd(tmp_path / "cloud.pcd", cloud)
        points, colors = read_pcd(tmp_path / "cloud.pcd")
        np.testing.assert_array_equal(points, cloud.points)
        np.testing.assert_array_equal(colors, cloud.colors)

    def test_glb_holds_the_cloud_in_its_own_axes(self, tmp_path, cloud):
        write_glb(tmp_path / "cloud.glb", cloud)
        points, linear, tree, primitive = read_glb(tmp_path / "cloud.glb")
        np.testing.assert_array_equal(points, cloud.points * [1, -1, -1])
        light = linear.astype(np.float64)
        coded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)  # back to sRGB
        np.testing.assert_allclose(coded * 255, cloud.colors, atol=1e-3)  # of 255; the two formulas meet to 1e-4
        assert primitive["mode"] == 0  # points
        assert tree["materials"] == [{"extensions": {"KHR_materials_unlit": {}}}]
        assert tree["extensionsUsed"] == ["KHR_materials_unlit"]

    def test_glb_is_read_by_trimesh(self, tmp_path, cloud):
        write_glb(tmp_path / "cloud.glb", cloud)
        (read,) = trimesh.load(tmp_path / "cloud.glb").geometry.values()
        np.testing.assert_array_equal(read.vertices.astype(np.float32) * [1, -1, -1], cloud.points)
        linear = (cloud.colors / 255 + 0.055) / 1.055
        expected = np.where(cloud.colors > 10, linear**2.4, cloud.colors / 255 / 12.92) * 255
        np.testing.assert_allclose(read.colors[:, :3], expected, atol=0.51)  # trimesh rounds to whole numbers

    def test_glb_axes_are_right_handed_and_up_is_up(self, tmp_path, picture, camera):
        write_glb(tmp_path / "cloud.glb", point_cloud(picture, np.full(SIZE, 2.0), camera))
        points = read_glb(tmp_path / "cloud.glb")[0].reshape(*SIZE, 3)
        right, up = points[20, 20] - points[20, 10], points[10, 20] - points[20, 20]
        assert right[0] > 0
        assert up[1] > 0
        assert (points[..., 2] == -2).all()
        np.testing.assert_array_equal(np.sign(np.cross(right, up)), [0, 0, 1])  # towards the photographer

    def test_writing_glb_twice_changes_nothing(self, tmp_path, cloud):
        """trimesh's default material is one dictionary for all: another's cloud must not become unlit."""
        before = trimesh.PointCloud(cloud.points, cloud.colors).export(file_type="glb")
        write_glb(tmp_path / "a.glb", cloud)
        write_glb(tmp_path / "b.glb", cloud)
        assert (tmp_path / "a.glb").read_bytes() == (tmp_path / "b.glb").read_bytes()
        assert trimesh.PointCloud(cloud.points, cloud.colors).export(file_type="glb") == before

    @pytest.mark.parametrize("name", CLOUD_WRITERS)
    def test_one_point_of_one_colour(self, tmp_path, name):
        suffix, write = CLOUD_WRITERS[name]
        write(
            tmp_path / f"one{suffix}", PointCloud(*(np.ones((1, n), t) for n, t in ((3, "f4"), (3, "u1"), (2, "i4"))))
        )
        assert (tmp_path / f"one{suffix}").stat().st_size > 100
        assert [path.name for path in tmp_path.iterdir()] == [f"one{suffix}"]  # nothing beside it

    @pytest.mark.parametrize("name", CLOUD_WRITERS)
    def test_empty_cloud_is_refused(self, tmp_path, name):
        empty = PointCloud(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.uint8), np.zeros((0, 2), np.int32))
        with pytest.raises(ValueError, match=r"empty point cloud .*Received: cloud of 0 points"):
            CLOUD_WRITERS[name][1](tmp_path / "empty", empty)
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("name", CLOUD_WRITERS)
    def test_nothing_is_left_where_nothing_can_be_written(self, tmp_path, cloud, name):
        with pytest.raises(FileNotFoundError):
            CLOUD_WRITERS[name][1](tmp_path / "none" / "cloud", cloud)
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize(("name", "package"), [("ply", "trimesh"), ("glb", "trimesh"), ("pcd", "pypcd4")])
    def test_missing_package_is_named(self, tmp_path, cloud, monkeypatch, name, package):
        check_cloud_format(name)
        monkeypatch.setitem(sys.modules, package, None)
        message = rf"{package}.*pip install densedepth_keras\[points\]\. Received: format='{name}'"
        with pytest.raises(ImportError, match=message):
            check_cloud_format(name)
        with pytest.raises(ImportError, match=message):
            CLOUD_WRITERS[name][1](tmp_path / "cloud", cloud)

    def test_unknown_format(self):
        with pytest.raises(ValueError, match=r"Unknown point cloud format.*format='plyy'\. Did you mean 'ply'"):
            check_cloud_format("plyy")


class TestBadInput:
    @pytest.mark.parametrize("value", [0, np.nan, np.inf, -1])
    def test_no_point_left(self, picture, camera, value):
        with pytest.raises(ValueError, match=r"No point is left: .*Received: depth.shape=\(48, 64\), "):
            point_cloud(picture, np.full(SIZE, value, np.float32), camera)

    def test_steps_everywhere(self, picture, camera):
        depth = np.where(np.indices(SIZE).sum(axis=0) % 2, 1.0, 5.0)
        with pytest.raises(ValueError, match=r"Received: .*3072 positive, edge=1\.05"):
            point_cloud(picture, depth, camera)

    def test_huge_depth_is_no_noise(self, picture, camera):
        depth = np.full(SIZE, 2.0, np.float32)
        depth[10:12, 10:12] = 3.4e38  # times the ratio, or seen more than 45 degrees aside: no float32
        narrow = Camera(5.0, 5.0, camera.cx, camera.cy, camera.width, camera.height)
        assert np.isfinite(point_cloud(picture, depth, narrow).points).all()
        kept = point_cloud(picture, depth, narrow, edge=None)
        assert np.isfinite(kept.points).all()
        assert len(kept.points) == depth.size - 4

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"max_points": 0}, "Received: max_points=0"),
            ({"edge": 1}, "above 1.*Received: edge=1"),
            ({"edge": float("nan")}, "Received: edge=nan"),
            ({"edge": float("inf")}, "Received: edge=inf"),
        ],
    )
    def test_arguments_out_of_bounds(self, picture, camera, arguments, message):
        with pytest.raises(ValueError, match=message):
            point_cloud(picture, np.full(SIZE, 2.0), camera, **arguments)

    @pytest.mark.parametrize("image", [np.zeros((48, 64), "u1"), np.zeros((64, 48, 3), "u1"), np.zeros((48, 64, 3))])
    def test_pictures_of_another_kind(self, camera, image):
        with pytest.raises(ValueError, match=r"`image` must be uint8 RGB.*Received: image\.shape="):
            point_cloud(image, np.full(SIZE, 2.0), camera)

    def test_camera_of_another_size(self, picture, camera):
        with pytest.raises(ValueError, match=r"camera's size \(24, 32\) .*Received: depth.shape=\(48, 64\)"):
            point_cloud(picture, np.full(SIZE, 2.0), camera.scaled_to(24, 32))
