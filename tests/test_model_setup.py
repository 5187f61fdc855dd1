"""A model compiled for a phase of a run."""

import keras
import numpy as np
import pytest

from densedepth_keras.config import TrainConfig
from densedepth_keras.model_setup import blank_model, compile_model
from densedepth_keras.optimization import averaged_weights, make_schedule


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


def test_a_warm_up_leads_the_optimiser_of_the_unfrozen_phase_too():
    settings = {"architecture": "unet", "base_filters": 2, "image_size": (32, 32), "epochs": 10, "learning_rate": 1.0}
    rates = {}
    for warmup in (0, 1):
        config = TrainConfig(**settings, schedule="cosine", warmup_epochs=warmup).resolved()
        for first in (0, 20):
            model = blank_model(config, None)
            compile_model(model, config, first_step=first, total_steps=40)
            schedule = model.optimizer._learning_rate
            rates[warmup, first] = [float(schedule(step)) for step in range(6)]
    assert rates[1, 0] == pytest.approx([0, 0.25, 0.5, 0.75, 1, rates[1, 0][5]])
    assert rates[0, 20][0] == pytest.approx(0.505)  # half of the cosine, at once
    assert rates[1, 20][0] == 0
    run = make_schedule("cosine", 1.0, 40, warmup_steps=4)
    assert rates[1, 20] == pytest.approx([min(step / 4, 1) * float(run(20 + step)) for step in range(6)])
