"""Deep supervision: companion heads on the last decoder stages, and the model that trains them."""

import weakref

import keras

from densedepth_keras.models.heads import depth_head
from densedepth_keras.models.resizing import UpsampleLike

MAIN = "depth"
"""Name of the main output; the companions are `depth_s2`, `depth_s3`, ..., counted from the output backwards."""


_INFERENCE_MODELS = weakref.WeakKeyDictionary()
"""One for each model, because a graph that was traced once should serve every call."""


@keras.saving.register_keras_serializable(package="densedepth_keras")
class CompanionDepth(UpsampleLike):
    """A companion head's metres at the main output's size; carries its weight in the total loss.

    Args:
        factor: times the stage is smaller than the main output.
        loss_weight: of this companion.
    """

    def __init__(self, factor: int, loss_weight: float, **kwargs):
        super().__init__(factor, **kwargs)
        self.loss_weight = float(loss_weight)

    def get_config(self):
        return {**super().get_config(), "loss_weight": self.loss_weight}


@keras.saving.register_keras_serializable(package="densedepth_keras")
class DeeplySupervised(keras.Model):
    """A model with a main output and companions, all compared with the same ground truth.

    Compiled and fitted like a model with one output: `compile(loss=DepthLoss(), metrics=[RMSE()])`, `fit(images,
    depth)`. The total loss is the main output's plus each companion's times its `loss_weight`; metrics see the
    main output alone and keep their names (`rmse`, `val_rmse`); every output's loss is logged as `depth_loss`,
    `depth_s2_loss` and so on. Losses and ground truth given as dictionaries are taken as they are.
    """

    def compile(self, optimizer="rmsprop", loss=None, loss_weights=None, metrics=None, weighted_metrics=None, **kwargs):
        if isinstance(loss, list | tuple):
            loss = dict(zip(self.output, loss, strict=True))
        elif loss is not None and not isinstance(loss, dict):
            loss = dict.fromkeys(self.output, loss)
        if loss_weights is None and loss is not None:
            loss_weights = {name: getattr(self.get_layer(name), "loss_weight", 1.0) for name in loss}
        metrics, weighted_metrics = (
            given if given is None or isinstance(given, dict) else {MAIN: given}
            for given in (metrics, weighted_metrics)
        )
        super().compile(
            optimizer, loss, loss_weights=loss_weights, metrics=metrics, weighted_metrics=weighted_metrics, **kwargs
        )

    def compile_from_config(self, config):
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        y, sample_weight = _for_every_output(y, y_pred), _for_every_output(sample_weight, y_pred)
        return super().compute_loss(x, y, y_pred, sample_weight, training)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        y, sample_weight = _for_every_output(y, y_pred), _for_every_output(sample_weight, y_pred)
        return super().compute_metrics(x, y, y_pred, sample_weight)

    def get_metrics_result(self):
        companions_too = tuple(f"{name}_" for name in self.output if name != MAIN)
        results = super().get_metrics_result()
        return {
            name if name == f"{MAIN}_loss" or name.startswith(companions_too) else name.removeprefix(f"{MAIN}_"): value
            for name, value in results.items()
        }


def _for_every_output(y, y_pred):
    return y if y is None or isinstance(y, dict) else dict.fromkeys(y_pred, y)


def companions(stages, depth, options):
    """Companion heads on the stages before the last, finest first, each resized to the main output's size.

    Args:
        stages: the decoder's outputs, coarse to fine, symbolic.
        depth: the main output, symbolic `(B, h, w, 1)`, metres.
        options: `ModelOptions`: how many, their weights, the depth range and `full_resolution`.

    Returns:
        Name -> `(B, h, w, 1)`, metres.

    Reference:
        Krishna & Beura, "deep supervision"; Lee et al., Deeply-Supervised Nets (AISTATS 2015).
    """
    outputs = {}
    for place in range(2, options.deep_supervision + 2):
        name = f"{MAIN}_s{place}"
        loss_weight = options.companion_weight * options.companion_decay ** (place - 2)
        metres = depth_head(stages[-place], options.min_depth, options.max_depth, name=f"{name}_own_size")
        factor = 2 ** (place - 1 + options.full_resolution)
        outputs[name] = CompanionDepth(factor, loss_weight, dtype="float32", name=name)([metres, depth])
    return outputs


def inference_model(model: keras.Model) -> keras.Model:
    """The model with its main output alone: what predicts, is judged and gets exported.

    Args:
        model: what `build_model` returns, with or without companion heads.

    Returns:
        RGB 0..255 in, metres out. It shares its weights with `model`, and is `model` itself where that has one output.

    Raises:
        ValueError: several outputs, and none of them called "depth".
    """
    output = getattr(model, "output", None)  # a Sequential read from a file has no such attribute
    if not isinstance(output, dict | list | tuple):
        return model
    if not isinstance(output, dict) or MAIN not in output:
        raise ValueError(
            "Not a depth model of this package: several outputs, and none called 'depth'. "
            f"Received: outputs {model.output_shape}"
        )
    if model not in _INFERENCE_MODELS:
        _INFERENCE_MODELS[model] = keras.Model(model.input, output[MAIN], name=model.name)
    return _INFERENCE_MODELS[model]
