"""TrainConfig, EvaluationConfig, ImportConfig: frozen dataclasses that are flags, checks and JSON at once.

Standard library only: `train.py --help` must not wait for Keras.
"""

import argparse
import dataclasses
import json
import os
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from densedepth_keras.atomic import written_beside
from densedepth_keras.depth import MAX_DEPTH, MIN_DEPTH, MIN_IMAGE_SIDE, check_range
from densedepth_keras.names import check_name
from densedepth_keras.protocols import PROTOCOLS

_PAPER = {
    "image_size": (480, 640),
    "decoder_filters": None,
    "base_filters": 64,
    "batch_size": 4,
    "epochs": 20,
    "learning_rate": 1e-4,
    "schedule": "constant",
}
_QUICK = {
    "image_size": (48, 64),
    "decoder_filters": 256,
    "base_filters": 16,
    "batch_size": 8,
    "epochs": 10,
    "learning_rate": 1e-3,
    "schedule": "cosine",
}
DEFAULTS = MappingProxyType({"rooms": _QUICK, "folder": _PAPER, "nyu-labeled": _PAPER})
"""What a flag that is not given means, per data set. Rooms is a demonstration that two CPU cores finish in minutes."""

UNET_IMAGE_SIZE = (320, 320)
"""The paper's size for its U-Net, on every data set but rooms."""

CONFIG_FILE, MODEL_FILE, MEAN_FILE, HISTORY_FILE = "config.json", "model.keras", "mean_depth.npy", "history.csv"
"""What a run folder holds, beside pictures: settings, best model, mean training depth, one line per epoch."""


