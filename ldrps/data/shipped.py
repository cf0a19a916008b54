"""Where the YAML files are that come with the package."""

from pathlib import Path

PACKAGE = Path(__file__).parents[1]


def preset_folder() -> Path:
    """Folder of the shipped YAML files: inside the installed package, or beside it in a checkout."""
    installed = PACKAGE / "configs"
    return installed if installed.is_dir() else PACKAGE.parent / "configs"


def suite_folder() -> Path:
    """Folder of the suites among them."""
    return preset_folder() / "suites"
