"""Options and answer: what the data do to classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import msgspec

from symland.tables import Enclosed

__all__ = ["ClassSensitivity", "Rows", "Sensitivity", "SensitivityOptions"]


Rows = tuple[tuple[float, ...], ...]


class ClassSensitivity(msgspec.Struct, frozen=True, kw_only=True, rename={"number": "class"}):
    """How one class depends on the data; arrays over inputs have one row for each of the D samples.

    Attributes
    ----------
    number : int
    index : int
    loss : float
    certified : bool
        Whether derivatives, radii and margins are proved.
    dE_dx : D x n_inputs
        Derivatives of the loss of the class by the inputs.
    dE_dx_proved : D x n_inputs enclosures, empty where the class is not certified
    dE_dweight : D
        By the weight of each sample in the mean, which is 1.
    dtheta_dx_norm : D x n_inputs
        Euclidean norms of the derivatives of the parameters.
    dtheta_dweight_norm : D
    d2E_dx2_norm : D x n_inputs
        Euclidean norms of the rows of the second derivatives.
    dtheta_dx, dtheta_dweight, d2E_dx2 : arrays
        The derivatives themselves where they were asked for: D n_inputs rows of P, D rows of P, D n_inputs rows of
        D n_inputs; empty otherwise.
    persistence_radius : float or None
        For all data sets whose inputs differ by no more from the given ones the class exists, is unique in its box and
        keeps its index. None where nothing is proved.
    persistence_loss : Enclosed or None
        Bounds of its loss over all of these data sets.
    persistence_lost : float or None
        A distance at which the class is lost: followed along a line in float64 it folds or changes its index there. The
        true radius is not larger; an estimate. None where none was found.
    persistence_lost_along : D x n_inputs
        That data set is x + persistence_lost times this; empty where none was found.
    labels_radius : float or None
        As persistence_radius, and every training label stays right; 0 where one is not right.
    margins : D
        z_label - the largest other output, positive where the label is right.
    predicted : D
        Labels that the network gives; the least of those that tie.
    probabilities : D
        Probability of each sample's own label.
    misclassified : list of int
        Samples whose margin is not positive; a tie is not right.
    robust_radius_max, robust_radius_euclidean : D
        Radius of the largest ball around each sample in which the predicted label cannot change; None where it changes
        nowhere, 0 at a tie.
    robust_upper_max, robust_upper_euclidean : D
        Distances at which a label is proved to change.
    certificates : tuple of str
        Of the persistence radius and of the labels radius, as texts of files for `symland check`.
    """

    number: int
    index: int
    loss: float
    certified: bool
    dE_dx: Rows
    dE_dx_proved: tuple[tuple[Enclosed, ...], ...]
    dE_dweight: tuple[float, ...]
    dtheta_dx_norm: Rows
    dtheta_dweight_norm: tuple[float, ...]
    d2E_dx2_norm: Rows
    dtheta_dx: Rows
    dtheta_dweight: Rows
    d2E_dx2: Rows
    persistence_radius: float | None
    persistence_loss: Enclosed | None
    persistence_lost: float | None
    persistence_lost_along: Rows
    labels_radius: float | None
    margins: tuple[float, ...]
    predicted: tuple[int, ...]
    probabilities: tuple[float, ...]
    misclassified: tuple[int, ...]
    robust_radius_max: tuple[float | None, ...]
    robust_radius_euclidean: tuple[float | None, ...]
    robust_upper_max: tuple[float | None, ...]
    robust_upper_euclidean: tuple[float | None, ...]
    certificates: tuple[str, ...]


class Sensitivity(msgspec.Struct, frozen=True, kw_only=True):
    """All classes that were asked about.

    Attributes
    ----------
    tolerance : float
        Largest difference of a robust radius from its upper bound, relative.
    most_robust : int or None
        Class of the largest persistence radius.
    classes : tuple of ClassSensitivity
    """

    tolerance: float
    most_robust: int | None
    classes: tuple[ClassSensitivity, ...]


@dataclass(frozen=True, kw_only=True)
class SensitivityOptions:
    """Of which classes, and how much."""

    minima: Annotated[bool, "Only minima."] = False
    inputs: Annotated[
        str, 'Inputs that may move in persistence, as sample.input: "0.1,2.0"; all of them by default.'
    ] = ""
    tolerance: Annotated[float, "Of robust radii, relative: between 1e-9 and 0.5."] = 1e-3
    full: Annotated[bool, "Give whole derivatives of the parameters, not only their norms."] = False
