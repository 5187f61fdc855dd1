"""Verdicts: what is wrong is found and named, and what is right raises no alarm."""

import csv
import io
import itertools
import json
import os

import numpy as np
import pytest
from matplotlib import colormaps
from painted_scenes import Scenes, paint, with_depth_of
from pair_folders import SHARED
from PIL import Image

from densedepth_keras.data import load_dataset
from densedepth_keras.data.checking import check_data
from densedepth_keras.data.checking.units import misread
from densedepth_keras.data.checking.verdict import share_text
from densedepth_keras.data.files import read_image
from densedepth_keras.data.sample import Rows, Sample


def verdict_of(source, **options):
    return check_data({"train": source}.__getitem__, ["train"], **options)


def found(verdict):
    return [(finding.level, finding.title) for finding in verdict.findings]


def the_finding(verdict, title):
    (finding,) = [finding for finding in verdict.findings if title in finding.title]
    return finding


def test_good_data_raise_no_alarm():
    sources = {"train": Scenes(60), "validation": Scenes(40, 1000), "test": Scenes(40, 2000)}
    verdict = check_data(sources.__getitem__)
    assert verdict.findings == ()
    assert verdict.ok
    assert {name: summary.read for name, summary in verdict.splits.items()} == {
        "train": 60,
        "validation": 40,
        "test": 40,
    }
    summary = verdict.splits["train"]
    assert summary.sizes == {"128x96": 60}
    assert (summary.measured_share, summary.valid_share) == (1, 1)
    depths = np.concatenate([Scenes(60)[i].depth.ravel() for i in range(60)])
    assert summary.nearest == depths.min()
    assert summary.farthest == depths.max()
    assert summary.median == pytest.approx(np.median(depths), rel=0.01)  # bins of half a per cent
    assert "nothing to complain about" in verdict.text()


def test_threads_change_nothing():
    one, many = (verdict_of(Scenes(30, change=with_depth_of(1)), workers=workers) for workers in (1, 8))
    assert one.to_json() == many.to_json()


class Stored(Scenes):
    """Scenes stored with `true` units per metre and divided by `taken` ones."""

    def __init__(self, count, true, taken):
        factor = np.float32(true / taken)
        super().__init__(count, change=lambda index, sample: sample._replace(depth=sample.depth * factor))
        self.units_per_metre = taken


@pytest.mark.parametrize(
    ("true", "taken", "title"),
    [
        (1000, 1, "these look like millimetres; pass --depth-unit mm"),
        (100, 1, "these look like centimetres; pass --depth-unit cm"),
        (1000, 100, "these look like millimetres read as centimetres; pass --depth-unit mm"),
        (1, 100, "these look like metres read as centimetres; pass --depth-unit m"),
        (1, 1000, "these look like metres read as millimetres; pass --depth-unit m"),
        (5000, 500, "these look like TUM's 5000 units per metre read as 500 units per metre; pass --depth-scale 5000"),
        (5000, 1, "these look like TUM's 5000 units per metre; pass --depth-scale 5000"),
        (1000, 5000 / 64, "these look like millimetres read as 78.125 units per metre; pass --depth-unit mm"),
    ],
)
def test_wrong_units_are_errors(true, taken, title):
    for source in (Stored(4, true, taken), Rows(Stored(6, true, taken), range(4))):
        finding = the_finding(verdict_of(source), "median")
        assert finding.level == "error"
        assert title in finding.title
        # nobody means kilometres, or a shorter range
        assert ("--max-depth" in finding.detail) == (1 < true / taken < 1000)


def test_five_thousand_units_per_metre_read_as_millimetres():
    finding = the_finding(verdict_of(Stored(4, 5000, 1000)), "% of the depths lie within")
    assert "Or are these TUM's 5000 units per metre read as millimetres (--depth-scale 5000)?" in finding.detail


def test_a_source_that_takes_no_unit_is_told_the_factor_alone():
    verdict = verdict_of(Scenes(4, change=lambda i, sample: sample._replace(depth=10 * sample.depth)))
    finding = the_finding(verdict, "median")
    assert finding.level == "error"
    assert "these look ten times too large" in finding.title
    assert "--depth" not in verdict.text()


