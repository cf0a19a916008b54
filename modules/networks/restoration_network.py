"""What the networks of the mean-reverting SDE share."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

from diffusers import ModelMixin
from diffusers.configuration_utils import ConfigMixin, register_to_config
from torch import Tensor


class RestorationNetwork(ModelMixin, ConfigMixin):
    """Sees a noisy sample and the degraded image, and says what its training asked for: the noise or the clean image.

    Attributes:
        embedding_dim: Width of the DA-CLIP embeddings it takes; None if it takes none.
    """

    embedding_dim: int | None = None
    __call__: Callable[..., Any]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Have what the constructor is given written beside the weights, by which a folder makes the network again."""
        super().__init_subclass__(**kwargs)
        if "__init__" in cls.__dict__ and not hasattr(cls.__init__, "__wrapped__"):
            cls.__init__ = register_to_config(cls.__init__)  # type: ignore[method-assign]

    @abstractmethod
    def forward(
        self,
        sample: Tensor,
        degraded: Tensor,
        timesteps: Tensor,
        content: Tensor | None = None,
        degradation: Tensor | None = None,
    ) -> Tensor:
        """Predict.

        Args:
            sample: Images at their timestep, shape (B, 3, H, W), any H and W.
            degraded: Degraded images, the SDE's mean, same shape.
            timesteps: Shape (B,).
            content: DA-CLIP's content embeddings, shape (B, embedding_dim), not normalised; None without DA-CLIP.
            degradation: DA-CLIP's degradation embeddings, shape (B, embedding_dim), not normalised.

        Returns:
            The prediction, same shape as `sample`, not clipped.
        """
