"""Question: which classes are irreducible, and which extend a class of a narrower network?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, final

from symland.analysis.answer_types.labels import ClassLabel, Labels
from symland.analysis.question import QUIET, NoOptions, Question, Setting
from symland.codec import plain
from symland.errors import SpecError
from symland.layout import widths_text
from symland.tables import Column, Table

if TYPE_CHECKING:
    from symland.landscape.landscape import Landscape

__all__ = ["QUESTION", "ClassLabel", "Labels"]


@final
class _Labels(Question[NoOptions, Labels]):
    name: ClassVar[str] = "labels"
    help: ClassVar[str] = "Label every class: irreducible, or the extension of a narrower network's class."
    answer: ClassVar[type] = Labels
    others: ClassVar[str] = "narrower networks, to name their classes"

    def ask(self, landscape: Landscape, *others: Landscape, options: NoOptions, setting: Setting = QUIET) -> Labels:
        from symland.analysis.pruning import label_classes

        spec = landscape.spec
        for other in others:
            if other.spec.digest == spec.digest or other.spec.with_(hidden=spec.hidden).digest != spec.digest:
                widths = widths_text(other.spec.hidden)
                what = f"{other.spec.name} with {widths} hidden nodes is no other width of this question"
                raise SpecError.at("landscapes", what, "give narrower networks of the same data, loss and penalty")
        return Labels(classes=label_classes(landscape.explored(), *others))

    def sentence(self, answer: Labels) -> str:
        own = sum(label.irreducible for label in answer.classes)
        if not answer.classes:
            return "There is no class to label."
        return (
            f"{own} of {len(answer.classes)} classes are irreducible at this width; the others extend "
            f"narrower networks."
        )

    def tables(self, answer: Labels) -> tuple[Table, ...]:
        rows = tuple((label.number, label.label) for label in answer.classes)
        return (Table(name="labels", title="Labels", columns=(Column(name="class"), Column(name="label")), rows=rows),)

    def latex(self, answer: Labels, landscape: Landscape) -> str:
        # The table of classes has a column for it.
        return self.sentence(answer)

    def document(self, answer: Labels) -> Any:
        return plain(answer)["classes"]


QUESTION = _Labels()
