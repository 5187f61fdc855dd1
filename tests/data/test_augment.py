"""Augmentation: alignment of image and depth, chance, every part against an independent definition, the flag."""

import colorsys
import dataclasses
import itertools
import math

import numpy as np
import pytest
from scipy import ndimage

from densedepth_keras.data.augment import BOUNDS, PRESETS, Augmentation, parse_augmentation
from densedepth_keras.data.colour import REFERENCE_ORDERS, add_noise, blur, rearrange, recolour
from densedepth_keras.data.geometry import Window, cut_out, cut_window, place_window, rotate, window_zoom
from densedepth_keras.data.resize import resize_depth, resize_image
from densedepth_keras.data.sample import Sample

EVERYTHING = Augmentation(
    mirror=0.5, channel_order=0.5, brightness=0.3, contrast=0.3, gamma=0.3, saturation=0.5, hue=0.1, crop=1.5,
    rotation=5, cut_out=0.3, blur=1.5, noise=10,
)  # fmt: skip
SINGLE = [(name, most if name != "crop" else 1.5) for name, (_, most) in BOUNDS.items()]


def rng_of(*numbers):
    return np.random.default_rng(numbers)


def hills(size=(96, 128)):
    """A smooth depth map of 2..8 m without any symmetry."""
    y, x = np.mgrid[: size[0], : size[1]]
    return (5 + 1.8 * np.sin(x / 9 + y / 31) + 1.2 * np.cos(y / 7 - x / 50)).astype(np.float32)


def paint(depth):
    """Grey 20 levels per metre, so that 2..8 m are 40..160."""
    return np.repeat(np.rint(20 * depth).astype(np.uint8)[..., None], 3, axis=-1)


def read_only(sample):
    for array in sample:
        array.flags.writeable = False
    return sample


def picture(size=(48, 64), seed=0, margin=0):
    """A smooth picture in colours of `margin` to 255 - `margin`."""
    noise = rng_of(seed).random((*size, 3))
    smooth = ndimage.gaussian_filter(noise, (4, 4, 0))
    smooth = (smooth - smooth.min()) / np.ptp(smooth)
    return np.rint(margin + (255 - 2 * margin) * smooth).astype(np.uint8)


# Alignment


def misalignment(image, depth, zoom=1.0):
    """By how many pixels of the depth map the painted image lies beside it, (down, right), and the worst grey level."""
    grey = resize_depth(image[..., 0].astype(np.float32), depth.shape)
    valid = ndimage.binary_erosion(depth > 0, iterations=2)
    error = (20 * zoom * depth - grey)[valid]
    slopes = np.stack([slope[valid] for slope in np.gradient(grey)], axis=-1)
    return np.linalg.lstsq(slopes, error, rcond=None)[0], np.abs(error).max()


def augmented(augmentation, depth_size, seed):
    """What the pipeline does with a painted sample, and the zoom it was given."""
    sample = Sample(paint(hills()), hills())
    window = augmentation.crop_window(sample.depth.shape, rng_of(seed, 1))
    image, depth = augmentation.before_resize(sample, rng_of(seed, 1))
    sample = Sample(resize_image(image, (96, 128)), resize_depth(depth, depth_size))
    return augmentation.after_resize(sample, rng_of(seed)), augmentation.zoom((96, 128), window)


@pytest.mark.parametrize("depth_size", [(96, 128), (48, 64), (48, 128)])
@pytest.mark.parametrize(
    "augmentation",
    [Augmentation(mirror=1), Augmentation(crop=1.6), Augmentation(rotation=15), Augmentation(cut_out=0.5),
     Augmentation(mirror=0.5, crop=1.6, rotation=8, cut_out=0.3)],
    ids=str,
)  # fmt: skip
def test_painted_image_stays_aligned(augmentation, depth_size):
    shifts = []
    for seed in range(6):
        (image, depth), zoom = augmented(augmentation, depth_size, seed)
        assert (image.shape, depth.shape) == ((96, 128, 3), depth_size)
        shift, worst = misalignment(image, depth, zoom)
        shifts.append(shift)
        # The nearest depth lies up to half a pixel off on each axis, where the hills rise by up to 9 grey levels per
        # pixel of the small map; and four interpolations round.
        assert worst < 2 * 0.5 * 9 + 3
    # Rounding to the nearest has no direction: over the map it averages out. Shrinking a window by no whole factor does
    # have one: Pillow's box takes whole pixels, and 3 to 2, the worst, moves by a sixth of a pixel of the small map.
    assert np.abs(shifts).max() < (0.2 if augmentation.needs_source and depth_size != (96, 128) else 0.05)


