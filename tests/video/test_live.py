"""Cameras and streams: the view in the browser, the recording, frames dropped, the end."""

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO

import numpy as np
import pytest
from clips import FakePredictor, encode, frames_of, grey_pictures, regular, threads
from PIL import Image

from densedepth_keras.config.predict import PredictConfig
from densedepth_keras.video import predict_video
from densedepth_keras.video.serving import LiveView
from densedepth_keras.video.sources import LiveSource, Newest

pytest.importorskip("av", reason="PyAV is not installed: pip install densedepth_keras[video]")


@contextlib.contextmanager
def stream_of(data, seconds, *, promised=None):
    """The address of a server that sends a transport stream over about so many seconds, as a camera would."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "video/mp2t")
            if promised:
                self.send_header("Content-Length", str(promised))
            self.end_headers()
            pieces = [data[start : start + 1880] for start in range(0, len(data), 1880)]
            with contextlib.suppress(OSError):
                for piece in pieces:
                    self.wfile.write(piece)
                    time.sleep(seconds / len(pieces))

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/live.ts"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A transport stream of 60 noisy frames, so that it is large enough to be sent in pieces."""
    noise = np.random.default_rng(0).integers(0, 40, (60, 48, 64, 3))
    pictures = [(noise[i] + 3 * i).astype(np.uint8) for i in range(60)]
    path = encode(tmp_path_factory.mktemp("clip") / "a.ts", pictures, regular(60), quality=20)
    return path.read_bytes()


class Slow(FakePredictor):
    """A network that takes 60 ms a picture."""

    def predict(self, picture):
        time.sleep(0.06)
        return super().predict(picture)


def get(address, path, host=None):
    name = address.removeprefix("http://")
    connection = http.client.HTTPConnection(name, timeout=5)
    connection.request("GET", path, headers={"Host": host} if host else {})
    return connection.getresponse()


def jpegs(response):
    """The pictures of a multipart answer until it ends."""
    data = response.read()
    parts = data.split(b"--picture\r\n")[1:]
    assert parts.pop() == b""  # every picture is followed by a boundary
    for part in parts:
        head, _, body = part.partition(b"\r\n\r\n")
        assert f"Content-Length: {len(body) - 2}".encode() in head
        yield np.asarray(Image.open(BytesIO(body)))


def test_a_stream_is_seen_recorded_and_ends_by_itself(tmp_path, clip):
    seen, lines = {}, []

    def announce(line):
        lines.append(line)
        if found := re.search(r"http://\S+", line):
            seen["thread"] = threading.Thread(target=look, args=(found[0],))
            seen["thread"].start()

    def look(address):
        seen["page"] = get(address, "/").read().decode()
        seen["jpegs"] = list(jpegs(get(address, "/pictures")))

    before = threads()
    with stream_of(clip, 1.5) as address:
        config = PredictConfig(stream=address, serve=0, output=str(tmp_path / "b.mp4"), smooth=0)
        result = predict_video(config, announce, Slow(), progress=False)
    seen["thread"].join(5)
    assert "<img src=" in seen["page"]
    assert len(seen["jpegs"]) >= 3
    assert seen["jpegs"][0].shape[0] == 48
    assert result.frames >= 3
    assert result.dropped > 0
    assert result.frames + result.dropped <= 60
    assert result.latency < 1
    recorded = frames_of(tmp_path / "b.mp4")
    assert len(recorded) == result.frames
    assert 0.3 < float(recorded[-1][0]) < 5
    deadline = time.monotonic() + 5
    while threads() > before and time.monotonic() < deadline:
        time.sleep(0.02)
    assert threads() == before


def test_ctrl_c_ends_a_live_view_and_keeps_the_recording(tmp_path, clip):
    class Stopping(FakePredictor):
        calls = 0

        def predict(self, picture):
            self.calls += 1
            if self.calls == 5:
                os.kill(os.getpid(), signal.SIGINT)
            return super().predict(picture)

    lines = []
    with stream_of(clip, 3) as address:
        config = PredictConfig(stream=address, serve=0, output=str(tmp_path / "b.mp4"))
        result = predict_video(config, lines.append, Stopping(), progress=False)
    assert "Stopped" in lines
    assert result.frames == 4
    assert len(frames_of(tmp_path / "b.mp4")) == 4
    assert [path.name for path in tmp_path.iterdir()] == ["b.mp4"]


def test_a_connection_that_breaks_is_said_and_the_recording_kept(tmp_path, clip):
    lines = []
    with stream_of(clip, 0.5, promised=10 * len(clip)) as address:
        config = PredictConfig(stream=address, serve=0, output=str(tmp_path / "b.mp4"))
        result = predict_video(config, lines.append, Slow(), progress=False)
    assert any(line.startswith("The source broke off") for line in lines)
    assert len(frames_of(tmp_path / "b.mp4")) == result.frames > 0


