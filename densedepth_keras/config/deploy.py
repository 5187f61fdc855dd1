"""ExportConfig and DemoConfig: a trained network in other runtimes, and on a web page. Standard library only."""

from dataclasses import dataclass

from densedepth_keras.config.flags import check, check_at_least_one, check_choices, flag
from densedepth_keras.depth import MIN_IMAGE_SIDE

EXPORT_FORMATS = ("savedmodel", "onnx", "litert")

QUANTIZATIONS = ("none", "float16", "dynamic", "int8")


@dataclass(frozen=True, kw_only=True)
class ExportConfig:
    """What `densedepth export` does. Its flags are described by `densedepth export --help`.

    Raises:
        ValueError: a value out of bounds, flags that contradict each other.
    """

    checkpoint: str | None = flag(
        "a run folder or a .keras file; default: the newest run below --output-dir",
        None,
        positional=True,
        nargs="?",
        metavar="RUN",
    )
    format: str = flag("what to write", "onnx", choices=EXPORT_FORMATS)
    output: str | None = flag(
        "file or, of savedmodel, folder to write", shown="beside the model, model.onnx and so on", metavar="PATH"
    )
    image_size: tuple[int, int] | str | None = flag(
        "size of the images that go in, pixels; or dynamic, any size, where the network is open to it",
        nargs="+",
        metavar=("H", "W"),
        shown="the network's; open where that is, but for int8",
    )
    quantize: str = flag(
        "smaller numbers, of litert: float16 weights; dynamic, 8-bit weights; int8, 8-bit weights and activations",
        "none",
        choices=QUANTIZATIONS,
    )
    images: tuple[str, ...] = flag(
        "pictures or folders of pictures to compare on; int8 is calibrated on them and needs some",
        (),
        nargs="+",
        metavar="PATH",
        shown="rendered rooms",
    )
    limit: int = flag("compare and calibrate on at most so many pictures", 50, type=int, metavar="N")
    tolerance: float | None = flag(
        "largest difference that is let through, metres; of quantized models the mean one",
        type=float,
        metavar="METRES",
        shown="0.001; float16: 0.05; dynamic and int8: 0.25",
    )
    overwrite: bool = flag("write over what is there", False)
    output_dir: str = flag("where run folders are looked for", "runs", metavar="DIR")

    def __post_init__(self):
        self._settle_size()
        object.__setattr__(self, "images", tuple(self.images))
        check_choices(self)
        check_at_least_one(self, "limit")
        check("tolerance", self.tolerance, lambda value: 0 < value < float("inf"), "positive, in metres")
        if self.quantize != "none" and self.format != "litert":
            raise ValueError(f"`quantize` is for litert. Received: quantize={self.quantize!r}, format={self.format!r}")

    def _settle_size(self):
        size = self.image_size
        if size is None:
            return
        words = [size] if isinstance(size, str) else list(size)
        if [str(word) for word in words] == ["dynamic"]:
            object.__setattr__(self, "image_size", "dynamic")
            return
        try:
            numbers = tuple(int(word) for word in words)
        except ValueError:
            numbers = ()
        is_size = len(numbers) == 2 and min(numbers) >= MIN_IMAGE_SIDE
        is_behind = len(words) == 3 and not numbers  # `--image-size H W RUN` gives all three to the flag
        hint = "; what to export is named before the flags" if is_behind else ""
        check("image_size", size, lambda _: is_size, f"H W, {MIN_IMAGE_SIDE} or more a side, or dynamic{hint}")
        object.__setattr__(self, "image_size", numbers)


@dataclass(frozen=True, kw_only=True)
class DemoConfig:
    """What `densedepth demo` does. Its flags are described by `densedepth demo --help`.

    Raises:
        ValueError: a value out of bounds.
    """

    checkpoint: str | None = flag(
        "a run folder or a .keras file", shown="the newest run below --output-dir", metavar="PATH"
    )
    host: str = flag("address to listen on; 0.0.0.0 opens the page to the network", "127.0.0.1", metavar="ADDRESS")
    port: int = flag("port to listen on; 0 for any that is free", 7860, type=int, metavar="PORT")
    max_upload_mb: int = flag("largest file that is taken, megabytes", 20, type=int, metavar="MB")
    max_megapixels: int = flag("largest picture that is taken", 25, type=int, metavar="MP")
    output_dir: str = flag("where run folders are looked for", "runs", metavar="DIR")

    def __post_init__(self):
        check("host", self.host, str.strip, "an address")  # an empty one would listen on all
        check("port", self.port, lambda value: 0 <= value < 2**16, "0 to 65535")
        check_at_least_one(self, "max_upload_mb", "max_megapixels")
