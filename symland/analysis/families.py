"""Question: which ends of the searches are no isolated points, but manifolds of them, or ways to infinity?"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, final

from symland.analysis.question import QUIET, NoOptions, Question, Setting
from symland.errors import DatabaseError
from symland.landscape.evidence import Families, Family
from symland.records import Verdict
from symland.tables import Column, Table

if TYPE_CHECKING:
    from symland.landscape.landscape import Landscape

__all__ = ["QUESTION"]


@final
class _Families(Question[NoOptions, Families]):
    name: ClassVar[str] = "families"
    help: ClassVar[str] = "Name the families of stationary points and the ways to infinity that the searches met."
    answer: ClassVar[type] = Families
    outlives: ClassVar[bool] = True
    paragraph: ClassVar[str] = "counts"

    def ask(self, landscape: Landscape, *others: Landscape, options: NoOptions, setting: Setting = QUIET) -> Families:
        found = landscape.evidence.families
        if found is None:
            raise DatabaseError(f"{landscape.spec.name}: no search was made; run `symland explore` first")
        return found

    def sentence(self, answer: Families) -> str:
        parts = []
        if answer.gauge:
            parts.append(
                f"A shift of all outputs, in {answer.gauge} independent direction{'' if answer.gauge == 1 else 's'}, "
                "changes neither the data's loss nor the penalty: every stationary point lies on a flat of "
                f"dimension {answer.gauge} (T2-slice). A class is such a flat; its certificate is that of the one "
                f"point of the flat "
                "at which the shifted parameters sum to 0."
            )
        if answer.families:
            count = len(answer.families)
            dims = ", ".join(f"{f.dimension} at loss {f.loss:.10g}" for f in answer.families)
            parts.append(
                f"{count} famil{'y' if count == 1 else 'ies'} of stationary points, of dimension {dims}: manifolds, no "
                "points; they have no orbits, certificates or leaves."
            )
        if answer.runaways:
            limits = ", ".join(f"{r.limit:.10g}" for r in answer.runaways)
            parts.append(
                f"Searches ran away to infinity while the loss tended to {limits}: these are no points either."
            )
        if answer.open:
            parts.append(f"{answer.open} ends of searches are open: neither settled nor seen to run away.")
        return " ".join(parts) or "All that the searches found are isolated points."

    def tables(self, answer: Families) -> tuple[Table, ...]:
        tables = []
        if answer.families:
            names = ("loss", "dimension", "index", "nondegenerate", "why flat", "finds")
            rows = tuple((f.loss, f.dimension, f.index, f.morse_bott, _why(f), f.found) for f in answer.families)
            columns = tuple(Column(name=n, places=10 if n == "loss" else None) for n in names)
            caption = (
                "Families of stationary points: the loss, the dimension and the index across at a sampled member, "
                "whether all sampled members lie on one non-degenerate (Morse-Bott) manifold, and what makes it flat."
            )
            title = "Families of stationary points"
            tables.append(Table(name="families", title=title, columns=columns, rows=rows, caption=caption))
        if answer.runaways:
            names = ("limit of the loss", "norm", "gradient", "sign of the slope kept", "empty cube", "finds")
            ways = tuple((r.limit, r.norm, r.gradient_norm, r.monotone, r.radius, r.found) for r in answer.runaways)
            columns = tuple(Column(name=n, places=10 if n.startswith("limit") else None, digits=3) for n in names)
            caption = (
                "Ways to infinity: the limit of the loss; norm of $\\theta$ and size of the gradient where the search "
                "stopped; whether the slope is proved to keep its sign along the ray; and half the edge of a cube "
                "there that is proved to hold no stationary point."
            )
            tables.append(Table(name="runaways", title="Ways to infinity", columns=columns, rows=ways, caption=caption))
        return tuple(tables)

    def verdict(self, answer: Families) -> Verdict:
        return Verdict.UNDECIDED if answer.open else Verdict.CERTIFIED

    def latex(self, answer: Families, landscape: Landscape) -> str:
        if not (answer.families or answer.runaways or answer.open or answer.gauge):
            return ""
        return super().latex(answer, landscape)


def _why(family: Family) -> str:
    """The origins of the flat directions, each with their number."""
    origins = [d.origin for d in family.directions]
    return ", ".join(f"{origins.count(name)} {name}" for name in dict.fromkeys(origins))


QUESTION = _Families()
