"""The report of several landscapes says of each what its database holds, and compiles."""

from __future__ import annotations

import re
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import pytest

from symland.cli import main
from symland.errors import ReportError
from symland.figures.study import Measured
from symland.landscape.database import Database
from symland.report import write_family
from symland.spec import builtin
from tests.report.invented import fill, make_database
from tests.report.test_report import ALONE

XOR = builtin("xor")


def status(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return int(ended.value.code or 0)


def folder_of_databases(folder: Path) -> Path:
    """Widths 1 and 2 at two penalties, with classes that were made up, more of them the wider the network is."""
    folder.mkdir()
    for number, (width, penalty) in enumerate([(2, "1/100"), (1, "1/100"), (2, "1/1000"), (1, "1/1000")]):
        spec = XOR.with_(hidden=(width,), penalty=penalty)
        with make_database(folder / f"{number}.sqlite", spec, (0,) * width + (1,) * (width**2) + (2,)) as database:
            fill(database)
    return folder


def grid_rows(folder: Path) -> list[list[str]]:
    text = (folder / "grid.tex").read_text()
    body = text.split("endlastfoot")[1]
    return [[cell.strip(" $") for cell in line.split("&")] for line in body.splitlines() if "&" in line]


def test_the_grid_says_what_each_database_holds_in_the_order_of_widths_and_penalties(tmp_path: Path) -> None:
    given = folder_of_databases(tmp_path / "grid")
    assert status("report", "--db", str(given), "-o", str(tmp_path / "r")) == 0
    rows = grid_rows(tmp_path / "r")
    assert [row[:2] for row in rows] == [["1", "10^{-2}"], ["1", "10^{-3}"], ["2", "10^{-2}"], ["2", "10^{-3}"]]
    assert [row[3] for row in rows] == ["3", "3", "7", "7"]
    assert [row[5:9] for row in rows] == [["1", "1", "1", "1"]] * 2 + [["2", "4", "1", "2"]] * 2
    steps = (tmp_path / "r" / "observations.tex").read_text()
    assert re.search(r"next width & minima & 2 & 0 & 0", steps)
    assert re.search(r"smaller penalty & minima & 0 & 2 & 0", steps)
    assert len(list((tmp_path / "r" / "data").glob("*/classes.csv"))) == 4
    assert {path.stem for path in (tmp_path / "r" / "figures").iterdir()} >= {"hidden-0", "penalty-0", "trees-0"}


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX here")
def test_it_compiles_whole_and_in_parts(tmp_path: Path) -> None:
    given = folder_of_databases(tmp_path / "grid")
    notes: list[str] = []
    databases = [Database.open(path) for path in sorted(given.iterdir())[:2]]
    written = write_family(databases, tmp_path / "r", formats=("pdf",), note=notes.append)
    assert notes == ["the PDF was made"]
    assert written[0].read_bytes().startswith(b"%PDF-")
    for name in sorted(
        path.stem for path in (tmp_path / "r").glob("*.tex") if path.stem not in ("report", "classes-1")
    ):
        (tmp_path / "r" / "alone.tex").write_text(ALONE % name)
        command = ["pdflatex", "-draftmode", "-halt-on-error", "-interaction=nonstopmode", "alone.tex"]
        done = subprocess.run(command, cwd=tmp_path / "r", capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{name}: {done.stdout[-800:]}"


def test_one_database_has_its_own_report_and_none_is_refused(tmp_path: Path) -> None:
    given = folder_of_databases(tmp_path / "grid")
    with Database.create(tmp_path / "empty.sqlite", XOR) as empty, pytest.raises(ReportError, match="explore first"):
        write_family([empty], tmp_path / "r", pdf=False)
    assert status("report", "--db", str(given / "0.sqlite"), "-o", str(tmp_path / "one")) == 0
    assert (tmp_path / "one" / "classes.tex").is_file()
    assert not (tmp_path / "one" / "grid.tex").exists()
    (tmp_path / "nothing").mkdir()
    assert status("report", "--db", str(tmp_path / "nothing"), "-o", str(tmp_path / "none")) == 2


def test_measured_quantities() -> None:
    cell = Measured(hidden=2, penalty=Fraction(1, 100), counts=(4, 10, 6), copies=(33, 88, 56), lowest=0.42)
    values = [cell.value(name) for name in ("minima", "transition states", "higher saddles", "copies", "lowest loss")]
    assert values == [4, 10, 6, 177, 0.42]
    assert cell.value("transition states / minima") == 2.5
    none = Measured(hidden=1, penalty=Fraction(0), counts=(), copies=(), lowest=None)
    assert none.value("transition states / minima") is None
