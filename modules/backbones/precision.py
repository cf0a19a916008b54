"""Networks in low precision, and in float32 where that is not enough."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

LOGGER = logging.getLogger("ldrps.precision")


class Precision(nn.Module):
    """A module of pretrained networks whose precision can be lowered and, where needed, raised again."""

    compute_dtype: torch.dtype | None = None
    """What the networks compute in; None for the precision of their weights. Everything else is in float32."""

    @property
    def is_low(self) -> bool:
        """Whether results may be not finite for want of precision."""
        return self.compute_dtype is not None or self._weights in (torch.float16, torch.bfloat16)

    @contextmanager
    def computing(self, device: torch.device) -> Iterator[None]:
        """Within it, networks compute in `compute_dtype`, whatever the code around it does."""
        with torch.autocast(device.type, dtype=self.compute_dtype, enabled=self.compute_dtype is not None):
            yield

    def precisely(self, make: Callable[[Tensor], Tensor], values: Tensor) -> Tensor:
        """What networks make of values; rows that are not finite once more in float32, and without a graph."""
        with self.computing(values.device):
            made = make(values).to(values.dtype)
        if not self.is_low or bool(made.isfinite().all()):
            return made
        LOGGER.warning("a network gave numbers that are not finite, and is asked again in float32")
        with self.in_full(), torch.no_grad():
            precise = make(values).to(values.dtype)
        return finite_rows(made, precise)

    @contextmanager
    def in_full(self) -> Iterator[None]:
        """Within it, weights and computation are in float32; narrowing the weights again loses nothing."""
        compute_dtype, weights = self.compute_dtype, self._weights
        self.compute_dtype = None
        is_narrow = weights in (torch.float16, torch.bfloat16)
        if is_narrow:
            self.float()
        try:
            yield
        finally:
            self.compute_dtype = compute_dtype
            if is_narrow:
                self.to(weights)

    @property
    def _weights(self) -> torch.dtype:
        return next((parameter.dtype for parameter in self.parameters()), torch.float32)


def finite_rows(values: Tensor, others: Tensor) -> Tensor:
    """The rows of values that are finite, and others in place of the rest: what befalls an image is no other's affair.

    Example:
        >>> finite_rows(torch.tensor([[1.0, 2.0], [3.0, torch.inf]]), torch.zeros(2, 2))
        tensor([[1., 2.],
                [0., 0.]])
    """
    is_finite = values.isfinite().flatten(1).all(dim=1)
    return torch.where(is_finite.view(-1, *[1] * (values.ndim - 1)), values, others)
