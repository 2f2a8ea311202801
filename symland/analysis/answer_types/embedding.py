"""Options and answer: an extension by zero nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from symland.records import FloatArray, Verdict

__all__ = ["EmbeddedPoint", "Embedding", "EmbeddingOptions", "Escape", "Successor"]


class Escape(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The end of a descent.

    Attributes
    ----------
    direction : (P_wide,) unit vector
        (v, u) = (singular vector, -sign * singular vector) of sigma'(0) C at the first new node, and -sigma(0) v in the
        next layer's biases.
    curvature : float
        Of the loss along it: 2 lambda - tau where sigma(0) = 0, else 2 (2 lambda - tau) / (2 + sigma(0)^2).
    theta : (P_wide,)
        Where the descent ends.
    loss : float
    gradient_norm : float
    index : int
        Negative Hessian eigenvalues at the end: 0 for a minimum.
    wide_class : int or None
        Its class in the wide network's list.
    """

    direction: FloatArray
    curvature: float
    theta: FloatArray
    loss: float
    gradient_norm: float
    index: int
    wide_class: int | None


class Successor(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The point of the wide network that a search reaches from the shifted extension; in float64, not proved.

    The shifted extension of a point that does not extend has the loss of its data and the least penalty: of the next
    biases beta each of k new nodes takes sigma(0) v, v = sigma(0) beta / (1 + k sigma(0)^2).

    Attributes
    ----------
    theta : (P_wide,)
    loss, gradient_norm : float
    index : int
    distance : float
        |theta - shifted extension|_2.
    """

    theta: FloatArray
    loss: float
    gradient_norm: float
    index: int
    distance: float


class EmbeddedPoint(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One stationary point in the wide network.

    Attributes
    ----------
    number : int
        Its place in the list that was given.
    loss : float
    index_before, index_after : int
        Negative Hessian eigenvalues, counted by LDL^T over balls.
    predicted_index : int or None
        index_before plus the predicted rise of all new nodes; None where T5 predicts nothing.
    singular_values, threshold :
        What T5 says of each new node: each singular value above the threshold raises the index.
    predicted_eigenvalues, new_eigenvalues : ascending float64
        Of the new block of the wide Hessian, by T5 for one node, and computed; in the variables in which sigma(0) v is
        taken off the next layer's biases (T5-flat-bias).
    eigenvalue_error : float or None
        Largest difference of the two; None where T5 predicts nothing: sigma(0) != 0 and next biases that are not free.
    gradient_bound : float
        Largest upper bound of |gradient component| over the box.
    exact_zeros : int
        New components of the gradient that are exactly zero, radius included.
    stationary : Verdict
        CERTIFIED where the extension is proved, the box holds a zero of every component, and the new ones are exact
        (they are for sigma(0) = 0); REFUTED where some component is proved not to vanish.
    index_holds : Verdict
        Whether the computed index is the predicted one.
    wide_class : int or None
        Its class in the wide network's own list, if one was given and holds it.
    escape : Escape or None
        Where the most negative new direction leads.
    slope : float or None
        Where sigma(0) != 0 and the penalty holds the next biases b: the component of the wide gradient along the new
        outgoing weights that is largest, -2 lambda sigma(0) b by T5-nonvanishing.
    predicted_slope : float or None
        That of T5-nonvanishing.
    successor : Successor or None
        Where it does not extend, the stationary point near its shifted extension.
    """

    number: int
    loss: float
    index_before: int
    index_after: int
    predicted_index: int | None
    singular_values: FloatArray
    threshold: float
    predicted_eigenvalues: FloatArray
    new_eigenvalues: FloatArray
    eigenvalue_error: float | None
    gradient_bound: float
    exact_zeros: int
    stationary: Verdict
    index_holds: Verdict
    wide_class: int | None = None
    escape: Escape | None = None
    slope: float | None = None
    predicted_slope: float | None = None
    successor: Successor | None = None

    @property
    def rise(self) -> int:
        """The predicted gain of index; 0 where none is predicted."""
        return 0 if self.predicted_index is None else self.predicted_index - self.index_before

    @property
    def verdict(self) -> Verdict:
        """Stationary, with the predicted index."""
        return Verdict.all(self.stationary, self.index_holds)


class Embedding(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The extension of a network by zero nodes: the proof for its architecture, and every point.

    Attributes
    ----------
    narrow, wide : str
        Digests of the two specifications.
    hidden, hidden_wide : hidden widths
    layer, nodes : int
        The hidden layer that is widened, counted from 1, and by how many nodes.
    verdict : Verdict
        CERTIFIED when every point is proved to be stationary with the predicted index; REFUTED where one is proved not
        to be stationary.
    proof : the record of the proof
        Of the extension, of the shifted extension, or of which points extend where sigma(0) is not zero.
    points : tuple of EmbeddedPoint
    """

    narrow: str
    wide: str
    hidden: tuple[int, ...]
    hidden_wide: tuple[int, ...]
    layer: int
    nodes: int
    verdict: Verdict
    proof: dict[str, Any]
    points: tuple[EmbeddedPoint, ...]

    @property
    def held(self) -> int:
        """Points that are certified to be stationary with the predicted index."""
        return sum(point.verdict is Verdict.CERTIFIED for point in self.points)

    @property
    def selective(self) -> bool:
        """Whether sigma(0) != 0 and the penalty on the next biases let only some points extend (T5-nonvanishing)."""
        return str(self.proof["identifier"]).startswith("nonvanishing")

    def of(self, stationary: Verdict) -> tuple[int, ...]:
        """Numbers of the classes whose extension is, is not, or may be stationary."""
        return tuple(point.number for point in self.points if point.stationary is stationary)


@dataclass(frozen=True, kw_only=True)
class EmbeddingOptions:
    """How the network is widened."""

    nodes: Annotated[int, "Nodes that are added."] = 1
    layer: Annotated[int, "The hidden layer that is widened, counted from 1."] = 1