def test_alignment_test_sees_half_a_pixel():
    (image, depth), _ = augmented(Augmentation(), (48, 64), 0)
    assert np.abs(misalignment(image, depth)[0]).max() < 0.02
    assert misalignment(np.roll(image, 1, axis=1), depth)[0][1] == pytest.approx(0.5, abs=0.1)
    assert misalignment(image, np.roll(depth, 1, axis=0))[0][0] == pytest.approx(-1, abs=0.1)


# Chance


def as_paper(sample, rng):
    """The paper's two as published figures were made with them."""
    mirror, permute = rng.random(2) < 0.5
    order = list(itertools.permutations(range(3)))[1:][rng.integers(5)]
    image, depth = sample
    if mirror:
        image, depth = image[:, ::-1], depth[:, ::-1]
    return (image[..., order] if permute else image), depth


def test_paper_is_what_it_was_to_the_bit():
    sample = Sample(picture((12, 16)), hills((6, 8)))
    for seed in range(200):
        expected = as_paper(sample, rng_of(seed, 3))
        for call in (PRESETS["paper"], PRESETS["paper"].after_resize):
            image, depth = call(sample, rng_of(seed, 3))
            np.testing.assert_array_equal(image, expected[0])
            np.testing.assert_array_equal(depth, expected[1])


@pytest.mark.parametrize(("name", "value"), SINGLE[3:])
def test_no_option_changes_who_is_mirrored_or_permuted(name, value):
    sample = Sample(np.full((16, 20, 3), (50, 100, 200), np.uint8), hills((16, 20)))
    more = dataclasses.replace(PRESETS["paper"], **{name: BOUNDS[name][0] + 0.1 * (value - BOUNDS[name][0])})
    for seed in range(40):
        plain, other = (augmentation(sample, rng_of(seed)) for augmentation in (PRESETS["paper"], more))
        order, other_order = (image.mean((0, 1)).argsort().tolist() for image in (plain.image, other.image))
        assert order == other_order
        slopes = [
            np.diff(depth, axis=1)[depth[:, 1:] * depth[:, :-1] > 0].mean() for depth in (plain.depth, other.depth)
        ]
        assert np.sign(slopes[0]) == np.sign(slopes[1])


@pytest.mark.parametrize("augmentation", [EVERYTHING, *PRESETS.values()], ids=str)
def test_same_generator_same_sample_and_input_left_alone(augmentation):
    sample = read_only(Sample(picture((96, 128)), hills()))
    first, again, other = (augmentation(sample, rng_of(seed)) for seed in (5, 5, 8))
    assert (first.image.dtype, first.depth.dtype) == (np.uint8, np.float32)
    assert (first.image.shape, first.depth.shape) == ((96, 128, 3), (96, 128))
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.depth, again.depth)
    assert not all(map(np.array_equal, first, other))
    np.testing.assert_array_equal(sample.depth, hills())
    np.testing.assert_array_equal(sample.image, picture((96, 128)))


@pytest.mark.parametrize(("name", "value"), SINGLE)
def test_every_option_does_something_and_nothing_on_does_nothing(name, value):
    sample = Sample(picture(), hills((48, 64)))
    assert all(np.shares_memory(*pair) for pair in zip(Augmentation()(sample, rng_of(0)), sample, strict=True))
    results = [Augmentation(**{name: value})(sample, rng_of(seed)) for seed in range(5)]
    assert any(not all(map(np.array_equal, result, sample)) for result in results)


def test_reference_orders_change_colours_five_times_in_fourteen():
    assert sorted(set(REFERENCE_ORDERS)) == list(itertools.permutations(range(3)))
    sample = Sample(np.array([[[10, 20, 30]]], np.uint8), np.ones((1, 1), np.float32))
    seen = [tuple(PRESETS["reference"](sample, rng_of(seed)).image.ravel()) for seed in range(2000)]
    # 4.5 standard deviations of 2000 draws with p = 0.5 * 5/7
    assert np.mean([colour != (10, 20, 30) for colour in seen]) == pytest.approx(5 / 14, abs=0.05)
    assert len(set(seen)) == 6


