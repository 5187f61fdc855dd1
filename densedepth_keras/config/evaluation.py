"""The configs of `densedepth evaluate` and `densedepth import`."""

from dataclasses import dataclass

from densedepth_keras.config.data import DATA_DIR_HELP, RANGES, SCALE_HELP, SPLITS, UNIT_HELP
from densedepth_keras.config.flags import check, check_at_least_one, check_choices, flag, settle_image_size
from densedepth_keras.protocols import PROTOCOLS


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """Everything an evaluation depends on. Its flags are described by `python evaluate.py --help`.

    Raises:
        ValueError: a value out of bounds.
    """

    checkpoint: str | None = flag(
        "a run folder or a .keras file; without a value: the newest run below --output-dir", nargs="?", metavar="PATH"
    )
    dataset: str | None = flag("what to evaluate on; default: what the run was trained on", choices=tuple(RANGES))
    data_dir: str | None = flag(f"{DATA_DIR_HELP}; default: the run's")
    depth_unit: str | None = flag(f"{UNIT_HELP}; default: the run's", metavar="m|cm|mm|FLOAT")
    depth_scale: float | None = flag(f"{SCALE_HELP}; default: the run's", type=float, metavar="UNITS")
    split_dir: str | None = flag("folder with the split lists of 'kitti'; default: the run's", metavar="DIR")
    camera: str | None = flag(
        "whose pictures of 'kitti'; default: the run's, or both", choices=("left", "right", "both")
    )
    split: str = flag("which split", "test", choices=SPLITS)
    limit: int | None = flag("at most so many samples, the first ones", type=int, metavar="N")
    protocol: str | None = flag(
        "crop and mask: densedepth (20:460, 24:616, whole crop), eigen (45:471, 41:601, 0.001 m < depth < max), garg, "
        "eigen-kitti (of KITTI's frames, 0.001 m < depth < max) or full (no crop, depth > 0); default: eigen for NYU, "
        "garg for KITTI, the crop of dataset.json where it has one, else full",
        choices=tuple(PROTOCOLS),
    )
    flip_average: bool = flag("average with the mirrored image's prediction, as the reference does", False)
    batch_size: int = flag("images per step", 8, type=int, metavar="N")
    output: str | None = flag("folder for the report; default: inside the run folder", metavar="DIR")
    output_dir: str = flag("where run folders are looked for", "runs", metavar="DIR")

    def __post_init__(self):
        check_choices(self)
        check_at_least_one(self, "limit", "batch_size")


@dataclass(frozen=True, kw_only=True)
class ImportConfig:
    """What `densedepth import` does. Its flags are described by `densedepth import --help`.

    Raises:
        ValueError: a value out of bounds.
    """

    file: str = flag("weight file that DenseDepth published: nyu.h5 or kitti.h5", None, positional=True)
    output: str = flag("the .keras file to write", None, required=True, metavar="FILE.keras")
    max_depth: float | None = flag(
        "farthest depth the file was trained for, metres; default: 10 for nyu*.h5, 80 for kitti*.h5",
        type=float,
        metavar="METRES",
    )
    image_size: tuple[int, int] | None = flag(
        "size at which the network is to see images, pixels; default: 480 640 for 10 m, 384 1280 for 80 m, else any",
        type=int,
        nargs=2,
        metavar=("H", "W"),
    )

    def __post_init__(self):
        check("output", self.output, lambda path: path.endswith(".keras"), "a file name that ends with .keras")
        check("max_depth", self.max_depth, lambda value: 0 < value < float("inf"), "positive, in metres")
        settle_image_size(self)
