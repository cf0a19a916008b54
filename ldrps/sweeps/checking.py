"""Whether every setting of a sweep exists and every value fits, before the first point runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ldrps.configuration import lightning_cli
from ldrps.configuration.kept_parts import named
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
    is_whole = has_images(sweep)
    if not is_whole:
        in_place = {"clean": ["photos"], "suite": ["noise_25"]}
        own_names = first_settings(sweep)
        sweep = sweep.with_constants({name: value for name, value in in_place.items() if name not in own_names})
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


def check_images(sweep: Sweep) -> None:
    """Make sure that a sweep says which images its points are to restore.

    Args:
        sweep: The sweep, with what the command line fixes.

    Raises:
        ValueError: If it does not.
    """
    if not has_images(sweep):
        raise ValueError(
            f"{sweep.name} says nothing of the images: add --clean IN... (and --suite NAME... where the sweep names "
            "none), or --pairs FOLDER"
        )


def has_images(sweep: Sweep) -> bool:
    """Whether a sweep says where its images lie."""
    return not {"clean", "pairs"}.isdisjoint(first_settings(sweep))


def first_settings(sweep: Sweep) -> dict[str, Any]:
    """Settings of a point of the first value of each parameter."""
    return merged_settings({name: own.examples()[0] for name, own in sweep.parameters.items()})


def check_values(values: Mapping[str, Any], make_run: MakeRun, whole: type[lightning_cli.Check] | None = None) -> None:
    """Build one point.

    Args:
        values: Value of each parameter.
        make_run: Makes the run of a point.
        whole: How to check more than the model, which takes longer; None does so only for settings that need it.

    Raises:
        ValueError: See `check`.
    """
    # Not earlier: what it imports is to be quiet.
    from modules.backbones.loading import check_source

    settings = merged_settings(values)
    run, changes = make_run(settings, Path("unused"))
    nested = run()
    only_method(nested)
    for path in named("path", named("backbone", nested["model"])):
        check_source(str(path))
    about_others = [name for name in settings if "." in name and not name.startswith("model.")]
    if whole or about_others:
        lightning_cli.run("test", nested, changes, command_line=whole or lightning_cli.Check)
        return
    [model] = nested["model"]["init_args"]["restorers"].values()
    check_model(model)
