"""Studies: the known counts of XOR, the same lists whatever the order, after a kill, and wrong labels."""

from __future__ import annotations

import json
import shutil
import time
from fractions import Fraction
from itertools import pairwise

import pytest

from symland.errors import DatabaseError, SpecError
from symland.families.study import Grid, flipped, parse_widths
from symland.listener import Silence
from symland.pipeline.study import INDEX, auc_scorer, study_into, write_study
from symland.spec import load_spec
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


def test_widths_are_read():
    assert parse_widths("1..3, 7") == (1, 2, 3, 7)
    for text in ("", "0", "3..1", "x", "1..", "1..99999"):
        with pytest.raises(SpecError, match="--hidden"):
            parse_widths(text)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--flip", "2"], "write numbers from 0 to 1"),
        (["--inputs", "zor"], "write some of"),
        (["--hidden", "0"], "write such as 1..4"),
        (["--penalty", "0.1,x"], "write a finite number"),
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
