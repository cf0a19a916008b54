"""Pictures of a run: previews, grids of the best, median and worst, quality against seconds."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ldrps.data.image_files import read_picture
from ldrps.results.contact_sheet import contact_sheet, thumbnail
from ldrps.results.run_folder import INPUT, TARGET, Row
from ldrps.results.summary import OVERALL, Score
from ldrps.results.tables import digits_of, with_images
from modules.pictures import to_pil
from modules.safe_files import complete_or_absent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PREVIEW_PX = 320
"""Longer side of the pictures a run keeps for looking at."""


LABEL_PX = 14
"""Height of a name in the plot."""


class Previews:
    """Small JPEG copies of what a run saw and made.

    Args:
        folder: The run folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "pictures"

    def path(self, suite: str, name: str, kind: str) -> Path:
        """File of one picture; kind is ``input``, ``target`` or a method's name."""
        return self.folder / suite / f"{name}.{kind}.jpg"

    def write(self, suite: str, name: str, kind: str, image: Tensor) -> None:
        """Keep a picture, shape (3, H, W), range [0, 1]."""
        write_jpeg(to_pil(thumbnail(image, PREVIEW_PX)), self.path(suite, name, kind))

    def read(self, suite: str, name: str, kind: str) -> Tensor | None:
        """Read a picture back; None if it was not kept."""
        path = self.path(suite, name, kind)
        return read_picture(path).image if path.is_file() else None


def write_jpeg(image: Image.Image, path: Path) -> None:
    """Write a JPEG for looking at, complete or absent."""
    with complete_or_absent(path) as stream:
        image.save(stream, format="JPEG", quality=93, subsampling="4:4:4")


def best_median_worst(
    rows: Sequence[Row], suite: str, restorer: str, metric: str, higher_is_better: bool = True
) -> list[tuple[str, Row]]:
    """Pick three results of a method on a suite by a measure, fewer where there are fewer."""
    own = [row for row in rows if row.suite == suite and row.restorer == restorer and row.error is None]
    own = [row for row in own if row.metrics.get(metric) is not None]
    sign = -1 if higher_is_better else 1
    ranked = sorted(own, key=lambda row: (sign * (row.metrics[metric] or 0.0), row.name))
    places = {"best": 0, "median": (len(ranked) - 1) // 2, "worst": len(ranked) - 1}
    picked: dict[str, tuple[str, Row]] = {}
    for label, place in places.items():
        if ranked:
            picked.setdefault(ranked[place].name, (label, ranked[place]))
    return list(picked.values())


def grid(
    rows: Sequence[Row], previews: Previews, suite: str, restorer: str, metric: str, higher_is_better: bool = True
) -> Image.Image | None:
    """Input, output and target of the best, median and worst result; None if no picture was kept."""
    before = {
        (row.name, row.key): row.metrics.get(metric) for row in rows if row.restorer == INPUT and row.suite == suite
    }
    tiles = []
    for label, row in best_median_worst(rows, suite, restorer, metric, higher_is_better):
        pictures = [previews.read(suite, row.name, kind) for kind in (INPUT, restorer, TARGET)]
        if any(picture is None for picture in pictures):
            continue
        texts = [f"{label}: {row.name}", restorer, TARGET]
        for place, value in enumerate((before.get((row.name, row.key)), row.metrics[metric])):
            texts[place] += "" if value is None else f", {metric} {value:.{digits_of(metric)}f}"
        tiles += [(text, picture) for text, picture in zip(texts, pictures, strict=True) if picture is not None]
    return contact_sheet(tiles, columns=3) if tiles else None


def film_strip(frames: Sequence[Tensor]) -> Image.Image:
    """Put frames, shape (3, H, W), side by side."""
    return to_pil(torch.cat([thumbnail(frame, 192) for frame in frames], dim=2))


def quality_against_seconds(scores: Sequence[Score], seconds: dict[str, float], metric: str) -> Image.Image | None:
    """Plot each method's mean quality, with its interval, over its median seconds an image."""
    suites = {score.suite for score in scores}
    suite = OVERALL if OVERALL in suites else next(iter(suites), "")
    points = [
        (score, seconds[score.restorer])
        for score in scores
        if score.suite == suite and score.metric == metric and score.restorer in seconds and score.count
    ]
    if not points:
        return None
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.2), dpi=110, layout="constrained")
    axes = figure.subplots()
    for score, time in points:
        spread = [[score.mean - score.low], [score.high - score.mean]]
        axes.errorbar(max(time, 1e-3), score.mean, yerr=spread, fmt="o", capsize=3)
    before = [score for score in scores if (score.suite, score.metric, score.restorer) == (suite, metric, INPUT)]
    for score in before:
        axes.axhline(score.mean, linestyle=":", color="grey")
        axes.annotate(INPUT, (0.01, score.mean), xycoords=("axes fraction", "data"), color="grey", fontsize=9)
    axes.set(xscale="log", xlabel="median seconds an image", ylabel=metric, title=f"{suite}, mean and 95 % interval")
    axes.grid(alpha=0.3)
    axes.margins(x=0.12)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    label(axes, [(with_images(score, score.restorer), max(time, 1e-3), score.mean) for score, time in points])
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())


def label(axes: "Axes", points: Sequence[tuple[str, float, float]]) -> None:
    """Name points beside them; where names would overlap, the later one moves up and a line leads to it.

    Args:
        axes: Drawn once, so that places are known.
        points: Name, x and y.
    """
    places = [axes.transData.transform(point[1:]) for point in points]
    taken = [(float(left) - 5, float(left) + 5, float(middle) - LABEL_PX / 2) for left, middle in places]
    for name, x, y in sorted(points, key=lambda point: point[2]):
        left, bottom = (float(place) + gap for place, gap in zip(axes.transData.transform((x, y)), (8, 4), strict=True))
        width = LABEL_PX * 0.62 * len(name)
        top = bottom
        while any(
            abs(top - other) < LABEL_PX * 1.25 and left < end and start < left + width for start, end, other in taken
        ):
            top += 2
        taken.append((left, left + width, top))
        line = {"arrowstyle": "-", "color": "grey", "linewidth": 0.6} if top > bottom else None
        axes.annotate(name, (x, y), xytext=(left, top), textcoords="figure pixels", fontsize=9, arrowprops=line)
