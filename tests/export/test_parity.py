"""The comparison of two runtimes, on functions made for it."""

import numpy as np
import pytest

from densedepth_keras.export.parity import TOLERANCES, Parity, check_parity, compare

IMAGES = [np.full((2, 4, 3), value, np.uint8) for value in (10, 20, 30)]


def _keras(images):
    return images[..., 0].astype("float32")


def test_differences_are_those_of_all_pixels_of_all_pictures():
    def other(images):
        depth = _keras(images)
        depth[0, 0, 0] += 0.5 if images.max() == 20 else 0.0
        return depth

    parity = compare(_keras, other, IMAGES, "runtime 1")
    assert parity[:3] == (3, 0.5, pytest.approx(0.5 / (3 * 8)))
    assert parity.runtime == "runtime 1"


def test_each_is_first_in_turn_and_warm_ups_are_not_timed():
    order = []

    def named(name):
        def answer(images):
            order.append((name, images.max()))
            return _keras(images)

        return answer

    compare(named("keras"), named("other"), IMAGES, "")
    assert [name for name, _ in order] == ["keras", "other", "other", "keras", "keras", "other", "other", "keras"]


def test_another_shape_is_an_error():
    with pytest.raises(ValueError, match=r"\(1, 2, 3\).*\(1, 2, 4\)"):
        compare(_keras, lambda images: _keras(images)[:, :, :3], IMAGES, "")


def test_nan_is_never_lost():
    def other(images):
        return _keras(images) * (np.nan if images.max() == 10 else 1)

    parity = compare(_keras, other, IMAGES, "")
    for quantize in TOLERANCES:
        with pytest.raises(ValueError, match="nan m"):
            check_parity(parity, quantize, tolerance=1e9)


@pytest.mark.parametrize(
    ("quantize", "tolerance", "largest", "mean", "is_good"),
    [
        ("none", None, 0.0009, 0.0, True),
        ("none", None, 0.0011, 0.0, False),
        ("none", 0.01, 0.009, 0.0, True),
        ("int8", None, 3.0, 0.24, True),  # single pixels may be far off
        ("int8", None, 3.0, 0.26, False),
        ("float16", None, 0.3, 0.06, False),
        ("float16", 0.1, 0.3, 0.06, True),
    ],
)
def test_largest_is_judged_of_float32_and_mean_of_the_others(quantize, tolerance, largest, mean, is_good):
    parity = Parity(1, largest, mean, 1.0, 1.0, "runtime 1")
    if is_good:
        check_parity(parity, quantize, tolerance)
        return
    with pytest.raises(ValueError, match=f"runtime 1 does not give.*nothing was left.*quantize='{quantize}'"):
        check_parity(parity, quantize, tolerance)


def test_table_holds_the_figures():
    text = "\n".join(Parity(5, 0.25, 0.125, 41.0, 18.5, "ONNX Runtime 1").lines(2_500_000))
    assert all(figure in text for figure in ("ONNX Runtime 1", "41.0", "18.5", "2.5", "0.250000", "0.125000"))
