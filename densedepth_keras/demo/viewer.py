"""The picture of depth that tells metres under the pointer: HTML, style sheet and script, without any library.

The browser holds the metres of every pixel that it shows, so that an answer comes at once and waits for nobody.
"""

import html
from pathlib import Path
from urllib.parse import quote

from PIL import Image

MOST_OF_WINDOW = 52
"""Hundredths of the window's height that the picture takes at most, so that what is below it is seen."""

HINT = "Point at the picture, or tap it, to read metres."

STYLE = """
.gradio-container { width: 100%; max-width: 1200px !important; margin: 0 auto !important; }
footer { display: none !important; }
#title h1 { margin: 0 0 2px; }
#title p { margin: 0; }
.depth-view { position: relative; line-height: 0; cursor: crosshair; touch-action: manipulation; }
.depth-view img { width: 100%; height: auto; max-height: none; user-select: none; border-radius: 4px; }
.depth-mark { position: absolute; width: 14px; height: 14px; margin: -8px 0 0 -8px; border: 2px solid #fff;
  border-radius: 50%; box-shadow: 0 0 0 2px #000, inset 0 0 0 1px #000; pointer-events: none; box-sizing: content-box; }
.depth-said { display: block; min-height: 2.6em; padding: 0 0 6px; line-height: 1.4; }
.depth-said b { font-size: 1.6em; margin-right: 0.4em; }
#said .html-container, #depth .html-container { padding: 0; }
#cloud { height: min(420px, 75vw) !important; }
.status { padding: 8px 12px; border-radius: 6px; overflow-wrap: anywhere;
  background: var(--background-fill-secondary); }
.status.error { background: #fde8e8; color: #8b1a1a; border: 1px solid #e5a3a3; }
.status ol { margin: 4px 0 0 1.2em; padding: 0; list-style: decimal; }
"""

SCRIPT = """<script>
(() => {
  const known = new Map();
  const metresOf = (view) => {
    const address = view.dataset.metres;
    if (!known.has(address)) {
      known.clear();
      known.set(address, fetch(address).then((answer) => {
        if (!answer.ok) throw new Error("gone");
        return answer.arrayBuffer();
      }).then((bytes) => new Float32Array(bytes)));
    }
    return known.get(address);
  };
  const pixelOf = (view, event) => {
    const picture = view.querySelector("img"), box = picture.getBoundingClientRect();
    const place = (at, from, length, count) => Math.floor((at - from) / length * count);
    const row = place(event.clientY, box.top, box.height, picture.naturalHeight);
    const column = place(event.clientX, box.left, box.width, picture.naturalWidth);
    const inside = row >= 0 && row < Number(view.dataset.rows) && column >= 0 && column < Number(view.dataset.columns);
    return inside ? { row, column } : null;
  };
  const inPhoto = (index, shown, whole) => Math.floor((index + 0.5) * whole / shown);
  const words = async (view, pixel) => {
    const data = view.dataset;
    const metres = (await metresOf(view))[pixel.row * Number(data.columns) + pixel.column];
    const y = inPhoto(pixel.row, Number(data.rows), Number(data.height));
    const x = inPhoto(pixel.column, Number(data.columns), Number(data.width));
    const far = metres > 0 ? metres.toFixed(2) + " m" : "not known";
    return `<b>${far}</b>at pixel ${x}, ${y}`;
  };
  const say = (view, text) => { view.parentElement.querySelector(".depth-said").innerHTML = text; };
  const tell = async (view, pixel) => {
    const turn = view.turn = (view.turn || 0) + 1;
    let text;
    try { text = await words(view, pixel); }
    catch { text = "The metres are no longer kept: choose the photo again."; known.clear(); }
    if (view.turn === turn) say(view, text);
  };
  const rest = (view) => {
    if (view.pinned) tell(view, view.pinned);
    else { view.turn = (view.turn || 0) + 1; say(view, view.dataset.hint); }
  };
  const viewAt = (event) => event.target.closest ? event.target.closest(".depth-view") : null;
  document.addEventListener("pointermove", (event) => {
    const view = viewAt(event);
    document.querySelectorAll(".depth-view").forEach((other) => {
      if (other !== view && other.hovered) { other.hovered = false; rest(other); }
    });
    if (!view || event.pointerType === "touch") return;
    view.hovered = true;
    const pixel = pixelOf(view, event);
    if (pixel) tell(view, pixel); else rest(view);
  });
  document.addEventListener("click", (event) => {
    const view = viewAt(event), pixel = view && pixelOf(view, event);
    if (!pixel) return;
    view.pinned = pixel;
    const mark = view.querySelector(".depth-mark"), box = view.getBoundingClientRect();
    mark.hidden = false;
    mark.style.left = (event.clientX - box.left) / box.width * 100 + "%";
    mark.style.top = (event.clientY - box.top) / box.height * 100 + "%";
    tell(view, pixel);
  });
})();
</script>"""


SHOW_ANSWER = """(...values) => {
  const said = document.getElementById("said"), found = document.querySelector(".status.error, .depth-view");
  const isBelow = found && said.getBoundingClientRect().top > innerHeight / 2;
  if (isBelow) setTimeout(() => said.scrollIntoView({ behavior: "smooth" }), 300);  // it has to have its height first
  return values;
}"""
"""On a phone the answer comes below the photo."""


def depth_view(picture: Path, metres: Path, *, shown: tuple[int, int], size: tuple[int, int]) -> str:
    """HTML of a picture that tells metres.

    Args:
        picture: file of the painted depth, its scale at its right.
        metres: file of the metres, `answers.METRES_FILE`.
        shown: `(rows, columns)` of both, without the scale.
        size: `(height, width)` of the photo, which is what pixels are counted in.
    """
    data = {
        "metres": address(metres),
        "rows": shown[0],
        "columns": shown[1],
        "height": size[0],
        "width": size[1],
        "hint": HINT,
    }
    attributes = " ".join(f'data-{name}="{html.escape(str(value))}"' for name, value in data.items())
    with Image.open(picture) as opened:
        widest = f"calc({MOST_OF_WINDOW}vh * {opened.width / opened.height:.4f})"
    return (
        f'<div><output class="depth-said" aria-live="polite">{HINT}</output>'
        f'<div class="depth-view" style="max-width: {widest}" {attributes}>'
        f'<img src="{html.escape(address(picture))}" '
        'alt="depth in colours, with a scale in metres" draggable="false">'
        '<span class="depth-mark" hidden></span></div></div>'
    )


def status(text: str, *, error: bool = False) -> str:
    """HTML of a line that says how things stand; `text` is not HTML."""
    kind, role = ("status error", "alert") if error else ("status", "status")
    lines = html.escape(text).replace("\n", "<br>")
    return f'<div class="{kind}" role="{role}">{lines}</div>'


def address(path: Path) -> str:
    """Where the server gives a file below its temporary folder, seen from the page."""
    return f"gradio_api/file={quote(path.as_posix())}"
