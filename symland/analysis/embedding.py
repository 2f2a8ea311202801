"""Question: do the stationary points of a network stay stationary in a wider one, and what index have they there?"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, final

from symland.analysis.answer_types.embedding import EmbeddedPoint, Embedding, EmbeddingOptions, Escape, Successor
from symland.analysis.question import QUIET, Picture, Question, Setting
from symland.errors import ExplorationError
from symland.records import Verdict
from symland.tables import Column, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symland.landscape.landscape import Landscape

__all__ = ["QUESTION", "EmbeddedPoint", "Embedding", "EmbeddingOptions", "Escape", "Successor"]


def _widths(hidden: tuple[int, ...]) -> str:
    return ", ".join(map(str, hidden))


@final
class _Embedding(Question[EmbeddingOptions, Embedding]):
    name: ClassVar[str] = "embedding"
    help: ClassVar[str] = "Prove and check that every class stays stationary in a wider network; its index there."
    options: ClassVar[type] = EmbeddingOptions
    answer: ClassVar[type] = Embedding
    section: ClassVar[str] = "Inside the wider network"

    def ask(
        self, landscape: Landscape, *others: Landscape, options: EmbeddingOptions, setting: Setting = QUIET
    ) -> Embedding:
        from symland.analysis.extended_points import certified_cubes, check_embedding

        hidden = landscape.spec.hidden
        if not 1 <= options.layer <= len(hidden):
            raise ExplorationError(f"--layer: {options.layer}; write 1 to {len(hidden)}")
        return check_embedding(
            landscape.spec,
            landscape.explored().points,
            layer=options.layer,
            nodes=options.nodes,
            boxes=certified_cubes(landscape.certificates.get(n) for n in range(len(landscape))),
            progress=lambda done, total: setting.listener.advance("classes", done, total),
        )

    def sentence(self, answer: Embedding) -> str:
        step = f"from {_widths(answer.hidden)} to {_widths(answer.hidden_wide)} hidden nodes"
        if not answer.points:
            return f"There is no class to extend {step}."
        if answer.selective:
            extends, not_so, unclear = (answer.of(v) for v in (Verdict.CERTIFIED, Verdict.REFUTED, Verdict.UNDECIDED))
            named = f" (class {', '.join(map(str, extends))})" if extends else ""
            why = "sigma(0) is not 0 and the penalty holds the next biases (T5-nonvanishing)"
            if not not_so and not unclear:
                return f"Every class extends {step}, by its vanishing biases: {why}, so that no other would."
            return (
                f"The zero extension {step} is not stationary for this activation, since {why}: "
                f"{len(not_so)} of {len(answer.points)} classes are proved not to extend, "
                f"{len(extends)} extend all the same{named}" + (f", {len(unclear)} are open." if unclear else ".")
            )
        held = "Every class" if answer.held == len(answer.points) else f"{answer.held} of {len(answer.points)} classes"
        return f"{held} stays stationary with the predicted index when nodes of zero weights are added, {step}."

    def claim(self, answer: Embedding) -> str:
        if answer.verdict is not Verdict.CERTIFIED:
            return ""
        kept = sum(point.rise == 0 for point in answer.points)
        rises = sorted({point.rise for point in answer.points} - {0})
        risen = f", and rises by {' or '.join(map(str, rises))} at the others" if rises else ""
        where = f"the same there at {kept} of {len(answer.points)} classes{risen}"
        return (
            f"With all weights of the new nodes zero, each is stationary with the same loss in the network of "
            f"{_widths(answer.hidden_wide)} hidden nodes. Its index is {where}."
        )

    def tables(self, answer: Embedding) -> tuple[Table, ...]:
        if not answer.points:
            return ()
        if answer.selective:
            return (_shifted_table(answer),)
        columns = (
            Column(name="class"),
            Column(name="loss", places=8, digits=12),
            Column(name="tau", tex=r"$\tau$", digits=4),
            Column(name="index"),
            Column(name="predicted", tex="pred."),
            Column(name="computed", tex="comp."),
            Column(name="lowest predicted", tex="lowest pred.", places=8),
            Column(name="lowest computed", tex="lowest comp.", places=8),
            Column(name="gradient", tex=r"$\lvert\nabla E\rvert$", digits=1),
            Column(name="stationary", tex="stat."),
            Column(name="index holds", tex="index"),
            Column(name="escapes to", places=6, digits=9),
        )
        rows = tuple(
            (
                p.number,
                p.loss,
                float(max(p.singular_values)) if len(p.singular_values) else None,
                p.index_before,
                p.predicted_index,
                p.index_after,
                None if p.eigenvalue_error is None else float(min(p.predicted_eigenvalues)),
                float(min(p.new_eigenvalues)),
                p.gradient_bound,
                p.stationary,
                p.index_holds,
                None if p.escape is None else p.escape.loss,
            )
            for p in answer.points
        )
        caption = (
            r"The classes in the wider network: largest singular value $\tau$ of $\sigma'(0)\,C$; index before, "
            r"predicted and "
            "computed; the lowest eigenvalue of the new block, predicted and computed; a bound of the gradient "
            "over the "
            "box; whether it is stationary and has that index; and the loss of the point to which the escape direction "
            "leads."
        )
        title = f"{_widths(answer.hidden)} into {_widths(answer.hidden_wide)}"
        return (Table(name="embedding", title=title, columns=columns, rows=rows, caption=caption),)

    def figures(self, answer: Embedding, landscape: Landscape) -> Mapping[str, Picture]:
        from symland.figures import embedding_columns, embedding_figure

        if not answer.points or answer.selective:
            return {}
        titles = tuple(f"$N_h = {_widths(h)}$" for h in (answer.hidden, answer.hidden_wide))
        classes = [(p.loss, p.index) for p in landscape.points]
        columns, links = embedding_columns(classes, answer.points, (titles[0], titles[1]))
        caption = (
            f"The landscape of {_widths(answer.hidden)} hidden nodes inside that of "
            f"{_widths(answer.hidden_wide)}: every class "
            "keeps its loss (lines; dashed where its index rises). Arrows lead from embedded minima down their escape "
            "directions."
        )
        return {"embedding": Picture(figure=embedding_figure(columns, [links]), caption=caption)}

    def verdict(self, answer: Embedding) -> Verdict:
        return answer.verdict

    def latex(self, answer: Embedding, landscape: Landscape) -> str:
        if answer.selective:
            theory = (
                rf"Theorem {answer.proof['identifier']} below says which points extend. Under a penalty on the "
                r"weights alone all of them would, after the shift of the next biases by $\sigma(0) v$ (T5-shifted). "
            )
            return theory + super().latex(answer, landscape)
        theory = (
            rf"That this keeps every stationary point stationary is Theorem {answer.proof['identifier']} below. "
            if answer.proof["verdict"] == "certified"
            else ""
        )
        block = (
            r"The new block of the Hessian has the eigenvalues $2\lambda \pm \tau$ and $2\lambda$ (and $0$ for a free "
            r"bias) where $\sigma(0) = 0$; where it is not and biases are free, it has them in the variables in which "
            r"$\sigma(0) v$ is taken off the next biases; "
            r"each $\tau > 2\lambda$ raises the index by one. Each class was checked on a box of balls in the "
            r"wider network: "
            r"the gradient, the block structure, and the index by an interval $LDL^{T}$."
        )
        if not answer.points:
            return theory + super().latex(answer, landscape)
        return theory + super().latex(answer, landscape).replace("\n\n", "\n\n" + block + "\n\n", 1)


def _shifted_table(answer: Embedding) -> Table:
    """Which classes extend where sigma(0) != 0, and where the others go."""
    columns = (
        Column(name="class"),
        Column(name="loss", places=8, digits=12),
        Column(name="index"),
        Column(name="slope by T5", digits=6),
        Column(name="slope", digits=6),
        Column(name="extends"),
        Column(name="index there"),
        Column(name="shifted to loss", places=8, digits=12),
        Column(name="its index"),
        Column(name="distance", digits=3),
    )
    rows = tuple(
        (
            p.number,
            p.loss,
            p.index_before,
            p.predicted_slope,
            p.slope,
            p.stationary,
            None if p.stationary is Verdict.REFUTED else p.index_after,
            None if p.successor is None else p.successor.loss,
            None if p.successor is None else p.successor.index,
            None if p.successor is None else p.successor.distance,
        )
        for p in answer.points
    )
    caption = (
        r"The classes in the wider network where $\sigma(0) \ne 0$: the slope along the new outgoing weights, "
        r"$-2\lambda\,\sigma(0)\,b$ by theorem T5-nonvanishing and by the wide gradient; whether the extension is "
        "stationary, and its index; and the stationary point that a search finds from the shifted extension, which is "
        "computed and not proved: its loss, its index and its distance."
    )
    title = f"{_widths(answer.hidden)} into {_widths(answer.hidden_wide)}: shifted extension"
    return Table(name="embedding", title=title, columns=columns, rows=rows, caption=caption)


QUESTION = _Embedding()
