"""The page: what is on it, and what happens when somebody touches it."""

import math
from functools import partial
from pathlib import Path

from densedepth_keras.demo.answers import METRES_FILE, Answers
from densedepth_keras.demo.viewer import SHOW_ANSWER, depth_view, status

TITLE = "How far is it?"

_TOLD = (ValueError, OSError, ImportError, MemoryError)
"""What is told to the sender of a photo; anything else is a fault of this package and goes to the terminal."""

_BEFORE = """<div class="status" role="status">Three steps:<ol>
<li>Give it a photo: drop one, choose a file, paste, take one, or click an example.</li>
<li>Point at the picture that comes, or tap it: it tells the distance there in metres.</li>
<li>Compare, look at it in 3D, or download the metres.</li></ol></div>"""

_KINDS = "JPEG, PNG, WebP, BMP or TIFF"

_QUIET = {"show_progress": "hidden", "api_visibility": "private"}
"""Of events that nobody waits for, or that are done at once."""

_ONE_CLOUD = {"concurrency_limit": 1, "concurrency_id": "cloud"}
"""Clouds of large photos take much memory while they are made; and in order, a later photo's points come later."""

_WAITING = 32
"""Photos that may wait for the network; who comes then is told to come again."""


def build_page(answers: Answers, examples: list[Path]):
    """A `gradio.Blocks` that answers photos.

    Args:
        answers: what is behind the page.
        examples: pictures to try.
    """
    import gradio as gr

    config = answers.config
    # Gradio takes uploads away itself: looks every ten minutes, for those older than an hour
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(600, 3600)) as page:
        gr.Markdown(f"# {TITLE}\nDistances in metres from one photo, computed on this machine.", elem_id="title")
        answer = gr.State(None)
        with gr.Row():
            with gr.Column(scale=2, min_width=300):
                photo = _photo_input(gr, config)
                rooms = gr.Dataset(
                    components=[photo], samples=[[str(path)] for path in examples], type="index", label="Or try a room"
                )
            with gr.Column(scale=3, min_width=300):
                said = gr.HTML(_BEFORE, elem_id="said")
                with gr.Column(visible=False, elem_id="results") as results:
                    shown = _Shown(gr, answers)
        rooms.click(lambda number: str(examples[number]), [rooms], [photo], queue=False, **_QUIET)
        photo.change(
            partial(_answer, gr, answers),
            [photo, answer, shown.near, shown.far],
            [said, results, answer, shown.tabs, *shown.painted, *shown.files, *shown.cloud],
            preprocess=False,  # Gradio would open the file itself, and say "Error" of what it cannot read
            concurrency_limit=1,  # one network; Gradio queues the others and tells them their place
            trigger_mode="always_last",
            show_progress_on=[said],
            api_visibility="private",
        ).then(
            partial(_points_file, gr, answers),
            [answer],
            [shown.ply],
            js=SHOW_ANSWER,
            **_ONE_CLOUD,
            **_QUIET,
        )
        shown.connect(gr, answers, said, answer)
    return page.queue(max_size=_WAITING, default_concurrency_limit=4, api_open=False)


def _photo_input(gr, config):
    return gr.Image(
        label=f"Photo (at most {config.max_upload_mb} MB, {config.max_megapixels} megapixels)",
        sources=["upload", "webcam", "clipboard"],
        webcam_options=gr.WebcamOptions(mirror=False),
        placeholder="Drop a photo here\nor click to choose one",
        buttons=[],
        height=320,
        elem_id="photo",
    )


