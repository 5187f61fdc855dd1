"""What the commands of the command line do, but those of `data`: their flags, their help, and whom they call."""

import os
import shlex
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from densedepth_keras.atomic import check_writable, written_beside
from densedepth_keras.config import (
    DemoConfig,
    EvaluationConfig,
    ExportConfig,
    ImportConfig,
    PredictConfig,
    SearchConfig,
    TrainConfig,
)
from densedepth_keras.config.from_file import OF_A_PROCESS, config_with, flags_of

NEWEST = object()
"""`--resume` without a value."""


class Command(NamedTuple):
    """A line of `COMMANDS`.

    Attributes:
        config: the dataclass whose fields are the flags.
        text: what it does, one sentence.
        examples: the end of its help.
        run: called with the flags given, by field, and the program's name; the exit status, or None for 0.
    """

    config: type
    text: str
    examples: str
    run: Callable[[dict, str], int | None]


def say(line: str) -> None:
    """Prints a line at once, into a pipe, too."""
    print(line, flush=True)


def _train(values, prog):
    resume, force, file = values.pop("resume"), values.pop("force"), values.pop("config")
    if resume is None and force:
        raise ValueError("`force` goes with --resume. Received: force=True")
    config, folder = config_with(file, TrainConfig, values), None
    if resume is not None:
        from densedepth_keras.run_folder import never_began

        if resume is NEWEST and config.name and never_began(Path(config.output_dir) / config.name):
            resume = None  # killed before its first file
    if resume is not None:
        folder, config = _resumed(config.name if resume is NEWEST else resume, config.output_dir, file, values)
    from densedepth_keras.training import train

    run = train(config, announce=say, resume=folder, force=force)
    if (config.process_id or 0) > 0:
        return
    say(
        f"\nBest epoch {run.best_epoch}: validation RMSE {run.best_rmse:.3f} m (pooled, network resolution); "
        f"{run.seconds / 60:.1f} minutes. Run folder: {run.folder}"
    )
    if config.dataset == "rooms":
        # A demonstration shows its test figures at once. On real data the test split stays closed until asked for.
        say("\nOn the test split:")
        _evaluate(vars(EvaluationConfig(checkpoint=str(run.folder), limit=config.limit)), prog)
    evaluate = "densedepth evaluate" if prog == "densedepth" else "python evaluate.py"
    say(f"\nNext: {evaluate} --checkpoint {shlex.quote(str(run.folder))}")


def _resumed(which, output_dir, file, values):
    """The folder of a run to go on with, and its config with the flags given now."""
    from densedepth_keras.resuming import find_run, read_config

    folder = find_run(output_dir, which)
    of_run = {name: value for name, value in read_config(folder).items() if name not in OF_A_PROCESS}
    given = {**flags_of(file, TrainConfig, values), **values}
    for name, own in (("preset", of_run.get("preset")), ("name", folder.name)):
        if given.get(name, own) != own:
            raise ValueError(
                f"`{name}` is for new runs; this one's is {own!r}. Received: {name}={given[name]!r}, "
                f"resume={str(folder)!r}"
            )
    return folder, TrainConfig.from_json({**of_run, **given, "name": of_run.get("name")})


def _search(values, prog):
    config = config_with(values.pop("config"), SearchConfig, values)
    from densedepth_keras.search import search

    search(config, announce=say)


def _evaluate(values, prog):
    config = EvaluationConfig(**values)
    from densedepth_keras.evaluation import evaluate_checkpoint

    evaluate_checkpoint(config, announce=say)


def _predict(values, prog):
    config = PredictConfig(**values)
    if config.inputs:
        from densedepth_keras.predicting import predict_files

        return 1 if predict_files(config, announce=say).failed else 0
    from densedepth_keras.video import predict_video

    say(str(predict_video(config, announce=say)))
    return 0


def _export(values, prog):
    config = ExportConfig(**values)
    from densedepth_keras.export import export_model

    export_model(config, announce=say)


def _demo(values, prog):
    config = DemoConfig(**values)
    from densedepth_keras.demo import run_demo

    run_demo(config, announce=say)


