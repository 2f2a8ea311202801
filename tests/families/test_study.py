"""Studies: the known counts of XOR, the same lists whatever the order, after a kill, and wrong labels."""

from __future__ import annotations

import json
import shutil
import time
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from symland.errors import DatabaseError, SpecError
from symland.families.positions import parse_positions
from symland.families.study import Grid, flipped, parse_widths
from symland.listener import Silence
from symland.pipeline.study import INDEX, auc_scorer, study_into, write_study
from symland.spec import load_spec
from tests.analysis.test_sensitivity import np_derivatives
from tests.test_cli import call


class Killed(Exception):
    """Stands for the end of the process."""


class Cut(Silence):
    """Ends the run after the first note of a cell whose name has a certain end."""

    def __init__(self, end: str) -> None:
        self.end_of_name = end

    def advance(self, note: str, done: int = 0, total: int = 0) -> None:
        if f"{self.end_of_name}:" in note:
            raise Killed


def grid(hidden: str = "1", penalty: str = "1e-1,1e-2", **more: str) -> Grid:
    return Grid.of(load_spec("xor"), hidden=hidden, penalty=penalty, **more)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    return folder, study_into(grid(), folder, clock=time.monotonic)


def test_the_cells_of_one_node_have_the_reference_counts(whole):
    _, found = whole
    assert [(c.hidden, Fraction(c.penalty), c.counts, c.copies) for c in found.cells] == [
        (1, Fraction(1, 10), (1,), (1,)),
        (1, Fraction(1, 100), (4, 3), (9, 8)),
    ]
    assert [c.lowest for c in found.cells] == pytest.approx([0.69314718, 0.63810804], abs=5e-9)
    assert all(c.morse and c.satisfied for c in found.cells)
    assert [c.irreducible for c in found.cells] == [0, 6]  # all but the origin, which the empty network extends to


def test_a_killed_study_goes_on_and_ends_with_the_same_lists(whole, tmp_path):
    folder, found = whole
    with pytest.raises(Killed):
        study_into(grid(), tmp_path, clock=time.monotonic, listener=Cut("l0.01"))
    assert len(json.loads((tmp_path / INDEX).read_text())["cells"]) == 1
    again = study_into(grid(penalty="1e-2,0.1"), tmp_path, clock=time.monotonic)
    assert again == found
    assert (tmp_path / INDEX).read_text() == (folder / INDEX).read_text()


def test_a_folder_keeps_to_its_grid(whole):
    folder, _ = whole
    with pytest.raises(DatabaseError, match="another grid"):
        study_into(grid(penalty="1e-1,1e-2,1e-3"), folder, clock=time.monotonic)


def test_tables_and_figures_are_written(whole):
    folder, found = whole
    files = {path.name for path in write_study(found, folder)}
    assert {"study.csv", "study.json", "study.tex", "study-hidden.pdf", "study-penalty.pdf"} <= files
    assert (folder / "study.csv").read_text().splitlines()[2].startswith("1,0.01,xor,0.0,4 3,9 8,0.75,1,")


def test_neighbours_come_before_a_cell_in_whatever_order_the_grid_was_written():
    written = grid("1..3", "1e-3,1e-1,1e-2", inputs="xor-pm,xor", flip="1,0")
    assert written.document() == grid("3,1,2", "1e-2,1e-3,0.1", inputs="xor,xor-pm", flip="0,1").document()
    places = written.places()
    assert len(places) == 36
    for place in places:
        for other in written.neighbours(place):
            assert places.index(other) < places.index(place)


def test_wrong_labels_are_as_many_as_asked_and_a_larger_share_holds_those_of_a_smaller():
    iris = load_spec("iris")
    shares = [Fraction(k, 10) for k in range(11)]
    wrong = []
    for share in shares:
        labels = flipped(iris, share, 3).data.labels
        wrong.append({d for d, (a, b) in enumerate(zip(labels, iris.data.labels, strict=True)) if a != b})
    assert [len(w) for w in wrong] == [15 * k for k in range(11)]
    assert all(small <= large for small, large in pairwise(wrong))
    assert flipped(iris, Fraction(1, 2), 3).digest == flipped(iris, Fraction(1, 2), 3).digest
    assert flipped(iris, Fraction(1, 2), 3).digest != flipped(iris, Fraction(1, 2), 4).digest


def test_all_labels_of_xor_wrong_are_the_same_landscape(tmp_path, whole):
    _, found = whole
    other = study_into(grid(penalty="1e-2", flip="1"), tmp_path, clock=time.monotonic)
    assert other.cells[0].copies == found.cells[1].copies
    assert other.cells[0].lowest == pytest.approx(found.cells[1].lowest, abs=1e-12)


def test_the_auc_of_one_odd_node_on_the_corners_is_one_half(whole, tmp_path):
    """The origin gives all samples one score; any other network of one tanh node ranks XOR no better than chance."""
    folder, _ = whole
    (tmp_path / "test.csv").write_text("a,b,label\n0,0,0\n0,1,1\n1,0,1\n1,1,0\n")
    scorer = auc_scorer(grid(), tmp_path / "test.csv")
    copy = shutil.copytree(folder, tmp_path / "grid")
    found = study_into(grid(), copy, clock=time.monotonic, scorer=scorer)
    assert [c.auc for c in found.cells] == pytest.approx([0.5, 0.5], abs=1e-12)


