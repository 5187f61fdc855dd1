"""Rooms: depth of scenes known by hand, an independent slow oracle, determinism, range, variety, holes, errors."""

import math
import random
import threading
import time

import numpy as np
import pytest

from densedepth_keras.data.rendering import draw_scene, render, shading
from densedepth_keras.data.rendering.atlas import make_atlas
from densedepth_keras.data.rendering.geometry import View, make_basis, make_grid
from densedepth_keras.data.rendering.holes import punch_holes
from densedepth_keras.data.rendering.kinds import KINDS
from densedepth_keras.data.rendering.materials import Look
from densedepth_keras.data.rendering.moods import MOODS, draw_mood
from densedepth_keras.data.rendering.scene import Box, Camera, Light, Material, Round, Scene
from densedepth_keras.data.rendering.textures import TEXELS, paint_textures
from densedepth_keras.data.rendering.tracing import trace
from densedepth_keras.data.rooms import ROOMS_SIZES, Rooms

GREY = Material("plain", (0.4, 0.4, 0.4), (0.6, 0.6, 0.6))
SIZE = (4.0, 5.0, 2.5)
AHEAD = Camera((2.0, 1.0, 1.5), yaw=math.pi / 2, tangent=0.32)  # 4 m before the wall y = 5, which fills it


def make_scene(camera=AHEAD, **settings):
    settings.setdefault("lights", (Light((2.0, 2.0, 2.2), (3.0, 3.0, 3.0)),))
    return Scene(SIZE, camera, (GREY,) * 7, **settings)


def measure_slowly(scene, image_size):
    """Depth by the textbook: float64, every body against every pixel, along the ray instead of in inverse depth."""
    u, v = make_grid(scene.camera, image_size)
    forward, right, down = np.array(make_basis(scene.camera))
    ray = forward + u[None, :, None] * right + v[:, None, None] * down
    eye = np.array(scene.camera.position)
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = np.where(ray > 0, (np.array(scene.size) - eye) / ray, -eye / ray).min(axis=-1)
        for box in scene.boxes:
            depth = np.minimum(depth, cross_box(box, eye, ray))
        for body in scene.rounds:
            depth = np.minimum(depth, cross_round(body, eye, ray))
    return depth


def cross_box(box, eye, ray):
    cos, sin = math.cos(box.yaw), math.sin(box.yaw)
    turn = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])
    start, step = turn @ (eye - np.array(box.center)), ray @ turn.T
    first, second = (-np.array(box.half) - start) / step, (np.array(box.half) - start) / step
    enter, leave = np.minimum(first, second).max(axis=-1), np.maximum(first, second).min(axis=-1)
    return np.where((enter < leave) & (enter > 0), enter, np.inf)


def cross_round(body, eye, ray):
    start, flat = eye - np.array(body.center), 2 if body.half_height else 3
    a, b = (ray[..., :flat] ** 2).sum(axis=-1), (ray[..., :flat] * start[:flat]).sum(axis=-1)
    c = (start[:flat] ** 2).sum() - body.radius**2
    side = (-b - np.sqrt(b * b - a * c)) / a
    side = np.where(side > 0, side, np.inf)
    if not body.half_height:
        return side
    side = np.where(np.abs(start[2] + side * ray[..., 2]) <= body.half_height, side, np.inf)
    for end in (-body.half_height, body.half_height):
        cap = (end - start[2]) / ray[..., 2]
        inside = ((start[:2] + cap[..., None] * ray[..., :2]) ** 2).sum(axis=-1) <= body.radius**2
        side = np.where(inside & (cap > 0), np.minimum(side, cap), side)
    return side


