"""The whole command: what is asked for, the network, one pass over the pictures."""

from collections import deque
from collections.abc import Callable
from contextlib import ExitStack, closing

from densedepth_keras.cameras import camera_for
from densedepth_keras.config.predict import DEFAULT_FORMATS, POINT_CLOUDS, PredictConfig
from densedepth_keras.interruption import Interruption
from densedepth_keras.names import printable
from densedepth_keras.outputs import Coloring, check_colormap, check_exr
from densedepth_keras.outputs.depth_files import FARTHEST_PNG
from densedepth_keras.outputs.point_clouds import check_cloud_format
from densedepth_keras.predicting.inputs import find_images
from densedepth_keras.predicting.outcome import Outcome, Predicted
from densedepth_keras.predicting.plan import DEFAULT_OUTPUT, plan
from densedepth_keras.predicting.reading import by_size, read_ahead, upright_size
from densedepth_keras.predicting.writing import WriteBehind, Writer

PAINTED = {"color", "side-by-side"}


def predict_files(
    config: PredictConfig, announce: Callable[[str], None] = lambda line: None, *, predictor=None
) -> Predicted:
    """Predicts every picture that the config names, and writes what it asks for.

    A picture that cannot be read, or whose files cannot be written, is announced and left out; the others go on.
    Ctrl-C, SIGTERM and a full disk end it all. Files are whole or not there in every case.

    With `at`, and neither `output` nor other formats than the usual ones, nothing is written: the question is about one
    pixel of each picture.

    Args:
        config: see `PredictConfig`.
        announce: gets every line worth reading.
        predictor: a `DepthPredictor` in place of the one that the config describes.

    Returns:
        A `Predicted`: files written, pictures that failed, seconds.

    Raises:
        ValueError: inputs, outputs or flags that make no sense; no picture is predicted then.
        FileNotFoundError: no such input, or no checkpoint.
        FileExistsError: an output is there already.
        OSError: nothing can be written, or nothing more.
        ImportError: the package for a format is missing.
        KeyboardInterrupt: Ctrl-C or SIGTERM.
    """
    jobs = _planned(config)
    with Interruption():
        predictor = _predictor(config, announce) if predictor is None else predictor
        writer = Writer(config, _coloring(config, predictor)) if jobs[0].outputs else None
        for line in _conditions(config, predictor, writer):
            announce(line)
        if None in predictor.network_size:
            jobs = by_size(jobs)
        outcome = Outcome(len(jobs), _output(config), announce)
        with outcome:
            _work(jobs, config, predictor, writer, outcome)
    announce(outcome.summary())
    return outcome.predicted()


def _output(config):
    return DEFAULT_OUTPUT if config.output is None else config.output


def _work(jobs, config, predictor, writer, outcome):
    waiting = deque()

    def images(pictures):
        for job, image in pictures:
            waiting.append((job, image))
            yield image

    with ExitStack() as stack:
        pictures = read_ahead(jobs, outcome.fail, most=2 * config.batch_size, pixel=config.at)
        depths = predictor.iterate(images(stack.enter_context(closing(pictures))))
        behind = writer and stack.enter_context(WriteBehind(writer, outcome))
        for depth in stack.enter_context(closing(depths)):
            job, image = waiting.popleft()
            if config.at is not None:
                column, row = config.at
                outcome.say(f"{job.path}: {depth[row, column]:.3f} m at {column} {row}")
            if behind is None:
                outcome.done([])
            else:
                behind.add(job, image, depth)


def _planned(config):
    """The jobs; raises whatever can be known to be wrong before Keras is loaded."""
    check_colormap(config.colormap)
    only_asked = config.at is not None and config.output is None and config.formats == DEFAULT_FORMATS
    formats = () if only_asked else config.formats
    if "exr" in formats:
        check_exr()
    for name in POINT_CLOUDS:
        if name in formats:
            check_cloud_format(name)
    jobs = plan(find_images(config.inputs), _output(config), formats, overwrite=config.overwrite)
    if config.intrinsics is not None:
        _check_intrinsics(config.intrinsics, jobs)
    return jobs


def _check_intrinsics(file, jobs):
    """Raises what is wrong with them for the first picture that can be read at all."""
    size = next((size for size in map(upright_size, jobs) if size), None)
    if size is not None:
        camera_for(None, size, intrinsics=file)


def _predictor(config, announce):
    from densedepth_keras.predictor import open_predictor

    settings = {name: getattr(config, name) for name in ("batch_size", "flip_average", "tile")}
    return open_predictor(config.checkpoint, config.output_dir, announce, **settings)


def _coloring(config, predictor):
    """None where nothing is painted."""
    if not PAINTED & set(config.formats):
        return None
    near, far = config.range or (predictor.min_depth, predictor.max_depth)
    if not far < float("inf"):
        raise ValueError(
            "This model says no range of depths: give the ends of the colours with --range NEAR FAR. "
            f"Received: range=None, {printable(predictor.name)}"
        )
    return Coloring(near, far, config.colormap)


def _conditions(config, predictor, writer):
    """What one must know to read the numbers."""
    from densedepth_keras.predictor import description

    yield description(predictor)
    if writer is None:
        return
    if writer.coloring is not None:
        yield f"Colours: {writer.coloring.near:g} to {writer.coloring.far:g} m, {config.colormap}"
    if "png16" in config.formats and predictor.max_depth > FARTHEST_PNG:
        yield (
            f"A 16-bit PNG ends at {FARTHEST_PNG} m, and says so of all that is farther; --formats npy, pfm and exr "
            "hold every depth"
        )
