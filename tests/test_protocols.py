"""Which pixels count."""

import numpy as np
import pytest

from densedepth_keras.depth import EIGEN_CROP_KITTI, EIGEN_CROP_NYU, GARG_CROP_KITTI
from densedepth_keras.protocols import PROTOCOLS

KITTI_PROTOCOLS = ("garg", "eigen-kitti")
KITTI_SIZES = [(370, 1224), (370, 1226), (374, 1238), (375, 1242), (376, 1241)]
"""(height, width) of KITTI's five recording days."""


def test_crops_by_hand():
    depth = np.full((480, 640), 3.0)
    masks = {name: protocol.valid_mask(depth, 10.0) for name, protocol in PROTOCOLS.items()}
    assert masks["eigen"].sum() == (471 - 45) * (601 - 41)
    assert masks["densedepth"].sum() == (460 - 20) * (616 - 24)
    assert masks["full"].all()
    assert masks["eigen"][45:471, 41:601].all()
    assert masks["densedepth"][20:460, 24:616].all()


def test_kitti_crops_by_hand():
    depth = np.full((375, 1242), 30.0)
    # 0.40810811 * 375 = 153.04, 0.99189189 * 375 = 371.96, 0.03594771 * 1242 = 44.65, 0.96405229 * 1242 = 1197.35
    garg = PROTOCOLS["garg"].valid_mask(depth, 80.0)
    assert garg[153:371, 44:1197].all()
    assert garg.sum() == (371 - 153) * (1197 - 44)
    # 0.3324324 * 375 = 124.66, 0.91351351 * 375 = 342.57
    eigen = PROTOCOLS["eigen-kitti"].valid_mask(depth, 80.0)
    assert eigen[124:342, 44:1197].all()
    assert eigen.sum() == (342 - 124) * (1197 - 44)


@pytest.mark.parametrize("size", KITTI_SIZES)
@pytest.mark.parametrize("crop", [GARG_CROP_KITTI, EIGEN_CROP_KITTI])
def test_relative_crops_cut_to_whole_pixels_at_every_size(crop, size):
    height, width = size
    scaled = np.array([crop.top * height, crop.bottom * height, crop.left * width, crop.right * width])
    assert crop.pixels(height, width) == tuple(scaled.astype(np.int32))
    # In whole numbers, so that a float product just below a pixel cannot hide behind the same float product.
    exact = [round(f * 1e8) * n // 10**8 for f, n in zip(crop, (height, height, width, width), strict=True)]
    assert crop.pixels(height, width) == tuple(exact)


def test_crop_of_one_size_has_its_own_pixels():
    assert EIGEN_CROP_NYU.pixels(480, 640) == (45, 471, 41, 601)
    with pytest.raises(ValueError, match=r"defined on 640x480.*Received: ground truth of 320x240"):
        EIGEN_CROP_NYU.pixels(240, 320)


def test_masks_by_hand():
    depth = np.full((480, 640), 3.0)
    depth[200, 100:105] = 0, 1e-3, np.nan, 10, 12
    for name in ("eigen", *KITTI_PROTOCOLS):  # capped
        assert PROTOCOLS[name].valid_mask(depth, 10.0)[200, 99:106].tolist() == [1, 0, 0, 0, 0, 0, 1]
    for name in ("densedepth", "full"):  # no cap
        assert PROTOCOLS[name].valid_mask(depth, 10.0)[200, 99:106].tolist() == [1, 0, 1, 0, 1, 1, 1]


def test_frames_of_another_size():
    with pytest.raises(ValueError, match=r"'eigen'.*full.*defined on 640x480.*Received: ground truth of 320x240"):
        PROTOCOLS["eigen"].valid_mask(np.ones((240, 320)), 10.0)
    for name in ("full", *KITTI_PROTOCOLS):
        assert PROTOCOLS[name].valid_mask(np.ones((50, 70)), 10.0).any()
