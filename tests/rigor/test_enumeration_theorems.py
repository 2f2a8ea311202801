"""The reduction and the bounds behind complete enumeration, against SymPy's own derivatives of the whole loss."""

from __future__ import annotations

import mpmath
import numpy as np
import sympy as sp

from symland.rigor.enumeration.known import krawczyk, reduce_theta, system
from symland.rigor.enumeration.problem import MARGIN_PEAK, TWIST_PEAK, fundamental_orders, reduced_problem
from symland.spec import builtin

LABELS = {(0, 0): 0, (0, 1): 1, (1, 0): 1, (1, 1): 0}


def _whole_loss(nodes: int, penalty: sp.Rational) -> tuple[sp.Expr, list[sp.Symbol]]:
    w1, w2 = sp.symbols(f"w0:{2 * nodes}"), sp.symbols(f"o0:{2 * nodes}")
    b, c = sp.symbols(f"b0:{nodes}"), sp.symbols("c0:2")
    total = sp.Integer(0)
    for (x1, x2), label in LABELS.items():
        h = [sp.tanh(w1[2 * j] * x1 + w1[2 * j + 1] * x2 + b[j]) for j in range(nodes)]
        z = [sum(w2[i * nodes + j] * h[j] for j in range(nodes)) + c[i] for i in (0, 1)]
        total += sp.log(1 + sp.exp(z[1 - label] - z[label])) / 4
    theta = [*w1, *w2, *b, *c]
    return total + penalty * sum(t**2 for t in theta), theta


def test_the_reduced_system_is_the_gradient_on_the_gauge_fixed_space() -> None:
    penalty = sp.Rational(1, 7)
    for nodes in (1, 2):
        loss, theta = _whole_loss(nodes, penalty)
        gradient = sp.lambdify(theta, [sp.diff(loss, t) for t in theta], "mpmath")
        problem = reduced_problem(builtin("xor").with_(hidden=(nodes,), penalty="1/7"))
        rng = np.random.default_rng(nodes)
        for _ in range(5):
            first, third = rng.normal(size=(nodes, 2)), rng.normal(size=nodes)
            half, bias = rng.uniform(0.1, 2, size=nodes), float(rng.normal())
            full = np.concatenate([first.ravel(), -half, half, third, [-bias, bias]])
            states, gamma = reduce_theta(problem, full)
            value, _ = system(problem, [float(x) for x in [*states.ravel(), gamma]])  # type: ignore[list-item]
            got = np.array([float(v) for v in value])
            whole = np.array([float(g) for g in gradient(*[mpmath.mpf(float(t)) for t in full])])
            table = got[:-1].reshape(nodes, 4)
            # kappa D = 1 / lambda multiplies the gradient; the reduced equations carry it once.
            assert np.allclose(table[:, :2].ravel(), whole[: 2 * nodes] * 7, atol=1e-12)
            assert np.allclose(table[:, 3], 7 * whole[3 * nodes : 4 * nodes], atol=1e-12)
            assert np.allclose(table[:, 2], whole[4 * nodes : 5 * nodes] * 7, atol=1e-12)
            assert np.isclose(got[-1], 7 * whole[-1], atol=1e-12)
            assert np.allclose(whole[2 * nodes : 3 * nodes], -whole[3 * nodes : 4 * nodes], atol=1e-14)


def test_the_gauge_makes_the_rows_of_w2_opposite() -> None:
    penalty = sp.Symbol("lambda", positive=True)
    loss, theta = _whole_loss(1, penalty)
    along = sp.diff(loss, theta[2]) + sp.diff(loss, theta[3])
    assert sp.simplify((along - 2 * penalty * (theta[2] + theta[3])).rewrite(sp.exp)) == 0


def test_the_constants_bound_the_maxima_that_they_name() -> None:
    mpmath.mp.dps = 30
    top = mpmath.lambertw(1 / mpmath.e).real
    assert top < MARGIN_PEAK < top + 1e-9
    turn = mpmath.findroot(lambda a: 1 - 2 * a * mpmath.tanh(a), 0.77)
    assert turn * mpmath.sech(turn) ** 2 < TWIST_PEAK < turn * mpmath.sech(turn) ** 2 + 1e-3
    mpmath.mp.dps = 15


def test_krawczyk_refuses_a_cube_without_a_solution() -> None:
    problem = reduced_problem(builtin("xor").with_(hidden=(1,), penalty="1e-1"))
    assert krawczyk(problem, [0.0] * 5, 0.01)
    assert not krawczyk(problem, [0.5, 0.0, 0.0, 0.5, 0.0], 0.01)


def test_every_orbit_of_residuals_meets_the_fundamental_domain() -> None:
    rng = np.random.default_rng(0)
    for name in ("xor", "xor-pm"):
        group = reduced_problem(builtin(name)).group
        pairs = fundamental_orders(group)
        for q in rng.random((200, 4)):
            orbit = [[q[g.order[d]] for d in range(4)] for g in group]
            assert any(all(member[b] >= member[d] for b, d in pairs) for member in orbit)
