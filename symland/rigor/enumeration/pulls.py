r"""Boxes of residuals P: what the logits alone say, and what a choice of nodes says.

All texts take intervals over lanes, one lane a residual box (or a residual box with one choice of nodes).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from types import SimpleNamespace

import numpy as np

from symland.errors import SpecError
from symland.rigor.enumeration.lanes import (
    Interval,
    Lane,
    choose,
    exponential,
    exponential_range,
    larger,
    magnitude,
    smaller,
    total,
)
from symland.rigor.enumeration.node import approximate_inverse, balance, flag, intervals, residual_matrix
from symland.rigor.enumeration.problem import (
    MARGIN_PEAK,
    MARGIN_PLACE,
    TWIST_PEAK,
    Doubles,
    ReducedProblem,
    constant,
    fundamental_orders,
    outward,
)
from symland.rigor.enumeration.slots import ONE, LaneProgram, Slots

GUESS_SLACK = 1e-10
"""Relative (absolute below 1) error granted to the platform's logarithm; the proof decides."""
TINIEST = 1e-30
"""A residual from below where a box was contracted past 0; solutions are larger."""
LARGEST_LOGIT = 30
"""Bound on |Delta_d| up to which 1 - q_d keeps its digits in a double."""


def largest_logit(problem: ReducedProblem) -> float:
    """Bound of |Delta_d| (bounds theorem).

    Raises
    ------
    SpecError
        If it is beyond what doubles can search.
    """
    logit = float(np.sqrt((problem.nodes + 1) * _largest_energy(problem))) * (1 + 1e-12)
    if logit > LARGEST_LOGIT:
        raise SpecError.at(
            "loss.penalty",
            f"{problem.penalty} allows logits of {logit:.0f}",
            f"complete enumeration in doubles takes logits up to {LARGEST_LOGIT}",
        )
    return logit


def _largest_energy(problem: ReducedProblem) -> float:
    """Bound of sum_j v_j^2 + gamma^2."""
    return float(Fraction(MARGIN_PEAK) / problem.penalty) * (1 + 1e-12)


def first_box(problem: ReducedProblem) -> tuple[Doubles, Doubles]:
    """Boxes (2, D) of P and (2, m + 1) of (U, v) which hold every solution with v >= 0 (bounds theorem)."""
    energy, logit = _largest_energy(problem), largest_logit(problem)
    least = float(1.0 / (1.0 + exponential(logit * (1 + 1e-9)))) * (1 - 1e-9)
    scale = float(problem.scale)
    pull = np.empty((2, problem.samples))
    for d, sign in enumerate(problem.labels):
        near = float(1 / (problem.highest * problem.samples)) * least * (1 - 1e-12)
        far = scale * (1 - least) * (1 + 1e-12)
        pull[:, d] = (near, far) if sign > 0 else (-far, -near)
    output = np.sqrt(energy) * (1 + 1e-12)
    weight = np.sqrt(0.5 * output / float(problem.penalty) * TWIST_PEAK) * (1 + 1e-12)
    state = np.empty((2, problem.inputs + 1))
    state[0, :-1], state[1, :-1] = -weight, weight
    state[:, -1] = 0.0, output
    return pull, state


def margin_guess(problem: ReducedProblem, pull: Doubles) -> Doubles:
    """Floating-point ln((1 - q)/q) at residuals (D, n): a guess that the lane programs prove or discard.

    It is that at the middle of a slab.
    """
    return _guess(problem, pull, problem.middle)


def margin_guesses(problem: ReducedProblem, pull: Doubles) -> Doubles:
    """The same, for a slab (2 D, n): at its upper end, where the margins are least, then at its lower end."""
    if problem.upper is None:
        return margin_guess(problem, pull)
    return np.concatenate([_guess(problem, pull, penalty) for penalty in (problem.upper, problem.penalty)])


def _guess(problem: ReducedProblem, pull: Doubles, penalty: Fraction) -> Doubles:
    sign = np.array(problem.labels, dtype=np.float64)[:, None]
    q = np.clip(sign * pull * float(penalty * problem.samples), 1e-16, 1 - 2.0**-52)
    guess: Doubles = np.log((1.0 - q) / q)
    return guess


SLAB = Slots(rate_low=ONE, rate_high=ONE, scale_low=ONE, scale_high=ONE, middle_low=ONE, middle_high=ONE, reach=ONE)
"""What the programs of a slab take besides: the ends of lambda D and of kappa, lambda D at the middle, and a bound of
|ln(lambda / middle)|."""


