"""Smoothing by hand, its restart at cuts, and the flicker figure."""

import numpy as np
import pytest
from clips import grey_pictures

from densedepth_keras.data.rooms import Rooms
from densedepth_keras.video import Flicker, Smoothing, flicker
from densedepth_keras.video.smoothing import CUT, is_cut, thumbnail

SIZE = (48, 64)


def flat(metres, size=SIZE):
    return np.full(size, metres, np.float32)


def still(count, level=100):
    return [np.full((*SIZE, 3), level, np.uint8)] * count


def smoothed(share, depths, pictures):
    smoothing = Smoothing(share)
    return [smoothing.next(picture, depth) for picture, depth in zip(pictures, depths, strict=True)]


def test_it_is_a_mean_of_reciprocals():
    answers = smoothed(0.75, [flat(2), flat(4), flat(4)], still(3))
    second = 3 / 4 * 1 / 2 + 1 / 4 * 1 / 4  # 7/16
    third = 3 / 4 * second + 1 / 4 * 1 / 4
    for answer, expected in zip(answers, (2, 1 / second, 1 / third), strict=True):
        np.testing.assert_allclose(answer, expected, rtol=1e-6)  # float32


def test_a_share_of_zero_changes_nothing(rng):
    depths = [rng.uniform(0.5, 10, SIZE).astype(np.float32) for _ in range(3)]
    assert all(answer is depth for answer, depth in zip(smoothed(0, depths, still(3)), depths, strict=True))


def test_depth_stays_between_what_it_was_and_what_it_is(rng):
    depths = [rng.uniform(0.5, 10, SIZE).astype(np.float32) for _ in range(2)]
    answer = smoothed(0.6, depths, still(2))[1]
    assert answer.dtype == np.float32
    assert (answer >= np.minimum(*depths) * (1 - 1e-6)).all()  # float32's rounding
    assert (answer <= np.maximum(*depths) * (1 + 1e-6)).all()


def test_the_depths_given_are_left_alone():
    depths = [flat(2), flat(4)]
    smoothed(0.5, depths, still(2))
    assert (depths[0] == 2).all()
    assert (depths[1] == 4).all()


def test_a_cut_begins_anew():
    smoothing = Smoothing(0.9)
    smoothing.next(still(1, 50)[0], flat(8))
    np.testing.assert_allclose(smoothing.next(still(1, 200)[0], flat(1)), 1, rtol=1e-6)
    assert smoothing.cuts == 1
    assert smoothing.next(still(1, 200)[0], flat(2)).max() < 1.2  # and goes on from there
    assert smoothing.cuts == 1


def test_another_size_begins_anew():
    smoothing = Smoothing(0.9)
    smoothing.next(still(1)[0], flat(8))
    answer = smoothing.next(np.full((24, 32, 3), 100, np.uint8), flat(2, (24, 32)))
    np.testing.assert_allclose(answer, 2, rtol=1e-6)


def test_the_threshold_is_of_mean_grey_levels():
    before, _ = grey_pictures(2, low=100, high=101)
    just_below, just_above = (np.full_like(before, 100 + CUT + change) for change in (-1, 1))
    assert not is_cut(thumbnail(before), thumbnail(just_below))
    assert is_cut(thumbnail(before), thumbnail(just_above))


def test_rooms_are_told_apart_and_a_pan_is_none():
    """Any two of six rooms are a cut; one of them seen 2 % of the width further to the right is none."""
    pictures = [Rooms("test", image_size=(120, 160))[i][0].astype(np.uint8) for i in range(6)]
    thumbnails = [thumbnail(np.ascontiguousarray(picture)) for picture in pictures]
    differences = [np.abs(a - b).mean() for i, a in enumerate(thumbnails) for b in thumbnails[i + 1 :]]
    assert np.mean(np.array(differences) > CUT) > 0.5
    for picture in pictures:
        left, right = picture[:, :-3], picture[:, 3:]
        assert not is_cut(thumbnail(np.ascontiguousarray(left)), thumbnail(np.ascontiguousarray(right)))


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan")])
def test_a_share_out_of_bounds_is_refused(share):
    with pytest.raises(ValueError, match=f"Received: share={share}"):
        Smoothing(share)


def test_flicker_by_hand():
    pictures = still(3)
    depths = [flat(2), flat(2.5), flat(2.4)]
    assert flicker(depths, pictures) == pytest.approx((0.5 + 0.1) / 2, rel=1e-6)


def test_flicker_counts_static_pixels_alone():
    before, after = still(2)
    after = after.copy()
    after[:, 32:] += 10  # the right half moves
    depth = flat(3)
    depth[:, 32:] += 5
    depth[:, :32] += 0.25
    assert flicker([flat(3), depth], [before, after]) == pytest.approx(0.25, rel=1e-6)


def test_flicker_counts_nothing_across_a_cut_and_nothing_is_nan():
    assert np.isnan(flicker([flat(1), flat(9)], [still(1, 20)[0], still(1, 200)[0]]))
    assert np.isnan(flicker([], []))


def test_flicker_of_a_noisy_depth_falls_with_the_share(rng):
    pictures = still(40)
    depths = [flat(3) + rng.normal(0, 0.1, SIZE).astype(np.float32) for _ in pictures]
    figures = [flicker(smoothed(share, depths, pictures), pictures) for share in (0, 0.3, 0.6, 0.9)]
    assert figures == sorted(figures, reverse=True)
    # Of white noise of deviation s the mean absolute step is 2 s / sqrt(pi), smoothed by `a` times
    # sqrt((1 - a)^3 / ... ) = (1 - a) / sqrt(1 + a); 10 %: the start, and 1/depth is not quite linear
    assert figures[0] == pytest.approx(0.2 / np.sqrt(np.pi), rel=0.02)
    assert figures[2] / figures[0] == pytest.approx(0.4 / np.sqrt(1.6), rel=0.1)


def test_flicker_wants_a_depth_for_every_picture():
    with pytest.raises(ValueError, match="longer"):
        flicker([flat(1)], still(2))


def test_flicker_may_skip_pixels(rng):
    depths = [rng.uniform(1, 9, SIZE).astype(np.float32) for _ in range(2)]
    figure = Flicker(step=4)
    for depth in depths:
        figure.add(still(1)[0], depth)
    assert figure.metres == pytest.approx(np.abs(depths[1] - depths[0])[::4, ::4].mean(), rel=1e-6)
