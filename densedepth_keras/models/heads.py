"""The depth head: features in, metres out."""

import keras
from keras import ops

from densedepth_keras.depth import check_range


def start_reciprocal(min_depth: float, max_depth: float) -> float:
    """The reciprocal an untrained head answers with: a quarter of `max_depth`, where most scenes' depths lie.

    2.5 m for NYU's 10 m, 20 m for KITTI's 80 m.
    """
    return max_depth / max(min_depth, max_depth / 4)


@keras.saving.register_keras_serializable(package="densedepth_keras")
class ReciprocalToDepth(keras.layers.Layer):
    """`depth = max_depth / (elu(r - 1) + 1)`, computed in float32 whatever the model's policy.

    For r >= 1, that is for every depth up to `max_depth`, this is `max_depth / r`: the reference's linear reciprocal
    head. Below it stays positive and smooth: nothing divides by zero. It is evaluated as `exp(min(r - 1, 0)) +
    max(r - 1, 0)`, because `elu(x) + 1` rounds to 0 in float32 from x = -17 on.

    Args:
        min_depth: metres; carried along so that a saved model knows its range.
        max_depth: metres.
    """

    def __init__(self, min_depth: float, max_depth: float, **kwargs):
        kwargs["dtype"] = "float32"
        super().__init__(**kwargs)
        self.min_depth, self.max_depth = float(min_depth), float(max_depth)

    def call(self, inputs):
        x = inputs - 1.0
        # -30 is a depth of 1e14 m: only there to keep float32 finite, far outside anything that is trained on.
        below = ops.exp(ops.clip(x, -30.0, 0.0))
        return self.max_depth / (below + ops.relu(x))

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "min_depth": self.min_depth, "max_depth": self.max_depth}


def depth_head(x, min_depth: float, max_depth: float, name: str = "depth"):
    """3x3 convolution to one channel, then metres.

    The convolution's bias starts at `start_reciprocal` and its kernel at a tenth of Glorot's, so that an untrained
    network answers about a quarter of `max_depth` everywhere, instead of noise with depths beyond the range, from which
    the first steps would have to climb back.

    Args:
        x: `(B, H, W, C)` symbolic tensor.
        min_depth: metres.
        max_depth: metres.
        name: of the output layer.

    Returns:
        `(B, H, W, 1)`, metres, float32, always positive and finite.
    """
    check_range(min_depth, max_depth)
    bias = keras.initializers.Constant(start_reciprocal(min_depth, max_depth))
    kernel = keras.initializers.VarianceScaling(0.01, mode="fan_avg", distribution="uniform")
    convolution = keras.layers.Conv2D(
        1,
        3,
        padding="same",
        kernel_initializer=kernel,
        bias_initializer=bias,
        dtype="float32",
        name=f"{name}_reciprocal",
    )
    return ReciprocalToDepth(min_depth, max_depth, name=name)(convolution(x))
