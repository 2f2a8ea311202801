"""Sphinx settings of the manual."""

project = "symland"
author = "The symland developers"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["amsmath", "deflist", "dollarmath"]
html_theme = "furo"
exclude_patterns = ["_build"]
