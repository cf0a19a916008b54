"""Modules of version 0.1.0 that have moved, so that its receipts and suites keep working."""

from collections.abc import Mapping
from typing import Any

ROOMS = {
    "blur": "box_blur camera_shake defocus_blur elliptical_blur gaussian_blur generalised_gaussian_blur mixed_blur "
    "motion_blur plateau_blur ringing sinc_filter",
    "coding": "banding jpeg webp",
    "light": "colour_cast grey low_light",
    "missing": "box_mask free_form_mask random_mask",
    "noise": "camera_noise gaussian_noise poisson_noise salt_and_pepper speckle_noise",
    "resolution": "down_sampling resize",
    "weather": "haze rain snow",
}
"""The folder that each module went to, from the root of the package."""

MOVED = {
    f"degradations.{name}": f"degradations.{room}.{name}" for room, names in ROOMS.items() for name in names.split()
}


def current(class_path: str, moved: Mapping[str, str]) -> str:
    """Where a class is today; texts that are no moved class path come back as they are."""
    module, dot, name = class_path.rpartition(".")
    return f"{moved.get(module, module)}{dot}{name}"


def with_current_names(settings: Any, moved: Mapping[str, str] = MOVED) -> Any:
    """Bring every class path in settings up to date.

    Args:
        settings: Nested lists and mappings, as YAML and JSON hold them.
        moved: Modules by their old names.

    Example:
        >>> with_current_names({"class_path": "degradations.haze.Haze", "init_args": {"grid_size": 4}})
        {'class_path': 'degradations.weather.haze.Haze', 'init_args': {'grid_size': 4}}
    """
    if isinstance(settings, dict):
        return {name: with_current_names(value, moved) for name, value in settings.items()}
    if isinstance(settings, list):
        return [with_current_names(value, moved) for value in settings]
    return current(settings, moved) if isinstance(settings, str) else settings
