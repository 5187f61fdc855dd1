"""train.py, evaluate.py and `densedepth`: help, speed of help, exit statuses, and the commands of the README."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from densedepth_keras import cli

ROOT = Path(__file__).resolve().parents[1]


def script(*arguments):
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("name", ["train.py", "evaluate.py"])
def test_help_answers_in_under_a_second(name):
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        done = script(name, "--help")
        seconds.append(time.perf_counter() - started)
        assert done.returncode == 0
        assert f"usage: {name} " in done.stdout
    assert min(seconds) < 1.0  # the bound; the best of three, for a loaded machine


def test_help_explains_units():
    assert "what one stored unit" in script("train.py", "--help").stdout


@pytest.mark.parametrize("name", ["train.py", "evaluate.py"])
def test_scripts_are_thin(name):
    assert len((ROOT / name).read_text().splitlines()) <= 20


def test_unknown_flag_and_choice_are_status_2():
    for arguments in (["--learning-rat", "1"], ["--dataset", "nyu"], ["--epochs", "many"]):
        done = script("train.py", *arguments)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--deep-supervison", "2"], "Did you mean --deep-supervision? See train.py --help"),
        (["--deep-supervision", "two"], "invalid int value: 'two'. See train.py --help"),
        (["--image-size", "48"], "expected 2 arguments"),
    ],
)
def test_wrong_flags_are_one_line(arguments, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["train", *arguments], prog="train.py")
    assert stopped.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("train.py: error: ")
    assert message in line


def test_bad_value_is_status_2_before_keras_is_imported():
    code = (
        "import sys; from densedepth_keras.cli import main\n"
        "status = main(['train', '--max-depth', '0.01'], prog='train.py')\n"
        "print(status, 'keras' in sys.modules)"
    )
    done = script("-c", code)
    assert done.stdout == "2 False\n"
    assert done.stderr.startswith("train.py: error: `min_depth` must be positive and below `max_depth`")


def test_import_refuses_before_keras_is_imported(tmp_path):
    (tmp_path / "there.keras").write_text("mine")
    for output, message in (("model.h5", "ends with .keras"), (tmp_path / "there.keras", "is left as it is")):
        code = (
            "import sys; from densedepth_keras.cli import main\n"
            f"print(main(['import', 'nyu.h5', '--output', {str(output)!r}]), 'keras' in sys.modules)"
        )
        done = script("-c", code)
        assert done.stdout == "2 False\n"
        assert message in done.stderr
    assert (tmp_path / "there.keras").read_text() == "mine"


def test_import_of_a_file_that_is_none_leaves_nothing(tmp_path, capsys):
    (tmp_path / "nyu.h5").write_bytes(b"<html>")
    assert cli.main(["import", str(tmp_path / "nyu.h5"), "--output", str(tmp_path / "m.keras")]) == 2
    assert "nyu.h5" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["nyu.h5"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "--output-dir", ""],
        ["train", "--resume", ""],
        ["evaluate", "--output", ""],
        ["data", "check", "--report", ""],
        ["predict", ""],
    ],
)
def test_an_empty_path_is_not_the_current_folder(arguments, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(arguments) == 2
    assert re.search(r"error: `(\w+)` must not be empty\. Received: \1=", capsys.readouterr().err)
    assert list(tmp_path.iterdir()) == []


def test_traceback_flag_shows_where(capsys):
    with pytest.raises(ValueError, match="max_depth"):
        cli.main(["train", "--max-depth", "0.01", "--traceback"])


def test_interrupt_is_status_130(monkeypatch, capsys):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "COMMANDS", {**cli.COMMANDS, "train": cli.COMMANDS["train"]._replace(run=interrupt)})
    assert cli.main(["train"]) == 130
    assert capsys.readouterr().err == "densedepth: interrupted\n"


def documented_commands():
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))]
    joined = "\n".join(texts).replace("\\\n", " ")
    return sorted(
        {a or b for a, b in re.findall(r"^(?:python ((?:train|evaluate)\.py .*)|(densedepth .*))$", joined, re.M)}
    )


@pytest.mark.parametrize("line", documented_commands())
def test_documented_command_is_understood(line):
    name, *arguments = line.split("#")[0].split()
    options = arguments if name == "densedepth" else [name.removesuffix(".py"), *arguments]
    assert cli._parser("densedepth").parse_args(options).command == options[0]


def test_readme_has_commands_to_check():
    assert len(documented_commands()) >= 5
