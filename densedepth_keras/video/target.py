"""Where the video of depth goes."""

import os
from pathlib import Path

from densedepth_keras.atomic import check_writable
from densedepth_keras.config.predict import PredictConfig
from densedepth_keras.video.writing import SUFFIXES


def output_file(config: PredictConfig) -> Path | None:
    """The file to write: `--output`, or the video's name and `-depth.mp4` beside it; None for a live view without.

    Raises:
        ValueError: a suffix that is no mp4's, the input itself.
        FileExistsError: it is there, and `overwrite` is not asked for.
        OSError: nothing can be written there.
    """
    if config.output is None and config.is_live:
        return None
    usual = "live-depth.mp4" if config.is_live else f"{Path(config.video).stem}-depth.mp4"
    path = Path(config.output) if config.output else Path(config.video).with_name(usual)
    if path.is_dir():
        path = path / usual
    _check(path, config)
    return path


def _check(path, config):
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(
            f"A video of depth is an mp4: expected a name that ends with one of {', '.join(SUFFIXES)}. "
            f"Received: output={str(path)!r}"
        )
    if path.exists():
        if config.video and os.path.exists(config.video) and os.path.samefile(path, config.video):
            raise ValueError(f"Input and output are one file. Received: output={str(path)!r}")
        if not config.overwrite:
            raise FileExistsError(
                f"This file is there already; --overwrite writes over it. Received: output={str(path)!r}"
            )
    check_writable(path.parent, "output")
