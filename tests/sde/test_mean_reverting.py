"""The mean-reverting SDE against simulation, Bayes' rule on Gaussians, and the released code's numbers."""

import itertools
from math import exp

import pytest
import torch

from modules.sde.mean_reverting import MeanReverting
from tests.builders import generators

SCHEDULES = ("cosine", "linear", "constant")
RULES = ("posterior", "euler", "ode")


def drawn(*shape, seed=0):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_marginals_agree_with_simulating_the_sde(schedule):
    sde = MeanReverting(num_train_timesteps=12, theta_schedule=schedule, max_sigma=0.3, delta=0.05)
    x0, mu = 0.9, 0.2
    x = torch.full((20_000, 1), x0, dtype=torch.float64)
    noise = torch.Generator().manual_seed(0)
    substeps = 25
    for t in range(1, 13):
        theta_dt = float(sde.integral[t] - sde.integral[t - 1]) / substeps
        for _ in range(substeps):
            step = torch.randn(x.shape, dtype=torch.float64, generator=noise)
            x = x + theta_dt * (mu - x) + 0.3 * (2 * theta_dt) ** 0.5 * step
        if t in (1, 6, 12):
            no_noise, unit = torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1, 1)
            start, end = torch.full((1, 1, 1, 1), x0).double(), torch.full((1, 1, 1, 1), mu).double()
            mean = sde.add_noise(start, no_noise, torch.tensor(t), end)
            std = sde.add_noise(start, unit, torch.tensor(t), end) - mean
            assert float(x.mean()) == pytest.approx(float(mean), abs=0.008)
            assert float(x.std()) == pytest.approx(float(std), rel=0.03)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("num_steps", [1, 7, 50])
def test_the_posterior_is_bayes_rule(schedule, num_steps):
    sde = MeanReverting(num_train_timesteps=50, theta_schedule=schedule, max_sigma=0.2)
    sde.set_timesteps(num_steps)
    x0, xt, mu = drawn(1, 1, 2, 2), drawn(1, 1, 2, 2, seed=1), drawn(1, 1, 2, 2, seed=2)
    for t, s in itertools.pairwise([*sde.timesteps.tolist(), 0]):
        kt, ks = float(sde.integral[t]), float(sde.integral[s])
        mean, std = sde.posterior(x0, xt, torch.tensor(t), mu)
        # Prior p(x_s | x_0) = N(m, v) and likelihood p(x_t | x_s) = N(mu + a (x_s - mu), w).
        m, v = mu + (x0 - mu) * exp(-ks), 0.04 * (1 - exp(-2 * ks))
        a, w = exp(-(kt - ks)), 0.04 * (1 - exp(-2 * (kt - ks)))
        gain = v * a / (a * a * v + w)
        torch.testing.assert_close(mean, m + gain * (xt - mu - a * (m - mu)), atol=1e-11, rtol=1e-9)
        assert float(std) == pytest.approx((v - gain * a * v) ** 0.5, rel=1e-6, abs=1e-12)


def test_the_last_posterior_step_is_noise_free_and_gives_the_prediction():
    sde = MeanReverting(prediction_type="sample")
    x0, xt, mu = drawn(2, 3, 4, 4), drawn(2, 3, 4, 4, seed=1), drawn(2, 3, 4, 4, seed=2)
    for num_steps in (1, 10, 100):
        sde.set_timesteps(num_steps)
        # Without a generator: nothing is drawn.
        last = sde.step(x0, int(sde.timesteps[-1]), xt, mu)
        torch.testing.assert_close(last.prev_sample, x0, atol=1e-12, rtol=0)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_with_the_true_noise_x0_comes_back_at_every_step(schedule):
    sde = MeanReverting(theta_schedule=schedule)
    x0, noise, mu = drawn(100, 3, 2, 2), drawn(100, 3, 2, 2, seed=1), drawn(100, 3, 2, 2, seed=2)
    timesteps = torch.arange(1, 101)
    sample = sde.add_noise(x0, noise, timesteps, mu)
    torch.testing.assert_close(sde.x0_from_noise(noise, sample, timesteps, mu), x0, atol=1e-10, rtol=0)
    torch.testing.assert_close(sde.noise_from_x0(x0, sample, timesteps, mu), noise, atol=1e-10, rtol=0)
    step = sde.step(noise, timesteps, sample, mu, generators(*range(100)))
    torch.testing.assert_close(step.pred_original_sample, x0, atol=1e-10, rtol=0)
    deviation = sample - sde.add_noise(x0, torch.zeros_like(noise), timesteps, mu)
    variance = 0.1960784**2 * (1 - torch.exp(-2 * sde.integral[1:]))
    torch.testing.assert_close(
        sde.score(noise, timesteps), -deviation / variance.view(-1, 1, 1, 1), atol=1e-4, rtol=1e-5
    )


