"""Question: how wide is each minimum?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, final

import msgspec

from symland.analysis.question import QUIET, Picture, Question, Setting
from symland.errors import SpecError
from symland.tables import Column, Enclosed, Sampled, Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from symland.landscape.landscape import Landscape

__all__ = ["QUESTION", "ClassFlatness", "Flatness", "FlatnessOptions", "LocalEnergy", "LocalEntropy"]

DEFENSIVE = 0.1
"""Share of the samples that are drawn from the perturbation's own distribution."""


class LocalEntropy(msgspec.Struct, frozen=True, kw_only=True):
    """Phi(sigma, T) = ln of the mean of exp(-(E(w + d) - E(w)) / T) over d ~ N(0, sigma^2 I).

    Attributes
    ----------
    sigma, temperature : float
    laplace : float
        -1/2 sum_i ln(1 + h_i sigma^2 / T), exact for a quadratic loss; None where some h_i is so negative that the mean
        of the quadratic form does not exist.
    sampled : float or None
        By importance sampling; None where the effective sample size is below a tenth of the samples.
    error : float or None
        Standard error.
    ess : float
        Effective sample size as a share of the samples.
    errors : float or None
        The same with the number of training errors for the loss: ln of the mean of exp(-(errors(w + d) - errors(w)) /
        (D T)), from plain perturbations; None where their effective sample size is below a tenth.
    errors_error : float or None
        Its standard error.
    errors_ess : float or None
        Its effective sample size as a share of its samples; None for a regression.
    """

    sigma: float
    temperature: float
    laplace: float | None
    sampled: float | None
    error: float | None
    ess: float
    errors: float | None
    errors_error: float | None
    errors_ess: float | None


class LocalEnergy(msgspec.Struct, frozen=True, kw_only=True):
    """Mean share of training errors after w -> w (1 + r z), z ~ N(0, I), with its standard error."""

    r: float
    share: float
    error: float


class ClassFlatness(msgspec.Struct, frozen=True, kw_only=True):
    """The width of one minimum.

    Attributes
    ----------
    number : int
    loss : float
    trace, max_eigenvalue, log_det : float
        Of the Hessian.
    trace_enclosure, max_enclosure, log_det_enclosure : Enclosed or None
        From the certificate.
    scaled_trace, scaled_max, scaled_log_det : float or None
        The same of |theta|^2 H / (P E), which does not change when weights and loss are measured in other units.
    effective_dimension : float
        sum_i h_i / (h_i + 2 lambda), which has no unit.
    effective_enclosure : Enclosed or None
        Its bounds from the certificate.
    basin : float or None
        ln of the volume of {E < E_min + height} in the quadratic form.
    local_entropy : tuple of LocalEntropy
    local_energy : tuple of LocalEnergy
        Of minima without training errors; empty for others.
    training_errors : int or None
        None for a regression.
    minimum_margin, mean_stability : float or None
        Of the samples' margins (logit of the label less the largest other), divided by |W_out|.
    test_error : float or None
        Share of wrong labels in the test set.
    """

    number: int = msgspec.field(name="class")
    loss: float
    trace: float
    max_eigenvalue: float
    log_det: float
    trace_enclosure: Enclosed | None
    max_enclosure: Enclosed | None
    log_det_enclosure: Enclosed | None
    scaled_trace: float | None
    scaled_max: float | None
    scaled_log_det: float | None
    effective_dimension: float
    effective_enclosure: Enclosed | None
    basin: float | None
    local_entropy: tuple[LocalEntropy, ...]
    local_energy: tuple[LocalEnergy, ...]
    training_errors: int | None
    minimum_margin: float | None
    mean_stability: float | None
    test_error: float | None = None