class TestRender:
    def test_wall_at_right_angles_has_one_depth(self):
        depth = render(make_scene(), (240, 320)).depth
        np.testing.assert_allclose(depth, 5.0 - 1.0, rtol=1e-6)  # float32 rounds at 6e-8, a few operations deep

    def test_floor_ceiling_and_side_walls(self):
        camera = AHEAD._replace(tangent=1.0)
        depth = render(make_scene(camera), (60, 80)).depth
        u = (np.arange(80) + 0.5 - 40) / 40  # focal length 80 / 2 / tangent
        v = (np.arange(60) + 0.5 - 30) / 40
        vertical = np.where(v > 0, 1.5 / np.abs(v), (2.5 - 1.5) / np.abs(v))
        expected = np.minimum(np.minimum(4.0, vertical)[:, None], (2.0 / np.abs(u))[None, :])
        np.testing.assert_allclose(depth, expected, rtol=1e-6)

    def test_depth_is_along_the_axis_when_the_camera_looks_down(self):
        camera = AHEAD._replace(position=(2.0, 2.5, 2.0), pitch=-math.pi / 2)
        depth = render(make_scene(camera), (32, 42)).depth
        np.testing.assert_allclose(depth, 2.0, rtol=1e-6)  # the ray length would grow towards the corners

    def test_box_in_front(self):
        box = Box((2.0, 3.0, 1.5), (0.3, 0.25, 0.2), 0.0, GREY)
        depth = render(make_scene(boxes=(box,)), (240, 320)).depth
        u = np.abs(np.arange(320) + 0.5 - 160) / 500  # focal length 320 / 2 / tangent
        v = np.abs(np.arange(240) + 0.5 - 120) / 500
        near = 3.0 - 0.25 - 1.0
        expected = np.where((u[None, :] < 0.3 / near) & (v[:, None] < 0.2 / near), near, 4.0)
        np.testing.assert_allclose(depth, expected, rtol=1e-6)

    def test_ball_and_cylinder(self):
        camera = AHEAD._replace(tangent=0.55)
        bodies = (Round((1.6, 3.0, 1.5), 0.3, 0.0, GREY), Round((2.4, 3.0, 1.2), 0.25, 0.2, GREY))
        scene = make_scene(camera, rounds=bodies)
        depth = render(scene, (120, 160)).depth
        assert depth.min() == pytest.approx(2.0 - 0.3, abs=0.02)  # seen 11 degrees off the ball's nearest point
        np.testing.assert_allclose(depth, measure_slowly(scene, (120, 160)), rtol=1e-4)

    @pytest.mark.parametrize("seed", range(12))
    def test_drawn_scenes_agree_with_the_oracle(self, seed):
        scene = draw_scene(random.Random(seed))
        depth, expected = render(scene, (60, 80)).depth, measure_slowly(scene, (60, 80))
        # Float32 puts a ray that grazes an outline on either side of it; everything else agrees to rounding.
        assert np.mean(np.abs(depth - expected) > 1e-4 * expected) < 0.002

    def test_crossing_boxes_agree_with_the_oracle(self):
        """Boxes through each other, through the walls, around the lens's height and beside the lens."""
        rng = np.random.default_rng(3)
        boxes = [
            Box(tuple(rng.uniform((0, 1.6, 0), SIZE)), tuple(rng.uniform(0.05, 0.5, 3)), rng.uniform(-3, 3), GREY)
            for _ in range(25)
        ]
        boxes.append(Box((1.2, 1.0, 1.2), (0.1, 0.8, 0.4), 0.0, GREY))  # from behind the lens to before it
        scene = make_scene(AHEAD._replace(tangent=0.8, roll=0.1, pitch=-0.1), boxes=tuple(boxes))
        depth, expected = render(scene, (60, 80)).depth, measure_slowly(scene, (60, 80))
        assert np.mean(np.abs(depth - expected) > 1e-4 * expected) < 0.002  # rays that graze an outline
        assert np.mean(depth < 2) > 0.1  # the boxes are there

    def test_skirting_board_ends_at_its_height(self):
        scene = make_scene(AHEAD._replace(tangent=1.0), skirting=0.1)
        _, surface, *_ = trace(scene, View(scene.camera, (240, 320)))
        v = (np.arange(240) + 0.5 - 120) / 160
        # The wall 4 m ahead is number 3, its skirting 6 + 3; seen from 1.5 m, below a ceiling 1 m higher.
        number = np.select([v * 4 > 1.5, v * 4 > 1.5 - 0.1, v * 4 > -1.0], [4, 9, 3], 5)
        np.testing.assert_array_equal(surface[:, 160], number)

    @pytest.mark.parametrize("seed", range(4))
    def test_light_between_the_points_where_it_is_computed(self, seed, monkeypatch):
        scene = draw_scene(random.Random(seed))._replace(noise=0.0)
        carried = render(scene, (240, 320)).image.astype(int)
        monkeypatch.setattr(shading, "LIGHT_STEP", 1e-6)  # at every pixel
        error = np.abs(render(scene, (240, 320)).image - carried)
        assert error.mean() < 0.5  # grey levels; 0.15 over 40 scenes, 0.32 in the worst of them
        assert np.mean(error > 4) < 0.02  # where furniture darkens the floor right beside it; 0.001 on average

    def test_texture_lies_as_painted(self):
        """A box whose front, one painting, fills the view. Seen from before it, its own left is to the right."""
        far, painting = 3.9, Material("picture2", (0.05, 0.05, 0.05), (0.9, 0.9, 0.9), fit=(1, 1))
        half = (far * AHEAD.tangent, 0.1, far * AHEAD.tangent * 0.75)
        box = Box((2.0, 1.0 + far + 0.1, 1.5), half, math.pi, GREY, painting)
        image = render(make_scene(boxes=(box,), lights=(), noise=0.0, vignette=0.0), (96, 128)).image[..., 1]
        rows, columns = (((np.arange(side) + 0.5) * TEXELS / side).astype(int) for side in (96, 128))
        painted = paint_textures(np.random.default_rng(5))["picture2"][rows[::-1, None], columns[::-1]]
        inner = (slice(10, -10), slice(10, -10))  # without the frame, which looks alike from all sides
        turned = [picture[inner].ravel() for picture in (image, image[::-1], image[:, ::-1])]
        likeness, *others = (np.corrcoef(picture, painted[inner].ravel())[0, 1] for picture in turned)
        assert likeness > 0.9  # 0.94: the camera's response bends the greys and its blur takes the finest grain
        assert max(others) < 0.8

    def test_atlas_levels_are_block_means(self):
        starts, table = make_atlas()
        painted = np.clip(paint_textures(np.random.default_rng(5))["bricks"], 0, 1)
        texture = table[starts["bricks"] :][: 2 * TEXELS**2].reshape(2 * TEXELS, TEXELS)
        for level in range(10):
            side = TEXELS >> level
            means = painted.reshape(side, 1 << level, side, 1 << level).mean(axis=(1, 3))
            np.testing.assert_allclose(texture[side : 2 * side, :side], 255 * means, atol=0.51)  # rounded to integers

    def test_light_falls_off(self):
        lamp = Light((2.0, 4.6, 1.5), (3.0, 3.0, 3.0))
        image = render(make_scene(lights=(lamp,), noise=0.0, vignette=0.0), (120, 160)).image.astype(int)
        assert image[50:70, 70:90].mean() > 1.2 * image[50:70, :10].mean()

    def test_scene_without_lamps_or_bodies(self):
        image = render(make_scene(lights=(), shades=()), (32, 48)).image
        assert image.shape == (32, 48, 3)
        assert 0 < image.mean() < 255


