"""Rows of the report's tables, as LaTeX cells."""

from __future__ import annotations

from symland.records import Verdict
from symland.report.data import ClassRow, ReportData
from symland.spec import LandscapeSpec
from symland.symmetry import DataAutomorphism, Parity, SymmetryGroup
from symland.tex import decimal_tex, enclosure_tex, mixed_tex, scientific_tex, text_tex, verdict_tex

__all__ = [
    "automorphism_tex",
    "class_rows",
    "data_rows",
    "hidden_group_tex",
    "origin_number",
    "parameter_table",
    "pathway_rows",
    "radius_rows",
    "theorem_rows",
]

MOST_AUTOMORPHISMS = 16
"""Data automorphisms that are listed one by one."""

MOST_SAMPLES = 16
"""Samples that are listed one by one."""

PARAMETER_PLACES = 20
"""Decimal places of the refined minima's parameters."""

LARGEST_PARAMETER_TABLE = 40
"""Parameters up to which the minima are written out."""

MINIMA_IN_A_TABLE = 3
"""Minima side by side."""

Rows = list[list[str]]


def class_rows(data: ReportData) -> Rows:
    """class, index, copies, irreducible width, loss enclosure, softest eigenvalue, residual, verdict."""
    return [
        [
            str(row.number),
            str(row.index),
            str(row.orbit_size),
            _or_dash(row.inside),
            f"${_loss(row)}$",
            _or_dash(_eigenvalue(row)),
            _or_dash(f"${scientific_tex(row.residual)}$" if row.residual is not None else None),
            verdict_tex(Verdict.all(row.existence, row.uniqueness, row.index_verdict)),
        ]
        for row in _ordered(data)
    ]


def radius_rows(data: ReportData) -> Rows:
    """class, inclusion and uniqueness radius, bits, three verdicts: of every class with a certificate."""
    return [
        [
            str(row.number),
            *(
                _or_dash(None if radius is None else f"${scientific_tex(radius)}$")
                for radius in (row.inclusion_radius, row.uniqueness_radius)
            ),
            _or_dash(row.precision),
            *(verdict_tex(v) for v in (row.existence, row.uniqueness, row.index_verdict)),
        ]
        for row in _ordered(data)
        if row.precision is not None
    ]


def _ordered(data: ReportData) -> list[ClassRow]:
    return sorted(data.classes, key=lambda row: (row.index, row.loss))


def _loss(row: ClassRow) -> str:
    return decimal_tex(row.loss, 10) if row.enclosure is None else enclosure_tex(*row.enclosure)


def _eigenvalue(row: ClassRow) -> str | None:
    return None if row.softest is None else f"${enclosure_tex(*row.softest, places=8)}$"


def _or_dash(value: object) -> str:
    return "--" if value is None else str(value)


def data_rows(spec: LandscapeSpec) -> Rows | None:
    """Inputs and target of each sample; None where there are too many."""
    if spec.n_samples > MOST_SAMPLES:
        return None
    targets = spec.data.labels or [", ".join(map(str, row)) for row in spec.data.values]
    return [
        [str(number + 1), *(f"${v}$" for v in row), str(target)]
        for number, (row, target) in enumerate(zip(spec.data.inputs, targets, strict=True))
    ]


def hidden_group_tex(group: SymmetryGroup) -> str:
    """The formal group of the hidden layers."""
    factors = [rf"S_{{{n}}}" if group.parity is Parity.NONE else rf"(\mathbb Z_2 \wr S_{{{n}}})" for n in group.hidden]
    return r" \times ".join(factors)


def automorphism_tex(automorphism: DataAutomorphism) -> str:
    """What an automorphism does to inputs and outputs: x_1 -> x_2, ..."""
    moves = []
    for letter, places, signs in (
        ("x", automorphism.inputs, automorphism.input_signs),
        ("z", automorphism.outputs, automorphism.output_signs),
    ):
        for k, (place, sign) in enumerate(zip(places, signs, strict=True)):
            if place != k or sign < 0:
                moves.append(rf"{letter}_{{{k + 1}}} \mapsto {'-' if sign < 0 else ''}{letter}_{{{place + 1}}}")
    return ",\\; ".join(moves) if moves else r"\mathrm{identity}"


def pathway_rows(data: ReportData) -> Rows:
    """transition state, its loss, its ends, the barriers from them; ordered by loss."""
    rows = []
    for path in sorted(data.pathways, key=lambda p: (data.points[p.transition_state].loss, p.transition_state)):
        state, ends = data.points[path.transition_state], [data.points[n] for n in (path.minus, path.plus)]
        rows.append(
            [
                str(path.transition_state),
                f"${decimal_tex(state.loss, 8)}$",
                *(
                    f"{number}" + (f" (index {end.index})" if end.index else "")
                    for number, end in zip((path.minus, path.plus), ends, strict=True)
                ),
                *(f"${scientific_tex(state.loss - end.loss, 3)}$" for end in ends),
            ]
        )
    return rows


def theorem_rows(data: ReportData) -> Rows:
    """identifier, title, steps certified of all, seconds, verdict."""
    return [
        [
            text_tex(proof["identifier"]),
            mixed_tex(proof.get("title", "")),
            f"{sum(step['verdict'] == Verdict.CERTIFIED.value for step in proof['steps'])}/{len(proof['steps'])}",
            f"{proof.get('seconds', 0.0):.2f}",
            verdict_tex(proof["verdict"]),
        ]
        for proof in data.theorems
    ]


def parameter_table(data: ReportData, names: tuple[str, ...]) -> list[tuple[list[int], Rows]]:
    """Refined parameters of the minima, a few minima a table: (their numbers, rows of name and values).

    The origin is left out: `origin_number`.
    """
    minima = [row.number for row in sorted(data.classes, key=lambda row: row.loss) if row.index == 0 and row.digits]
    minima = [number for number in minima if number != origin_number(data)]
    if len(names) > LARGEST_PARAMETER_TABLE:
        return []
    tables = []
    for start in range(0, len(minima), MINIMA_IN_A_TABLE):
        part = minima[start : start + MINIMA_IN_A_TABLE]
        rows = [
            [f"${name}$", *(f"${_cut(data.landscape.refined[n].theta[p])}$" for n in part)]
            for p, name in enumerate(names)
        ]
        tables.append((part, rows))
    return tables


def origin_number(data: ReportData) -> int | None:
    """The number of the minimum that is the point theta = 0, or None."""
    return next(
        (row.number for row in data.classes if row.index == 0 and not data.points[row.number].theta.any()), None
    )


def _cut(text: str) -> str:
    """The decimals up to `PARAMETER_PLACES`, cut off, not rounded, with an ellipsis where digits are left out."""
    whole, point, decimals = text.partition(".")
    if not decimals.strip("0") and not whole.lstrip("-").strip("0"):
        return "0"
    return f"{whole}{point}{decimals[:PARAMETER_PLACES]}" + (r"\ldots" if len(decimals) > PARAMETER_PLACES else "")
