"""The manual's question is added to a copy of the package by its own words, in two files, and does all that it says."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "adding-a-question.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package with the question in it."""
    folder = tmp_path_factory.mktemp("copy")
    for part in ("symland", "proofs"):
        shutil.copytree(ROOT / part, folder / part)
    module, listing = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (folder / "symland" / "analysis" / "stiffness.py").write_text(module, encoding="utf-8")
    with (folder / "symland" / "analysis" / "__init__.py").open("a", encoding="utf-8") as file:
        file.write(listing)
    shutil.copy(ROOT / "tests" / "landscape" / "data" / "layout-1.sqlite", folder / "xor.sqlite")
    return folder


RUN = """
import io, json, sys
from contextlib import redirect_stdout
from symland.cli import main
for line in json.loads(sys.argv[1]):
    printed = io.StringIO()
    try:
        with redirect_stdout(printed):
            main(line.split())
    except SystemExit as end:
        print(json.dumps([end.code, printed.getvalue()]))
"""


def symland(copy: Path, *lines: str) -> list[str]:
    """What commands print, one after the other in a process that knows the copy alone."""
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONWARNINGS": "error"}
    command = [sys.executable, "-c", RUN, json.dumps(lines)]
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    ended = [json.loads(line) for line in done.stdout.splitlines()]
    assert [status for status, _ in ended] == [0] * len(lines), done.stderr
    return [printed for _, printed in ended]


def test_two_files_change(copy: Path) -> None:
    def texts(root: Path) -> dict[Path, bytes]:
        files = (p for p in (root / "symland").rglob("*") if p.is_file() and "__pycache__" not in p.parts)
        return {p.relative_to(root): p.read_bytes() for p in files}

    ours, theirs = texts(ROOT), texts(copy)
    changed = {path for path in theirs if theirs[path] != ours.get(path)}
    assert changed == {Path("symland/analysis/stiffness.py"), Path("symland/analysis/__init__.py")}


def test_the_question_does_all_that_the_page_says(copy: Path) -> None:
    table, answer, schema, _, shown, _ = symland(
        copy,
        "ask stiffness --db xor.sqlite",
        "ask stiffness --db xor.sqlite --flat 1e-6 --json",
        "schema stiffness",
        "draw stiffness --db xor.sqlite -o stiffness.png",
        "show --db xor.sqlite --json",
        "report --db xor.sqlite -o report",
    )
    assert "ratio" in table
    found = json.loads(answer)
    assert found["schema"] == "symland-stiffness/1"
    # At the origin the spectrum is 2 lambda, six times over, and 2 lambda + 1/2.
    assert found["ratios"][found["minima"].index(2)] == pytest.approx(26, rel=1e-6)
    assert set(json.loads(schema)["$defs"]["Stiffness"]["properties"]) == {"minima", "ratios"}
    assert (copy / "stiffness.png").stat().st_size > 1000
    assert json.loads(shown)["answers"]["stiffness"].startswith("The stiffest of 4")
    report = (copy / "report" / "report.tex").read_text(encoding="utf-8")
    assert r"\input{stiffness}" in report
    assert "How stiff the minima are" in report
