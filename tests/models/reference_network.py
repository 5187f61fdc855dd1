"""The reference's network a second time: in Keras 2 (`tf_keras`), from its published description, sharing no code with
the package. What `load_reference_weights` imports is judged by it.
"""

import warnings

import numpy as np
import tensorflow as tf
import tf_keras

SKIPS = ("pool3_pool", "pool2_pool", "pool1", "conv1/relu")


class BilinearUpSampling2D(tf_keras.layers.Layer):
    """Twice as large, bilinear; the class name is the one that stands in the published files."""

    align_corners = True

    def call(self, inputs):
        size = 2 * tf.shape(inputs)[1:3]
        return tf.compat.v1.image.resize_bilinear(
            inputs, size, align_corners=self.align_corners, half_pixel_centers=not self.align_corners
        )


def build_original(filters=1664):
    """DenseNet169 and four stages of a decoder that starts with so many filters: RGB 0..1 in, reciprocal depth out."""
    tf_keras.utils.set_random_seed(0)
    layers = tf_keras.layers
    encoder = tf_keras.applications.DenseNet169(include_top=False, weights=None, input_shape=(None, None, 3))
    x = layers.Conv2D(filters, 1, padding="same", name="conv2")(encoder.output)
    for number, skip in enumerate(SKIPS, start=1):
        width, name = filters // 2**number, f"up{number}"
        x = BilinearUpSampling2D(name=f"{name}_upsampling2d")(x)
        x = layers.Concatenate(name=f"{name}_concat")([x, encoder.get_layer(skip).output])
        x = layers.Conv2D(width, 3, padding="same", name=f"{name}_convA")(x)
        x = layers.Conv2D(width, 3, padding="same", name=f"{name}_convB")(x)
        x = layers.LeakyReLU(alpha=0.2, name=f"{name}_leaky")(x)
    return tf_keras.Model(encoder.input, layers.Conv2D(1, 3, padding="same", name="conv3")(x))


def picture(height, width, seed=0):
    """RGB, uint8 `(1, height, width, 3)`: coloured blocks and noise, structure for every level of the encoder."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 256, (-(-height // 32), -(-width // 32), 3))
    image = np.kron(blocks, np.ones((32, 32, 1)))[:height, :width]
    return np.clip(image + rng.normal(0, 10, image.shape), 0, 255).astype(np.uint8)[None]


def enliven(model, image, low=1.5, high=12.0, seed=0):
    """Makes an untrained network answer `low` to `high` over an image, with no weight left at its usual start.

    Scales, shifts and biases are drawn; batch statistics become those of a part of the image (of the same texture: on
    another one, hundred layers in a row would blow up what does not fit); the last layer is stretched. At 10 m the
    answers mean 0.8 to 7 m. Nearer to `r = 0` than that, metres would tell more of float32 than of the network:
    `max_depth / r` magnifies what is left of every rounding by `max_depth / r**2`.
    """
    rng, rgb = np.random.default_rng(seed), as_input(image)
    for layer in model.layers:
        if isinstance(layer, tf_keras.layers.BatchNormalization):
            layer.gamma.assign(rng.uniform(0.5, 1.5, layer.gamma.shape))
            layer.beta.assign(rng.normal(0, 0.3, layer.beta.shape))
            layer.momentum = 0.0  # one pass in training mode leaves that pass' own mean and variance
        elif getattr(layer, "bias", None) is not None:
            layer.bias.assign(rng.normal(0, 0.1, layer.bias.shape))
    model(rgb[:, :256, :320], training=True)
    answer, head = model(rgb).numpy(), model.get_layer("conv3")
    stretch = (high - low) / np.ptp(answer)
    head.kernel.assign(stretch * head.kernel)
    head.bias.assign(low + stretch * (head.bias - answer.min()))


def as_input(image):
    """RGB 0..255 as the reference feeds it."""
    return (image / 255).astype("float32")


def metres(model, image, max_depth):
    """The network's answer r, and the depth the reference makes of it: `max_depth / r`, clipped to its range."""
    r = model(as_input(image)).numpy()
    return r, np.clip(max_depth / r, max_depth / 100, max_depth)


def save_original(model, path):
    """`model.save("x.h5")` without Keras 2's advice to use a newer format."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="You are saving your model as an HDF5 file")
        model.save(path)
