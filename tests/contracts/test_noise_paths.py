"""What every noise path answers for, whatever its factors, its model output and its steps."""

from itertools import pairwise

import pytest
import torch

import modules
from modules.backbones.base import NUM_TIMESTEPS
from modules.backbones.noise_path import NoisePath
from tests.builders import generators
from tests.contracts.discover import concrete_subclasses

PATHS = concrete_subclasses(modules, NoisePath)


@pytest.fixture(params=PATHS, ids=lambda cls: cls.__name__)
def path(request):
    return request.param()


@pytest.fixture
def clean_and_noise():
    return torch.rand(2, 4, 8, 8, dtype=torch.float64) * 2 - 1, torch.randn(2, 4, 8, 8, dtype=torch.float64)


def test_both_kinds_of_path_are_found():
    assert {"RectifiedFlow", "VariancePreserving"} <= {cls.__name__ for cls in PATHS}


@pytest.mark.parametrize(("strength", "kept"), [(1.0, 20), (0.5, 10), (0.33, 6), (0.01, 1)])
def test_a_pass_descends_from_noise_to_signal(path, strength, kept):
    timesteps = path.begin(20, strength)
    assert len(timesteps) == kept
    assert all(0 <= timestep <= NUM_TIMESTEPS for timestep in timesteps)
    for first, second in pairwise(timesteps):
        assert first > second
        assert path.at(first).noise > path.at(second).noise
        assert path.at(first).signal < path.at(second).signal
    assert timesteps == path.begin(20, 1.0)[-kept:]


@pytest.mark.parametrize("timestep", [1, 250, 500, 999])
def test_the_factors_are_those_that_mix(path, timestep, clean_and_noise):
    clean, noise = clean_and_noise
    level = path.at(timestep)
    torch.testing.assert_close(path.mix(clean, torch.zeros_like(noise), timestep), level.signal * clean)
    torch.testing.assert_close(path.mix(torch.zeros_like(clean), noise, timestep), level.noise * noise)
    assert 0 <= level.signal <= 1
    assert 0 <= level.noise <= 1


@pytest.mark.parametrize("timestep", [0, 500, 999])
def test_a_whole_number_is_the_same_level_as_its_float(path, timestep):
    assert path.at(timestep) == path.at(float(timestep))


def test_the_true_model_output_gives_x0_and_noise_back(path, clean_and_noise):
    clean, noise = clean_and_noise
    for timestep in path.begin(50, 1.0):
        mixed, output = path.mix(clean, noise, timestep), path.target(clean, noise, timestep)
        torch.testing.assert_close(path.x0_from(output, mixed, timestep), clean, atol=1e-9, rtol=0)
        torch.testing.assert_close(path.noise_from(output, mixed, timestep), noise, atol=1e-9, rtol=0)


@pytest.mark.parametrize("strength", [1.0, 0.4])
def test_with_exact_model_outputs_the_last_step_lands_on_x0(path, strength, clean_and_noise):
    clean, latents = clean_and_noise
    timesteps = path.begin(10, strength)
    latents = path.mix(clean, latents, timesteps[0])
    for timestep in timesteps:
        level = path.at(timestep)
        noise = (latents - level.signal * clean) / level.noise
        latents = path.step(path.target(clean, noise, timestep), timestep, latents, generators(0, 1))
    torch.testing.assert_close(latents, clean, atol=1e-6, rtol=0)


def test_a_second_pass_is_the_first_again(path, clean_and_noise):
    clean, noise = clean_and_noise
    results = []
    for _ in range(2):
        latents = noise
        for timestep in path.begin(5, 1.0):
            latents = path.step(path.target(clean, noise, timestep), timestep, latents, generators(0, 1))
        results.append(latents)
    assert torch.equal(*results)
