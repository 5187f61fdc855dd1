"""The measures behind a verdict, each against an independent way to compute it."""

import io

import numpy as np
import pytest
import scipy.stats
from painted_scenes import Scenes, paint
from PIL import Image

from densedepth_keras.data.checking import alignment, fingerprints, histogram
from densedepth_keras.data.checking.alignment import depth_edges, fit, fits, misfits, picture_edges, seems_unrelated
from densedepth_keras.data.checking.fingerprints import differing_bits, fingerprint, is_near, near_pairs, thumbnail
from densedepth_keras.data.checking.histogram import bar_lines, bars, count_depths, quantile
from densedepth_keras.data.checking.pair import measure_pair
from densedepth_keras.data.checking.split import chosen_rows
from densedepth_keras.data.sample import Sample

BIN = 10 ** (1 / 500) - 1  # relative width of a bin of the histogram, 0.46 %


def test_quantiles_are_numpys_to_a_bin(rng):
    depths = rng.lognormal(1, 0.7, 20_000).astype(np.float32)
    for share in (0.01, 0.5, 0.99):
        assert quantile(count_depths(depths), share) == pytest.approx(np.quantile(depths, share), rel=BIN)


def test_depths_beyond_the_table_are_counted_at_its_ends():
    counts = count_depths(np.float32([1e-30, 1e30]))
    assert (counts[0], counts[-1], counts.sum()) == (1, 1, 2)
    assert quantile(np.zeros(histogram.BINS, np.int64), 0.5) == 0


def test_bars_by_hand():
    depths = np.repeat(np.float32([0.5, 1.5, 2.5, 9.5]), [10, 60, 30, 100])  # 10 m in 12 bars at most: 1 m each
    chart = bars(count_depths(depths))
    assert [bar.low for bar in chart] == list(range(10))
    assert [bar.share for bar in chart] == pytest.approx([0.05, 0.3, 0.15, 0, 0, 0, 0, 0, 0, 0.5])
    lines = bar_lines(chart, width=10)
    assert lines[0].split() == ["0", "..", "1", "m", "#", "5.0%"]
    assert lines[-1].split()[-2:] == ["#" * 10, "50.0%"]


def test_outliers_do_not_stretch_the_chart(rng):
    depths = np.append(rng.uniform(0.5, 9, 10_000), np.full(20, 900.0))
    chart = bars(count_depths(depths))
    assert chart[-1].high == np.inf
    assert chart[-1].low <= 10
    assert sum(bar.share for bar in chart) == pytest.approx(1)


def test_no_bars_without_depths():
    assert bars(np.zeros(histogram.BINS, np.int64)) == ()
    assert bar_lines(()) == []


def grey(image):
    return Image.fromarray(image).convert("L")


def test_differing_bits_are_counted_one_by_one(rng):
    one, two = rng.integers(0, 2**63, (2, 7, 2)).astype(np.uint64)
    slow = [
        sum(bin(int(a) ^ int(b)).count("1") for a, b in zip(x, y, strict=True)) for x, y in zip(one, two, strict=True)
    ]
    assert differing_bits(one, two).tolist() == slow


def test_near_pairs_are_those_of_a_double_loop_in_any_chunk(rng, monkeypatch):
    first = rng.integers(0, 2**63, (40, 2)).astype(np.uint64)
    second = np.concatenate([first[10:20] ^ np.uint64(0b1011), rng.integers(0, 2**63, (25, 2)).astype(np.uint64)])
    expected = [(10 + i, i) for i in range(10)]  # three bits in each of two words, strangers differ in about 60
    monkeypatch.setattr(fingerprints, "_CHUNK", 100)
    assert near_pairs(first, second) == expected
    assert near_pairs(first, second[:0]) == []


