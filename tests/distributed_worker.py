"""Five steps of training on one device, on two, or in one of two processes; called by test_distribution.py.

    python tests/distributed_worker.py OUT KIND [KIND ...] [--model NAME] [--coordinator HOST:PORT --process-id I]

writes weights, gradients, logs and an evaluation per kind of distribution to `OUT/KIND-I.npz`. With `--go-on` it then
trains for ever, so that it can be killed.
"""

import argparse
import os
import signal
import threading
from pathlib import Path

import keras
import numpy as np

from densedepth_keras.data.pipeline import Pipeline
from densedepth_keras.data.rooms import Rooms
from densedepth_keras.distribution import make_deterministic, open_distribution
from densedepth_keras.losses import DepthLoss
from densedepth_keras.metrics.streaming import RMSE, AbsRel
from densedepth_keras.models import build_model, inference_model
from densedepth_keras.models.encoders import calibrate_batch_norm

SAMPLES, BATCH, STEPS = 11, 4, 5
"""Batches of 4, 4 and 3 images, then 4 and 4 again."""

SIZE = (32, 48)
RATE, MOMENTUM = 1e-3, 0.9


class Recorder(keras.callbacks.Callback):
    """Weights and gradients after every step, where a step is called an epoch."""

    def __init__(self):
        super().__init__()
        self.weights, self.velocities, self.logs = [], [], []

    def on_epoch_end(self, epoch, logs=None):
        self.weights.append(flat(self.model.trainable_variables))
        self.velocities.append(flat(v for v in self.model.optimizer.variables if "momentum" in v.path))
        self.logs.append([logs[name] for name in sorted(logs)])

    def gradients(self):
        """SGD keeps velocity = momentum * velocity - rate * gradient."""
        velocities = np.stack([np.zeros_like(self.velocities[0]), *self.velocities])
        return (MOMENTUM * velocities[:-1] - velocities[1:]) / RATE


def flat(variables):
    return np.concatenate([keras.ops.convert_to_numpy(variable).ravel() for variable in variables])


def unet():
    """A few thousand weights: built and compiled in seconds."""
    model = build_model(architecture="unet", base_filters=4, image_size=SIZE, batch_norm=True, deep_supervision=1)
    for layer in model.layers:
        layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
    return model


def mobilenet():
    """As in use, but for its random weights.

    Statistics of a single image would be of two pixels in its deepest layers, and some variances next to nothing: a
    difference of 1e-8, divided by those, becomes one of 1e-2, and nothing can be compared.
    """
    model = build_model(
        "mobilenet_v2", weights=None, decoder_filters=16, image_size=SIZE, freeze_batch_norm=True, full_resolution=True
    )
    rooms = Rooms(image_size=SIZE)
    calibrate_batch_norm(model, np.stack([rooms[index].image for index in range(32)]))
    return model


MODELS = {"unet": unet, "mobilenet": mobilenet}


def compiled(model):
    loss = DepthLoss()
    optimizer = keras.optimizers.SGD(RATE, momentum=MOMENTUM)
    model.compile(optimizer, loss, metrics=[RMSE(), AbsRel()], weighted_metrics=loss.term_metrics())
    return model


def trained(distribution, out, make_model, go_on):
    """Trains five steps; each is an epoch for Keras, so that every one is logged by itself."""
    keras.utils.set_random_seed(0)
    source = Rooms(image_size=SIZE, num_samples=SAMPLES, holes=True)
    line = Pipeline(
        source,
        image_size=SIZE,
        depth_size=SIZE,
        batch_size=BATCH,
        shuffle=True,
        multiple_of=distribution.num_devices,
        shard=distribution.shard,
    )
    images = np.stack([source[index].image for index in range(3)])
    recorder = Recorder()
    with distribution.together(), distribution.scope():
        model = compiled(make_model())
        model.fit(line.dataset(), epochs=STEPS, steps_per_epoch=1, callbacks=[recorder], shuffle=False, verbose=0)
        judged = model.evaluate(line.dataset(epochs=1), verbose=0, return_dict=True)
        depth = distribution.predict(inference_model(model), images)
        np.savez(
            out,
            weights=recorder.weights[-1],
            gradients=recorder.gradients(),
            logs=recorder.logs,
            evaluated=[judged["rmse"], judged["abs_rel"]],
            predicted=depth,
            num_devices=distribution.num_devices,
            description=distribution.description,
            sigterm=signal_arrives(),
        )
        if go_on:
            out.with_suffix(".going-on").touch()
            model.fit(line.dataset(), epochs=10**6, steps_per_epoch=3, shuffle=False, verbose=0)


def signal_arrives():
    """Whether Python still gets SIGTERM, which JAX's preemption service would take."""
    arrived = []
    previous = signal.signal(signal.SIGTERM, lambda *_: arrived.append(True))
    os.kill(os.getpid(), signal.SIGTERM)
    signal.signal(signal.SIGTERM, previous)
    return bool(arrived)


def reads_in_parallel():
    """Whether four samples are read at the same time when TensorFlow has been asked to be deterministic."""
    make_deterministic()
    together = threading.Barrier(4, timeout=30)

    class Waiting:
        def __len__(self):
            return 4

        def __getitem__(self, index):
            together.wait()  # an error unless four arrive
            return Rooms(image_size=SIZE)[index]

    line = Pipeline(Waiting(), image_size=SIZE, depth_size=SIZE, batch_size=1, num_threads=4)
    return len(list(line.dataset(epochs=1)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("kinds", nargs="+")
    parser.add_argument("--model", choices=tuple(MODELS), default="unet")
    parser.add_argument("--coordinator")
    parser.add_argument("--process-id", type=int)
    parser.add_argument("--go-on", action="store_true")
    options = parser.parse_args()
    if "mirrored" in options.kinds:
        import tensorflow as tf

        halves = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], halves)
    processes = {} if options.coordinator is None else {"num_processes": 2, "process_id": options.process_id}
    for kind in options.kinds:
        distribution = open_distribution(kind, batch_size=BATCH, coordinator=options.coordinator, **processes)
        out = options.out / f"{kind}-{distribution.shard[0]}.npz"
        trained(distribution, out, MODELS[options.model], options.go_on)
    if "mirrored" in options.kinds:
        np.savez(options.out / "deterministic.npz", read=reads_in_parallel())


if __name__ == "__main__":
    main()
