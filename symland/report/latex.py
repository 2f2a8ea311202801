"""LaTeX from templates, and a PDF where there is a program that makes one."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from enum import Enum
from functools import cache
from pathlib import Path

import jinja2

from symland import tex as numbers

__all__ = ["Compilation", "compile_pdf", "environment"]

LONGEST_COMPILATION = 180.0
"""Seconds after which a LaTeX program is stopped."""

PASSES = 3
"""Runs of plain pdflatex: references, then the widths of long tables, then the references that these moved."""


class Compilation(Enum):
    """How a report was turned into a PDF; the value is the line that a user reads."""

    DONE = "the PDF was made"
    NO_PROGRAM = (
        "no LaTeX program was found, so the .tex was left: run `pdflatex report.tex` twice, or upload the folder"
    )
    FAILED = "LaTeX stopped, see report.log; the .tex was left"


@cache
def environment() -> jinja2.Environment:
    """Templates of this room: <% %> for blocks, << >> for values; a name that is not given is an error."""
    env = jinja2.Environment(
        loader=jinja2.PackageLoader("symland.report"),
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="<#",
        comment_end_string="#>",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    env.filters |= {
        "tex": numbers.text_tex,
        "mixed": numbers.mixed_tex,
        "verdict": numbers.verdict_tex,
        "sci": numbers.scientific_tex,
        "dec": numbers.decimal_tex,
        "breakable": numbers.breakable_tex,
    }
    return env


def compile_pdf(source: Path) -> Compilation:
    """Make the PDF beside a .tex with latexmk, pdflatex or tectonic, whichever is there first.

    Other files of the run stay out of the folder, but for the log of a failure.
    """
    with tempfile.TemporaryDirectory() as scratch:
        commands = _commands(source, scratch)
        if not commands:
            return Compilation.NO_PROGRAM
        # The same source gives the same PDF.
        stable = {**os.environ, "SOURCE_DATE_EPOCH": "0", "FORCE_SOURCE_DATE": "1", "max_print_line": "200"}
        for command in commands:
            try:
                run = subprocess.run(
                    command,
                    cwd=source.parent,
                    env=stable,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    timeout=LONGEST_COMPILATION,
                    check=False,
                )
                failed = run.returncode != 0
            except (OSError, subprocess.TimeoutExpired):
                failed = True
            if failed:
                break
        made = Path(scratch, source.stem + ".pdf")
        if failed or not made.is_file():
            log = Path(scratch, source.stem + ".log")
            if log.is_file():
                shutil.copyfile(log, source.with_suffix(".log"))
            return Compilation.FAILED
        shutil.copyfile(made, source.with_suffix(".pdf"))
        source.with_suffix(".log").unlink(missing_ok=True)
    return Compilation.DONE


def _commands(source: Path, scratch: str) -> list[list[str]]:
    options = ["-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape"]
    pdflatex = ["pdflatex", *options, f"-output-directory={scratch}", source.name]
    if shutil.which("latexmk") and shutil.which("pdflatex"):
        return [["latexmk", "-norc", "-pdf", "-silent", *options, f"-outdir={scratch}", source.name]]
    if shutil.which("pdflatex"):
        return [pdflatex] * PASSES
    if shutil.which("tectonic"):
        return [["tectonic", "--untrusted", "--keep-logs", "--outdir", scratch, source.name]]
    return []