@pytest.mark.parametrize("rule", RULES)
def test_the_exact_score_leads_back_to_the_data(rule):
    """For data N(m, s^2) the best noise prediction is known; from noise around mu, sampling must end at that normal."""
    sde = MeanReverting(num_train_timesteps=400, step_rule=rule, max_sigma=0.5, delta=1e-3)
    m, s, mu = 0.7, 0.15, torch.full((1, 1, 1, 4000), 0.1, dtype=torch.float64)
    x = sde.initial_sample(mu, generators(0))
    own = generators(1)
    for t in sde.timesteps:
        decay = float((-sde.integral[t]).exp())
        variance = decay**2 * s**2 + 0.25 * (1 - decay**2)
        std = (0.25 * (1 - decay**2)) ** 0.5
        noise = std * (x - mu - decay * (m - mu)) / variance
        x = sde.step(noise, t, x, mu, own).prev_sample
    assert float(x.mean()) == pytest.approx(m, abs=0.012)
    assert float(x.std()) == pytest.approx(s, rel=0.06)


@pytest.mark.parametrize("rule", RULES)
def test_fewer_steps_than_trained_end_at_the_clean_image_when_the_prediction_is_right(rule):
    sde = MeanReverting(step_rule=rule, prediction_type="sample")
    x0, mu = drawn(1, 3, 8, 8), drawn(1, 3, 8, 8, seed=1)
    errors = []
    for num_steps in (5, 20, 100):
        sde.set_timesteps(num_steps)
        assert len(sde.timesteps) == num_steps
        x = sde.initial_sample(mu, generators(0))
        own = generators(1)
        for t in sde.timesteps:
            x = sde.step(x0, t, x, mu, own).prev_sample
        errors.append(float((x - x0).abs().mean()))
    assert errors[2] < 0.01
    assert errors == sorted(errors, reverse=True) or max(errors) < 1e-9


def test_a_batch_of_different_timesteps_equals_single_steps():
    for rule, num_steps in itertools.product(RULES, (100, 30)):
        sde = MeanReverting(step_rule=rule)
        sde.set_timesteps(num_steps)
        noise, x, mu = drawn(4, 3, 2, 2), drawn(4, 3, 2, 2, seed=1), drawn(4, 3, 2, 2, seed=2)
        timesteps = torch.tensor([100, 57, 2, 1])
        together = sde.step(noise, timesteps, x, mu, generators(*range(4)))
        for row, t in enumerate(timesteps):
            own = slice(row, row + 1)
            alone = sde.step(noise[own], int(t), x[own], mu[own], generators(row))
            torch.testing.assert_close(alone.prev_sample[0], together.prev_sample[row])


def test_the_numbers_of_the_released_code():
    sde = MeanReverting()
    assert float(sde.integral[100]) == pytest.approx(5.298317, abs=1e-6)
    zero, one = torch.zeros(1, 1, 1, 1, dtype=torch.float64), torch.ones(1, 1, 1, 1, dtype=torch.float64)
    stds = {t: float(sde.add_noise(zero, one, torch.tensor(t), zero)) for t in (1, 10, 50, 100)}
    assert stds == pytest.approx({1: 0.0037, 10: 0.0334, 50: 0.183, 100: 0.196}, abs=6e-4)
    assert float(sde.posterior(zero, zero, torch.tensor(2), zero)[1]) == pytest.approx(0.0030, abs=5e-5)
    assert [float(sde.euler(zero, zero, torch.tensor(t), zero)[1]) for t in (2, 1)] == pytest.approx(
        [0.0051, 0.0037], abs=5e-5
    )


def test_the_configuration_is_kept_and_can_be_varied(tmp_path):
    MeanReverting(50, 0.1, "linear", 0.01, "ode", "sample").save_config(tmp_path)
    again = MeanReverting.from_config(MeanReverting.load_config(tmp_path))
    assert dict(again.config)["theta_schedule"] == "linear"
    assert again.timesteps.tolist() == list(range(50, 0, -1))
    varied = MeanReverting.from_config(again.config, step_rule="euler")
    assert (varied.step_rule, varied.prediction_type, varied.last_timestep) == ("euler", "sample", 50)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"num_train_timesteps": 0}, "num_train_timesteps=0"),
        ({"max_sigma": 0.0}, "max_sigma=0.0 must be positive"),
        ({"delta": 1.0}, "delta=1.0 must lie"),
        ({"theta_schedule": "square"}, "theta_schedule='square'"),
    ],
)
def test_bad_settings_are_named(settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        MeanReverting(**settings)
    with pytest.raises(ValueError, match="num_inference_steps=101 must lie between 1 and 100"):
        MeanReverting().set_timesteps(101)
