"""The parts of the manual that the program itself says: its verbs, its answers, its tables.

A page has a line `<!-- symland: NAME -->` where one of `PARTS` stands in the printed manual.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import fields
from typing import Any, get_args, get_type_hints

PLACE = re.compile(r"^<!-- symland: ([a-z-]+) -->$", re.MULTILINE)

WIDTH = 78
"""Characters of a line of `--help`."""


def filled(text: str) -> str:
    """A page with its places filled."""
    return PLACE.sub(lambda found: PARTS[found[1]](), text)


def verbs() -> str:
    """Every verb with its help, in the order of the alphabet."""
    from symland.analysis import QUESTIONS
    from symland.cli import app

    asked = {question.name for question in QUESTIONS if question.verb}
    names = sorted(name for name in app if not name.startswith("-"))
    parts = []
    for name in names:
        note = f"Also as `symland ask {name}`.\n\n" if name in asked else ""
        parts.append(f"## {name}\n{note}```text\n{_help(name)}\n```\n")
    return "\n".join(parts)


def _help(*words: str) -> str:
    from rich.console import Console

    from symland.cli import app

    stream = io.StringIO()
    app.help_print(list(words), console=Console(file=stream, width=WIDTH, color_system=None))
    return "\n".join(line.rstrip() for line in stream.getvalue().strip().splitlines())


def answers() -> str:
    """Every question: what may be chosen, and the fields of its answer."""
    from symland import codec
    from symland.analysis import QUESTIONS

    parts = []
    for question in QUESTIONS:
        schema = codec.schema(question.answer)
        known = schema.get("$defs", {})
        verb = question.name if question.verb else f"ask {question.name}"
        lines = [f"## {question.name}", question.help, ""]
        lines += [f"`symland {verb} --db FILE`; the document is `{question.schema_name}`.", ""]
        if chosen := _options(question.options):
            lines += ["| option | default | what it is |", "|---|---|---|", *chosen, ""]
        for name in _reached(schema, known):
            lines += [f"*{name}*", "", "| key | type |", "|---|---|"]
            lines += [f"| `{key}` | {_type(value)} |" for key, value in known[name].get("properties", {}).items()]
            lines.append("")
        parts.append("\n".join(lines))
    return "\n".join(parts)


def _options(options: type[Any]) -> list[str]:
    hints = get_type_hints(options, include_extras=True)
    return [
        f"| `--{field.name.strip('_').replace('_', '-')}` | `{field.default}` | {get_args(hints[field.name])[1]} |"
        for field in fields(options)
    ]


def _reached(schema: dict[str, Any], known: dict[str, Any]) -> list[str]:
    """The records of a schema, the answer first, each once."""
    found: list[str] = []

    def visit(part: Any) -> None:
        if isinstance(part, dict):
            name = str(part.get("$ref", "")).removeprefix("#/$defs/")
            if name in known and name not in found:
                if known[name].get("properties"):
                    found.append(name)
                visit(known[name])
            for value in part.values():
                visit(value)
        elif isinstance(part, list):
            for value in part:
                visit(value)

    visit({key: value for key, value in schema.items() if key != "$defs"})
    return found


def _type(part: dict[str, Any]) -> str:
    if "$ref" in part:
        return f"*{part['$ref'].removeprefix('#/$defs/')}*"
    if "anyOf" in part:
        return " or ".join(dict.fromkeys(_type(each) for each in part["anyOf"]))
    if "enum" in part:
        return " or ".join(f"`{value}`" for value in part["enum"])
    kind = part.get("type", "any")
    if kind == "array":
        inside = part.get("items") or {}
        if part.get("prefixItems"):
            return "[" + ", ".join(_type(each) for each in part["prefixItems"]) + "]"
        return f"list of {_type(inside)}" if inside else "list"
    return {"object": "object", "null": "null"}.get(str(kind), str(kind))


def tables() -> str:
    """The tables of a landscape's file."""
    from symland.landscape.schema import TABLES

    return f"```sql\n{TABLES.strip()}\n```"


PARTS: dict[str, Callable[[], str]] = {"verbs": verbs, "answers": answers, "tables": tables}
