"""The page in a real browser: Chromium, headless, driven by Playwright; every name but 127.0.0.1 is unknown to it."""

import base64
import gc
import io
import json
import secrets
import shutil
import socket
import tempfile
import urllib.error
import urllib.request
from urllib.parse import urlparse

import numpy as np
import pytest
from demo_predictor import FakePredictor, metres, slope, write_photo
from PIL import Image

from densedepth_keras.config.deploy import DemoConfig
from densedepth_keras.demo.opening import served

pytest.importorskip("gradio", reason="Gradio is not installed: pip install densedepth_keras[demo]")
trimesh = pytest.importorskip("trimesh", reason="trimesh is not installed: pip install densedepth_keras[points]")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")

# Of Gradio and pandas, in the server's threads: as errors they would end Gradio's queue
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

PATIENCE = 30_000  # milliseconds; a busy machine takes 3 s to the first answer
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
FLAGS = [
    "--no-sandbox",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--enable-unsafe-swiftshader",  # WebGL without a GPU
    "--use-fake-device-for-media-stream",  # a camera that shows a moving pattern
    "--use-fake-ui-for-media-stream",
]


@pytest.fixture(scope="module")
def left():
    """Names and addresses beyond this machine that the server asked for."""
    found = []
    resolve, connect = socket.getaddrinfo, socket.socket.connect

    def watched_resolve(host, *arguments, **options):
        note(host)
        return resolve(host, *arguments, **options)

    def watched_connect(self, place):
        note(place[0] if isinstance(place, tuple) else None)
        return connect(self, place)

    def note(host):
        name = host.decode() if isinstance(host, bytes) else host
        if name not in (None, "127.0.0.1", "localhost", "::1"):
            found.append(name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", watched_resolve)
        patch.setattr(socket.socket, "connect", watched_connect)
        yield found


@pytest.fixture(scope="module")
def predictor():
    return FakePredictor(seconds=0.2)


@pytest.fixture(scope="module")
def address(tmp_path_factory, left, predictor):
    folder = tmp_path_factory.mktemp("temporary")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(folder))
        config = DemoConfig(port=0, max_upload_mb=1, max_megapixels=4)
        with served(config, print, predictor) as place:
            yield place
    assert not list(folder.glob("densedepth-demo-*"))  # nothing stays
    gc.collect()  # Gradio leaves event loops open: here that is ignored, in a later test it would be its failure


@pytest.fixture(scope="module")
def browser():
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium on this machine; Debian's is `apt install chromium`")
    with playwright.sync_playwright() as started:
        running = started.chromium.launch(executable_path=path, args=FLAGS)
        yield running
        running.close()


@pytest.fixture
def visit(browser, address):
    """Opens the page as another user each time; at the end, nobody has asked any other machine."""
    contexts, asked = [], []

    def opened(viewport=DESKTOP, **options):
        context = browser.new_context(viewport=viewport, **options)
        contexts.append(context)
        context.on("request", lambda request: asked.append(request.url))
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.goto(address)
        page.wait_for_selector("#photo input[type=file]", state="attached")
        return page

    yield opened
    for context in contexts:
        context.close()
    elsewhere = [url for url in asked if urlparse(url).scheme not in ("data", "blob", "about")]
    elsewhere = [url for url in elsewhere if urlparse(url).hostname != "127.0.0.1"]
    assert asked
    assert elsewhere == []


def give(page, path):
    """Chooses a file in place of whatever is there."""
    page.set_input_files("#photo input[type=file]", path)


def wait_for_depth(page):
    page.wait_for_function("() => document.querySelector('.depth-view img')?.naturalWidth > 0")


def place_at_rest(picture):
    """Where it is on the screen, once it moves no more: the page grows for a while as an answer comes."""
    picture.click(trial=True)  # clicks nothing: scrolls there, and waits until two frames show it at one place
    return picture.bounding_box()


def click_pixel(page, image, row, column):
    """Clicks the middle of a pixel of the photo, and gives what is said."""
    picture = page.locator(".depth-view img")
    box, natural = place_at_rest(picture), picture.evaluate("img => [img.naturalWidth, img.naturalHeight]")
    assert natural[1] == image.shape[0]
    x, y = (column + 0.5) * box["width"] / natural[0], (row + 0.5) * box["height"] / natural[1]
    picture.click(position={"x": x, "y": y})
    page.mouse.move(0, 0)  # away: what stays is what was clicked
    page.wait_for_function("() => document.querySelector('.depth-said b')")
    return page.inner_text(".depth-said")


