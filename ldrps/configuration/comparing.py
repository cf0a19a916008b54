"""Several methods in one run, each a preset or file of its own."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ldrps.configuration.handing_down import OPTION, is_known
from ldrps.configuration.layers import Settings, read_preset
from ldrps.configuration.presets import preset_model


def comparison(configs: Sequence[str], settings: Sequence[str], with_baselines: bool) -> Settings:
    """Put the restorers of several presets into one, as the setting ``model``.

    Args:
        configs: Preset names or files; one may hold a comparison itself.
        settings: Changes to those of them that know them, such as ``--model.seed=3``.
        with_baselines: Add the simple tools.

    Raises:
        ValueError: If two restorers would share a name, none of them knows a setting, or a preset is wrong.
    """
    # What is misspelt is told before what takes seconds to import.
    models = {config: whole_model(config) for config in configs}
    from ldrps.methods.comparison import Comparison

    # What nobody knows is given to all, whose parser says so.
    for_all = [setting for setting in settings if not any(takes(model, setting) for model in models.values())]
    restorers: dict[str, Any] = {}
    for config in [*configs, *(["baselines"] if with_baselines else [])]:
        is_simple = config == "baselines"
        changes = [] if is_simple else [one for one in settings if one in for_all or takes(models[config], one)]
        model = preset_model(config, changes)
        members = {Path(config).stem: model}
        if model["class_path"].rpartition(".")[2] == Comparison.__name__:
            members = model["init_args"]["restorers"]
        if shared := sorted(members.keys() & restorers.keys()):
            raise ValueError(f"two restorers are called {shared[0]!r}: rename a config file")
        restorers |= members
    return {"class_path": f"{Comparison.__module__}.{Comparison.__qualname__}", "init_args": {"restorers": restorers}}


def takes(model: Settings, setting: str) -> bool:
    """Whether a method, or one inside it, knows a setting such as ``--model.seed=3``."""
    name = setting.removeprefix(OPTION).partition("=")[0].partition(".")[0]
    return is_known(model, name)


def whole_model(config: str) -> Settings:
    """The method of a preset or file, which must be one of its own.

    Raises:
        ValueError: If it names no class, or does not exist.
    """
    model = read_preset(config).get("model")
    if model is None or (isinstance(model, dict) and "class_path" not in model):
        raise ValueError(
            f"config {config!r} names no method: each --config of `ldrps test` is a method of its own, and a file that "
            "says what differs from another begins with `inherits: blind`, or what the other is called"
        )
    return model if isinstance(model, dict) else {"class_path": model}
