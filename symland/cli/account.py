"""What a landscape's database holds, for a person at the terminal, and the exit status that goes with it.

0: all that was asked holds. 1: something is open or refuted, and a line says what. 2: the question is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from symland.analysis import QUESTIONS
from symland.cli.display import print_json, print_table, say
from symland.layout import widths_text
from symland.records import Outcome, Verdict

if TYPE_CHECKING:
    from symland.analysis.question import Question
    from symland.landscape.database import Database
    from symland.landscape.landscape import Landscape

__all__ = ["OPEN", "complain", "print_answer", "say_unfinished", "show_account", "status_of"]

OPEN = 1
"""Exit status where something that was asked is open or refuted."""


def status_of(verdict: Verdict) -> int:
    """The exit status of one answer."""
    return 0 if verdict is Verdict.CERTIFIED else OPEN


def print_answer(question: Question[Any, Any], answer: Any, json: bool) -> int:
    """One answer as a JSON document, or as its tables and sentence; its exit status."""
    if json:
        document = question.document(answer)
        print_json({"schema": question.schema_name, **document} if isinstance(document, dict) else document)
    else:
        for table in question.tables(answer):
            print_table(table.title, table.heads, table.texts())
    say(question.sentence(answer))
    return status_of(question.verdict(answer))


def show_account(database: Database, json: bool, asked: Iterable[str] | None = None) -> int:
    """Print the classes, how complete their list is, and what is known of it; the exit status."""
    from symland.analysis import families
    from symland.analysis.answers import read_answers

    landscape, answers = database.landscape(), read_answers(database)
    if json:
        # The chain loads every room: a table needs none of them.
        from symland.pipeline import summary

        print_json(summary(database))
        return complain(landscape, answers, asked)
    rows = [
        [str(r["class"]), str(r["index"]), f"{r['loss']:.15g}", str(r["copies"]), "yes" if r["certified"] else "no"]
        for r in landscape.rows()
    ]
    print_table(
        f"{database.spec.name}: hidden {widths_text(database.spec.hidden)}, lambda {database.spec.penalty}",
        ["class", "index", "loss", "copies", "certified"],
        rows,
    )
    if "families" in answers:
        for table in families.QUESTION.tables(answers["families"]):
            print_table(table.title, table.heads, table.texts())
    account = landscape.account
    counts, copies = (" ".join(map(str, c)) or "none" for c in (account.counts.classes, account.counts.copies))
    morse = f"; Morse sum {account.counts.morse_sum}" if account.counts.no_test is None else ""
    say(f"classes: {account.wording}; by index {counts}; copies {copies}{morse}")
    for question in QUESTIONS:
        if question.name in answers:
            say(f"{question.name}: {question.sentence(answers[question.name])}")
    return complain(landscape, answers, asked, told=True)


def complain(
    landscape: Landscape, answers: dict[str, Any], asked: Iterable[str] | None = None, *, told: bool = False
) -> int:
    """Say loudly what is open or refuted of what was asked, by default of all that is stored; the exit status.

    What was told before of an answer is not said again.
    """
    account, counts = landscape.account, landscape.account.counts
    warnings = []
    if not counts.total and landscape.evidence.families is None:
        warnings.append("no stationary point is known yet; run `symland explore` again, it goes on where it was")
    if counts.morse is Verdict.REFUTED:
        warnings.append(
            f"the list is NOT complete, it has holes: {'; '.join(counts.holes)}. Run the same command again with more "
            "--searches or a longer --budget: it goes on where it was"
        )
    if landscape.certificates and not all(account.certified):
        warnings.append(f"{account.certified.count(False)} of {counts.total} classes are not certified")
    states = sum(point.index == 1 and point.outcome is not Outcome.DEGENERATE for point in landscape.points)
    known = {path.transition_state for path in landscape.pathways}
    if 0 < len(known) < states and "connections" not in answers and (asked is None or "connections" in asked):
        warnings.append(f"pathways of {len(known)} of {states} transition states are known; `symland connect` goes on")
    for question in QUESTIONS:
        if question.name in answers and (asked is None or question.name in asked):
            verdict = question.verdict(answers[question.name])
            if verdict is not Verdict.CERTIFIED:
                how = "see above" if told else question.sentence(answers[question.name])
                warnings.append(f"{question.name} is {verdict.value}: {how}")
    for warning in warnings:
        say(f"WARNING: {warning}")
    if counts.total + counts.families + counts.runaways and counts.no_test is not None:
        say(f"The Morse sum is no test of completeness here: {counts.no_test}")
    return OPEN if warnings else 0


def say_unfinished(steps: list[str]) -> int:
    """Say which steps the budget ended; the exit status."""
    if not steps:
        return 0
    say(f"WARNING: the budget ended before {', '.join(steps)}; the same command with more time goes on")
    return OPEN
