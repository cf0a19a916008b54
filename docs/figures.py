"""`make docs-figures`: a strip of each degradation at three severities, and sheets of wild draws.

python docs/figures.py [FOLDER]
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import torch
import yaml
from rich.progress import track
from skimage import data as skimage_data

from degradations.base import Degradation
from degradations.blur.mixed_blur import MixedBlur
from degradations.description import build, operators
from degradations.drawing import generators_for
from degradations.pipeline import Composition
from degradations.suites import load_suites
from degradations.wild import Wild
from ldrps.data.image_files import write_picture
from ldrps.data.shipped import suite_folder
from ldrps.results.contact_sheet import contact_sheet

HERE = Path(__file__).parent
SEVERITIES = HERE / "severities.yaml"
SIDE_PX = 160


def shown() -> dict[str, type[Degradation]]:
    """Degradations that have a strip: all but those that are made of others."""
    composed = (Composition, MixedBlur, Wild)
    return {kind.__name__: kind for kind in operators().values() if not issubclass(kind, composed)}


def photo() -> torch.Tensor:
    """A detail of scikit-image's cat, shape (3, H, W)."""
    crop = skimage_data.cat()[40 : 40 + SIDE_PX, 110 : 110 + SIDE_PX]
    return torch.from_numpy(crop.copy()).permute(2, 0, 1).float() / 255


def strips() -> Iterator[tuple[str, list[tuple[str, torch.Tensor]]]]:
    """Name and tiles of each strip."""
    kinds = {kind.__name__: path for path, kind in operators().items()}
    clean = photo()
    for name, settings in yaml.safe_load(SEVERITIES.read_text()).items():
        tiles = [("clean", clean)]
        varied = [key for key in settings[0] if len({str(setting[key]) for setting in settings}) > 1]
        for setting in settings:
            label = ", ".join(
                f"{key} {setting[key][0] if isinstance(setting[key], list) else setting[key]}" for key in varied
            )
            tiles.append(
                (
                    label,
                    build({"class_path": kinds[name], "init_args": setting})(clean[None], generators_for(0, [0]))[0],
                )
            )
        yield name, tiles


def main(folder: str = str(HERE / "pictures" / "degradations")) -> None:
    """Draw everything into a folder."""
    target = Path(folder)
    for name, tiles in track(list(strips()), "degradations"):
        write_picture(contact_sheet(tiles, columns=4), target / f"{name}.webp")
    for suite in track(("wild_light", "wild_medium", "wild_heavy"), "wild"):
        [wild] = load_suites(suite, suite_folder()).values()
        clean = photo()[None].expand(16, -1, -1, -1)
        generators = generators_for(0, range(16))
        words = wild.words(wild.sample_parameters(generators))
        degraded = wild(clean, generators_for(0, range(16)))
        tiles = [(", ".join(row) or "nothing", image) for row, image in zip(words, degraded, strict=True)]
        write_picture(contact_sheet(tiles, columns=8), target / f"{suite}.webp")


if __name__ == "__main__":
    main(*sys.argv[1:])
