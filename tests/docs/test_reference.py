"""The reference is made of the code: nothing of it is missing."""

import inspect
import sys
from pathlib import Path

import pytest

from ldrps.data.shipped import preset_folder, suite_folder
from ldrps.metrics.base import Metric

sys.path.insert(0, str(Path(__file__).parents[2] / "docs"))
reference = pytest.importorskip("reference")


def test_every_preset_suite_and_measure_has_its_place():
    pages = reference.presets(), reference.suites(), reference.metrics()
    for path in preset_folder().glob("*/*.yaml"):
        heading = f"## {path.stem}\n" if path.parent == suite_folder() else f"### {path.parent.name}/{path.stem}\n"
        assert heading in "".join(pages)
    for cls in reference.found(("ldrps.metrics",)):
        if issubclass(cls, Metric) and not inspect.isabstract(cls):
            assert f"`{cls.__module__}.{cls.__qualname__}`" in pages[2]
    assert pages[2].count("- range: ") == pages[2].count("- licence: ") > 8


def test_every_family_has_a_page_with_its_classes():
    names = {cls.__name__ for cls in reference.found(reference.FAMILIES["Priors"])}
    assert {"DACLIP", "Null", "Prior", "Semantics"} <= names
    assert reference.classes("Priors", ("modules.priors",)).count("autoclass") == len(names)
    index = (Path(__file__).parents[2] / "docs" / "index.md").read_text(encoding="utf-8")
    for title in reference.FAMILIES:
        assert f"reference/{reference.page_name(title)}\n" in index


def test_the_gallery_has_ten_pairs():
    folder = Path(__file__).parents[2] / "docs" / "pictures" / "gallery"
    assert len(list(folder.glob("*.before.jpg"))) == len(list(folder.glob("*.after.jpg"))) == 10
    assert reference.gallery(folder).count("<figure>") == 10
