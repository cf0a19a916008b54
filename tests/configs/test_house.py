"""The page of the house names rooms that exist, and its picture shows all of them."""

import importlib.util
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "house.md").read_text(encoding="utf-8")


def test_every_path_on_the_page_exists():
    paths = [path for path in re.findall(r"`([\w/]+(?:/|\.py))`", PAGE) if "/" in path]
    assert len(paths) > 20
    beside = {path.rpartition("/")[0] for path in paths}
    for path in paths:
        assert (ROOT / path).exists() or (ROOT / "ldrps" / path).exists(), path
    for name in re.findall(r"`(\w+\.py)`", PAGE):
        assert any((ROOT / folder / name).exists() for folder in beside), name


def test_the_number_of_lines_of_the_method_is_right():
    [told] = re.findall(r"`ldrps/methods/ld_rps/algorithm.py`, (\d+) lines", PAGE)
    assert int(told) == len((ROOT / "ldrps" / "methods" / "ld_rps" / "algorithm.py").read_text().splitlines()) < 80


def test_the_picture_shows_every_package():
    specification = importlib.util.spec_from_file_location("house", ROOT / "docs" / "house.py")
    house = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(house)
    drawn = {room for floor in house.floors() for room in floor}
    packages = {path.parent.name for path in (ROOT / "ldrps").glob("*/__init__.py")}
    assert drawn == {*packages, "cli", "modules", "degradations"} == set(house.ROOMS)
    for room, _ in house.WALK:
        assert room in drawn
    assert (ROOT / "docs" / "pictures" / "house.png").is_file()
