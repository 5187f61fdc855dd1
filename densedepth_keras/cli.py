"""The command line: `densedepth train|search|evaluate|predict|export|demo|import|data`; two are scripts, too."""

import argparse
import dataclasses
import difflib
import importlib.util
import json
import os
import re
import shlex
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from densedepth_keras import data_commands
from densedepth_keras.atomic import check_writable, written_beside
from densedepth_keras.config import (
    PRESETS,
    CheckConfig,
    DemoConfig,
    EvaluationConfig,
    ExportConfig,
    FillConfig,
    ImportConfig,
    PredictConfig,
    SearchConfig,
    ShowConfig,
    TrainConfig,
    add_flags,
    check_values,
)

EPILOGS = {
    "train": """\
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
""",
    "search": """\
examples:
  densedepth search --freeze-encoder --max-trials 12 --name first
      learning rate and lambda at random, a run each; then: train.py --config runs/first/best_config.json
  densedepth search --freeze-encoder --max-trials 24 --name first --resume
      goes on after a kill, or with more trials

Trials are compared by val_rmse, metres. docs/search.md has the rest: other tuners, a chief and workers.
""",
    "evaluate": """\
examples:
  python evaluate.py --checkpoint
      the newest run, on the test split of what it was trained on
  python evaluate.py --checkpoint runs/my_run --dataset nyu-labeled --data-dir nyu_depth_v2_labeled.mat
      NYU's 654 test frames, Eigen crop
""",
    "predict": """\
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
""",
    "export": """\
examples:
  densedepth export runs/my_run --format onnx --images photos
      model.onnx beside the model; ONNX Runtime's metres compared with Keras' on the photos, and its speed
  densedepth export runs/my_run --format litert --quantize int8 --images photos
      8 bits, calibrated on the photos; refused where the metres are too far off
""",
    "demo": """\
example:
  densedepth demo --checkpoint runs/my_run
      http://127.0.0.1:7860, for this machine alone
""",
    "import": """\
example:
  densedepth import nyu.h5 --output densedepth-nyu.keras
  densedepth evaluate --checkpoint densedepth-nyu.keras --dataset nyu-labeled --data-dir nyu_depth_v2_labeled.mat
""",
}


COMMANDS = {
    "train": (TrainConfig, "Train a depth network and leave a run folder behind."),
    "search": (SearchConfig, "Search for the learning rate and the lambda of the lowest val_rmse, over many runs."),
    "evaluate": (EvaluationConfig, "Judge a trained network: RMSE and the other depth metrics, with the protocol."),
    "export": (ExportConfig, "Write a network for another runtime, and compare what it answers there."),
    "demo": (DemoConfig, "A web page: photos in, metres out."),
    "predict": (PredictConfig, "Depth of pictures, a video or a camera: files in, metres out."),
    "import": (ImportConfig, "Turn the weights that DenseDepth published into a model of this package."),
}

CONFIGS = (
    TrainConfig,
    SearchConfig,
    EvaluationConfig,
    PredictConfig,
    ExportConfig,
    DemoConfig,
    ImportConfig,
    CheckConfig,
    ShowConfig,
    FillConfig,
)

OF_A_PROCESS = ("coordinator", "num_processes", "process_id")
"""Flags that say which process this is: never those of a run or a file."""

NEWEST = object()
"""`--resume` without a value."""

OUT_OF_MEMORY = ("ResourceExhaustedError", "OutOfMemoryError", "XlaRuntimeError", "MemoryError")
"""What TensorFlow, PyTorch, JAX and Python raise; matched by name, since importing them all is no option."""


