"""Question: are the classes of the list all stationary points, up to symmetry?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, final

import msgspec

from symland.analysis.question import QUIET, Question, Setting
from symland.landscape.evidence import Audit, Enumeration
from symland.records import Verdict
from symland.tables import Column, Table
from symland.tex import text_tex

if TYPE_CHECKING:
    from symland.landscape.landscape import Landscape
    from symland.rigor.enumeration import EnumerationResult, Progress

__all__ = ["QUESTION", "EnumerationOptions", "enumeration_of", "prove_complete"]


@dataclass(frozen=True, kw_only=True)
class EnumerationOptions:
    """Which way to go."""

    by: Annotated[
        Literal["theorem", "boxes"] | None,
        "The way: a theorem where one speaks of the question (the default there), or the box search.",
    ] = None
    audit: Annotated[float, "Share of the closed boxes that the independent checker proves again, such as 0.01."] = 0.0
    seed: Annotated[int, "Picks the boxes of the audit."] = 0


@final
class _Enumeration(Question[EnumerationOptions, Enumeration]):
    name: ClassVar[str] = "enumeration"
    help: ClassVar[str] = "Prove that the list holds all stationary points up to symmetry."
    options: ClassVar[type] = EnumerationOptions
    answer: ClassVar[type] = Enumeration
    paragraph: ClassVar[str] = "counts"
    resumable: ClassVar[bool] = True

    def ask(
        self, landscape: Landscape, *others: Landscape, options: EnumerationOptions, setting: Setting = QUIET
    ) -> Enumeration:
        from symland.rigor.enumeration import certificate_text
        from symland.rigor.enumeration_check import check_enumeration

        result = prove_complete(landscape, options, setting)
        answer = enumeration_of(result)
        if not options.audit or answer.verdict is not Verdict.CERTIFIED:
            return answer
        setting.listener.advance("the independent checker")
        checked = check_enumeration(
            certificate_text(landscape.spec, result),
            landscape.spec.canonical(),
            seed=str(options.seed) if options.audit < 1 else None,
            share=options.audit,
        )
        proved = checked.checked > 0 and checked.proved == checked.checked
        held = Verdict.CERTIFIED if proved else Verdict.UNDECIDED
        audit = Audit(
            verdict=Verdict.REFUTED if checked.verdict is Verdict.REFUTED else held,
            sampled=checked.checked,
            proved=checked.proved,
            leaves=checked.leaves,
            seed=checked.seed,
            reason=checked.reason,
        )
        refuted = audit.verdict is Verdict.REFUTED
        return msgspec.structs.replace(answer, audit=audit, verdict=Verdict.REFUTED if refuted else answer.verdict)

    def sentence(self, answer: Enumeration) -> str:
        if answer.verdict is Verdict.CERTIFIED:
            how = (
                f"by exhausting {answer.boxes} boxes of margins and node states"
                if answer.by == "boxes"
                else f"by theorem {answer.by}"
            )
            return f"The list is complete: that there is no other stationary point was proved {how}."
        if answer.audit is not None and answer.verdict is Verdict.REFUTED:
            return f"The independent checker refutes the proof that the list is complete: {answer.audit.reason}."
        if answer.unlisted:
            return "The list is NOT complete: a stationary point that it lacks was found and proved."
        if answer.inconsistent:
            unmet = ", ".join(map(str, answer.inconsistent))
            return (
                f"The search is INCONSISTENT: it never met the known classes {unmet}, so it proves nothing; "
                "report the question."
            )
        return (
            f"A proof that there are no others is open: {answer.boxes} boxes were handled, "
            f"{100 * answer.share:.2f} % of the search tree is closed."
        )

    def tables(self, answer: Enumeration) -> tuple[Table, ...]:
        document = self.document(answer)
        rows = tuple((key, str(value)) for key, value in document.items() if value not in (None, ()))
        return (
            Table(
                name="enumeration", title="Enumeration", columns=(Column(name="what"), Column(name="value")), rows=rows
            ),
        )

    def latex(self, answer: Enumeration, landscape: Landscape) -> str:
        text = text_tex(self.sentence(answer))
        if answer.verdict is Verdict.CERTIFIED:
            text = text.replace("The list is complete", r"\textbf{The list is complete}")
        return rf"{text} The digest of the proof is \texttt{{{answer.digest[:16]}}}."

    def verdict(self, answer: Enumeration) -> Verdict:
        return answer.verdict if answer.audit is None else Verdict.all(answer.verdict, answer.audit.verdict)


def prove_complete(landscape: Landscape, options: EnumerationOptions, setting: Setting) -> EnumerationResult:
    """By theorem where one speaks of the question, else by the box search; ``by`` asks for one of them.

    A box search that the budget or Ctrl-C ended goes on where it was; one that was killed, where it was a few minutes
    before.

    Raises
    ------
    DatabaseError
        If the landscape holds no classes yet.
    SpecError
        If the network is not of the kind that can be enumerated.
    """
    from symland.rigor.enumeration import enumerate_by_theorem, enumerate_points, theorem_applies

    spec, points = landscape.spec, landscape.explored().points

    def progress(state: Progress) -> None:
        setting.listener.advance(
            f"{100 * state.share:.2f} % closed, {state.boxes_handled} boxes, {state.waiting} waiting, "
            f"{state.undecided} undecided, {state.seconds:.0f} s"
        )

    if options.by == "theorem" or (options.by is None and theorem_applies(spec)):
        return enumerate_by_theorem(spec, points, clock=setting.clock)
    result = enumerate_points(
        spec,
        points,
        budget_seconds=setting.budget,
        state=setting.state,
        progress=progress,
        keep=setting.keep,
        executor=setting.executor,
        workers=setting.workers,
        clock=setting.clock,
    )
    setting.keep(result.state)
    return result


def enumeration_of(result: EnumerationResult) -> Enumeration:
    """The answer that a search gives."""
    return Enumeration(
        verdict=result.verdict,
        by=result.theorem or "boxes",
        classes=len(result.classes),
        unproved=result.unproved,
        undecided=len(result.undecided),
        boxes=result.boxes_handled,
        share=result.share,
        seconds=round(result.seconds, 3),
        digest=result.digest,
        inconsistent=result.inconsistent,
        unlisted=len(result.unlisted),
    )


QUESTION = _Enumeration()
