"""Parts of a run that the next run takes over, because the same class is asked for with the same arguments."""

import json
import time
from typing import Any, TypeVar

from pytorch_lightning import Callback, LightningModule, Trainer

from ldrps.data.scored import ScoredData
from modules.alignment.base import Alignment
from modules.backbones.base import Backbone
from modules.losses.base import Loss
from modules.outputs.base import Output
from modules.priors.base import Prior

Part = TypeVar("Part")

KEPT = (Backbone, Prior, Alignment, Output, Loss, ScoredData)
"""What may hold weights or images. Each starts anew with every batch (`begin`), so a later run may have it as well."""


class KeptParts(Callback):
    """Builds the parts of a run, or takes them from the run before; also says when a run was ready to start.

    A constructor only stores its settings, so the same class with the same arguments is the same part. Each part is
    given away once a run, so that two alike in one model stay two.

    Attributes:
        ready_at: Moment, by `time.perf_counter`, at which the last run had read its weights.
        taken_over: Classes of the parts that the last run took over.
    """

    def __init__(self) -> None:
        self.ready_at = 0.0
        self.taken_over: list[str] = []
        self._backbones = ""
        self._before: dict[str, list[Any]] = {}
        self._now: dict[str, list[Any]] = {}

    def begin(self, settings: Any) -> None:
        """Make what the last run used available to the next one.

        Args:
            settings: Nested settings of the next run. Priors may lie in the folder of a backbone; with another
                backbone nothing is taken over.
        """
        backbones = json.dumps(named("backbone", settings), sort_keys=True, default=str)
        self._before = self._now if backbones == self._backbones else {}
        self._backbones, self._now, self.taken_over = backbones, {}, []

    def __call__(self, class_type: type[Part], *arguments: Any, **settings: Any) -> Part:
        """Build a part or take it over; what jsonargparse calls in place of the constructor."""
        # Parts inside of parts are compared by identity: they are the same if they were taken over themselves.
        key = json.dumps([class_type.__qualname__, arguments, settings], sort_keys=True, default=identity)
        alike = self._before.get(f"{class_type.__module__}.{key}", [])
        if alike:
            self.taken_over.append(class_type.__name__)
        part = alike.pop(0) if alike else class_type(*arguments, **settings)
        if isinstance(part, ScoredData) and part.kept is None:
            part.kept = {}
        self._now.setdefault(f"{class_type.__module__}.{key}", []).append(part)
        return part

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Weights are read and images found."""
        self.ready_at = time.perf_counter()


def identity(thing: Any) -> str:
    """What tells an object from others while both live."""
    return f"{type(thing).__qualname__} {id(thing)}"


def named(name: str, settings: Any) -> list[Any]:
    """Every value of that name in nested settings.

    Example:
        >>> named("a", {"a": 1, "b": {"a": {"c": 2}}})
        [1, {'c': 2}]
    """
    if isinstance(settings, list):
        return [found for value in settings for found in named(name, value)]
    if not isinstance(settings, dict):
        return []
    own = [settings[name]] if name in settings else []
    return own + [found for key, value in settings.items() if key != name for found in named(name, value)]
