"""Which pictures files, folders and patterns name."""

import os
from pathlib import Path

import pytest

from densedepth_keras.predicting.inputs import find_images


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """`photos/` with two levels, things that are no pictures, hidden ones; the working directory is above it."""
    for name in (
        "photos/b.jpg",
        "photos/a.PNG",
        "photos/notes.txt",
        "photos/.hidden.png",
        "photos/day 2/c.webp",
        "photos/day 2/deep/d.tiff",
        "photos/.thumbnails/e.png",
        "other/b.jpg",
    ):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def places(*inputs):
    return [(str(each.path), str(each.inside)) for each in find_images(inputs)]


def test_folder_with_all_below_it(tree):
    assert places("photos") == [
        ("photos/a.PNG", "a.PNG"),
        ("photos/b.jpg", "b.jpg"),
        ("photos/day 2/c.webp", "day 2/c.webp"),
        ("photos/day 2/deep/d.tiff", "day 2/deep/d.tiff"),
    ]
    assert {each.folder for each in find_images(["photos"])} == {Path("photos")}


def test_a_file_is_taken_whatever_it_is_called(tree):
    assert places("photos/notes.txt", "photos/.hidden.png") == [
        ("photos/notes.txt", "notes.txt"),
        ("photos/.hidden.png", ".hidden.png"),
    ]
    assert find_images(["photos/b.jpg"])[0].folder is None


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("photos/*.jpg", [("photos/b.jpg", "b.jpg")]),
        ("photos/?.PNG", [("photos/a.PNG", "a.PNG")]),
        ("*/b.jpg", [("other/b.jpg", "other/b.jpg"), ("photos/b.jpg", "photos/b.jpg")]),
        ("photos/**/*.webp", [("photos/day 2/c.webp", "day 2/c.webp")]),
        ("photos/*.txt", [("photos/notes.txt", "notes.txt")]),
        ("other/*", [("other/b.jpg", "b.jpg")]),
    ],
)
def test_patterns_keep_the_folders_behind_their_first_wildcard(tree, pattern, expected):
    assert places(pattern) == expected


def test_a_pattern_ending_in_a_star_takes_pictures_and_searches_folders(tree):
    assert [inside for _, inside in places("photos/*")] == ["a.PNG", "b.jpg", "day 2/c.webp", "day 2/deep/d.tiff"]


def test_two_stars_search_all_folders(tree):
    found = find_images(["photos/**"])
    assert [str(each.inside) for each in found] == ["a.PNG", "b.jpg", "day 2/c.webp", "day 2/deep/d.tiff"]
    assert {each.folder for each in found} == {Path("photos")}


def test_a_file_whose_name_is_a_pattern(tree):
    (tree / "a[1].png").touch()
    assert places("a[1].png") == [("a[1].png", "a[1].png")]


def test_each_picture_once(tree):
    assert len(find_images(["photos", "photos/a.PNG", str(tree / "photos"), "photos/*.jpg"])) == 4


def test_links_in_a_circle_end(tree):
    (tree / "photos" / "day 2" / "up").symlink_to(tree / "photos")
    (tree / "photos" / "elsewhere").symlink_to(tree / "other")
    assert [inside for _, inside in places("photos")] == [
        "a.PNG",
        "b.jpg",
        "day 2/c.webp",
        "day 2/deep/d.tiff",
        "elsewhere/b.jpg",
    ]


@pytest.mark.parametrize(
    "url", ["https://example.org/a.jpg", "http://localhost/b.png", "file:///tmp/a.png", "s3://b/k"]
)
def test_urls_are_refused_with_the_reason(tree, url):
    with pytest.raises(ValueError, match=f"nothing is fetched.*Download it first.*'{url}'"):
        find_images(["photos", url])


def test_a_video_among_the_pictures(tree):
    (tree / "clip.MP4").touch()
    with pytest.raises(ValueError, match=r"--video.*clip\.MP4"):
        find_images(["clip.MP4"])


@pytest.mark.parametrize("missing", ["nowhere.jpg", "nowhere/*.jpg", "photos/*.bmp", "photos/b.jpg/c.jpg"])
def test_nothing_there(tree, missing):
    with pytest.raises(FileNotFoundError, match="No "):
        find_images([missing])


def test_a_folder_without_pictures(tree):
    (tree / "empty").mkdir()
    with pytest.raises(ValueError, match=r"No picture in that folder.*\.jpg.*'empty'"):
        find_images(["photos", "empty"])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_closed_folder_is_named(tree):
    (tree / "photos" / "day 2").chmod(0)
    with pytest.raises(ValueError, match=r"cannot be read.*day 2"):
        find_images(["photos"])
    (tree / "photos" / "day 2").chmod(0o755)


def test_a_folder_that_fails_is_named(tree, monkeypatch):
    def closed(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", closed)
    with pytest.raises(ValueError, match=r"cannot be read: Permission denied.*'photos'"):
        find_images(["photos"])
