"""Question: does the scale of the output weights follow the density of the samples near the boundary?"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar, final

from symland.analysis.answer_types.weight_scale import BestScale, ScaleRow, WeightScale, WeightScaleOptions
from symland.analysis.question import QUIET, Picture, Question, Setting
from symland.errors import SpecError
from symland.exact import exact_text, need_float64, parse_exact
from symland.records import Verdict
from symland.tables import Column, Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from symland.landscape.landscape import Landscape
    from symland.records import FloatArray
    from symland.spec import LandscapeSpec

__all__ = ["QUESTION", "WeightScale", "WeightScaleOptions", "measure"]

FACTORS = tuple(
    sorted(Fraction(m) * Fraction(2) ** j for m, first, last in ((1, -3, 7), (3, -4, 5)) for j in range(first, last))
)
"""Factors of the output layer: from 1/8 to 64 and 48, two in each octave."""

TOLERANCE = 0.1
"""Relative distance from the law within which it is said to hold."""

SHORTEST = 2
"""Ratio of the ends of a run of factors below which the slope crosses the law and does not keep to it."""

OWN_SHARES = (1, 10, 100, 1000)
"""The landscape's own penalty is divided by these."""

PENALTIES = ("1e-3", "1e-4", "1e-5", "1e-6")
"""Where the landscape has no penalty."""


def measure(
    spec: LandscapeSpec,
    theta: FloatArray | Sequence[float],
    options: WeightScaleOptions,
    number: int | None = None,
) -> WeightScale:
    """The law of weight scale on the data of a network with parameters theta (P,).

    Raises
    ------
    SpecError
        For a network that geometry does not take, one whose output is the same for all labels at every sample, or
        penalties that cannot be read.
    """
    import numpy as np

    from symland.analysis.regions.data_scale import SCATTER, OutputScale, law_scale, law_slope
    from symland.analysis.regions.gradients import Classifier, need_finite
    from symland.analysis.regions.law_answer import enclosed
    from symland.analysis.regions.network import read_network
    from symland.spec import Penalised

    penalties = _penalties(spec, options.penalty)
    network = read_network(spec, theta)
    samples = np.array([[float(c) for c in x] for x in spec.data.inputs])
    logistic = spec.n_outputs == 1
    need_finite(Classifier(network, logistic=logistic).gradients(samples, spec.data.labels, spec.bias))
    data = OutputScale(network, spec.data.inputs, spec.data.labels)
    if not np.any(data.margins):
        raise SpecError.at(
            "theta", "all outputs are equal at every sample", "choose a class whose network tells labels apart"
        )
    held = [w for row in network.weights[-1] for w in row]
    if spec.penalised is Penalised.ALL:
        held += network.biases[-1]
    size = sum((w * w for w in held), Fraction(0))
    rho = data.density(Fraction(1))
    density, spacing = float(rho), 1 / (spec.n_samples * float(rho))
    one = [Fraction(1)] * (len(network.weights) - 1)

    def gradient(factors: list[Fraction]) -> float:
        scaled = Classifier(network.scaled(factors, factors), logistic=logistic)
        rows = scaled.gradients(samples, spec.data.labels, spec.bias).rows
        return float(np.linalg.norm(rows.mean(axis=0)))

    rows = []
    for k in FACTORS:
        slope, local = data.slope(k), float(data.density(k))
        gain = (data.wrong_by - float(slope)) * 6 * float(k * k) / np.pi**2
        rows.append(
            ScaleRow(
                factor=float(k),
                slope=enclosed(slope),
                law=law_slope(density, data.wrong_by, float(k)),
                ratio=float(gain / density),
                density=local,
                local_ratio=float(gain / local) if local else None,
                crowding=float(k) * spacing,
                scatter=SCATTER * float(np.sqrt(float(k) * spacing)),
                gradient=gradient([*one, k]),
                gradient_all=gradient([k] * len(network.weights)),
            )
        )
    best = []
    for penalty in penalties:
        found = data.best(penalty * size)
        star = float(found.ball) if found.verdict is Verdict.CERTIFIED else None
        k_law = law_scale(density, data.wrong_by, float(penalty * size))
        best.append(
            BestScale(
                penalty=exact_text(penalty),
                k_star=None if star is None else enclosed(found.ball),
                k_law=k_law,
                ratio=None if star is None or k_law is None else star / k_law,
                crowding=None if star is None else star * spacing,
                scatter=None
                if star is None
                else SCATTER * float(np.sqrt(star * spacing)) * data.softness(star, float(penalty * size)),
                verdict=found.verdict,
            )
        )
    length = data.density_length()
    return WeightScale(
        number=number,
        samples=spec.n_samples,
        wrong=data.wrong,
        wrong_by=data.wrong_by,
        density=enclosed(rho),
        density_length=length,
        slope_across=length / density,
        spacing=spacing,
        nearest=float(np.abs(data.nearest).min()),
        output_norm=float(size) ** 0.5,
        rows=tuple(rows),
        holds=_longest([(row.factor, abs(row.ratio - 1) <= TOLERANCE) for row in rows]),
        tolerance=TOLERANCE,
        best=tuple(best),
        verdict=Verdict.UNDECIDED if any(b.verdict is Verdict.UNDECIDED for b in best) else Verdict.CERTIFIED,
    )


