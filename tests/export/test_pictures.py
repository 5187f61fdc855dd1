"""Pictures to compare on."""

import numpy as np
import pytest

from densedepth_keras.export.pictures import DYNAMIC_SIZES, find_pictures, pictures


def test_folders_give_pictures_without_depth_maps_and_hidden_ones(photos, tmp_path):
    found = find_pictures([str(photos)], 50)
    assert [path.name for path in found] == ["0.png", "1.png", "2.png", "3.png"]
    (tmp_path / ".thumbs").mkdir()
    (tmp_path / ".thumbs" / "a.png").touch()
    with pytest.raises(ValueError, match="No picture in that folder"):
        find_pictures([str(tmp_path)], 50)


def test_fewer_are_spread_over_all(photos):
    assert [path.name for path in find_pictures([str(photos), str(photos / "0.png")], 2)] == ["0.png", "2.png"]


def test_missing_picture_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"images='.*nope'"):
        find_pictures([str(tmp_path / "nope")], 5)


def test_sizes_are_the_networks_and_two_where_it_takes_any(photos):
    found = find_pictures([str(photos)], 3)
    assert {image.shape for image in pictures(found, (64, 96))} == {(64, 96, 3)}
    assert [image.shape[:2] for image in pictures(found, (None, None))] == [*DYNAMIC_SIZES, DYNAMIC_SIZES[0]]


def test_broken_picture_is_named(tmp_path):
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"bad\.jpg"):
        pictures(find_pictures([str(tmp_path / "bad.jpg")], 5), (64, 96))


def test_without_paths_rooms_are_rendered():
    first, second = pictures([], (48, 64), rooms=2)
    assert first.shape == (48, 64, 3)
    assert first.dtype == np.uint8
    assert not np.array_equal(first, second)