def _flag(help_text, default=None, **arguments):
    """A dataclass field that is also a command-line flag; `arguments` go to `add_argument`."""
    return field(default=default, metadata={"help": help_text, **arguments})


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Everything a training run depends on. Its flags are described by `python train.py --help`.

    Raises:
        ValueError: a value out of bounds, an unknown data set.
    """

    dataset: str = _flag("what to train on", "rooms", choices=tuple(DEFAULTS))
    data_dir: str | None = _flag("where the data lies: the folder of 'folder', the .mat file of 'nyu-labeled'")
    depth_unit: str | None = _flag(
        "what one stored unit of 'folder' depth is: m, cm, mm, or metres as a number", metavar="m|cm|mm|FLOAT"
    )
    split: str = _flag(
        "how NYU's 1449 frames are divided: 795/654 (80 of the 795 validate) or the paper's 1000/224/225",
        "official",
        choices=("official", "paper"),
    )
    raw_depth: bool = _flag(
        "depth with a sensor's holes: of 'nyu-labeled' the raw instead of the in-painted one, on rooms punched", False
    )
    limit: int | None = _flag("at most so many samples per split", type=int, metavar="N")
    architecture: str = _flag(
        "densedepth, a pretrained encoder with a decoder; or unet, the paper's baseline, from scratch",
        "densedepth",
        choices=("densedepth", "unet"),
    )
    encoder: str | None = _flag(
        "backbone: densenet169 (default), densenet121, resnet50, mobilenet_v2, efficientnet_v2_b0, convnext_tiny, ...; "
        "docs/models.md has all"
    )
    encoder_weights: str | None = _flag(
        "imagenet (default), none, or the path of a backbone weight file (.h5, .weights.h5)",
        metavar="imagenet|none|PATH",
    )
    freeze_encoder: bool = _flag("keep the encoder's weights and batch statistics as they are", False)
    freeze_batch_norm: bool = _flag("train the encoder, but keep its BatchNormalization layers as they are", False)
    decoder: str = _flag(
        "the reference's, or a light one of depthwise-separable convolutions",
        "densedepth",
        choices=("densedepth", "separable"),
    )
    decoder_filters: int | None = _flag(
        "channels the decoder starts with, a multiple of 16; --decoder separable has 256 of its own",
        type=int,
        metavar="N",
    )
    base_filters: int | None = _flag("channels of the U-Net at full size", type=int, metavar="N")
    upsampling: str | None = _flag(
        "bilinear, or learnt by transposed convolutions (default: bilinear; unet: transpose)",
        choices=("bilinear", "transpose"),
    )
    num_convs: int = _flag("3x3 convolutions per block, 1 to 4", 2, type=int, metavar="N")
    batch_norm: bool = _flag("BatchNormalization in the decoder, or in all of a U-Net", False)
    activation: str | None = _flag(
        "of the decoder: leaky_relu, relu, gelu, silu, ... (default: leaky_relu; unet: relu)", metavar="NAME"
    )
    dropout: float = _flag(
        "share of channels dropped behind each decoder block while training", 0.0, type=float, metavar="SHARE"
    )
    deep_supervision: int = _flag("companion heads on so many decoder stages, 0 to 3", 0, type=int, metavar="N")
    companion_weight: float = _flag("of each companion head's loss", 1.0, type=float, metavar="WEIGHT")
    companion_decay: float = _flag(
        "factor on it from one companion to the next coarser", 1.0, type=float, metavar="FACTOR"
    )
    full_resolution: bool = _flag("answer at the image's size instead of half of it", False)
    precision: str = _flag(
        "what the network computes in; normalisation, heads and loss stay float32, under bfloat16 the first layers too",
        "float32",
        choices=("float32", "mixed_float16", "mixed_bfloat16"),
    )
    augment: bool = _flag("mirror images and permute their colour channels, each with p 0.5", False)
    image_size: tuple[int, int] | None = _flag(
        "size of the images the network sees, pixels, 32 or more a side; of a U-Net on photographs 320 320 by default",
        type=int,
        nargs=2,
        metavar=("H", "W"),
    )
    batch_size: int | None = _flag("images per step", type=int, metavar="N")
    epochs: int | None = _flag("passes over the training split", type=int, metavar="N")
    learning_rate: float | None = _flag("of Adam (amsgrad)", type=float, metavar="RATE")
    schedule: str | None = _flag(
        "the learning rate over the run: constant, or falling to a hundredth along half a cosine",
        choices=("constant", "cosine"),
    )
    loss: str = _flag(
        "what is minimised; densedepth is the paper's composite loss",
        "densedepth",
        choices=("densedepth", "l1", "l2", "berhu", "silog", "multi_scale_gradient"),
    )
    depth_weight: float = _flag(
        "lambda, the weight of the point-wise term of the densedepth loss", 0.1, type=float, metavar="LAMBDA"
    )
    min_depth: float = _flag("nearest depth, metres", MIN_DEPTH, type=float, metavar="METRES")
    max_depth: float = _flag("farthest depth, metres", MAX_DEPTH, type=float, metavar="METRES")
    seed: int = _flag("of weights, order and augmentation", 0, type=int)
    output_dir: str = _flag("where run folders are made", "runs", metavar="DIR")
    name: str | None = _flag("of the run folder; default: data set, encoder or architecture, and time")

    def __post_init__(self):
        _check_choices(self)
        check_range(self.min_depth, self.max_depth)
        for name in ("limit", "batch_size", "epochs", "base_filters"):
            _check(name, getattr(self, name), lambda value: value >= 1, "at least 1")
        _check("num_convs", self.num_convs, lambda value: 1 <= value <= 4, "1 to 4")
        _check("dropout", self.dropout, lambda value: 0 <= value < 1, "0 or more and below 1")
        _check("deep_supervision", self.deep_supervision, lambda value: 0 <= value <= 3, "0 to 3 companion heads")
        _check("companion_weight", self.companion_weight, lambda value: 0 < value < float("inf"), "positive")
        _check("companion_decay", self.companion_decay, lambda value: 0 < value <= 1, "above 0 and at most 1")
        if self.architecture == "unet":
            for name in ("encoder", "encoder_weights"):
                _check(name, getattr(self, name), lambda value: False, "left alone: a U-Net has no encoder")
        _check("learning_rate", self.learning_rate, lambda value: 0 < value < float("inf"), "positive")
        _check("depth_weight", self.depth_weight, lambda value: 0 <= value < float("inf"), "0 or more")
        if self.loss != "densedepth":
            _check("depth_weight", self.depth_weight, lambda value: value == 0.1, f"left alone: {self.loss} has none")
        _check("decoder_filters", self.decoder_filters, lambda f: f > 0 and f % 16 == 0, "a positive multiple of 16")
        _check("seed", self.seed, lambda value: 0 <= value < 2**32, "between 0 and 2^32 - 1")
        if self.image_size is not None:
            object.__setattr__(self, "image_size", tuple(self.image_size))
            _check("image_size", self.image_size, lambda size: min(size) >= MIN_IMAGE_SIDE, "32 or more a side")
        _check("name", self.name, _is_folder_name, "the name of one folder, not a path")

    def resolved(self) -> "TrainConfig":
        """The same with the data set's defaults in place of None, and `data_dir` absolute."""
        defaults = dict(DEFAULTS[self.dataset])
        if self.architecture == "unet":
            del defaults["decoder_filters"]
            if self.dataset != "rooms":
                defaults["image_size"] = UNET_IMAGE_SIZE
        else:
            del defaults["base_filters"]
            defaults |= {"encoder": "densenet169", "encoder_weights": "imagenet"}
        missing = {key: value for key, value in defaults.items() if getattr(self, key) is None}
        if self.data_dir is not None:
            missing["data_dir"] = os.path.abspath(self.data_dir)
        return dataclasses.replace(self, **missing)

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "TrainConfig":
        """Takes back what `to_json` gave; keys that are no fields (versions, facts of a run) are left alone."""
        if not isinstance(values, dict) or not isinstance(values.get("dataset"), str):
            raise ValueError(f"A config must be a JSON object that names its dataset. Received: {values!r:.200}")
        names = {item.name for item in dataclasses.fields(cls)}
        return cls(**{key: value for key, value in values.items() if key in names})


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """Everything an evaluation depends on. Its flags are described by `python evaluate.py --help`.

    Raises:
        ValueError: a value out of bounds.
    """

    checkpoint: str | None = _flag(
        "a run folder or a .keras file; without a value: the newest run below --output-dir", nargs="?", metavar="PATH"
    )
    dataset: str | None = _flag("what to evaluate on; default: what the run was trained on", choices=tuple(DEFAULTS))
    data_dir: str | None = _flag("where the data lies; default: the run's")
    depth_unit: str | None = _flag(
        "what one stored unit of 'folder' depth is; default: the run's", metavar="m|cm|mm|FLOAT"
    )
    split: str = _flag("which split", "test", choices=("train", "validation", "test"))
    limit: int | None = _flag("at most so many samples, the first ones", type=int, metavar="N")
    protocol: str | None = _flag(
        "crop and mask: densedepth (20:460, 24:616, whole crop), eigen (45:471, 41:601, 0.001 m < depth < max) or full "
        "(no crop, depth > 0); default: eigen for NYU, full elsewhere",
        choices=tuple(PROTOCOLS),
    )
    flip_average: bool = _flag("average with the mirrored image's prediction, as the reference does", False)
    batch_size: int = _flag("images per step", 8, type=int, metavar="N")
    output: str | None = _flag("folder for the report; default: inside the run folder", metavar="DIR")
    output_dir: str = _flag("where run folders are looked for", "runs", metavar="DIR")

    def __post_init__(self):
        _check_choices(self)
        for name in ("limit", "batch_size"):
            _check(name, getattr(self, name), lambda value: value >= 1, "at least 1")


