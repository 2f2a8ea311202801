"""Pictures that a person asks for: what stands in them, and what cannot be drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from symland.errors import DatabaseError, ReportError
from symland.landscape.database import Database
from symland.landscape.landscape import Landscape
from symland.report import drawing
from tests.analysis.temperature.landscapes import stored

SIGNATURES = {"pdf": b"%PDF", "png": b"\x89PNG", "svg": b"<?xml"}


@pytest.fixture(scope="module")
def landscape(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    with Database.open(stored(tmp_path_factory.mktemp("drawing"))) as opened:
        yield opened.landscape()


def texts(figure) -> list[str]:  # type: ignore[no-untyped-def]
    return [text.get_text() for axes in figure.axes for text in axes.texts]


@pytest.mark.parametrize("kind", drawing.SUFFIXES)
def test_every_format_is_written_as_its_name_says(landscape: Landscape, kind: str, tmp_path: Path) -> None:
    path = drawing.save_drawing(drawing.draw_levels(landscape), tmp_path / "new" / f"levels.{kind}")
    assert path.read_bytes().startswith(SIGNATURES[kind])


def test_the_tree_has_a_leaf_for_each_class_or_each_copy(landscape: Landscape) -> None:
    """Four classes of minima with nine copies: 2 + 4 + 1 + 2."""
    assert sorted(texts(drawing.draw_tree(landscape))) == ["0", "1", "2", "3"]
    assert sorted(texts(drawing.draw_tree(landscape, unfolded=True))) == ["0"] * 2 + ["1"] * 4 + ["2"] + ["3"] * 2
    assert texts(drawing.draw_tree(landscape, labels=False)) == [""] * 4
    # The two lowest minima lie below 0.66.
    assert sorted(texts(drawing.draw_tree(landscape, below=0.66))) == ["0", "1"]


def test_any_column_colours_the_minima(landscape: Landscape) -> None:
    norms = [float(np.linalg.norm(p.theta)) for p in landscape.points if p.index == 0]
    bar = drawing.draw_tree(landscape, colour="norm", log_loss=True, levels=8).axes[-1]
    assert bar.get_ylabel() == "norm"
    np.testing.assert_allclose(bar.get_ylim(), (min(norms), max(norms)))


def test_a_slice_holds_the_ends_of_the_pathway_that_joins_them(landscape: Landscape) -> None:
    """From the pass the two ends lie downhill: the highest of the three is drawn at the middle."""
    path = next(p for p in landscape.pathways if p.minus != p.plus)
    figure = drawing.draw_slice(landscape, (path.minus, path.transition_state, path.plus))
    assert texts(figure)[-3:] == [str(path.minus), str(path.transition_state), str(path.plus)]


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (lambda d: drawing.draw_tree(d, colour="weight"), "no column 'weight'"),
        (lambda d: drawing.draw_tree(d, colour="outcome"), "no column 'outcome'"),
        (lambda d: drawing.draw_tree(d, levels=1), "levels: 1"),
        (lambda d: drawing.draw_tree(d, below=0.1), "no minimum"),
        (lambda d: drawing.draw_network(d, 7), "class 7 of 7"),
        (lambda d: drawing.draw_slice(d, (0, 1)), "needs three classes"),
        (lambda d: drawing.draw_slice(d, (0, 4, 0)), "line|same"),
        (lambda d: drawing.save_drawing(drawing.draw_levels(d), Path("tree.gif")), "pdf, png, svg"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_one_line(landscape: Landscape, draw, words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises((ReportError, DatabaseError), match=words) as caught:
        draw(landscape)
    assert "\n" not in str(caught.value)
