"""A loaded model that answers: one picture or a stream of them, from any thread."""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from functools import partial
from itertools import groupby

import keras
import numpy as np

from densedepth_keras.data.resize import enlarge_prediction, resize_image
from densedepth_keras.models import inference_model
from densedepth_keras.names import printable
from densedepth_keras.prediction import as_image, depth_range, load_model, network_size, predict_batch
from densedepth_keras.run_folder import newest_run
from densedepth_keras.tiling import predict_tiled

BATCH_PIXELS = 2**24
"""A batch of a stream ends early where its images have so many pixels: five of a phone's."""


class DepthPredictor:
    """Holds a model ready to predict. Several threads may ask one predictor; each gets what it would get alone.

    Args:
        model: a `keras.Model` of depth, or the path of a run folder or `.keras` file.
        batch_size: images of one size that go through the network together, on a GPU; see `predict_batch`.
        flip_average: averages with the prediction for the mirrored image; takes twice the time.
        tile: predicts images larger than the network's own size in overlapping tiles; see `tiling.predict_tiled`.

    Attributes:
        model: the `keras.Model` with depth as its one output.
        name: the path it came from, or the model's own name.
        min_depth: metres.
        max_depth: metres; infinite of a model that does not say its range.
        network_size: `(height, width)` that every image is brought to; `(None, None)` where it sees them as they are.

    Raises:
        ValueError: no model of depth; a `batch_size` below 1; `tile` with a network that sees images as they are.
        FileNotFoundError: no such checkpoint.

    Example:
        >>> predictor = DepthPredictor("runs/my_run")
        >>> predictor.predict("photo.jpg").shape
        (480, 640)
    """

    def __init__(
        self, model: keras.Model | str | os.PathLike, *, batch_size: int = 8, flip_average: bool = False, tile=False
    ):
        if batch_size < 1:
            raise ValueError(f"`batch_size` must be at least 1. Received: batch_size={batch_size}")
        is_path = isinstance(model, str | os.PathLike)
        self.model = load_model(model) if is_path else inference_model(model)
        self.name = str(model) if is_path else self.model.name
        self.min_depth, self.max_depth = depth_range(self.model)
        self.network_size: tuple[int | None, int | None] = tuple(self.model.input_shape[1:3])
        if tile and None in self.network_size:
            raise ValueError(
                "`tile` is for networks of one image size; this one sees every image as it is, whole. "
                f"Received: tile=True, {self.name}"
            )
        self.batch_size, self.flip_average, self.tile = batch_size, flip_average, tile

    def predict(self, image) -> np.ndarray:
        """Depth of one image, float32 `(H, W)`, metres.

        Args:
            image: path, PIL image or RGB array `(H, W, 3)` of 0..255; see `predict_depth`.
        """
        image = as_image(image)
        if self._is_tiled(image):
            return self._tiled(image)
        return self._finish(image, self._answers([self._prepare(image)])[0])

    def iterate(self, images: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Depth of each image of a stream, in order; two batches of them are in memory at a time, at most three.

        While the network works on a batch, the next one is drawn from `images` and resized, and what came before is
        brought to its images' sizes, in threads. A live picture should not wait for a batch to fill: `batch_size=1`.
        Who leaves early waits for one batch at most.

        Args:
            images: uint8 `(H, W, 3)` arrays of any sizes.
        """
        left, under_way = threading.Event(), deque()  # of lists of images, and their future answers
        with ThreadPoolExecutor(2) as crew, ThreadPoolExecutor(1) as network:
            try:
                for batch in self._batches(images, crew, left):
                    inputs = [prepared for _, prepared in batch]
                    under_way.append(([image for image, _ in batch], network.submit(self._answer_all, inputs, left)))
                    if len(under_way) == 2:
                        yield from self._finished(*under_way.popleft(), crew)
                while under_way:
                    yield from self._finished(*under_way.popleft(), crew)
            finally:
                left.set()

    def _batches(self, images, crew, left):
        """Lists of up to `batch_size` of `(image, its future input)`, of one size each; a tiled image stands alone."""
        for (_, is_tiled), same in groupby(images, key=self._kind):
            batch = []
            for image in same:
                prepare = partial(self._tiled, left=left) if is_tiled else self._prepare
                batch.append((image, crew.submit(prepare, image)))
                large = sum(waiting[..., 0].size for waiting, _ in batch) >= BATCH_PIXELS
                if is_tiled or large or len(batch) == self.batch_size:
                    yield batch
                    batch = []
            if batch:
                yield batch

    def _kind(self, image):
        return network_size(self.model, image), self._is_tiled(image)

    def _answer_all(self, prepared: list[Future], left):
        inputs = [future.result() for future in prepared]
        return inputs if inputs[0].ndim == 2 else self._answers(inputs, left)  # two axes: depth already, made of tiles

    def _finished(self, images, answers, crew):
        futures = [
            crew.submit(self._finish, image, depth) for image, depth in zip(images, answers.result(), strict=True)
        ]
        for future in futures:
            yield future.result()

    def _prepare(self, image):
        return resize_image(image, network_size(self.model, image))

    def _answers(self, inputs, left=None):
        """Metres at the network's size, of images of one size; a CancelledError where nobody waits for them."""
        if left is not None and left.is_set():
            raise CancelledError
        return predict_batch(self.model, np.stack(inputs), self.batch_size, flip_average=self.flip_average)

    def _finish(self, image, depth):
        return np.clip(enlarge_prediction(depth, image.shape[:2]), self.min_depth, self.max_depth)

    def _is_tiled(self, image):
        return self.tile and any(side > own for side, own in zip(image.shape[:2], self.network_size, strict=True))

    def _tiled(self, image, left=None):
        depth = predict_tiled(image, self.network_size, partial(self._answers, left=left), self.batch_size)
        return np.clip(depth, self.min_depth, self.max_depth)


def open_predictor(
    checkpoint: str | os.PathLike | None, output_dir: str | os.PathLike, announce: Callable[[str], None], **settings
) -> DepthPredictor:
    """The `DepthPredictor` of a checkpoint, with these settings; of None that of the newest run, which is then said."""
    if checkpoint is None:
        checkpoint = newest_run(output_dir)
        announce(f"Newest run: {printable(str(checkpoint))}")
    return DepthPredictor(checkpoint, **settings)


def description(predictor: DepthPredictor) -> str:
    """What one must know of a predictor to read its numbers, in a line."""
    near, far = predictor.min_depth, predictor.max_depth
    height, width = predictor.network_size
    sees = "pictures of any size as they are" if None in (height, width) else f"pictures at {width}x{height}"
    return f"{printable(predictor.name)}: answers {near:g} to {far:g} m, sees {sees}"
