"""One of several blurs for each image."""

import torch
from torch import Tensor

from degradations.blur.blur import Blur
from degradations.checks import IntegerInterval, check_weights
from degradations.drawing import Generators, choices
from degradations.parameters import Parameters, nested, rows_of, scattered, unnested, where


class MixedBlur(Blur):
    """Draws a kernel size and then the kind of kernel, for each image.

    Args:
        blurs: The kinds; their own kernel sizes are not used.
        weights: Probability of each kind, up to a factor; None draws evenly.
        kernel_size: Interval of the kernel's side in pixels, odd numbers.

    Raises:
        ValueError: If there is no kind, or the weights do not fit.
    """

    def __init__(
        self, blurs: list[Blur], weights: list[float] | None = None, kernel_size: IntegerInterval = (5, 19)
    ) -> None:
        super().__init__(kernel_size)
        if not blurs:
            raise ValueError("blurs is empty: give at least one blur")
        self.blurs = list(blurs)
        self.weights = check_weights("weights", weights, len(blurs))

    def sample_shape(self, generators: Generators) -> Parameters:
        """See `Blur.sample_shape`; only the kind that is drawn draws on."""
        kind = choices(self.weights, generators)
        parameters = {"kind": kind}
        for number, blur in enumerate(self.blurs):
            if len(rows := where(kind == number)):
                shape = blur.sample_shape([generators[row] for row in rows])
                parameters |= nested(number, scattered(shape, rows, len(generators)))
        return parameters

    def words(self, parameters: Parameters) -> list[tuple[str, ...]]:
        """See `Degradation.words`: the word of the kind that was drawn."""
        return [(self.blurs[kind].word,) for kind in parameters["kind"].tolist()]

    def kernels(self, parameters: Parameters, size: int) -> Tensor:
        """See `Blur.kernels`."""
        kernels = torch.empty(len(parameters["kind"]), size, size, dtype=torch.float64)
        for number, blur in enumerate(self.blurs):
            if len(rows := where(parameters["kind"] == number)):
                own = {"kernel_size": parameters["kernel_size"], **unnested(number, parameters)}
                kernels[rows] = blur.kernels(rows_of(own, rows), size)
        return kernels
