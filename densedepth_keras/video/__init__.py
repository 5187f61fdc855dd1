"""Depth of videos: files, cameras and streams. Standard library and NumPy until a video is opened."""

from collections.abc import Callable

from densedepth_keras.config.predict import PredictConfig
from densedepth_keras.interruption import Interruption
from densedepth_keras.video.files import predict_file
from densedepth_keras.video.flicker import Flicker, flicker
from densedepth_keras.video.live import predict_live
from densedepth_keras.video.result import VideoResult
from densedepth_keras.video.smoothing import Smoothing

__all__ = ["Flicker", "Smoothing", "VideoResult", "flicker", "predict_video"]


def predict_video(
    config: PredictConfig, announce: Callable[[str], None], predictor=None, *, progress: bool = True
) -> VideoResult:
    """Does what `densedepth predict --video`, `--camera` and `--stream` do.

    A file becomes an mp4 that browsers play, with the same frames at the same times and the same sound; it is there
    complete or not at all. A camera or a stream is shown at http://127.0.0.1, and recorded where `output` is given,
    until it ends or Ctrl-C is pressed; frames that come while the network is at work are dropped.

    Args:
        config: what to do.
        announce: gets a line of text now and then.
        predictor: a `DepthPredictor`, or whatever has its `predict`, `iterate`, `min_depth`, `max_depth` and `name`;
            None loads `config.checkpoint`, or the newest run.
        progress: whether to show a bar on a terminal.

    Raises:
        FileNotFoundError: no such file, camera or checkpoint.
        FileExistsError: the output is there, and `config.overwrite` is not set.
        ValueError: not a video, no frame, a frame too small, no range of depth.
        OSError: nothing can be read, written or served there.
        ImportError: PyAV is not installed.
        KeyboardInterrupt: Ctrl-C or SIGTERM while a file is predicted; nothing is left behind.

    Example:
        >>> predict_video(PredictConfig(video="walk.mp4", checkpoint="runs/my_run"), print).frames
        250
    """
    if not config.is_live and config.video is None:
        raise ValueError("Expected one of --video, --camera, --stream. Received: none of them")
    with Interruption():
        return (predict_live if config.is_live else predict_file)(config, announce, predictor, progress=progress)
