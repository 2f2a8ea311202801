"""`symland ask NAME`: every question of `QUESTIONS` as a command, from its declaration alone; and `symland schema`."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

from cyclopts import App, Parameter

from symland.analysis import QUESTIONS
from symland.analysis.question import Question, Setting
from symland.cli.account import print_answer
from symland.cli.app import app
from symland.cli.display import Progress, print_json
from symland.cli.options import DatabaseFile, Json, Search, executor
from symland.errors import DatabaseError

__all__ = ["schema"]


def _options(question: Question[Any, Any]) -> list[inspect.Parameter]:
    """The question's options as parameters of a command, each with its line of help."""
    hints = get_type_hints(question.options, include_extras=True)
    found = []
    for option in fields(question.options):
        kind, text = get_args(hints[option.name])
        # Only what is on by default needs a way to turn it off.
        off = None if option.default is True else ""
        bare = option.default is False or option.default in ("", None)
        shown = Parameter(help=text, show_default=not bare, negative=off)
        found.append(_parameter(option.name, Annotated[kind, shown], option.default))
    return found


def _parameter(name: str, kind: Any, default: Any = inspect.Parameter.empty) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=default)


_WORKERS = Annotated[int, Parameter(help="Processes to share the work out to; the answer does not depend on it.")]
_SCHEDULER = Annotated[str | None, Parameter(help="Address of a Dask scheduler whose workers do it instead.")]


def _command(question: Question[Any, Any]) -> Callable[..., int]:
    def command(
        *,
        db: Path,
        json: bool = False,
        other: list[Path] | None = None,
        workers: int = 1,
        scheduler: str | None = None,
        **chosen: Any,
    ) -> int:
        from symland.analysis.answers import ask_into
        from symland.landscape.database import Database

        progress = Progress()
        with ExitStack() as stack:
            database = stack.enter_context(Database.open(db))
            others = [stack.enter_context(Database.open(path)) for path in other or ()]
            pool = stack.enter_context(executor(Search(workers=workers, scheduler=scheduler)))
            progress.begin(question.name)
            setting = Setting(listener=progress, clock=time.monotonic, executor=pool, workers=workers)
            answer = ask_into(database, question, others, options=question.options(**chosen), setting=setting)
            progress.end("stored")
        return print_answer(question, answer, json)

    parameters = [_parameter("db", DatabaseFile), *_options(question), _parameter("json", Json, False)]
    if question.others:
        kind = Annotated[
            list[Path] | None,
            Parameter(name="--other", negative="", help=f"Databases of {question.others}; may be repeated."),
        ]
        parameters.append(_parameter("other", kind, None))
    if question.shared:
        parameters += [_parameter("workers", _WORKERS, 1), _parameter("scheduler", _SCHEDULER, None)]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    verb = question.name if question.verb else f"ask {question.name}"
    command.__doc__ = f"{question.help}\n\nExample: `symland {verb} --db xor.sqlite`"
    return command


ask = App(
    name="ask",
    help="Ask a question of a landscape; the answer is stored in its database.\n\n"
    "Example: `symland ask distinctness --db xor.sqlite`",
)
app.command(ask)
for _question in QUESTIONS:
    ask.command(_command(_question), name=_question.name)
    if _question.verb:
        app.command(_command(_question), name=_question.name)


@app.command
def schema(name: str | None = None, /) -> None:
    """Print the JSON schema of an answer, or the names of all answers.

    Example: `symland schema embedding`
    """
    from symland import codec

    if name is None:
        print_json({question.name: question.schema_name for question in QUESTIONS})
        return
    found = [question for question in QUESTIONS if question.name == name]
    if not found:
        raise DatabaseError(f"no answer is named {name!r}; write one of {', '.join(q.name for q in QUESTIONS)}")
    print_json({"title": found[0].schema_name, **codec.schema(found[0].answer)})
