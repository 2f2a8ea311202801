"""Question: is it proved that no two classes are copies of one stationary point?"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, final

from symland.analysis.question import QUIET, NoOptions, Question, Setting
from symland.errors import CertificateError
from symland.landscape.evidence import Distinctness, PairLeft
from symland.records import Verdict
from symland.tables import Column, Table

if TYPE_CHECKING:
    from symland.landscape.landscape import Landscape

__all__ = ["QUESTION"]


@final
class _Distinctness(Question[NoOptions, Distinctness]):
    name: ClassVar[str] = "distinctness"
    help: ClassVar[str] = "Prove from the certificates that all classes differ up to symmetry."
    answer: ClassVar[type] = Distinctness
    paragraph: ClassVar[str] = "counts"

    def ask(
        self, landscape: Landscape, *others: Landscape, options: NoOptions, setting: Setting = QUIET
    ) -> Distinctness:
        from symland.rigor.distinct import distinct

        missing = [n for n in range(len(landscape.explored())) if n not in landscape.certificates]
        if missing:
            raise CertificateError(f"class {missing[0]} has no certificate; run `symland certify` first")
        pairs = distinct([landscape.certificates[n] for n in range(len(landscape))], landscape.group)
        return Distinctness(
            verdict=pairs.verdict,
            exceptions=tuple(
                PairLeft(first=pair.first, second=pair.second, verdict=pair.verdict, reason=pair.reason)
                for pair in pairs.exceptions
            ),
        )

    def sentence(self, answer: Distinctness) -> str:
        match answer.verdict:
            case Verdict.CERTIFIED:
                return (
                    "No two classes are copies of one another: decided for all pairs on the boxes of their "
                    "certificates."
                )
            case Verdict.REFUTED:
                return "Two classes are copies of one stationary point."
        return f"Whether all classes differ is open: {len(answer.exceptions)} pairs are undecided."

    def tables(self, answer: Distinctness) -> tuple[Table, ...]:
        if not answer.exceptions:
            return ()
        rows = tuple((e.first, e.second, e.verdict, e.reason) for e in answer.exceptions)
        names = ("class", "other class", "distinct", "reason")
        title = "Pairs that are not certified distinct"
        return (Table(name="distinctness", title=title, columns=tuple(Column(name=n) for n in names), rows=rows),)

    def verdict(self, answer: Distinctness) -> Verdict:
        return answer.verdict


QUESTION = _Distinctness()
