"""The command line does the whole chain, and bad input gives one line, status 2, and loses nothing."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from symland import cli
from symland.cli import app, main
from symland.cli.display import Progress, print_table
from symland.landscape.database import Database
from tests.once import made_once


def call(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    return int(caught.value.code or 0)


@pytest.fixture(scope="module")
def landscape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    def run(folder: Path) -> None:
        assert call("run", "xor", "--hidden", "1", "--penalty", "1e-2", "-o", str(folder)) == 0

    return made_once(tmp_path_factory, "run-of-xor", run)


def document(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    status = call(*arguments)
    out = json.loads(capsys.readouterr().out)
    assert status == 0
    return out


def test_the_chain_finds_and_certifies_the_known_landscape(landscape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = document(capsys, "show", "--db", str(landscape / "landscape.sqlite"), "--json")
    assert (shown["counts"], shown["copies"], shown["morse_sum"]) == ([4, 3], [9, 8], 1)
    assert all(c["certified"] and c["loss_lower"] <= c["loss"] <= c["loss_upper"] for c in shown["classes"])
    minima = [c["loss"] for c in shown["classes"] if c["index"] == 0]
    assert minima == pytest.approx([0.63810804, 0.65415027, 0.69314718, 0.69951773], abs=5e-9)
    assert (landscape / "report").is_dir()


def test_a_second_run_gives_the_same_answer(landscape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = document(capsys, "show", "--db", str(landscape / "landscape.sqlite"), "--json")
    run = ("run", "xor", "--hidden", "1", "--penalty", "1e-2", "-o", str(landscape), "--json")
    assert document(capsys, *run)["classes"] == first["classes"]


def test_every_class_embeds_with_the_predicted_index(landscape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = document(capsys, "embed", "--db", str(landscape / "landscape.sqlite"), "--to", "2", "--json")
    assert report["verdict"] == "certified"
    # Among the minima of one node all but the origin gain one index (lambda = 1e-2).
    minima = [p for p in report["points"] if p["index_before"] == 0]
    assert sorted(p["index_after"] for p in minima) == [0, 1, 1, 1]


def test_refinement_prints_the_digits_asked_for(landscape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refined = document(capsys, "refine", "--db", str(landscape / "landscape.sqlite"), "--digits", "80", "--json")
    assert len(refined) == 7
    origin = next(r for r in refined if r["loss"].startswith("0.6931"))
    ln_2 = "0.693147180559945309417232121458176568075500134360255254120680009493393621969694"
    assert origin["loss"].startswith(ln_2)


@pytest.mark.parametrize(
    ("form", "holds"),
    [
        ("matrix", r"\delta_l\, a_{l-1}^{T}"),
        ("latex", r"\frac{\partial E}"),
        ("python", "def derivatives"),
        ("program", "for d"),
    ],
)
def test_derive_prints_each_form(form: str, holds: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("derive", "xor", "--hidden", "1", "--format", form) == 0
    whole = capsys.readouterr().out
    assert holds in whole
    part = document(capsys, "derive", "xor", "--hidden", "1", "--format", form, "--only", "loss", "--json")
    assert (part["format"], part["only"]) == (form, "loss")
    assert 0 < len(part["text"]) < len(whole)


def test_certificates_are_written_and_checked(
    landscape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("certify", "--db", str(landscape / "landscape.sqlite"), "-o", str(tmp_path)) == 0
    files = sorted(map(str, tmp_path.glob("*.json")))
    capsys.readouterr()
    assert [c["verdict"] for c in document(capsys, "check", *files, "--json")] == ["certified"] * 7
    saved = document(capsys, "embed", files[0], files[3], "--to", "2", "--json")
    stored = document(capsys, "embed", "--db", str(landscape / "landscape.sqlite"), "--to", "2", "--json")
    assert saved["verdict"] == "certified"
    expected = [stored["points"][n] for n in (0, 3)]
    assert [p["index_after"] for p in saved["points"]] == [p["index_after"] for p in expected]
    assert [p["loss"] for p in saved["points"]] == pytest.approx([p["loss"] for p in expected], rel=1e-15)
    lie = tmp_path / "lie.json"
    lie.write_text(Path(files[0]).read_text().replace('"precision_bits"', '"bits"'))
    assert call("check", files[1], str(lie)) == 1
    assert call("embed", str(lie), "--to", "2") == 2
    assert "give a certificate that holds" in capsys.readouterr().err


def test_proofs_are_saved_and_checked_again_and_a_changed_one_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    theorem = str(Path(__file__).parent.parent / "proofs" / "t2_t3_gauge.py")
    assert call("prove", theorem, "-o", str(tmp_path)) == 0
    files = sorted(map(str, tmp_path.glob("*.json")))
    assert len(files) == 3
    assert call("check", *files) == 0
    lie = tmp_path / "lie.json"
    lie.write_text(Path(files[0]).read_text().replace('["q","-1"]', '["q","-3"]', 1))
    assert lie.read_text() != Path(files[0]).read_text()
    assert call("check", *files, str(lie)) == 1
    assert call("check", str(tmp_path / "none.json")) == 2


def test_a_tree_without_pathways_says_why_nothing_is_joined(
    landscape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "apart.sqlite"
    path.write_bytes((landscape / "landscape.sqlite").read_bytes())
    draw = ("draw", "tree", "--db", str(path), "-o", str(tmp_path / "tree.png"))
    assert call(*draw) == 0
    assert "nothing is joined" not in capsys.readouterr().err
    with Database.open(path) as database:
        database.put_pathways([])
    assert call(*draw) == 0
    assert "nothing is joined; `symland connect` follows them" in capsys.readouterr().err


def test_a_question_is_explored_and_a_proof_that_ran_out_of_time_is_open_and_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    db = str(tmp_path / "one.sqlite")
    question = ("xor", "--hidden", "1", "--penalty", "1e-3", "--db", db)
    for name in ("CHUNK", "LIMIT", "LONG"):
        monkeypatch.setattr(f"symland.rigor.enumeration.choices.{name}", 64)
    assert call("enumerate", *question, "--budget", "0.5s", "--json") == 1
    first = json.loads(capsys.readouterr().out)
    assert (first["verdict"], first["classes"]) == ("undecided", 7)
    # A log says how far the search is, as often as it is set to.
    monkeypatch.setattr("symland.cli.display.LOG_SECONDS", (0.05,))
    assert call("enumerate", "--db", db, "--budget", "0.5s", "--json") == 1
    captured = capsys.readouterr()
    assert json.loads(captured.out)["boxes"] > first["boxes"]
    assert 2 <= captured.err.count("% closed") <= 20
    assert call("enumerate") == 2


def test_the_narrow_landscape_lies_inside_the_wide_one(
    landscape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    narrow, wide = str(landscape / "landscape.sqlite"), str(tmp_path / "wide.sqlite")
    assert call("explore", "xor", "--hidden", "2", "--penalty", "1e-2", "--db", wide) == 0
    capsys.readouterr()
    found = document(capsys, "map", narrow, wide, "-o", str(tmp_path / "map"), "--json")
    assert len(found["links"]) == 7
    assert (tmp_path / "map" / "embedding-map.pdf").is_file()
    labels = document(capsys, "prune", "--db", wide, "--narrower", narrow, "--json")
    assert sorted(r["narrow_class"] for r in labels if r["narrow_class"] is not None) == [0, 1, 3, 4, 5, 6]
    assert sum(r["irreducible"] for r in labels) == 13

    files, back = str(tmp_path / "pathsample"), str(tmp_path / "back.sqlite")
    assert call("export", "--db", wide, "-o", files) == 0
    assert call("import", "xor", files, "--penalty", "1e-2", "--db", back) == 0
    capsys.readouterr()
    # Four minima; the transition states that join two minima. Higher indices cannot be in such files.
    shown = document(capsys, "show", "--db", back, "--json")
    assert shown["counts"][0] == 4
    assert (shown["morse"], shown["morse_why"]) == ("undecided", "only minima and transition states were imported")


def test_a_step_that_an_error_ends_gives_the_terminal_back(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr("symland.cli.display._errors", Console(file=screen, force_terminal=True))
    Progress().begin("explore")
    Progress.stop_all()
    # The cursor is hidden while the spinner turns.
    assert screen.getvalue().rfind("\x1b[?25h") > screen.getvalue().rfind("\x1b[?25l") >= 0


def test_a_table_too_wide_for_a_terminal_is_printed_in_parts_that_keep_numbers_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    columns = ["class", "loss", "largest of all eigenvalues", "what it is", "copies"]
    rows = [
        [str(n), f"0.{n}38108042861705", f"-1.{n}5415027246037e-10", "extension of a class " * 4, "16"] for n in (3, 4)
    ]
    print_table("Classes", columns, rows)
    (_, head, *lines) = capsys.readouterr().out.splitlines()
    assert (head.split()[0], len(lines)) == ("class", 2)
    monkeypatch.setenv("COLUMNS", "56")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    print_table("Classes", columns, rows)
    out = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert max(map(len, out.splitlines())) <= 56
    words = out.split()
    assert all(cell in words for row in rows for cell in (*row[:3], row[4]))
    assert words.count("3") == words.count("4") > 1


@pytest.mark.parametrize(
    ("arguments", "end"),
    [
        (["explore", "xor"], "goes on where it was"),
        (["ask", "enumeration"], "goes on where it was"),
        (["ask", "thermo"], "begins anew"),
        (["perceptron"], "begins anew"),
        (["check", "run"], "begins anew"),
    ],
)
def test_an_interrupted_command_says_whether_it_goes_on(
    arguments: list[str], end: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "app", interrupted)
    assert call(*arguments) == 130
    assert capsys.readouterr().err == f"symland: interrupted; the same command {end}\n"


def test_a_list_that_fails_the_morse_sum_says_so_and_exits_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One batch finds far from all 59 classes of three nodes; the budget ends the search after it."""
    short = ("explore", "xor", "--hidden", "3", "--penalty", "1e-3", "--db", str(tmp_path / "short.sqlite"))
    assert call(*short, "--budget", "0.001s", "--json") == 1
    captured = capsys.readouterr()
    assert json.loads(captured.out)["morse"] == "refuted"
    said = " ".join(captured.err.split())
    assert "NOT complete, it has holes: at least" in said
    assert "index (the Morse sum is" in said
    assert "before the stop rules held" in " ".join(captured.err.split())


