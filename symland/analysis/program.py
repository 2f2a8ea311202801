"""Question: is the derivation program of this network proved to be its loss, gradient and Hessian?"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, final

import msgspec

from symland.analysis.question import QUIET, NoOptions, Question, Setting
from symland.records import Verdict
from symland.tables import Column, Table, longtable
from symland.tex import breakable_tex

if TYPE_CHECKING:
    from symland.landscape.landscape import Landscape

__all__ = ["QUESTION", "ProgramProof", "ProgramStatement"]


class ProgramStatement(msgspec.Struct, frozen=True, kw_only=True):
    """One statement about the program, and how it was decided."""

    name: str
    verdict: Verdict
    detail: str


class ProgramProof(msgspec.Struct, frozen=True, kw_only=True):
    """The digest of the derivation program, and the statements that were decided of it."""

    digest: str
    statements: tuple[ProgramStatement, ...]


@final
class _Program(Question[NoOptions, ProgramProof]):
    name: ClassVar[str] = "program"
    help: ClassVar[str] = "Prove the derivation program against SymPy, and test its identity at any size."
    answer: ClassVar[type] = ProgramProof
    paragraph: ClassVar[str] = "formulas"
    outlives: ClassVar[bool] = True

    def ask(
        self, landscape: Landscape, *others: Landscape, options: NoOptions, setting: Setting = QUIET
    ) -> ProgramProof:
        from symland.program.derive import build_program
        from symland.program.identity import check_identity
        from symland.program.proof import prove_program

        spec, program = landscape.spec, build_program(landscape.spec)
        return ProgramProof(
            digest=program.digest,
            statements=tuple(
                ProgramStatement(name=s.name, verdict=s.verdict, detail=s.detail)
                for s in (*prove_program(spec), check_identity(spec, program))
            ),
        )

    def sentence(self, answer: ProgramProof) -> str:
        return ", ".join(f"{s.name} {s.verdict.value}" for s in answer.statements)

    def tables(self, answer: ProgramProof) -> tuple[Table, ...]:
        rows = tuple((s.name, s.verdict, s.detail) for s in answer.statements)
        columns = (Column(name="statement"), Column(name="verdict"), Column(name="detail"))
        return (Table(name="program", title="The derivation program", columns=columns, rows=rows),)

    def latex(self, answer: ProgramProof, landscape: Landscape) -> str:
        return (
            "The compiled code, the refinement and the certificates all run these formulas as one program. What "
            "was decided "
            f"about it is in Table~\\ref{{tab:program}}; its digest is {breakable_tex(answer.digest)}.\n\n"
            + "\n".join(map(longtable, self.tables(answer)))
        )

    def verdict(self, answer: ProgramProof) -> Verdict:
        return Verdict.all(*(s.verdict for s in answer.statements))


QUESTION = _Program()