# Crop


def test_depth_of_a_crop_by_hand():
    depth = np.zeros((4, 8), np.float32)
    depth[1, 2] = 6
    image, cut = cut_window(Sample(paint(depth), depth), Window(1, 2, 2, 4))
    assert window_zoom((4, 8), Window(1, 2, 2, 4)) == 4 / 2
    np.testing.assert_array_equal(cut, [[6 / 2, 0, 0, 0], [0, 0, 0, 0]])
    assert image[0, 0, 0] == 120


def test_zoomed_board_looks_like_the_nearer_board():
    """A board 1.2 m wide, f = 100 px: at 4 m it is 30 px wide, zoomed by 1.5 as wide as at 4 / 1.5 m."""
    depth = np.zeros((60, 90), np.float32)
    depth[:, 30:60] = 4
    image, near = cut_window(Sample(paint(depth), depth), Window(10, 15, 40, 60))
    columns = np.count_nonzero(resize_depth(near, (60, 90))[30])
    assert columns == pytest.approx(100 * 1.2 / near.max(), abs=1)
    assert near.max() == pytest.approx(4 / 1.5, rel=1e-6)  # float32
    assert image.shape == (40, 60, 3)


def test_windows_are_everywhere_inside_and_no_smaller_than_the_largest_zoom():
    augmentation, size = Augmentation(crop=2), (48, 64)
    windows = [augmentation.crop_window(size, rng_of(seed)) for seed in range(300)]
    tops, lefts, heights, widths = np.array([window for window in windows if window]).T
    assert tops.min() == lefts.min() == 0
    assert (tops + heights).max() == 48
    assert (lefts + widths).max() == 64
    assert (heights.min(), widths.min()) == (24, 32)
    zooms = [augmentation.zoom(size, window) for window in windows]
    assert np.mean(zooms) == pytest.approx(1.5, abs=0.075)  # 4.5 standard deviations of 300 uniform draws from 1..2
    assert place_window((2, 2), 4, 0.99, 0) == (1, 0, 1, 1)


def test_whole_picture_is_no_crop():
    sample = Sample(paint(hills()), hills())
    assert Augmentation(mirror=1).before_resize(sample, rng_of(0)) is sample
    assert not Augmentation(rotation=3).needs_source
    assert Augmentation(crop=1.2).needs_source
    assert Augmentation(crop=1.001).crop_window((48, 64), rng_of(0)) is None  # less than half a pixel
    assert Augmentation(crop=2).zoom((48, 64), None) == 1


def test_crop_of_a_resized_sample_is_refused():
    with pytest.raises(ValueError, match=r"one size. Received: image.shape=\(96, 128, 3\), depth.shape=\(48, 64\)"):
        Augmentation(crop=2)(Sample(paint(hills()), hills((48, 64))), rng_of(0))


# Rotation and cut-out


@pytest.mark.parametrize("degrees", [0.4, -2.5, 15])
def test_rotated_image_is_the_bilinear_one(degrees):
    image = picture((60, 90))
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    matrix, middle = np.array([[cos, sin], [-sin, cos]]), np.array([29.5, 44.5])
    expected = [
        ndimage.affine_transform(channel.astype(float), matrix, middle - matrix @ middle, order=1, mode="reflect")
        for channel in np.moveaxis(image, -1, 0)
    ]
    rotated = rotate(Sample(image, hills((60, 90))), degrees).image
    # Three linear interpolations for one, and three roundings to whole grey levels.
    np.testing.assert_allclose(rotated, np.stack(expected, -1), atol=3)


