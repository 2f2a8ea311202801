"""What a question asked of a landscape is: one module says all that anyone needs to know of it.

From the declaration alone follow the storage of its answer, `symland ask NAME`, the JSON document with its schema, the
printed table, `symland draw NAME`, the section of the report and the line in `symland show`. A question's module is
light: it loads what it computes with when it is asked.
"""

from __future__ import annotations

import math
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from symland.codec import plain
from symland.listener import SILENCE, Listener
from symland.records import Verdict
from symland.tables import Table, longtable
from symland.tex import text_tex

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from symland.landscape.landscape import Landscape

__all__ = ["QUIET", "NoOptions", "Picture", "Question", "Setting"]

O = TypeVar("O")
"""A question's options."""
A = TypeVar("A")
"""A question's answer."""


@dataclass(frozen=True, kw_only=True)
class NoOptions:
    """A question with nothing to choose."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Picture:
    """A figure, and the LaTeX of its caption."""

    figure: Figure
    caption: str


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Where, how long and from where on a question is worked at.

    Attributes
    ----------
    listener : Listener
        Hears how far it is.
    executor, workers : optional
        Where work that can be shared out runs, and on how many processes.
    budget : float
        Seconds by the clock.
    clock : callable
        Seconds.
    state : JSON values or None
        Where an earlier, interrupted run of a resumable question stopped.
    keep : callable
        Takes such a state.
    """

    listener: Listener = SILENCE
    executor: Executor | None = None
    workers: int = 1
    budget: float = math.inf
    clock: Callable[[], float] = time.process_time
    state: Any = None
    keep: Callable[[Any], None] = field(default=lambda state: None)


QUIET = Setting()
"""This process, no limit, nobody told."""


def _in_style(draw: Callable[..., Mapping[str, Picture]]) -> Callable[..., Mapping[str, Picture]]:
    """Draw a question's figures in the style of all others."""

    @wraps(draw)
    def drawn(question: Any, answer: Any, landscape: Landscape) -> Mapping[str, Picture]:
        from symland.figures.style import house_style

        with house_style():
            return draw(question, answer, landscape)

    return drawn


class Question(ABC, Generic[O, A]):
    """A question; each is a final subclass with one instance, named `QUESTION`, in a module of its own.

    Attributes
    ----------
    name : str
        Of the answer, of files and of `symland ask NAME`.
    help : str
        One line.
    options : type
        A frozen dataclass with defaults; `Annotated[type, "help"]` says what each one is.
    answer : type
        One frozen record, which the codec turns into JSON and back.
    version : int
        Of the answer's form.
    outlives : bool
        Whether the answer stays true when the list of classes changes.
    learns_from : tuple of str
        Names of questions whose stored answers say more of this one's; see `learn`.
    others : str
        What other landscapes it takes, in words; empty where it takes none.
    resumable : bool
        Whether an interrupted run goes on from its state.
    shared : bool
        Whether its work is shared out over the workers of `Setting.executor`.
    verb : bool
        Whether `symland NAME` asks it too, beside `symland ask NAME`.
    section : str
        The heading of its section in the report, or empty.
    paragraph : str
        The fragment of the report that it joins where it has no section: "formulas", "counts" or "pathways"; empty
        where it is not printed by itself.
    """

    name: ClassVar[str]
    help: ClassVar[str]
    options: ClassVar[type] = NoOptions
    answer: ClassVar[type]
    version: ClassVar[int] = 1
    outlives: ClassVar[bool] = False
    learns_from: ClassVar[tuple[str, ...]] = ()
    others: ClassVar[str] = ""
    resumable: ClassVar[bool] = False
    shared: ClassVar[bool] = False
    verb: ClassVar[bool] = False
    section: ClassVar[str] = ""
    paragraph: ClassVar[str] = ""

    def __init_subclass__(cls) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9-]*", cls.name):
            raise ValueError(f"question {cls.name!r}: write lower-case letters, digits and hyphens")
        if "figures" in vars(cls):
            cls.figures = _in_style(vars(cls)["figures"])  # type: ignore[method-assign]

    @abstractmethod
    def ask(self, landscape: Landscape, *others: Landscape, options: O, setting: Setting = QUIET) -> A:
        """The answer.

        Raises
        ------
        SymlandError
            With one line, where the question cannot be asked of this landscape.
        """

    @abstractmethod
    def sentence(self, answer: A) -> str:
        """The answer in one plain sentence."""

    def learn(self, answer: A, other: Any) -> A:
        """The answer with what the stored answer to a question of `learns_from` adds to it, whichever came first."""
        return answer

    def claim(self, answer: A) -> str:
        """What is proved, as LaTeX that can stand in the theorem about the landscape; empty where nothing is."""
        return ""

    def tables(self, answer: A) -> tuple[Table, ...]:
        """The answer in numbers."""
        return ()

    def figures(self, answer: A, landscape: Landscape) -> Mapping[str, Picture]:
        """Pictures by name, which is that of `symland draw NAME`."""
        return {}

    def verdict(self, answer: A) -> Verdict:
        """Whether what was asked holds; anything but CERTIFIED ends a command with status 1."""
        return Verdict.CERTIFIED

    def latex(self, answer: A, landscape: Landscape) -> str:
        """The body of its section or paragraph: the sentence, and its tables."""
        return "\n\n".join([text_tex(self.sentence(answer)), *map(longtable, self.tables(answer))])

    def document(self, answer: A) -> Any:
        """The JSON values of `--json`."""
        return plain(answer)

    @property
    def schema_name(self) -> str:
        """The name and version that a JSON document carries."""
        return f"symland-{self.name}/{self.version}"
