"""What a degradation is: parameters drawn per image, and a deterministic function of image and parameters."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from degradations.checks import check_images
from degradations.drawing import Generators
from degradations.parameters import Parameters


class Degradation(ABC):
    """One physical effect on a batch of images.

    A subclass stores every argument of its constructor under its own name: that is what a receipt keeps of it.

    Attributes:
        word: What a caption calls the damage.
        is_differentiable: Whether gradients reach the image.
    """

    word: str = ""
    is_differentiable: bool = True

    @abstractmethod
    def sample_parameters(self, generators: Generators) -> Parameters:
        """Draw the parameters of each image.

        Args:
            generators: One per image; row i is drawn from generator i only.

        Returns:
            At least one tensor; the first dimension of each counts the images.
        """

    @abstractmethod
    def degrade(self, image: Tensor, parameters: Parameters) -> Tensor:
        """Damage images; the same image and parameters always give the same result. Callers use `apply`.

        Args:
            image: Shape (B, 3, H, W), range [0, 1], float32 or float64.
            parameters: As drawn by `sample_parameters`.

        Returns:
            Same shape, range [0, 1].
        """

    def words(self, parameters: Parameters) -> list[tuple[str, ...]]:
        """Name what was done to each image, in order and without repetition."""
        return [(self.word,) if self.word else ()] * len(next(iter(parameters.values())))

    def __call__(self, image: Tensor, generators: Generators) -> Tensor:
        """Draw parameters and damage images.

        Args:
            image: Shape (B, 3, H, W), range [0, 1], any floating dtype; half precision is computed in float32.
            generators: One per image.

        Returns:
            Same shape and dtype, range [0, 1].

        Raises:
            ValueError: If the image is not RGB in [0, 1] or there is not one generator per image.
        """
        check_images(image)
        if len(generators) != len(image):
            raise ValueError(f"{len(generators)} generator(s) for {len(image)} image(s): give one per image")
        with exact(image):
            parameters = self.sample_parameters(generators)
        return self._applied(image, parameters)

    def apply(self, image: Tensor, parameters: Parameters) -> Tensor:
        """Damage images by parameters that have been drawn; exact within autocast too.

        Args:
            image: Shape (B, 3, H, W), range [0, 1], any floating dtype; half precision is computed in float32.
            parameters: As drawn by `sample_parameters`, a row an image.

        Returns:
            Same shape and dtype, range [0, 1]; a tensor of its own, also where nothing was done.

        Raises:
            ValueError: If the image is not RGB in [0, 1], or the result has another shape.
        """
        check_images(image)
        return self._applied(image, parameters)

    def _applied(self, image: Tensor, parameters: Parameters) -> Tensor:
        working = image if image.dtype == torch.float64 else image.float()
        with exact(image):
            degraded = self.degrade(working, parameters).to(image.dtype)
        if degraded.shape != image.shape:
            raise ValueError(
                f"{type(self).__name__}.degrade gave shape {tuple(degraded.shape)} for images of shape "
                f"{tuple(image.shape)}: it must give the same shape"
            )
        # Whoever changes one of a pair in place must not change the other.
        is_shared = degraded.untyped_storage().data_ptr() == image.untyped_storage().data_ptr()
        return degraded.clone() if is_shared else degraded


def exact(image: Tensor) -> torch.autocast:
    """Within, autocast is off on an image's device: damage mixes precisions, and half of it would show."""
    return torch.autocast(image.device.type, enabled=False)


def eight_bit(image: Tensor) -> Tensor:
    """Round to multiples of 1 / 255, as an 8-bit file would."""
    return (image * 255).round_().div_(255)


def per_image(values: Tensor, image: Tensor) -> Tensor:
    """Reshape one value per image, (B,), to multiply images, (B, 1, 1, 1), on their device."""
    return values.to(image).view(-1, 1, 1, 1)
