"""What a preset or file is for, where a verb is given one of another kind."""

from collections.abc import Sequence
from pathlib import Path

from ldrps.configuration.layers import Settings, read_preset

RESTORING = "a method"
TRAINING = "a training"

REMEDIES = {
    RESTORING: "ldrps restore IN... --config {}",
    TRAINING: "ldrps fit --config {}",
    "a suite of damage": "ldrps degrade IN... --suite {}",
    "a sweep": "ldrps sweep run {}",
    "a prior": "ldrps restore IN... --prior {}",
}
"""The command that takes each kind."""

DEFAULT_DATA = {
    "predict": "ldrps.data.images.ImageData",
    "test": "ldrps.data.pairs.PairedData",
    "fit": "ldrps.data.photos.PhotoData",
    "validate": "ldrps.data.photos.PhotoData",
}
"""What `--data` is where neither a file nor the command line says so."""


def purpose(settings: Settings) -> str | None:
    """What settings are for; None if they do not say.

    Example:
        >>> purpose({"suites": ["haze"]}), purpose({"trainer": {"max_steps": 3}})
        ('a suite of damage', None)
    """
    if {"degradation", "suites"} & settings.keys():
        return "a suite of damage"
    if "parameters" in settings:
        return "a sweep"
    if "class_path" in settings:
        return "a prior"
    model = settings.get("model")
    class_path = str(model.get("class_path", "") if isinstance(model, dict) else model)
    kinds = {"ldrps.training.": TRAINING, "ldrps.methods.": RESTORING}
    return next((kind for start, kind in kinds.items() if class_path.startswith(start)), None)


def check_purpose(names: Sequence[str], wanted: str, verb: str) -> None:
    """Refuse presets and files that are for something else.

    Args:
        names: Presets or files.
        wanted: What they must be for.
        verb: Who asks.

    Raises:
        ValueError: If one is for something else; see also `read_preset`.
    """
    for name in names:
        found = purpose(read_preset(name))
        if found not in (None, wanted):
            # Verbs that take one kind only know their presets by the last part of the name.
            is_whole = found in (RESTORING, TRAINING) or Path(name).is_file()
            command = REMEDIES[str(found)].format(name if is_whole else Path(name).name)
            raise ValueError(f"config {name!r} is {found}, no config of `ldrps {verb}`: use `{command}`")
