"""Answers in a database: asked, stored and read back, for every question alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from symland.analysis import QUESTIONS
from symland.analysis.question import QUIET, Question, Setting
from symland.codec import decode
from symland.landscape.database import Database

__all__ = ["ask_into", "put_answer", "read_answer", "read_answers"]

O = TypeVar("O")
A = TypeVar("A")


def ask_into(
    database: Database,
    question: Question[O, A],
    others: Sequence[Database] = (),
    *,
    options: O | None = None,
    setting: Setting = QUIET,
) -> A:
    """Ask a question of a database's landscape, and store the answer; a resumable one goes on where it was.

    The answer learns from stored answers to other questions, and those learn from it.

    Raises
    ------
    SymlandError
        If the question cannot be asked of this landscape.
    """
    if question.resumable:
        setting = replace(setting, state=database.state(question.name), keep=partial(database.put_state, question.name))
    answer = question.ask(
        database.landscape(),
        *(other.landscape() for other in others),
        options=question.options() if options is None else options,
        setting=setting,
    )
    for other in QUESTIONS:
        if other.name in question.learns_from and (stored := read_answer(database, other)) is not None:
            answer = question.learn(answer, stored)
    put_answer(database, question, answer)
    for other in QUESTIONS:
        if question.name in other.learns_from and (stored := read_answer(database, other)) is not None:
            put_answer(database, other, other.learn(stored, answer))
    return answer


def put_answer(database: Database, question: Question[Any, A], answer: A) -> None:
    """Store an answer under its question's name and version."""
    database.put_answer(question.name, answer, version=question.version, outlives=question.outlives)


def read_answer(database: Database, question: Question[Any, A]) -> A | None:
    """The stored answer to a question, or None where there is none of this version."""
    stored = database.answers().get(question.name)
    if stored is None or stored.version != question.version:
        return None
    return decode(stored.text, question.answer)


def read_answers(database: Database) -> dict[str, Any]:
    """All stored answers by the names of their questions."""
    found = {question.name: read_answer(database, question) for question in QUESTIONS}
    return {name: answer for name, answer in found.items() if answer is not None}
