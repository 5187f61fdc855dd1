"""How the page is opened and closed: addresses, packages, what is said, what is left behind."""

import contextlib
import signal
import socket
import subprocess
import sys
import textwrap
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from densedepth_keras.config.deploy import DemoConfig
from densedepth_keras.demo import opening


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("localhost", True),
        ("::1", True),
        ("[::1]", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.0.7", False),
        ("my-machine.example", False),
    ],
)
def test_loopback_is_known(host, expected):
    assert opening.is_loopback(host) is expected


def test_an_open_page_is_said_loudly():
    quiet, loud = (opening._welcome(DemoConfig(host=host), 7860) for host in ("127.0.0.1", "0.0.0.0"))
    assert quiet == "The page is at http://127.0.0.1:7860, for this machine alone."
    assert "WARNING: OPEN TO THE NETWORK" in loud
    assert "no password" in loud
    assert "http://localhost:7860" in loud


def test_a_taken_port_is_said_before_a_model_is_loaded():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with (
            pytest.raises(OSError, match=rf"--port 0 takes any port that is free\. Received: .*port={port}"),
            opening.served(DemoConfig(port=port, checkpoint="no/such/run"), print),
        ):
            pass


def test_an_address_that_is_not_ours_is_told():
    with pytest.raises(OSError, match=r"cannot be served there.*host='192\.0\.2\.1'"):  # TEST-NET-1, nobody's
        opening.free_port(DemoConfig(host="192.0.2.1"))


@pytest.mark.parametrize("host", ["", " "])
def test_no_address_is_not_all_of_them(host):
    with pytest.raises(ValueError, match=f"`host` must be an address.*Received: host='{host}'"):
        DemoConfig(host=host)


@contextlib.contextmanager
def running_page(folder, host="127.0.0.1"):
    """The page in a process of its own, where what Gradio leaves open is nobody's warning; and what it has said."""
    pytest.importorskip("gradio", reason="Gradio is not installed: pip install densedepth_keras[demo]")
    pytest.importorskip("trimesh", reason="trimesh is not installed: pip install densedepth_keras[points]")
    here = Path(__file__).resolve().parent
    program = f"""
        import sys, tempfile
        sys.path[:0] = {[str(here), str(here.parents[1])]!r}
        tempfile.tempdir = {str(folder)!r}
        from demo_predictor import FakePredictor
        from densedepth_keras.config import DemoConfig
        from densedepth_keras.demo import run_demo
        run_demo(DemoConfig(port=0, host={host!r}), lambda line: print(line, flush=True), FakePredictor())
    """
    command, pipe = [sys.executable, "-c", textwrap.dedent(program)], subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as running:
        lines = []
        try:
            while not lines or not lines[-1].startswith("Ctrl-C"):
                lines.append(running.stdout.readline())
                assert lines[-1], running.stderr.read()
            yield running, lines
        except BaseException:
            running.kill()
            raise
        lines += running.stdout
        errors = running.stderr.read()
    assert running.returncode == 0, errors
    assert "Traceback" not in errors


def has_ipv6():
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as trial:
        trial.bind(("::1", 0))
        return True
    return False


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 on this machine")
@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_ipv6_is_served_and_guarded(tmp_path, host):
    with running_page(tmp_path, host) as (running, lines):
        address = lines[0].split()[4].rstrip(",")
        assert lines[0] == f"The page is at {address}, for this machine alone.\n"
        assert address.startswith("http://[::1]:")
        with urllib.request.urlopen(address, timeout=30) as got:
            assert got.status == 200
        with pytest.raises(urllib.error.HTTPError, match="400") as refused:
            urllib.request.urlopen(urllib.request.Request(address, headers={"Host": "elsewhere.example"}), timeout=30)
        refused.value.close()
        running.send_signal(signal.SIGTERM)


def test_any_port_is_free():
    assert 0 < opening.free_port(DemoConfig(port=0)) < 2**16


@pytest.mark.parametrize("package", ["gradio", "trimesh"])
def test_a_missing_package_is_told(monkeypatch, package):
    if package != "gradio":
        pytest.importorskip("gradio", reason="Gradio is not installed: pip install densedepth_keras[demo]")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=r"pip install densedepth_keras\[(demo|points)\]"):
        opening.check_packages()


def test_the_environment_is_as_before(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "example.org")
    monkeypatch.delenv("GRADIO_TEMP_DIR", raising=False)
    import os

    before = dict(os.environ)
    with opening._settings("/somewhere"):
        assert os.environ["NO_PROXY"] == "example.org,127.0.0.1,localhost"
        assert os.environ["GRADIO_TEMP_DIR"] == "/somewhere"
        assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
    assert dict(os.environ) == before


def test_ctrl_c_ends_it_and_leaves_nothing(tmp_path):
    with running_page(tmp_path) as (running, lines):
        assert list(tmp_path.glob("densedepth-demo-*"))
        running.send_signal(signal.SIGINT)
    assert lines[-1].startswith("The page is closed")
    assert not list(tmp_path.glob("densedepth-demo-*"))