@pytest.mark.parametrize("change", ["jpeg", "half", "brighter"])
def test_a_picture_saved_anew_is_near(change):
    for seed in range(12):
        image = paint(seed, (240, 320)).image
        picture = Image.fromarray(image)
        if change == "jpeg":
            file = io.BytesIO()
            picture.save(file, "JPEG", quality=50)
            picture = Image.open(file)
        elif change == "half":
            picture = picture.resize((160, 120), Image.Resampling.BILINEAR)
        else:
            picture = picture.point(lambda value: min(255, 1.1 * value))
        copy = picture.convert("L")
        assert differing_bits(fingerprint(grey(image)), fingerprint(copy)) <= fingerprints.NEAR_BITS
        assert is_near(thumbnail(grey(image)), thumbnail(copy))


def test_different_pictures_are_not_near():
    images = [grey(paint(seed).image) for seed in range(60)]
    prints = np.stack([fingerprint(image) for image in images])
    near = [
        (i, j) for i in range(60) for j in range(i) if differing_bits(prints[i], prints[j]) <= fingerprints.NEAR_BITS
    ]
    assert not [pair for pair in near if is_near(*(thumbnail(images[i]) for i in pair))]


def test_a_thumbnail_of_one_value_is_near_to_nothing():
    flat = np.full(fingerprints.THUMBNAIL, 7, np.uint8)
    assert not is_near(flat, flat)


def test_fit_is_numpys_correlation_over_what_is_known(rng):
    strength, known = rng.random((2, 2, 59, 79)), rng.random((2, 2, 59, 79)) < 0.6
    both = known.all(0)
    slow = [np.corrcoef(strength[0][d][both[d]], strength[1][d][both[d]])[0, 1] for d in range(2)]
    found = fit(*(alignment.Edges(s, k) for s, k in zip(strength, known, strict=True)))
    assert found == pytest.approx(np.mean(slow), abs=1e-9)  # the same sums in another order


def thumbnails(seed):
    image, depth = paint(seed, alignment.THUMBNAIL_SIZE)
    return np.asarray(grey(image), np.float32), depth


def test_a_pair_fits_itself_best():
    pictures, depths = zip(*map(thumbnails, range(20)), strict=True)
    for i in range(20):
        edges = picture_edges(pictures[i])
        own = fits(edges, depth_edges(depths[i]))
        assert own.pop("own") > max(*own.values(), fit(edges, depth_edges(depths[i - 1]))) + 0.1


def test_turned_depth_fits_when_turned_back():
    picture, depth = thumbnails(3)
    for name, turned in (("mirrored", depth[:, ::-1]), ("upside_down", depth[::-1]), ("turned", depth[::-1, ::-1])):
        found = fits(picture_edges(picture), depth_edges(turned))
        assert max(found, key=found.get) == name


def test_holes_have_no_edges():
    picture, depth = thumbnails(4)
    holed = depth.copy()
    holed[20:40, 30:50] = 0
    edges = depth_edges(holed)
    assert not edges.known[:, 20:39, 30:49].any()
    assert edges.known[:, :18].all()
    assert fit(picture_edges(picture), edges) > 0.2
    assert np.isnan(fit(picture_edges(picture), depth_edges(np.zeros_like(depth))))


def fits_table(count, own, rival, spread=0.05):
    rng = np.random.default_rng(0)
    return np.arange(count), own + spread * rng.standard_normal(count), rival + spread * rng.standard_normal(count)


def test_misfits_need_gain_certainty_and_rows():
    rows, own, rival = fits_table(48, 0.1, 0.35)
    assert [found[:3] for found in misfits(rows, own, {"next": rival})] == [("next", 0, 47)]
    assert misfits(rows, rival, {"next": own}) == []
    assert misfits(rows, own, {"next": own + 0.05}) == []  # sure, but too little
    assert misfits(rows[:11], own[:11], {"next": rival[:11]}) == []  # too few rows
    noisy = fits_table(48, 0.1, 0.35, spread=1.0)
    assert misfits(noisy[0], noisy[1], {"next": noisy[2]}) == []  # large, but not sure
    assert misfits(rows, own, {"next": np.full(48, np.nan)}) == []


