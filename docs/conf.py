"""Sphinx configuration."""

import os
import sys
from pathlib import Path

from docutils.nodes import Element, SkipNode
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxTranslator

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
os.environ["COLUMNS"] = "80"  # Width of the help texts, whatever the terminal.

import reference  # noqa: E402 (beside this file)

project = "ldrps"
author = "the ldrps developers"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = "ldrps"
exclude_patterns = ["_build", "pictures"]
html_static_path = ["_static", "pictures/gallery", "site.css"]
html_css_files = ["slider.css", "site.css"]
html_show_copyright = False
html_math_renderer = "mathml"
myst_heading_anchors = 3
myst_enable_extensions = ["dollarmath"]
napoleon_use_ivar = True
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
# Links to files of the repository work where the pages are read as files, as on a forge.
suppress_warnings = ["myst.xref_missing"]


def setup(app: Sphinx) -> None:
    """Write the pages that are made of the code, and draw equations without fetching a script."""
    reference.write(HERE)

    def inline(self: SphinxTranslator, node: Element) -> None:
        self.body.append(convert(node.astext()))
        raise SkipNode

    def display(self: SphinxTranslator, node: Element) -> None:
        self.body.append(f'<div class="math">{convert(node.astext(), display="block")}</div>')
        raise SkipNode

    app.add_html_math_renderer("mathml", (inline, None), (display, None))
