"""What a quality measure is: one number per image, with everything that is needed to quote it."""

import inspect
from abc import ABC, abstractmethod
from typing import Any, Literal

import torch
from torch import Tensor

from degradations.base import eight_bit

Color = Literal["rgb", "y"]


class Metric(ABC):
    """A quality measure of restored images, rounded to 8 bits as they would be stored.

    Args:
        color: ``rgb``, or ``y`` for the luma of ITU-R BT.601 in the studio range, as MATLAB's ``rgb2ycbcr``.
        border_px: Pixels cut off on each side before measuring.

    Raises:
        ValueError: If border_px is negative or the colour space unknown.

    Attributes:
        name: Column name; unless a class says otherwise, its own in lower case.
        needs_target: Whether it compares with a ground truth.
        higher_is_better: Direction.
        min_side_px: Images with a shorter side, after cutting, cannot be measured.
        implementation: Library, version and parameters; unless a class says so, its path, and what its constructor
            keeps under the names of its arguments.
    """

    name: str
    needs_target: bool = True
    higher_is_better: bool = True
    min_side_px: int = 1
    implementation: str

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not hasattr(cls, "name"):
            cls.name = cls.__name__.lower()
        if not hasattr(cls, "implementation"):
            cls.implementation = path_of(cls)

    def __init__(self, color: Color = "rgb", border_px: int = 0) -> None:
        if color not in ("rgb", "y"):
            raise ValueError(f"color={color!r} must be 'rgb' or 'y'")
        if border_px < 0:
            raise ValueError(f"border_px={border_px} must not be negative")
        self.color = color
        self.border_px = border_px

    @property
    def column(self) -> str:
        """Name with what differs from the default, unique within a table."""
        return self.name + ("_y" if self.color == "y" else "") + (f"_crop{self.border_px}" if self.border_px else "")

    @property
    def settings(self) -> str:
        """Everything needed to quote the number."""
        color = "RGB" if self.color == "rgb" else "Y of BT.601"
        own = "".join(f"; {name}={value!r}" for name, value in self._own_settings().items())
        return f"{self.implementation}{own}; {color}, 8-bit, {self.border_px} px cut off; mean of per-image values"

    def _own_settings(self) -> dict[str, Any]:
        """What the constructor of a class that says no implementation was given, as far as it keeps it by name."""
        if self.implementation != path_of(type(self)):
            return {}
        names = inspect.signature(type(self)).parameters.keys() - {"color", "border_px"}
        return {name: getattr(self, name) for name in sorted(names) if hasattr(self, name)}

    def unavailable(self) -> str | None:
        """Say why it cannot be computed here, None if it can."""
        return None

    @abstractmethod
    def measure(self, preds: Tensor, target: Tensor) -> Tensor:
        """Measure images of shape (B, C, H, W), range [0, 1]; one number per image, shape (B,).

        A measure that needs no ground truth is given the images themselves as target.
        """

    @torch.no_grad()
    def __call__(self, preds: Tensor, target: Tensor | None) -> list[float | None]:
        """Measure a batch of images of one size; None where an image is too small or has no target.

        Raises:
            ValueError: If `measure` gives anything but one number an image.
        """
        preds = self._prepared(preds)
        if min(preds.shape[2:]) < self.min_side_px or (self.needs_target and target is None):
            return [None] * len(preds)
        reference = preds if target is None else self._prepared(target)
        values = torch.as_tensor(self.measure(preds, reference))
        if values.shape != (len(preds),):
            raise ValueError(
                f"{type(self).__name__}.measure gave shape {tuple(values.shape)} for {len(preds)} image(s): it must "
                "give one number an image, shape (B,)"
            )
        return [float(value) for value in values]

    def _prepared(self, image: Tensor) -> Tensor:
        stored = eight_bit(image.clamp(0, 1))
        edge = self.border_px
        stored = stored[:, :, edge : stored.shape[2] - edge, edge : stored.shape[3] - edge]
        return luma(stored) if self.color == "y" else stored


def path_of(kind: type[Metric]) -> str:
    """Where a class is imported from."""
    return f"{kind.__module__}.{kind.__qualname__}"


def luma(image: Tensor) -> Tensor:
    """Luma of BT.601 in the studio range 16-235, shape (B, 1, H, W), divided by 255.

    Example:
        >>> [round(float(luma(torch.full((1, 3, 1, 1), value))) * 255, 3) for value in (0.0, 1.0)]
        [16.0, 235.0]
    """
    weights = image.new_tensor([65.481, 128.553, 24.966]).view(1, 3, 1, 1)
    return ((image * weights).sum(dim=1, keepdim=True) + 16) / 255
