"""`symland condense`: the orientations on which hidden nodes gather at small initialisation."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from symland.cli.account import status_of
from symland.cli.app import app
from symland.cli.display import print_json, print_table, say
from symland.cli.options import Json, Overrides, Spec, read_spec

__all__ = ["condense"]


@app.command
def condense(
    spec: Spec,
    /,
    *,
    overrides: Overrides = Overrides(),
    layer: Annotated[int, Parameter(help="Hidden layer, counted from 1.")] = 1,
    json: Json = False,
) -> int:
    """Predict the orientations on which hidden nodes condense at small initialisation, and prove that these are all.

    Exit status 1 when the list of orientations is not proved complete.

    Example: `symland condense xor --activation "z*tanh(z)"`
    """
    from symland.analysis.condensation import answer as answers
    from symland.codec import plain

    question = read_spec(spec, overrides)
    answer = answers.condense(question, layer=layer)
    if json:
        print_json({"schema": "symland-condense/1", **plain(answer)})
    else:
        for table in answers.tables(answer):
            print_table(table.title, table.heads, table.texts())
        for family in answer.families:
            print(family)
    say(answers.sentence(answer))
    return status_of(answer.complete)
