"""Checkpoints that earlier versions wrote."""

from collections.abc import Sequence
from typing import Any


def in_two_groups(checkpoint: dict[str, Any], decays: Sequence[bool]) -> None:
    """Divide the one group of an optimiser's parameters into those that decay and the others, as they are now.

    Args:
        checkpoint: What Lightning read; changed where it is such a one and fits the training.
        decays: Whether each trained parameter decays, in the order of the module.
    """
    for optimizer, schedule in zip(
        checkpoint.get("optimizer_states", []), checkpoint.get("lr_schedulers", []), strict=False
    ):
        group, *more = optimizer["param_groups"]
        if more or len(group["params"]) != len(decays) or len(set(decays)) < 2:
            continue
        parts: dict[bool, list[int]] = {True: [], False: []}
        for number, does_decay in zip(group["params"], decays, strict=True):
            parts[does_decay].append(number)
        optimizer["param_groups"] = [
            {**group, "params": parts[True]},
            {**group, "params": parts[False], "weight_decay": 0.0},
        ]
        for name in ("base_lrs", "_last_lr", "lr_lambdas"):
            schedule[name] = 2 * schedule[name]
