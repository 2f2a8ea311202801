"""A report is written from a database alone, for every kind of network, complete or not, and compiles."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from symland.analysis import enumeration, labels
from symland.analysis import map as landscape_map
from symland.analysis.answers import put_answer
from symland.datasets import make_data
from symland.errors import DatabaseError, ReportError
from symland.explore import stationary_point
from symland.kernels import compile_kernel
from symland.landscape.database import Database
from symland.landscape.evidence import Enumeration
from symland.pipeline import summary
from symland.records import Outcome, StationaryPoint, Verdict
from symland.report import collect, write_report
from symland.report.formulas import build_gradient, parameter_names
from symland.rigor.certify import certify
from symland.spec import LandscapeSpec, Loss, Penalised, builtin
from symland.symbolic.symmetry import find_symmetry
from tests.report.invented import fill, make_database
from tests.rigor.points import xor_points

XOR = builtin("xor")

SPECS = {
    "xor": XOR,
    "deep": XOR.with_(hidden=(2, 2)),
    "weights": XOR.with_(penalised=Penalised.WEIGHTS, activation="sigmoid"),
    "no-bias": XOR.with_(bias=False, activation="z*tanh(z)"),
    "unpenalised": XOR.with_(penalty="0", hidden=(1,)),
    "three classes": builtin("iris"),
    "logistic": LandscapeSpec(
        name="a_b & 100% #1",
        hidden=(2,),
        loss=Loss.LOGISTIC,
        penalty=Fraction(1, 3),
        data=XOR.data,
        activation="softplus",
    ),
    "squared": LandscapeSpec(
        name="regression",
        hidden=(1,),
        loss=Loss.SQUARED,
        penalty=Fraction(1, 10),
        data=make_data("line", [["0", "1/3"], ["1", "-2"]], [["0", "1"], ["1/7", "0"]], classify=False),
    ),
}

DRAWN = ("three classes", "squared")
"""Those whose figures are drawn here too."""


@pytest.fixture(params=SPECS)
def database(request: pytest.FixtureRequest, tmp_path: Path):  # type: ignore[no-untyped-def]
    with make_database(tmp_path / "landscape.sqlite", SPECS[request.param]) as made:
        fill(made)
        yield made


def balanced(text: str) -> bool:
    """Braces, environments and inline formulas close."""
    plain = re.sub(r"\\[\\{}$]", "", text)
    stack: list[str] = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+\*?)\}", plain):
        if kind == "begin":
            stack.append(name)
        elif not stack or stack.pop() != name:
            return False
    return not stack and plain.count("{") == plain.count("}") and plain.count("$") % 2 == 0


def test_every_kind_of_network_gives_a_report_with_its_parts(database: Database, tmp_path: Path) -> None:
    folder = tmp_path / "report"
    drawn = database.spec in [SPECS[name] for name in DRAWN]
    written = write_report(database, folder, formats=("pdf",) if drawn else (), pdf=False)
    assert written[0] == folder / "report.tex"
    assert all(path.is_file() for path in written)
    whole = (folder / "report.tex").read_text()
    inputs = re.findall(r"\\input\{([\w-]+)\}", whole)
    assert {"question", "formulas", "symmetry", "counts", "classes", "pathways", "embedding", "proofs", "versions"} <= {
        *inputs
    }
    assert "theorem-T5-test" in inputs
    assert "theorem-own" in inputs
    for name in inputs:
        text = (folder / f"{name}.tex").read_text()
        assert balanced(text), name
        assert "None" not in text
        assert "<<" not in text
    pictures = re.findall(r"\\(?:includegraphics\[[^]]*\]|fitted)\{(figures/[\w-]+)\}", whole)
    assert bool(pictures) == drawn
    for figure in pictures:
        assert (folder / f"{figure}.pdf").stat().st_size > 1000
    assert database.spec.digest in (folder / "versions.tex").read_text()
    assert "abababab" in (folder / "formulas.tex").read_text()


def test_the_table_of_classes_says_what_the_certificates_say(tmp_path: Path) -> None:
    with make_database(tmp_path / "a.sqlite", XOR) as database:
        fill(database)
        write_report(database, tmp_path, formats=(), pdf=False)
        data = collect(database)
    rows = [line for line in (tmp_path / "classes.tex").read_text().splitlines() if re.match(r"\d+ & ", line)]
    assert len(rows) == 5
    assert [row.count(r"\checkmark") for row in rows] == [1, 1, 1, 1, 0]
    assert rows[-1].count("?") == 1
    radii = [line for line in (tmp_path / "radii.tex").read_text().splitlines() if re.match(r"\d+ & ", line)]
    assert [row.count(r"\checkmark") for row in radii] == [3, 3, 3, 3, 0]
    for number in range(5):
        saved = json.loads((tmp_path / "certificates" / f"class-{number}.json").read_text())
        assert saved["seal"] == data.landscape.certificates[number].to_dict()["seal"]
    assert (data.account.counts.classes, data.certified_by_index) == ((2, 2, 1), (2, 2, 0))
    copies = [p.orbit_size for p in data.points]
    assert data.account.counts.morse_sum == copies[0] + copies[1] - copies[2] - copies[3] + copies[4]


def test_a_failed_morse_sum_is_said_in_the_abstract(tmp_path: Path) -> None:
    with make_database(tmp_path / "a.sqlite", XOR) as database:
        write_report(database, tmp_path, formats=(), pdf=False)
    assert "not complete" in (tmp_path / "summary.tex").read_text()
    assert "classes are missing" in (tmp_path / "counts.tex").read_text()


def test_where_biases_are_free_the_morse_sum_is_not_called_a_test(tmp_path: Path) -> None:
    with make_database(tmp_path / "a.sqlite", XOR.with_(penalised=Penalised.WEIGHTS)) as database:
        write_report(database, tmp_path, formats=(), pdf=False)
    assert "not complete" not in (tmp_path / "summary.tex").read_text()
    assert "is no test" in (tmp_path / "counts.tex").read_text()


def test_what_other_widths_say_and_a_proof_of_completeness_are_printed(tmp_path: Path) -> None:
    with make_database(tmp_path / "x.sqlite", builtin("xor"), indices=(0,)) as database:
        proof = Enumeration(
            verdict=Verdict.CERTIFIED,
            by="boxes",
            classes=1,
            unproved=(),
            undecided=0,
            boxes=1234,
            share=1.0,
            seconds=1.0,
            digest="abcdef" * 8,
        )
        put_answer(database, enumeration.QUESTION, proof)
        label = labels.ClassLabel(number=0, width=(1,), irreducible=False, narrow_class=3, label="extension of class 3")
        put_answer(database, labels.QUESTION, labels.Labels(classes=(label,)))
        narrow = landscape_map.MapClass(
            width=1, number=0, loss=0.4, index=0, orbit_size=4, label="irreducible at width 1", irreducible=True
        )
        wide = landscape_map.MapClass(
            width=2,
            number=7,
            loss=0.4,
            index=1,
            orbit_size=8,
            label="extension of class 0 at width 1",
            irreducible=False,
        )
        link = landscape_map.MapLink(width=1, start=0, end=7, rise=1, escape=None, verdict=Verdict.CERTIFIED)
        morse = landscape_map.MorseBalance(width=1, own=4, keeping=0, gaining=4, predicted=4)
        record = landscape_map.EmbeddingMap(widths=(1, 2), classes=(narrow, wide), links=(link,), morse=(morse,))
        put_answer(database, landscape_map.QUESTION, record)
        write_report(database, tmp_path / "report", formats=("png",), pdf=False)
        assert "The list is complete" in (tmp_path / "report" / "counts.tex").read_text()
        assert "& 1: 3 &" in (tmp_path / "report" / "classes.tex").read_text()
        table = (tmp_path / "report" / "map.tex").read_text()
        assert "1 & 0 & $0.40000000$ & 0 & 4 & irreducible & 7 & +1 & -- &" in table
        assert "every embedded class was found" in table
        assert (tmp_path / "report" / "figures" / "map.png").is_file()
        put_answer(database, enumeration.QUESTION, replace(proof, by="T9-xor"))
        write_report(database, tmp_path / "report", formats=(), pdf=False)
        assert "by theorem T9-xor" in (tmp_path / "report" / "counts.tex").read_text()
        put_answer(database, enumeration.QUESTION, replace(proof, verdict=Verdict.UNDECIDED, share=0.5))
        put_answer(database, landscape_map.QUESTION, replace(record, links=(replace(link, end=None),)))
        write_report(database, tmp_path / "report", formats=(), pdf=False)
        assert "The list is complete" not in (tmp_path / "report" / "counts.tex").read_text()
        assert "MISSING" in (tmp_path / "report" / "map.tex").read_text()


def list_of(tmp_path: Path, spec: LandscapeSpec, orbits: dict[int, int], gauge: int = 0) -> Database:
    """A list with so many copies of each index, and as many flat gauge directions at every point."""
    database = Database.create(tmp_path / "list.sqlite", spec)
    size = spec.n_parameters
    points = [
        StationaryPoint(
            theta=np.full(size, 0.1 * n),
            loss=0.5 + 0.1 * n,
            gradient_norm=0.0,
            spectrum=np.concatenate([-np.ones(index), np.zeros(gauge), np.ones(size - index - gauge)]),
            index=index,
            nullity=gauge,
            orbit_size=copies,
            outcome=Outcome.CONVERGED,
        )
        for n, (index, copies) in enumerate(orbits.items())
    ]
    database.put_points(points)
    return database


def test_command_and_report_agree_that_a_broken_morse_inequality_refutes_a_list(tmp_path: Path) -> None:
    """Copies 2, 0, 0, 1: the sum is 1, but two minima need a transition state between them."""
    with list_of(tmp_path, XOR, {0: 2, 3: 1}) as database:
        assert database.landscape().account.counts.morse_sum == 1
        assert summary(database)["morse"] == "refuted"
        write_report(database, tmp_path / "r", formats=(), pdf=False)
    assert "not complete" in (tmp_path / "r" / "summary.tex").read_text()
    assert "classes are missing" in (tmp_path / "r" / "counts.tex").read_text()


def test_gauge_directions_make_no_class_degenerate_anywhere(tmp_path: Path) -> None:
    with list_of(tmp_path, XOR.with_(penalised=Penalised.WEIGHTS), {0: 2, 1: 1}, gauge=1) as database:
        assert summary(database)["degenerate"] == 0
        write_report(database, tmp_path / "r", formats=(), pdf=False)
    assert "degenerate" not in (tmp_path / "r" / "counts.tex").read_text()


def test_a_certificate_of_another_index_certifies_no_class_anywhere(tmp_path: Path) -> None:
    spec = XOR.with_(hidden=(1,), penalty="1e-2")
    with list_of(tmp_path, spec, {1: 1}) as database:
        # The origin is a minimum; the list calls it a transition state.
        database.put_certificate(0, certify(spec, [0.0] * spec.n_parameters))
        assert summary(database)["classes"][0]["certified"] is False
        data = collect(database)
    assert data.classes[0].certified is False
    assert data.classes[0].index_verdict is Verdict.REFUTED
    assert data.certified_by_index == (0, 0)


def test_a_list_is_introduced_as_what_is_known_of_it(tmp_path: Path) -> None:
    with make_database(tmp_path / "a.sqlite", XOR, indices=(0,)) as database:
        write_report(database, tmp_path / "found", formats=(), pdf=False)
        assert "were found" in (tmp_path / "found" / "summary.tex").read_text()
        assert database.landscape().account.wording == "1 found, 0 certified"


def test_a_database_with_nothing_in_it_gives_a_report_that_says_so(tmp_path: Path) -> None:
    with Database.create(tmp_path / "a.sqlite", XOR) as database:
        write_report(database, tmp_path / "r", pdf=False)
    text = (tmp_path / "r" / "report.tex").read_text()
    assert "figures/" not in text
    assert "No pathways" in (tmp_path / "r" / "pathways.tex").read_text()
    assert "No proofs" in (tmp_path / "r" / "proofs.tex").read_text()


def test_the_same_database_gives_the_same_files(tmp_path: Path) -> None:
    with make_database(tmp_path / "a.sqlite", XOR.with_(hidden=(1,))) as database:
        fill(database)
        first = {p.name: p.read_bytes() for p in write_report(database, tmp_path / "r", formats=(), pdf=False)}
        again = {p.name: p.read_bytes() for p in write_report(database, tmp_path / "r", formats=(), pdf=False)}
    assert first == again


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX here")
@pytest.mark.parametrize("name", ["logistic", "squared"])
def test_a_report_compiles_and_leaves_no_other_files(tmp_path: Path, name: str) -> None:
    notes: list[str] = []
    with make_database(tmp_path / "a.sqlite", SPECS[name]) as database:
        fill(database)
        written = write_report(database, tmp_path / "r", formats=("pdf",), note=notes.append)
    assert notes == ["the PDF was made"]
    assert written[0].read_bytes().startswith(b"%PDF-")
    assert {p.suffix for p in (tmp_path / "r").iterdir() if p.is_file()} == {".pdf", ".tex"}


ALONE = r"""\documentclass{article}
\usepackage{amsmath,amssymb,booktabs,longtable,graphicx}
\begin{document}
\input{%s}
\end{document}
"""


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX here")
def test_every_fragment_compiles_alone(tmp_path: Path) -> None:
    with make_database(tmp_path / "a.sqlite", XOR) as database:
        fill(database)
        write_report(database, tmp_path, formats=("pdf",), pdf=False)
    fragments = sorted(p.stem for p in tmp_path.glob("*.tex") if p.stem != "report")
    assert {"statement", "classes", "radii", "embedding", "theorem-own"} <= {*fragments}
    for name in fragments:
        (tmp_path / "alone.tex").write_text(ALONE % name)
        command = ["pdflatex", "-draftmode", "-halt-on-error", "-interaction=nonstopmode", "alone.tex"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{name}: {done.stdout[-800:]}"


def test_without_a_latex_program_the_source_is_left_with_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    notes: list[str] = []
    with make_database(tmp_path / "a.sqlite", XOR) as database:
        written = write_report(database, tmp_path / "r", formats=(), note=notes.append)
    assert written[0].name == "report.tex"
    (note,) = notes
    assert "no LaTeX program" in note
    assert "\n" not in note


def test_a_latex_program_that_fails_leaves_the_source_and_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "pdflatex"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/bin")
    monkeypatch.setattr(shutil, "which", lambda name: str(program) if name == "pdflatex" else None)
    notes: list[str] = []
    with make_database(tmp_path / "a.sqlite", XOR) as database:
        written = write_report(database, tmp_path / "r", formats=(), note=notes.append)
    assert written[0].name == "report.tex"
    assert "LaTeX stopped" in notes[0]


def test_a_folder_that_cannot_be_made_is_reported_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with Database.create(tmp_path / "a.sqlite", XOR) as database, pytest.raises(ReportError, match="cannot be made"):
        write_report(database, tmp_path / "file" / "r", pdf=False)


def test_a_record_without_its_keys_is_reported_in_one_line(tmp_path: Path) -> None:
    with make_database(tmp_path / "a.sqlite", XOR) as database:
        database.put_answer("program", {"statements": []})
        with pytest.raises(DatabaseError, match="ask its question again"):
            write_report(database, tmp_path / "r", formats=(), pdf=False)


def test_parameters_are_named_in_the_order_of_the_layout() -> None:
    assert parameter_names(XOR)[:5] == ("w^{(1)}_{11}", "w^{(1)}_{12}", "w^{(1)}_{21}", "w^{(1)}_{22}", "w^{(2)}_{11}")
    assert parameter_names(XOR)[-2:] == ("b^{(2)}_{1}", "b^{(2)}_{2}")


def test_the_gradient_is_written_out_for_small_networks_alone() -> None:
    gradient = build_gradient(XOR)
    assert gradient is not None
    assert len(gradient.components) == 12
    assert all("lambda" in "".join(lines) for _, lines in gradient.components)
    assert build_gradient(XOR.with_(hidden=(3,))) is None
    free = build_gradient(XOR.with_(penalised=Penalised.WEIGHTS))
    assert free is not None
    assert ["lambda" in "".join(lines) for _, lines in free.components] == [True] * 8 + [False] * 4


def test_the_softest_eigenvalue_is_not_that_of_the_gauge(tmp_path: Path) -> None:
    """By theorem T3 every Hessian has the eigenvalue 2 lambda once for each gauge direction, here twice."""
    spec = XOR.with_(hidden=(1,), penalty="1e-2")
    kernel = compile_kernel(spec)
    with Database.create(tmp_path / "one.sqlite", spec) as database:
        group = find_symmetry(spec)
        found = [stationary_point(kernel, group, np.array(theta)) for theta in xor_points(1, "1e-2")]
        database.put_points(found)
        for number, point in enumerate(found):
            database.put_certificate(number, certify(spec, point.theta.tolist()))
        rows = collect(database).classes
    for row, point in zip(rows, found, strict=True):
        assert row.softest is not None
        others = sorted(point.spectrum, key=lambda w: abs(w - 0.02))[2:]
        assert float(Fraction(row.softest[0])) == pytest.approx(min(others, key=abs), abs=1e-9)