@pytest.mark.parametrize("units", [1.0, 100.0, 256.0, 1000.0, 5000.0])
@pytest.mark.parametrize("max_depth", [10.0, 80.0])
def test_the_unit_in_use_is_never_proposed(units, max_depth):
    used = {1: "-unit m", 100: "-unit cm", 256: "-scale 256", 1000: "-unit mm", 5000: "-scale 5000"}[units]
    for median in np.geomspace(1e-4, 1e5, 200):
        guess = misread(median, 0.1, max_depth, units)
        assert guess is None or guess.flag != f"--depth{used}"


@pytest.mark.parametrize("metres", [12.0, 15.0, 25.0])
def test_street_scenes_in_256ths_are_recognised(metres):
    guess = misread(256 * metres, 1, 80, 1.0)
    assert guess.flag == "--depth-scale 256"
    assert guess.size == "256 times too large"


def test_the_median_is_printed_as_a_number_that_can_be_read():
    verdict = verdict_of(Scenes(4, change=lambda i, sample: sample._replace(depth=1000 * sample.depth)))
    assert "median 4," in the_finding(verdict, "median").title  # 4,xyz m


@pytest.mark.parametrize("median", [1e9, 1e-9])
def test_what_no_unit_explains(median):
    assert misread(median, 0.1, 10) is None


def test_ten_times_too_small_is_a_suspicion():
    verdict = verdict_of(Scenes(4, change=lambda i, sample: sample._replace(depth=sample.depth / 10)))
    finding = the_finding(verdict, "nearly all depths are below")
    assert finding.level == "warning"
    assert "the unit is" in finding.detail


def test_a_range_too_short_is_no_error():
    verdict = verdict_of(Scenes(4), max_depth=4.0)
    assert verdict.ok
    assert "pass --max-depth 8" in the_finding(verdict, "depths lie within 0.1..4 m").detail


def test_depths_mostly_out_of_range_are_a_warning_with_both_ways_out():
    verdict = verdict_of(Stored(4, 100, 100), max_depth=2.5)
    assert verdict.ok
    finding = the_finding(verdict, "% of the depths lie within 0.1..2.5 m")
    assert finding.level == "warning"
    assert finding.title.startswith("only ")
    assert "If the metres are right, pass --max-depth 8." in finding.detail
    assert "--depth-unit mm" in finding.detail


def test_sparse_depth_is_a_warning_below_one_per_cent():
    def keep(share):
        def change(index, sample):
            return sample._replace(
                depth=np.where(np.random.default_rng(index).random((96, 128)) < share, sample.depth, 0)
            )

        return change

    assert "0.5 % of the pixels" in the_finding(verdict_of(Scenes(4, change=keep(0.005))), "pixels are measured").title
    assert found(verdict_of(Scenes(4, change=keep(0.05)))) == []


def test_eight_bits_are_recognised_and_sixteen_are_not():
    def quantised(step):
        return lambda i, sample: sample._replace(
            depth=np.round(sample.depth / step).astype(np.float32) * np.float32(step)
        )

    verdict = verdict_of(Scenes(6, change=quantised(10 / 255)))
    finding = the_finding(verdict, "it was once 8 bits")
    assert finding.level == "warning"
    assert "steps of 3.9 cm" in finding.title
    assert found(verdict_of(Scenes(6, change=quantised(0.001)))) == []
    assert found(verdict_of(Scenes(1, change=quantised(10 / 255)))) == []  # 12,000 pixels say little


def test_maps_that_say_nothing_are_named():
    def change(index, sample):
        depth = {2: np.zeros_like, 5: np.ones_like, 7: lambda depth: 1000 * depth}.get(index, lambda depth: depth)
        return sample._replace(depth=depth(sample.depth))

    verdict = verdict_of(Scenes(10, change=change))
    assert verdict.ok
    for title, row in (("without a single", 2), ("of one depth", 5), ("wholly outside 0.1..10 m", 7)):
        assert the_finding(verdict, title).rows == (f"Row {row} of scenes",)


def test_maps_mostly_of_one_depth_are_an_error():
    def change(index, sample):
        return sample._replace(depth=np.full_like(sample.depth, 1 + index)) if index < 6 else sample

    assert the_finding(verdict_of(Scenes(10, change=change)), "6 depth maps are of one depth").level == "error"


def test_holes_alone_are_an_error():
    verdict = verdict_of(Scenes(3, change=lambda i, sample: sample._replace(depth=np.zeros_like(sample.depth))))
    assert found(verdict) == [("error", "not one depth was measured")]
    assert verdict.splits["train"].histogram == ()
    assert json.dumps(verdict.to_json(), allow_nan=False)


