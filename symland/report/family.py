"""The report of several landscapes: how they change with the width, the penalty and the data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from symland.analysis import QUESTIONS, Question
from symland.analysis.answers import read_answers
from symland.analysis.pruning import label_classes
from symland.errors import ReportError
from symland.figures import save_figure
from symland.figures.study import Measured, study_figure, tree_grid_figure
from symland.landscape.account import Standing
from symland.landscape.database import Database
from symland.landscape.exchange import write_csv
from symland.landscape.landscape import Landscape
from symland.report.folder import make_folder, write_texts
from symland.report.formulas import build_formulas
from symland.report.latex import environment
from symland.spec import LandscapeSpec
from symland.symbolic.losses import LOSSES
from symland.tables import Cell, Column, Enclosed, Table, longtable
from symland.tex import fraction_tex, text_tex

__all__ = ["write_family"]

WHOLE = ("map", "follow")
"""Answers about families, whose sections are printed whole; of others stands the sentence."""

FRAGMENTS = ("summary", "statement", "question", "observations", "answers")
"""Fragments beside the tables."""

NEEDS = "% Needs amsmath, amssymb, booktabs, longtable.\n"
"""The first line of a fragment with a table."""

Captions = dict[str, dict[str, str]]
"""Captions of figures by the part of the report and by their names."""

COMPARED = ("minima", "transition states", "transition states / minima", "lowest loss")
"""Quantities that are compared from step to step of the grid."""

MOST_TREES = 24
"""Disconnectivity graphs in one figure."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Member:
    """One landscape of the family, with what is stored about it."""

    name: str
    landscape: Landscape
    answers: Mapping[str, Any]

    @property
    def spec(self) -> LandscapeSpec:
        return self.landscape.spec

    @property
    def width(self) -> str:
        return ", ".join(map(str, self.spec.hidden))

    @property
    def penalty(self) -> str:
        return fraction_tex(self.spec.penalty)

    @property
    def title(self) -> str:
        """Which one it is, as LaTeX."""
        data = "" if self.spec.name == self.spec.data.name else f" ({text_tex(self.spec.name)})"
        return rf"\texttt{{{text_tex(self.spec.data.name)}}}{data}, $N_h = {self.width}$, $\lambda = {self.penalty}$"

    @property
    def lowest(self) -> int | None:
        """The lowest minimum."""
        return min(self.landscape.minima, key=lambda n: self.landscape.points[n].loss, default=None)

    def loss(self, number: int) -> Enclosed | float:
        """The enclosure of a loss where it is certified, else the number."""
        ends = self.landscape.enclosure(number)
        return self.landscape.points[number].loss if ends is None else Enclosed(lower=ends[0], upper=ends[1])

    @property
    def irreducible(self) -> int | None:
        """Classes that extend no narrower network, where there is one hidden layer."""
        if len(self.spec.hidden) > 1:
            return None
        return sum(label.irreducible for label in label_classes(self.landscape))

    @cached_property
    def measured(self) -> Measured:
        counts = self.landscape.account.counts
        return Measured(
            hidden=sum(self.spec.hidden),
            penalty=self.spec.penalty,
            counts=counts.classes,
            copies=counts.copies,
            lowest=None if self.lowest is None else self.landscape.points[self.lowest].loss,
        )


def write_family(
    databases: Sequence[Database],
    folder: str | Path,
    *,
    formats: Sequence[str] = ("pdf",),
    pdf: bool = True,
    note: Callable[[str], None] | None = None,
) -> list[Path]:
    """Write the report of several landscapes into a folder, in the order in which they are given.

    report.tex holds fragments that a paper can \\input by themselves; figures/ the figures, data/NAME the table of
    classes of each landscape with every parameter.

    Parameters
    ----------
    databases : sequence of Database
    folder, formats, pdf, note
        As of `write_report`.

    Raises
    ------
    ReportError
        If there is no landscape with classes, or a file cannot be written.
    """
    members = [
        _Member(name=database.path.stem, landscape=database.landscape(), answers=read_answers(database))
        for database in databases
    ]
    if not any(len(member.landscape) for member in members):
        raise ReportError("no landscape with classes to report; explore first")
    path = make_folder(folder)
    figures, written = _figures(members, path / "figures", formats)
    for number, member in enumerate(members):
        written += write_csv(path / "data" / f"{number}-{member.name}", member.landscape)
    return [*write_texts(path, _texts(members, figures), pdf, note), *written]


