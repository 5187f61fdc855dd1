"""What predicting a video has come to, and how it is said."""

import math
from pathlib import Path
from typing import NamedTuple

from densedepth_keras.names import printable


class VideoResult(NamedTuple):
    """Of one video, or one live view."""

    output: Path | None
    """The file, None where a live view was not recorded."""
    frames: int
    """Frames that were predicted; of a file, all there were."""
    seconds: float
    latency: float
    """Median seconds from a frame's decoding to its being written, or shown."""
    flicker: float
    """Metres; see `flicker`. NaN where nothing stood still."""
    raw_flicker: float
    """The same without smoothing."""
    dropped: int = 0
    """Frames of a live view that came while the network was at work."""

    @property
    def frames_per_second(self) -> float:
        """Over the whole video, the first frame's compiling included."""
        return self.frames / self.seconds if self.seconds else 0.0

    def __str__(self):
        frames = "1 frame" if self.frames == 1 else f"{self.frames} frames"
        text = (
            f"{frames} in {self.seconds:.1f} s: {self.frames_per_second:.1f} frames per second, "
            f"latency {self.latency:.2f} s"
        )
        if self.dropped:
            text += f", {self.dropped} dropped"
        if not math.isnan(self.flicker):
            text += f"; flicker {self.flicker:.4f} m, without smoothing {self.raw_flicker:.4f} m"
        if self.output is not None:
            text += f"; written to {printable(str(self.output))}"
        return text
