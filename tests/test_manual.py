"""What the manual tells a reader to type runs, in the order of the page."""

from __future__ import annotations

import re
import shlex
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from cyclopts import CycloptsError, MissingArgumentError

from symland.cli import app, main

ROOT = Path(__file__).parent.parent

SHARED = ("symland check proof.json", "symland check first.zip")
"""They prove a whole tree again, half a minute each: here 1 leaf in 500, which is no proof and exits with 1."""


def load(name: str) -> Any:
    """A module of the manual, which is no package."""
    spec = spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PAGES = load("pages")


def here(command: str, more: list[str], end: int, capsys: pytest.CaptureFixture[str]) -> str:
    """What a command prints that runs in this process, where warnings are errors and all is imported."""
    with pytest.raises(SystemExit) as ended:
        main([*shlex.split(command, comments=True)[1:], *more])
    out, err = capsys.readouterr()
    assert (ended.value.code or 0) == end, (command, err)
    return out + err


def test_the_tutorial_runs_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    printed: list[str] = []
    for kind, text in PAGES.blocks(ROOT / "docs" / "tutorial.md"):
        more, end = (["--share", "0.002"], 1) if text in SHARED else ([], 0)
        if kind == "command" and (tmp_path / "first").exists():
            printed.append(here(text, more, end, capsys))
        else:  # the first command and Python as a reader starts them, each in a process of its own
            printed.append(PAGES.run(kind, text, tmp_path, more, (end,)))
    whole = "\n".join(printed)
    assert "refuted" not in whole
    assert "at least 7 (certified, distinct)" in whole
    assert "exactly 7 (proved complete)" in whole
    assert "Verification of the c kernel" in whole
    made = ("atlas.html", "certificates", "class-0.tex", "first.zip", "kernel", "net.sqlite", "proof.json", "tree.png")
    assert {p.name for p in tmp_path.iterdir()} >= {"first", *made}


def test_what_the_program_says_of_itself_comes_into_the_pages() -> None:
    """Every verb, question and table is there, as the command line and the file have them."""
    generated = load("generated")
    for page in ("commands", "answers", "landscape"):
        text = generated.filled((ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8"))
        assert "<!--" not in text
        if page == "commands":
            assert {"## explore", "## follow", "## check"} <= set(text.splitlines())
            assert "--penalty" in text
        if page == "answers":
            assert "| `morse_sum` | integer |" in text
        if page == "landscape":
            assert "CREATE TABLE point" in text


def test_every_picture_of_the_gallery_stands_under_a_line_and_every_figure_is_in_it() -> None:
    page = ROOT / "docs" / "gallery.md"
    text = page.read_text(encoding="utf-8")
    lines = [text for kind, text in PAGES.blocks(page) if kind == "command"]
    drawn = {line.split()[2] for line in lines if line.startswith("symland draw")}
    assert drawn >= {"tree", "levels", "spectra", "slice", "network", "bifurcation", "flatness", "geometry"}
    for line in lines:
        if line.startswith("symland draw"):
            name = line.split()[-1]
            assert f"(../reports/gallery/{name})" in text, line


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda p: p.stem)
def test_every_page_is_in_the_contents_and_its_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    if page.stem != "index":
        assert f"\n{page.stem}\n" in (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
        assert (page.parent / target).exists(), target


PLACEHOLDER = re.compile(r"\b[A-Z]{2,}\b|\.\.\.")
"""A word that stands for another, as in `symland ask NAME`."""


OTHERS = ("adding-a-question", "benchmarks")
"""Pages whose names are of a question that another test adds, and of contestants."""

NAMING = [*(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING")), *sorted((ROOT / "docs").glob("*.md"))]
"""Pages that name commands."""


@pytest.mark.parametrize("page", [page for page in NAMING if page.stem not in OTHERS], ids=lambda p: p.stem)
def test_every_command_that_a_page_names_is_one(page: Path) -> None:
    """Its verb and its options exist; commands with placeholders are held to their verb."""
    text = page.read_text(encoding="utf-8")
    named = [
        line for pair in re.findall(r"`(symland [^`]+)`|<code>(symland [^<]+)</code>", text) for line in pair if line
    ]
    named += re.findall(r"^\$ (symland .+)$", text, re.MULTILINE)
    for line in named:
        words = shlex.split(line.split(" > ")[0])[1:]
        if PLACEHOLDER.search(line):
            words = [word for word in words[:1] if not PLACEHOLDER.search(word)]
        if not words or words == ["--help"]:
            continue
        try:
            app.parse_args([*words], exit_on_error=False, print_error=False)
        except MissingArgumentError:
            continue
        except CycloptsError as error:
            pytest.fail(f"{page.name}: `{line}`: {error}")