def test_odd_pictures_are_named():
    def change(index, sample):
        image = sample.image.copy()
        if index == 1:
            image[:] = 17
        if index == 3:
            image[:] = image[..., :1]
        if index == 4:
            image = (colormaps["gray"](sample.depth / 10)[..., :3] * 255).astype(np.uint8)
        return sample._replace(image=image)

    verdict = verdict_of(Scenes(8, change=change))
    assert the_finding(verdict, "of one colour").rows == ("Row 1 of scenes",)
    assert the_finding(verdict, "renderings of their own depth").rows == ("Row 4 of scenes",)
    assert the_finding(verdict, "grey").title == "3 of 8 pictures are grey"
    assert verdict.ok


def test_renderings_throughout_are_an_error():
    def change(index, sample):
        return sample._replace(image=(colormaps["viridis"](sample.depth / 10)[..., :3] * 255).astype(np.uint8))

    assert not verdict_of(Scenes(5, change=change)).ok


def test_bad_rows_are_errors_by_kind():
    def change(index, sample):
        if index in (1, 4):
            raise FileNotFoundError(f"Row {index} of scenes: no such file. Received: '{index}.png'")
        return sample._replace(depth=sample.depth[1:]) if index == 2 else sample

    verdict = verdict_of(Scenes(6, change=change))
    assert not verdict.ok
    gone = the_finding(verdict, "2 of 6 rows: no such file")
    assert gone.rows == ("Row 1 of scenes: '1.png'", "Row 4 of scenes: '4.png'")
    unequal = the_finding(verdict, "1 of 6 rows: image and depth must have one size")
    assert unequal.rows == ("Row 2 of scenes: image of 128x96, depth of 128x95 (width x height)",)
    assert "--skip-bad-rows" in unequal.detail
    assert verdict.splits["train"].bad == 3
    assert "6 pairs, all read, 3 of them cannot be used" in verdict.text()


@pytest.mark.parametrize("name", ["2011_09_26/drive_{:04} frame {} (left)", "Row {1}{0}: of a.zip (x.jpg, y.png)"])
def test_faults_are_grouped_by_reason_whatever_a_row_is_called(name):
    class Named(Scenes):
        def row_name(self, index):
            return name.format(index, "abcdefgh"[index])

    def change(index, sample):
        files = f" (a/{'abcdefgh'[index]}.jpg)" if index % 2 else ""
        raise ValueError(f"{source.row_name(index)}{files}: depth is cut short. Received: 'depth.png'")

    source = Named(8, change=change)
    assert found(verdict_of(source)) == [("error", "none of the 8 rows can be used: depth is cut short")]


def test_names_that_are_not_utf8_are_printed_escaped():
    place = os.fsdecode(b"caf\xe9")

    class Named(Scenes):
        def row_name(self, index):
            return f"Row {index} of {place}"

        def __repr__(self):
            return f"Named({place})"

    def change(index, sample):
        if index == 1:
            raise ValueError(f"{place} is odd. Received: {place}")
        return sample

    lines = []
    sources = {"train": Named(2, change=change), "validation": Named(2)}
    verdict = check_data(sources.__getitem__, sources, announce=lines.append)
    for text in (*lines, verdict.text(), json.dumps(verdict.to_json(), ensure_ascii=False)):
        text.encode("utf-8")
        assert "reading" not in text or "caf\\udce9" in text
    assert verdict.splits["train"].examples[0].name == "Row 0 of caf\\udce9"
    assert r"Row 1 of caf\udce9" in verdict.text()


def test_pictures_stored_turned_are_counted(tmp_path):
    rows = []
    for index in range(3):
        scene = paint(index)
        exif = Image.Exif()
        exif[0x112] = 6 if index == 1 else 1
        Image.fromarray(scene.image).save(tmp_path / f"{index}.jpg", exif=exif)
        Image.fromarray(np.round(1000 * scene.depth).astype(np.uint16)).save(tmp_path / f"{index}.png")
        rows.append(f"{index}.jpg,{index}.png\n")
    (tmp_path / "train.csv").write_text("".join(rows))
    folder = load_dataset("folder", data_dir=tmp_path, depth_unit="mm")
    for source in (folder, Rows(folder, [0, 1])):
        finding = the_finding(verdict_of(source), "stored turned")
        assert (finding.level, finding.title) == ("note", f"1 of {len(source)} pictures are stored turned")
        assert finding.rows == ("Row 2 of train.csv (1.jpg, 1.png)",)
    assert not [title for _, title in found(verdict_of(Rows(folder, [0, 2]))) if "turned" in title]


