"""What to know about each data set before choosing one."""

import textwrap
from types import MappingProxyType
from typing import NamedTuple


class Description(NamedTuple):
    """A line of `densedepth data list`."""

    what: str
    size: str
    licence: str
    source: str
    flags: str


DESCRIPTIONS = MappingProxyType(
    {
        "rooms": Description(
            "rendered rooms with exact depth, 320x240",
            "1,200 / 96 / 192 pairs",
            "the package's own",
            "drawn on the spot; nothing to download",
            "none",
        ),
        "folder": Description(
            "your own pairs: CSV, TSV or JSON-lines lists, or image/ and depth/ folders",
            "as many as you have",
            "yours",
            "your disk",
            "--data-dir FOLDER, --depth-unit m|cm|mm (or --depth-scale, or a dataset.json)",
        ),
        "nyu-labeled": Description(
            "NYU Depth v2, the densely labelled indoor frames, 640x480, Kinect",
            "715 / 80 / 654 pairs (official) or 1000 / 224 / 225 (--partition paper; in training, --split paper); one "
            "file of 2.8 GB",
            "research use; Silberman et al., ECCV 2012",
            "http://horatio.cs.nyu.edu/mit/silberman/nyu_depth_v2/nyu_depth_v2_labeled.mat",
            "--data-dir nyu_depth_v2_labeled.mat",
        ),
        "nyu-csv": Description(
            "NYU Depth v2 as DenseDepth trained on it, 640x480, 8-bit training depth",
            "50,688 training pairs, whole scenes of which validate, and 654 test pairs; a zip of 4.1 GB, read in place",
            "research use; Silberman et al., ECCV 2012",
            "nyu_data.zip and nyu_test.zip of https://github.com/ialhashim/DenseDepth",
            "--data-dir nyu_data.zip, or the folder it was unpacked to",
        ),
        "nyu-tfds": Description(
            "NYU Depth v2 of tensorflow-datasets, 640x480",
            "47,584 training pairs, a part of which validates, and 654 test pairs",
            "research use; Silberman et al., ECCV 2012",
            "tensorflow-datasets, `nyu_depth_v2`",
            "--download, or --data-dir of a prepared copy; pip install tensorflow-datasets",
        ),
        "kitti": Description(
            "KITTI driving scenes, 1242x375, sparse LiDAR depth up to 80 m",
            "22,600 / 888 / 697 pairs (Eigen split)",
            "CC BY-NC-SA 3.0; Geiger et al. 2013",
            "https://www.cvlibs.net/datasets/kitti/eval_depth.php",
            "--data-dir FOLDER",
        ),
    }
)
"""Name of a data set -> what to know about it. Sizes: train / validation / test."""


def describe_datasets() -> str:
    """The table as text, a paragraph per data set."""
    return "\n\n".join(_paragraph(name, description) for name, description in DESCRIPTIONS.items())


def _paragraph(name, description):
    lines = [f"{name:<14}{description.what}"]
    for key, value in zip(("size", "licence", "from", "flags"), description[1:], strict=True):
        lines.append(textwrap.fill(f"{'':<14}{key:<9}{value}", 110, subsequent_indent=" " * 23, break_long_words=False))
    return "\n".join(lines)
