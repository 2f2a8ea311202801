"""The answer to `symland condense`: multiplicity, energy, critical orientations and what training shows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isfinite
from typing import TYPE_CHECKING, Any

import msgspec

from symland.errors import SpecError
from symland.records import Verdict
from symland.tables import Column, Enclosed, Table

if TYPE_CHECKING:
    from symland.analysis.condensation.critical import Critical
    from symland.analysis.condensation.energy import Energy
    from symland.analysis.condensation.training import Run, Training
    from symland.records import FloatArray
    from symland.spec import LandscapeSpec

__all__ = [
    "Condensation",
    "Given",
    "Orientation",
    "Trained",
    "condense",
    "condensed",
    "energy_of",
    "predicted_lines",
    "sentence",
    "tables",
    "with_training",
]

DIGITS = 20
"""Digits of an enclosure."""


class Orientation(msgspec.Struct, frozen=True, kw_only=True):
    """A critical orientation, which stands for its opposite too; F_k(-w) = (-1)^k F_k(w).

    Attributes
    ----------
    w : tuple of float
        The unit vector of input weights, the bias last; its first component that is not 0 is positive.
    value : float
        F_k(w); |F_k(w)| for several independent outputs.
    enclosure : (str, str)
        Decimals between which the value is proved to lie.
    index : int or None
        Of the Riemannian Hessian of F_k at w, on the sphere; None where it is degenerate or not decided.
    nullity : int or None
        0 where the index is proved.
    attractor : bool
        Whether it is proved that nodes with some sign of the output weight turn to it.
    attracts : tuple of str
        The signs "+" and "-" of sigma^(k)(0) times the output weight for which nodes turn to w or to -w: "+" to a
        maximum with F > 0 and "-" to a minimum with F < 0. For odd k both, as one line holds both.
    exact : str or None
        The unit vector in radicals, where one was proved.
    """

    w: tuple[float, ...]
    value: float
    enclosure: tuple[str, str]
    index: int | None
    nullity: int | None
    attractor: bool
    attracts: tuple[str, ...] = ()
    exact: str | None = None


class Trained(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the hidden nodes of one network.

    Attributes
    ----------
    seed : int
    lines : int
        Lines that hold nine tenths of the nodes of the layer at the end, w and -w being one.
    aligned_share : float
        Share of the nodes of the layer that was asked for within cos 0.99 of a predicted line; behind the first layer
        the prediction is that of this network's own earlier layers at the end.
    condensed : bool
        Whether nine tenths of the nodes lie within cos 0.99 of predicted lines, or of no more lines of their own than
        are predicted, three nodes to a line or more.
    stopped : str
        Which rule ended the run.
    loss_ratio : float
        The loss at the end over that at the beginning.
    steps : int
    lines_by_layer : tuple of int
        Lines that hold nine tenths of the nodes of each hidden layer.
    effective_width : tuple of (int, float, int)
        Step, loss ratio of this network, and how many lines hold nine tenths of the layer's nodes.
    """

    seed: int
    lines: int
    aligned_share: float
    condensed: bool
    stopped: str
    loss_ratio: float
    steps: int
    lines_by_layer: tuple[int, ...] = ()
    effective_width: tuple[tuple[int, float, int], ...] = ()


