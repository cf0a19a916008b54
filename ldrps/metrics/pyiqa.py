"""Measures of the package pyiqa, which is the user's choice: its licence forbids commercial use."""

import re
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from torch import Tensor, nn

from ldrps.metrics.base import Metric

LOWER_IS_BETTER = frozenset({"niqe", "ilniqe", "pi", "piqe", "brisque"})
"""First words of pyiqa's names, such as ``niqe_matlab``."""


class PyIQA(Metric):
    """A no-reference measure of pyiqa by name, with pyiqa's own default settings.

    Args:
        measure_name: pyiqa's name: ``niqe``, ``pi``, ``musiq`` ...
    """

    needs_target = False
    min_side_px = 96

    def __init__(self, measure_name: str = "niqe") -> None:
        super().__init__()
        self.measure_name = measure_name
        self.name = measure_name
        self._network: nn.Module | None = None

    @property
    def higher_is_better(self) -> bool:  # type: ignore[override]
        """What pyiqa says; before the measure was made, what is known of its family."""
        lower_is_better = getattr(self._network, "lower_better", None)
        if lower_is_better is None:
            lower_is_better = re.split("[_-]", self.measure_name)[0] in LOWER_IS_BETTER
        return not lower_is_better

    @property
    def implementation(self) -> str:  # type: ignore[override]
        """Library and version."""
        try:
            return f"pyiqa {version('pyiqa')}, {self.measure_name}"
        except PackageNotFoundError:
            return f"pyiqa, {self.measure_name}"

    def unavailable(self) -> str | None:
        """See `Metric.unavailable`."""
        if find_spec("pyiqa") is None:
            return "needs pyiqa, whose licence forbids commercial use: pip install pyiqa, if that suits you"
        if self._network is None:
            try:
                import pyiqa

                self._network = pyiqa.create_metric(self.measure_name)
            except Exception as error:
                return f"could not be made ({' '.join(str(error).split())[:120]})"
        return None

    def measure(self, preds: Tensor, target: Tensor) -> Tensor:
        """See `Metric.measure`."""
        if self._network is None:
            raise ValueError(f"{self.measure_name} is not available: {self.unavailable()}")
        return self._network.to(preds.device)(preds).reshape(-1)
