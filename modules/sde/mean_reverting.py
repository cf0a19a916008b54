"""The mean-reverting SDE: from a clean image to its degraded version with noise, and back."""

from dataclasses import dataclass
from math import log, pi
from typing import Literal

import torch
from diffusers import SchedulerMixin
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.utils import BaseOutput
from diffusers.utils.torch_utils import randn_tensor
from torch import Tensor

StepRule = Literal["posterior", "euler", "ode"]
ThetaSchedule = Literal["cosine", "linear", "constant"]
PredictionType = Literal["epsilon", "sample"]


@dataclass
class MeanRevertingOutput(BaseOutput):
    """What a step gives.

    Attributes:
        prev_sample: The sample at the timestep before, shape (B, C, H, W).
        pred_original_sample: The x0 prediction, shape (B, C, H, W), not clipped.
    """

    prev_sample: Tensor
    pred_original_sample: Tensor


class MeanReverting(SchedulerMixin, ConfigMixin):
    """``dx = theta_t (mu - x) dt + sigma_t dw``, with ``sigma_t^2 = 2 max_sigma^2 theta_t`` and mu the degraded image.

    With K_t the integral of theta from 0 to t, x_t given x_0 is Gaussian with mean ``mu + (x_0 - mu) e^{-K_t}`` and
    variance ``max_sigma^2 (1 - e^{-2 K_t})``. All rules step between any two timesteps: with fewer steps than trained,
    the posterior is as exact as with all of them, and Euler's rules take theta's integral over the longer step.

    Args:
        num_train_timesteps: Timesteps T; 0 is the clean image.
        max_sigma: Standard deviation of the noise around mu in the end (the paper's lambda), in image units.
        theta_schedule: How theta grows: cosine, linear, or not at all.
        delta: What is left of ``x_0 - mu`` at T, as a factor.
        step_rule: ``posterior`` draws from p(x_s | x_t, x0 prediction), and the last step adds no noise; ``euler``
            discretises the reverse SDE, ``ode`` the probability flow.
        prediction_type: What the network says: the noise (``epsilon``) or the clean image (``sample``).

    Raises:
        ValueError: If a number is out of range.

    References:
        Luo et al. 2023, Image Restoration with Mean-Reverting Stochastic Differential Equations, Eq. 3-6 and 10
        (marginals, reverse process, optimal reverse mean); Luo et al. 2024, Photo-Realistic Image Restoration in the
        Wild with Controlled Vision-Language Models, Sec. 3.3 (posterior sampling); the released code (schedules).
    """

    order = 1

    @register_to_config
    def __init__(
        self,
        num_train_timesteps: int = 100,
        max_sigma: float = 50 / 255,
        theta_schedule: ThetaSchedule = "cosine",
        delta: float = 0.005,
        step_rule: StepRule = "posterior",
        prediction_type: PredictionType = "epsilon",
    ) -> None:
        # Kept beside the configuration, which is untyped.
        self.last_timestep = num_train_timesteps
        self.max_sigma = max_sigma
        self.step_rule = step_rule
        self.prediction_type = prediction_type
        if num_train_timesteps < 1:
            raise ValueError(f"num_train_timesteps={num_train_timesteps} must be at least 1")
        if not max_sigma > 0:
            raise ValueError(f"max_sigma={max_sigma} must be positive, in image units such as 50 / 255")
        if not 0 < delta < 1:
            raise ValueError(f"delta={delta} must lie between 0 and 1; the released code has 0.005")
        thetas = theta_values(theta_schedule, num_train_timesteps)
        integral = torch.cat([thetas.new_zeros(1), thetas[1:].cumsum(0)])
        self.integral = integral * (-log(delta) / integral[-1])
        self.set_timesteps(num_train_timesteps)

    def set_timesteps(self, num_inference_steps: int, device: torch.device | str | None = None) -> None:
        """Choose the timesteps to visit, evenly from T down.

        Raises:
            ValueError: If there are more steps than timesteps, or none.
        """
        last = self.last_timestep
        if not 1 <= num_inference_steps <= last:
            raise ValueError(f"num_inference_steps={num_inference_steps} must lie between 1 and {last}")
        visited = torch.linspace(last, 0, num_inference_steps + 1, dtype=torch.float64).round().long()
        self.num_inference_steps = num_inference_steps
        self.timesteps = visited[:-1].to(device)
        # Also for timesteps in between: the next lower one that is visited.
        lower = torch.bucketize(torch.arange(last + 1), visited.flip(0), right=False) - 1
        self.previous = visited.flip(0)[lower.clamp(min=0)]

    def add_noise(self, original_samples: Tensor, noise: Tensor, timesteps: Tensor, mu: Tensor) -> Tensor:
        """Samples at given timesteps.

        Args:
            original_samples: Clean images, shape (B, C, H, W).
            noise: Standard normal, same shape.
            timesteps: Shape () or (B,), 0 to T.
            mu: Degraded images, same shape.
        """
        decay, std = self._moments(timesteps, mu)
        return mu + (original_samples - mu) * decay + std * noise

    def initial_sample(self, mu: Tensor, generators: list[torch.Generator]) -> Tensor:
        """Where sampling starts, ``mu + max_sigma n``: the marginal at T but for delta, as the released code.

        Args:
            mu: Degraded images, shape (B, C, H, W).
            generators: One an image.
        """
        return mu + self.max_sigma * randn_tensor(mu.shape, generators, mu.device, mu.dtype)

    def x0_from_noise(self, noise: Tensor, sample: Tensor, timesteps: Tensor, mu: Tensor) -> Tensor:
        """The clean images that noise stands for; undefined at timestep 0."""
        decay, std = self._moments(timesteps, mu)
        return mu + (sample - mu - std * noise) / decay

    def noise_from_x0(self, original_samples: Tensor, sample: Tensor, timesteps: Tensor, mu: Tensor) -> Tensor:
        """The noise that clean images stand for; undefined at timestep 0."""
        decay, std = self._moments(timesteps, mu)
        return (sample - mu - (original_samples - mu) * decay) / std

    def score(self, noise: Tensor, timesteps: Tensor) -> Tensor:
        """Gradient of log p(x_t | x_0): minus the noise over its standard deviation."""
        return -noise / self._moments(timesteps, noise)[1]

    def predict_x0(self, model_output: Tensor, sample: Tensor, timesteps: Tensor, mu: Tensor) -> Tensor:
        """What the network's output, by its `prediction_type`, says of the clean images."""
        if self.prediction_type == "sample":
            return model_output
        return self.x0_from_noise(model_output, sample, timesteps, mu)

    def predict_noise(self, model_output: Tensor, sample: Tensor, timesteps: Tensor, mu: Tensor) -> Tensor:
        """What the network's output, by its `prediction_type`, says of the noise."""
        if self.prediction_type == "epsilon":
            return model_output
        return self.noise_from_x0(model_output, sample, timesteps, mu)

    def posterior(
        self, original_samples: Tensor, sample: Tensor, timesteps: Tensor, mu: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Mean, shape (B, C, H, W), and standard deviation, (B, 1, 1, 1), of x_s given x_t and x_0, for the s before t.

        The mean is also the optimal reverse mean, which the maximum-likelihood objective aims at.
        """
        now, before = self._integrals(timesteps)
        a, c = (-(now - before)).exp(), (-before).exp()
        # 1 - e^{-2 K}, without the cancellation that would cost small K their digits.
        step, whole, left = (-torch.expm1(-2 * k) for k in (now - before, now, before))
        of_sample, of_x0, std = (
            _per_pixel(values, sample)
            for values in (a * left / whole, c * step / whole, self.max_sigma * (step * left / whole).sqrt())
        )
        return mu + of_sample * (sample - mu) + of_x0 * (original_samples - mu), std

    def euler(self, noise: Tensor, sample: Tensor, timesteps: Tensor, mu: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of one Euler step of the reverse SDE, shapes as those of `posterior`."""
        now, before = self._integrals(timesteps)
        step = _per_pixel(now - before, sample)
        variance = 2 * self.max_sigma**2 * step
        return sample - step * (mu - sample) + variance * self.score(noise, timesteps), variance.sqrt()

    def reverse_mean(
        self, model_output: Tensor, sample: Tensor, timesteps: Tensor, mu: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the step that the step rule takes."""
        if self.step_rule == "posterior":
            return self.posterior(self.predict_x0(model_output, sample, timesteps, mu), sample, timesteps, mu)
        noise = self.predict_noise(model_output, sample, timesteps, mu)
        if self.step_rule == "euler":
            return self.euler(noise, sample, timesteps, mu)
        # The probability flow has half the score and no noise.
        mean, std = self.euler(noise / 2, sample, timesteps, mu)
        return mean, torch.zeros_like(std)

    def step(
        self,
        model_output: Tensor,
        timestep: Tensor | int,
        sample: Tensor,
        mu: Tensor,
        generator: torch.Generator | list[torch.Generator] | None = None,
    ) -> MeanRevertingOutput:
        """Go one step towards the clean images.

        Args:
            model_output: What the network says, shape (B, C, H, W).
            timestep: One for all, or shape (B,); each goes to the next lower one of `set_timesteps`.
            sample: Images at this timestep, shape (B, C, H, W).
            mu: Degraded images, same shape.
            generator: One, or one an image; noise is drawn on their device and moved.
        """
        timesteps = torch.as_tensor(timestep)
        mean, std = self.reverse_mean(model_output, sample, timesteps, mu)
        if bool(std.any()):
            mean = mean + std * randn_tensor(sample.shape, generator, sample.device, sample.dtype)
        return MeanRevertingOutput(
            prev_sample=mean, pred_original_sample=self.predict_x0(model_output, sample, timesteps, mu)
        )

    def _integrals(self, timesteps: Tensor) -> tuple[Tensor, Tensor]:
        """K at the timesteps and at those before them, in float64."""
        now = timesteps.detach().cpu().long()
        return self.integral[now], self.integral[self.previous[now]]

    def _moments(self, timesteps: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        """``e^{-K}`` and the standard deviation, to multiply images with."""
        integral = self.integral[timesteps.detach().cpu().long()]
        std = self.max_sigma * (-torch.expm1(-2 * integral)).sqrt()
        return _per_pixel((-integral).exp(), like), _per_pixel(std, like)


def theta_values(schedule: ThetaSchedule, num_timesteps: int) -> Tensor:
    """Values of theta up to a factor at timesteps 0 to T, of which the first is never used, as in the released code.

    Raises:
        ValueError: If the schedule is unknown.
    """
    count = num_timesteps + 1
    if schedule == "constant":
        return torch.ones(count, dtype=torch.float64)
    if schedule == "linear":
        return torch.linspace(0.0001, 0.02, count, dtype=torch.float64)
    if schedule != "cosine":
        raise ValueError(f"theta_schedule={schedule!r} must be 'cosine', 'linear' or 'constant'")
    share = torch.arange(count + 1, dtype=torch.float64) / (count + 1)
    kept = torch.cos((share + 0.008) / 1.008 * pi / 2) ** 2
    return 1 - kept[1:] / kept[0]


def _per_pixel(values: Tensor, like: Tensor) -> Tensor:
    """Values of shape () or (B,), as (1 or B, 1, 1, 1) on the device and in the precision of images."""
    return values.to(like).view(-1, *[1] * (like.ndim - 1))