class _Shown:
    """The part of the page that is there once a photo is answered."""

    def __init__(self, gr, answers):
        near, far = answers.range
        with gr.Tabs(selected="depth") as self.tabs:
            with gr.Tab("Depth", id="depth"):
                self.view = gr.HTML(elem_id="depth")
            with gr.Tab("Compare", id="compare"):
                self.slider = gr.ImageSlider(
                    label="Drag the line: photo | depth", buttons=[], interactive=False, elem_id="compare"
                )
            with gr.Tab("3D", id="points") as self.points:
                self.model = gr.Model3D(label="Drag to turn; zoom in", height=420, interactive=False, elem_id="cloud")
                self.camera = gr.Markdown()
        top = math.ceil(max(far, 1.0) if math.isfinite(answers.predictor.max_depth) else 100)
        with gr.Row(elem_id="range"):
            self.near = gr.Slider(0, top, near, step=0.1, label="Colours from (m)", min_width=140, elem_id="near")
            self.far = gr.Slider(0, top, far, step=0.1, label="Colours to (m)", min_width=140, elem_id="far")
        with gr.Row():
            self.fit = gr.Button("Fit colours to photo", size="sm", min_width=140, elem_id="fit")
            self.reset = gr.Button("Whole range", size="sm", min_width=140, elem_id="reset")
        gr.Markdown("Download: 16-bit PNG in millimetres, NumPy in metres, PLY with the points in 3D")
        with gr.Row():
            self.png = gr.DownloadButton("PNG", size="md", min_width=90, elem_id="png")
            self.npy = gr.DownloadButton("NumPy", size="md", min_width=90, elem_id="npy")
            self.ply = gr.DownloadButton("PLY", size="md", min_width=90, elem_id="ply")

    @property
    def painted(self):
        """What follows the range of the colours."""
        return [self.view, self.slider]

    @property
    def files(self):
        """What is there as soon as the depth is."""
        return [self.png, self.npy]

    @property
    def cloud(self):
        """What is made later."""
        return [self.ply, self.model, self.camera]

    def connect(self, gr, answers, said, answer):
        """Has the range repaint the pictures."""
        ends, outputs = [self.near, self.far], [said, *self.painted, self.near, self.far]
        gr.on([end.release for end in ends], partial(_repaint, gr, answers), [answer, *ends], outputs, **_QUIET)
        self.fit.click(partial(_refit, gr, answers), [answer], outputs, **_QUIET)
        self.reset.click(partial(_reset, gr, answers), [answer], outputs, **_QUIET)
        # Only now, not with the photo: Gradio's 3D view (6.31) stays empty for good when it gets a file while hidden
        self.points.select(
            partial(_points_view, gr, answers),
            [answer],
            [self.model, self.camera],
            **_ONE_CLOUD,
            api_visibility="private",
        )


def _answer(gr, answers, sent, old, near, far):
    """What the page shows of a photo; the point clouds come after it. Inputs are as a browser sent them."""
    path = None if sent is None else sent["path"]
    nothing = gr.update(visible=False), None, *[gr.skip()] * 8
    if path is not None and answers.has(old, path):  # Gradio's page (6.31) sends one that replaces another twice
        return [gr.skip()] * (1 + len(nothing))
    answers.forget(old)
    if path is None:
        return _BEFORE, *nothing
    try:
        answer = answers.measure(path)
        ends = (near, far) if _is_range(near, far) else answers.range
        pictures = _pictures(answers, answer, *ends)
    except _TOLD as error:
        return status(f"{_told(error)}\nChoose another photo: {_KINDS}.", error=True), *nothing
    files = [str(path) for path in answer.depth_files]
    first, later = gr.update(selected="depth"), (gr.update(value=None, interactive=False), None, "")
    return status(_summary(answer)), gr.update(visible=True), answer, first, *pictures, *files, *later


def _is_range(near, far):
    return all(isinstance(end, int | float) and math.isfinite(end) for end in (near, far)) and near < far


def _points_file(gr, answers, answer):
    if answer is None:
        return gr.skip()
    try:
        path, _ = answers.cloud(answer, "ply")
    except _TOLD:  # it stays grey; the view in 3D says why
        return gr.skip()
    return gr.update(value=str(path), interactive=True)


def _points_view(gr, answers, answer):
    if answer is None:
        return None, ""
    try:
        path, camera = answers.cloud(answer, "glb")
    except _TOLD as error:
        return None, _told(error)
    return str(path), f"Field of view: {camera.source.replace(': ', ', ')}."


def _summary(answer):
    height, width = answer.size
    return (
        f"{width}x{height} pixels, {answer.nearest:.2f} to {answer.farthest:.2f} m away. "
        f"Computed in {answer.seconds:.2f} s."
    )


def _pictures(answers, answer, near, far):
    """Values of the two components that show colours."""
    photo, plain, scaled, metres = answers.paint(answer, near, far)
    view = depth_view(scaled, scaled.with_name(METRES_FILE), shown=metres.shape, size=answer.size)
    return view, (str(photo), str(plain))


def _repaint(gr, answers, answer, near, far):
    if answer is None:
        return [gr.skip()] * 5
    try:
        return status(_summary(answer)), *_pictures(answers, answer, near, far), near, far
    except _TOLD as error:
        return status(_told(error), error=True), *[gr.skip()] * 4


def _refit(gr, answers, answer):
    try:
        ends = answers.fitted(answer)
    except _TOLD as error:
        return status(_told(error), error=True), *[gr.skip()] * 4
    return _repaint(gr, answers, answer, *ends)


def _reset(gr, answers, answer):
    return _repaint(gr, answers, answer, *answers.range)


def _told(error):
    return str(error) or "There is not enough memory for this photo."
