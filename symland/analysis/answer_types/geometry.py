"""Options and answer: how a network divides its inputs."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated

import msgspec

from symland.records import Verdict
from symland.tables import Enclosed

__all__ = [
    "Band",
    "Component",
    "Confidence",
    "Geometry",
    "GeometryOptions",
    "GradientShare",
    "NearestShare",
    "Region",
    "Subsample",
    "Training",
]


class Region(msgspec.Struct, frozen=True, kw_only=True):
    """A cell: the sign of each hidden node, as "+", "-" or "0", a point inside, and the label there."""

    signs: str
    point: tuple[float, ...]
    label: int


class Component(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the region of one label, and the hidden nodes whose hyperplanes are proved to cut it."""

    label: int
    nodes: tuple[int, ...]


class Band(msgspec.Struct, frozen=True, kw_only=True):
    """The share of the box without confidence when a part of the network is multiplied by a factor; an estimate."""

    part: str
    factor: float
    share: float


class Confidence(msgspec.Struct, frozen=True, kw_only=True):
    """Areas (volumes) in the box.

    Attributes
    ----------
    level : Fraction
        a: no label has a probability above 1 - a in the band.
    box : Fraction
        The area of the box.
    labels, confident : by label
    band : Enclosed
    unit_width : tuple of float
        2 logit(1 - a) / k for each hidden node taken as one logistic unit; 0 for a node without input weights.
    scaled : tuple of Band
    """

    level: Fraction
    box: Fraction
    labels: dict[str, Enclosed]
    confident: dict[str, Enclosed]
    band: Enclosed
    unit_width: tuple[float, ...]
    scaled: tuple[Band, ...]


class GradientShare(msgspec.Struct, frozen=True, kw_only=True):
    """The least share of samples that carries this share of the gradient."""

    gradient: float
    samples: float


class NearestShare(msgspec.Struct, frozen=True, kw_only=True):
    """The share of the gradient that this share of the samples carries, those of smallest margin first."""

    samples: float
    gradient: float


class Subsample(msgspec.Struct, frozen=True, kw_only=True):
    """The cosine to the whole gradient when this share of samples is kept.

    Attributes
    ----------
    share : float
    cosine : float or None
        Samples of largest gradient; None where a gradient is 0.
    confidence_cosine : float or None
        Samples of smallest margin.
    random_cosine : float or None
        Mean over random subsets.
    random_error : float or None
        Its standard error.
    bias : float or None
        |sum of the chosen - whole| / |whole|, samples of largest gradient.
    """

    share: float
    cosine: float | None
    confidence_cosine: float | None
    random_cosine: float | None
    random_error: float | None
    bias: float | None


class Training(msgspec.Struct, frozen=True, kw_only=True):
    """Gradient descent with samples chosen by one rule; means over random starts with their standard errors.

    Attributes
    ----------
    rule : str
        "all", "random", "confidence" or "gradient".
    share : float
        Of the samples, at each step.
    cost : float
        Of a whole run, that of "all" being 1: forward and backward passes, with those that only rank samples.
    loss, loss_error : float
        After the same number of steps: the mean cross-entropy over all samples.
    loss_at_equal_cost : float
        When each rule has spent what the cheapest one spends.
    accuracy, accuracy_error : float
        On the samples themselves.
    departure : float
        Mean over steps of |mean of the chosen - mean of all| / |mean of all|; noise for "random", bias for others.
    starts : int
    """

    rule: str
    share: float
    cost: float
    loss: float
    loss_error: float
    loss_at_equal_cost: float
    accuracy: float
    accuracy_error: float
    departure: float
    starts: int


class Geometry(msgspec.Struct, frozen=True, kw_only=True, rename={"number": "class"}):
    """The geometry of one network.

    Attributes
    ----------
    number : int or None
        Class, or None for a saved point.
    inputs : int
    cells : int
        Of the hyperplanes of the first hidden layer, in the whole space.
    zaslavsky : int
        What as many hyperplanes in general position have.
    hyperplanes : int
        Different ones.
    faces : tuple of int
        By dimension, for up to three inputs.
    vertices : points, rounded
    regions : tuple of Region
    box : pairs of Fractions
    components : by label
        The certified number where the bounds agree, else the lower bound.
    component_bounds : by label
        (lower, upper); upper is None where parts inside undecided leaves are not excluded.
    tube_width, tube_area : Fraction
        Of the leaves that are decided for no label, which hold the boundary: the largest side, and the sum of areas.
    parts : tuple of Component
    confidence : Confidence
    gradient_share : tuple of GradientShare
    nearest : tuple of NearestShare
    blocks : by block
        Mean norm of the gradients of single samples.
    slopes : (least, mean, largest)
        Over samples: the product over hidden layers of the largest |sigma'|.
    subsample : tuple of Subsample
    training : tuple of Training
        Empty where no share was asked for.
    verdict : Verdict
        CERTIFIED where the components of every label are counted.
    """

    number: int | None
    inputs: int
    cells: int
    zaslavsky: int
    hyperplanes: int
    faces: tuple[int, ...]
    vertices: tuple[tuple[float, ...], ...]
    regions: tuple[Region, ...]
    box: tuple[tuple[Fraction, Fraction], ...]
    components: dict[str, int]
    component_bounds: dict[str, tuple[int, int | None]]
    tube_width: Fraction
    tube_area: Fraction
    parts: tuple[Component, ...]
    confidence: Confidence
    gradient_share: tuple[GradientShare, ...]
    nearest: tuple[NearestShare, ...]
    blocks: dict[str, float]
    slopes: tuple[float, float, float]
    subsample: tuple[Subsample, ...]
    training: tuple[Training, ...] = ()
    verdict: Verdict


@dataclass(frozen=True, kw_only=True)
class GeometryOptions:
    """Which class, and where."""

    number: Annotated[int | None, "Class to look at; the lowest minimum by default."] = None
    box: Annotated[str | None, 'Box of inputs, "low,high" for all axes or "low,high;low,high"; around the data.'] = None
    level: Annotated[str, "a: a probability above 1 - a is confident."] = "0.1"
    seed: Annotated[int, "Of random subsets."] = 0
    train: Annotated[str | None, "Train anew on this share of the samples by each rule of choice; slower."] = None
