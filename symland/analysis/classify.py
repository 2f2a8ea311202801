"""Question: how well do the networks of the classes classify data that they were not trained on?"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, final

from symland.analysis.answer_types.classify import Classify, ClassifyOptions, ClassScore, Score
from symland.analysis.question import QUIET, Picture, Question, Setting
from symland.tables import Cell, Column, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symland.landscape.landscape import Landscape

__all__ = ["QUESTION", "ClassScore", "Classify", "ClassifyOptions", "Score"]


@final
class _Classify(Question[ClassifyOptions, Classify]):
    name: ClassVar[str] = "classify"
    help: ClassVar[str] = (
        "Accuracy, cross-entropy and AUC of every class on test data, against those on the training data."
    )
    options: ClassVar[type] = ClassifyOptions
    answer: ClassVar[type] = Classify
    verb: ClassVar[bool] = True
    section: ClassVar[str] = "How well the classes classify"

    def ask(
        self, landscape: Landscape, *others: Landscape, options: ClassifyOptions, setting: Setting = QUIET
    ) -> Classify:
        from symland.analysis.response.scoring import score_classes

        return score_classes(landscape.explored(), options)

    def sentence(self, answer: Classify) -> str:
        text = f"On {answer.samples} samples ({answer.test})"
        if answer.minima is None or answer.minima_train is None:
            return f"{text} {len(answer.classes)} classes were scored, none of them a minimum."
        mean, train = answer.minima, answer.minima_train
        return (
            f"{text} the minima are right in {mean.accuracy:.1%} on average, against {train.accuracy:.1%} on the "
            f"training data; their mean AUC is {_text(mean.auc)}, against {_text(train.auc)}."
        )

    def tables(self, answer: Classify) -> tuple[Table, ...]:
        names = ("class", "index", "loss", "accuracy", "cross-entropy", "AUC", "train accuracy", "train AUC")
        digits = {"loss": 10}
        columns = tuple(Column(name=name, digits=digits.get(name, 5)) for name in names)
        rows: list[tuple[Cell, ...]] = [
            (c.number, c.index, c.loss, c.accuracy, c.cross_entropy, c.auc, c.train.accuracy, c.train.auc)
            for c in answer.classes
        ]
        if answer.minima is not None and answer.minima_train is not None:
            m, t = answer.minima, answer.minima_train
            rows.append(("minima", None, None, m.accuracy, m.cross_entropy, m.auc, t.accuracy, t.auc))
        return (Table(name="classify", title=f"Test: {answer.test}", columns=columns, rows=tuple(rows)),)

    def figures(self, answer: Classify, landscape: Landscape) -> Mapping[str, Picture]:
        from symland.figures.data import roc_figure

        shown = [c for c in answer.classes if c.index == 0 and c.roc]
        if not shown:
            return {}
        curves = [
            (f"class {c.number}, AUC {_text(c.auc)}", [p[0] for p in c.roc], [p[1] for p in c.roc]) for c in shown[:6]
        ]
        return {"roc": Picture(figure=roc_figure(curves), caption="ROC curves of the minima on the test data.")}


def _text(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"


QUESTION = _Classify()