def _import(values, prog):
    config = ImportConfig(**values)
    if os.path.lexists(config.output):
        raise FileExistsError(f"The file exists and is left as it is. Received: output={config.output!r}")
    folder = os.path.dirname(os.path.abspath(config.output))
    check_writable(folder, "output")
    from densedepth_keras.models.reference import load_reference_weights

    model = load_reference_weights(config.file, max_depth=config.max_depth, image_size=config.image_size)
    os.makedirs(folder, exist_ok=True)
    with written_beside(config.output) as side:
        model.save(side)
    height, width = model.input_shape[1:3]
    size = "of any size" if height is None else f"at {width}x{height}"
    say(
        f"{config.file}: DenseNet169 with the reference's decoder, {model.count_params() / 1e6:.1f} M parameters; sees "
        f"images {size}, answers metres up to {model.get_layer('depth').max_depth:g}. "
        f"Written to {config.output}"
    )
    say(f"\nNext: densedepth evaluate --checkpoint {shlex.quote(config.output)} --dataset ... --data-dir ...")


_TRAIN = """\
examples:
  python train.py --freeze-encoder --augment
      DenseNet169 with a narrow decoder on rendered rooms; downloads no data
  python train.py --dataset folder --data-dir my_data --depth-unit mm --freeze-encoder --augment
      own data: my_data/train.csv, validation.csv, test.csv with columns image,depth; or
      my_data/train/image/*, my_data/train/depth/* and so on
  python train.py --resume
      goes on with the newest run that was stopped or killed, from its last saved state
  python train.py --config best_config.json --epochs 30
      flags from a file (a run's config.json, a search's best_config.json); those given beside it win

Depth is in metres everywhere; --depth-unit says what the files hold. 0 in a file is "not measured".
"""
_SEARCH = """\
examples:
  densedepth search --freeze-encoder --max-trials 12 --name first
      learning rate and lambda at random, a run each; then: train.py --config runs/first/best_config.json
  densedepth search --freeze-encoder --max-trials 24 --name first --resume
      goes on after a kill, or with more trials

Trials are compared by val_rmse, metres. docs/search.md has the rest: other tuners, a chief and workers.
"""
_EVALUATE = """\
examples:
  python evaluate.py --checkpoint
      the newest run, on the test split of what it was trained on
  python evaluate.py --checkpoint runs/my_run --dataset nyu-labeled --data-dir nyu_depth_v2_labeled.mat
      NYU's 654 test frames, Eigen crop
"""
_EXPORT = """\
examples:
  densedepth export runs/my_run --format onnx --images photos
      model.onnx beside the model; ONNX Runtime's metres compared with Keras' on the photos, and its speed
  densedepth export runs/my_run --format litert --quantize int8 --images photos
      8 bits, calibrated on the photos; refused where the metres are too far off
"""
_DEMO = """\
example:
  densedepth demo --checkpoint runs/my_run
      http://127.0.0.1:7860, for this machine alone
"""
_PREDICT = """\
examples:
  densedepth predict photo.jpg
      with the newest run: depth/photo-depth.png, 16 bits, millimetres; depth/photo-color.png, with its scale in metres
  densedepth predict holidays --checkpoint runs/my_run --formats npy,side-by-side --output holidays_depth
      every picture below holidays/, metres as float32, and picture and depth beside each other
  densedepth predict photo.jpg --at 320 240
      metres at one pixel
  densedepth predict photo.jpg --formats ply --fov 66
      a point cloud in colour, metres
  densedepth predict --video walk.mp4
      walk-depth.mp4: the same frames, times and sound; colours of one range, smoothed over time
  densedepth predict --camera 0
      live, at http://127.0.0.1:8000
"""
_IMPORT = """\
example:
  densedepth import nyu.h5 --output densedepth-nyu.keras
  densedepth evaluate --checkpoint densedepth-nyu.keras --dataset nyu-labeled --data-dir nyu_depth_v2_labeled.mat
"""

COMMANDS: MappingProxyType[str, Command] = MappingProxyType(
    {
        "train": Command(TrainConfig, "Train a depth network and leave a run folder behind.", _TRAIN, _train),
        "search": Command(
            SearchConfig,
            "Search for the learning rate and the lambda of the lowest val_rmse, over many runs.",
            _SEARCH,
            _search,
        ),
        "evaluate": Command(
            EvaluationConfig,
            "Judge a trained network: RMSE and the other depth metrics, with the protocol.",
            _EVALUATE,
            _evaluate,
        ),
        "export": Command(
            ExportConfig, "Write a network for another runtime, and compare what it answers there.", _EXPORT, _export
        ),
        "demo": Command(DemoConfig, "A web page: photos in, metres out.", _DEMO, _demo),
        "predict": Command(
            PredictConfig, "Depth of pictures, a video or a camera: files in, metres out.", _PREDICT, _predict
        ),
        "import": Command(
            ImportConfig, "Turn the weights that DenseDepth published into a model of this package.", _IMPORT, _import
        ),
    }
)
"""Name -> Command. Read-only."""