def slab_rows(problem: ReducedProblem) -> tuple[float, ...]:
    """The rows of `SLAB`, rounded outward; none for one penalty."""
    if problem.upper is None:
        return ()
    samples = problem.samples
    middle = outward(problem.middle * samples)
    # ln(1 + x) <= x, and the lower half is the longer one in the logarithm.
    reach = outward(problem.middle / problem.penalty - 1)[1]
    return (
        outward(problem.penalty * samples)[0],
        outward(problem.upper * samples)[1],
        outward(1 / (problem.upper * samples))[0],
        outward(problem.scale)[1],
        *middle,
        reach,
    )


@dataclass(frozen=True)
class Penalties:
    """lambda D and kappa as intervals, lambda D at the middle, and the range of ln(lambda / middle)."""

    rate: Interval
    scale: Interval
    middle: Interval
    reach: Interval | None

    @staticmethod
    def of(problem: ReducedProblem, given: SimpleNamespace) -> Penalties:
        """Constants for one penalty; for a slab what the lanes give."""
        if problem.upper is None:
            rate = constant(problem.penalty * problem.samples)
            return Penalties(rate, constant(problem.scale), rate, None)
        slab = SLAB.read(given.slab)
        return Penalties(
            Interval(slab.rate_low, slab.rate_high),
            Interval(slab.scale_low, slab.scale_high),
            Interval(slab.middle_low, slab.middle_high),
            Interval(-slab.reach, slab.reach),
        )


def _extra(problem: ReducedProblem) -> dict[str, int]:
    return {} if problem.upper is None else {"slab": SLAB.size}


def _ends(x: Interval) -> tuple[Lane, Lane]:
    return x.lo, x.hi


def _share(sign: int, pull: Interval, rate: Interval) -> Interval:
    """q = s P lambda D, kept inside (0, 1); solutions have |logit| <= LARGEST_LOGIT, so the clipping loses none."""
    q = pull.scaled(sign) * rate
    return Interval(*(smaller(larger(x, 1e-15), 1.0 - 1e-15) for x in (q.lo, q.hi)))


def _margin(q: Interval, guess: Lane, other: Lane = None) -> Interval:
    """Enclosure of t = ln((1 - q)/q) for every q of a thin interval, or of a wide one with guesses at q.hi and q.lo.

    t falls with q, so e^b q.lo >= 1 - q.lo proves that b is an upper bound, and e^a q.hi <= 1 - q.hi that a is a lower
    one.  A bound that is not proved is replaced by -100 or 100, beyond every logit here.
    """
    slack = larger(magnitude(guess), 1.0) * GUESS_SLACK
    low = guess - slack
    high = guess + slack if other is None else other + larger(magnitude(other), 1.0) * GUESS_SLACK
    least, most, one = Interval.point(q.lo), Interval.point(q.hi), Interval.point(1.0)
    proved_low = (exponential_range(low) * most).hi <= (one - most).lo
    proved_high = (exponential_range(high) * least).lo >= (one - least).hi
    return Interval(choose(proved_low, low, -100.0), choose(proved_high, high, 100.0))


def energy_program(problem: ReducedProblem) -> LaneProgram:
    """A residual box to the box that symmetry, gamma = sum P and the energy identity leave.

    sum_j v_j^2 + gamma^2 = kappa sum_d q_d t_d, and q t rises up to q = MARGIN_PLACE and falls after it, so its upper
    bound over a box is at an end or MARGIN_PEAK, its lower bound at an end.
    ``guess_low`` and ``guess_high`` are margin guesses at the ends of P; ``most`` and ``least`` bound sum_j v_j^2;
    ``logit_low`` and ``logit_high`` bound Delta; ``empty`` is 1 if nothing is left.
    """
    samples, wide = problem.samples, problem.upper is not None
    box = {"pull_low": samples, "pull_high": samples, "bias_low": ONE, "bias_high": ONE}
    outputs = Slots(**box, most=ONE, least=ONE, logit_low=samples, logit_high=samples, empty=ONE)

    def program(given: SimpleNamespace) -> list[Lane]:
        pull = intervals(given.pull_low, given.pull_high)
        bias = Interval(given.bias_low, given.bias_high)
        penalties = Penalties.of(problem, given)
        rate, scale = penalties.rate, penalties.scale
        guess = given.guess_low, given.guess_high
        peak = scale.hi * MARGIN_PEAK * (1 + 2.0**-50) if wide else MARGIN_PEAK
        terms, logits = [], []
        for d, sign in enumerate(problem.labels):
            ends = [_share(sign, Interval.point(x), rate) for x in (pull[d].lo, pull[d].hi)]
            margins = [_margin(q, at[d], at[samples + d] if wide else None) for q, at in zip(ends, guess, strict=True)]
            # Over a slab kappa q is the residual itself, in which lambda does not stand.
            parts = [Interval.point(x).scaled(sign) for x in (pull[d].lo, pull[d].hi)] if wide else ends
            work = [q * t for q, t in zip(parts, margins, strict=True)]
            # t is monotone in q, so its range lies between its enclosures at the ends.
            margin = Interval(smaller(margins[0].lo, margins[1].lo), larger(margins[0].hi, margins[1].hi))
            logits.append(margin.scaled(sign))
            least, most = smaller(ends[0].lo, ends[1].lo), larger(ends[0].hi, ends[1].hi)
            inside = (least <= MARGIN_PLACE[1]) & (most >= MARGIN_PLACE[0])
            top = choose(inside, peak, larger(work[0].hi, work[1].hi))
            terms.append(Interval(smaller(work[0].lo, work[1].lo), top))
        energy = total(terms) if wide else total(terms) * scale
        empty = [bias.square().lo > energy.hi]
        size = [p.scaled(sign) for p, sign in zip(pull, problem.labels, strict=True)]
        for big, small in fundamental_orders(problem.group):
            size[small] = Interval(size[small].lo, smaller(size[small].hi, size[big].hi))
            size[big] = Interval(larger(size[big].lo, size[small].lo), size[big].hi)
        pull = [p.scaled(sign) for p, sign in zip(size, problem.labels, strict=True)]
        pull, bias = balance(pull, bias)
        empty += [p.is_empty() for p in [*pull, bias]]
        left = energy - bias.square()
        return outputs.write(
            pull_low=[p.lo for p in pull],
            pull_high=[p.hi for p in pull],
            bias_low=bias.lo,
            bias_high=bias.hi,
            most=larger(left.hi, 0.0),
            least=larger(left.lo, 0.0),
            logit_low=[t.lo for t in logits],
            logit_high=[t.hi for t in logits],
            empty=flag(empty),
        )

    guesses = (2 if wide else 1) * samples
    inputs = Slots(**box, guess_low=guesses, guess_high=guesses, **_extra(problem))
    return LaneProgram(inputs=inputs, outputs=outputs, text=program)


