"""Too few pixels, enlarged: how they were shrunk is known, the detail between them is not."""

from collections.abc import Sequence
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from modules.alignment.base import Alignment
from modules.windows import Span, whole


class DownSampled(Alignment):
    """psi(x) = A x, where A shrinks by a whole factor (bicubic, smoothed first) and enlarges back (bicubic).

    A is linear and works on rows and columns alike. Of all pictures that A turns into what was seen, the one nearest to
    the sample is taken: x + A+ (y - A x), with the pseudo-inverse A+. So the sample says only what shrinking took away.

    Args:
        factor: Whole-numbered divisor of the sides; those of the photo should be multiples of it, as those of an
            enlarged picture are.

    Raises:
        ValueError: If factor is below 2.

    References:
        Wang et al. 2023, Zero-Shot Image Restoration Using Denoising Diffusion Null-Space Model, Eq. 9.
    """

    def __init__(self, factor: int = 4) -> None:
        super().__init__()
        if factor < 2:
            raise ValueError(f"factor={factor} must be at least 2: 1 leaves a picture as it is")
        self.factor = factor
        self._sides: dict[int, _Side] = {}

    @property
    def leaves_open(self) -> bool:
        """See `Alignment.leaves_open`."""
        return True

    @property
    def reach_px(self) -> int:
        """See `Alignment.reach_px`; two pixels of the small picture for each of the two filters, and rounding."""
        return 5 * self.factor

    def begin(self, degraded: Tensor, generators: Sequence[torch.Generator]) -> None:
        """See `Alignment.begin`; operators are kept for the sides of these images."""
        self._sides = {side: self._side(side) for side in degraded.shape[-2:]}

    def forward(self, images: Tensor) -> Tensor:
        """See `Alignment.forward`."""
        window = self.window or whole(images.shape[-2:])
        rows, columns = (
            _part(self._side(side).there_and_back, span).to(images)
            for span, side in ((window.rows, window.size[0]), (window.columns, window.size[1]))
        )
        return rows @ images @ columns.T

    def fill(self, degraded: Tensor, sample: Tensor | None = None) -> Tensor:
        """See `Alignment.fill`; without a sample what was seen stands for it, which is a little sharper for it."""
        sample = degraded if sample is None else sample
        rows, columns = (self._side(side).pseudo_inverse.to(degraded) for side in degraded.shape[-2:])
        return (sample + rows @ (degraded - self(sample)) @ columns.T).clamp(0, 1)

    def _side(self, side: int) -> "_Side":
        # Of other sides than those of `begin` too: what is learnt is learnt from smaller pictures.
        return self._sides.setdefault(side, _Side(side, self.factor))


class _Side:
    """What shrinking and enlarging back does to one side; its operators are made once, when they are asked for."""

    def __init__(self, side: int, factor: int) -> None:
        self.side = side
        self.factor = factor

    @cached_property
    def there_and_back(self) -> Tensor:
        """A, shape (side, side)."""
        there, back = _there_then_back(self.side, self.factor)
        return back @ there

    @cached_property
    def pseudo_inverse(self) -> Tensor:
        """A+, shape (side, side)."""
        there, back = _there_then_back(self.side, self.factor)
        # Shrinking has full row rank, enlarging full column rank: the pseudo-inverse of their product is that of both.
        shrunk_from = torch.linalg.solve(there @ there.T, there).T
        enlarged_from = torch.linalg.solve(back.T @ back, back.T)
        return shrunk_from @ enlarged_from


def _there_then_back(side: int, factor: int) -> tuple[Tensor, Tensor]:
    """What shrinks one side, shape (small, side), and what enlarges it back, shape (side, small)."""
    small = max(1, round(side / factor))
    eye = torch.eye(side, dtype=torch.float64)[None, None]
    there = F.interpolate(eye, size=(small, side), mode="bicubic", antialias=True)[0, 0]
    eye = torch.eye(small, dtype=torch.float64)[None, None]
    back = F.interpolate(eye, size=(side, small), mode="bicubic")[0, 0]
    return there, back


def _part(matrix: Tensor, span: Span) -> Tensor:
    return matrix[span.outer, span.outer]
