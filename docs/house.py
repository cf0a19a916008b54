"""`make docs-figures`: the rooms of the house, floor by floor as the import contract states them, and one photo's way.

python docs/house.py [FILE]
"""

import sys
import tomllib
from pathlib import Path

from matplotlib import pyplot as plt
from matplotlib.patches import FancyBboxPatch

HERE = Path(__file__).parent
ROOMS = {
    "cli": "dispatches, nothing else",
    "commands": "one verb a file: restore, test, degrade, caption …",
    "sweeps": "points, searches, workers, tables",
    "configuration": "presets in layers, Lightning's command line",
    "callbacks": "write pictures and rows, show progress, track",
    "methods": "restorer · ld_rps · ir_sde · auto · baselines",
    "training": "trainings of the embedded models",
    "results": "run folders, tables, pictures, report",
    "metrics": "PSNR, SSIM, LPIPS …",
    "data": "photos, pairs, suites, shards, files",
    "modules": "backbones · alignment · losses · outputs · priors",
    "degradations": "blur · noise · coding · light · weather · missing …",
}
WALK = [
    ("commands", "restore.py reads the options"),
    ("configuration", "layers.py puts them over the preset"),
    ("data", "images.py reads the photo"),
    ("methods", "restorer.py, then ld_rps/algorithm.py"),
    ("modules", "prior, backbone, alignment, losses, output"),
    ("callbacks", "image_writer.py writes what came out"),
]
"""Where the photo is, in order, and what happens there."""

BADGE = {
    "color": "white",
    "fontsize": 7.5,
    "weight": "bold",
    "ha": "center",
    "va": "center",
    "bbox": {"boxstyle": "circle,pad=0.25", "fc": "#a33", "ec": "none"},
}


def floors() -> list[list[str]]:
    """Rooms of each floor from the top, as pyproject.toml's import contracts have them."""
    settings = tomllib.loads((HERE.parent / "pyproject.toml").read_text(encoding="utf-8"))
    inside, outside = (
        next(own for own in settings["tool"]["importlinter"]["contracts"] if own["name"].startswith(start))["layers"]
        for start in ("Inside ldrps", "Imports go down")
    )
    return [[room.strip() for room in floor.split("|")] for floor in [*inside, *outside[1:]]]


def main(file: str = str(HERE / "pictures" / "house.png")) -> None:
    """Draw the house."""
    rows = floors()
    figure, axes = plt.subplots(figsize=(11, 0.72 * len(rows)))
    for number, rooms in enumerate(rows):
        bottom, width = len(rows) - 1 - number, 7.4 / len(rooms)
        for position, room in enumerate(rooms):
            left = position * width
            color = "#f3e9d2" if room in ("modules", "degradations") else "#dbe7f0"
            shape = FancyBboxPatch(
                (left + 0.05, bottom + 0.1), width - 0.1, 0.8, "round,pad=0,rounding_size=0.08", fc=color, ec="#556"
            )
            axes.add_patch(shape)
            name = "cli.py" if room == "cli" else f"{room}/"
            axes.text(left + 0.15, bottom + 0.66, name, weight="bold", va="center", fontsize=9)
            axes.text(left + 0.15, bottom + 0.34, ROOMS[room], va="center", fontsize=7.5)
            for step, (where, what) in enumerate(WALK, 1):
                if where == room:
                    axes.text(left + width - 0.25, bottom + 0.66, str(step), **BADGE)
                    axes.text(7.75, bottom + 0.5, str(step), **BADGE)
                    axes.text(7.98, bottom + 0.5, what, va="center", fontsize=8)
    axes.text(7.65, len(rows) + 0.1, "one photo's way through `ldrps restore`", fontsize=8.5, style="italic")
    axes.text(0.1, len(rows) + 0.1, "imports go down only", fontsize=8.5, style="italic")
    axes.set(xlim=(0, 11), ylim=(0, len(rows) + 0.3))
    axes.axis("off")
    figure.savefig(file, dpi=110, bbox_inches="tight", metadata={"Software": None})
    plt.close(figure)


if __name__ == "__main__":
    main(*sys.argv[1:])
