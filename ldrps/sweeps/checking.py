"""Whether every setting of a sweep exists and every value fits, before the first point runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ldrps.configuration import lightning_cli
from ldrps.configuration.presets import check_model
from ldrps.configuration.quiet import quieten
from ldrps.sweeps.sweep import Sweep, merged_settings
from ldrps.sweeps.worker import MakeRun, only_method


def check(sweep: Sweep, make_run: MakeRun) -> None:
    """Build what each value asks for, one parameter at a time, the others at their first value; no weights are read.

    Args:
        sweep: The sweep.
        make_run: Makes the run of a point.

    Raises:
        ValueError: If a setting does not exist or a value does not fit; the message names them.
    """
    quieten()
    is_whole = not {"clean", "pairs"}.isdisjoint(sweep.parameters)
    if not is_whole:
        sweep = sweep.with_constants({"clean": ["photos"], "suite": ["noise_25"]})
    first = {name: own.examples()[0] for name, own in sweep.parameters.items()}
    try:
        check_values(first, make_run, lightning_cli.CheckWithData if is_whole else lightning_cli.Check)
    except ValueError as error:
        label = sweep.point({own.name: first[own.name] for own in sweep.varying}).label
        raise ValueError(f"{sweep.name}, first point ({label}): {error}") from error
    for own in sweep.varying:
        for value in own.examples():
            try:
                check_values({**first, own.name: value}, make_run)
            except ValueError as error:
                raise ValueError(
                    f"{sweep.name}: parameters.{own.name}, value {sweep.word(own.name, value)}: {error}"
                ) from error


def check_values(values: Mapping[str, Any], make_run: MakeRun, whole: type[lightning_cli.Check] | None = None) -> None:
    """Build one point.

    Args:
        values: Value of each parameter.
        make_run: Makes the run of a point.
        whole: How to check more than the model, which takes longer; None does so only for settings that need it.

    Raises:
        ValueError: See `check`.
    """
    settings = merged_settings(values)
    run, changes = make_run(settings, Path("unused"))
    nested = run()
    only_method(nested)
    about_others = [name for name in settings if "." in name and not name.startswith("model.")]
    if whole or about_others:
        lightning_cli.run("test", nested, changes, command_line=whole or lightning_cli.Check)
        return
    [model] = nested["model"]["init_args"]["restorers"].values()
    check_model(model)
