"""The pages of the reference, made of the code each time the documentation is built, so that they cannot go stale."""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from itertools import groupby, takewhile
from pathlib import Path

from ldrps.cli import EVERYDAY, SUMMARY
from ldrps.commands.options import make_parser
from ldrps.commands.sweep import ACTIONS
from ldrps.data.shipped import preset_folder, suite_folder
from ldrps.metrics.base import Metric
from ldrps.metrics.pyiqa import PyIQA
from ldrps.results.templates import environment

FAMILIES = {
    "Methods": ("A method restores a batch of images: `model` in a preset.", ("ldrps.methods", "modules.windows")),
    "Priors": ("Says what a photo shows: `--prior`, or `model.prior`.", ("modules.priors",)),
    "Backbones and schedulers": (
        "The latent diffusion model and its noise: `model.backbone`, `model.backbone.scheduler`.",
        ("modules.backbones", "modules.schedulers", "modules.sde"),
    ),
    "Alignment nets": ("What the damage of a photo is taken to be: `model.alignment`.", ("modules.alignment",)),
    "Losses": ("Terms by name in `model.losses` and `model.alignment_losses`.", ("modules.losses",)),
    "Outputs": ("What is made of the sample and the photo in the end: `model.output`.", ("modules.outputs",)),
    "Networks": ("Networks that priors, alignment nets, outputs and methods are made of.", ("modules.networks",)),
    "Degradations": ("What a suite does to clean photos.", ("degradations",)),
    "Data": ("Where images come from: `data`.", ("ldrps.data",)),
    "Callbacks": ("What happens beside a run: writing, plans, progress, tables.", ("ldrps.callbacks",)),
    "Trainings": ("How the embedded models are trained: `model` in a preset of `train/`.", ("ldrps.training",)),
    "Run folders and sweeps": ("What runs and sweeps leave, to read it in Python.", ("ldrps.results", "ldrps.sweeps")),
}
"""Of each family what it is, and the packages or modules that hold it."""

LICENCES = {
    "psnr": "torchmetrics, Apache-2.0",
    "psnr_gt_mean": "torchmetrics, Apache-2.0",
    "ssim": "kornia, Apache-2.0",
    "ms_ssim": "torchmetrics, Apache-2.0",
    "clip_iqa": "torchmetrics, Apache-2.0; weights of CLIP, MIT",
    "lpips": "torchmetrics, Apache-2.0; weights BSD-2-Clause",
    "dists": "torchmetrics, Apache-2.0; weights MIT",
    "ciede2000": "scikit-image, BSD-3-Clause",
    "niqe": "pyiqa, CC BY-NC-SA 4.0: not for commercial use",
}
"""Of the implementation, where it is not this project's own."""


def pages() -> dict[str, str]:
    """All generated pages by name."""
    made = {"commands": commands(), "presets": presets(), "suites": suites(), "metrics": metrics()}
    made |= {page_name(title): classes(title, *family) for title, family in FAMILIES.items()}
    card = (preset_folder().parent / "ldrps" / "pretrained" / "mini" / "README.md").read_text(encoding="utf-8")
    return made | {"model_card": re.sub(r"\]\((\.\./)+docs/", "](../", card)}


def write(folder: Path) -> None:
    """Write all generated pages into ``folder/reference``, and the slider's style beside the theme's."""
    target = folder / "reference"
    target.mkdir(exist_ok=True)
    (folder / "_static").mkdir(exist_ok=True)
    made = pages()
    for path in target.glob("*.md"):
        if path.stem not in made:
            path.unlink()
    for name, text in made.items():
        put(target / f"{name}.md", text)
    put(folder / "_static" / "slider.css", str(environment().get_template("slider.html.j2").module.style()))
    put(folder / "_static" / "gallery.txt", gallery(folder / "pictures" / "gallery"))


def put(path: Path, text: str) -> None:
    """Write a file, unless it says so already: Sphinx builds what changed."""
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def page_name(title: str) -> str:
    """File name of a page.

    Example:
        >>> page_name("Alignment nets")
        'alignment_nets'
    """
    return title.lower().replace(" ", "_")


def found(packages: tuple[str, ...]) -> Iterator[type]:
    """Public classes that are defined in packages or modules."""
    for package in packages:
        root = importlib.import_module(package)
        inside = pkgutil.walk_packages(getattr(root, "__path__", []), f"{package}.")
        for name in [package, *(info.name for info in inside)]:
            for own, value in vars(importlib.import_module(name)).items():
                if inspect.isclass(value) and value.__module__ == name and not own.startswith("_"):
                    yield value


def by_autodoc(kind: str, name: str, *options: str) -> str:
    """What Sphinx makes of a docstring."""
    return "\n".join([f"```{{eval-rst}}\n.. {kind}:: {name}", *(f"   {option}" for option in options), "```\n"])


def classes(title: str, introduction: str, packages: tuple[str, ...]) -> str:
    """Every public class of packages, by autodoc."""
    lines = [f"# {title}\n", f"{introduction}\n"]
    for cls in found(packages):
        lines.append(f"## {cls.__name__}\n")
        lines.append(by_autodoc("autoclass", f"{cls.__module__}.{cls.__qualname__}", ":members:"))
    return "\n".join(lines)


