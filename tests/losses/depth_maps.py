"""What the tests of losses share: a truth, a prediction, holes, and the slope of a loss."""

import numpy as np
import tensorflow as tf


def smooth_pair(rng, count=2, height=40, width=52):
    """Smooth-ish depth and a prediction that is off by some 20 %, `(count, height, width, 1)`, metres."""
    rows, columns = np.mgrid[0:height, 0:width]
    true = 3 + 2 * np.sin(rows / 9) * np.cos(columns / 7) + rng.uniform(0, 0.5, (count, height, width))
    pred = true * np.exp(rng.normal(0, 0.2, true.shape))
    return true[..., None].astype("float32"), pred[..., None].astype("float32")


def punch(y_true, rng, share=0.4):
    """`y_true` with scattered holes and a big one, and where they are."""
    holes = rng.random(y_true.shape) < share
    holes[:, 10:25, 20:40] = True
    return np.where(holes, 0, y_true).astype("float32"), holes


def value_and_slope(loss, y_true, y_pred):
    """The loss of a batch, and its gradient with respect to every predicted pixel, as NumPy."""
    y_pred = tf.convert_to_tensor(y_pred)
    with tf.GradientTape() as tape:
        tape.watch(y_pred)
        value = loss(y_true, y_pred)
    return float(value), tf.cast(tape.gradient(value, y_pred), "float32").numpy()
