"""A choice by whether pixels are missing."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from ldrps.methods.auto.choice import Choice, Chosen
from ldrps.methods.restorer import Restorer
from modules.alignment.missing_pixels import missing_pixels


class Holes(Choice):
    """Chooses a method where pixels are missing: areas of exact black with hard edges (`missing_pixels`).

    Args:
        method: What is chosen then.
        least_share: Share of the pixels from which on it is; of 40 photos without holes none had more than 0.006.
        noise_factor: See `missing_pixels`; of 40 noisy copies of eight photos none is taken for one with holes.
    """

    def __init__(self, method: str = "inpainting", least_share: float = 0.01, noise_factor: float = 4.0) -> None:
        super().__init__()
        self.method = method
        self.least_share = least_share
        self.noise_factor = noise_factor

    @property
    def names(self) -> set[str]:
        """See `Choice.names`."""
        return {self.method}

    def forward(self, degraded: Tensor, methods: Mapping[str, Restorer]) -> Sequence[Chosen | None]:
        """See `Choice.forward`."""
        shares: list[float] = missing_pixels(degraded, self.noise_factor).float().mean(dim=(1, 2, 3)).tolist()
        return [
            Chosen(self.method, f"{share:.0%} of the pixels are missing") if share >= self.least_share else None
            for share in shares
        ]