def combination_node(samples: int) -> Slots:
    """What `combination_program` takes of each node: the ends of e, and S."""
    return Slots(constant_low=samples, constant_high=samples, slopes=samples * samples)


def combination_program(problem: ReducedProblem) -> LaneProgram:
    r"""N affine node shares and a residual box to the residuals which the logits allow.

    sum_j (e_j + S_j dP)_d + sum_e (Pc + dP)_e - Delta_d(Pc) - D_d dP_d = 0 with D_d in the steepness range.  With
    K = sum_j S_j + 1 1^T - diag(mid D) this is 0 = c + K dP, c collecting the constants and the rest of D_d dP_d; so
    row by row 0 lies in c_d + K_d dP, and dP in -B c + (I - B K) dP for any real B (near K^-1).

    ``nodes`` are tables of `combination_node`, one after the other; ``guess`` are margin guesses at the middle Pc;
    ``influence`` is |K| rad summed over rows; ``empty`` is 1 if there is no solution.

    Over a slab, with l = ln(lambda / middle), dt/dl = -1/(1 - q) at a fixed P: the logits move by one number l, whose
    coefficients are summed before l is inserted; and lambda D / (q (1 - q)) = 1 / (s P (1 - q)).
    """
    samples, nodes, node = problem.samples, problem.nodes, combination_node(problem.samples)
    every, wide = range(samples), problem.upper is not None
    outputs = Slots(pull_low=samples, pull_high=samples, influence=samples, empty=ONE)

    def program(given: SimpleNamespace) -> list[Lane]:
        pull = intervals(given.pull_low, given.pull_high)
        parts = [node.read(given.nodes[j * node.size : (j + 1) * node.size]) for j in range(nodes)]
        middle = [p.middle() for p in pull]
        ones = total([Interval.point(c) for c in middle])
        penalties, one = Penalties.of(problem, given), Interval.point(1.0)
        rate = penalties.rate
        offset, steep, drift = [], [], list[Interval]()
        for d, sign in enumerate(problem.labels):
            at = _margin(_share(sign, Interval.point(middle[d]), penalties.middle), given.guess[d])
            offset.append(ones - at.scaled(sign))
            q = _share(sign, pull[d], rate)
            straddles = (q.lo < 0.5) & (q.hi > 0.5)
            if wide:
                drift.append(one.over_positive(one - _share(sign, Interval.point(middle[d]), rate)).scaled(sign))
                places = [Interval.point(larger(x, TINIEST)) for x in _ends(pull[d].scaled(sign))]
                ends = [p * (one - _share(1, p, rate)) for p in places]
                top = choose(straddles, penalties.scale.hi * 0.25, larger(ends[0].hi, ends[1].hi))
                steep.append(-one.over_positive(Interval(smaller(ends[0].lo, ends[1].lo), top)))
                continue
            ends = [Interval.point(x) * (one - Interval.point(x)) for x in (q.lo, q.hi)]
            top = choose(straddles, 0.25, larger(ends[0].hi, ends[1].hi))
            steep.append(-rate.over_positive(Interval(smaller(ends[0].lo, ends[1].lo), top)))
        shift = [p - Interval.point(c) for p, c in zip(pull, middle, strict=True)]
        matrix: list[list[Interval]] = []
        constants = []
        for d in every:
            c = offset[d]
            row = [Interval.point(1.0) for _ in every]
            for part in parts:
                c = c + Interval(part.constant_low[d], part.constant_high[d])
                row = [r + Interval.point(part.slopes[d * samples + e]) for e, r in enumerate(row)]
            lean = Interval.point(steep[d].middle())
            constants.append(c - (steep[d] - lean) * shift[d])
            row[d] = row[d] - lean
            matrix.append(row)
        empty = []
        for d in every:
            reached = constants[d] + total([a * s for a, s in zip(matrix[d], shift, strict=True)])
            if penalties.reach is not None:
                reached = reached + drift[d] * penalties.reach
            empty += [reached.lo > 0.0, reached.hi < 0.0]
        inverse = approximate_inverse([[a.middle() for a in row] for row in matrix])
        rest = residual_matrix(inverse, matrix)
        met = []
        for d in every:
            image = total([Interval.point(b) * c for b, c in zip(inverse[d], constants, strict=True)])
            move = total([r * s for r, s in zip(rest[d], shift, strict=True)]) - image
            if penalties.reach is not None:
                slide = total([Interval.point(b) * c for b, c in zip(inverse[d], drift, strict=True)])
                move = move - slide * penalties.reach
            p = pull[d].meet(move + Interval.point(middle[d]))
            empty.append(p.is_empty())
            met.append(p)
        influence = []
        for e in every:
            influence.append(sum(magnitude(matrix[d][e].middle()) for d in every) * shift[e].hi)
        return outputs.write(
            pull_low=[p.lo for p in met], pull_high=[p.hi for p in met], influence=influence, empty=flag(empty)
        )

    inputs = Slots(nodes=nodes * node.size, pull_low=samples, pull_high=samples, guess=samples, **_extra(problem))
    return LaneProgram(inputs=inputs, outputs=outputs, text=program)


