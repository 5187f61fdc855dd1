"""Which training scenes validate."""

import numpy as np
import pytest

from densedepth_keras.data.nyu_lists import Row, held_out_scenes, scene, share_rows


def rows_of(counts, seed=0):
    """A shuffled list with so many rows a folder, as DenseDepth's is."""
    names = [f"data/nyu2_train/{folder}/{n}" for folder, count in counts.items() for n in range(count)]
    order = np.random.default_rng(seed).permutation(len(names))
    return [Row(i + 1, f"{names[k]}.jpg", f"{names[k]}.png") for i, k in enumerate(order)]


def scenes_of(rows):
    return {scene(row.image.rpartition("/")[0]) for row in rows}


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("data/nyu2_train/kitchen_0029b_out", "kitchen_0029"),
        ("data/nyu2_train/living_room_0038_out", "living_room_0038"),
        ("data/nyu2_train/nyu_office_0_out", "nyu_office_0"),
        ("data/nyu2_train/scene_out", "scene"),
        ("", ""),
    ],
)
def test_recordings_of_one_room_are_one_scene(folder, name):
    assert scene(folder) == name


@pytest.mark.parametrize("seed", range(5))
def test_whole_scenes_are_held_out(seed):
    rng = np.random.default_rng(seed)
    counts = {f"room_{i:04d}{part}_out": int(rng.integers(2, 100)) for i in range(140) for part in ("a", "b")}
    rows = rows_of(counts, seed)
    train, validation = (share_rows(rows, split) for split in ("train", "validation"))
    assert sorted(train + validation) == rows
    assert not scenes_of(train) & scenes_of(validation)
    assert 0.01 <= len(validation) / len(rows) <= 0.1
    assert len(scenes_of(validation)) >= 2
    # the same scenes in another order of the list
    again = share_rows(rows_of(counts, seed + 1), "validation")
    assert {row.image for row in again} == {row.image for row in validation}


def test_a_scene_too_large_is_passed_over():
    for large in ("a", "b", "c", "d"):
        counts = {name: 9000 if name == large else 100 for name in ("a", "b", "c", "d")}
        held_out = held_out_scenes(counts)
        assert held_out
        assert large not in held_out
    assert held_out_scenes({"a": 60, "b": 40}) == {"b"}
    assert held_out_scenes({"a": 50, "b": 50}) == {"a"}


def test_of_a_single_scene_the_last_tenth():
    rows = [Row(i + 1, f"data/nyu2_train/scene_out/{i}.jpg", "") for i in range(48)]
    assert share_rows(rows, "train") == rows[:43]
    assert share_rows(rows, "validation") == rows[43:]
    assert share_rows(rows[:1], "train") == rows[:1]
    assert share_rows(rows[:1], "validation") == []
