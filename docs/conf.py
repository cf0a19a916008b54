"""Sphinx configuration."""

project = "ldrps"
author = "the ldrps developers"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = "ldrps"
exclude_patterns = ["_build"]
myst_heading_anchors = 3