def test_misfits_are_runs():
    rows, own, rival = fits_table(96, 0.35, 0.1)
    own[24:48], rival[24:48] = rival[24:48].copy(), own[24:48].copy()
    assert [found[:3] for found in misfits(rows, own, {"next": rival})] == [("next", 24, 47)]


def test_unrelated_needs_thirty_rows():
    _, own, strangers = fits_table(30, 0.1, 0.1)
    assert seems_unrelated(own, strangers)
    assert not seems_unrelated(own[:29], strangers[:29])
    assert not seems_unrelated(own + 0.1, strangers)


def test_likeness_is_spearmans(rng):
    depth = np.repeat(rng.uniform(1, 5, (6, 8)), 10, 0).repeat(10, 1).astype(np.float32)
    image = rng.integers(0, 256, (60, 80, 3), dtype=np.uint8)
    value = measure_pair(Sample(image, depth), 0.1, 10).likeness
    slow = scipy.stats.spearmanr(np.asarray(grey(image)).ravel(), depth.ravel()).statistic
    assert value == pytest.approx(slow, abs=1e-9)  # float64 both
    rendering = np.repeat((255 / depth)[..., None], 3, 2).astype(np.uint8)
    assert measure_pair(Sample(rendering, depth), 0.1, 10).likeness < -0.98
    holed = np.where(np.arange(80) < 40, depth, 0).astype(np.float32)
    rendering[:, 40:] = image[:, 40:]
    assert measure_pair(Sample(rendering, holed), 0.1, 10).likeness < -0.98  # holes are not compared


def test_measured_by_hand():
    image, depth = paint(0, (40, 50))
    depth = np.full((40, 50), 2.0, np.float32)
    depth[:10], depth[10, 0], depth[11, 0] = 0, 0.05, 20
    facts = measure_pair(Sample(image, depth), 0.1, 10)
    assert (facts.size, facts.measured, facts.valid) == ((40, 50), 1500, 1498)
    assert (facts.nearest, facts.median, facts.farthest) == (pytest.approx(0.05), 2, 20)
    assert facts.levels.tolist() == [np.float32(0.05), 2, 20]
    assert facts.histogram.sum() == 1500  # so small a map is looked at pixel by pixel


@pytest.mark.parametrize(
    ("sample", "error", "message"),
    [
        (lambda image, depth: (image, depth[1:]), ValueError, "one size.*128x96.*128x95"),
        (lambda image, depth: (image[..., :1], depth), TypeError, r"Received: uint8 \(96, 128, 1\)"),
        (lambda image, depth: (image / 255, depth), TypeError, "Received: float64"),
        (lambda image, depth: (image, depth.astype(np.float64)), TypeError, "Received: float64"),
        (lambda image, depth: (image, -depth), ValueError, "not negative"),
        (lambda image, depth: (image, depth * np.float32(np.nan)), ValueError, "finite"),
    ],
)
def test_what_is_no_sample_is_refused(sample, error, message):
    with pytest.raises(error, match=message):
        measure_pair(Sample(*sample(*paint(0))), 0.1, 10)


def test_chosen_rows_are_runs_of_neighbours():
    assert chosen_rows(10, None) == chosen_rows(10, 10) == range(10)
    rows = chosen_rows(1000, 40)
    assert (len(rows), rows[:4], rows[-4:]) == (40, [0, 1, 2, 3], [996, 997, 998, 999])
    assert chosen_rows(1000, 2) == [0, 999]
    with pytest.raises(ValueError, match="samples=0"):
        chosen_rows(5, 0)


def test_scenes_are_what_the_other_tests_take_them_for():
    assert len({measure_pair(Scenes(9)[i], 0.1, 10).picture_digest for i in range(9)}) == 9
