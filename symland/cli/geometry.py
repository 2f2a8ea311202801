"""`symland geometry`: regions and gradients of a class, of a saved point, or the law of weight scale."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from symland.cli.account import print_answer
from symland.cli.app import app
from symland.cli.display import print_json, print_table, say
from symland.cli.options import Json
from symland.errors import SpecError

if TYPE_CHECKING:
    from symland.spec import LandscapeSpec

__all__ = ["geometry"]

SCALE_PENALTIES = ("1e-3", "1e-4", "1e-5", "1e-6")
"""Penalties of the law where none is given."""

LONGEST_FILE = 10_000_000
"""Bytes of a saved point."""


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
    scale_law: Annotated[bool, Parameter(negative="", help="Print the law of weight scale and density.")] = False,
    penalty: Annotated[
        list[str] | None,
        Parameter(
            allow_leading_hyphen=True, negative="", help="lambda of the law; may be repeated, or joined by commas."
        ),
    ] = None,
    density: Annotated[str, Parameter(allow_leading_hyphen=True, help="rho of the law: samples in [-1, 1].")] = "1/2",
    samples: Annotated[int, Parameter(help="Samples of the law's finite data.")] = 100,
    json: Json = False,
) -> int:
    """Cells, certified decision regions, confidence and gradients of a network; or the law of weight scale.

    Example: `symland geometry --db xor.sqlite --class 0`
    """
    if sum((point is not None, db is not None, scale_law)) != 1:
        raise SpecError.at("geometry", "not one question", "give --db FILE, a saved point, or --scale-law")
    if scale_law:
        return _law([p for text in penalty or SCALE_PENALTIES for p in text.split(",")], density, samples, json)
    from symland.analysis.answer_types.geometry import GeometryOptions
    from symland.analysis.geometry import QUESTION, look

    options = GeometryOptions(number=number, box=box, level=level, seed=seed, train=train)
    if point is not None:
        spec, theta = _read(point)
        return print_answer(QUESTION, look(spec, theta, options), json)
    from symland.analysis.answers import ask_into
    from symland.landscape.database import Database

    assert db is not None
    with Database.open(db) as database:
        answer = ask_into(database, QUESTION, options=options)
    return print_answer(QUESTION, answer, json)


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


def _read(path: Path) -> tuple[LandscapeSpec, list[float]]:
    """The specification and the parameters that a file holds."""
    import json

    from symland.rigor.decimals import parse_decimal
    from symland.spec import LandscapeSpec

    try:
        with path.open("rb") as file:
            text = file.read(LONGEST_FILE)
    except OSError as error:
        raise SpecError.at(str(path), f"cannot be read ({error.strerror})", "give a saved point") from None
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        values = None
    advice = 'give a certificate, or JSON with "spec" and "theta"'
    if not isinstance(values, dict) or not isinstance(values.get("spec"), dict):
        raise SpecError.at(str(path), "no saved point", advice)
    theta = values.get("theta", values.get("midpoint"))
    if not isinstance(theta, list):
        raise SpecError.at(str(path), "no list of parameters", advice)
    numbers = []
    for place, value in enumerate(theta):
        try:
            numbers.append(float(parse_decimal(value)) if isinstance(value, str) else float(value))
        except (TypeError, ValueError, ArithmeticError, SpecError):
            raise SpecError.at(f"theta[{place}]", f"{value!r} is not a finite number", "give finite weights") from None
    return LandscapeSpec.from_canonical(values["spec"], path.stem), numbers
