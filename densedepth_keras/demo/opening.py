"""From settings to a page that is served until somebody ends it."""

import contextlib
import ipaddress
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

from densedepth_keras.config.deploy import DemoConfig
from densedepth_keras.demo.answers import Answers
from densedepth_keras.demo.examples import write_examples
from densedepth_keras.demo.page import build_page
from densedepth_keras.demo.photos import MEGABYTE
from densedepth_keras.demo.viewer import SCRIPT, STYLE
from densedepth_keras.interruption import Interruption
from densedepth_keras.outputs.point_clouds import check_cloud_format

_FONTS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]
_LOCAL_NAMES = ["127.0.0.1", "localhost"]


def run_demo(config: DemoConfig, announce: Callable[[str], None], predictor=None) -> None:
    """Serves the page until Ctrl-C or SIGTERM.

    Args:
        config: settings.
        announce: gets lines for the user.
        predictor: a `DepthPredictor`, or whatever has its `predict`, `min_depth` and `max_depth`; None opens that of
            `config.checkpoint`, or of the newest run.

    Raises:
        ImportError: Gradio or trimesh is missing.
        FileNotFoundError: no such checkpoint.
        OSError: the port or address cannot be used.
    """
    with Interruption(), contextlib.suppress(KeyboardInterrupt), served(config, announce, predictor):
        announce("Ctrl-C ends it.")
        Event().wait()
    announce("The page is closed; what was uploaded is deleted.")


@contextlib.contextmanager
def served(config: DemoConfig, announce: Callable[[str], None], predictor=None) -> Iterator[str]:
    """Serves the page while a `with` block runs, and yields its address; arguments and errors as of `run_demo`."""
    check_packages()
    port = free_port(config)
    predictor = predictor or _opened_predictor(config, announce)
    with tempfile.TemporaryDirectory(prefix="densedepth-demo-") as name, _settings(name):
        folder = Path(name).resolve()
        examples = write_examples(folder / "examples")
        answers = Answers(predictor, config, folder)
        answers.forget(answers.measure(examples[0]))  # the first answer compiles; nobody should wait for it
        page = build_page(answers, examples)
        _launch(page, config, port)
        try:
            announce(_welcome(config, port))
            yield f"http://{_name(config.host)}:{port}/"
        finally:
            page.close(verbose=False)


def check_packages() -> None:
    """Raises an ImportError that says what to install unless Gradio and trimesh are there."""
    try:
        with _settings(tempfile.gettempdir()):
            import gradio  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"The page needs a package that is missing ({error}): pip install densedepth_keras[demo]. "
            "Received: command=demo"
        ) from error
    check_cloud_format("glb")


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address to listen on."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def free_port(config: DemoConfig) -> int:
    """The port to listen on; an OSError that says what to do where it, or the address, cannot be had."""
    host = config.host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, config.port))
        except OSError as error:
            raise OSError(
                f"The page cannot be served there: {error.strerror}. --port 0 takes any port that is free. "
                f"Received: host={config.host!r}, port={config.port}"
            ) from error
        return trial.getsockname()[1]


def _opened_predictor(config, announce):
    # Here, not above: a port that is taken is said without waiting for Keras.
    from densedepth_keras.predictor import DepthPredictor
    from densedepth_keras.run_folder import newest_run

    checkpoint = config.checkpoint or newest_run(config.output_dir)
    announce(f"Model: {checkpoint}" + ("" if config.checkpoint else ", the newest run"))
    return DepthPredictor(checkpoint, batch_size=1)


@contextlib.contextmanager
def _settings(folder):
    """Gradio's settings that are environment variables: nothing is sent anywhere, all files lie in one folder."""
    without_proxy = ",".join([*filter(None, [os.environ.get("NO_PROXY", "")]), "127.0.0.1", "localhost"])
    wanted = {
        "GRADIO_ANALYTICS_ENABLED": "False",
        "GRADIO_RUN_HISTORY": "False",
        "GRADIO_TEMP_DIR": str(folder),
        "GRADIO_EXAMPLES_CACHE": str(Path(folder) / "cached"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "NO_PROXY": without_proxy,  # Gradio asks its own server whether it is there
        "no_proxy": without_proxy,
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def _launch(page, config, port):
    import gradio as gr

    page.launch(
        server_name=_written(config.host),
        server_port=port,
        prevent_thread_lock=True,
        quiet=True,
        inbrowser=False,
        inline=False,
        share=False,
        ssr_mode=False,
        mcp_server=False,
        pwa=False,
        enable_monitoring=False,
        footer_links=[],
        max_file_size=config.max_upload_mb * MEGABYTE,
        app_kwargs={"middleware": _guards(config.host)},
        theme=gr.themes.Default(font=_FONTS, font_mono=["ui-monospace", "monospace"]),
        css=STYLE,
        head=SCRIPT,
    )


def _guards(host):
    """On loopback, no page from elsewhere gets in under a name of its own that resolves to this machine."""
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    if not is_loopback(host):
        return []
    bare = host.strip("[]")
    # "[" is what Starlette before 1.0 makes of an address of IPv6, which no name can begin with
    names = [*_LOCAL_NAMES, bare, *([f"[{bare}]", "["] if ":" in bare else [])]
    return [Middleware(TrustedHostMiddleware, allowed_hosts=names, www_redirect=False)]


def _welcome(config, port):
    place = f"The page is at http://{_name(config.host)}:{port}"
    if is_loopback(config.host):
        return f"{place}, for this machine alone."
    return (
        f"{place}\nWARNING: OPEN TO THE NETWORK. Whoever reaches this machine at port {port} can use the page; there "
        "is no password, and nothing is encrypted. Leave --host out to keep it to this machine."
    )


def _name(host):
    """What a browser on this machine calls it."""
    return "localhost" if host.strip("[]") in ("0.0.0.0", "::") else _written(host)


def _written(host):
    """As in an address of the web: IPv6 in brackets."""
    bare = host.strip("[]")
    return f"[{bare}]" if ":" in bare else bare
