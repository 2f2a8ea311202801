"""Question: how well do the networks of the classes classify data that they were not trained on?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, final

import msgspec

from symland.analysis.question import QUIET, Picture, Question, Setting
from symland.tables import Cell, Column, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symland.landscape.landscape import Landscape

__all__ = ["QUESTION", "ClassScore", "Classify", "ClassifyOptions", "Score"]


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """How well labels are predicted.

    Attributes
    ----------
    accuracy : float
        Share of the samples whose label has the largest output; of a tie between t labels, 1/t.
    cross_entropy : float
        Mean of -ln of the probability of the label.
    auc : float or None
        Area under the ROC curve of the probability of label 1; for more than two labels the mean over the labels, each
        against the rest. None where only one label occurs.
    """

    accuracy: float
    cross_entropy: float
    auc: float | None


class ClassScore(msgspec.Struct, frozen=True, kw_only=True, rename={"number": "class"}):
    """The test score of one class, its score on the training data, and its ROC curve where there are two labels."""

    number: int
    index: int
    loss: float
    accuracy: float
    cross_entropy: float
    auc: float | None
    train: Score
    roc: tuple[tuple[float, float], ...]


class Classify(msgspec.Struct, frozen=True, kw_only=True):
    """All classes.

    Attributes
    ----------
    test : str
        What the test data are.
    samples : int
    minima : Score or None
        The mean over the minima.
    minima_train : Score or None
    classes : tuple of ClassScore
    """

    test: str
    samples: int
    minima: Score | None
    minima_train: Score | None
    classes: tuple[ClassScore, ...]


@dataclass(frozen=True, kw_only=True)
class ClassifyOptions:
    """Which test data."""

    test: Annotated[
        str, "A CSV file of test data, with the training data's columns; noisy copies of these where it is not given."
    ] = ""
    noise: Annotated[float, "Standard deviation of the noise of the copies, in units of the inputs."] = 0.1
    copies: Annotated[int, "Noisy copies of each training sample."] = 250
    seed: Annotated[int, "Of the noise."] = 0


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
