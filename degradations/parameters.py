"""Drawn parameters of a batch: flat names, one row an image, nested by dotted prefixes."""

from torch import Tensor

Parameters = dict[str, Tensor]
"""Drawn parameters by name; the first dimension of each counts the images."""


def nested(prefix: str | int, parameters: Parameters) -> Parameters:
    """Put a prefix and a dot before every name.

    Example:
        >>> import torch
        >>> nested("blur", {"sigma": torch.zeros(1)})
        {'blur.sigma': tensor([0.])}
    """
    return {f"{prefix}.{name}": values for name, values in parameters.items()}


def unnested(prefix: str | int, parameters: Parameters) -> Parameters:
    """Take what stands under a prefix, without it; the inverse of `nested`."""
    start = f"{prefix}."
    return {name.removeprefix(start): values for name, values in parameters.items() if name.startswith(start)}


def rows_of(parameters: Parameters, rows: Tensor) -> Parameters:
    """Take some images' rows, given by their numbers."""
    return {name: values[rows] for name, values in parameters.items()}


def scattered(parameters: Parameters, rows: Tensor, count: int) -> Parameters:
    """Put rows back among `count` images; the others, for which nothing was drawn, get zeros.

    Example:
        >>> import torch
        >>> scattered({"sigma": torch.tensor([0.5])}, torch.tensor([1]), 3)
        {'sigma': tensor([0.0000, 0.5000, 0.0000])}
    """
    spread = {}
    for name, values in parameters.items():
        spread[name] = values.new_zeros(count, *values.shape[1:])
        spread[name][rows] = values
    return spread


def where(condition: Tensor) -> Tensor:
    """Numbers of the images for which a condition of shape (B,) holds."""
    return condition.nonzero().flatten()