def assert_tells(said, image, row, column):
    assert f"pixel {column}, {row}" in said
    assert f"{metres(image)[row, column]:.2f} m" in said


def download(page, button, folder):
    page.wait_for_function(f"() => document.querySelector('{button}') && !document.querySelector('{button}').disabled")
    with page.expect_download() as coming:
        page.click(button)
    path = folder / coming.value.suggested_filename
    coming.value.save_as(path)
    return path


def test_from_photo_to_metres_and_files(visit, tmp_path):
    page, image = visit(), slope()
    assert "Three steps" in page.inner_text("#said")
    give(page, write_photo(tmp_path / "room.png", image))
    wait_for_depth(page)
    depth = metres(image)
    assert f"80x60 pixels, {depth.min():.2f} to {depth.max():.2f} m away" in page.inner_text("#said")
    for row, column in ((0, 0), (17, 60), (59, 79)):
        assert_tells(click_pixel(page, image, row, column), image, row, column)
    png, npy, ply = (download(page, button, tmp_path) for button in ("#png", "#npy", "#ply"))
    assert [path.name for path in (png, npy, ply)] == ["room-depth.png", "room-depth.npy", "room.ply"]
    # Half a millimetre by rounding, and the last bit of float32
    assert np.abs(np.asarray(Image.open(png)) / 1000 - depth).max() <= 0.0005 + 1e-6
    assert np.array_equal(np.load(npy), depth)
    assert np.allclose(np.asarray(trimesh.load(ply).vertices)[:, 2], depth.ravel(), rtol=1e-6)  # float32


def test_pointing_tells_metres_and_leaving_does_not(visit, tmp_path):
    page, image = visit(), slope()
    give(page, write_photo(tmp_path / "room.png", image))
    wait_for_depth(page)
    box = place_at_rest(page.locator(".depth-view img"))
    page.mouse.move(box["x"] + 3, box["y"] + 3)
    page.wait_for_function("() => document.querySelector('.depth-said b')")
    assert_tells(page.inner_text(".depth-said"), image, 0, 0)
    page.mouse.move(box["x"] + box["width"] - 3, box["y"] + 9)  # the scale is no part of the photo
    page.wait_for_function("() => !document.querySelector('.depth-said b')")
    page.mouse.move(box["x"] + 3, box["y"] + 3)
    page.wait_for_function("() => document.querySelector('.depth-said b')")
    page.mouse.move(0, 0)
    page.wait_for_function("() => document.querySelector('.depth-said').innerText.includes('Point at the picture')")


def test_a_large_photo_tells_the_metres_of_its_own_pixels(visit, tmp_path):
    page, image = visit(), slope(1000, 1600)
    give(page, write_photo(tmp_path / "large.png", image))
    wait_for_depth(page)
    box = place_at_rest(page.locator(".depth-view img"))
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_function("() => document.querySelector('.depth-said b')")
    said = page.inner_text(".depth-said")
    column, row = (int(number) for number in said.split("pixel")[1].split(","))
    assert 480 < row < 520
    assert 800 < column < 1000  # the scale takes its part at the right
    assert_tells(said, image, row, column)


