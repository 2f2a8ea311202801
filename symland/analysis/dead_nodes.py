"""Question: where does a dead node escape to, at every class?

A dead node, all of whose weights are 0, is decoupled at every stationary point (T5), as at the origin: only the
residuals e_d are those of the point. Its block of the Hessian is made of C = mean_d e_d (x_d, 1)^T, whose singular
vector is the orientation of order 1 for these residuals: C = -T_1. Where C or sigma'(0) is 0 the next order decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, final

from symland.analysis.answer_types.dead_nodes import DeadNode, DeadNodes
from symland.analysis.question import QUIET, NoOptions, Picture, Question, Setting
from symland.records import Verdict
from symland.tables import Column, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symland.landscape.landscape import Landscape

__all__ = ["QUESTION", "DeadNode", "DeadNodes"]

AGREEMENT = 1e-6
"""Largest part of the Hessian's action that the prediction may miss, in units of the block's largest entry or 1."""


MOST_WEIGHTS_DRAWN = 3
"""Input weights of a node, its bias included, up to which the form is drawn."""


@final
class _Condensation(Question[NoOptions, DeadNodes]):
    name: ClassVar[str] = "condensation"
    help: ClassVar[str] = "Add a dead node to every class: whether it escapes, and along which orientation."
    answer: ClassVar[type] = DeadNodes
    section: ClassVar[str] = "Where dead nodes escape to"

    def ask(self, landscape: Landscape, *others: Landscape, options: NoOptions, setting: Setting = QUIET) -> DeadNodes:
        from symland.analysis.condensation.bridge import dead_nodes

        return dead_nodes(landscape)

    def sentence(self, answer: DeadNodes) -> str:
        escaping = sum(node.escapes for node in answer.nodes)
        higher = [node for node in answer.nodes if node.order > 1]
        parts = f"A dead node escapes from {escaping} of {len(answer.nodes)} classes"
        if higher:
            parts += f"; at {len(higher)} of them order 1 vanishes and order {higher[0].order} decides the orientation"
        if not answer.stationary:
            parts += "; sigma(0) is not 0, so that dead nodes shift the outputs and the block is that of the node alone"
        return parts + "."

    def tables(self, answer: DeadNodes) -> tuple[Table, ...]:
        columns = (
            Column(name="class"),
            Column(name="index"),
            Column(name="order"),
            Column(name="pull", digits=5),
            Column(name="curvature", digits=5),
            Column(name="escapes"),
            Column(name="orientations"),
        )
        rows = tuple(
            (n.number, n.index, n.order, n.pull, n.curvature, n.escapes, _vectors(n.orientations)) for n in answer.nodes
        )
        title = f"A dead node at every class (threshold 2 lambda = {answer.threshold:g})"
        return (Table(name="condensation", title=title, columns=columns, rows=rows),)

    def figures(self, answer: DeadNodes, landscape: Landscape) -> Mapping[str, Picture]:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6.3, 2.6), layout="constrained")
        axes = figure.add_subplot(xlabel="class", ylabel="pull on a dead node")
        axes.bar([str(n.number) for n in answer.nodes], [n.pull if n.order == 1 else 0.0 for n in answer.nodes])
        axes.axhline(answer.threshold, linestyle="--", linewidth=0.8, color="black")
        caption = (
            r"The largest singular value of $\sigma'(0) C$ at each class. A dead node escapes where it is above "
            r"$2\lambda$, the dashed line."
        )
        return {"condensation": Picture(figure=figure, caption=caption), **_prediction(landscape)}

    def verdict(self, answer: DeadNodes) -> Verdict:
        return Verdict.CERTIFIED if all(node.error <= AGREEMENT for node in answer.nodes) else Verdict.REFUTED


def _prediction(landscape: Landscape) -> dict[str, Picture]:
    """Where nodes of small weights turn: the form on the circle or the sphere, for two or three input weights."""
    from symland.analysis.condensation.answer import condense, energy_of
    from symland.analysis.condensation.pictures import pictures
    from symland.errors import SpecError

    try:
        energy = energy_of(landscape.spec)[1]
        if energy.size > MOST_WEIGHTS_DRAWN:
            return {}
        drawn = pictures(landscape.spec, energy, condense(landscape.spec), None)
    except SpecError:
        return {}
    return {f"condensation-{name}": picture for name, picture in drawn.items()}


def _vectors(vectors: tuple[tuple[float, ...], ...]) -> str:
    return " ".join("(" + ", ".join(f"{v:.4g}" for v in vector) + ")" for vector in vectors) or "-"


QUESTION = _Condensation()
