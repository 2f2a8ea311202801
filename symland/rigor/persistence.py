"""How far the data may move: a ball of data sets over which a stationary point stays, proved by Krawczyk's test.

Let f(theta, x) be the gradient, c(delta) = m + sum_a c_a delta^a any polynomial, best close to theta*(x_0 + delta),
and V any (P, P) matrix, best the eigenvectors of the Hessian. For inputs x_0 + delta, |delta_k| <= eps, the zero is
sought in the moving box c(delta) + V v, |v_i| <= r_i. With Y any matrix, best (H V)^-1, and H and F the derivatives
of f by theta and by x over all of these boxes,

    k_i = |Y f(m, x_0)|_i + |Y (f(c(delta), x_0 + delta) - f(m, x_0))|_i + sum_j |I - Y H V|_ij r_j.

If k_i < r_i for every i then for *every* such data set the box holds exactly one stationary point, with |v| <= k, and
no matrix in H is singular (Krawczyk 1969; Neumaier 1990, theorem 5.1.8). The set of data is connected, so the index
is everywhere that of the Hessian at m.

The enclosures are Taylor models in delta and v (`symland.rigor.persistence_trial`): what moves together stays together,
and Y multiplies before absolute values are taken. Where c has degree 3 the box need only be as large as eps^4. The loss
and the margins of the point lie in the ranges of their own models.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from symland.errors import SpecError
from symland.program.balls import working_precision
from symland.records import Verdict
from symland.rigor.certificate import Certificate
from symland.rigor.check_persistence import check_persistence
from symland.rigor.persistence_record import FORMAT, Persistence, persistence_schema
from symland.rigor.persistence_trial import Trial
from symland.spec import LandscapeSpec

__all__ = ["FORMAT", "Persistence", "persistence_radii", "persistence_radius", "persistence_schema"]

BITS = 96
"""Working precision of the test."""

FIRST_SHARE = 0.4
"""First eps tried, as a share of that at which the first-order change of the Hessian could make it singular."""

ROUGH_SHARE = 0.12
"""The same for linear polynomials, whose rests are of second order."""

LARGEST_RADIUS = 1e3
"""No larger eps is tried, in the units of the inputs."""

LEAST_RADIUS = 1e-9
"""No smaller eps is tried, in the units of the inputs."""

WIDER, NARROWER = 1.25, 1.6
"""The first steps of eps, up and down."""

BISECTION, ROUGH_BISECTION = 1.02, 1.2
"""The largest eps that was proved and the least that failed differ by at most this factor; the second one where there
are so many inputs that polynomials are linear."""

MOST_ENTRIES = 10**6
"""Most samples times P^2: beyond, nothing is tried, as one proof would take many minutes."""

READING = 0.9
"""An eps that the independent checker does not accept is multiplied by this, ..."""

MOST_READINGS = 6
"""... so many times at most."""


def persistence_radius(
    certificate: Certificate, moving: Sequence[tuple[int, int]] | None = None, *, labels: bool = False
) -> Persistence | None:
    """The largest ball of data sets, found by bisection, over which a certified point is proved to stay.

    Parameters
    ----------
    certificate : Certificate
        Of the point; existence, uniqueness and index must be certified.
    moving : pairs (sample, input)
        The inputs that may move; by default all.
    labels : bool
        Whether every training label must be right all over the ball too.

    Returns
    -------
    Persistence or None
        None where nothing is proved for any eps above LEAST_RADIUS, labels that are wrong already for example, and
        where the problem is larger than MOST_ENTRIES.

    Raises
    ------
    SpecError
        If an input that moves is not there, or labels are asked for where there are none.
    """
    spec = certificate.spec
    if labels and not spec.data.labels:
        raise SpecError.at("labels", "the targets are numbers", "ask for the persistence alone")
    return persistence_radii(certificate, moving, labels=labels)[int(labels)]


def persistence_radii(
    certificate: Certificate, moving: Sequence[tuple[int, int]] | None = None, *, labels: bool = True
) -> tuple[Persistence | None, Persistence | None]:
    """The largest balls without regard to the labels, and with every training label right; see `persistence_radius`."""
    spec = certificate.spec
    chosen = tuple(moving) if moving is not None else _all_inputs(spec)
    for d, k in chosen:
        if not (0 <= d < spec.n_samples and 0 <= k < spec.n_inputs):
            raise SpecError.at(
                "moving", f"input {k} of sample {d}", f"write 0 to {spec.n_samples - 1} and 0 to {spec.n_inputs - 1}"
            )
    if certificate.verdict is not Verdict.CERTIFIED or certificate.index is None or not chosen:
        return None, None
    if spec.n_samples * spec.n_parameters**2 > MOST_ENTRIES:
        return None, None
    with working_precision(BITS):
        trial = Trial.at(certificate, chosen)
        if trial is None:
            return None, None
        factor = BISECTION if trial.order > 1 else ROUGH_BISECTION
        start = (FIRST_SHARE if trial.order > 1 else ROUGH_SHARE) * trial.scale
        wide = _largest(lambda eps: trial.proved(eps, False), start, LARGEST_RADIUS, factor)
        if wide is None or not (labels and trial.all_right):
            return _accepted(trial, wide), None
        kept = trial.proved(float(wide.radius), True)
        if kept is not None and _is_accepted(kept):
            # The same proof, of which the other certificate claims less.
            return replace(kept, labels=False), kept
        if kept is None:
            kept = _largest(
                lambda eps: trial.proved(eps, True), float(wide.radius) / NARROWER, float(wide.radius), factor
            )
        return _accepted(trial, wide), _accepted(trial, kept)


def _largest(
    proved: Callable[[float], Persistence | None], start: float, most: float, factor: float
) -> Persistence | None:
    """The largest eps, by steps and bisection."""
    low = min(max(start, LEAST_RADIUS), most)
    best, high = proved(low), most
    while best is not None and low < most:
        wider = min(WIDER * low, most)
        found = proved(wider)
        if found is None:
            high = wider
            break
        best, low = found, wider
    while best is None and low > LEAST_RADIUS:
        high, low = low, low / NARROWER
        best = proved(low)
    while best is not None and high > factor * low:
        middle = (low * high) ** 0.5
        found = proved(middle)
        if found is None:
            high = middle
        else:
            best, low = found, middle
    return best


def _accepted(trial: Trial, best: Persistence | None) -> Persistence | None:
    """What the independent checker accepts: the same, or a smaller ball."""
    for _ in range(MOST_READINGS):
        if best is None or _is_accepted(best):
            return best
        best = trial.proved(READING * float(best.radius), best.labels)
    return None


def _is_accepted(found: Persistence) -> bool:
    return check_persistence(found.to_json()).verdict is Verdict.CERTIFIED


def _all_inputs(spec: LandscapeSpec) -> tuple[tuple[int, int], ...]:
    return tuple((d, k) for d in range(spec.n_samples) for k in range(spec.n_inputs))
