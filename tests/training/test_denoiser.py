"""What the denoiser is shown in its training."""

from types import SimpleNamespace

import torch

from ldrps.training.denoiser import draw_timesteps, stable_diffusion_schedule
from tests.builders import generators


def test_timesteps_are_drawn_on_the_cpu_wherever_diffusers_moved_the_schedule():
    scheduler = stable_diffusion_schedule("v_prediction")
    expected = draw_timesteps(scheduler, generators(*range(8)), 0.5)
    # Nothing but a copy on the CPU can be had of it, as of a tensor on a GPU.
    scheduler.alphas_cumprod = SimpleNamespace(cpu=lambda alphas=scheduler.alphas_cumprod: alphas)
    assert torch.equal(draw_timesteps(scheduler, generators(*range(8)), 0.5), expected)
