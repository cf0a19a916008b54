"""Diffusers' schedulers: those that take a step a timestep fit, the others are refused in one sentence."""

import diffusers
import pytest

from modules.backbones.variance_preserving import FITTING, VariancePreserving

TOLD = FITTING.replace(" or ", ", ").split(", ")
OTHERS = ["DEISMultistepScheduler", "DPMSolverSinglestepScheduler", "LCMScheduler", "SASolverScheduler", "TCDScheduler"]

pytestmark = pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")


@pytest.mark.parametrize(
    ("name", "num_train_timesteps"), [(name, 1000) for name in TOLD + OTHERS] + [(name, 8) for name in TOLD]
)
def test_a_scheduler_that_takes_as_many_steps_as_asked_fits(name, num_train_timesteps):
    path = VariancePreserving(getattr(diffusers, name)(num_train_timesteps=num_train_timesteps))
    assert [len(path.begin(steps, 1.0)) for steps in (2, 4, 7)] == [2, 4, 7]


@pytest.mark.parametrize(
    ("name", "settings", "taken"),
    [
        ("PNDMScheduler", {"skip_prk_steps": True}, 5),
        ("PNDMScheduler", {}, 13),
        ("HeunDiscreteScheduler", {}, 7),
        ("KDPM2DiscreteScheduler", {}, 7),
    ],
)
def test_a_scheduler_that_takes_more_steps_is_refused(name, settings, taken):
    sentence = f"scheduler {name} takes {taken} steps where 4 are asked for: use DDIMScheduler, "
    with pytest.raises(ValueError, match=sentence):
        VariancePreserving(getattr(diffusers, name)(**settings))


def test_a_number_of_steps_that_a_spacing_rounds_up_is_refused():
    path = VariancePreserving(diffusers.DDIMScheduler(timestep_spacing="trailing"))
    sentence = "num_inference_steps=61 becomes 62 steps of DDIMScheduler with timestep_spacing trailing: ask for"
    with pytest.raises(ValueError, match=sentence):
        path.begin(61, 1.0)
    assert len(path.begin(60, 1.0)) == 60
