"""What is followed, from where to where: the penalty, or t on a line between two data sets."""

from __future__ import annotations

from dataclasses import dataclass
from math import log

from symland.analysis.answer_types.follow import FollowOptions
from symland.errors import SpecError
from symland.exact import need_float64, parse_exact
from symland.families.extended import Parameter, Problem
from symland.families.family import Family, PenaltyFamily
from symland.families.line import DataFamily, common_group, parse_moves
from symland.landscape.landscape import Landscape
from symland.symmetry import SymmetryGroup

__all__ = ["Chosen", "choose"]

HIGHEST = 1.0
"""Penalty up to which branches are followed where no end is given, or ten times that of the landscape."""

LOWEST = "1e-6"
"""Penalty down to which branches are followed where no end is given."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Chosen:
    """What is followed: a family, its symmetries, the exact problem, where it starts, and the ends asked for."""

    name: str
    family: Family
    group: SymmetryGroup
    problem: Problem
    start: float
    low: float
    high: float
    texts: tuple[str, ...]
    open: bool


def choose(landscape: Landscape, options: FollowOptions) -> Chosen:
    spec = landscape.spec
    if not options.move:
        family = PenaltyFamily(spec)
        texts = (options.from_ or LOWEST, options.to)
        low, high = _penalties(texts, float(spec.penalty))
        return Chosen(
            name="lambda",
            family=family,
            group=landscape.group,
            problem=Problem(spec=spec),
            start=log(float(spec.penalty)),
            low=low,
            high=high,
            texts=texts,
            open=not options.to,
        )
    if options.tubes:
        raise SpecError.at("--tubes", "with --move", "leave one of them out: tubes are made of branches in the penalty")
    PenaltyFamily.need(spec)
    line = parse_moves(spec, options.move)
    texts = (options.from_ or "0", options.to or "1")
    exact = [parse_exact(text, name) for text, name in zip(texts, ("--from", "--to"), strict=True)]
    for value, name in zip(exact, ("--from", "--to"), strict=True):
        need_float64(value, name)
    ends = [float(value) for value in exact]
    if not (0 <= min(ends) < max(ends) <= 1):
        raise SpecError.at(
            "--from, --to", " and ".join(texts), "write two numbers from 0 to 1: --move goes from t = 0 to 1"
        )
    return Chosen(
        name="t",
        family=DataFamily(line),
        group=common_group(line),
        problem=Problem(spec=spec, parameter=Parameter(name="x", cells=line.cells)),
        start=0.0,
        low=min(ends),
        high=max(ends),
        texts=texts,
        open=False,
    )


def _penalties(texts: tuple[str, str], penalty: float) -> tuple[float, float]:
    """ln of the two ends."""
    ends = []
    for name, text in zip(("--from", "--to"), texts, strict=True):
        if not text:
            continue
        value = parse_exact(text, name)
        need_float64(value, name)
        if not value > 0:
            raise SpecError.at(
                name, f"{text} is not above 0", "write a positive penalty such as 1e-4: at 0 the loss has no minimum"
            )
        ends.append(log(float(value)))
    if len(ends) < 2:
        ends.append(max(log(HIGHEST), log(10 * penalty), ends[0] + 1.0))
    if ends[0] == ends[1]:
        raise SpecError.at("--to", texts[1], "write another end than --from: the range is empty")
    return min(ends), max(ends)
