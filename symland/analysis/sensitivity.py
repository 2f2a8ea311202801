"""Question: how do the stationary points, and what they decide, depend on the data?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, final

from symland.analysis.answer_types.sensitivity import ClassSensitivity, Sensitivity, SensitivityOptions
from symland.analysis.question import QUIET, Picture, Question, Setting
from symland.codec import plain
from symland.records import Verdict
from symland.tables import Cell, Column, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symland.landscape.landscape import Landscape

__all__ = ["QUESTION", "ClassSensitivity", "Sensitivity", "SensitivityOptions"]

ROUNDING = 1e-9
"""Relative difference of slopes that are taken for equal."""


@final
class _Sensitivity(Question[SensitivityOptions, Sensitivity]):
    name: ClassVar[str] = "sensitivity"
    help: ClassVar[str] = "Derivatives by the data, and certified radii of data in which classes and labels stay."
    options: ClassVar[type] = SensitivityOptions
    answer: ClassVar[type] = Sensitivity
    version: ClassVar[int] = 2
    verb: ClassVar[bool] = True
    section: ClassVar[str] = "How the classes depend on the data"

    def ask(
        self, landscape: Landscape, *others: Landscape, options: SensitivityOptions, setting: Setting = QUIET
    ) -> Sensitivity:
        from symland.analysis.response.sensing import sense

        return sense(landscape.explored(), options, setting.listener)

    def sentence(self, answer: Sensitivity) -> str:
        held = [c for c in answer.classes if c.persistence_radius is not None]
        text = f"{len(held)} of {len(answer.classes)} classes are proved to persist in a ball of data sets"
        if answer.most_robust is None:
            return text + "."
        best = next(c for c in held if c.number == answer.most_robust)
        steepest = max(answer.classes, key=lambda c: _steepest(c)[2])
        d, k, _ = _steepest(steepest)
        return (
            f"{text}; class {best.number} has the largest, of radius {best.persistence_radius:.3g}. "
            f"The loss of class {steepest.number} depends most, on input {k} of sample {d}."
        )

    def tables(self, answer: Sensitivity) -> tuple[Table, ...]:
        names = (
            "class",
            "index",
            "loss",
            "most sensitive",
            "|dE/dx|",
            "|dtheta/dx|",
            "persists within",
            "lost at",
            "loss there",
            "labels right within",
            "least margin",
            "wrong",
            "robust, max",
            "robust, Euclidean",
        )
        digits = {"loss": 10, "|dE/dx|": 4, "|dtheta/dx|": 4, "least margin": 4}
        tex = {"|dE/dx|": r"$|\partial E/\partial x|$", "|dtheta/dx|": r"$|\partial\theta/\partial x|$"}
        columns = tuple(Column(name=name, tex=tex.get(name, ""), digits=digits.get(name, 4)) for name in names)
        rows: list[tuple[Cell, ...]] = []
        for c in answer.classes:
            d, k, slope = _steepest(c)
            rows.append(
                (
                    c.number,
                    c.index,
                    c.loss,
                    f"{d}.{k}",
                    slope,
                    max(max(row) for row in c.dtheta_dx_norm),
                    c.persistence_radius,
                    c.persistence_lost,
                    c.persistence_loss,
                    c.labels_radius,
                    min(c.margins, default=None),
                    len(c.misclassified) if c.margins else None,
                    _least(c.robust_radius_max),
                    _least(c.robust_radius_euclidean),
                )
            )
        return (Table(name="sensitivity", title="Sensitivity to the data", columns=columns, rows=tuple(rows)),)

    def figures(self, answer: Sensitivity, landscape: Landscape) -> Mapping[str, Picture]:
        from symland.figures.data import decision_figure, sensitivity_figure

        pictures = {
            "sensitivity": Picture(
                figure=sensitivity_figure(answer.classes),
                caption=(
                    r"Largest $|dE/dx|$ of each class, and the radius in which it is proved to persist; a line ends "
                    "where a data set was found at which the class is lost."
                ),
            )
        }
        shown = [c for c in answer.classes if c.index == 0]
        if landscape.spec.n_inputs == 2 and shown and shown[0].margins:
            pictures["decisions"] = Picture(
                figure=decision_figure(landscape.spec, [landscape.points[c.number].theta for c in shown], shown),
                caption=(
                    "Decisions of the minima. Shading: the label; circles and squares: the balls (Euclidean and max "
                    r"norm) in which it is proved not to change; arrows: $-dE/dx$, where each sample is pulled."
                ),
            )
        return pictures

    def verdict(self, answer: Sensitivity) -> Verdict:
        proved = all(c.certified and c.persistence_radius is not None for c in answer.classes)
        return Verdict.CERTIFIED if proved else Verdict.UNDECIDED

    def document(self, answer: Sensitivity) -> Any:
        document = plain(answer)
        for row in document["classes"]:
            del row["certificates"]
        return document


def _steepest(c: ClassSensitivity) -> tuple[int, int, float]:
    """The sample and the input on which the loss depends most, and |dE/dx| there; the first of those that symmetry
    makes equal."""
    slopes = [(d, k, abs(value)) for d, row in enumerate(c.dE_dx) for k, value in enumerate(row)]
    most = max(slope for _, _, slope in slopes)
    return next(found for found in slopes if found[2] >= most * (1 - ROUNDING))


def _least(radii: tuple[float | None, ...]) -> float | None:
    return min((r for r in radii if r is not None), default=None)


QUESTION = _Sensitivity()
