"""Searches that look for width, each against what plain descent finds from the same starts.

replicated    R(w_1..w_y) = sum_a E(w_a) + gamma / 2 sum_a |w_a - mean|^2, gamma rising geometrically
              (Baldassi et al. 2016)
entropy-sgd   descent on the local entropy, whose gradient (w - <w'>) / s^2 is an average over a Langevin walk about w
              (Chaudhari et al. 2017)
norm          plain descent at a fixed norm of the weights that grows step by step to its own (Baldassi et al. 2020)
single        plain descent from the same starts; and the best of as many single runs as there are replicas
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np

from symland.analysis.widths import margins
from symland.errors import ExplorationError, SpecError
from symland.kernels import CompiledKernel, compile_kernel
from symland.records import FloatArray
from symland.spec import LandscapeSpec

__all__ = ["METHODS", "End", "Replicas", "run_replicas"]

METHODS = ("replicated", "entropy-sgd", "norm")
"""Searches beside plain descent."""

STEPS = 4000
"""Steps of every search before it is polished."""

POLISH = 60_000
"""Steps of plain descent at most, and ..."""

SETTLED = 1e-6
"""... the gradient's largest component at which a run has ended; loss per unit of theta."""

SHORTEST, LONGEST = 1e-3, 4.0
"""Bounds of a step along the gradient."""

COUPLINGS = (1e-3, 1.0)
"""First and last gamma."""

WALK = 5
"""Langevin steps of each step of entropy-SGD; their noise and reach shrink to nothing towards the end."""

SAME_LOSS = 1e-6
"""Losses this near count as one minimum, in units of 1 + |loss|."""


class End(msgspec.Struct, frozen=True, kw_only=True):
    """A minimum where runs end: its loss, trace and ln det of the Hessian, and the share of the runs of each search."""

    loss: float
    trace: float
    log_det: float
    shares: dict[str, float]


class Replicas(msgspec.Struct, frozen=True, kw_only=True):
    """Where searches end.

    A run is bad if it ends with more wrong training labels than the best of all runs; where targets are numbers, if it
    ends above the lowest minimum that was found.

    Attributes
    ----------
    runs, replicas : int
    lowest : float
    bad_share, bad_error : float
        Of the replicated search, with the standard error of a share.
    single_bad_share, single_bad_error : float
        Of single descents from the starts of all replicas.
    best_of_bad_share : float
        Of the best of as many independent single runs as there are replicas, counted.
    expected_best_of : float
        single_bad_share to the power of the replicas.
    entropy_bad_share, norm_bad_share : float
    unsettled : int
        Runs whose gradient had not vanished; they count as bad.
    ends : tuple of End
        By their losses.
    """

    runs: int
    replicas: int
    lowest: float
    bad_share: float
    bad_error: float
    single_bad_share: float
    single_bad_error: float
    best_of_bad_share: float
    expected_best_of: float
    entropy_bad_share: float
    norm_bad_share: float
    unsettled: int
    ends: tuple[End, ...]


def run_replicas(
    spec: LandscapeSpec,
    *,
    replicas: int = 5,
    runs: int = 100,
    scale: float = 0.5,
    seed: int = 0,
    progress: Callable[[str], None] = lambda note: None,
) -> Replicas:
    """Run every search from matched starts theta ~ N(0, scale^2 I).

    Raises
    ------
    SpecError
        If a number is out of range.
    ExplorationError
        If no run settles.
    """
    if not 2 <= replicas <= 100:
        raise SpecError.at("--replicas", f"{replicas}", "write 2 to 100")
    if not 1 <= runs <= 100_000:
        raise SpecError.at("--runs", f"{runs}", "write 1 to 100000")
    if not 0 < scale < 100:
        raise SpecError.at("--scale", f"{scale}", "write a number above 0 and below 100")
    kernel, rng = compile_kernel(spec), np.random.default_rng(seed)
    starts = scale * rng.normal(size=(runs, replicas, spec.n_parameters))
    ends: dict[str, FloatArray] = {}
    progress("replicated")
    ends["replicated"] = _settle(kernel, _replicated(kernel, starts))
    progress("single")
    ends["single"] = _settle(kernel, starts.reshape(-1, spec.n_parameters))
    progress("entropy-sgd")
    ends["entropy-sgd"] = _settle(kernel, _entropic(kernel, starts[:, 0], rng))
    progress("norm")
    ends["norm"] = _settle(kernel, _growing(kernel, starts[:, 0]))
    return _counted(kernel, ends, replicas, runs)


def _step(kernel: CompiledKernel, theta: FloatArray) -> float:
    """A step along the gradient that is stable at the curvature of the starts."""
    few = theta.reshape(-1, theta.shape[-1])[:64]
    steepest = float(np.abs(np.linalg.eigvalsh(kernel.hessian(few))).max())
    return float(np.clip(0.5 / max(steepest, 1e-9), SHORTEST, LONGEST))


def _replicated(kernel: CompiledKernel, starts: FloatArray) -> FloatArray:
    """The means of replicas (runs, y, P) that are drawn together."""
    theta, step = starts.copy(), _step(kernel, starts)
    for gamma in np.geomspace(*COUPLINGS, STEPS):
        gradient = kernel.gradient(theta.reshape(-1, theta.shape[-1])).reshape(theta.shape)
        theta -= step / (1 + step * gamma) * (gradient + gamma * (theta - theta.mean(axis=1, keepdims=True)))
    mean: FloatArray = theta.mean(axis=1)
    return mean


