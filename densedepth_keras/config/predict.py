"""PredictConfig: pictures or a video in, metres out. Standard library only."""

from dataclasses import dataclass

from densedepth_keras.config.flags import check, check_at_least_one, check_choices, flag
from densedepth_keras.names import check_name

FORMATS = ("png16", "color", "side-by-side", "npy", "pfm", "exr", "ply", "glb", "pcd")
"""What can be written of a picture; the last three are point clouds."""

POINT_CLOUDS = ("ply", "glb", "pcd")

DEFAULT_FORMATS = ("png16", "color")


@dataclass(frozen=True, kw_only=True)
class PredictConfig:
    """What `densedepth predict` does. Its flags are described by `densedepth predict --help`.

    Raises:
        ValueError: a value out of bounds, an unknown format, flags that contradict each other.
    """

    inputs: tuple[str, ...] = flag(
        "pictures, folders of pictures (searched through) and patterns such as 'photos/*.jpg'",
        (),
        positional=True,
        nargs="*",
        metavar="INPUT",
    )
    checkpoint: str | None = flag(
        "a run folder or a .keras file", shown="the newest run below --output-dir", metavar="PATH"
    )
    output: str | None = flag(
        "folder to write into; of a video, the file", shown="depth; of a video, its name and -depth.mp4", metavar="PATH"
    )
    formats: tuple[str, ...] = flag(
        "what to write, separated by commas: png16 (millimetres), color, side-by-side, npy, pfm, exr (metres, float32) "
        "or point clouds: ply, glb, pcd",
        DEFAULT_FORMATS,
        metavar="NAME,...",
        shown=",".join(DEFAULT_FORMATS),
    )
    range: tuple[float, float] | None = flag(
        "the ends of the colours, metres", type=float, nargs=2, metavar=("NEAR", "FAR"), shown="the model's range"
    )
    colormap: str = flag("of colour pictures; any of matplotlib's, e.g. plasma, turbo", "plasma_r", metavar="NAME")
    overwrite: bool = flag("write over files that are there", False)
    at: tuple[int, int] | None = flag(
        "print the depth at this pixel, counted from the top left corner, 0 0", type=int, nargs=2, metavar=("X", "Y")
    )
    flip_average: bool = flag("average with the mirrored picture's prediction; twice the time", False)
    tile: bool = flag("predict large pictures in overlapping tiles, blended; more detail, less agreement", False)
    batch_size: int = flag(
        "pictures of one size that go through a GPU together; a CPU takes them one by one", 8, type=int, metavar="N"
    )
    fov: float | None = flag("of point clouds: horizontal field of view, degrees", type=float, metavar="DEGREES")
    focal_px: float | None = flag("of point clouds: focal length, pixels of the picture", type=float, metavar="PIXELS")
    intrinsics: str | None = flag(
        "of point clouds: JSON file with fx, fy, cx, cy or K, and width, height they are for", metavar="FILE"
    )
    max_points: int | None = flag("of point clouds: at most so many points", type=int, metavar="N")
    video: str | None = flag("a video file instead of pictures", metavar="FILE")
    camera: int | None = flag("the camera of that number, live", type=int, metavar="N")
    stream: str | None = flag("a stream (rtsp://, http://), live", metavar="URL")
    serve: int | None = flag(
        "show live pictures in the browser, at http://127.0.0.1:PORT", nargs="?", const=8000, type=int, metavar="PORT"
    )
    smooth: float = flag(
        "of videos: how much of the last picture stays in the next, 0 (none) to below 1",
        0.6,
        type=float,
        metavar="SHARE",
    )
    side_by_side: bool = flag("of videos: the input beside the depth", True)
    output_dir: str = flag("where run folders are looked for", "runs", metavar="DIR")

    def __post_init__(self):
        self._settle_tuples()
        check_choices(self)
        check_at_least_one(self, "batch_size", "max_points")
        _check_formats(self.formats)
        check("range", self.range, lambda ends: 0 <= ends[0] < ends[1] < float("inf"), "two depths in metres, near far")
        check("at", self.at, lambda place: min(place) >= 0, "0 or more, X Y")
        check("fov", self.fov, lambda value: 0 < value < 180, "above 0 and below 180 degrees")
        check("focal_px", self.focal_px, lambda value: 0 < value < float("inf"), "positive, in pixels")
        check("smooth", self.smooth, lambda value: 0 <= value < 1, "0 or more and below 1")
        check("serve", self.serve, lambda port: 0 <= port < 2**16, "a port, 0 to 65535")
        self._check_sources()
        self._check_cloud()

    @property
    def is_live(self) -> bool:
        """Whether the pictures come from a camera or a stream."""
        return self.camera is not None or self.stream is not None

    def _settle_tuples(self):
        """The command line gives lists, and formats as one word."""
        formats = self.formats
        if isinstance(formats, str):
            formats = [part.strip() for part in formats.split(",")]
        object.__setattr__(self, "formats", tuple(dict.fromkeys(formats)))
        for name in ("inputs", "range", "at"):
            value = getattr(self, name)
            object.__setattr__(self, name, None if value is None else tuple(value))

    def _check_sources(self):
        given = [name for name in ("inputs", "video", "camera", "stream") if getattr(self, name) not in (None, ())]
        if len(given) != 1:
            raise ValueError(
                "Expected pictures or one of --video, --camera, --stream. "
                f"Received: {', '.join(f'{name}={getattr(self, name)!r}' for name in given) or 'none of them'}"
            )
        if given == ["inputs"]:
            for name, default in (("serve", None), ("smooth", 0.6), ("side_by_side", True)):
                if getattr(self, name) != default:
                    raise ValueError(f"`{name}` belongs to videos. Received: {name}={getattr(self, name)!r}")
        else:
            pictures_only = (("formats", DEFAULT_FORMATS), ("at", None), ("tile", False), ("max_points", None))
            for name, default in pictures_only:
                if getattr(self, name) != default:
                    raise ValueError(f"`{name}` belongs to pictures. Received: {name}={getattr(self, name)!r}")
        if self.serve is not None and not self.is_live:
            raise ValueError(f"`serve` goes with --camera or --stream. Received: serve={self.serve}")

    def _check_cloud(self):
        cameras = [name for name in ("fov", "focal_px", "intrinsics") if getattr(self, name) is not None]
        if len(cameras) > 1:
            raise ValueError(f"One of --fov, --focal-px, --intrinsics is enough. Received: {', '.join(cameras)}")
        wanted = [name for name in (*cameras, "max_points") if getattr(self, name) is not None]
        if wanted and not set(self.formats) & set(POINT_CLOUDS):
            raise ValueError(
                f"`{wanted[0]}` belongs to point clouds: expected one of {', '.join(POINT_CLOUDS)} in --formats. "
                f"Received: formats={','.join(self.formats)}"
            )


def _check_formats(names):
    if not names:
        raise ValueError(f"`formats` must name at least one of: {', '.join(FORMATS)}. Received: formats=()")
    for name in names:
        check_name(name, FORMATS, "format", "formats")