def _penalties(spec: LandscapeSpec, text: str | None) -> list[Fraction]:
    """The penalties that a text names, or those by default."""
    if text is None:
        own = [spec.penalty / share for share in OWN_SHARES]
        return own if spec.penalty else [Fraction(0), *(Fraction(p) for p in PENALTIES)]
    found = [parse_exact(part, "--penalty") for part in text.split(",")]
    for value in found:
        need_float64(value, "--penalty")
        if value < 0:
            raise SpecError.at("--penalty", f"{value} is negative", 'write 0 or more, such as "1e-3"')
    return found


def _longest(marks: Sequence[tuple[float, bool]]) -> tuple[float, float] | None:
    """Ends of the longest run of marked factors, if they are SHORTEST apart; the first of equal runs."""
    runs: list[list[float]] = [[]]
    for factor, mark in marks:
        if mark:
            runs[-1].append(factor)
        elif runs[-1]:
            runs.append([])
    longest = max(runs, key=len)
    return (longest[0], longest[-1]) if longest and longest[-1] >= SHORTEST * longest[0] else None


@final
class _WeightScale(Question[WeightScaleOptions, WeightScale]):
    name: ClassVar[str] = "weight-scale"
    help: ClassVar[str] = "The law of weight scale and density of samples, measured on the landscape's own data."
    options: ClassVar[type] = WeightScaleOptions
    answer: ClassVar[type] = WeightScale
    version: ClassVar[int] = 2
    section: ClassVar[str] = "Weight scale and density of samples"

    def ask(
        self, landscape: Landscape, *others: Landscape, options: WeightScaleOptions, setting: Setting = QUIET
    ) -> WeightScale:
        explored = landscape.explored()
        number = options.number
        if number is None:
            number = explored.minima[0] if explored.minima else 0
        return measure(landscape.spec, explored.point(number).theta, options, number)

    def verdict(self, answer: WeightScale) -> Verdict:
        return answer.verdict

    def sentence(self, answer: WeightScale) -> str:
        who = "the saved point" if answer.number is None else f"class {answer.number}"
        near = f"{100 * answer.tolerance:g} %"
        law = "w - rho pi^2/(6 k^2)" if answer.wrong else "-rho pi^2/(6 k^2)"
        where = (
            f"within {near} of the law for factors from {answer.holds[0]:g} to {answer.holds[1]:g}"
            if answer.holds
            else f"not within {near} of the law over any octave of factors"
        )
        wrong = (
            f" {answer.wrong} of {answer.samples} samples are wrong, by w = {answer.wrong_by:.3g} in the mean over all."
        )
        return (
            f"Near the boundary of {who} the density of samples is rho = {float(answer.density.lower):.4g} per unit of "
            f"margin, {answer.density_length:.4g} per unit of length; they lie {answer.spacing:.3g} of margin apart."
            f"{wrong if answer.wrong else ''} As the output weights are multiplied by k, the law for dL/dk is {law}, "
            f"and the data is {where}."
        )

    def tables(self, answer: WeightScale) -> tuple[Table, ...]:
        slopes = Table(
            name="weight-scale-slopes",
            title="Slope of the data's loss by the factor k of the output weights, and the law",
            columns=(
                Column(name="k", digits=4),
                Column(name="dL/dk"),
                Column(name="law", digits=5),
                Column(name="ratio", digits=4),
                Column(name="scatter", digits=2),
                Column(name="rho(k)", digits=4),
                Column(name="ratio with rho(k)", digits=4),
                Column(name="k times spacing", digits=3),
            ),
            rows=tuple(
                (r.factor, r.slope, r.law, r.ratio, r.scatter, r.density, r.local_ratio, r.crowding)
                for r in answer.rows
            ),
        )
        best = Table(
            name="weight-scale-best",
            title="Best factor of the output weights by penalty, and the law",
            columns=(
                Column(name="penalty"),
                Column(name="k*"),
                Column(name="law", digits=6),
                Column(name="ratio", digits=4),
                Column(name="scatter", digits=2),
                Column(name="k* times spacing", digits=3),
            ),
            rows=tuple(
                (
                    b.penalty,
                    b.k_star or ("none" if b.verdict is Verdict.REFUTED else None),
                    b.k_law,
                    b.ratio,
                    b.scatter,
                    b.crowding,
                )
                for b in answer.best
            ),
        )
        return slopes, best

    def figures(self, answer: WeightScale, landscape: Landscape) -> Mapping[str, Picture]:
        from symland.analysis.regions.scale_picture import scale_picture

        return {"weight-scale": scale_picture(answer)}


QUESTION = _WeightScale()
