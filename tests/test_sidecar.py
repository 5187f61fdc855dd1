"""`dataset.json`: what may stand in it, and what a wrong one is told."""

import json

import pytest

from densedepth_keras.sidecar import MAX_BYTES, Sidecar, read_sidecar, units_per_metre

FULL = {
    "name": "Rooms of a flat",
    "depth_unit": "mm",
    "min_depth": 0.3,
    "max_depth": 12,
    "crop": [45, 471, 41, 601],
    "licence": "CC BY 4.0",
    "source": "https://example.org/flat",
}


def write(folder, values, **options):
    (folder / "dataset.json").write_text(json.dumps(values), **options)
    return folder


def test_everything_comes_back(tmp_path):
    sidecar = read_sidecar(write(tmp_path, FULL))
    assert sidecar == Sidecar(**{**FULL, "crop": (45, 471, 41, 601)})
    assert sidecar.units_per_metre == 1000


def test_no_file_says_nothing(tmp_path):
    assert read_sidecar(tmp_path) == read_sidecar(tmp_path / "nowhere") == Sidecar()
    assert Sidecar().units_per_metre is None


def test_byte_order_mark_does_no_harm(tmp_path):
    assert read_sidecar(write(tmp_path, {"depth_scale": 256}, encoding="utf-8-sig")).units_per_metre == 256


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"licens": "MIT"}, r"Unknown key.*key='licens'\. Did you mean 'licence'"),
        ({"name": 3}, r"`name` must be a printable text\. Received: name=3"),
        ({"name": " "}, r"`name` must be a printable text"),
        ({"source": "red \u001b[31m"}, r"`source` must be a printable text"),
        ({"depth_unit": "km"}, r"`depth_unit` must say.*depth_unit='km'"),
        ({"depth_unit": True}, r"`depth_unit` must say.*depth_unit=True"),
        ({"depth_unit": ["mm"]}, r"`depth_unit` must say"),
        ({"depth_scale": "1000"}, r"`depth_scale` must be a positive number\. Received: depth_scale='1000'"),
        ({"depth_scale": 1e9}, r"`depth_scale` must be the number of stored units.*1000000000"),
        ({"depth_unit": "mm", "depth_scale": 1000}, "two ways: give one"),
        ({"min_depth": 0}, r"`min_depth` must be a positive number\. Received: min_depth=0"),
        ({"max_depth": float("inf")}, r"`max_depth` must be a positive number"),
        ({"max_depth": float("nan")}, r"`max_depth` must be a positive number"),
        ({"max_depth": 10**400}, r"`max_depth` must be a positive number"),
        ({"min_depth": True}, r"`min_depth` must be a positive number"),
        ({"min_depth": 10.0, "max_depth": 1.0}, r"below `max_depth`.*min_depth=10\.0"),
        ({"crop": [0, 10, 0]}, r"`crop` must be \[top, bottom, left, right\].*crop=\(0, 10, 0\)"),
        ({"crop": [10, 10, 0, 5]}, r"`crop` must be"),
        ({"crop": [-1, 10, 0, 5]}, r"`crop` must be"),
        ({"crop": [0, 10.0, 0, 5]}, r"`crop` must be"),
        ({"crop": "eigen"}, r"`crop` must be"),
        ([1], "expected one JSON object.*Received: list"),
    ],
)
def test_wrong_values_name_file_and_key(tmp_path, values, message):
    with pytest.raises(ValueError, match=r"dataset\.json.*" + message):
        read_sidecar(write(tmp_path, values))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not JSON in UTF-8"),
        (b"{'name': 1}", "not JSON in UTF-8"),
        (b'{"name": "\xe9"}', "not JSON in UTF-8"),
        (b"[" * 60_000, r"dataset\.json"),
        (b'{"name": "a", "name": "b"}', "stands there twice.*key='name'"),
        (b" " * (MAX_BYTES + 1), f"at most {MAX_BYTES} bytes"),
    ],
)
def test_wrong_files_are_named(tmp_path, data, message):
    (tmp_path / "dataset.json").write_bytes(data)
    with pytest.raises(ValueError, match=message):
        read_sidecar(tmp_path)


def test_a_folder_of_that_name_is_an_error(tmp_path):
    (tmp_path / "dataset.json").mkdir()
    with pytest.raises(ValueError, match=r"dataset\.json cannot be read"):
        read_sidecar(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"depth_unit": "m"}, 1.0),
        ({"depth_unit": "cm"}, 100.0),
        ({"depth_unit": "mm"}, 1000.0),
        ({"depth_unit": 1 / 256}, 256.0),
        ({"depth_unit": "0.0002"}, 5000.0),
        ({"depth_scale": 5000}, 5000.0),
        ({"depth_scale": "256"}, 256.0),
    ],
)
def test_units_per_metre(arguments, expected):
    assert units_per_metre(**arguments) == expected


@pytest.mark.parametrize("unit", [None, "km", "0", "-1", "nan", "inf", 0.0, "1e50", "1e-50"])
def test_unit_is_never_guessed(unit):
    with pytest.raises(ValueError, match=r"`depth_unit` must say.*never guessed"):
        units_per_metre(unit)


@pytest.mark.parametrize("scale", [0, -1000, "nan", "inf", 1e7, 1e-4, "mm"])
def test_wrong_scale(scale):
    with pytest.raises(ValueError, match=f"`depth_scale` must be the number.*Received: depth_scale={scale!r}"):
        units_per_metre(depth_scale=scale)
