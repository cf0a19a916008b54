"""The reference is made of the code: nothing of it is missing."""

import inspect
import re
import sys
from pathlib import Path

import pytest

from ldrps.cli import EVERYDAY
from ldrps.commands.sweep import ACTIONS
from ldrps.data.shipped import preset_folder, suite_folder
from ldrps.metrics.base import Metric

sys.path.insert(0, str(Path(__file__).parents[2] / "docs"))
reference = pytest.importorskip("reference")


def test_every_preset_suite_and_measure_has_its_place():
    made = reference.presets(), reference.suites(), reference.metrics()
    for path in preset_folder().glob("*/*.yaml"):
        heading = f"## {path.stem}\n" if path.parent == suite_folder() else f"### {path.parent.name}/{path.stem}\n"
        assert heading in "".join(made)
    for cls in reference.found(("ldrps.metrics",)):
        if issubclass(cls, Metric) and not inspect.isabstract(cls):
            assert f"autoclass:: {cls.__module__}.{cls.__qualname__}\n" in made[2]
    assert made[2].count("- range: ") == made[2].count("- licence: ") > 8
    assert "- licence: pyiqa, CC BY-NC-SA 4.0" in made[2].partition("## niqe, pi, musiq\n")[2].partition("## ")[0]


def test_every_verb_has_its_help_and_every_page_its_place():
    made = reference.pages()
    for verb in (*EVERYDAY, *(f"sweep {action}" for action in ACTIONS)):
        assert verb == "sweep" or f"usage: ldrps {verb} " in made["commands"]
    index = (Path(__file__).parents[2] / "docs" / "index.md").read_text(encoding="utf-8")
    for name in made:
        assert f"\nreference/{name}\n" in index


def test_every_family_has_a_page_with_its_classes():
    introduction, packages = reference.FAMILIES["Priors"]
    names = {cls.__name__ for cls in reference.found(packages)}
    assert {"DACLIP", "Null", "Prior", "Semantics"} <= names
    assert reference.classes("Priors", introduction, packages).count("autoclass") == len(names)


def test_the_gallery_has_ten_pairs():
    folder = Path(__file__).parents[2] / "docs" / "pictures" / "gallery"
    assert len(list(folder.glob("*.before.jpg"))) == len(list(folder.glob("*.after.jpg"))) == 10
    assert reference.gallery(folder).count("<figure>") == 10


def test_the_quickstart_names_every_preset_of_restoration():
    quickstart = (Path(__file__).parents[2] / "docs" / "quickstart.md").read_text(encoding="utf-8")
    table = quickstart.partition("## Presets")[2].partition("\n## ")[0]
    assert {path.stem for path in preset_folder().glob("restore/*.yaml")} == set(re.findall(r"`(\w+)`", column(table)))


def column(table):
    """The first column of a table."""
    return "\n".join(
        line.split("|")[1] for line in table.splitlines() if line.startswith("| `") and "--config" not in line
    )
