"""A question asked from Python: its answer with all that the question says of it, readable in a notebook."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from html import escape
from typing import TYPE_CHECKING, Any, final

from symland.analysis import QUESTIONS, Question, find_question
from symland.errors import SpecError
from symland.records import Verdict
from symland.tables import Table, html_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from symland.landscape.landscape import Landscape

__all__ = ["Asked", "ask"]


@final
@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Asked:
    """An answer, and what its question says of it.

    Attributes
    ----------
    question : Question
    landscape : Landscape
    answer : record
        What `symland schema NAME` describes.
    """

    question: Question[Any, Any]
    landscape: Landscape
    answer: Any

    @property
    def sentence(self) -> str:
        """The answer in one plain sentence."""
        return self.question.sentence(self.answer)

    @property
    def tables(self) -> tuple[Table, ...]:
        """The answer in numbers."""
        return self.question.tables(self.answer)

    @property
    def verdict(self) -> Verdict:
        """Whether what was asked holds."""
        return self.question.verdict(self.answer)

    @property
    def document(self) -> Any:
        """The JSON values of the answer."""
        return self.question.document(self.answer)

    def figures(self) -> Mapping[str, Figure]:
        """Its pictures by name."""
        return {name: each.figure for name, each in self.question.figures(self.answer, self.landscape).items()}

    def __repr__(self) -> str:
        return f"{self.question.name}: {self.sentence}"

    def _repr_html_(self) -> str:
        return "".join([f"<p>{escape(self.sentence)}</p>", *map(html_table, self.tables)])


def ask(landscape: Landscape, name: str, *others: Landscape, **options: Any) -> Asked:
    """Ask a question of a landscape.

        flat = symland.ask(landscape, "flatness", sigma="0.1")
        flat                        # a sentence; in a notebook its tables too
        flat.figures()["flatness"]

    Parameters
    ----------
    landscape : Landscape
    name : str
        As in `symland ask NAME`.
    *others : Landscape
        Those that some questions compare with.
    **options
        The question's options, as on the command line with _ for -.

    Raises
    ------
    SpecError
        If there is no such question or option.
    SymlandError
        If it cannot be asked of this landscape.
    """
    question = find_question(name)
    if question is None:
        raise SpecError.at("question", f"{name!r}", f"write one of {', '.join(q.name for q in QUESTIONS)}")
    known = [option.name for option in fields(question.options)]
    for option in options:
        if option not in known:
            advice = f"write one of {', '.join(known)}" if known else "it has none"
            raise SpecError.at(f"question {name}", f"no option is named {option!r}", advice)
    answer = question.ask(landscape, *others, options=question.options(**options))
    return Asked(question=question, landscape=landscape, answer=answer)