class Flatness(msgspec.Struct, frozen=True, kw_only=True):
    """How wide the minima are.

    Attributes
    ----------
    classes : tuple of ClassFlatness
        Minima, the lowest first.
    samples : int
        Of each importance-sampled number.
    overlap : float or None
        Share of the minima of the lowest cross-entropy (the lower half) that have the fewest training errors of all.
    wide_overlap : float or None
        Share of the same minima that are in the half that is widest in the number of errors: by ln of the mean of
        exp(-errors(w + d) / (D T)) at the widest perturbation at which it was sampled at all minima.
    correlation : float or None
        Spearman's rank correlation of local entropy (widest sigma with a sampled value) and test error.
    correlation_low, correlation_high : float or None
        Its bootstrap interval at 95 %.
    """

    classes: tuple[ClassFlatness, ...]
    samples: int
    overlap: float | None
    wide_overlap: float | None
    correlation: float | None
    correlation_low: float | None
    correlation_high: float | None


@dataclass(frozen=True, kw_only=True)
class FlatnessOptions:
    """Where and how hard to look."""

    sigma: Annotated[str, "Standard deviations of the perturbation, in units of theta: 0.03,0.1,0.3."] = "0.03,0.1,0.3"
    temperature: Annotated[str, "Temperatures, in units of the loss: 0.01,0.1."] = "0.01,0.1"
    samples: Annotated[int, "Perturbations of each sampled number."] = 20_000
    height: Annotated[float, "Height of the basin whose volume is given, in units of the loss."] = 1e-3
    test: Annotated[str, "A CSV file of test samples with the columns of the data; empty for none."] = ""
    seed: Annotated[int, "Makes it repeatable."] = 0