def slow_nearest(depth, degrees, scale):
    """Rotation in image pixels, `scale` of them per pixel of the depth map, down and right."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    result = np.zeros_like(depth)
    middle = np.multiply(depth.shape, scale) / 2
    for row, column in np.ndindex(depth.shape):
        y, x = (np.array([row, column]) + 0.5) * scale - middle
        place = (np.array([sin * x + cos * y, cos * x - sin * y]) + middle) / scale
        inside = (place >= 0).all() and (place < depth.shape).all()
        result[row, column] = depth[tuple(place.astype(int))] if inside else 0
    return result


@pytest.mark.parametrize("size", [(40, 60), (20, 30), (40, 30), (13, 17)])
def test_rotated_depth_is_the_nearest_and_its_corners_are_holes(size):
    depth = rng_of(0).uniform(1, 9, size).astype(np.float32)
    rotated = rotate(Sample(picture((40, 60)), depth), 7).depth
    expected = slow_nearest(depth, 7, np.divide((40, 60), size))
    # Pillow steps in 1/65536 pixel: a position on the very edge of two pixels may fall to the other one.
    assert np.mean(rotated != expected) < 0.005
    assert rotated[0, 0] == rotated[-1, -1] == 0
    assert set(np.unique(rotated)) <= {0, *np.unique(depth)}  # nothing is blended


def test_cut_out_is_one_rectangle_of_at_most_the_share():
    for share, shape, down, right in rng_of(1).random((200, 4)):
        holes = cut_out(np.ones((24, 32), np.float32), 0.9 * share, shape=shape, down=down, right=right) == 0
        rows, columns = holes.any(1), holes.any(0)
        np.testing.assert_array_equal(holes, rows[:, None] & columns)
        assert np.abs(np.diff(rows.astype(int), prepend=0, append=0)).sum() in (0, 2)
        assert 0.9 * share - 56 / 768 < holes.mean() <= 0.9 * share  # whole rows and columns, rounded down


# Colours


def slow_recolour(image, gamma, brightness, contrast, saturation, hue):
    """Pixel by pixel in floating point; colorsys' YIQ has its constants to two digits."""
    turned = np.empty(image.shape)
    for place in np.ndindex(image.shape[:2]):
        luma, i, q = colorsys.rgb_to_yiq(*image[place] / 255)
        chroma = saturation * complex(i, q) * np.exp(2j * np.pi * hue)
        turned[place] = colorsys.yiq_to_rgb(luma, chroma.real, chroma.imag)
    grey = 255 * brightness * np.clip(turned, 0, 1) ** gamma
    return np.clip((grey - grey.mean()) * contrast + grey.mean(), 0, 255)


@pytest.mark.parametrize(
    ("changes", "tolerance"),
    [
        ({"gamma": 1.4}, 0.5),  # rounding
        ({"brightness": 1.8}, 0.5),
        ({"contrast": 1.5}, 1.0),  # and the mean of a smaller picture
        ({"gamma": 0.7, "brightness": 0.8, "contrast": 0.6}, 1.0),
        ({"saturation": 0.3}, 1.0),  # and the constants of colorsys
        ({"saturation": 1.3, "hue": 0.05}, 1.0),
        ({"gamma": 1.2, "brightness": 1.1, "saturation": 0.7, "hue": -0.03}, 1.5),  # which brightness and gamma amplify
    ],
)
def test_recolouring_is_the_slow_one(changes, tolerance):
    image = picture((24, 32), margin=40)
    neutral = {"gamma": 1, "brightness": 1, "contrast": 1, "saturation": 1, "hue": 0}
    result = recolour(image, **changes)
    assert result.dtype == np.uint8
    np.testing.assert_allclose(result, slow_recolour(image, **{**neutral, **changes}), atol=tolerance)


def test_grey_keeps_its_colour_and_extremes_do_not_wrap_around():
    grey = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=-1)
    np.testing.assert_array_equal(recolour(grey, saturation=1.9, hue=0.4), grey)
    for changes in ({"brightness": 1.9}, {"contrast": 1.9}, {"gamma": 0.2}, {"gamma": 5.0}):
        steps = np.diff(recolour(grey, **changes)[..., 0].ravel().astype(int))
        assert steps.min() >= 0
    primaries = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
    assert (recolour(primaries, saturation=2.0).argmax(-1) == [[0, 1, 2]]).all()


def test_rearranged_is_the_view_in_memory_order():
    image = picture((6, 8))
    for mirrored, order in itertools.product((False, True), itertools.permutations(range(3))):
        result = rearrange(image, mirrored, order)
        np.testing.assert_array_equal(result, image[:, :: -1 if mirrored else 1][..., order])
        assert result.flags.c_contiguous