def test_without_output_nothing_is_written(tmp_path, clip, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with stream_of(clip, 0.3) as address:
        result = predict_video(PredictConfig(stream=address, serve=0), lambda line: None, Slow(), progress=False)
    assert result.output is None
    assert list(tmp_path.iterdir()) == []


def test_a_file_on_a_web_server_is_played_at_its_own_speed(tmp_path):
    from functools import partial
    from http.server import SimpleHTTPRequestHandler

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    encode(tmp_path / "a.mp4", grey_pictures(20))
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        address = f"http://127.0.0.1:{server.server_address[1]}/a.mp4"
        result = predict_video(PredictConfig(stream=address, serve=0), print, FakePredictor(), progress=False)
    finally:
        server.shutdown()
        server.server_close()
    assert result.seconds > 0.6  # 20 frames of 40 ms, the first at once
    assert result.frames >= 10


def test_a_camera_that_is_not_there():
    with pytest.raises(FileNotFoundError, match=r"no camera /dev/video97; there are: .*Received: camera=97"):
        predict_video(PredictConfig(camera=97), print, FakePredictor())


def test_cameras_of_other_systems(monkeypatch):
    monkeypatch.setattr("sys.platform", "win32")
    with pytest.raises(ValueError, match=r"--stream URL. Received: camera=0"):
        predict_video(PredictConfig(camera=0), print, FakePredictor())


@pytest.mark.parametrize("address", ["a.mp4", "file:///etc/passwd", "/dev/video0", "concat:a|b"])
def test_what_is_no_stream_is_refused(address):
    with pytest.raises(ValueError, match="Files go with --video"):
        predict_video(PredictConfig(stream=address), print, FakePredictor())


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize("scheme", ["http", "rtsp"])
def test_a_stream_where_nobody_answers(scheme):
    with pytest.raises(OSError, match=r"Connection refused. Received: stream='"):
        predict_video(PredictConfig(stream=f"{scheme}://127.0.0.1:{free_port()}/a"), print, FakePredictor())


def test_a_stream_that_is_none():
    with stream_of(b"hello" * 1000, 0.1) as address, pytest.raises(OSError, match=r"Nothing can be read from there"):
        predict_video(PredictConfig(stream=address), print, FakePredictor())


def test_an_error_of_the_network_ends_a_live_view(tmp_path, clip):
    class Broken(FakePredictor):
        def predict(self, picture):
            raise RuntimeError("out of memory")

    with stream_of(clip, 2) as address:
        config = PredictConfig(stream=address, serve=0, output=str(tmp_path / "b.mp4"))
        with pytest.raises(RuntimeError, match="out of memory"):
            predict_video(config, lambda line: None, Broken(), progress=False)
    assert list(tmp_path.iterdir()) == []


def test_the_newest_takes_the_place_of_the_older():
    newest = Newest()
    for number in range(5):
        newest.put(number)
    assert newest.take() == 4
    assert newest.dropped == 4
    newest.put(5)
    newest.end()
    assert newest.take() == 5
    assert newest.take() is None


def test_a_source_is_read_only_as_long_as_someone_looks(clip):
    from densedepth_keras.video.sources import open_live

    with stream_of(clip, 3) as address:
        started = time.monotonic()
        with LiveSource(open_live(PredictConfig(stream=address))) as source:
            next(iter(source))
        assert time.monotonic() - started < 2.5


def test_the_view_answers_this_machine_alone():
    with LiveView(0) as view:
        assert get(view.address, "/").status == 200
        assert json.loads(get(view.address, "/status").read()) == {"text": "waiting for the first picture"}
        assert get(view.address, "/other").status == 404
        assert get(view.address, "/", host="evil.example").status == 403
        assert get(view.address, "/", host=f"localhost:{view.address.rpartition(':')[2]}").status == 200
        assert view.address.startswith("http://127.0.0.1:")
    with pytest.raises(ConnectionRefusedError):
        get(view.address, "/")


def test_two_readers_and_the_end():
    found = {}

    def look(number):
        found[number] = list(jpegs(get(view.address, "/pictures")))

    with LiveView(0) as view:
        readers = [threading.Thread(target=look, args=(number,)) for number in range(2)]
        for reader in readers:
            reader.start()
        for level in range(100):
            view.show(np.full((48, 64, 3), level, np.uint8), f"picture {level}")
            time.sleep(0.01)
        assert json.loads(get(view.address, "/status").read())["text"] == "picture 99"
    for reader in readers:
        reader.join(5)
        assert not reader.is_alive()
    for pictures in found.values():
        shown = [float(picture.mean()) for picture in pictures]
        assert shown == sorted(shown)
        assert len(shown) > 5


def test_a_taken_port_is_said_and_the_usual_one_gives_way():
    with LiveView(None) as first, LiveView(None) as second:
        assert first.address != second.address
    with LiveView(0) as view:
        port = int(view.address.rpartition(":")[2])
        with pytest.raises(OSError, match=f"--serve 0 takes any port that is free. Received: serve={port}"):
            LiveView(port)