def _figures(members: Sequence[_Member], folder: Path, formats: Sequence[str]) -> tuple[Captions, list[Path]]:
    """The figures: their captions by part of the report and name, and the files."""
    drawn: Captions = {}
    written = list[Path]()
    if not formats:
        return drawn, written

    def save(part: str, name: str, figure: Figure, caption: str) -> None:
        written.extend(save_figure(figure, folder, name, formats))
        drawn.setdefault(part, {})[name] = caption

    for number, group in enumerate(_series(members)):
        cells = [member.measured for member in group]
        of = text_tex(group[0].spec.data.name)
        varied = {
            "hidden": ("the width", len({cell.hidden for cell in cells})),
            "penalty": ("the penalty", len({cell.penalty for cell in cells})),
        }
        for against, (words, places) in varied.items():
            if places > 1:
                caption = rf"\texttt{{{of}}}: classes, labelled copies and lowest loss against {words}."
                save("grid", f"{against}-{number}", study_figure(cells, against=against), caption)
        trees = _trees(group)
        if 0 < len(trees) <= MOST_TREES:
            caption = (
                rf"\texttt{{{of}}}: disconnectivity graphs of the classes of minima, each with a loss axis of its own."
            )
            save("trees", f"trees-{number}", tree_grid_figure(trees), caption)
    for name, question, member in _whole(members):
        for key, picture in question.figures(member.answers[question.name], member.landscape).items():
            save(name, f"{key}-{members.index(member)}", picture.figure, picture.caption)
    return drawn, written


def _series(members: Sequence[_Member]) -> list[list[_Member]]:
    """The members that differ in width and penalty alone, which a figure can show together."""
    groups = dict[str, list[_Member]]()
    for member in members:
        if len(member.spec.hidden) == 1 and len(member.landscape):
            common = member.spec.with_(hidden=(1,), penalty=Fraction(1))
            groups.setdefault(common.digest, []).append(member)
    return list(groups.values())


def _trees(group: Sequence[_Member]) -> dict[tuple[int, int], Any]:
    widths = sorted({member.spec.hidden for member in group})
    penalties = sorted({member.spec.penalty for member in group}, reverse=True)
    return {
        (penalties.index(member.spec.penalty), widths.index(member.spec.hidden)): (
            rf"$N_h = {member.width}$, $\lambda = {member.penalty}$",
            member.landscape.tree(),
        )
        for member in group
        if member.landscape.minima
    }


def _whole(members: Sequence[_Member]) -> list[tuple[str, Question[Any, Any], _Member]]:
    """The answers about families with the names of their fragments, each once though several landscapes store it."""
    out = list[tuple[str, Question[Any, Any], _Member]]()
    for question in QUESTIONS:
        if question.name not in WHOLE:
            continue
        seen = list[Any]()
        for member in members:
            answer = member.answers.get(question.name)
            if answer is not None and answer not in seen:
                seen.append(answer)
                out.append((f"{question.name}-{members.index(member)}", question, member))
    return out


def _texts(members: Sequence[_Member], figures: Captions) -> dict[str, str]:
    first = members[0].spec
    accounts = [member.landscape.account for member in members]
    values: dict[str, Any] = {
        "members": members,
        "spec": first,
        "formulas": build_formulas(first),
        "loss_name": LOSSES[first.loss].title,
        "classes": sum(account.counts.total for account in accounts),
        "certified": sum(sum(account.certified) for account in accounts),
        "standings": {
            standing.name: [m for m, account in zip(members, accounts, strict=True) if account.standing is standing]
            for standing in Standing
        },
        "claims": [
            (member.title, claim)
            for member in members
            for question in QUESTIONS
            if question.name in member.answers and (claim := question.claim(member.answers[question.name]))
        ],
        "steps": longtable(steps) if (steps := _steps(members)).rows else "",
        "sentences": [
            (member.title, question.section, text_tex(question.sentence(member.answers[question.name])))
            for member in members
            for question in QUESTIONS
            if question.section and question.name in member.answers and question.name not in WHOLE
        ],
        "whole": [
            {"name": name, "title": f"{question.section}: {member.title}"} for name, question, member in _whole(members)
        ],
        "figures": figures,
        "numbers": range(len(members)),
    }
    templates = environment()
    texts = {name: templates.get_template(f"family-{name}.tex.j2").render(values) for name in (*FRAGMENTS, "report")}
    texts["grid"] = NEEDS + longtable(_grid_table(members)) + "\n"
    for number, member in enumerate(members):
        texts[f"classes-{number}"] = NEEDS + longtable(_class_table(number, member)) + "\n"
    for name, question, member in _whole(members):
        texts[name] = NEEDS + question.latex(member.answers[question.name], member.landscape) + "\n"
    return texts