def test_copies_between_splits():
    def saved_anew(index, sample):
        file = io.BytesIO()
        Image.fromarray(sample.image).save(file, "JPEG", quality=70)
        return sample._replace(image=np.asarray(Image.open(file))) if index < 2 else sample

    sources = {"train": Scenes(20), "validation": Scenes(5, 17), "test": Scenes(5, 8, saved_anew)}
    verdict = check_data(sources.__getitem__)
    equal = [finding for finding in verdict.findings if finding.level == "error"]
    assert [(finding.split, finding.title) for finding in equal] == [
        ("validation and train", "3 of 5 pictures are in train, too"),
        ("test and train", "3 of 5 pictures are in train, too"),
    ]
    assert equal[0].rows[0] == "validation: Row 0 of scenes = train: Row 17 of scenes"
    near = the_finding(verdict, "2 of 5 pictures are nearly like one of train")
    assert (near.level, near.split) == ("warning", "test and train")
    assert near.rows == tuple(f"test: Row {i} of scenes = train: Row {8 + i} of scenes" for i in range(2))


def test_pictures_of_one_colour_are_no_copies_of_each_other():
    sources = {
        "train": Scenes(3, change=lambda i, sample: sample._replace(image=np.full_like(sample.image, 10))),
        "test": Scenes(3, 9, change=lambda i, sample: sample._replace(image=np.full_like(sample.image, 11))),
    }
    verdict = check_data(sources.__getitem__, ("train", "test"))
    assert not [finding for finding in verdict.findings if " and " in finding.split]


def test_pictures_that_only_get_darker_the_same_way_are_no_copies():
    """Every bit of their fingerprints is 0; where they get darker decides."""

    def ramp(knee):
        across = np.interp(np.arange(128), [0, knee, 127], [240, 120 if knee < 64 else 220, 20])
        return lambda index, sample: sample._replace(
            image=np.repeat(across[:, None], 3, 1)[None].repeat(96, 0).astype("uint8")
        )

    near = {}
    for knee in (10, 12, 110):
        sources = {"train": Scenes(1, change=ramp(10)), "test": Scenes(1, 5, ramp(knee))}
        findings = check_data(sources.__getitem__, sources).findings
        near[knee] = [finding.level for finding in findings if finding.split == "test and train"]
    assert near == {10: ["error"], 12: ["warning"], 110: []}


def test_repetitions_inside_a_split():
    def change(index, sample):
        return {3: paint(0), 7: Sample(sample.image, paint(6).depth)}.get(index, sample)

    verdict = verdict_of(Scenes(9, change=change))
    assert the_finding(verdict, "copies of others").rows == ("Row 0 of scenes = Row 3 of scenes",)
    assert the_finding(verdict, "share a depth map").rows == ("Row 6 of scenes = Row 7 of scenes",)


@pytest.mark.parametrize(("shift", "where"), [(1, "row after"), (-1, "row before")])
def test_rows_shifted_by_one(shift, where):
    verdict = verdict_of(Scenes(40, 100, with_depth_of(-shift, 100)))
    finding = the_finding(verdict, "rows look shifted by one: 40 of 40 rows")
    assert not verdict.ok
    assert where in finding.detail
    assert finding.rows == ("about Row 0 of scenes to Row 39 of scenes",)


def test_a_list_that_slips_in_its_middle():
    def change(index, sample):
        return sample if index < 48 else with_depth_of(1)(index, sample)

    finding = the_finding(verdict_of(Scenes(96, change=change)), "rows look shifted by one: 48 of 96 rows")
    assert finding.rows == ("about Row 48 of scenes to Row 95 of scenes",)


def test_mirrored_depth():
    verdict = verdict_of(Scenes(24, change=lambda i, sample: sample._replace(depth=sample.depth[:, ::-1].copy())))
    finding = the_finding(verdict, "depth looks turned against its picture: 24 of 24 rows")
    assert finding.level == "error"
    assert "mirrored left to right" in finding.detail


def test_too_few_rows_are_not_judged():
    assert found(verdict_of(Scenes(12, change=with_depth_of(1)))) == []  # 11 neighbours
    assert found(verdict_of(Scenes(13, change=with_depth_of(1)))) == [
        ("error", "rows look shifted by one: 13 of 13 rows")
    ]


