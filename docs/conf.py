"""Sphinx settings of the manual."""

import sys
from pathlib import Path

from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parent))

import generated

project = "symland"
author = "The symland developers"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["amsmath", "deflist", "dollarmath"]
html_theme = "furo"
exclude_patterns = ["_build"]
suppress_warnings = ["misc.highlighting_failure"]  # Pygments has no CSV
autodoc_typehints = "description"
autodoc_member_order = "bysource"
napoleon_use_rtype = False


def _fill(app: Sphinx, name: str, source: list[str]) -> None:
    source[0] = generated.filled(source[0])


def setup(app: Sphinx) -> None:
    """What the program says of itself comes into the pages as they are read."""
    app.connect("source-read", _fill)
