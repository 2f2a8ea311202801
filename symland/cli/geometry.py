"""`symland geometry`: regions and gradients of a class, of a saved point, or the law of weight scale."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from symland.cli.account import print_answer
from symland.cli.app import app
from symland.cli.display import print_json, print_table, say
from symland.cli.options import Json
from symland.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Callable

    from symland.analysis.question import Question

__all__ = ["geometry"]

SCALE_PENALTIES = ("1e-3", "1e-4", "1e-5", "1e-6")
"""Penalties of the law where none is given."""


@app.command
def geometry(
    point: Annotated[
        Path | None, Parameter(help='A certificate, or JSON with "spec" (as in a certificate) and "theta".')
    ] = None,
    /,
    *,
    db: Annotated[Path | None, Parameter(name="--db", help="The landscape's database.")] = None,
    number: Annotated[int | None, Parameter(name="--class", help="Class; the lowest minimum by default.")] = None,
    box: Annotated[
        str | None, Parameter(allow_leading_hyphen=True, help='Box of inputs: "low,high" or "low,high;low,high".')
    ] = None,
    level: Annotated[str, Parameter(help="a: a probability above 1 - a is confident.")] = "0.1",
    seed: Annotated[int, Parameter(help="Of random subsets.")] = 0,
    train: Annotated[
        str | None, Parameter(allow_leading_hyphen=True, help="Also train anew on this share of samples, by each rule.")
    ] = None,
    scale_law: Annotated[
        bool,
        Parameter(
            negative="",
            help="The law of weight scale and density: of itself, or on the data of a class or saved point.",
        ),
    ] = False,
    penalty: Annotated[
        list[str] | None,
        Parameter(
            allow_leading_hyphen=True, negative="", help="lambda of the law; may be repeated, or joined by commas."
        ),
    ] = None,
    density: Annotated[
        str | None, Parameter(allow_leading_hyphen=True, help="rho of the law: samples in [-1, 1]; 1/2 by default.")
    ] = None,
    samples: Annotated[int | None, Parameter(help="Samples of the law's finite data; 100 by default.")] = None,
    json: Json = False,
) -> int:
    """Cells, certified decision regions, confidence and gradients of a network; or the law of weight scale.

    Example: `symland geometry --db xor.sqlite --class 0`, `symland geometry --scale-law --db xor.sqlite`
    """
    places = (point is not None) + (db is not None)
    if places + scale_law == 0 or places > 1:
        raise SpecError.at("geometry", "not one question", "give --db FILE, a saved point, or --scale-law")
    if not scale_law and penalty:
        raise SpecError.at("--penalty", "there is no law to put it in", "give --scale-law too, or leave it out")
    if scale_law and not places:
        texts = [p for text in penalty or SCALE_PENALTIES for p in text.split(",")]
        return _law(texts, density or "1/2", 100 if samples is None else samples, json)
    if density is not None or samples is not None:
        name = "--samples" if density is None else "--density"
        raise SpecError.at(name, "the data has its own", "leave it out, or ask --scale-law without data")
    from symland.analysis import geometry as regions
    from symland.analysis import weight_scale

    if scale_law:
        texts_or_none = ",".join(penalty) if penalty else None
        question: Question[Any, Any] = weight_scale.QUESTION
        options: Any = weight_scale.WeightScaleOptions(number=number, penalty=texts_or_none)
        look: Callable[..., Any] = weight_scale.measure
    else:
        question, look = regions.QUESTION, regions.look
        options = regions.GeometryOptions(number=number, box=box, level=level, seed=seed, train=train)
    if point is not None:
        if number is not None:
            raise SpecError.at("--class", "a saved point has no classes", "leave it out, or give --db FILE")
        from symland.cli.points import read_point

        return print_answer(question, look(*read_point(point), options), json)
    from symland.analysis.answers import ask_into
    from symland.landscape.database import Database

    assert db is not None
    with Database.open(db) as database:
        answer = ask_into(database, question, options=options)
    return print_answer(question, answer, json)


def _law(penalties: list[str], density: str, samples: int, json: bool) -> int:
    from symland.analysis.regions.law_answer import law_table, laws
    from symland.codec import plain

    answer = laws(penalties, density, samples)
    if json:
        print_json({"schema": "symland-scale-law/1", **plain(answer)})
    else:
        table = law_table(answer)
        print_table(table.title, table.heads, table.texts())
    say("k* is proved to lie below k0 = (rho pi^2 / (12 lambda))^(1/3), and above it times the cube root of 1 - bound.")
    return 0
