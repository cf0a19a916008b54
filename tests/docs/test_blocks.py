"""Outside of the tutorials: every command is read by its own parser and its settings are looked up, Python runs."""

import sys

import pytest
from PIL import Image
from skimage import data as skimage_data

from tests.docs.checks import check_inline, check_line, check_yaml
from tests.docs.pages import OTHER_PAGES, ROOT, blocks, inline_commands

RUN_BY = {"extending.md": ["configs/test_extending.py", "algorithm/test_rectified_flow.py"]}
RUN_BY |= {"testing.md": ["results/test_lightning.py"]}
"""Tests that run the Python of a page."""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """What commands name: a photo, a file of settings, and the package of docs/extending.md."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    Image.fromarray(skimage_data.cat()).resize((48, 32)).save("photo.jpg")
    (tmp_path / "mine.yaml").write_text("inherits: blind\n")
    (tmp_path / "my_package").mkdir()
    for mark, _, code in blocks(ROOT / "docs" / "extending.md"):
        if mark.startswith("my_package/"):
            (tmp_path / mark).write_text(code, encoding="utf-8")
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("my_package")]:
        del sys.modules[name]


@pytest.mark.parametrize("page", OTHER_PAGES, ids=lambda path: path.name)
def test_what_a_page_tells_people_to_write_is_right(page, folder):
    for mark, language, code in blocks(page):
        is_marked = mark.startswith("not run: ")
        if language in ("", "console"):
            for line in code.replace("\\\n", "").strip().splitlines():
                check_line(line, is_marked)
        elif language == "yaml":
            check_yaml(code, folder)
        else:
            assert language == "python", f"{page.name} has a block of {language}"
    for command in inline_commands(page):
        check_inline(command)


@pytest.mark.parametrize("page", OTHER_PAGES, ids=lambda path: path.name)
def test_the_python_of_a_page_runs(page, folder, request):
    codes = [code for _, language, code in blocks(page) if language == "python"]
    if tests := RUN_BY.get(page.name):
        assert codes
        assert all(f'"{page.name}"' in (ROOT / "tests" / test).read_text(encoding="utf-8") for test in tests)
    elif codes:
        request.getfixturevalue("here")
        for code in codes:
            exec(compile(code, page.name, "exec"), {})  # what the page tells people to run
