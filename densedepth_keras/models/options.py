"""ModelOptions: what `build_model` was asked for, checked as a whole before anything is built."""

import numbers
import os
from dataclasses import dataclass

from densedepth_keras.depth import MIN_IMAGE_SIDE, check_range
from densedepth_keras.models.backbones import WITHOUT_BATCH_NORM
from densedepth_keras.models.decoder import ACTIVATIONS, DECODERS, UPSAMPLINGS, Block
from densedepth_keras.models.encoders import encoder_spec
from densedepth_keras.names import check_name

ARCHITECTURES = ("densedepth", "unet")
SEPARABLE_FILTERS, BASE_FILTERS, MAX_COMPANIONS, MAX_CONVS = 256, 64, 3, 4


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """The arguments of `build_model`; see there. A ValueError names what does not go together."""

    encoder: str
    architecture: str
    weights: str | os.PathLike | None
    freeze_encoder: bool
    freeze_batch_norm: bool
    decoder: str
    decoder_filters: int | None
    base_filters: int | None
    upsampling: str | None
    num_convs: int
    batch_norm: bool
    activation: str | None
    dropout: float
    deep_supervision: int
    companion_weight: float
    companion_decay: float
    min_depth: float
    max_depth: float
    image_size: tuple[int | None, int | None]
    full_resolution: bool

    def __post_init__(self):
        check_name(self.architecture, ARCHITECTURES, "architecture", "architecture")
        encoder_spec(self.encoder)
        check_name(self.decoder, DECODERS, "decoder", "decoder")
        if self.upsampling is not None:
            check_name(self.upsampling, UPSAMPLINGS, "up-sampling", "upsampling")
        if self.activation is not None:
            check_name(self.activation, ACTIVATIONS, "activation", "activation")
        check_image_size(self.image_size)
        object.__setattr__(self, "image_size", tuple(side and int(side) for side in self.image_size))
        _settle_numbers(self)
        check_range(self.min_depth, self.max_depth)
        _check_switches(self)
        _check_combination(self)

    def block(self) -> Block:
        """How every convolution block looks; what was left open is the architecture's own."""
        is_unet = self.architecture == "unet"
        return Block(
            upsampling=self.upsampling or ("transpose" if is_unet else "bilinear"),
            num_convs=self.num_convs,
            batch_norm=self.batch_norm,
            activation=self.activation or ("relu" if is_unet else "leaky_relu"),
            dropout=self.dropout,
            # Ronneberger et al. draw from a normal distribution of variance 2 / inputs: He's.
            initializer="he_normal" if is_unet else "glorot_uniform",
        )

    def filters(self, encoder_channels: int) -> int:
        """Channels the decoder starts with, on an encoder whose last map has so many."""
        if self.decoder_filters is not None:
            return self.decoder_filters
        return SEPARABLE_FILTERS if self.decoder == "separable" else encoder_channels


def _settle_numbers(options):
    """Checks what are numbers, and makes Python's own of NumPy's, which a saved model could not hold."""
    whole = (
        ("decoder_filters", lambda n: n >= 16 and n % 16 == 0, "a positive multiple of 16, since four stages halve it"),
        ("base_filters", lambda n: n >= 1, "at least 1"),
        ("num_convs", lambda n: 1 <= n <= MAX_CONVS, f"1 to {MAX_CONVS}"),
        ("deep_supervision", lambda n: 0 <= n <= MAX_COMPANIONS, f"0 to {MAX_COMPANIONS} companion heads"),
    )
    real = (
        ("dropout", lambda x: 0 <= x < 1, "0 or more and below 1"),
        ("companion_weight", lambda x: 0 < x < float("inf"), "positive"),
        ("companion_decay", lambda x: 0 < x <= 1, "above 0 and at most 1"),
        ("min_depth", lambda x: True, "a number of metres"),
        ("max_depth", lambda x: True, "a number of metres"),
    )
    for kind, convert, rules in ((numbers.Integral, int, whole), (numbers.Real, float, real)):
        for name, is_good, expected in rules:
            value = getattr(options, name)
            if value is None and name in ("decoder_filters", "base_filters"):
                continue
            if isinstance(value, bool) or not isinstance(value, kind) or not is_good(value):
                raise ValueError(f"`{name}` must be {expected}. Received: {name}={value!r}")
            object.__setattr__(options, name, convert(value))


def _check_switches(options):
    for name in ("freeze_encoder", "freeze_batch_norm", "batch_norm", "full_resolution"):
        if not isinstance(getattr(options, name), bool):
            raise ValueError(f"`{name}` must be True or False. Received: {name}={getattr(options, name)!r}")


def _check_combination(options):
    """What would be ignored: an argument of companions without any, of one architecture with the other."""
    for name in ("companion_weight", "companion_decay"):
        if not options.deep_supervision and getattr(options, name) != 1.0:
            raise ValueError(
                f"`{name}` needs companion heads: deep_supervision of 1 to {MAX_COMPANIONS}. "
                f"Received: {name}={getattr(options, name)!r}, deep_supervision=0"
            )
    if options.freeze_batch_norm and options.encoder.startswith(WITHOUT_BATCH_NORM):
        raise ValueError(
            f"`freeze_batch_norm`: {options.encoder} has no BatchNormalization layers. Received: freeze_batch_norm=True"
        )
    densedepth_only = {
        "encoder": "densenet169",
        "weights": "imagenet",
        "freeze_encoder": False,
        "freeze_batch_norm": False,
        "decoder": "densedepth",
        "decoder_filters": None,
        "full_resolution": False,
    }
    foreign = densedepth_only if options.architecture == "unet" else {"base_filters": None}
    for name, default in foreign.items():
        value = getattr(options, name)
        if value != default and not (name == "weights" and value is None):
            reason = (
                "A U-Net is trained from scratch: it has no encoder and answers at the image's size"
                if options.architecture == "unet"
                else "Only architecture='unet' has it; decoder_filters sets the width of a decoder"
            )
            raise ValueError(
                f"`{name}` does not go with architecture={options.architecture!r}. {reason}. Received: {name}={value!r}"
            )


def check_image_size(image_size):
    """Raises a ValueError unless it is (height, width), each None or 32 pixels at least."""
    sides = tuple(image_size) if isinstance(image_size, tuple | list) else ()
    if len(sides) == 2 and all(s is None or (isinstance(s, numbers.Integral) and s >= MIN_IMAGE_SIDE) for s in sides):
        return
    raise ValueError(
        f"`image_size` must be (height, width), each None or an integer of at least {MIN_IMAGE_SIDE} pixels. "
        f"Received: image_size={image_size}"
    )
