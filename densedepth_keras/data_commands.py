"""`densedepth data check|show|fill|list`: what they say, and what they call."""

from collections.abc import Callable
from types import MappingProxyType

from densedepth_keras.config import CheckConfig, FillConfig, ShowConfig

_CHECK = """\
examples:
  densedepth data check --dataset folder --data-dir my_data --depth-unit mm
      own data: every pair read, a verdict in words; exit status 1 where training would go wrong
  densedepth data check --dataset nyu-labeled --data-dir nyu_depth_v2_labeled.mat --samples 200 --report check
      200 pairs per split; verdict and pictures below check/
"""
_SHOW = """\
examples:
  densedepth data show
      six rendered rooms, image and depth, in samples.png
  densedepth data show --dataset folder --data-dir my_data --depth-unit mm --augment strong --output strong.png
      what the network would see with --augment strong
"""
_FILL = """\
example:
  densedepth data fill my_data my_data_filled --depth-unit mm --workers 8
      the same tree with holes filled by colorization (Levin et al. 2004), 16-bit PNG in millimetres; called again, it
      goes on where it stopped
"""

COMMANDS = MappingProxyType(
    {
        "check": (CheckConfig, "Read every pair and say in words whether training on it would go well.", _CHECK),
        "show": (ShowConfig, "Draw samples, image and depth, augmented where asked, into a picture.", _SHOW),
        "fill": (FillConfig, "Copy a folder of images and depth maps with the holes of the depth filled.", _FILL),
        "list": (None, "List the data sets: what they are, how large, whose, and which flags they need.", None),
    }
)
"""Name -> config, what it does, examples."""


def run(command: str, values: dict, say: Callable[[str], None]) -> int:
    """Runs one of the commands; returns the exit status: 0, or 1 for data that training would go wrong on.

    Args:
        command: a key of `COMMANDS`.
        values: fields of its config.
        say: gets every line.
    """
    return {"check": _check, "show": _show, "fill": _fill, "list": _list}[command](values, say)


def _check(values, say):
    config = CheckConfig(**values)
    from densedepth_keras.inspection import check

    return 0 if check(config, say).ok else 1


def _show(values, say):
    config = ShowConfig(**values)
    from densedepth_keras.inspection import show

    say(f"Written to {show(config)}")
    return 0


def _fill(values, say):
    config = FillConfig(**values)
    from densedepth_keras.inspection import fill

    return 1 if fill(config, say).failed else 0


def _list(values, say):
    from densedepth_keras.inspection import list_datasets

    say(list_datasets())
    return 0
