"""Where real data lie, and pairs of an own-data folder as tests write them.

Not in conftest.py: folders below have one, too, and `import conftest` would find whichever came last.
"""

import os
from pathlib import Path

import numpy as np
from PIL import Image

SHARED = Path(os.environ.get("DENSEDEPTH_TEST_DATA", Path(__file__).resolve().parents[2] / "shared"))
"""Real NYU frames and MobileNetV2 weights; never part of the repository."""


def write_pairs(folder, split, count, *, size=(48, 64), seed=0, unit=0.001):
    """Writes `count` image/depth pairs and `<split>.csv`; returns the depths in metres."""
    rng = np.random.default_rng(seed)
    (folder / split).mkdir(parents=True)
    rows, depths = ["image,depth"], []
    for i in range(count):
        image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
        depth = np.round(rng.uniform(0.6, 9.5, size) / unit).astype(np.uint16)
        Image.fromarray(image).save(folder / split / f"{i}.png")
        Image.fromarray(depth).save(folder / split / f"{i}_depth.png")
        rows.append(f"{split}/{i}.png,{split}/{i}_depth.png")
        depths.append(depth * unit)
    (folder / f"{split}.csv").write_text("\n".join(rows) + "\n")
    return depths
