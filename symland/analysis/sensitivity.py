"""Question: how do the stationary points, and what they decide, depend on the data?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, final

import msgspec

from symland.analysis.question import QUIET, Picture, Question, Setting
from symland.codec import plain
from symland.records import Verdict
from symland.tables import Cell, Column, Enclosed, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symland.landscape.landscape import Landscape

__all__ = ["QUESTION", "ClassSensitivity", "Sensitivity", "SensitivityOptions"]

Rows = tuple[tuple[float, ...], ...]


class ClassSensitivity(msgspec.Struct, frozen=True, kw_only=True, rename={"number": "class"}):
    """How one class depends on the data; arrays over inputs have one row for each of the D samples.

    Attributes
    ----------
    number : int
    index : int
    loss : float
    certified : bool
        Whether derivatives, radii and margins are proved.
    dE_dx : D x n_inputs
        Derivatives of the loss of the class by the inputs.
    dE_dx_proved : D x n_inputs enclosures, empty where the class is not certified
    dE_dweight : D
        By the weight of each sample in the mean, which is 1.
    dtheta_dx_norm : D x n_inputs
        Euclidean norms of the derivatives of the parameters.
    dtheta_dweight_norm : D
    d2E_dx2_norm : D x n_inputs
        Euclidean norms of the rows of the second derivatives.
    dtheta_dx, dtheta_dweight, d2E_dx2 : arrays
        The derivatives themselves where they were asked for: D n_inputs rows of P, D rows of P, D n_inputs rows of
        D n_inputs; empty otherwise.
    persistence_radius : float or None
        For all data sets whose inputs differ by no more from the given ones the class exists, is unique in its box and
        keeps its index. None where nothing is proved.
    persistence_loss : Enclosed or None
        Bounds of its loss over all of these data sets.
    labels_radius : float or None
        The same, and every training label stays right; 0 where one is not right.
    margins : D
        z_label - the largest other output, positive where the label is right.
    predicted : D
        Labels that the network gives; the least of those that tie.
    probabilities : D
        Probability of each sample's own label.
    misclassified : list of int
        Samples whose margin is not positive; a tie is not right.
    robust_radius_max, robust_radius_euclidean : D
        Radius of the largest ball around each sample in which the predicted label cannot change; None where it changes
        nowhere, 0 at a tie.
    robust_upper_max, robust_upper_euclidean : D
        Distances at which a label is proved to change.
    certificates : tuple of str
        Of the persistence radius and of the labels radius, as texts of files for `symland check`.
    """

    number: int
    index: int
    loss: float
    certified: bool
    dE_dx: Rows
    dE_dx_proved: tuple[tuple[Enclosed, ...], ...]
    dE_dweight: tuple[float, ...]
    dtheta_dx_norm: Rows
    dtheta_dweight_norm: tuple[float, ...]
    d2E_dx2_norm: Rows
    dtheta_dx: Rows
    dtheta_dweight: Rows
    d2E_dx2: Rows
    persistence_radius: float | None
    persistence_loss: Enclosed | None
    labels_radius: float | None
    margins: tuple[float, ...]
    predicted: tuple[int, ...]
    probabilities: tuple[float, ...]
    misclassified: tuple[int, ...]
    robust_radius_max: tuple[float | None, ...]
    robust_radius_euclidean: tuple[float | None, ...]
    robust_upper_max: tuple[float | None, ...]
    robust_upper_euclidean: tuple[float | None, ...]
    certificates: tuple[str, ...]


class Sensitivity(msgspec.Struct, frozen=True, kw_only=True):
    """All classes that were asked about.

    Attributes
    ----------
    tolerance : float
        Largest difference of a robust radius from its upper bound, relative.
    most_robust : int or None
        Class of the largest persistence radius.
    classes : tuple of ClassSensitivity
    """

    tolerance: float
    most_robust: int | None
    classes: tuple[ClassSensitivity, ...]


@dataclass(frozen=True, kw_only=True)
class SensitivityOptions:
    """Of which classes, and how much."""

    minima: Annotated[bool, "Only minima."] = False
    inputs: Annotated[
        str, 'Inputs that may move in persistence, as sample.input: "0.1,2.0"; all of them by default.'
    ] = ""
    tolerance: Annotated[float, "Of robust radii, relative: between 1e-9 and 0.5."] = 1e-3
    full: Annotated[bool, "Give whole derivatives of the parameters, not only their norms."] = False


@final
class _Sensitivity(Question[SensitivityOptions, Sensitivity]):
    name: ClassVar[str] = "sensitivity"
    help: ClassVar[str] = "Derivatives by the data, and certified radii of data in which classes and labels stay."
    options: ClassVar[type] = SensitivityOptions
    answer: ClassVar[type] = Sensitivity
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
        place = max(
            (
                (abs(value), d, k)
                for c in answer.classes
                for d, row in enumerate(c.dE_dx)
                for k, value in enumerate(row)
            ),
        )
        return (
            f"{text}; class {best.number} has the largest, of radius {best.persistence_radius:.3g}. "
            f"The loss depends most on input {place[2]} of sample {place[1]}."
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
            d, k = max(
                ((d, k) for d, row in enumerate(c.dE_dx) for k in range(len(row))),
                key=lambda p: abs(c.dE_dx[p[0]][p[1]]),
            )
            rows.append(
                (
                    c.number,
                    c.index,
                    c.loss,
                    f"{d}.{k}",
                    abs(c.dE_dx[d][k]),
                    max(max(row) for row in c.dtheta_dx_norm),
                    c.persistence_radius,
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
                caption=r"Largest $|dE/dx|$ of each class, and the radius in which it is proved to persist.",
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


def _least(radii: tuple[float | None, ...]) -> float | None:
    return min((r for r in radii if r is not None), default=None)


QUESTION = _Sensitivity()