def test_bad_photos_are_told_and_the_page_goes_on(visit, tmp_path):
    page, image = visit(), slope()
    (tmp_path / "bad.jpg").write_bytes(b"no picture at all")
    frames = [Image.new("RGB", (64, 64), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    write_photo(tmp_path / "huge.png", np.zeros((2100, 2100, 3), np.uint8))
    for name, message in {
        "bad.jpg": "Not a picture that Pillow can read. Received: 'bad.jpg'",
        "moving.gif": "not an animation or several pages. Received: 2 in 'moving.gif'",
        "huge.png": "at most 4 megapixels",
    }.items():
        give(page, tmp_path / name)
        page.wait_for_selector(f".status.error >> text={message}")
        assert "Choose another photo: JPEG" in page.inner_text("#said")
        assert page.locator(".depth-view:visible").count() == 0
    give(page, write_photo(tmp_path / "good.png", image))
    wait_for_depth(page)
    assert page.locator(".status.error").count() == 0
    assert_tells(click_pixel(page, image, 5, 6), image, 5, 6)


def test_a_photo_in_place_of_another_is_predicted_once(visit, predictor, tmp_path):
    page, before = visit(), predictor.asked
    for name, columns in (("first", 70), ("second", 80), ("third", 90), ("fourth", 100)):
        give(page, write_photo(tmp_path / f"{name}.png", slope(60, columns)))
        page.wait_for_selector(f"#said >> text={columns}x60 pixels")
    wait_for_depth(page)
    picture = page.locator(".depth-view img").get_attribute("src")
    click_pixel(page, slope(60, 100), 5, 6)
    assert predictor.asked == before + 4
    page.wait_for_timeout(500)  # nothing else comes
    assert page.locator(".depth-view img").get_attribute("src") == picture
    assert predictor.asked == before + 4


def test_a_file_too_large_is_refused_by_size(visit, tmp_path):
    page = visit()
    (tmp_path / "heavy.png").write_bytes(bytes(1_200_000))
    give(page, tmp_path / "heavy.png")
    page.wait_for_selector("text=/exceed|maximum allowed size|larger/i")
    page.reload()
    page.wait_for_selector("#photo input[type=file]", state="attached")
    give(page, write_photo(tmp_path / "good.png", slope()))
    wait_for_depth(page)


def test_two_users_at_once_get_their_own(visit, tmp_path):
    pictures = [np.full((48, 64, 3), level, np.uint8) for level in (10, 200)]
    pages = [visit() for _ in pictures]
    for number, (page, picture) in enumerate(zip(pages, pictures, strict=True)):
        page.set_input_files("#photo input[type=file]", write_photo(tmp_path / f"user{number}.png", picture))
    for number, (page, picture) in enumerate(zip(pages, pictures, strict=True)):
        wait_for_depth(page)
        assert_tells(click_pixel(page, picture, 20, 30), picture, 20, 30)
        path = download(page, "#npy", tmp_path)
        assert path.name == f"user{number}-depth.npy"
        assert np.array_equal(np.load(path), metres(picture))


def test_the_range_repaints_and_the_comparison_and_points_are_there(visit, tmp_path):
    page, image = visit(), slope()
    give(page, write_photo(tmp_path / "room.png", image))
    wait_for_depth(page)
    before = page.get_attribute(".depth-view img", "src")
    page.click("#fit")
    page.wait_for_function(f"() => document.querySelector('.depth-view img').getAttribute('src') !== '{before}'")
    assert float(page.locator("#near input[type=number]").input_value()) > 2
    assert_tells(click_pixel(page, image, 30, 40), image, 30, 40)  # colours change, metres do not
    page.click("#reset")
    page.wait_for_function(f"() => document.querySelector('.depth-view img').getAttribute('src') === '{before}'")
    page.get_by_role("tab", name="Compare").click()
    page.wait_for_function(
        "() => [...document.querySelectorAll('#compare img')].filter(img => img.naturalWidth === 80).length === 2"
    )
    page.get_by_role("tab", name="3D").click()
    page.wait_for_selector("#cloud canvas")
    assert "Field of view: assumed, 60 degrees" in page.inner_text("#results")


def test_an_example_is_one_click(visit):
    page = visit()
    page.locator("button.gallery-item, .gallery-item").first.click()
    wait_for_depth(page)
    assert "640x480 pixels" in page.inner_text("#said")


def test_after_an_example_bad_photos_are_told_as_ever(visit, tmp_path):
    page, image = visit(), slope()
    page.locator("button.gallery-item, .gallery-item").first.click()
    wait_for_depth(page)
    (tmp_path / "bad.jpg").write_bytes(b"no picture at all")
    give(page, tmp_path / "bad.jpg")
    page.wait_for_selector(".status.error >> text=Not a picture that Pillow can read. Received: 'bad.jpg'")
    give(page, write_photo(tmp_path / "good.png", image))
    wait_for_depth(page)
    assert_tells(click_pixel(page, image, 5, 6), image, 5, 6)


def as_text(image):
    data = io.BytesIO()
    Image.fromarray(image).save(data, "PNG")
    return base64.b64encode(data.getvalue()).decode()


def test_a_photo_can_be_dropped(visit, tmp_path):
    page = visit()
    page.evaluate(
        """(text) => {
          const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
          const moved = new DataTransfer();
          moved.items.add(new File([bytes], "dropped.png", { type: "image/png" }));
          const place = document.querySelector("#photo input[type=file]").closest("button");
          place.dispatchEvent(new DragEvent("drop", { dataTransfer: moved, bubbles: true, cancelable: true }));
        }""",
        as_text(slope()),
    )
    wait_for_depth(page)
    path = download(page, "#npy", tmp_path)
    assert path.name == "dropped-depth.npy"
    assert np.array_equal(np.load(path), metres(slope()))


def test_a_photo_can_be_pasted(visit):
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    page.evaluate(
        """async (text) => {
          const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
          const blob = new Blob([bytes], { type: "image/png" });
          await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]);
        }""",
        as_text(slope()),
    )
    page.get_by_label("Paste from clipboard").click()
    wait_for_depth(page)
    assert "80x60 pixels" in page.inner_text("#said")


def test_a_photo_can_be_taken(visit):
    page = visit(permissions=["camera"])
    page.get_by_label("Capture from camera").click()
    page.get_by_text("Click to Access Webcam").click()
    # The button is there before the camera's first frame, and then takes nothing
    page.wait_for_function("() => document.querySelector('#photo video')?.readyState >= 2")
    page.get_by_label("capture photo").click()
    wait_for_depth(page)  # of 1920x1440 pixels, what Gradio asks of a camera
    assert "1920x1440 pixels" in page.inner_text("#said")


def test_on_a_phone_nothing_is_wider_than_the_screen(visit, tmp_path):
    page, image = visit(PHONE, has_touch=True, is_mobile=True), slope()
    give(page, write_photo(tmp_path / "room.png", image))
    wait_for_depth(page)
    page.wait_for_function("() => document.querySelector('.depth-view').getBoundingClientRect().top < innerHeight / 2")
    picture = page.locator(".depth-view img")
    page.wait_for_timeout(1000)  # until it has come to rest
    box = picture.bounding_box()
    page.touchscreen.tap(box["x"] + 2, box["y"] + 2)
    page.wait_for_function("() => document.querySelector('.depth-said b')")
    assert_tells(page.inner_text(".depth-said"), image, 0, 0)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.get_by_role("tab", name="3D").click()
    cloud = page.locator("#cloud canvas").bounding_box()
    assert cloud["height"] < cloud["width"]  # the camera there fits a room to the height alone
    for button in ("#png", "#npy", "#ply", "#fit", "#reset"):
        place = page.locator(button).bounding_box()
        assert place["x"] >= 0
        assert place["x"] + place["width"] <= PHONE["width"]


def test_strangers_get_neither_files_nor_in(address):
    def answer(path, **headers):
        try:
            with urllib.request.urlopen(urllib.request.Request(address + path, headers=headers), timeout=30) as got:
                return got.status
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    assert answer("") == 200
    assert answer("", Host="elsewhere.example") == 400
    assert answer(f"gradio_api/file={__file__}") == 403
    assert answer("gradio_api/file=/etc/passwd") == 403


def sent_by_hand(address, payload):
    """What the server answers to a photo that no page of ours would send."""
    with urllib.request.urlopen(f"{address}config", timeout=30) as got:
        events = json.load(got)["dependencies"]
    (number,) = [event["id"] for event in events if any(kind == "change" for _, kind in event["targets"])]
    session = secrets.token_hex(8)
    body = {"data": [payload, None, 0.1, 10], "fn_index": number, "session_hash": session}
    asked = urllib.request.Request(
        f"{address}gradio_api/queue/join", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(asked, timeout=30):
        pass
    with urllib.request.urlopen(f"{address}gradio_api/queue/data?session_hash={session}", timeout=30) as lines:
        for line in lines:
            if b"process_completed" in line:
                return json.loads(line.decode().removeprefix("data: "))
    raise AssertionError("no answer")


@pytest.mark.parametrize("meta", [{}, {"meta": {"_type": "gradio.FileData"}}])
@pytest.mark.parametrize("name", ["private.png", "../private.png", "none.png", ""])
def test_nobody_has_the_server_read_its_own_pictures(address, tmp_path, meta, name):
    (tmp_path / "folder").mkdir()
    write_photo(tmp_path / "private.png", slope())
    path = tmp_path / "folder" / name if name.startswith("..") else tmp_path / name
    answer = sent_by_hand(address, {"path": str(path), **meta})
    told = (answer["output"].get("data") or [""])[0]
    assert not answer["success"] or "Not a photo that was sent to this page" in told
    assert str(tmp_path) not in json.dumps(answer)
    assert "metres" not in json.dumps(answer)
    assert "private" not in json.dumps(answer)


def test_the_server_asked_nobody_outside(address, left):
    assert left == []
