"""Pages of the documentation and the blocks of code on them."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
TUTORIALS = sorted((DOCS / "tutorials").glob("*.md"))
OTHER_PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]

_BLOCK = re.compile(r"^(?:<!-- (.*?) -->\n)?```([^\n]*)\n(.*?)^```", flags=re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"`(ldrps [a-z]+ [^`]+)`")


class Block(NamedTuple):
    """A block of code, and the comment before it that says what to do with it."""

    mark: str
    language: str
    code: str


def blocks(page):
    """Blocks of code of a page; Sphinx's own directives are none."""
    found = [Block(*groups) for groups in _BLOCK.findall(page.read_text(encoding="utf-8"))]
    return [block for block in found if not block.language.startswith("{")]


def inline_commands(page):
    """Commands inside of sentences and tables."""
    outside = _BLOCK.sub("", page.read_text(encoding="utf-8"))
    return [" ".join(command.split()) for command in _INLINE.findall(outside)]
