"""A model compiled for a phase of a run."""

import keras
import numpy as np
import pytest

from densedepth_keras.config import TrainConfig
from densedepth_keras.model_setup import blank_model, compile_model
from densedepth_keras.optimization import averaged_weights


@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
def test_averages_begin_as_the_weights(precision):
    """Loss scaling leaves out updates that overflow, maybe all of the first epoch's: zeros would be judged and kept."""
    config = TrainConfig(
        architecture="unet", base_filters=2, image_size=(32, 32), weight_ema=0.9, precision=precision
    ).resolved()
    model = blank_model(config, None)
    compile_model(model, config, first_step=0, total_steps=4)
    averages = averaged_weights(model.optimizer)
    assert len(averages) == len(model.trainable_variables) > 0
    for average, variable in zip(averages, model.trainable_variables, strict=True):
        before = keras.ops.convert_to_numpy(variable)
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(average), before)
        variable.assign_add(keras.ops.ones_like(variable))
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(average), before)  # a copy
