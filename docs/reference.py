"""The pages of the reference, made of the code each time the documentation is built, so that they cannot go stale."""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from ldrps.data.shipped import preset_folder, suite_folder
from ldrps.metrics.base import Metric
from ldrps.results.templates import environment

FAMILIES = {
    "Methods": ("ldrps.methods",),
    "Priors": ("modules.priors",),
    "Backbones and schedulers": ("modules.backbones", "modules.schedulers"),
    "Alignment nets": ("modules.alignment",),
    "Losses": ("modules.losses",),
    "Outputs": ("modules.outputs",),
    "Networks": ("modules.networks",),
    "Degradations": ("degradations",),
    "Data": ("ldrps.data",),
    "Callbacks": ("ldrps.callbacks",),
    "Trainings": ("ldrps.training",),
    "Verbs, as options": ("ldrps.commands",),
}

LICENCES = {
    "psnr": "torchmetrics, Apache-2.0",
    "psnr_gt_mean": "torchmetrics, Apache-2.0",
    "ssim": "kornia, Apache-2.0",
    "ms_ssim": "torchmetrics, Apache-2.0",
    "clip_iqa": "torchmetrics, Apache-2.0; weights of CLIP, MIT",
    "lpips": "torchmetrics, Apache-2.0; weights BSD-2-Clause",
    "dists": "torchmetrics, Apache-2.0; weights MIT",
}
"""Of the implementation, where it is not this project's own; pyiqa's measures come under its licence."""


def write(folder: Path) -> None:
    """Write all generated pages into ``folder/reference``, and the slider's style beside the theme's."""
    target = folder / "reference"
    target.mkdir(exist_ok=True)
    (folder / "_static").mkdir(exist_ok=True)
    pages = {"presets": presets(), "suites": suites(), "metrics": metrics()}
    pages |= {page_name(title): classes(title, packages) for title, packages in FAMILIES.items()}
    for name, text in pages.items():
        put(target / f"{name}.md", text)
    card = (preset_folder().parent / "ldrps" / "pretrained" / "mini" / "README.md").read_text(encoding="utf-8")
    put(target / "model_card.md", re.sub(r"\]\((\.\./)+docs/", "](../", card))
    slider = str(environment().get_template("slider.html.j2").module.style())
    put(folder / "_static" / "slider.css", slider + GALLERY)
    put(folder / "_static" / "gallery.txt", gallery(folder / "pictures" / "gallery"))


def put(path: Path, text: str) -> None:
    """Write a file, unless it says so already: Sphinx builds what changed."""
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def page_name(title: str) -> str:
    """File name of a page.

    Example:
        >>> page_name("Verbs, as options")
        'verbs_as_options'
    """
    return title.lower().replace(",", "").replace(" ", "_")


def found(packages: tuple[str, ...]) -> Iterator[type]:
    """Public classes that are defined in packages."""
    for package in packages:
        root = importlib.import_module(package)
        for info in pkgutil.walk_packages(root.__path__, f"{package}."):
            module = importlib.import_module(info.name)
            for name, value in vars(module).items():
                if inspect.isclass(value) and value.__module__ == info.name and not name.startswith("_"):
                    yield value


def classes(title: str, packages: tuple[str, ...]) -> str:
    """Every public class of packages, by autodoc."""
    lines = [f"# {title}\n"]
    for cls in found(packages):
        lines.append(f"## {cls.__name__}\n")
        lines.append(f"```{{eval-rst}}\n.. autoclass:: {cls.__module__}.{cls.__qualname__}\n   :members:\n```\n")
    return "\n".join(lines)


def comment_of(path: Path) -> str:
    """The comment at the top of a YAML file."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# "))
    return " ".join(lines)


def presets() -> str:
    """Every preset: what it is for, what it builds on, what it says."""
    lines = [
        "# Presets\n",
        "By name after `--config`; those of priors after `--prior`, of protocols after `--protocol`.\n",
    ]
    for kind in sorted(path for path in preset_folder().iterdir() if path.is_dir() and path.name != "suites"):
        lines.append(f"## {kind.name}\n")
        for path in sorted(kind.glob("*.yaml")):
            lines.append(f"### {kind.name}/{path.stem}\n\n{comment_of(path)}\n")
            lines.append(f"```yaml\n{path.read_text(encoding='utf-8').strip()}\n```\n")
    return "\n".join(lines)


def suites() -> str:
    """Every suite: what it damages, with which settings."""
    lines = ["# Suites\n", "By name after `--suite`; how each looks: [degradations](../degradations.md).\n"]
    for path in sorted(suite_folder().glob("*.yaml")):
        settings = yaml.safe_dump(yaml.safe_load(path.read_text(encoding="utf-8")), sort_keys=False, width=110).strip()
        lines.append(f"## {path.stem}\n\n{comment_of(path)}\n\n```yaml\n{settings}\n```\n")
    return "\n".join(lines)


def metrics() -> str:
    """A card of every measure: what it is, direction, what it needs, implementation, licence."""
    lines = [
        "# Measures\n",
        "All are taken of pictures rounded to 8 bits; several can be named in `results.metrics`.\n",
    ]
    for cls in found(("ldrps.metrics",)):
        if not issubclass(cls, Metric) or inspect.isabstract(cls):
            continue
        names = ["niqe"] if inspect.signature(cls).parameters.get("name") else []
        metric = cls(*names)
        needs = "the clean picture" if metric.needs_target else "nothing but the picture"
        licence = LICENCES.get(metric.name, "pyiqa, CC BY-NC-SA 4.0" if names else "this project's, Apache-2.0")
        lines += [
            f"## {metric.name if not names else 'niqe, pi, musiq'}\n",
            f"{inspect.getdoc(cls)}\n".replace("\n\nReferences:\n    ", "\n\nReference: ").replace(
                "\nArgs:", "\nSettings:"
            ),
            f"- range: {RANGES[metric.name]}",
            f"- better: {'higher' if metric.higher_is_better else 'lower'}",
            f"- needs: {needs}; sides of at least {metric.min_side_px} pixels",
            f"- implementation: {metric.implementation}",
            f"- licence: {licence}",
            f"- class: `{cls.__module__}.{cls.__qualname__}`\n",
        ]
    return "\n".join(lines)


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

GALLERY = """
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(220px, 1fr)); gap: 1rem; margin: 1rem 0; }
.gallery figure { margin: 0; } .gallery figcaption { font-size: .85em; }
"""


def gallery(folder: Path) -> str:
    """The gallery as HTML: a slider of each pair of pictures."""
    slider = environment().get_template("slider.html.j2").module.slider
    parts = []
    for before in sorted(folder.glob("*.before.jpg")):
        name = before.name.removesuffix(".before.jpg")
        caption = comment_of(suite_folder() / f"{name}.yaml") or name.replace("_", " ")
        shown = slider(f"_static/{name}.before.jpg", f"_static/{name}.after.jpg")
        parts.append(f"<figure>{shown}<figcaption><code>{name}</code>: {caption}</figcaption></figure>")
    return f'<div class="gallery">{"".join(parts)}</div>\n'