@pytest.mark.parametrize("sigma", [0.3, 0.8, 2.0, 5.0])
def test_blur_is_the_gaussian_one(sigma):
    image = rng_of(0).integers(0, 256, (37, 50, 3), dtype=np.uint8)
    expected = ndimage.gaussian_filter(image.astype(float), (sigma, sigma, 0), mode="reflect")
    np.testing.assert_allclose(blur(image, sigma), expected, atol=2)  # weights of 1/256 and two roundings
    np.testing.assert_array_equal(blur(np.full((20, 20, 3), 255, np.uint8), sigma), 255)
    assert blur(image, 0.1) is image


def test_noise_has_its_deviation_and_does_not_wrap_around():
    noise = add_noise(np.full((200, 300, 3), 128, np.uint8), 6, rng_of(0)).astype(float) - 128
    assert noise.mean() == pytest.approx(0, abs=4.5 * 6 / math.sqrt(noise.size))
    assert noise.std() == pytest.approx(6, rel=0.01)  # 6 standard deviations, and whole grey levels
    assert abs(np.corrcoef(noise[:, 1:].ravel(), noise[:, :-1].ravel())[0, 1]) < 0.012  # 5 / sqrt(179400)
    dark, light = (add_noise(np.full((50, 50, 3), level, np.uint8), 40, rng_of(1)) for level in (0, 255))
    assert (dark.max(), light.min()) == (116, 139)  # 40 times the outermost of 256 quantiles, 2.902


# The flag


@pytest.mark.parametrize(
    "text",
    ["paper", "reference", "strong", "mirror=0.5", "mirror=0.5,crop=1.3", "paper,brightness=0.2,rotation=3",
     "strong,noise=0", "paper,cut_out=1e-05"],
)  # fmt: skip
def test_text_comes_back(text):
    assert str(parse_augmentation(text)) == text


@pytest.mark.parametrize(
    "augmentation", [EVERYTHING, *(Augmentation(**{name: value}) for name, value in SINGLE)], ids=str
)
def test_description_makes_the_augmentation_again(augmentation):
    assert parse_augmentation(augmentation.describe()) == augmentation


def test_presets_and_none():
    assert parse_augmentation(" strong , noise = 2 ") == dataclasses.replace(PRESETS["strong"], noise=2)
    assert parse_augmentation("paper") == Augmentation(mirror=0.5, channel_order=0.5)
    assert parse_augmentation("none") is None
    assert parse_augmentation("paper,mirror=0,channel_order=0") is None
    assert str(Augmentation()) == "none"
    with pytest.raises(TypeError):
        PRESETS["mine"] = Augmentation()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("papr", "Received: augment='papr'. Did you mean 'paper'?"),
        ("", "'paper', 'reference', 'strong', 'none'. Received: augment=''"),
        ("paper,brightnes=0.2", "Received: augment='brightnes'. Did you mean 'brightness'?"),
        ("paper,mirror", "Expected name=value after the first part, not 'mirror'. Received: augment='paper,mirror'"),
        ("mirror=0.5,paper", "not 'paper'. Received: augment='mirror=0.5,paper'"),
        ("crop=0.5", "`crop` must be between 1 and 4. Received: augment='crop=0.5'"),
        ("noise=nan", "`noise` must be between 0 and 40. Received: augment='noise=nan'"),
        ("noise=much", "`noise` must be a number. Received: augment='noise=much'"),
        ("none,mirror=1", "Expected 'none' alone, and every option once. Received: augment='none,mirror=1'"),
        ("noise=1,noise=2", "every option once. Received: augment='noise=1,noise=2'"),
        ("paper,reference_channel_order=0.5", "exclude each other"),
    ],
)
def test_wrong_text_is_refused(text, message):
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the text follows
        parse_augmentation(text)
    assert message in str(error.value)


def test_wrong_values_are_refused():
    with pytest.raises(ValueError, match=r"`hue` must be between 0 and 0.5. Received: hue=0.6"):
        Augmentation(hue=0.6)
    for value in ("0.5", True, None):
        with pytest.raises(TypeError, match=f"`mirror` must be a number. Received: mirror={value!r}"):
            Augmentation(mirror=value)
    assert Augmentation(rotation=np.float32(2)) == Augmentation(rotation=2)
