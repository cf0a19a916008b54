"""WebP compression."""

from torch import Tensor

from degradations.base import Degradation
from degradations.checks import IntegerInterval, check_integers
from degradations.coding.pillow_codec import through_file
from degradations.drawing import Generators, integers
from degradations.parameters import Parameters


class WebP(Degradation):
    """Compresses as lossy WebP (Pillow, on the CPU, without gradients) and decompresses again.

    Args:
        quality: Interval of libwebp's quality; 80 is hardly visible, 30 visible, 5 strong.

    Raises:
        ValueError: If the interval is reversed or outside [0, 100].
    """

    word = "webp block"
    is_differentiable = False

    def __init__(self, quality: IntegerInterval = (5, 30)) -> None:
        self.quality = check_integers("quality", quality, 0, 100)

    def sample_parameters(self, generators: Generators) -> Parameters:
        """See `Degradation.sample_parameters`."""
        return {"quality": integers(self.quality, generators)}

    def degrade(self, image: Tensor, parameters: Parameters) -> Tensor:
        """See `Degradation.degrade`."""
        return through_file(image, parameters["quality"].tolist(), format="WEBP")
