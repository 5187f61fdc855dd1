"""A real browser plays what is written: pans over a rendered room and a photograph, with sound, at irregular times."""

import contextlib
import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from clips import FakePredictor, encode, frames_of, irregular
from PIL import Image

from densedepth_keras.config.predict import PredictConfig
from densedepth_keras.data.rooms import Rooms
from densedepth_keras.video import predict_video
from densedepth_keras.video.reading import VideoFile
from densedepth_keras.video.serving import LiveView

pytest.importorskip("av", reason="PyAV is not installed: pip install densedepth_keras[video]")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")

PLAY = """async () => {
  const video = document.querySelector("video");
  const times = [];
  const note = (now, about) => { times.push(about.mediaTime); video.requestVideoFrameCallback(note); };
  video.requestVideoFrameCallback(note);
  const ended = new Promise((resolve, reject) => {
    video.onended = resolve; video.onerror = () => reject(video.error.message);
  });
  await video.play();
  await ended;
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth; canvas.height = video.videoHeight;
  const context = canvas.getContext("2d");
  context.drawImage(video, 0, 0);
  return {
    width: video.videoWidth, height: video.videoHeight, duration: video.duration, times,
    frames: video.getVideoPlaybackQuality().totalVideoFrames,
    sound: video.webkitAudioDecodedByteCount,
    pixels: Array.from(context.getImageData(0, 0, canvas.width, canvas.height).data),
  };
}"""


@pytest.fixture(scope="module")
def browser():
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium on this machine; Debian's is `apt install chromium`")
    with playwright.sync_playwright() as started:
        flags = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--mute-audio"]
        running = started.chromium.launch(executable_path=path, args=flags)
        yield running
        running.close()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@contextlib.contextmanager
def served(folder):
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def played(browser, path):
    """What the browser says of a video, and its last picture."""
    (path.parent / "page.html").write_text(f"<!DOCTYPE html><video src='{path.name}'></video>")
    with served(path.parent) as address:
        page = browser.new_page()
        try:
            page.goto(f"{address}/page.html")
            said = page.evaluate(PLAY)
        finally:
            page.close()
    pixels = np.array(said.pop("pixels"), np.uint8).reshape(said["height"], said["width"], 4)
    return said, pixels[..., :3]


@pytest.fixture(params=["room", "photograph"])
def scene(request):
    """A rendered room, and a frame of NYU Depth v2, 320x240."""
    if request.param == "room":
        return a_room()
    return Image.open(min((request.getfixturevalue("nyu_folder") / "rgb").glob("*.jpg"))).resize((320, 240))


def a_room():
    return Image.fromarray(Rooms("test", image_size=(240, 320))[3][0].astype(np.uint8))


def pan(scene, count, size=(120, 160)):
    """A scene, nearer and further to the right from picture to picture."""
    height, width = size
    pictures = []
    for i in range(count):
        zoom = 1.2 + 0.01 * i
        box = (2 * i, i, 2 * i + 320 / zoom, i + 240 / zoom)
        pictures.append(np.asarray(scene.resize((width, height), Image.Resampling.BILINEAR, box=box)))
    return pictures


def test_it_plays_to_the_end(browser, tmp_path, scene):
    path = encode(tmp_path / "a.mp4", pan(scene, 25), irregular(25), sound=("aac", 44100, 1.2), b_frames=2)
    result = predict_video(PredictConfig(video=str(path)), print, FakePredictor(), progress=False)
    said, last = played(browser, result.output)
    expected = frames_of(result.output)
    assert (said["height"], said["width"]) == expected[0][1].shape[:2]
    assert said["frames"] == result.frames == 25
    assert said["sound"] > 0
    # Presented frames come at their times, to the microsecond browsers count in; a busy machine may skip some
    times = np.array([float(time) for time, _ in expected])
    assert all(np.abs(times - shown).min() < 2e-6 for shown in said["times"])
    assert len(said["times"]) > 5
    # The colours are read as they were meant; BT.601 for BT.709 alone would be off by 5 levels on average
    assert np.abs(last.astype(float) - expected[-1][1]).mean() < 2


@pytest.mark.parametrize(("rotation", "flip"), [(90, False), (270, False), (180, False), (90, True)])
def test_the_browser_turns_a_video_as_we_do(browser, tmp_path, rotation, flip):
    path = encode(tmp_path / "a.mp4", pan(a_room(), 4), rotation=rotation, flip=flip)
    with VideoFile(path) as video:
        ours = list(video.frames())[-1].picture
    _, last = played(browser, path)
    assert last.shape == ours.shape
    assert np.abs(last.astype(float) - ours).mean() < 4  # untagged colours are each one's guess


def test_the_live_page_shows_the_pictures(browser):
    with LiveView(0) as view:
        page = browser.new_page(viewport={"width": 400, "height": 300})
        page.goto(view.address, wait_until="commit")
        stop = threading.Event()

        def show():
            while not stop.wait(0.05):
                view.show(np.full((48, 64, 3), (200, 40, 90), np.uint8), "12.0 frames per second")

        thread = threading.Thread(target=show)
        thread.start()
        try:
            page.wait_for_function("document.querySelector('img').naturalWidth === 64")
            page.wait_for_function("document.querySelector('#status').textContent.includes('12.0 frames')")
        finally:
            stop.set()
            thread.join()
    page.wait_for_function("document.querySelector('#status').textContent.includes('(ended)')")
    page.close()
