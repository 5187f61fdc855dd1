"""What the page does with a photo: depth, pictures of it, files to take home. NumPy and Pillow; no Gradio."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from densedepth_keras.cameras import Camera, camera_for
from densedepth_keras.config.deploy import DemoConfig
from densedepth_keras.demo.photos import read_photo
from densedepth_keras.demo.shelf import Shelf
from densedepth_keras.outputs import Coloring, write_picture
from densedepth_keras.outputs.depth_files import write_npy, write_png16
from densedepth_keras.outputs.point_clouds import point_cloud, write_glb, write_ply

VIEW_SIDE = 1024
"""Longer side, pixels, of what the page shows of a larger photo."""

FILE_POINTS = 10**6
"""Most points of a PLY file, 16 MB."""

SHOWN_POINTS = 150_000
"""Most points that the browser gets to draw, 4 MB; a phone still turns them."""

UNKNOWN_RANGE = (0.0, 10.0)
"""Metres that the colours span at first where the model does not say its range."""

METRES_FILE = "metres.bin"
"""In an answer's folder: the metres that are shown, float32, little-endian, row by row."""

_VIEW, _PHOTO = "view.npy", "photo.png"


@dataclass(frozen=True)
class Answer:
    """Where the depth of one photo lies, and what the page says of it."""

    photo: Path
    folder: Path
    size: tuple[int, int]
    """`(height, width)` of the photo."""
    nearest: float
    farthest: float
    """Metres of the nearest and farthest pixel."""
    seconds: float
    """That the prediction took."""

    @property
    def stem(self) -> str:
        """What the files to take home are called by."""
        kept = "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in self.photo.stem)
        return kept[:60] or "photo"

    @property
    def depth_files(self) -> tuple[Path, Path]:
        """16-bit PNG in millimetres and .npy in metres."""
        return self.folder / f"{self.stem}-depth.png", self.folder / f"{self.stem}-depth.npy"


class Answers:
    """Answers photos with one predictor; several threads may ask.

    Args:
        predictor: a `DepthPredictor`, or whatever has its `predict`, `min_depth` and `max_depth`.
        config: the limits.
        folder: photos come from below it, and answers are kept in it.
    """

    def __init__(self, predictor, config: DemoConfig, folder: Path):
        self.predictor, self.config, self.folder = predictor, config, Path(folder).resolve()
        self.shelf = Shelf(self.folder / "answers")

    @property
    def range(self) -> tuple[float, float]:
        """Metres that the colours span unless somebody chooses others: the model's own range."""
        ends = float(self.predictor.min_depth), float(self.predictor.max_depth)
        return ends if ends[1] < float("inf") else UNKNOWN_RANGE

    def measure(self, path: str | Path) -> Answer:
        """Predicts a photo and writes its depth files.

        Raises:
            ValueError: a photo that cannot be read or is beyond the limits; the message is for its sender.
        """
        image = self._photo(path)
        started = time.perf_counter()
        depth = self.predictor.predict(image)
        seconds = time.perf_counter() - started
        near, far = float(depth.min()), float(depth.max())
        answer = Answer(Path(path), self.shelf.new(), depth.shape, near, far, seconds)
        try:
            self._write(answer, image, depth)
        except BaseException:
            self.forget(answer)
            raise
        return answer

    def paint(self, answer: Answer, near: float, far: float) -> tuple[Path, Path, Path, np.ndarray]:
        """Pictures of an answer as it is shown, at most `VIEW_SIDE` pixels a side.

        Returns:
            The photo's file, that of its depth in colours, that of the same with its scale, and the metres shown.

        Raises:
            ValueError: a range that is none.
            FileNotFoundError: the answer is gone.
        """
        folder = self.shelf.find(answer.folder.name)
        coloring = Coloring(near, far)
        metres = np.load(folder / _VIEW)
        name = f"{coloring.near:g}-{coloring.far:g}"  # another name, or browsers would show the old one
        plain, scaled = folder / f"depth-{name}.png", folder / f"scale-{name}.png"
        painted = coloring.paint(metres)
        write_picture(plain, painted)
        write_picture(scaled, coloring.with_scale_bar(painted))
        return folder / _PHOTO, plain, scaled, metres

    def fitted(self, answer: Answer) -> tuple[float, float]:
        """Metres between which the middle 98 % of an answer's pixels lie, widened to decimetres."""
        metres = np.load(self.shelf.find(answer.folder.name) / _VIEW)
        near, far = np.percentile(metres, (1, 99))
        near = np.floor(near * 10) / 10
        return float(near), float(max(np.ceil(far * 10) / 10, near + 0.1))

    def cloud(self, answer: Answer, name: str) -> tuple[Path, Camera]:
        """The file of the point cloud, written if it is not there yet, and the camera behind it.

        Args:
            name: `"ply"` to take home, `"glb"` to look at.

        Raises:
            ValueError: no point is left.
            FileNotFoundError: the answer, or the photo, is gone.
        """
        folder = self.shelf.find(answer.folder.name)
        most, write = _CLOUDS[name]
        path, camera = folder / f"{answer.stem}.{name}", camera_for(answer.photo, answer.size)
        if not path.exists():
            image, depth = self._photo(answer.photo), np.load(answer.depth_files[1])
            write(path, point_cloud(image, depth, camera, max_points=most))
        return path, camera

    def has(self, answer: Answer | None, path: str | Path) -> bool:
        """Whether `answer` is of the photo at `path`, and still kept."""
        return answer is not None and answer.photo == Path(path) and self.shelf.holds(answer.folder.name)

    def forget(self, answer: Answer | None) -> None:
        """Takes an answer's files away."""
        if answer is not None:
            self.shelf.drop(answer.folder.name)

    def _photo(self, path):
        if not Path(path).resolve().is_relative_to(self.folder):  # Gradio looks at that only where it is asked to
            raise ValueError("Not a photo that was sent to this page.")
        limits = self.config
        return read_photo(path, max_mb=limits.max_upload_mb, max_megapixels=limits.max_megapixels)

    @staticmethod
    def _write(answer, image, depth):
        """Depth to take home; the metres that are shown, for Python and headless for JavaScript; the photo likewise."""
        png, npy = answer.depth_files
        write_png16(png, depth)
        write_npy(npy, depth)
        folder = answer.folder
        rows, columns = sampled(depth.shape)
        metres = depth[rows][:, columns]
        write_npy(folder / _VIEW, metres)
        (folder / METRES_FILE).write_bytes(metres.astype("<f4").tobytes())
        photo = Image.fromarray(image).resize((len(columns), len(rows)), Image.Resampling.BOX)
        write_picture(folder / _PHOTO, np.asarray(photo))


_CLOUDS = {"ply": (FILE_POINTS, write_ply), "glb": (SHOWN_POINTS, write_glb)}


def sampled(size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the photo's pixels that are shown: all of a small one, evenly chosen ones of a large one.

    Chosen, not averaged, so that the metres read on the page are those of a pixel in the file.
    """
    shrink = min(1.0, VIEW_SIDE / max(size))
    return tuple(_spread(side, max(1, round(side * shrink))) for side in size)


def _spread(side, count):
    return ((np.arange(count) + 0.5) * side / count).astype(int)  # viewer.py's JavaScript has the same line
