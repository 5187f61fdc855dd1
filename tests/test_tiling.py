"""Tiles: where they lie, what they weigh, which metres they get."""

import itertools

import numpy as np
import pytest

from densedepth_keras.tiling import OVERLAP, agreement, predict_tiled, tiles_of


@pytest.mark.parametrize("size", [(64, 80), (65, 80), (64, 500), (300, 81), (1000, 1003), (30, 200), (127, 159)])
def test_weights_of_tiles_add_up_to_one_in_every_pixel(size):
    total, covered = np.zeros(size), np.zeros(size, int)
    for tile in tiles_of(size, (64, 80)):
        total[tile.rows, tile.columns] += tile.row_weights[:, None] * tile.column_weights
        covered[tile.rows, tile.columns] += 1
        assert (tile.row_weights > 0).all()
        assert (tile.column_weights > 0).all()
        assert len(tile.row_weights) == tile.rows.stop - tile.rows.start == min(64, size[0])
    np.testing.assert_allclose(total, 1, rtol=1e-6)  # float32 weights
    assert covered.min() == 1


def test_neighbours_overlap():
    rows = sorted({(tile.rows.start, tile.rows.stop) for tile in tiles_of((1000, 80), (64, 80))})
    assert rows[0][0] == 0
    assert rows[-1][1] == 1000
    shared = [end - start for (_, end), (start, _) in itertools.pairwise(rows)]
    assert min(shared) >= 64 * OVERLAP - 1  # starts are whole pixels
    assert max(shared) < 32


def test_agreement_is_the_large_scale_of_the_ratio(rng):
    depth = rng.uniform(1, 5, (64, 80)).astype(np.float32)
    np.testing.assert_allclose(agreement(depth, 2.5 * depth), 2.5, rtol=1e-5)
    slope = np.exp(np.linspace(-1, 1, 80, dtype=np.float32))
    found = agreement(depth, depth * slope)[:, 5:-5]  # beyond the middles of the outer parts it is level
    np.testing.assert_allclose(found, np.broadcast_to(slope[5:-5], found.shape), rtol=1e-4)


def test_agreement_leaves_detail_to_the_tile():
    depth, reference = np.full((64, 80), 2.0, np.float32), np.full((64, 80), 4.0, np.float32)
    depth[32, 40] = 1.0  # of the tile alone
    found = agreement(depth, reference)
    assert found[32, 40] == pytest.approx(2, rel=0.02)  # 80 pixels a part: exp(log 2 / 80) is 1.009
    assert agreement(np.zeros_like(depth), reference).max() < np.inf


def network(factor_of):
    """A network that sees depth in the red channel, and takes windows for `factor_of(number)` times as deep."""
    calls = []

    def answer(inputs):
        depths = []
        for image in inputs:
            depths.append(image[::2, ::2, 0].astype(np.float32) / 25 * factor_of(len(calls)))
            calls.append(image.shape)
        return np.stack(depths)

    return answer, calls


def slope(height, width):
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = np.linspace(50, 250, width).round()
    return image


def test_tiles_get_the_metres_of_the_whole_picture():
    """However wrong each tile's own scale is."""
    image = slope(200, 256)
    answer, calls = network(lambda number: 1.0 if number == 0 else 0.2 + 0.3 * number)
    depth = predict_tiled(image, (64, 80), answer, batch_size=3)
    assert len(calls) > 12
    assert set(calls) == {(64, 80, 3)}
    # 1 of 255 levels / 25 m in the picture, as much in the network's half size, and whole shrunk once more
    np.testing.assert_allclose(depth, image[..., 0] / 25, atol=0.12)


def test_detail_of_the_picture_s_own_pixels_survives():
    image = slope(256, 320)
    image[:, 100:102, 0] = 5  # a pole that the shrunk picture blurs away
    answer, _ = network(lambda number: 1.0)
    tiled = predict_tiled(image, (64, 80), answer, batch_size=4)
    shrunk = predict_tiled(image, (256, 320), answer, batch_size=4)
    assert tiled[:, 100:102].min() < 1.5
    np.testing.assert_allclose(tiled[:, 150:], shrunk[:, 150:], atol=0.15)


def test_a_picture_narrower_than_the_network():
    answer, calls = network(lambda number: 1.0)
    depth = predict_tiled(slope(40, 300), (64, 80), answer, batch_size=2)
    assert depth.shape == (40, 300)
    assert set(calls) == {(64, 80, 3)}
