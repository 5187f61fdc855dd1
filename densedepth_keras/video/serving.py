"""Live pictures in the browser: MJPEG over http, to this machine alone."""

import errno
import io
import json
import sys
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
from PIL import Image

HOST = "127.0.0.1"
PORT = 8000
"""Where no port is asked for."""

_BOUNDARY = "picture"
_JPEG_QUALITY = 85
_PATIENCE = 5.0  # seconds until a browser that takes nothing any more is let go

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Depth, live</title><link rel="icon" href="data:,">
<meta name="viewport" content="width=device-width">
<style>body{margin:0;background:#111;color:#ddd;font:16px sans-serif;text-align:center}
img{max-width:100vw;max-height:90vh}</style></head>
<body><img src="/pictures" alt="input and depth, live"><p id="status">waiting for the first picture</p>
<script>
const line = document.getElementById("status");
const timer = setInterval(async () => {
  try { line.textContent = (await (await fetch("/status")).json()).text; }
  catch { line.textContent += " (ended)"; clearInterval(timer); }
}, 1000);
</script></body></html>
"""


class Board:
    """The newest picture, for any number of readers; who is slow misses some."""

    def __init__(self):
        self._changed = threading.Condition()
        self._jpeg, self._number, self.text = b"", 0, "waiting for the first picture"
        self.readers, self.ended = 0, False

    def show(self, picture: np.ndarray, text: str) -> None:
        """Puts up a picture, uint8 RGB, and a line of text."""
        jpeg = _jpeg(picture) if self.readers else b""  # compressing is not free
        with self._changed:
            self._jpeg, self.text, self._number = jpeg, text, self._number + 1
            self._changed.notify_all()

    def end(self) -> None:
        """There will be no more."""
        with self._changed:
            self.ended = True
            self._changed.notify_all()

    def pictures(self):
        """Each picture, as JPEG, that is the newest when the reader asks for the next."""
        seen = -1
        with self._changed:
            self.readers += 1
        try:
            while True:
                with self._changed:
                    while not (self.ended or self._is_new(seen)):
                        self._changed.wait()
                    if not self._is_new(seen):
                        return
                    jpeg, seen = self._jpeg, self._number
                yield jpeg
        finally:
            with self._changed:
                self.readers -= 1

    def _is_new(self, seen):
        return bool(self._jpeg) and self._number > seen


class LiveView:
    """Serves a page with the newest picture at http://127.0.0.1:PORT while a `with` block runs.

    Args:
        port: 0 takes any that is free; None takes 8000, or any where that is taken.

    Attributes:
        address: of the page.

    Raises:
        OSError: the port is taken, or may not be used.
    """

    def __init__(self, port: int | None = None):
        self._board = Board()
        self._server = _server(port, partial(_Handler, self._board))
        self.address = f"http://{HOST}:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self._board.end()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def show(self, picture: np.ndarray, text: str) -> None:
        """Shows a picture, uint8 RGB, and a line below it, to whoever looks."""
        self._board.show(picture, text)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a browser that hangs keeps nobody

    def handle_error(self, request, client_address):
        """A browser that leaves is no error; everything else is."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    timeout = _PATIENCE
    protocol_version = "HTTP/1.0"

    def __init__(self, board, *arguments):
        self._board = board
        super().__init__(*arguments)

    def do_GET(self):
        if not self._is_for_here():
            self.send_error(403)
        elif self.path == "/":
            self._answer("text/html; charset=utf-8", _PAGE)
        elif self.path == "/status":
            self._answer("application/json", json.dumps({"text": self._board.text}))
        elif self.path == "/pictures":
            self._answer_pictures()
        else:
            self.send_error(404)

    def _is_for_here(self):
        """A page from elsewhere whose name resolves to this machine would be let in by the browser, not by us."""
        name = self.headers.get("Host", "").rpartition(":")[0] or self.headers.get("Host", "")
        return name in (HOST, "localhost")

    def _answer(self, kind, text):
        data = text.encode()
        self._head(kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _answer_pictures(self):
        self._head(f"multipart/x-mixed-replace; boundary={_BOUNDARY}")
        self.end_headers()
        self.wfile.write(f"--{_BOUNDARY}\r\n".encode())
        for jpeg in self._board.pictures():
            # The boundary comes right behind, not before the next: browsers show a picture when they have seen it.
            head = f"Content-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n".encode()
            self.wfile.write(head + jpeg + f"\r\n--{_BOUNDARY}\r\n".encode())

    def _head(self, kind):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Cache-Control", "no-store")

    def log_message(self, *arguments):
        """Nothing: the terminal belongs to the progress."""


def _server(port, handler):
    try:
        return _Server((HOST, PORT if port is None else port), handler)
    except OSError as error:
        if port is None and error.errno == errno.EADDRINUSE:
            return _Server((HOST, 0), handler)
        raise OSError(
            f"The live view cannot be served there: {error.strerror}. --serve 0 takes any port that is free. "
            f"Received: serve={PORT if port is None else port}"
        ) from error


def _jpeg(picture):
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=_JPEG_QUALITY)
    return stream.getvalue()
