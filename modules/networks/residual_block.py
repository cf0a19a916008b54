"""The residual block of the small convolutional networks."""

from torch import Tensor, nn


class ResidualBlock(nn.Module):
    """x + conv(act(conv(act(x)))), the last convolution zero at the start.

    Args:
        width: Channels.
        activation: Activation before each convolution.
        bias: Whether the convolutions have one.
    """

    def __init__(self, width: int, activation: nn.Module, bias: bool = True) -> None:
        super().__init__()
        self.activation = activation
        self.first = nn.Conv2d(width, width, 3, padding=1, bias=bias)
        self.last = nn.Conv2d(width, width, 3, padding=1, bias=bias)
        nn.init.zeros_(self.last.weight)

    def forward(self, hidden: Tensor) -> Tensor:
        """Same shape."""
        result: Tensor = hidden + self.last(self.activation(self.first(self.activation(hidden))))
        return result