@final
class _Flatness(Question[FlatnessOptions, Flatness]):
    name: ClassVar[str] = "flatness"
    help: ClassVar[str] = "Measure how wide each minimum is: spectrum, local entropy, local energy, margins."
    options: ClassVar[type] = FlatnessOptions
    answer: ClassVar[type] = Flatness
    verb: ClassVar[bool] = True
    version: ClassVar[int] = 2
    section: ClassVar[str] = "How wide the minima are"

    def ask(
        self, landscape: Landscape, *others: Landscape, options: FlatnessOptions, setting: Setting = QUIET
    ) -> Flatness:
        from symland.analysis.widths import measure

        return measure(
            landscape.explored(),
            sigmas=numbers("--sigma", options.sigma),
            temperatures=numbers("--temperature", options.temperature),
            samples=options.samples,
            height=options.height,
            test=options.test,
            seed=options.seed,
            progress=lambda done, total: setting.listener.advance("minima", done, total),
        )

    def sentence(self, answer: Flatness) -> str:
        if not answer.classes:
            return "There is no minimum whose width could be measured."
        widest = max(answer.classes, key=lambda c: -c.log_det)
        said = f"Of {len(answer.classes)} minima class {widest.number} is the widest by the determinant of its Hessian"
        refused = sum(e.sampled is None for c in answer.classes for e in c.local_entropy)
        total = sum(len(c.local_entropy) for c in answer.classes)
        said += f"; {total - refused} of {total} local entropies were sampled"
        said += ", the others had too few effective samples." if refused else "."
        if answer.wide_overlap is not None:
            said += (
                f" Of the half with the lowest loss {answer.wide_overlap:.0%} is in the half that is widest in the "
                "number of errors."
            )
        errors = {wrong for _, wrong in tested_pairs(answer.classes)}
        if len(errors) == 1 and len(answer.classes) > 1:
            said += f" All of them have the test error {errors.pop():.3g}, which width therefore says nothing about."
        low, high = answer.correlation_low, answer.correlation_high
        if answer.correlation is not None and low is not None and high is not None:
            claim = "goes with" if low > 0 or high < 0 else "is not shown to go with"
            said += (
                f" Width {claim} test error: rank correlation {answer.correlation:.2f} "
                f"({low:.2f} to {high:.2f} at 95 %)."
            )
        return said

    def tables(self, answer: Flatness) -> tuple[Table, ...]:
        spectra = (
            Column(name="class"),
            Column(name="loss", places=8, digits=10),
            Column(name="trace", digits=6),
            Column(name="largest", digits=6),
            Column(name="ln det", digits=6),
            Column(name="effective dimension", tex="eff. dim.", digits=4),
            Column(name="errors"),
            Column(name="mean stability", tex="stability", digits=4),
            Column(name="test error", digits=4),
        )
        rows = tuple(
            (
                c.number,
                c.loss,
                c.trace_enclosure or c.trace,
                c.max_enclosure or c.max_eigenvalue,
                c.log_det_enclosure or c.log_det,
                c.effective_enclosure or c.effective_dimension,
                c.training_errors,
                c.mean_stability,
                c.test_error,
            )
            for c in answer.classes
        )
        entropies = (
            Column(name="class"),
            Column(name="sigma", tex=r"$\sigma$", digits=3),
            Column(name="temperature", tex="$T$", digits=3),
            Column(name="Laplace", digits=5),
            Column(name="sampled", digits=5),
            Column(name="of the errors", digits=5),
        )
        local = tuple(
            (
                c.number,
                e.sigma,
                e.temperature,
                e.laplace,
                None
                if e.sampled is None or e.error is None
                else Sampled(value=e.sampled, error=e.error, ess=e.ess * answer.samples),
                None
                if e.errors is None or e.errors_error is None or e.errors_ess is None
                else Sampled(value=e.errors, error=e.errors_error, ess=e.errors_ess * DEFENSIVE * answer.samples),
            )
            for c in answer.classes
            for e in c.local_entropy
        )
        return (
            Table(name="flatness", title="Width of the minima", columns=spectra, rows=rows),
            Table(name="local-entropy", title="Local entropy", columns=entropies, rows=local),
        )

    def figures(self, answer: Flatness, landscape: Landscape) -> Mapping[str, Picture]:
        from symland.figures.flatness import entropy_figure, test_figure, width_figure

        if not answer.classes:
            return {}
        caption = (
            "Local entropy of every minimum against the size of the perturbation, for each temperature: dots are "
            "sampled, with their standard errors, lines are the Laplace form."
        )
        pictures = {"flatness": Picture(figure=entropy_figure(answer), caption=caption)}
        pictures["flatness-spectra"] = Picture(
            figure=width_figure(
                [-c.log_det / 2 for c in answer.classes],
                [landscape.points[c.number].spectrum for c in answer.classes],
                [str(c.number) for c in answer.classes],
            ),
            caption=r"Hessian eigenvalues of every minimum against its width $-\tfrac12 \ln \det H$.",
        )
        if pairs := tested_pairs(answer.classes):
            low, high = answer.correlation_low, answer.correlation_high
            said = "" if answer.correlation is None else f"rank correlation {answer.correlation:.2f}"
            said += "" if low is None or high is None else f" ({low:.2f} to {high:.2f})"
            pictures["flatness-test"] = Picture(
                figure=test_figure(pairs, said),
                caption="Share of wrong labels of the test set against local entropy, for every minimum.",
            )
        return pictures


QUESTION = _Flatness()


def tested_pairs(classes: Sequence[ClassFlatness]) -> list[tuple[float, float]]:
    """Local entropy and test error of every minimum, at the last sigma and T at which all of them were sampled."""
    tested = [c for c in classes if c.test_error is not None]
    for place in reversed(range(min((len(c.local_entropy) for c in tested), default=0))):
        pairs = [(c.local_entropy[place].sampled, c.test_error) for c in tested]
        held = [(phi, wrong) for phi, wrong in pairs if phi is not None and wrong is not None]
        if len(held) == len(pairs):
            return held
    return []


def numbers(name: str, text: str) -> tuple[float, ...]:
    """Positive numbers from a text such as 0.1,0.3.

    Raises
    ------
    SpecError
        If it is something else.
    """
    found: list[float] = []
    for part in text.split(","):
        try:
            value = float(part)
        except ValueError:
            raise SpecError.at(name, f"{part!r}", "write positive numbers such as 0.1,0.3") from None
        if not 0 < value < 1e6:
            raise SpecError.at(name, f"{part!r}", "write positive numbers such as 0.1,0.3")
        found.append(value)
    return tuple(found)