def test_only_rows_beside_each_other_are_compared():
    """Every other row is bad, and the good ones have the depth of the next good one."""

    def change(index, sample):
        if index % 2:
            raise ValueError("bad")
        return with_depth_of(2)(index, sample)

    assert [level for level, _ in found(verdict_of(Scenes(60, change=change)))] == ["error"]
    assert "60 rows: bad" in verdict_of(Scenes(60, change=change)).findings[0].title


def test_another_order_is_a_suspicion():
    verdict = verdict_of(Scenes(40, change=with_depth_of(7)))
    assert found(verdict) == [("warning", "pictures and depth maps do not seem to belong together")]


def test_upside_down_depth_ranges_are_a_suspicion():
    def change(index, sample):
        return sample._replace(depth=(5 / sample.depth).astype(np.float32))

    assert found(verdict_of(Scenes(29, change=change))) == []
    finding = the_finding(verdict_of(Scenes(40, change=change)), "the lower part is farther away")
    assert finding.level == "warning"


def test_a_camera_that_stands_still_raises_no_alarm():
    """Every row fits its neighbour's depth as well as its own: nothing follows from that."""
    scene = paint(0)

    def change(index, _):
        rng = np.random.default_rng(index)
        image = np.clip(scene.image + rng.normal(0, 4, scene.image.shape), 0, 255).astype(np.uint8)
        return Sample(image, scene.depth + rng.normal(0, 0.01, scene.depth.shape).astype(np.float32))

    assert found(verdict_of(Scenes(40, change=change))) == []


def test_splits_that_are_not_there():
    def open_split(split):
        if split == "train":
            return Scenes(2)
        raise (FileNotFoundError if split == "validation" else ValueError)(f"No {split}.")

    verdict = check_data(open_split)
    assert [(finding.level, finding.split) for finding in verdict.findings] == [
        ("error", "validation"),
        ("error", "test"),
    ]
    assert not verdict.ok
    with pytest.raises(FileNotFoundError, match=r"No validation\."):
        check_data(open_split, ("validation", "test"))


@pytest.mark.parametrize(("missing", "ok"), [("train", False), ("validation", False), ("test", True)])
def test_training_needs_two_splits_and_no_third(missing, ok):
    def open_split(split):
        if split == missing:
            raise FileNotFoundError(f"No {split}.")
        return Scenes(2, {"train": 0, "validation": 10, "test": 20}[split])

    verdict = check_data(open_split)
    assert found(verdict) == [("note" if ok else "error", "this split is not there")]
    assert verdict.ok == ok
    assert verdict_of(Scenes(2)).ok  # nobody asked for validation


def test_a_split_closed_to_the_user_is_an_error_of_that_split():
    def open_split(split):
        if split == "validation":
            raise PermissionError(13, "Permission denied", "validation")
        return Scenes(2, {"train": 0, "test": 20}[split])

    verdict = check_data(open_split)
    assert found(verdict) == [("error", "this split cannot be opened")]
    assert "Permission denied" in verdict.findings[0].detail
    assert list(verdict.splits) == ["train", "test"]


def test_an_empty_split_is_an_error():
    verdict = verdict_of(Scenes(0))
    assert found(verdict) == [("error", "the split is empty")]
    both = check_data({"train": Scenes(0), "test": Scenes(0)}.__getitem__, ("train", "test"))
    assert [finding.split for finding in both.findings] == ["train, test"]  # word for word the same, said once
    assert verdict.text()


def test_a_sample_of_the_rows():
    verdict = verdict_of(Scenes(400, change=with_depth_of(1)), samples=40)
    assert verdict.splits["train"].read == 40
    assert not verdict.ok
    assert "400 pairs, 40 read" in verdict.text()


@pytest.mark.parametrize("options", [{"samples": 0}, {"workers": 0}, {"min_depth": 5, "max_depth": 2}])
def test_bad_arguments(options):
    with pytest.raises(ValueError, match="Received"):
        verdict_of(Scenes(2), **options)


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0 %"), (1e-6, "under 0.1 %"), (0.5, "50 %"), (0.123, "12.3 %"), (0.99999, "over 99.9 %"), (1, "100 %")],
)
def test_shares_are_not_rounded_to_all_or_nothing(share, text):
    assert share_text(share) == text