@dataclass(frozen=True, kw_only=True)
class ImportConfig:
    """What `densedepth import` does. Its flags are described by `densedepth import --help`.

    Raises:
        ValueError: a value out of bounds.
    """

    file: str = _flag("weight file that DenseDepth published: nyu.h5 or kitti.h5", None, positional=True)
    output: str = _flag("the .keras file to write", None, required=True, metavar="FILE.keras")
    max_depth: float | None = _flag(
        "farthest depth the file was trained for, metres; default: 10 for nyu*.h5, 80 for kitti*.h5",
        type=float,
        metavar="METRES",
    )
    image_size: tuple[int, int] | None = _flag(
        "size at which the network is to see images, pixels; default: 480 640 for 10 m, 384 1280 for 80 m, else any",
        type=int,
        nargs=2,
        metavar=("H", "W"),
    )

    def __post_init__(self):
        _check("output", self.output, lambda path: path.endswith(".keras"), "a file name that ends with .keras")
        _check("max_depth", self.max_depth, lambda value: 0 < value < float("inf"), "positive, in metres")
        if self.image_size is not None:
            object.__setattr__(self, "image_size", tuple(self.image_size))
            _check("image_size", self.image_size, lambda size: min(size) >= MIN_IMAGE_SIDE, "32 or more a side")


def add_flags(parser: argparse.ArgumentParser, config_class: type) -> None:
    """Adds one `--flag` for every field of the dataclass."""
    for item in dataclasses.fields(config_class):
        options = dict(item.metadata)
        text = options.pop("help")
        choices = options.pop("choices", None)
        if choices:  # checked by the config, whose errors name the nearest
            options["metavar"] = f"{{{','.join(choices)}}}"
        if item.default is not None and item.default is not False:
            text += f" (default: {item.default})"
        elif config_class is TrainConfig and item.name in DEFAULTS["rooms"]:
            text += " (default: {}; rooms: {})".format(*(_shown(DEFAULTS[d][item.name]) for d in ("folder", "rooms")))
        if item.type is bool:
            options["action"] = "store_true"
        if options.pop("positional", False):
            parser.add_argument(item.name, help=text)
            continue
        parser.add_argument("--" + item.name.replace("_", "-"), help=text, default=item.default, **options)


def write_json(path: str | os.PathLike, values: dict[str, Any]) -> None:
    """Writes JSON; the file is complete or not there."""
    with written_beside(path) as side:
        side.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


def _shown(value):
    if value is None:
        return "the encoder's own"
    return " ".join(map(str, value)) if isinstance(value, tuple) else value


def _check_choices(config):
    for item in dataclasses.fields(config):
        value, choices = getattr(config, item.name), item.metadata.get("choices")
        if choices and value is not None:
            check_name(value, choices, item.name.replace("_", " "), item.name)


def _is_folder_name(name):
    return name not in ("", ".", "..") and "\0" not in name and os.path.basename(name) == name


def _check(name, value, is_good, expected):
    if value is not None and not is_good(value):
        raise ValueError(f"`{name}` must be {expected}. Received: {name}={value!r}")