def commands() -> str:
    """The help of every verb, as its parser prints it."""
    lines = ["# Commands\n", "What `ldrps VERB --help` prints. Settings by dotted name: [presets](presets.md).\n"]
    lines.append(f"```text\n{SUMMARY.strip()}\n```\n")
    verbs = [verb for verb in EVERYDAY if verb != "sweep"] + [f"sweep {action}" for action in ACTIONS]
    for verb in verbs:
        name = verb.replace(" ", "_")
        options = getattr(importlib.import_module(f"ldrps.commands.{name}"), name.title().replace("_", ""))
        lines.append(f"## ldrps {verb}\n\n```text\n{make_parser(verb, options).format_help().strip()}\n```\n")
    return "\n".join(lines)


def comment_of(path: Path) -> list[str]:
    """Paragraphs of the comment at the top of a YAML file; what is indented in it is a block of code."""
    lines = takewhile(lambda line: line.startswith("#"), path.read_text(encoding="utf-8").splitlines())
    parts = []
    for is_code, own in groupby(lines, lambda line: line.startswith("#   ")):
        said = [line.lstrip("# ") for line in own]
        parts.append("\n".join(["```text", *said, "```"]) if is_code else " ".join(said))
    return parts


def described(path: Path) -> str:
    """A YAML file with the comment at its top as text."""
    settings = re.sub(r"\A(#.*\n)+", "", path.read_text(encoding="utf-8")).strip()
    return "\n\n".join([*comment_of(path), f"```yaml\n{settings}\n```\n"])


def presets() -> str:
    """Every preset: what it is for, what it builds on, what it says."""
    lines = [
        "# Presets\n",
        "By name after `--config`: those of `restore` for `ldrps restore` and `ldrps test`, those of `train` with "
        "their folder, `train/autoencoder`. Those of `prior` go after `--prior`, of `test` after `--protocol`, of "
        "`sweep` after `ldrps sweep run`. In Python:\n",
        by_autodoc("autofunction", "ldrps.configuration.presets.load_preset"),
    ]
    kinds = {path.parent.name for path in preset_folder().glob("*/*.yaml") if path.parent != suite_folder()}
    for kind in sorted(kinds, key=lambda kind: (kind != "restore", kind)):
        lines.append(f"## {kind}\n")
        files = sorted((preset_folder() / kind).glob("*.yaml"))
        lines += [f"### {kind}/{path.stem}\n\n{described(path)}" for path in files]
    return "\n".join(lines)


def suites() -> str:
    """Every suite: what it damages, with which settings."""
    lines = ["# Suites\n", "By name after `--suite`; how each damage looks: [degradations](../degradations.md).\n"]
    lines += [f"## {path.stem}\n\n{described(path)}" for path in sorted(suite_folder().glob("*.yaml"))]
    return "\n".join(lines)


def metrics() -> str:
    """A card of every measure: what it is, direction, what it needs, implementation, licence."""
    lines = [
        "# Measures\n",
        "All are taken of pictures rounded to 8 bits; `results.metrics` of a protocol lists them.\n",
    ]
    for cls in found(("ldrps.metrics",)):
        if not issubclass(cls, Metric) or inspect.isabstract(cls):
            continue
        metric = cls()
        needs = "the clean picture" if metric.needs_target else "nothing but the picture"
        least = f"; sides of at least {metric.min_side_px} pixels" if metric.min_side_px > 1 else ""
        lines += [
            f"## {'niqe, pi, musiq' if cls is PyIQA else metric.name}\n",
            by_autodoc("autoclass", f"{cls.__module__}.{cls.__qualname__}"),
            f"- range: {RANGES[metric.name]}",
            f"- better: {BETTER.get(metric.name) or ('higher' if metric.higher_is_better else 'lower')}",
            f"- needs: {needs}{least}",
            f"- implementation: {metric.implementation}",
            f"- licence: {LICENCES.get(metric.name, 'this project, Apache-2.0')}\n",
        ]
    lines += ["## One of your own\n", by_autodoc("autoclass", "ldrps.metrics.base.Metric", ":members:")]
    return "\n".join(lines)


BETTER = {"niqe": "niqe and pi lower, musiq higher"}

RANGES = {
    "psnr": "0 to infinity, in decibels",
    "psnr_gt_mean": "0 to infinity, in decibels",
    "ssim": "-1 to 1, 1 for equal pictures",
    "ms_ssim": "0 to 1, 1 for equal pictures",
    "vif": "from 0, 1 for equal pictures; above 1 where contrast was added",
    "ciede2000": "from 0, 0 for equal pictures",
    "lpips": "from 0, 0 for equal pictures",
    "dists": "0 to 1, 0 for equal pictures",
    "clip_iqa": "0 to 1",
    "niqe": "niqe and pi from 0, musiq 0 to 100",
}


def gallery(folder: Path) -> str:
    """The gallery as HTML: a slider of each pair of pictures."""
    slider = environment().get_template("slider.html.j2").module.slider
    parts = []
    for before in sorted(folder.glob("*.before.jpg")):
        name = before.name.removesuffix(".before.jpg")
        [caption] = comment_of(suite_folder() / f"{name}.yaml")
        shown = slider(f"_static/{name}.before.jpg", f"_static/{name}.after.jpg")
        parts.append(f"<figure>{shown}<figcaption><code>{name}</code>: {caption}</figcaption></figure>")
    return f'<div class="gallery">{"".join(parts)}</div>\n'