class TestRooms:
    def test_contract(self):
        source = Rooms("validation", image_size=(48, 64))
        image, depth = source[3]
        assert len(source) == ROOMS_SIZES["validation"] == 96
        assert (image.shape, image.dtype, depth.shape, depth.dtype) == ((48, 64, 3), np.uint8, (48, 64), np.float32)

    def test_repr_tells_the_arguments(self):
        source = Rooms("test", image_size=(48, 64), num_samples=5, seed=3, holes=True)
        assert repr(source) == "Rooms('test', image_size=(48, 64), num_samples=5, seed=3, holes=True)"

    def test_default_lengths(self):
        assert {split: len(Rooms(split)) for split in ROOMS_SIZES} == {"train": 1200, "validation": 96, "test": 192}

    def test_same_arguments_give_the_same_sample(self):
        first, second = Rooms(image_size=(48, 64), seed=3), Rooms(image_size=(48, 64), seed=3, num_samples=20)
        second[5]  # what was read before must not matter
        for index in (0, 7):
            np.testing.assert_array_equal(first[index].image, second[index].image)
            np.testing.assert_array_equal(first[index].depth, second[index].depth)

    def test_negative_index_counts_from_the_end(self):
        source = Rooms(image_size=(32, 32), num_samples=4)
        np.testing.assert_array_equal(source[-1].depth, source[np.int64(3)].depth)

    def test_splits_seeds_and_indices_differ(self):
        depths = [
            Rooms(split, image_size=(32, 48), seed=seed)[index].depth.tobytes()
            for split in ROOMS_SIZES
            for seed in (0, 1)
            for index in range(4)
        ]
        assert len(set(depths)) == len(depths)

    def test_threads_read_the_same(self):
        source, results = Rooms(image_size=(48, 64)), {}

        def read(index):
            results[index] = source[index].image.tobytes()

        threads = [threading.Thread(target=read, args=(index,)) for index in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert results == {index: source[index].image.tobytes() for index in range(8)}

    def test_another_size_shows_the_same_scene(self):
        for index in range(6):
            small = Rooms(image_size=(60, 80))[index]
            large = Rooms(image_size=(180, 240))[index]
            # With an odd factor, the middle of three pixels has the very ray of the small picture's pixel.
            error = np.abs(large.depth[1::3, 1::3] / small.depth - 1)
            assert np.mean(error > 1e-4) < 0.002  # rays that graze an outline
            means = large.image.reshape(60, 3, 80, 3, 3).mean(axis=(1, 3))
            assert np.abs(means - small.image).mean() < 12  # grey levels: noise of 5 at most, and texture detail

    def test_other_shapes_are_crops_of_the_view(self):
        wide, full = Rooms(image_size=(40, 160))[2].depth, Rooms(image_size=(120, 160))[2].depth
        np.testing.assert_allclose(wide, full[40:80], rtol=1e-5)  # float32 picture coordinates differ in the last bit

    def test_depth_range_without_holes(self):
        means = []
        for index in range(60):
            depth = Rooms("test", image_size=(60, 80))[index].depth
            assert depth.min() >= 0.5
            assert depth.max() <= 10.0
            means.append(depth.mean())
        assert 2.8 < np.mean(means) < 3.9  # metres; 3.34 over 200 scenes, and 60 means of deviation 1.0 stray by 0.13
        assert np.std(means) > 0.8  # 1.0 over 300 scenes

    def test_few_views_end_at_a_bare_wall_close_by(self):
        blank = []
        for index in range(100):
            scene = draw_scene(random.Random(f"0/train/{index}"))
            inverse_depth, surface, *_ = trace(scene, View(scene.camera, (60, 80)))
            blank.append(np.mean((surface < 4) & (inverse_depth > 1 / 1.5)) > 0.4)  # 0..3 are the walls
        assert np.mean(blank) <= 0.05  # 1.3 % over 700 scenes; 13 % without the second draw

    def test_pictures_vary(self):
        images = [Rooms("test", image_size=(48, 64))[index].image for index in range(40)]
        brightness = [image.mean() for image in images]
        assert 85 < np.mean(brightness) < 150
        assert np.std(brightness) > 12
        assert np.mean([image.std() for image in images]) > 22  # 35 on average; a blank wall has little

    def test_moods_and_kinds_all_occur(self):
        rng = random.Random(0)
        assert {id(draw_mood(rng)) for _ in range(300)} == {id(mood) for mood in MOODS.values()}
        textures = {draw_scene(random.Random(seed)).materials[0].texture for seed in range(250)}
        assert textures >= {"plaster", "bricks", "concrete", "metro", "dots", "tiles"}  # of houses, stores, baths, ...

    @pytest.mark.parametrize("kind", KINDS)
    def test_furniture_stays_within_its_size(self, kind):
        """Otherwise it would stand in walls, in other furniture or before the lens."""
        rng = random.Random(1)
        for make in {*KINDS[kind].along, *KINDS[kind].middle}:
            for _ in range(10):
                item = make(Look(rng, draw_mood(rng)))
                reach = [(abs(x) + w / 2, abs(y) + d / 2, z + h) for x, y, z, w, d, h, *_ in item.boxes]
                reach += [(abs(x) + r, abs(y) + r, z + (h or 2 * r)) for x, y, z, r, h, _ in item.rounds]
                limit = np.array(item.size) / (2, 2, 1) + 0.035  # chairs lean, handles stand out
                assert (np.max(reach, axis=0) <= limit).all(), make.__name__

    def test_holes(self):
        shares = []
        for index in range(30):
            whole = Rooms(image_size=(120, 160))[index]
            holed = Rooms(image_size=(120, 160), holes=True)[index]
            np.testing.assert_array_equal(whole.image, holed.image)
            hole = holed.depth == 0
            np.testing.assert_array_equal(holed.depth[~hole], whole.depth[~hole])
            assert hole[0].all()  # the border strip
            assert hole[:, 0].all()
            shares.append(hole.mean())
        assert whole.depth.min() > 0
        assert 0.05 < np.mean(shares) < 0.25
        assert 0.02 < min(shares) < max(shares) < 0.45

    def test_shadow_lies_left_of_a_near_box_only(self):
        box = Box((2.0, 2.2, 1.5), (0.2, 0.1, 0.2), 0.0, GREY)
        sample = render(make_scene(boxes=(box,)), (240, 320))
        holes = [punch_holes(sample, np.random.default_rng(seed)) == 0 for seed in range(12)]
        always = np.all(holes, axis=0)[120]  # random holes do not stay over twelve draws
        edges = np.flatnonzero(np.diff(sample.depth[120]))
        assert always[edges[0] - 2 : edges[0] + 1].all()
        assert not always[edges[1] + 1 : edges[1] + 4].any()

    def test_speed(self):
        source = Rooms()
        source[0]  # paints the textures once per process
        start = time.thread_time()  # not the clock, which others on the machine take part in
        for index in range(60):
            source[index]
        assert time.thread_time() - start < 5  # takes 0.5 s


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"split": "val"}, ValueError, "'validation'.*split='val'"),
        ({"image_size": (31, 64)}, ValueError, r"at least 32.*image_size=\(31, 64\)"),
        ({"image_size": (64, 64, 3)}, ValueError, r"height, width.*image_size=\(64, 64, 3\)"),
        ({"image_size": 64}, TypeError, "image_size=64"),
        ({"image_size": (64.0, 64.0)}, TypeError, r"image_size=\(64.0, 64.0\)"),
        ({"num_samples": -1}, ValueError, "num_samples=-1"),
        ({"num_samples": 1.5}, TypeError, "num_samples=1.5"),
        ({"seed": -2}, ValueError, "seed=-2"),
        ({"seed": None}, TypeError, "seed=None"),
    ],
)
def test_wrong_arguments(settings, error, message):
    with pytest.raises(error, match=message):
        Rooms(**settings)


def test_index_out_of_range():
    source = Rooms(num_samples=3)
    for index in (3, -4):
        with pytest.raises(IndexError, match=f"index={index}"):
            source[index]
    assert len(Rooms(num_samples=0)) == 0