def test_paths_between_minima_go_over_their_barriers(landscape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    db = str(landscape / "landscape.sqlite")
    shown = document(capsys, "show", "--db", db, "--json")
    found = document(capsys, "path", "0", "2", "--db", db, "--json")
    losses = [c["loss"] for c in shown["classes"]]
    for way in found.values():
        assert (way["places"][0], way["places"][-1]) == (0, 2)
        highest = max(losses[state] for state in way["transition_states"])
        assert way["barrier"] == highest - losses[0]
        assert way["barrier_back"] == highest - losses[2]
    assert found["lowest"]["highest"] <= found["fastest"]["highest"]
    assert shown["connections"]["components"] == 1
    assert call("connect", "0", "2", "--db", db) == 0


def test_a_path_leads_up_to_a_transition_state_and_down_from_it(
    landscape: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    db = str(landscape / "landscape.sqlite")
    shown = document(capsys, "show", "--db", db, "--json")["classes"]
    state = next(n for n, c in enumerate(shown) if c["index"] == 1)
    for start, end in ((0, state), (state, 0)):
        found = document(capsys, "path", str(start), str(end), "--db", db, "--json")["lowest"]
        assert (found["places"][0], found["places"][-1]) == (start, end)
        # No way to a transition state stays below it.
        assert found["highest"] >= shown[state]["loss"]
        assert found["barrier"] == found["highest"] - shown[start]["loss"]


VERBS = [
    *("run", "derive", "explore", "refine", "certify", "show", "embed", "prove", "report"),
    *("kernel", "check", "enumerate", "map", "prune", "export", "import", "connect", "path", "draw"),
]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(verb, "--help") == 0
    assert f"symland {verb}" in capsys.readouterr().out.split("Example:")[1]


@pytest.mark.parametrize("verb", sorted({str(name) for name in app if not str(name).startswith("-")} - {"ask"}))
def test_every_verb_speaks_json(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    if verb == "schema":
        # It prints nothing else.
        return
    assert call(verb, "--help") == 0
    assert "--json" in capsys.readouterr().out


def test_files_that_were_written_are_named_in_json(
    landscape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    db = str(landscape / "landscape.sqlite")
    for command in (
        ("export", "--db", db, "--format", "csv", "-o", str(tmp_path / "csv")),
        ("draw", "tree", "--db", db, "-o", str(tmp_path / "tree.svg")),
        ("kernel", "xor", "--hidden", "1", "-o", str(tmp_path / "kernel")),
    ):
        files = document(capsys, *command, "--json")["files"]
        assert files
        assert all(Path(file).is_file() for file in files)
    # The last one, a kernel for C, comes with its verification.
    assert {".c", ".h", ".json"} <= {Path(file).suffix for file in files}