def test_json_says_everything_the_text_does():
    verdict = verdict_of(Scenes(30, change=with_depth_of(1)))
    values = json.loads(json.dumps(verdict.to_json(), allow_nan=False))
    assert values["ok"] is False
    assert values["findings"][0]["level"] == "error"
    assert values["splits"]["train"]["pairs"] == 30
    assert all(finding["title"] in " ".join(verdict.text().split()) for finding in values["findings"])
    assert max(map(len, verdict.text().splitlines())) <= 120


def real_folder(nyu_folder, target, count, change=lambda rows: rows):
    """The first rows of every split of the real folder, by links; `change` gets and returns lists of two names."""
    for name in ("rgb", "depth"):
        os.symlink(nyu_folder / name, target / name)
    for split in ("train", "validation", "test"):
        with open(nyu_folder / f"{split}.csv", newline="") as file:
            rows = change(list(csv.reader(file))[1 : count + 1])
        (target / f"{split}.csv").write_text("".join(",".join(row) + "\n" for row in rows))
    return lambda unit: check_data(lambda split: load_dataset("folder", split, data_dir=target, depth_unit=unit))


@pytest.mark.parametrize("count", [20, 48])
def test_real_frames_raise_no_alarm_but_for_their_eight_bits(nyu_folder, tmp_path, count):
    verdict = real_folder(nyu_folder, tmp_path, count)("mm")
    assert verdict.ok
    assert all("it was once 8 bits" in finding.title for finding in verdict.findings)
    assert verdict.findings


def test_real_frames_in_the_wrong_unit(nyu_folder, tmp_path):
    verdict = real_folder(nyu_folder, tmp_path, 8)("m")
    assert len(verdict.findings) == 3
    assert all("these look like millimetres; pass --depth-unit mm" in finding.title for finding in verdict.findings)


def test_real_frames_shifted_by_one(nyu_folder, tmp_path):
    def shift(rows):
        return [(image, depth) for (image, _), (_, depth) in itertools.pairwise(rows)]

    verdict = real_folder(nyu_folder, tmp_path, 37, shift)("mm")
    errors = [finding for finding in verdict.findings if finding.level == "error"]
    assert [finding.title for finding in errors] == ["rows look shifted by one: 36 of 36 rows"] * 3
    assert all("the row before" in finding.detail for finding in errors)


def test_real_frames_with_coloured_depth(nyu_folder, tmp_path):
    def colour(rows):
        for _, depth in rows:
            stored = np.asarray(Image.open(nyu_folder / depth)) / 1e4
            picture = (255 * colormaps["plasma"](stored)[..., :3]).astype(np.uint8)
            Image.fromarray(picture).save(tmp_path / os.path.basename(depth))
        return [(image, os.path.basename(depth)) for image, depth in rows]

    verdict = real_folder(nyu_folder, tmp_path, 2, colour)("mm")
    assert [finding.level for finding in verdict.findings] == ["error"] * 3
    assert all("none of the 2 rows can be used: depth is a 3-channel" in f.title for f in verdict.findings)
    assert all("no longer holds metres" in finding.detail for finding in verdict.findings)


def test_a_walk_through_real_pictures_raises_no_alarm(nyu_folder):
    """Frames that move by two pixels, as in a video: neighbours fit nearly as well as one's own depth."""
    image = read_image(nyu_folder / "rgb/0100.jpg")
    depth = np.asarray(Image.open(nyu_folder / "depth/0100.png"), np.float32) / 1000

    def change(index, _):
        part = slice(40, 440), slice(2 * index, 2 * index + 500)
        return Sample(image[part], depth[part])

    assert verdict_of(Scenes(60, change=change)).ok


def test_two_real_street_scenes_raise_no_alarm():
    if not (SHARED / "kitti").is_dir():
        pytest.skip(f"real KITTI frames are not at hand: {SHARED / 'kitti'} (set DENSEDEPTH_TEST_DATA)")
    images, depths = (sorted((SHARED / "kitti" / kind).iterdir()) for kind in ("image", "depth"))

    def change(index, _):
        return Sample(read_image(images[index]), np.asarray(Image.open(depths[index])).astype(np.float32) / 256)

    verdict = verdict_of(Scenes(2, change=change), min_depth=0.8, max_depth=80.0)
    assert [level for level, _ in found(verdict) if level != "note"] == []


def test_rendered_rooms_raise_no_alarm():
    sources = {split: load_dataset("rooms", split, limit=40) for split in ("train", "test")}
    verdict = check_data(sources.__getitem__, sources)
    assert [finding for finding in verdict.findings if finding.level != "note"] == []
