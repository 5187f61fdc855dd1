"""Which pixels count."""

import numpy as np
import pytest

from densedepth_keras.protocols import PROTOCOLS


def test_crops_by_hand():
    depth = np.full((480, 640), 3.0)
    masks = {name: protocol.valid_mask(depth, 10.0) for name, protocol in PROTOCOLS.items()}
    assert masks["eigen"].sum() == (471 - 45) * (601 - 41)
    assert masks["densedepth"].sum() == (460 - 20) * (616 - 24)
    assert masks["full"].all()
    assert masks["eigen"][45:471, 41:601].all()
    assert masks["densedepth"][20:460, 24:616].all()


def test_masks_by_hand():
    depth = np.full((480, 640), 3.0)
    depth[100, 100:105] = 0, 1e-3, np.nan, 10, 12
    assert PROTOCOLS["eigen"].valid_mask(depth, 10.0)[100, 99:106].tolist() == [1, 0, 0, 0, 0, 0, 1]
    for name in ("densedepth", "full"):  # no cap
        assert PROTOCOLS[name].valid_mask(depth, 10.0)[100, 99:106].tolist() == [1, 0, 1, 0, 1, 1, 1]


def test_frames_of_another_size():
    with pytest.raises(ValueError, match=r"defined on 640x480.*Received: ground truth of 320x240"):
        PROTOCOLS["eigen"].valid_mask(np.ones((240, 320)), 10.0)
    assert PROTOCOLS["full"].valid_mask(np.ones((5, 7)), 10.0).all()
