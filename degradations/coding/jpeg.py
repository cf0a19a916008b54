"""JPEG compression."""

from typing import Literal

from kornia.enhance import jpeg_codec_differentiable
from torch import Tensor

from degradations.base import Degradation
from degradations.checks import IntegerInterval, check_integers
from degradations.coding.pillow_codec import through_file
from degradations.drawing import Generators, integers
from degradations.parameters import Parameters


class JPEG(Degradation):
    """Compresses as baseline JPEG with 4:2:0 chroma and decompresses again.

    Args:
        quality: Interval of libjpeg's quality; 90 is hardly visible, 30 visible, 10 strong.
        codec: ``libjpeg`` is the real thing, through Pillow, on the CPU and without gradients; ``differentiable`` is
            kornia's, on the image's device, with a smooth substitute for rounding.

    Raises:
        ValueError: If the interval is reversed or outside [1, 100], or the codec is unknown.

    References:
        Reich et al. 2024, Differentiable JPEG: The Devil is in the Details (the differentiable codec).
    """

    word = "jpeg block"

    def __init__(
        self, quality: IntegerInterval = (10, 30), codec: Literal["libjpeg", "differentiable"] = "libjpeg"
    ) -> None:
        if codec not in ("libjpeg", "differentiable"):
            raise ValueError(f"codec={codec!r} must be 'libjpeg' or 'differentiable'")
        self.quality = check_integers("quality", quality, 1, 100)
        self.codec = codec
        self.is_differentiable = codec == "differentiable"

    def sample_parameters(self, generators: Generators) -> Parameters:
        """See `Degradation.sample_parameters`."""
        return {"quality": integers(self.quality, generators)}

    def degrade(self, image: Tensor, parameters: Parameters) -> Tensor:
        """See `Degradation.degrade`."""
        quality = parameters["quality"]
        if self.codec == "differentiable":
            return jpeg_codec_differentiable(image, quality.to(image)).clamp(0, 1)
        return through_file(image, quality.tolist(), format="JPEG", subsampling="4:2:0")
