"""Degradations one after another."""

from collections.abc import Sequence as Series

import torch
from torch import Tensor

from degradations.base import Degradation, Parameters


class Sequence(Degradation):
    """Applies degradations in order.

    Args:
        steps: The degradations.

    Raises:
        ValueError: If there is none.
    """

    def __init__(self, steps: Series[Degradation]) -> None:
        if not steps:
            raise ValueError("steps is empty: give at least one degradation")
        self.steps = list(steps)

    def sample_parameters(self, generators: Series[torch.Generator]) -> Parameters:
        """See `Degradation.sample_parameters`; names are prefixed with the number of the step."""
        return {
            f"{number}.{name}": values
            for number, step in enumerate(self.steps)
            for name, values in step.sample_parameters(generators).items()
        }

    def degrade(self, image: Tensor, parameters: Parameters) -> Tensor:
        """See `Degradation.degrade`."""
        for number, step in enumerate(self.steps):
            prefix = f"{number}."
            own = {name.removeprefix(prefix): values for name, values in parameters.items() if name.startswith(prefix)}
            image = step.degrade(image, own)
        return image