def _grid_table(members: Sequence[_Member]) -> Table:
    """What each landscape holds, and how much of it is proved."""
    several = len({member.spec.data.name for member in members}) > 1
    words = {Standing.COMPLETE: "exactly", Standing.DISTINCT: "at least", Standing.FOUND: "found"}
    rows = list[tuple[Cell, ...]]()
    for member in members:
        account = member.landscape.account
        counts = account.counts
        minima, states = (counts.classes[k] if k < len(counts.classes) else 0 for k in (0, 1))
        rows.append(
            (
                *([member.spec.data.name] if several else []),
                f"${member.width}$",
                f"${member.penalty}$",
                words[account.standing],
                counts.total,
                sum(account.certified),
                minima,
                states,
                sum(counts.classes[2:]),
                states / minima if minima else None,
                sum(counts.copies),
                None if counts.no_test else counts.morse_sum,
                sum(label.irreducible for label in label_classes(member.landscape))
                if len(member.spec.hidden) == 1
                else None,
                None if member.lowest is None else member.loss(member.lowest),
            )
        )
    columns = (
        *([Column(name="data")] if several else []),
        Column(name="hidden", tex="$N_h$"),
        Column(name="lambda", tex=r"$\lambda$"),
        Column(name="list", tex=""),
        Column(name="classes"),
        Column(name="certified"),
        Column(name="minima"),
        Column(name="TS"),
        Column(name="higher"),
        Column(name="TS/minima", digits=3),
        Column(name="copies"),
        Column(name="Morse sum", tex="Morse"),
        Column(name="irreducible", tex="irred."),
        Column(name="lowest loss", places=10, digits=10),
    )
    caption = (
        "Classes of stationary points of each landscape: minima, transition states (TS) and saddles of higher index; "
        "all labelled copies and their Morse sum; classes that extend no narrower network (irred.); the lowest loss. "
        "\\emph{Exactly}: proved to be all; \\emph{at least}: all certified and pairwise distinct; \\emph{found}: "
        "neither. A loss lies between the number that ends in the lower and the one that ends in the upper digits."
    )
    return Table(name="grid", title="The landscapes", columns=columns, rows=tuple(rows), caption=caption)


def _class_table(number: int, member: _Member) -> Table:
    """Every class of one landscape."""
    landscape = member.landscape
    order = sorted(range(len(landscape)), key=lambda n: (landscape.points[n].index, landscape.points[n].loss))
    rows = tuple(
        (n, point.index, point.orbit_size, member.loss(n), "yes" if landscape.account.certified[n] else "no")
        for n in order
        for point in (landscape.points[n],)
    )
    columns = (
        Column(name="class"),
        Column(name="index"),
        Column(name="copies"),
        Column(name="loss", places=14, digits=12),
        Column(name="certified"),
    )
    return Table(
        name=f"classes-{number}",
        title="",
        columns=columns,
        rows=rows,
        caption=f"{member.title}: {text_tex(landscape.account.wording)}.",
    )


def _steps(members: Sequence[_Member]) -> Table:
    """In how many steps, to the next width or the next smaller penalty, a count rises, stays and falls."""
    rows = list[tuple[Cell, ...]]()
    for group in _series(members):
        by_place = {(member.spec.hidden, member.spec.penalty): member.measured for member in group}
        widths = sorted({hidden for hidden, _ in by_place})
        penalties = sorted({penalty for _, penalty in by_place}, reverse=True)
        wider = [((a, p), (b, p)) for p in penalties for a, b in pairwise(widths)]
        weaker = [((h, p), (h, q)) for h in widths for p, q in pairwise(penalties)]
        for name, places in (("the next width", wider), ("the next smaller penalty", weaker)):
            both = [(by_place[a], by_place[b]) for a, b in places if a in by_place and b in by_place]
            if both:
                rows += [(group[0].spec.data.name, name, quantity, *_ways(both, quantity)) for quantity in COMPARED]
    columns = (
        Column(name="data"),
        Column(name="to"),
        Column(name="quantity"),
        Column(name="rises"),
        Column(name="stays"),
        Column(name="falls"),
    )
    caption = "In how many steps of the grid a quantity rises, stays as it is, and falls."
    return Table(name="steps", title="Steps", columns=columns, rows=tuple(rows), caption=caption)


def _ways(steps: Sequence[tuple[Measured, Measured]], quantity: str) -> tuple[int, int, int]:
    pairs = [(before.value(quantity), after.value(quantity)) for before, after in steps]
    known = [(a, b) for a, b in pairs if a is not None and b is not None]
    return sum(b > a for a, b in known), sum(b == a for a, b in known), sum(b < a for a, b in known)
