"""Question: how wide is each minimum?"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, final

from symland.analysis.answer_types.flatness import (
    DEFENSIVE,
    ClassFlatness,
    Flatness,
    FlatnessOptions,
    LocalEnergy,
    LocalEntropy,
    tested_pairs,
)
from symland.analysis.question import QUIET, Picture, Question, Setting
from symland.errors import SpecError
from symland.tables import Column, Sampled, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symland.landscape.landscape import Landscape

__all__ = ["QUESTION", "ClassFlatness", "Flatness", "FlatnessOptions", "LocalEnergy", "LocalEntropy"]


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
