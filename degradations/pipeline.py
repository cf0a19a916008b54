"""Degradations put together: one after another, in random order, one of several, or only sometimes.

Each is a degradation itself, so they nest. All draw for every image by itself: in one batch, images take different
orders, choices and omissions.
"""

from abc import abstractmethod
from collections.abc import Sequence as Series

from torch import Tensor

from degradations.base import Degradation
from degradations.checks import check_probability, check_weights
from degradations.drawing import Generators, choices, coins, permutations
from degradations.parameters import Parameters, nested, rows_of, scattered, unnested, where

Words = tuple[str, ...]


class Composition(Degradation):
    """Several degradations; parameters of part i are named ``i.name``.

    Args:
        parts: The degradations.
        name: What the subclass calls them.

    Raises:
        ValueError: If there is none.
    """

    def __init__(self, parts: Series[Degradation], name: str) -> None:
        if not parts:
            raise ValueError(f"{name} is empty: give at least one degradation")
        self.parts = list(parts)
        self.is_differentiable = all(part.is_differentiable for part in parts)

    @abstractmethod
    def path(self, parameters: Parameters, row: int) -> list[int]:
        """Numbers of the parts that one image goes through, in order."""

    def words(self, parameters: Parameters) -> list[Words]:
        """See `Degradation.words`."""
        described = []
        for row in range(len(next(iter(parameters.values())))):
            words: dict[str, None] = {}
            for number in self.path(parameters, row):
                own = {name: values[row : row + 1] for name, values in unnested(number, parameters).items()}
                words |= dict.fromkeys(self.parts[number].words(own)[0])
            described.append(tuple(words))
        return described

    def _sample(self, number: int, rows: Tensor, generators: Generators) -> Parameters:
        """Draw for some images; a part that no image takes leaves no parameters."""
        if not len(rows):
            return {}
        own = self.parts[number].sample_parameters([generators[row] for row in rows])
        return nested(number, scattered(own, rows, len(generators)))

    def _degrade(self, number: int, rows: Tensor, image: Tensor, parameters: Parameters) -> Tensor:
        """Damage some of the images by one part."""
        if not len(rows):
            return image
        own = unnested(number, parameters)
        if len(rows) == len(image):
            return self.parts[number].degrade(image, own)
        degraded = image.clone()
        degraded[rows] = self.parts[number].degrade(image[rows], rows_of(own, rows))
        return degraded


class Steps(Composition):
    """Applies all of several degradations; a subclass says in which order.

    Args:
        steps: The degradations.

    Raises:
        ValueError: If there is none.
    """

    def __init__(self, steps: Series[Degradation]) -> None:
        super().__init__(steps, "steps")
        self.steps = self.parts

    def sample_parameters(self, generators: Generators) -> Parameters:
        """See `Degradation.sample_parameters`."""
        parameters: Parameters = {}
        for number, step in enumerate(self.steps):
            parameters |= nested(number, step.sample_parameters(generators))
        return parameters


class Sequence(Steps):
    """Applies degradations in order.

    Args:
        steps: The degradations.

    Raises:
        ValueError: If there is none.
    """

    def degrade(self, image: Tensor, parameters: Parameters) -> Tensor:
        """See `Degradation.degrade`."""
        for number, step in enumerate(self.steps):
            image = step.degrade(image, unnested(number, parameters))
        return image

    def path(self, parameters: Parameters, row: int) -> list[int]:
        """See `Composition.path`."""
        return list(range(len(self.steps)))


class RandomOrder(Steps):
    """Applies all degradations, for each image in an order of its own.

    Args:
        steps: The degradations; all orders are equally likely.

    Raises:
        ValueError: If there is none.
    """

    def sample_parameters(self, generators: Generators) -> Parameters:
        """See `Degradation.sample_parameters`; the order is drawn first."""
        return {"order": permutations(len(self.steps), generators)} | super().sample_parameters(generators)

    def degrade(self, image: Tensor, parameters: Parameters) -> Tensor:
        """See `Degradation.degrade`."""
        for numbers in parameters["order"].unbind(dim=1):
            for number in range(len(self.steps)):
                image = self._degrade(number, where(numbers == number), image, parameters)
        return image

    def path(self, parameters: Parameters, row: int) -> list[int]:
        """See `Composition.path`."""
        return [int(number) for number in parameters["order"][row]]


class RandomChoice(Composition):
    """Applies one of the degradations to each image.

    Args:
        options: The degradations.
        weights: Probability of each, up to a factor; None draws evenly.

    Raises:
        ValueError: If there is none, or the weights do not fit.
    """

    def __init__(self, options: Series[Degradation], weights: list[float] | None = None) -> None:
        super().__init__(options, "options")
        self.options = self.parts
        self.weights = check_weights("weights", weights, len(options))

    def sample_parameters(self, generators: Generators) -> Parameters:
        """See `Degradation.sample_parameters`; only the option that is drawn draws on."""
        parameters = {"choice": choices(self.weights, generators)}
        for number in range(len(self.options)):
            parameters |= self._sample(number, where(parameters["choice"] == number), generators)
        return parameters

    def degrade(self, image: Tensor, parameters: Parameters) -> Tensor:
        """See `Degradation.degrade`."""
        for number in range(len(self.options)):
            image = self._degrade(number, where(parameters["choice"] == number), image, parameters)
        return image

    def path(self, parameters: Parameters, row: int) -> list[int]:
        """See `Composition.path`."""
        return [int(parameters["choice"][row])]


class Maybe(Composition):
    """Applies a degradation to each image with a probability.

    Args:
        degradation: The degradation.
        probability: How often.

    Raises:
        ValueError: If the probability is outside [0, 1].
    """

    def __init__(self, degradation: Degradation, probability: float = 0.5) -> None:
        super().__init__([degradation], "degradation")
        self.degradation = degradation
        self.probability = check_probability("probability", probability)

    def sample_parameters(self, generators: Generators) -> Parameters:
        """See `Degradation.sample_parameters`; an image that is spared draws nothing more."""
        is_applied = coins(self.probability, generators)
        return {"is_applied": is_applied} | self._sample(0, where(is_applied), generators)

    def degrade(self, image: Tensor, parameters: Parameters) -> Tensor:
        """See `Degradation.degrade`."""
        return self._degrade(0, where(parameters["is_applied"]), image, parameters)

    def path(self, parameters: Parameters, row: int) -> list[int]:
        """See `Composition.path`."""
        return [0] if parameters["is_applied"][row] else []
