"""The one tf.data pipeline over every source: shuffle, read, resize, cache, augment, batch, prefetch."""

import math
import os
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from densedepth_keras.data.resize import resize_depth, resize_image
from densedepth_keras.data.sample import Sample, Source

CACHE_BYTES = 2**30
"""Resized samples are kept in memory where the whole source fits into so much."""


class Pipeline:
    """Batches of a source, repeatable to the bit.

    The order depends on `(seed, epoch)` alone and the augmentation on `(seed, epoch, index)`, so any epoch can be
    made again, by any number of threads. `batch` says in NumPy what a batch is; `dataset` is the same in parallel.

    Args:
        source: anything with `len(source)` and `source[i] -> Sample`.
        image_size: `(height, width)` of the images, pixels.
        depth_size: `(height, width)` of the depth maps, that of the network's output.
        batch_size: samples per batch; the last batch of an epoch may be smaller and is kept.
        shuffle: a new order every epoch, else the source's.
        augment: `(sample, rng) -> sample` on the resized sample, which keeps its sizes; `None` for none.
        seed: of order and augmentation.
        cache_bytes: a source that fits into so much after resizing is read once; 0 reads every epoch anew.

    Raises:
        ValueError: an empty source or a batch size below 1.
    """

    def __init__(
        self,
        source: Source,
        *,
        image_size: tuple[int, int],
        depth_size: tuple[int, int],
        batch_size: int,
        shuffle: bool = False,
        augment: Callable[[Sample, np.random.Generator], Sample] | None = None,
        seed: int = 0,
        cache_bytes: int = CACHE_BYTES,
    ):
        if len(source) == 0:
            raise ValueError(f"The source has no samples. Received: source={source!r}")
        if batch_size < 1:
            raise ValueError(f"`batch_size` must be at least 1. Received: batch_size={batch_size}")
        self.source, self.batch_size, self.seed = source, batch_size, seed
        self.image_size, self.depth_size = tuple(image_size), tuple(depth_size)
        self.shuffle, self.augment = shuffle, augment
        sample_bytes = 3 * math.prod(self.image_size) + 4 * math.prod(self.depth_size)
        self._cache: dict[int, Sample] | None = {} if len(source) * sample_bytes <= cache_bytes else None
        self.error: BaseException | None = None
        """What went wrong while reading, as it was raised: tf.data would only pass on its text."""

    @property
    def steps_per_epoch(self) -> int:
        return -(-len(self.source) // self.batch_size)

    def order(self, epoch: int) -> np.ndarray:
        """The indices of one epoch, int64."""
        indices = np.arange(len(self.source), dtype=np.int64)
        return np.random.default_rng([self.seed, epoch]).permutation(indices) if self.shuffle else indices

    def batch(self, epoch: int, indices) -> tuple[np.ndarray, np.ndarray]:
        """Images uint8 `(B, H, W, 3)` and depths float32 `(B, h, w, 1)`, metres, of the given indices."""
        images = np.empty((len(indices), *self.image_size, 3), np.uint8)
        depths = np.empty((len(indices), *self.depth_size, 1), np.float32)
        for row, index in enumerate(indices):
            sample = self.read(int(index))
            if self.augment is not None:
                sample = self.augment(sample, np.random.default_rng([self.seed, int(epoch), int(index)]))
            images[row], depths[row, ..., 0] = sample
        return images, depths

    def dataset(self, first_epoch: int = 0, epochs: int | None = None) -> tf.data.Dataset:
        """The batches of epoch after epoch, read by as many threads as there are cores, in a fixed order.

        Args:
            first_epoch: where to start, for a run that goes on.
            epochs: how many; `None` goes on for ever (give `fit` its `steps_per_epoch`), so that reading runs ahead
                across the end of an epoch.

        Returns:
            A `tf.data.Dataset` of `(images, depths)`.
        """
        last = tf.int64.max if epochs is None else first_epoch + epochs
        batches = tf.data.Dataset.range(first_epoch, last).flat_map(self._index_batches)
        # Whole batches are the unit of work: one call into Python each, while PIL and NumPy release the GIL inside.
        batches = batches.map(self._read, num_parallel_calls=os.cpu_count() or 1, deterministic=True)
        count = tf.data.INFINITE_CARDINALITY if epochs is None else epochs * self.steps_per_epoch
        return batches.apply(tf.data.experimental.assert_cardinality(count)).prefetch(2)

    def read(self, index: int) -> Sample:
        """One sample at the pipeline's sizes, before augmentation; remembered where the source is small."""
        if self._cache is not None and index in self._cache:
            return self._cache[index]
        image, depth = self.source[index]
        sample = Sample(resize_image(image, self.image_size), resize_depth(depth, self.depth_size))
        if self._cache is not None:
            self._cache[index] = sample
        return sample

    def _index_batches(self, epoch):
        indices = tf.numpy_function(self.order, [epoch], tf.int64, stateful=False)
        indices.set_shape((None,))
        batches = tf.data.Dataset.from_tensor_slices(indices).batch(self.batch_size)
        return batches.map(lambda indices: (epoch, indices))

    def _read(self, epoch, indices):
        images, depths = tf.numpy_function(self._recorded_batch, [epoch, indices], (tf.uint8, tf.float32))
        images.set_shape((None, *self.image_size, 3))
        depths.set_shape((None, *self.depth_size, 1))
        return images, depths

    def _recorded_batch(self, epoch, indices):
        try:
            return self.batch(epoch, indices)
        except Exception as error:
            self.error = error
            raise
