"""TrainConfig: everything a training run depends on."""

import dataclasses
import os
from dataclasses import dataclass
from typing import Any

from densedepth_keras.config.data import PARTITION_HELP
from densedepth_keras.config.flags import (
    check,
    check_at_least_one,
    default_text,
    flag,
    settle_image_size,
)
from densedepth_keras.config.loop import DEFAULTS, LoopConfig

UNET_IMAGE_SIZE = (320, 320)
"""The paper's size for its U-Net, on every data set but rooms."""

CACHES = ("auto", "memory", "none")
"""Values of `cache` beside a folder."""


@dataclass(frozen=True, kw_only=True)
class TrainConfig(LoopConfig):
    """Everything a training run depends on. Its flags are described by `python train.py --help`.

    Raises:
        ValueError: a value out of bounds, an unknown data set.
    """

    split: str | None = flag(PARTITION_HELP, shown="official", choices=("official", "paper"))
    fill_holes: bool = flag("fill the holes of the training depth by colorization", False)
    skip_bad_rows: bool = flag("go on without the rows that cannot be read; every row is read first", False)
    cache: str = flag(
        "of decoded samples: auto (in memory, once resized, where they fit into 1 GiB), memory, none, or a folder",
        "auto",
        metavar="auto|memory|none|DIR",
    )
    architecture: str = flag(
        "densedepth, a pretrained encoder with a decoder; or unet, the paper's baseline, from scratch",
        "densedepth",
        choices=("densedepth", "unet"),
    )
    encoder: str | None = flag(
        "backbone: densenet169 (default), densenet121, resnet50, mobilenet_v2, efficientnet_v2_b0, convnext_tiny, ...; "
        "docs/models.md has all"
    )
    encoder_weights: str | None = flag(
        "imagenet (default), none, or the path of a backbone weight file (.h5, .weights.h5)",
        metavar="imagenet|none|PATH",
    )
    freeze_encoder: bool = flag("keep the encoder's weights and batch statistics as they are", False)
    freeze_batch_norm: bool = flag("train the encoder, but keep its BatchNormalization layers as they are", False)
    decoder: str = flag(
        "the reference's, or a light one of depthwise-separable convolutions",
        "densedepth",
        choices=("densedepth", "separable"),
    )
    decoder_filters: int | None = flag(
        "channels the decoder starts with, a multiple of 16; --decoder separable has 256 of its own",
        type=int,
        metavar="N",
        shown=default_text(DEFAULTS, "decoder_filters"),
    )
    base_filters: int | None = flag(
        "channels of the U-Net at full size", type=int, metavar="N", shown=default_text(DEFAULTS, "base_filters")
    )
    upsampling: str | None = flag(
        "bilinear, or learnt by transposed convolutions (default: bilinear; unet: transpose)",
        choices=("bilinear", "transpose"),
    )
    num_convs: int = flag("3x3 convolutions per block, 1 to 4", 2, type=int, metavar="N")
    batch_norm: bool = flag("BatchNormalization in the decoder, or in all of a U-Net", False)
    activation: str | None = flag(
        "of the decoder: leaky_relu, relu, gelu, silu, ... (default: leaky_relu; unet: relu)", metavar="NAME"
    )
    dropout: float = flag(
        "share of channels dropped behind each decoder block while training", 0.0, type=float, metavar="SHARE"
    )
    deep_supervision: int = flag("companion heads on so many decoder stages, 0 to 3", 0, type=int, metavar="N")
    companion_weight: float = flag("of each companion head's loss", 1.0, type=float, metavar="WEIGHT")
    companion_decay: float = flag(
        "factor on it from one companion to the next coarser", 1.0, type=float, metavar="FACTOR"
    )
    full_resolution: bool = flag("answer at the image's size instead of half of it", False)
    augment: str | None = flag(
        "without a value the paper's: mirror images and permute their colour channels, each with p 0.5; or a preset "
        "(paper, reference, strong), or name=value,...; docs/datasets.md has all; none switches a preset's off",
        nargs="?",
        const="paper",
        metavar="WHAT",
    )
    image_size: tuple[int, int] | None = flag(
        "size of the images the network sees, pixels, 32 or more a side; of a U-Net on photographs 320 320 by default",
        type=int,
        nargs=2,
        metavar=("H", "W"),
        shown=default_text(DEFAULTS, "image_size"),
    )
    loss: str = flag(
        "what is minimised; densedepth is the paper's composite loss",
        "densedepth",
        choices=("densedepth", "l1", "l2", "berhu", "silog", "multi_scale_gradient"),
    )
    depth_weight: float = flag(
        "lambda, the weight of the point-wise term of the densedepth loss", 0.1, type=float, metavar="LAMBDA"
    )
    output_dir: str = flag("where run folders are made", "runs", metavar="DIR")
    name: str | None = flag("of the run folder; default: data set, encoder or architecture, and time")

    def __post_init__(self):
        super().__post_init__()
        check_at_least_one(self, "base_filters")
        check("num_convs", self.num_convs, lambda value: 1 <= value <= 4, "1 to 4")
        check("dropout", self.dropout, lambda value: 0 <= value < 1, "0 or more and below 1")
        check("deep_supervision", self.deep_supervision, lambda value: 0 <= value <= 3, "0 to 3 companion heads")
        check("companion_weight", self.companion_weight, lambda value: 0 < value < float("inf"), "positive")
        check("companion_decay", self.companion_decay, lambda value: 0 < value <= 1, "above 0 and at most 1")
        if self.architecture == "unet":
            for name in ("encoder", "encoder_weights"):
                check(name, getattr(self, name), lambda value: False, "left alone: a U-Net has no encoder")
        check("depth_weight", self.depth_weight, lambda value: 0 <= value < float("inf"), "0 or more")
        if self.loss != "densedepth":
            check("depth_weight", self.depth_weight, lambda value: value == 0.1, f"left alone: {self.loss} has none")
        check("decoder_filters", self.decoder_filters, lambda f: f > 0 and f % 16 == 0, "a positive multiple of 16")
        check("cache", self.cache, bool, "auto, memory, none or a folder")
        settle_image_size(self)
        check("name", self.name, _is_folder_name, "the name of one folder, not a path")

    def resolved(self) -> "TrainConfig":
        """The same with the preset's and the data set's defaults in place of None, and paths absolute.

        Raises:
            ValueError: flags that contradict each other once all are known.
        """
        defaults = self.loop_defaults()
        if self.architecture == "unet":
            del defaults["decoder_filters"]
            if self.dataset != "rooms":
                defaults["image_size"] = UNET_IMAGE_SIZE
        else:
            del defaults["base_filters"]
            defaults |= {"encoder": "densenet169", "encoder_weights": "imagenet"}
        missing = {key: value for key, value in defaults.items() if getattr(self, key) is None} | self.data_defaults()
        if self.cache not in CACHES:
            missing["cache"] = os.path.abspath(self.cache)
        if self.init_from is not None:
            missing["init_from"] = os.path.abspath(self.init_from)
        if self.unfreeze_at is not None:
            missing["freeze_encoder"] = True
        complete = dataclasses.replace(self, **missing)
        complete.check_loop()
        complete._check_encoder()
        return complete

    def _check_encoder(self):
        """Flags about an encoder that is not there, or is never trained."""
        if self.architecture == "unet":
            check("unfreeze_at", self.unfreeze_at, lambda value: False, "left alone: a U-Net has no encoder")
        if self.train_batch_norm and self.freeze_batch_norm:
            raise ValueError(
                "`train_batch_norm` and `freeze_batch_norm` contradict each other. "
                "Received: train_batch_norm=True, freeze_batch_norm=True"
            )
        is_trained = self.architecture != "unet" and (not self.freeze_encoder or self.unfreeze_at is not None)
        if self.encoder_learning_rate_scale != 1 and not is_trained:
            raise ValueError(
                "`encoder_learning_rate_scale` needs an encoder that is trained. Received: "
                f"encoder_learning_rate_scale={self.encoder_learning_rate_scale:g}, "
                f"architecture={self.architecture!r}, freeze_encoder={self.freeze_encoder}"
            )

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "TrainConfig":
        """Takes back what `to_json` gave; keys that are no fields (versions, facts of a run) are left alone."""
        if not isinstance(values, dict) or not isinstance(values.get("dataset"), str):
            raise ValueError(f"A config must be a JSON object that names its dataset. Received: {values!r:.200}")
        names = {item.name for item in dataclasses.fields(cls)}
        known = {key: value for key, value in values.items() if key in names}
        if isinstance(known.get("augment"), bool):  # runs of versions that had one augmentation
            known["augment"] = "paper" if known["augment"] else None
        return cls(**known)


def _is_folder_name(name):
    return name not in ("", ".", "..") and "\0" not in name and os.path.basename(name) == name
