"""The "type discriminator" of LD-RPS: does the residual look like what the alignment net removes?"""

from torch import Tensor

from modules.losses.adversarial import Adversarial
from modules.losses.base import State


class ResidualAdversarial(Adversarial):
    """`Adversarial` on residuals: ``restored - degraded`` should look like ``sample - redegraded sample``.

    Both the guided and the free chains give examples of the second kind (released code, discriminator D2).
    """

    def _fake(self, state: State) -> Tensor:
        return state.restored - state.degraded

    def _real(self, state: State) -> Tensor:
        return state.samples - state.redegraded_samples
