"""The alignment net should change as little as it must."""

from torch import Tensor

from modules.losses.base import Loss, State


class IdentityPull(Loss):
    """Mean of ``(redegraded - restored) ** 2``: keeps a free alignment net from explaining any picture.

    In the released code it is the squared error that F-PAM is fitted by: content is to stay, and looks are the
    discriminator's.
    """

    def forward(self, state: State) -> Tensor:
        """See `Loss.forward`."""
        return state.mean((state.redegraded - state.restored) ** 2)
