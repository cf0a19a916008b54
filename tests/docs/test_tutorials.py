"""The tutorials run as they stand there, on small photos and a micro pipeline; other pages name real options."""

import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest
from PIL import Image
from skimage import data as skimage_data

from ldrps.cli import EVERYDAY, main
from ldrps.commands.options import make_parser
from ldrps.commands.restore import Restore
from ldrps.configuration import presets
from ldrps.configuration.arguments import split_settings
from tests.cli.test_verbs import OPTIONS

DOCS = Path(__file__).parents[2] / "docs"
TUTORIALS = sorted(path.stem for path in (DOCS / "tutorials").glob("*.md"))
BLOCK = re.compile(r"(?:<!-- (.*?) -->\n)?```(\w*)\n(.*?)```", flags=re.DOTALL)
FEW_STEPS = "--model.sampling.num_inference_steps=3"


def blocks(tutorial):
    return BLOCK.findall((DOCS / "tutorials" / f"{tutorial}.md").read_text(encoding="utf-8"))


@pytest.fixture
def here(tmp_path, monkeypatch, micro_folder):
    """An empty folder to work in, where every run uses the micro pipeline and few steps."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("WANDB_MODE", "disabled")
    given = Restore.settings

    def quick(options):
        options.__dict__["backbone"] = options.backbone or str(micro_folder)
        settings = given(options)
        settings["model"]["init_args"]["sampling"]["num_inference_steps"] = 3
        return settings

    monkeypatch.setattr(Restore, "settings", quick)
    parse = presets.parse_preset
    small = [f"--model.backbone.path={micro_folder}", FEW_STEPS]

    def parse_quick(names, arguments):
        is_model = names != "baselines"
        return parse(names, [*arguments, *(small if is_model else [])])

    monkeypatch.setattr(presets, "parse_preset", parse_quick)
    yield tmp_path
    for name in [name for name in sys.modules if name == "night"]:
        del sys.modules[name]


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


@pytest.mark.parametrize("tutorial", TUTORIALS)
def test_the_tutorial_runs_as_it_stands_there(tutorial, here, micro_folder, capfd):
    names = {}
    for mark, language, code in blocks(tutorial):
        if mark.startswith("not run: "):
            continue
        assert mark.startswith("run"), f"a block of {tutorial} is neither run nor says why not: {code}"
        wanted = mark.removeprefix("run").removeprefix(": ")
        prepare(wanted, code, here, micro_folder)
        if language == "yaml":
            continue
        if language == "python":
            exec(code, names)  # what the page tells people to run
            continue
        for line in code.strip().splitlines():
            program, *arguments = shlex.split(line.removeprefix("$ "))
            assert program == "ldrps"
            code_of = main(arguments)
            assert (code_of != 0) == (wanted == "fails"), f"{line}\n{capfd.readouterr().err}"


@pytest.mark.parametrize("page", sorted(path.relative_to(DOCS).as_posix() for path in DOCS.glob("*.md")))
def test_every_option_that_a_page_names_exists(page):
    text = (DOCS / page).read_text(encoding="utf-8")
    commands = [line for _, language, code in BLOCK.findall(text) if not language for line in code.splitlines()]
    for line in commands:
        match = re.match(r"(?:\$ )?ldrps (\w+) ", line)
        # The verbs of `ldrps sweep` have options of their own.
        if match is None or match[1] not in EVERYDAY or match[1] == "sweep":
            continue
        everyday, _ = split_settings(shlex.split(line.partition("#")[0].rstrip("\\ "))[2:])
        known = make_parser(match[1], OPTIONS[match[1]])
        names = {name for action in known._actions for name in action.option_strings} | {"--config"}
        given = {argument.partition("=")[0] for argument in everyday if re.match(r"--?[a-z]", argument)}
        assert given <= names, line


def test_links_between_pages_lead_somewhere():
    made = {"reference/presets.md", "reference/suites.md", "reference/metrics.md"}
    for path in [
        *DOCS.glob("*.md"),
        *(DOCS / "tutorials").glob("*.md"),
        DOCS.parent / "README.md",
        DOCS.parent / "CONTRIBUTING.md",
    ]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", path.read_text(encoding="utf-8")):
            found = (path.parent / target).resolve()
            relative = found.relative_to(DOCS).as_posix() if found.is_relative_to(DOCS) else ""
            assert found.exists() or relative in made, f"{path.name} leads to {target}, which is not there"