def test_test_data_of_other_columns_are_refused_before_a_search(tmp_path):
    for text, words in (("a,label\n0,0\n", "columns"), ("a,b,label\n0,0,5\n", "unknown")):
        (tmp_path / "test.csv").write_text(text)
        with pytest.raises(SpecError, match=words):
            auc_scorer(grid(), tmp_path / "test.csv")
    with pytest.raises(SpecError, match="cannot be read"):
        auc_scorer(grid(), tmp_path / "nowhere.csv")


def copies_by_newton(x: float) -> tuple[int, ...]:
    """Stationary points of one tanh node at lambda = 0.01 by index, by Newton's method from many random points."""
    theta = np.random.default_rng(0).normal(size=(1500, 7)) * 2
    data = np.tile(np.array([(0, 0), (0, 1), (1, 0), (x, 1)], dtype=float), (len(theta), 1, 1))
    for _ in range(30):
        g, hess = np_derivatives(theta, data)
        step = np.linalg.solve(hess, g[..., None])[..., 0]
        theta = np.clip(theta - step / np.maximum(1.0, np.abs(step).max(axis=1, keepdims=True)), -50, 50)
    g, hess = np_derivatives(theta, data)
    held = np.abs(g).max(axis=1) < 1e-12
    _, first = np.unique(np.round(theta[held], 6) + 0.0, axis=0, return_index=True)
    return tuple(np.bincount((np.linalg.eigvalsh(hess[held][first]) < 0).sum(axis=1)).tolist())


def test_the_copies_along_an_input_are_those_of_newton_from_many_points(tmp_path, capsys):
    assert call("study", "xor", "--hidden", "1", "--penalty", "1e-2", "--move", "3,0=0.8,0.9", "-o", str(tmp_path)) == 0
    assert "x[3,0]" in capsys.readouterr().out
    document = json.loads((tmp_path / "study.json").read_text())
    assert document["moved"] == [3, 0]
    for cell in document["cells"]:
        assert tuple(cell["copies"]) == copies_by_newton(float(cell["position"]))
    assert (tmp_path / "study-position.pdf").exists()


def test_cells_without_an_end_share_the_budget_and_go_on_to_the_lists_of_one_run(tmp_path):
    ticks = iter(range(10**9))
    noisy = grid(penalty="1e-1", flip="0,1/2")
    rules = "quiet 2000"
    cut = study_into(noisy, tmp_path / "a", until=rules, budget=20.0, clock=lambda: float(next(ticks)))
    assert (len(cut.cells), len(cut.unfinished), cut.total) == (0, 2, 2)
    assert all(c.searches and c.coverage and not c.satisfied for c in cut.unfinished)
    files = {path.name for path in write_study(cut, tmp_path / "a")}
    assert files == {"study.csv", "study.json", "study.tex"}
    whole = study_into(noisy, tmp_path / "a", until=rules, clock=time.monotonic)
    assert whole == study_into(noisy, tmp_path / "b", until=rules, clock=time.monotonic)
    assert len(whole.cells) == 2
    assert not whole.unfinished


def test_a_highest_index_leaves_out_the_saddles_beyond_and_the_morse_sum(tmp_path):
    (cell,) = study_into(grid(penalty="1e-2"), tmp_path, max_index=0, clock=time.monotonic).cells
    assert cell.satisfied
    assert cell.counts[0] == 4
    assert cell.morse is None
    assert cell.coverage is not None
    assert cell.coverage > 0.9


def test_positions_are_read():
    assert parse_positions("3, 0 = -1..1:5").values == tuple(Fraction(k, 2) for k in range(-2, 3))
    assert parse_positions("0,1=1,1/3").values == (Fraction(1, 3), Fraction(1))
    for text in ("3,0", "3,0=", "3,0=1", "3,0=0..1", "3,0=0..1:1", "3,0=0..1:99999", "a,0=0..1:3", "3,0=x,1"):
        with pytest.raises(SpecError, match="--move"):
            parse_positions(text)


def test_widths_are_read():
    assert parse_widths("1..3, 7") == (1, 2, 3, 7)
    for text in ("", "0", "3..1", "x", "1..", "1..99999"):
        with pytest.raises(SpecError, match="--hidden"):
            parse_widths(text)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--flip", "2"], "write numbers from 0 to 1"),
        (["--move", "4,0=0..1:3"], "write a row from 0 to 3"),
        (["--move", "3,0=0..1"], "FIRST..LAST:COUNT"),
        (["--max-index", "-1"], "write 0 for minima"),
        (["--inputs", "zor"], "write some of"),
        (["--hidden", "0"], "write such as 1..4"),
        (["--penalty", "0.1,x"], "write a finite number"),
        (["--penalty", "0.1,0"], "write positive ones"),
        (["--searches", "0"], "write 1 or more"),
    ],
)
def test_bad_input_gets_one_line(options, words, tmp_path, capsys):
    assert call("study", "xor", *options, "-o", str(tmp_path / "s")) == 2
    shown = capsys.readouterr()
    assert not shown.out
    assert words in shown.err
    assert len(shown.err.splitlines()) == 1
    assert not (tmp_path / "s").exists()
