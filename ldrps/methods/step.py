"""What is told of a restoration while it goes on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from ldrps.data.samples import Sample


@dataclass(frozen=True)
class Step:
    """One step of a restoration, for progress bars and film strips.

    Attributes:
        index: Number of the step, from 0.
        count: Steps in all.
        timestep: Timestep of the noise schedule.
        images: Makes the current estimate, shape (B, 3, H, W), range [0, 1]; costs a decoder pass.
    """

    index: int
    count: int
    timestep: float
    images: Callable[[], Tensor]

    def frames(self, count: int) -> set[int]:
        """Numbers of the steps that a film strip of `count` frames shows, from the first to the last."""
        return {round(number * (self.count - 1) / max(1, count - 1)) for number in range(count)}


StepListener = Callable[[Sequence[Sample], Step], None]
"""Called with the images that are being restored after every step."""