def main(arguments: Sequence[str] | None = None, prog: str = "densedepth") -> int:
    """Runs a command; returns the exit status.

    0; 1 where a check found errors or some of many pictures failed; 2 for bad input; 130 for Ctrl-C, 143 for SIGTERM.

    Args:
        arguments: what stands behind the program's name; `sys.argv[1:]` by default. The first one is the command.
        prog: the program's name in help and errors.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # names of files come in any encoding; none may end a command
            stream.reconfigure(errors="backslashreplace")
    parser, options = _parser(prog), list(sys.argv[1:] if arguments is None else arguments)
    values = vars(parser.parse_args(options))
    command, show_traceback = values.pop("command"), values.pop("traceback")
    warnings.formatwarning = lambda message, *_, **__: f"{prog}: warning: {message}\n"  # one line, no source
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's start-up chatter hides our one line
    try:
        if command == "data":
            return data_commands.run(values.pop("data_command"), values, _say)
        runs = {"train": _train, "search": _search, "evaluate": _evaluate, "import": _import}
        runs |= {"predict": _predict, "export": _export, "demo": _demo}
        return runs[command](values, prog) or 0
    except BrokenPipeError:  # the reader of our output has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ValueError, TypeError, OSError, ImportError) as error:
        if show_traceback:
            raise
        hint = " (`make test` sets up .venv with all that is needed)" if isinstance(error, ModuleNotFoundError) else ""
        print(f"{prog}: error: {error}{hint}", file=sys.stderr)
        return 2
    except Exception as error:
        if show_traceback or type(error).__name__ not in OUT_OF_MEMORY:
            raise
        print(f"{prog}: error: out of memory; lower --batch-size or --image-size. {error}"[:500], file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        signal_name, message = (*stop.args, None, None)[:2]
        print(f"{prog}: {message or 'interrupted'}", file=sys.stderr)
        return 143 if signal_name == "SIGTERM" else 130


def script(command: str) -> int:
    """`python train.py ...` and `python evaluate.py ...`: one command without naming it.

    Called by a Python without Keras, it goes on in the environment that `make` has made beside the script, if there is
    one: so the commands work right after `make train`, activated or not.
    """
    environment = Path(sys.argv[0]).resolve().parent / ".venv" / "bin" / "python"
    if importlib.util.find_spec("keras") is None and environment.exists() and sys.executable != str(environment):
        print(f"{os.path.basename(sys.argv[0])}: going on with {environment}", file=sys.stderr, flush=True)
        os.execv(environment, [str(environment), *sys.argv])
    return main([command, *sys.argv[1:]], prog=os.path.basename(sys.argv[0]))


class _Parser(argparse.ArgumentParser):
    """Says in one line what is wrong with the flags, and which one may have been meant."""

    def error(self, message):
        hint, unknown = "", re.match(r"unrecognized arguments: --([\w-]+)", message)
        if unknown:
            flags = [item.name.replace("_", "-") for config in CONFIGS for item in dataclasses.fields(config)]
            flags += ["resume", "force", "config"]
            nearest = difflib.get_close_matches(unknown[1], flags, n=1)
            # of all commands' flags, for argparse does not say which command it was
            hint = "".join(f" Did you mean --{near}?" for near in nearest if near != unknown[1])
        self.exit(2, f"{self.prog}: error: {message}.{hint} See {self.prog} --help\n")


def _parser(prog):
    parser = _Parser(prog=prog, description="Monocular depth estimation with Keras 3.")
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="{train,search,evaluate,predict,export,demo,import,data}"
    )
    for command, (config_class, text) in COMMANDS.items():
        own_prog = f"{prog} {command}" if prog == "densedepth" else prog
        sub = _add_command(commands, command, config_class, own_prog, text, EPILOGS[command])
        if command == "train":
            _add_train_flags(sub)
        elif command == "search":
            _add_config_flag(sub)
    data = commands.add_parser(
        "data",
        help="Look at data sets before training: check, show, fill, list.",
        description="Data sets: looked at before training, shown, holes filled.",
    )
    data_parsers = data.add_subparsers(dest="data_command", required=True, metavar="{check,show,fill,list}")
    for command, (config_class, text, epilog) in data_commands.COMMANDS.items():
        _add_command(data_parsers, command, config_class, f"{prog} data {command}", text, epilog)
    return parser


def _add_command(commands, command, config_class, prog, text, epilog):
    sub = commands.add_parser(
        command,
        prog=prog,
        help=text,
        description=text,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    if config_class is not None:
        add_flags(sub, config_class)
    sub.add_argument("--traceback", action="store_true", help="show where an error was raised")
    return sub


def _add_train_flags(sub):
    """Flags of the command that are no settings of a run."""
    sub.add_argument(
        "--resume",
        nargs="?",
        const=NEWEST,
        metavar="RUN",
        help="go on with a run folder, or the name of one in --output-dir; without a value with the run of --name, or "
        "the newest that has not ended. Flags left out are the run's",
    )
    sub.add_argument("--force", action="store_true", help="with --resume: let flags change under way")
    _add_config_flag(sub)


def _add_config_flag(sub):
    sub.add_argument("--config", metavar="FILE", help="take the flags that are not given from a JSON file")


def _train(values, prog):
    resume, force, file = values.pop("resume"), values.pop("force"), values.pop("config")
    if resume is None and force:
        raise ValueError("`force` goes with --resume. Received: force=True")
    config, folder = _config_with(file, TrainConfig, values), None
    if resume is not None:
        from densedepth_keras.run_folder import never_began

        if resume is NEWEST and config.name and never_began(Path(config.output_dir) / config.name):
            resume = None  # killed before its first file
    if resume is not None:
        folder, config = _resumed(config.name if resume is NEWEST else resume, config.output_dir, file, values)
    from densedepth_keras.training import train

    run = train(config, announce=_say, resume=folder, force=force)
    if (config.process_id or 0) > 0:
        return
    _say(
        f"\nBest epoch {run.best_epoch}: validation RMSE {run.best_rmse:.3f} m (pooled, network resolution); "
        f"{run.seconds / 60:.1f} minutes. Run folder: {run.folder}"
    )
    if config.dataset == "rooms":
        # A demonstration shows its test figures at once. On real data the test split stays closed until asked for.
        _say("\nOn the test split:")
        _evaluate(vars(EvaluationConfig(checkpoint=str(run.folder), limit=config.limit)), prog)
    evaluate = "densedepth evaluate" if prog == "densedepth" else "python evaluate.py"
    _say(f"\nNext: {evaluate} --checkpoint {shlex.quote(str(run.folder))}")


def _resumed(which, output_dir, file, values):
    """The folder of a run to go on with, and its config with the flags given now."""
    from densedepth_keras.resuming import find_run, read_config

    folder = find_run(output_dir, which)
    of_run = {name: value for name, value in read_config(folder).items() if name not in OF_A_PROCESS}
    given = {**_flags_of(file, TrainConfig, values), **values}
    for name, own in (("preset", of_run.get("preset")), ("name", folder.name)):
        if given.get(name, own) != own:
            raise ValueError(
                f"`{name}` is for new runs; this one's is {own!r}. Received: {name}={given[name]!r}, "
                f"resume={str(folder)!r}"
            )
    return folder, TrainConfig.from_json({**of_run, **given, "name": of_run.get("name")})


def _search(values, prog):
    config = _config_with(values.pop("config"), SearchConfig, values)
    from densedepth_keras.search import search

    search(config, announce=_say)


def _config_with(file, config_class, values):
    """The config of flags, those of a file where they are not given; an error names the file that had a part in it."""
    of_file = _flags_of(file, config_class, values)
    try:
        return config_class.from_json({"dataset": "rooms", **of_file, **values})
    except ValueError as error:
        raise ValueError(str(error) if not of_file else f"{error}; flags not given are those of {file!r}") from error


def _flags_of(file, config_class, values):
    """Settings of a config file, none without one, and none that are of the run or the process that wrote it."""
    if file is None:
        return {}
    try:
        with open(file, encoding="utf-8") as stream:
            found = json.load(stream)
    except (OSError, ValueError) as error:
        raise ValueError(f"Not a JSON file of flags: {error}. Received: config={file!r}") from error
    check_values(config_class, found, file)
    left_out = {"name", "output_dir", "resume", *OF_A_PROCESS, *PRESETS.get(values.get("preset"), ())}
    if config_class is SearchConfig:
        left_out |= {"learning_rate", "depth_weight"}  # a run's config has values of its own
    known = {item.name for item in dataclasses.fields(config_class)} - left_out
    return {name: value for name, value in found.items() if name in known}


def _evaluate(values, prog):
    config = EvaluationConfig(**values)
    from densedepth_keras.evaluation import evaluate_checkpoint

    evaluate_checkpoint(config, announce=_say)


def _predict(values, prog):
    config = PredictConfig(**values)
    if config.inputs:
        from densedepth_keras.predicting import predict_files

        return 1 if predict_files(config, announce=_say).failed else 0
    from densedepth_keras.video import predict_video

    _say(str(predict_video(config, announce=_say)))
    return 0


def _export(values, prog):
    config = ExportConfig(**values)
    from densedepth_keras.export import export_model

    export_model(config, announce=_say)


def _demo(values, prog):
    config = DemoConfig(**values)
    from densedepth_keras.demo import run_demo

    run_demo(config, announce=_say)


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
    _say(
        f"{config.file}: DenseNet169 with the reference's decoder, {model.count_params() / 1e6:.1f} M parameters; sees "
        f"images {size}, answers metres up to {model.get_layer('depth').max_depth:g}. "
        f"Written to {config.output}"
    )
    _say(f"\nNext: densedepth evaluate --checkpoint {shlex.quote(config.output)} --dataset ... --data-dir ...")


def _say(line):
    print(line, flush=True)
