"""Write an atlas: the page, its style, its code and its data in one file."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from symland.atlas.data import atlas_data
from symland.errors import ReportError
from symland.landscape.database import Database

__all__ = ["write_atlas"]

SCRIPTS = ("regions.js", "page.js")
"""Joined in this order; the last one opens the page."""


def write_atlas(databases: Sequence[Database], output: str | Path, *, title: str = "", figures: bool = True) -> Path:
    """Write the page of some databases.

    The page loads nothing: its policy forbids every request, and allows only the code that stands in it, by its digest.

    Parameters
    ----------
    figures : bool
        Whether the pictures of answers are drawn; they are most of a large file.

    Raises
    ------
    DatabaseError
        If a database holds no classes.
    ReportError
        If no database is given, or the file cannot be written.
    """
    if not databases:
        raise ReportError("an atlas of no database; give at least one with --db")
    data = atlas_data(databases, figures=figures)
    name = title or ", ".join(dict.fromkeys(land["name"] for land in data["landscapes"]))
    path = Path(output)
    text = _page(name, data)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ReportError.unwritable(path, error) from None
    return path


def _page(title: str, data: dict[str, Any]) -> str:
    part = files("symland.atlas")
    script = "".join((part / name).read_text(encoding="utf-8") for name in SCRIPTS)
    # "</" would end the element that holds the data.
    values = json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False).replace("</", "<\\/")
    return Template((part / "page.html").read_text(encoding="utf-8")).substitute(
        title=escape(title),
        style=(part / "page.css").read_text(encoding="utf-8"),
        digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        script=script,
        data=values,
    )