def meeting_node(samples: int) -> Slots:
    """What `meeting_program` takes of each node: its box of P and gamma, and the ends of g."""
    box = {"pull_low": samples, "pull_high": samples, "bias_low": ONE, "bias_high": ONE}
    return Slots(**box, share_low=samples, share_high=samples)


def meeting_program(problem: ReducedProblem) -> LaneProgram:
    """N node boxes to the residuals on which they can meet.

    All nodes see the same P and gamma; Delta_d = sum_j g_jd + gamma and P_d = s_d kappa / (1 + e^{s_d Delta_d}).
    ``nodes`` are tables of `meeting_node`, one after the other; ``empty`` is 1 if they cannot meet.
    """
    samples, nodes, node = problem.samples, problem.nodes, meeting_node(problem.samples)
    one = Interval.point(1.0)
    outputs = Slots(pull_low=samples, pull_high=samples, bias_low=ONE, bias_high=ONE, empty=ONE)

    def program(given: SimpleNamespace) -> list[Lane]:
        scale = Penalties.of(problem, given).scale
        parts = [node.read(given.nodes[j * node.size : (j + 1) * node.size]) for j in range(nodes)]
        pull = intervals(parts[0].pull_low, parts[0].pull_high)
        bias = Interval(parts[0].bias_low, parts[0].bias_high)
        for part in parts[1:]:
            pull = [p.meet(q) for p, q in zip(pull, intervals(part.pull_low, part.pull_high), strict=True)]
            bias = bias.meet(Interval(part.bias_low, part.bias_high))
        sums = [total([Interval(part.share_low[d], part.share_high[d]) for part in parts]) for d in range(samples)]
        for _ in range(2):
            pull, bias = balance(pull, bias)
            met = []
            for p, logit, sign in zip(pull, sums, problem.labels, strict=True):
                margin = (logit + bias).scaled(sign)
                fade = [exponential_range(larger(smaller(x, 600.0), -600.0)) for x in (margin.lo, margin.hi)]
                grown = Interval(fade[0].lo, fade[1].hi) + one
                q = one.over_positive(grown) * scale
                met.append(p.meet(q.scaled(sign)))
            pull = met
        return outputs.write(
            pull_low=[x.lo for x in pull],
            pull_high=[x.hi for x in pull],
            bias_low=bias.lo,
            bias_high=bias.hi,
            empty=flag([x.is_empty() for x in [*pull, bias]]),
        )

    return LaneProgram(inputs=Slots(nodes=nodes * node.size, **_extra(problem)), outputs=outputs, text=program)
