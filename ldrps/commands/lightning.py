"""Lightning's own verbs: fit, validate, test, predict."""

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ldrps.configuration.purposes import DEFAULT_DATA
from ldrps.data.inputs import check_inputs

if TYPE_CHECKING:
    from ldrps.configuration.layers import Settings

WHEN_INTERRUPTED = "interrupted; what was finished so far is kept"

OF_THE_WRITER = {
    "--output": "--writer.output",
    "--overwrite": "--writer.overwrite true",
    "--resume": "--writer.resume true",
}
"""What the everyday options that remedies name are called for `ldrps predict`, which has none of them."""


def run(verb: str, arguments: Sequence[str]) -> int:
    """Run one of Lightning's verbs and return its exit code; ``--config`` takes names of presets."""
    from ldrps.configuration.arguments import split_configs
    from ldrps.configuration.layers import read_presets
    from ldrps.configuration.purposes import RESTORING, TRAINING, check_purpose

    configs, others = split_configs(arguments)
    check_purpose(configs, RESTORING if verb in ("predict", "test") else TRAINING, verb)
    try:
        return run_verb(verb, lambda: read_presets(configs), others)
    except ValueError as error:
        raise ValueError(with_dotted_names(str(error)) if verb == "predict" else str(error)) from error


def with_dotted_names(sentence: str) -> str:
    """Call options in a remedy what `ldrps predict` calls them.

    Example:
        >>> with_dotted_names("choose another --output")
        'choose another --writer.output'
    """
    return re.sub(r"(?<!\S)--\w+", lambda option: OF_THE_WRITER.get(option[0], option[0]), sentence)


def run_verb(
    verb: str,
    settings: Callable[[], "Settings"],
    changes: Sequence[str],
    is_done: Callable[[], bool] | None = None,
) -> int:
    """Run one of Lightning's verbs with settings and return its exit code.

    Args:
        verb: fit, validate, test or predict.
        settings: Makes the nested settings of the run; it may raise what a wrong one raises.
        changes: Changes to them by dotted name, as on the command line.
        is_done: Whether there is nothing left to do; None if only the run itself can tell.
    """
    from ldrps.configuration.quiet import quieten, tell

    tell()
    # What is misspelt is told before what takes seconds to import.
    nested = settings()
    if not any(change.startswith(("--data", "--print_config")) for change in changes):
        check_inputs(everyday_inputs(nested))
    if is_done is not None and is_done():
        return 0
    quieten()
    from ldrps.configuration import lightning_cli

    records = lightning_cli.run(verb, nested, changes)
    failed = [record for record in records if record.error is not None]
    if not failed:
        return 0
    # Nothing that could be read is wrong use; anything that failed while it was restored is a failed run.
    return 2 if len(failed) == len(records) and not any(record.seconds for record in failed) else 1


def everyday_inputs(settings: "Settings") -> list[str]:
    """The photos that settings name, where they do so as the everyday verbs do.

    Example:
        >>> everyday_inputs({"data": {"init_args": {"inputs": ["a.png"]}}}), everyday_inputs({"data": "my.Data"})
        (['a.png'], [])
    """
    of_images, data = DEFAULT_DATA["predict"], settings.get("data")
    if not isinstance(data, dict) or data.get("class_path", of_images) != of_images:
        return []
    return list(data.get("init_args", {}).get("inputs", []))
