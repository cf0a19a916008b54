"""The documentation's strips show every degradation, and its page names every suite."""

import importlib.util
from pathlib import Path

import yaml

DOCS = Path(__file__).parents[2] / "docs"


def figures():
    specification = importlib.util.spec_from_file_location("figures", DOCS / "figures.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_every_degradation_is_drawn_shown_and_committed():
    module = figures()
    names = set(module.shown())
    assert set(yaml.safe_load(module.SEVERITIES.read_text())) == names
    page = (DOCS / "degradations.md").read_text()
    for name in names:
        assert f".{name}`" in page
        assert (DOCS / "pictures" / "degradations" / f"{name}.webp").is_file()


def test_strips_get_worse_from_left_to_right():
    for name, tiles in figures().strips():
        clean = tiles[0][1]
        errors = [float((tile - clean).abs().mean()) for _, tile in tiles[1:]]
        assert errors == sorted(errors), name
        assert errors[0] > 0.001, name


def test_every_suite_is_on_the_page():
    page = (DOCS / "degradations.md").read_text()
    for path in (DOCS.parent / "configs" / "suites").glob("*.yaml"):
        assert f"| `{path.stem}` |" in page
