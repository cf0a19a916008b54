"""Quality against seconds, with the points that nothing beats in both."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from ldrps.results.tables import with_images
from ldrps.sweeps.outcome import DEGRADED, Outcome


def pareto(seconds: Sequence[float], quality: Sequence[float], higher_is_better: bool = True) -> list[int]:
    """Places of the points that no other beats in one without losing in the other, from the fastest on.

    Example:
        >>> pareto([1.0, 2.0, 3.0, 1.0], [5.0, 7.0, 6.0, 4.0])
        [0, 1]
    """
    sign = 1 if higher_is_better else -1
    front: list[int] = []
    for place in sorted(range(len(seconds)), key=lambda place: (seconds[place], -sign * quality[place])):
        if not front or sign * quality[place] > sign * quality[front[-1]]:
            front.append(place)
    return front


def front_of(
    complete: Sequence[int], seconds: Sequence[float], quality: Sequence[float], higher_is_better: bool
) -> list[int]:
    """Places of the front among the points that lack no image: the others' means are not comparable."""
    front = pareto([seconds[place] for place in complete], [quality[place] for place in complete], higher_is_better)
    return [complete[place] for place in front]


def plot(outcome: Outcome) -> Image.Image | None:
    """Draw each point's mean with its interval over its median seconds an image, and the front; None if empty."""
    numbered = [
        (number, entry, score)
        for number, entry in enumerate(outcome.entries, 1)
        if (score := outcome.score(entry)) is not None and score.count
    ]
    if not numbered:
        return None
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.8), dpi=110, layout="constrained")
    axes = figure.subplots()
    times = [max(entry.seconds, 1e-3) for _, entry, _ in numbered]
    quality = [score.mean for _, _, score in numbered]
    complete = [place for place, (_, entry, _) in enumerate(numbered) if outcome.is_complete(entry)]
    front = front_of(complete, times, quality, outcome.higher_is_better)
    axes.plot([times[place] for place in front], [quality[place] for place in front], color="#a33", lw=1, label="front")
    for place, (number, entry, score) in enumerate(numbered):
        spread = [[score.mean - score.low], [score.high - score.mean]]
        color = "#a33" if place in front else "#456"
        marker = "s" if entry is outcome.baseline else "o"
        # Hollow where the mean is of fewer images than others'.
        face = color if place in complete else "none"
        axes.errorbar(times[place], score.mean, yerr=spread, fmt=marker, ms=4, lw=0.6, color=color, mfc=face, alpha=0.9)
        where = (times[place], score.mean)
        axes.annotate(
            with_images(score, str(number)), where, xytext=(4, 4), textcoords="offset points", fontsize=8, color=color
        )
    before = outcome.scores.get((outcome.suites[0], DEGRADED, outcome.metric))
    if before is not None and before.count:
        axes.axhline(before.mean, linestyle=":", color="grey")
        axes.annotate(DEGRADED, (0.01, before.mean), xycoords=("axes fraction", "data"), color="grey", fontsize=9)
    title = f"{outcome.sweep.name}: mean and 95 % interval; numbers as in the table, the baseline a square"
    axes.set(xscale="log", xlabel="median seconds an image", ylabel=f"{outcome.metric} ({outcome.suites[0]})")
    axes.set_title(title, fontsize=10)
    axes.grid(alpha=0.3)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())
