"""The command line: `densedepth train|search|evaluate|predict|export|demo|import|data`; two are scripts, too."""

import argparse
import contextlib
import dataclasses
import difflib
import importlib.util
import os
import re
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from densedepth_keras import data_commands
from densedepth_keras.commands import COMMANDS, NEWEST, say
from densedepth_keras.config import add_flags
from densedepth_keras.interruption import exit_status

OUT_OF_MEMORY = ("ResourceExhaustedError", "OutOfMemoryError", "XlaRuntimeError", "MemoryError")
"""What TensorFlow, PyTorch, JAX and Python raise; matched by name, since importing them all is no option."""


def main(arguments: Sequence[str] | None = None, prog: str = "densedepth") -> int:
    """Runs a command; returns the exit status.

    0; 1 where a check found errors or some of many pictures failed; 2 for bad input; 130 for Ctrl-C, 143 for SIGTERM,
    129 for SIGHUP.

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
        _check_not_empty(values)
        if command == "data":
            return data_commands.run(values.pop("data_command"), values, say)
        return COMMANDS[command].run(values, prog) or 0
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
        with contextlib.suppress(OSError):  # a terminal that has gone takes no message
            print(f"{prog}: {message or 'interrupted'}", file=sys.stderr)
        return exit_status(signal_name or "SIGINT")


def _check_not_empty(values):
    """An empty path would be the current folder: what a shell makes of a variable that is not set."""
    for name, value in values.items():
        if value == "" or (isinstance(value, list) and "" in value):
            raise ValueError(f"`{name}` must not be empty. Received: {name}={value!r}")


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
            configs = [line.config for line in COMMANDS.values()]
            configs += [config for config, *_ in data_commands.COMMANDS.values() if config is not None]
            flags = [item.name.replace("_", "-") for config in configs for item in dataclasses.fields(config)]
            flags += ["resume", "force", "config"]
            nearest = difflib.get_close_matches(unknown[1], flags, n=1)
            # of all commands' flags, for argparse does not say which command it was
            hint = "".join(f" Did you mean --{near}?" for near in nearest if near != unknown[1])
        self.exit(2, f"{self.prog}: error: {message}.{hint} See {self.prog} --help\n")


def _parser(prog):
    parser = _Parser(prog=prog, description="Monocular depth estimation with Keras 3.")
    commands = parser.add_subparsers(dest="command", required=True, metavar=f"{{{','.join([*COMMANDS, 'data'])}}}")
    for command, (config_class, text, examples, _) in COMMANDS.items():
        own_prog = f"{prog} {command}" if prog == "densedepth" else prog
        sub = _add_command(commands, command, config_class, own_prog, text, examples)
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
