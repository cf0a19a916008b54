"""What a run was made with."""

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = (
    "ldrps",
    "torch",
    "pytorch-lightning",
    "diffusers",
    "transformers",
    "torchmetrics",
    "kornia",
    "scikit-image",
)


def software() -> dict[str, str]:
    """Versions of the packages that matter, the machine, and the commit of a source checkout."""
    found = {"python": platform.python_version(), "platform": platform.platform(terse=True)}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    if commit := code_version():
        found["commit"] = commit
    return found


def code_version() -> str:
    """Commit of the checkout this package lies in, with ``+`` where it was changed; empty for an installed package."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return ""
    try:
        commit = subprocess.run(
            ["git", "describe", "--always", "--abbrev=12", "--dirty=+"],
            cwd=root,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return commit.stdout.strip()
