"""Options and answer: how well classes classify."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import msgspec

__all__ = ["ClassScore", "Classify", "ClassifyOptions", "Score"]


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
