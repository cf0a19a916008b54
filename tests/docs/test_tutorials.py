"""The tutorials run as they stand there, on small photos and a micro pipeline; links lead somewhere."""

import re
import shlex
import shutil

import pytest
from PIL import Image
from skimage import data as skimage_data

from ldrps.cli import main
from tests.docs.checks import check_yaml
from tests.docs.pages import DOCS, OTHER_PAGES, TUTORIALS, blocks


def prepare(wanted, code, folder, micro_folder):
    for thing in wanted.split(", "):
        kind, _, name = thing.partition(" ")
        if kind == "photos":
            (folder / "photos").mkdir()
            for name in ("cat", "coffee"):
                picture = Image.fromarray(getattr(skimage_data, name)())
                picture.resize((48, 32)).save(folder / "photos" / f"{name}.jpg")
        elif kind == "file":
            (folder / name).write_text(code, encoding="utf-8")
        elif kind == "folder":
            shutil.copytree(micro_folder, folder / name)


@pytest.mark.parametrize("tutorial", TUTORIALS, ids=lambda path: path.stem)
def test_the_tutorial_runs_as_it_stands_there(tutorial, here, micro_folder, capfd):
    names = {}
    for mark, language, code in blocks(tutorial):
        if mark.startswith("not run: "):
            continue
        assert mark.startswith("run"), f"a block of {tutorial.name} is neither run nor says why not: {code}"
        wanted = mark.removeprefix("run").removeprefix(": ")
        prepare(wanted, code, here, micro_folder)
        if language == "yaml":
            check_yaml(code, here)
            continue
        if language == "python":
            exec(code, names)  # what the page tells people to run
            continue
        for line in code.strip().splitlines():
            program, *arguments = shlex.split(line.removeprefix("$ "))
            assert program == "ldrps"
            code_of = main(arguments)
            assert (code_of != 0) == (wanted == "fails"), f"{line}\n{capfd.readouterr().err}"


def headings(path):
    """What a link may name of a page, as Sphinx and forges spell it."""
    titles = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_links_between_pages_lead_somewhere():
    made = set(re.findall(r"^reference/\w+$", (DOCS / "index.md").read_text(encoding="utf-8"), flags=re.MULTILINE))
    for path in [*OTHER_PAGES, *TUTORIALS]:
        for target, heading in re.findall(r"\]\((?!https?:)([^)#\s]*)#?([^)]*)\)", path.read_text(encoding="utf-8")):
            found = (path.parent / target).resolve() if target else path
            relative = found.relative_to(DOCS).with_suffix("").as_posix() if found.is_relative_to(DOCS) else ""
            assert found.exists() or relative in made, f"{path.name} leads to {target}, which is not there"
            assert not heading or heading in headings(found), f"{path.name} leads to {target}#{heading}"