def _entropic(kernel: CompiledKernel, starts: FloatArray, rng: np.random.Generator) -> FloatArray:
    theta, step = starts.copy(), _step(kernel, starts)
    for left in np.linspace(1.0, 0.0, STEPS // WALK):
        # The spring back to theta stiffens as the reach falls, to what the step still bears.
        spring, noise = min(1e-2 / (0.3 * left + 1e-3) ** 2, 0.5 / step), 0.05 * left
        walker, mean = theta.copy(), theta.copy()
        for _ in range(WALK):
            pull = kernel.gradient(walker) + spring * (walker - theta)
            walker = walker - step * pull + noise * np.sqrt(step) * rng.normal(size=theta.shape)
            mean = 0.75 * mean + 0.25 * walker
        theta = mean
    return theta


def _growing(kernel: CompiledKernel, starts: FloatArray) -> FloatArray:
    """Descent on spheres whose radius grows from a tenth of the start's to twice it, then free."""
    step = _step(kernel, starts)
    full = np.linalg.norm(starts, axis=1, keepdims=True)
    theta = starts.copy()
    for factor in np.geomspace(0.1, 2.0, STEPS):
        theta = theta - step * kernel.gradient(theta)
        theta *= factor * full / np.maximum(np.linalg.norm(theta, axis=1, keepdims=True), 1e-12)
    return theta


def _settle(kernel: CompiledKernel, theta: FloatArray) -> FloatArray:
    """Plain descent until the gradient vanishes; what does not get there stays where it is."""
    theta, step = theta.copy(), np.full(len(theta), _step(kernel, theta))
    value, gradient = kernel.value_gradient(theta)
    active = np.arange(len(theta))
    for _ in range(POLISH):
        active = active[np.abs(gradient[active]).max(axis=1) > SETTLED]
        if not active.size:
            break
        moved = theta[active] - step[active, None] * gradient[active]
        new_value, new_gradient = kernel.value_gradient(moved)
        # A step that rises is taken back and halved; one that falls may grow.
        fell = new_value <= value[active]
        kept = active[fell]
        theta[kept], value[kept], gradient[kept] = moved[fell], new_value[fell], new_gradient[fell]
        step[active] = np.clip(np.where(fell, 1.02, 0.5) * step[active], 1e-9, LONGEST * 25)
    return theta


def _counted(kernel: CompiledKernel, ends: dict[str, FloatArray], replicas: int, runs: int) -> Replicas:
    values, settled = {}, {}
    for name, theta in ends.items():
        value, gradient = kernel.value_gradient(theta)
        values[name], settled[name] = value, np.abs(gradient).max(axis=1) <= 10 * SETTLED
    if not any(s.any() for s in settled.values()):
        raise ExplorationError("no run settled; raise the penalty, or start from a smaller --scale")
    lowest = min(float(v[settled[name]].min()) for name, v in values.items() if settled[name].any())
    slack = SAME_LOSS * (1 + abs(lowest))
    if kernel.spec.data.values:
        worse = {name: values[name] > lowest + slack for name in ends}
    else:
        wrong = {name: (margins(kernel.spec, theta, kernel.spec.data) <= 0).sum(axis=1) for name, theta in ends.items()}
        fewest = min(int(w.min()) for w in wrong.values())
        worse = {name: w > fewest for name, w in wrong.items()}
    bad = {name: ~settled[name] | worse[name] for name in ends}
    single = float(bad["single"].mean())
    share = float(bad["replicated"].mean())
    best = bad["single"].reshape(runs, replicas).all(axis=1)

    def error(p: float, n: int) -> float:
        return float(np.sqrt(p * (1 - p) / n))

    return Replicas(
        runs=runs,
        replicas=replicas,
        lowest=lowest,
        bad_share=share,
        bad_error=error(share, runs),
        single_bad_share=single,
        single_bad_error=error(single, runs * replicas),
        best_of_bad_share=float(best.mean()),
        expected_best_of=single**replicas,
        entropy_bad_share=float(bad["entropy-sgd"].mean()),
        norm_bad_share=float(bad["norm"].mean()),
        unsettled=int(sum((~s).sum() for s in settled.values())),
        ends=_ends(kernel, ends, values, settled),
    )


def _ends(
    kernel: CompiledKernel, ends: dict[str, FloatArray], values: dict[str, FloatArray], settled: dict[str, FloatArray]
) -> tuple[End, ...]:
    """The minima by their losses, and the share of each search that ends there."""
    names = list(ends)
    value = np.concatenate([values[n][settled[n].astype(bool)] for n in names])
    theta = np.concatenate([ends[n][settled[n].astype(bool)] for n in names])
    owner = np.concatenate([np.full(int(settled[n].sum()), k) for k, n in enumerate(names)])
    order = np.argsort(value, kind="stable")
    groups = np.cumsum(np.diff(value[order], prepend=value[order[0]]) > SAME_LOSS * (1 + np.abs(value[order])))
    found = []
    for group in range(int(groups[-1]) + 1):
        members = order[groups == group]
        spectrum = np.linalg.eigvalsh(kernel.hessian(theta[members[:1]])[0])
        shares = {name: float((owner[members] == k).sum() / len(values[name])) for k, name in enumerate(names)}
        log_det = float(np.log(np.maximum(spectrum, np.finfo(float).tiny)).sum())
        found.append(End(loss=float(value[members[0]]), trace=float(spectrum.sum()), log_det=log_det, shares=shares))
    return tuple(found)
