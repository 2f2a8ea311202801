"""Questions asked from Python say what the command line says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import symland
from tests.report.invented import make_database


@pytest.fixture
def landscape(tmp_path: Path):  # type: ignore[no-untyped-def]
    with make_database(tmp_path / "a.sqlite", symland.builtin("xor")) as database:
        yield database.landscape()


def test_an_answer_reads_as_a_sentence_and_in_a_notebook_as_its_tables(landscape: symland.Landscape) -> None:
    asked = symland.ask(landscape, "labels")
    own = sum(label.irreducible for label in asked.answer.classes)
    assert repr(asked).startswith(f"labels: {own} of {len(landscape)} classes are irreducible")
    html = asked._repr_html_()
    assert len(re.findall("<tr>", html)) == 1 + len(landscape)
    assert [row["class"] for row in asked.document] == list(range(len(landscape)))
    assert asked.verdict is symland.Verdict.CERTIFIED


def test_figures_are_of_matplotlib(landscape: symland.Landscape) -> None:
    from matplotlib.figure import Figure

    asked = symland.ask(landscape, "condensation")
    assert isinstance(asked.figures()["condensation"], Figure)
    assert isinstance(symland.draw_levels(landscape), Figure)


@pytest.mark.parametrize(("name", "options", "words"), [("flat", {}, "flatness"), ("labels", {"sigma": 1}, "none")])
def test_what_is_not_there_is_refused_in_one_line(
    landscape: symland.Landscape, name: str, options: dict[str, int], words: str
) -> None:
    with pytest.raises(symland.SymlandError, match=words) as told:
        symland.ask(landscape, name, **options)
    assert "\n" not in str(told.value)
