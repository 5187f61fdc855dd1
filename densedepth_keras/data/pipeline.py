"""The one tf.data pipeline over every source: shuffle, read, resize, cache, augment, batch, prefetch."""

import functools
import os
import weakref

import numpy as np
import tensorflow as tf

from densedepth_keras.data.augment import Augmentation
from densedepth_keras.data.buffers import Buffers, keep_freed_memory
from densedepth_keras.data.cache import CachedInMemory, CachedOnDisk
from densedepth_keras.data.resize import Resized
from densedepth_keras.data.sample import Sample, Source

CACHE_BYTES = 2**30
"""Samples are kept in memory where the whole source fits into so much."""


class Pipeline:
    """Batches of a source, repeatable to the bit.

    The order depends on `(seed, epoch)` alone and the augmentation on `(seed, epoch, index)`, so any step of any epoch
    can be made again, by any number of threads, on any number of hosts. `batch` says in NumPy what a batch is;
    `dataset` is the same in parallel.

    Several hosts divide every batch among them: host i of n takes its n-th part of the rows, so that their batches
    side by side are the batch of a single host. All make the same number of steps. The last batch of an epoch may be
    smaller and is divided as evenly as can be: parts differ by one row at most, and are empty, `(0, H, W, 3)`, where
    it has fewer rows than there are hosts.

    Devices want batches that they can divide: with `multiple_of` n above 1 a last batch is filled up to a multiple of n
    and every batch of `dataset` comes with weights, `(images, depths, sample_weight)`. A filled-up row repeats the last
    image, has no depth at all and weight 0; the others weigh rows / real rows, so that loss and gradient, which Keras
    divides by rows, are those of the real rows. In a full batch all weigh 1. Metrics that are means over images belong
    into `weighted_metrics`; those over valid pixels see no pixel there. Live batch statistics would count the rows.

    Args:
        source: anything with `len(source)` and `source[i] -> Sample`.
        image_size: `(height, width)` of the images, pixels.
        depth_size: `(height, width)` of the depth maps, that of the network's output.
        batch_size: samples per batch, of all hosts together; the last batch of an epoch may be smaller and is kept.
        shuffle: a new order every epoch, else the source's.
        augment: changes samples at the source's size and at the pipeline's, which it keeps; `None` for none.
        seed: of order and augmentation.
        cache: `"auto"` keeps samples in memory where the whole source fits into `cache_bytes`, `"memory"` in any case,
            `"none"` reads every epoch anew. A path is a folder that keeps decoded samples on disk, for later runs,
            too, beside what `"auto"` keeps in memory. What is kept in memory is resized, but at the source's size
            where the augmentation needs that.
        cache_bytes: of images and depths in memory.
        num_threads: how many batches are made at the same time; `None` for as many as there are cores. So many and
            two more wait in memory.
        shard: `(index, count)` of this host among all hosts.
        multiple_of: devices, of all hosts together, that divide a batch among them; a multiple of the hosts, or 1.

    Raises:
        ValueError: an empty source, a batch size below 1 or that hosts or devices cannot divide, a shard that is none,
            devices that hosts cannot divide, fewer than one thread, a cache folder that cannot be made.
    """

    def __init__(
        self,
        source: Source,
        *,
        image_size: tuple[int, int],
        depth_size: tuple[int, int],
        batch_size: int,
        shuffle: bool = False,
        augment: Augmentation | None = None,
        seed: int = 0,
        cache: str | os.PathLike = "auto",
        cache_bytes: int = CACHE_BYTES,
        num_threads: int | None = None,
        shard: tuple[int, int] = (0, 1),
        multiple_of: int = 1,
    ):
        _check_counts(source, batch_size, num_threads)
        _check_division(batch_size, shard, multiple_of)
        self.source, self.batch_size, self.seed = source, batch_size, seed
        self.shard, self.multiple_of = tuple(shard), multiple_of
        self.image_size, self.depth_size = tuple(image_size), tuple(depth_size)
        self.shuffle, self.augment, self.num_threads = shuffle, augment, num_threads or os.cpu_count() or 1
        self._reads_whole = augment is not None and augment.needs_source
        self._samples, self._resized = self._sources(cache, cache_bytes)
        keep_freed_memory()
        self._buffers = Buffers(self.num_threads + 3)  # being made, waiting in `dataset`, in use
        order = weakref.WeakMethod(self.order)  # no cycle: a pipeline goes when it is let go
        self._recent_order = functools.lru_cache(maxsize=2)(lambda epoch: order()(epoch))  # 2: threads run ahead
        self.error: BaseException | None = None
        """What went wrong while reading, as it was raised: tf.data would only pass on its text."""

    @property
    def steps_per_epoch(self) -> int:
        return -(-len(self.source) // self.batch_size)

    def order(self, epoch: int) -> np.ndarray:
        """The indices of one epoch, of all hosts, int64."""
        indices = np.arange(len(self.source), dtype=np.int64)
        return np.random.default_rng([self.seed, epoch]).permutation(indices) if self.shuffle else indices

    def indices(self, epoch: int, step: int) -> np.ndarray:
        """The indices of one step of an epoch, of this host, int64; a filled-up row repeats the batch's last."""
        rows = self._recent_order(int(epoch))[step * self.batch_size : (step + 1) * self.batch_size]
        missing = -len(rows) % self.multiple_of
        return self._own_part(np.concatenate([rows, np.repeat(rows[-1:], missing)]) if missing else rows)

    def sample_weight(self, step: int) -> np.ndarray:
        """What the rows of a step weigh, of this host, float32 `(B,)`; 0 where they fill up the batch."""
        real = min(self.batch_size, len(self.source) - step * self.batch_size)
        missing = -real % self.multiple_of
        return self._own_part(np.repeat(np.float32([(real + missing) / real, 0]), (real, missing)))

    def batch(self, epoch: int, indices) -> tuple[np.ndarray, np.ndarray]:
        """Images uint8 `(B, H, W, 3)` and depths float32 `(B, h, w, 1)`, metres, of the given indices."""
        empty = self._buffers.empty if len(indices) <= self.batch_size else np.empty
        images = empty((len(indices), *self.image_size, 3), np.uint8)
        depths = empty((len(indices), *self.depth_size, 1), np.float32)
        for row, index in enumerate(indices):
            images[row], depths[row, ..., 0] = self._augmented(int(epoch), int(index))
        return images, depths

    def dataset(
        self, first_epoch: int = 0, epochs: int | None = None, *, first_step: int = 0, device: str | None = None
    ) -> tf.data.Dataset:
        """The batches of epoch after epoch, made by `num_threads` threads, in a fixed order.

        Args:
            first_epoch: where to start, for a run that goes on.
            epochs: how many, the first included; `None` goes on for ever (give `fit` its `steps_per_epoch`), so that
                reading runs ahead across the end of an epoch.
            first_step: where to start in the first epoch: its earlier steps are not read.
            device: where the batches wait, e.g. `"/GPU:0"`, so that a step need not wait for its copy; `None` leaves
                them in the host's memory. TensorFlow forgets how many there are: give `fit` `steps_per_epoch` and
                `validation_steps`.

        Returns:
            A `tf.data.Dataset` of `(images, depths)`; with `multiple_of` above 1 of `(images, depths, sample_weight)`.

        Raises:
            ValueError: no such step.
        """
        per_epoch = self.steps_per_epoch
        if not 0 <= first_step < per_epoch:
            raise ValueError(f"`first_step` must be 0 to {per_epoch - 1}. Received: first_step={first_step}")
        start = first_epoch * per_epoch + first_step
        stop = tf.int64.max if epochs is None else (first_epoch + epochs) * per_epoch
        # Whole batches are the unit of work: one call into Python each, while PIL and NumPy release the GIL inside.
        batches = tf.data.Dataset.range(start, stop).map(
            self._read_step, num_parallel_calls=self.num_threads, deterministic=True
        )
        count = tf.data.INFINITE_CARDINALITY if epochs is None else stop - start
        options = tf.data.Options()
        options.threading.private_threadpool_size = self.num_threads  # else no more of them than cores would run
        batches = batches.with_options(options).apply(tf.data.experimental.assert_cardinality(count))
        if device is not None:
            return batches.prefetch(1).apply(tf.data.experimental.prefetch_to_device(device, 1))
        return batches.prefetch(2)

    def read(self, index: int) -> Sample:
        """One sample at the pipeline's sizes, before augmentation; remembered where `cache` says so."""
        return self._resized[index]

    def _sources(self, cache, cache_bytes):
        """The source at its own size and at the pipeline's, one of them kept in memory."""
        samples = self.source if cache in ("auto", "memory", "none") else CachedOnDisk(self.source, cache)
        most_bytes = {"memory": None, "none": 0}.get(cache, cache_bytes)
        if self._reads_whole:
            samples = CachedInMemory(samples, most_bytes)
            return samples, Resized(samples, self.image_size, self.depth_size)
        return samples, CachedInMemory(Resized(samples, self.image_size, self.depth_size), most_bytes)

    def _augmented(self, epoch, index):
        if self.augment is None:
            return self.read(index)
        if self._reads_whole:
            rng = np.random.default_rng([self.seed, epoch, index, 1])
            sample = self._resized.resize(self.augment.before_resize(self._samples[index], rng))
        else:
            sample = self.read(index)
        return self.augment.after_resize(sample, np.random.default_rng([self.seed, epoch, index]))

    def _read_step(self, step):
        # TensorFlow keeps what it calls for as long as the process lives; the samples in memory are not to be part of
        # it. The dataset holds `_read_step`, and so the pipeline.
        recorded_batch = weakref.WeakMethod(self._recorded_batch)
        dtypes = (tf.uint8, tf.float32, tf.float32)[: 2 + self._is_weighted]
        # Not stateful: TensorFlow's deterministic mode would let one thread make one batch after the other.
        batch = tf.numpy_function(lambda step: recorded_batch()(step), [step], dtypes, stateful=False)
        for part, shape in zip(batch, ((*self.image_size, 3), (*self.depth_size, 1), ()), strict=False):
            part.set_shape((None, *shape))
        return tuple(batch)

    def _recorded_batch(self, step):
        try:
            epoch, step = divmod(int(step), self.steps_per_epoch)
            batch = self.batch(epoch, self.indices(epoch, step))
            return self._weighted(*batch, step) if self._is_weighted else batch
        except Exception as error:
            self.error = error
            raise

    @property
    def _is_weighted(self):
        return self.multiple_of > 1

    def _weighted(self, images, depths, step):
        weights = self.sample_weight(step)
        depths[weights == 0] = 0  # a row of holes: metrics over valid pixels pass it by
        return images, depths, weights

    def _own_part(self, rows):
        index, count = self.shard
        return rows[len(rows) * index // count : len(rows) * (index + 1) // count]


def _check_counts(source, batch_size, num_threads):
    if len(source) == 0:
        raise ValueError(f"The source has no samples. Received: source={source!r}")
    if batch_size < 1:
        raise ValueError(f"`batch_size` must be at least 1. Received: batch_size={batch_size}")
    if num_threads is not None and num_threads < 1:
        raise ValueError(f"`num_threads` must be at least 1, or None. Received: num_threads={num_threads}")


def _check_division(batch_size, shard, multiple_of):
    """Hosts divide a batch, and devices what their host has of it."""
    index, count = shard
    if not 0 <= index < count:
        raise ValueError(f"`shard` must be (index, count) with 0 <= index < count. Received: shard={tuple(shard)}")
    if multiple_of != 1 and (multiple_of < 1 or multiple_of % count):
        raise ValueError(
            f"`multiple_of` counts the devices of all hosts together: expected 1 or a multiple of {count}. "
            f"Received: multiple_of={multiple_of}, shard={tuple(shard)}"
        )
    divisor = multiple_of if multiple_of > 1 else count
    if batch_size % divisor:
        raise ValueError(
            f"`batch_size` is that of all hosts and devices together: expected a multiple of {divisor}. "
            f"Received: batch_size={batch_size}, shard={tuple(shard)}, multiple_of={multiple_of}"
        )