class Condensation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of the orientations on which one hidden layer condenses.

    Attributes
    ----------
    activation : str
    layer : int
    multiplicity : int
        p.
    derivative, at_zero : str
        sigma^(p)(0) and sigma(0).
    effective_multiplicity : int
        The smallest k with sigma^(k)(0) != 0 and F_k != 0.
    reason : str
        Why it differs from p.
    energy : str
        F_k as text.
    critical : tuple of Orientation
    families : tuple of str
        Degenerate families of critical orientations.
    lines : int
        Isolated lines that attract.
    complete : Verdict
        Whether `critical` and `families` are proved to be all.
    how : str
        How they were found.
    bound : int
        2 p, the bound of arXiv:2105.11686 on the orientations, two for each line.
    remarks : tuple of str
    given : str
        What the weights before the layer are, on which everything said here stands; empty for the first layer.
    residual : bool
        Whether hidden layers behind the first are added to what they see.
    trained : tuple of Trained
    """

    activation: str
    layer: int
    multiplicity: int
    derivative: str
    at_zero: str
    effective_multiplicity: int
    reason: str
    energy: str
    critical: tuple[Orientation, ...]
    families: tuple[str, ...]
    lines: int
    complete: Verdict
    how: str
    bound: int
    remarks: tuple[str, ...] = ()
    given: str = ""
    residual: bool = False
    method: str = ""
    trained: tuple[Trained, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Given:
    """The weights that a layer behind the first is looked at with.

    Attributes
    ----------
    theta : (P,) float64
    name : str
        What they are, in words.
    """

    theta: FloatArray
    name: str


def energy_of(
    spec: LandscapeSpec, *, layer: int = 1, given: Given | None = None, residual: bool = False
) -> tuple[Any, Energy, str]:
    """The multiplicity, the energy of a node of a hidden layer, and why its order is not p.

    Raises
    ------
    SpecError
        If the layer is not there, or a later layer is asked for without the weights before it.
    """
    from symland.analysis.condensation.energy import leading_energy
    from symland.analysis.condensation.layers import check_residual, layer_energy
    from symland.analysis.condensation.multiplicity import find_multiplicity

    if not 1 <= layer <= len(spec.hidden):
        raise SpecError.at("--layer", f"{layer} of {len(spec.hidden)} hidden layers", "count them from 1")
    if residual:
        check_residual(spec)
    multiplicity = find_multiplicity(spec.activation)
    if layer == 1:
        return multiplicity, *leading_energy(spec, multiplicity)
    if given is None:
        what = f"the orientations of layer {layer} depend on the weights of the layers before it"
        raise SpecError.at("--layer", what, "give those weights")
    if given.theta.shape != (spec.n_parameters,):
        what = f"{given.theta.size} parameters for a network of {spec.n_parameters}"
        raise SpecError.at("--at", what, "give a point of this network")
    if not all(map(isfinite, given.theta)):
        raise SpecError.at("--at", "a parameter is not finite", "give finite weights")
    return multiplicity, *layer_energy(spec, multiplicity, given.theta, layer, residual=residual)


def condense(
    spec: LandscapeSpec,
    *,
    layer: int = 1,
    given: Given | None = None,
    residual: bool = False,
    seed: int = 0,
    most_boxes: int | None = None,
) -> Condensation:
    """The orientations on which the nodes of a hidden layer condense, predicted from what the layer sees.

    Parameters
    ----------
    layer : int
        Counted from 1.
    given : Given or None
        The network whose earlier layers are held, for a layer behind the first.
    residual : bool
        Whether hidden layers behind the first are added to what they see.
    seed, most_boxes
        See `critical_lines`.

    Raises
    ------
    SpecError
        If the layer is not there, its weights are missing, or no order of the activation meets the data.
    """
    from symland.analysis.condensation.critical import critical_lines

    multiplicity, energy, reason = energy_of(spec, layer=layer, given=given, residual=residual)
    found = critical_lines(energy, seed=seed, most_boxes=most_boxes)
    orientations, unsigned = _orientations(energy, found, closed=layer == 1)
    critical = tuple(sorted(orientations, key=lambda o: (not o.attractor, -abs(o.value), tuple(-v for v in o.w))))
    remarks = _remarks(spec, multiplicity, energy, found, layer, residual)
    if unsigned:
        many = "1 line" if unsigned == 1 else f"{unsigned} lines"
        remarks = (*remarks, f"whether {many} attract{'s' if unsigned == 1 else ''} is open, and with it the count")
    return Condensation(
        activation=spec.activation,
        layer=layer,
        multiplicity=multiplicity.order,
        derivative=str(multiplicity.derivative),
        at_zero=str(multiplicity.at_zero),
        effective_multiplicity=energy.order,
        reason=reason,
        energy=energy.text(near=layer > 1),
        critical=critical,
        families=found.families,
        lines=sum(o.attractor for o in critical),
        complete=Verdict.UNDECIDED if unsigned else found.complete,
        how=found.how,
        bound=2 * multiplicity.order,
        remarks=remarks,
        given="" if layer == 1 or given is None else given.name,
        residual=residual,
    )


def predicted_lines(answer: Condensation) -> FloatArray:
    """The unit vectors of the lines that attract, (q, n)."""
    import numpy as np

    size = len(answer.critical[0].w) if answer.critical else 0
    return np.array([o.w for o in answer.critical if o.attractor]).reshape(-1, size)


def with_training(
    answer: Condensation, spec: LandscapeSpec, *, seeds: int, training: Training
) -> tuple[Condensation, Run]:
    """The answer with what training of real networks shows, and the networks.

    Behind the first layer each trained network is held against the prediction from its own earlier layers as they are
    at the end; the answer becomes that of seed 0.
    """
    import numpy as np

    from symland.analysis.condensation.measure import CONDENSED, aligned, cluster_lines, incoming, lines_needed
    from symland.analysis.condensation.training import Method, train

    layer, lines = answer.layer, predicted_lines(answer)
    if training.residual != answer.residual:
        raise ValueError("the networks that are trained are not those of the answer")
    if layer > 1 and training.method is not Method.NORMALISED:
        # The first layer is looked at by the rule of alignment, and no line of it is known here.
        training = replace(training, alignment=None)
    seen = lines if layer == 1 else np.zeros((0, 1))
    run = train(spec, seen, answer.effective_multiplicity, seeds=seeds, training=training)
    trained = []
    for seed, theta in enumerate(run.theta):
        widths = tuple(
            lines_needed(cluster_lines(incoming(spec.layout, theta, number)))
            for number in range(1, len(spec.hidden) + 1)
        )
        own = answer
        if layer > 1:
            given = Given(theta=theta, name=f"seed {seed} after training by {training.method.value}")
            own = condense(spec, layer=layer, given=given, residual=answer.residual)
            lines = predicted_lines(own)
            answer = own if seed == 0 else answer
        w = incoming(spec.layout, theta, layer)
        share = float(aligned(w, lines).mean())
        width = widths[layer - 1]
        few = width <= max(1, own.lines) and 3 * width <= len(w)
        trained.append(
            Trained(
                seed=seed,
                lines=width,
                aligned_share=share,
                condensed=share >= CONDENSED or few,
                stopped=run.stopped[seed],
                loss_ratio=float(run.ratio[seed]),
                steps=run.steps[seed],
                lines_by_layer=widths,
                effective_width=tuple(
                    (
                        s.step,
                        float(s.ratio[seed]),
                        lines_needed(cluster_lines(incoming(spec.layout, s.theta[seed], layer))),
                    )
                    for s in run.snapshots
                ),
            )
        )
    return msgspec.structs.replace(answer, method=training.method.value, trained=tuple(trained)), run


def _remarks(
    spec: LandscapeSpec, multiplicity: Any, energy: Energy, found: Critical, layer: int, residual: bool
) -> tuple[str, ...]:
    remarks = []
    if multiplicity.at_zero != 0:
        remarks.append(f"sigma(0) = {multiplicity.at_zero} is not 0: output weights move before input weights turn")
    if layer > 1:
        remarks.append(
            f"predicted for a node of layer {layer} taken alone, with the layers before it held and its inputs to 50 "
            "digits; these layers turn too, and only training shows where all end together"
        )
    if layer < len(spec.hidden) and not residual:
        remarks.append(
            f"the layers behind layer {layer} set the sign and the size of a node's pull, and for p = 1 nothing else; "
            "for p >= 2 they couple the nodes of the layer, and the orientations are those of nodes taken alone"
        )
    if energy.order > 2 * multiplicity.order:
        remarks.append(
            f"nodes act on each other, and each on itself, through the outputs at order {2 * multiplicity.order + 2} "
            f"in the weights, not above the order {energy.order + 1} of this energy: nodes are not decoupled. "
            "Orientations are of the energy without that term, as they are while output weights are much smaller than "
            "input weights (--method following); nodes may leave them as output weights grow"
        )
    if not energy.single:
        remarks.append(
            f"{len(energy.moments)} outputs pull in different directions: the output weights turn to F(w), and "
            "orientations are critical points of |F(w)|"
        )
    for text in found.attracting:
        remarks.append(f"{text} attracts as a whole: nodes condense on it, not on single lines")
    return tuple(remarks)


def _orientations(energy: Energy, found: Critical, *, closed: bool) -> tuple[list[Orientation], int]:
    """The lines as records, and of how many it is not decided whether they attract."""
    from symland.analysis.condensation.balls import BITS, attracts
    from symland.analysis.condensation.closed import closed_form
    from symland.program.balls import working_precision

    out, unsigned = [], 0
    with working_precision(BITS):
        for line in found.lines:
            exact = closed_form(energy, line) if closed else None
            unit = line.unit
            # The representative of the line may be the opposite of the balls' vector, where an odd form changes sign.
            ratio = next(u for u, v in zip(unit, line.vector, strict=True) if not v.contains(0)) * next(
                v for v in line.vector if not v.contains(0)
            )
            flip = energy.single and energy.order % 2 == 1 and ratio < 0
            value = -line.value if flip else line.value
            index = line.index
            if flip and index is not None:
                index = energy.size - 1 - index
            verdict = attracts(line.value, line.maximum, line.minimum and energy.single)
            attractor = verdict is Verdict.CERTIFIED
            vanishes = exact is not None and exact[1]
            # A degenerate line has nullity 1; where neither is known, the line may be an extremum.
            bent = line.index is None and line.nullity is None and not attractor
            unsigned += (verdict is Verdict.UNDECIDED or bent) and not vanishes
            signs: tuple[str, ...] = ()
            if attractor:
                signs = ("+", "-") if energy.order % 2 or not energy.single else ("+",) if value > 0 else ("-",)
            low, high = _decimals(value) if exact is None or not exact[1] else ("0", "0")
            out.append(
                Orientation(
                    w=tuple(float(u.mid()) if not u.contains(0) else 0.0 for u in unit),
                    value=0.0 if exact is not None and exact[1] else float(value.mid()),
                    enclosure=(low, high),
                    index=index,
                    nullity=line.nullity,
                    attractor=attractor,
                    attracts=signs,
                    exact=None if exact is None else exact[0],
                )
            )
    return out, unsigned


def _decimals(value: Any) -> tuple[str, str]:
    from symland.rigor.decimals import outward_texts

    return outward_texts(value, DIGITS)


def condensed(answer: Condensation) -> Verdict:
    """Whether all trained networks condensed, as far as it was looked at."""
    return Verdict.CERTIFIED if all(run.condensed for run in answer.trained) else Verdict.REFUTED


def sentence(answer: Condensation) -> str:
    """The answer in plain sentences."""
    p, k = answer.multiplicity, answer.effective_multiplicity
    parts = [f"Layer {answer.layer} with the layers before it at {answer.given}: "] if answer.given else []
    parts.append(f"{'m' if parts else 'M'}ultiplicity p = {p}")
    if k != p:
        parts.append(f", effective multiplicity {k} because {answer.reason}")
    many = "1 line" if answer.lines == 1 else f"{answer.lines} lines"
    parts.append(f": {many} attract{'s' if answer.lines == 1 else ''}, {2 * answer.lines} orientations")
    if answer.complete is not Verdict.CERTIFIED:
        parts.append(" at least, as the list is not proved complete")
    if 2 * answer.lines > answer.bound:
        parts.append(f", MORE than the paper's bound of 2p = {answer.bound}")
    else:
        parts.append(f", within the paper's bound of 2p = {answer.bound}")
    parts.append(".")
    for remark in answer.remarks:
        parts.append(f" {remark[:1].upper()}{remark[1:]}.")
    if answer.trained:
        condensed = sum(run.condensed for run in answer.trained)
        aligned = sum(run.aligned_share == 1 for run in answer.trained)
        total = len(answer.trained)
        word = "Condensed" if condensed == total else "Not condensed" if not condensed else "Condensed in part"
        parts.append(
            f" {word}: training by {answer.method} condensed {condensed} of {total} seeds; in {aligned} every node is "
            "within cos 0.99 of a predicted line."
        )
    return "".join(parts)


def tables(answer: Condensation) -> tuple[Table, ...]:
    """The critical orientations, and the runs."""
    columns = (Column(name="w"), Column(name="F"), Column(name="index"), Column(name="attracts"), Column(name="exact"))
    rows = tuple(
        (
            "(" + ", ".join(f"{v:.6g}" for v in o.w) + ")",
            Enclosed(lower=o.enclosure[0], upper=o.enclosure[1]),
            o.index,
            " ".join(o.attracts) or "no",
            o.exact or "-",
        )
        for o in answer.critical
    )
    title = f"Critical orientations of F_{answer.effective_multiplicity} = {answer.energy} ({answer.complete.value})"
    found = [Table(name="condensation", title=title, columns=columns, rows=rows)]
    if answer.trained:
        heads = ("seed", "lines", "aligned share", "condensed", "loss ratio", "steps", "stopped by")
        runs = tuple(
            (r.seed, r.lines, r.aligned_share, r.condensed, r.loss_ratio, r.steps, r.stopped) for r in answer.trained
        )
        found.append(
            Table(
                name="condensation-training",
                title=f"Training by {answer.method}",
                columns=tuple(Column(name=h, digits=4) for h in heads),
                rows=runs,
            )
        )
    return tuple(found)
