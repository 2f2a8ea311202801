"""T10: the bounds and symmetries on which complete enumeration rests.

Two softmax classes, one hidden tanh layer, all parameters penalised. By T2 only the contrast Delta_d = sum_j v_j h_jd +
gamma counts, h_jd = tanh(U_j . x_d). With s_d = +-1 the label, q_d = 1/(1 + exp(s_d Delta_d)) and P_d = s_d q_d /
(lambda D), a point is stationary iff

    v_j = sum_d P_d h_jd,   2 U_j = v_j sum_d P_d (1 - h_jd^2) x_d,   gamma = sum_d P_d:

given P, every node solves equations of its own.
"""

from fractions import Fraction

import sympy as sp

from symland.theorems import Hypothesis, Identity, Positive, SomePositive, Step, Theorem, at, partial, smooth

s, v, w, x, gamma, rest = sp.symbols("s v w x gamma rest")
sigma = smooth("sigma", 1)
contrast = rest + v * sigma(w * x) + gamma
loss = sp.log(1 + sp.exp(-s * contrast))
share = 1 / (1 + sp.exp(s * contrast))

# Two samples and two nodes stand for any number: every sum below is linear in each of its terms.
P1, P2, v1, v2, h11, h12, h21, h22, U1, U2, g = sp.symbols("P_1 P_2 v_1 v_2 h_11 h_12 h_21 h_22 U_1 U_2 g")
node = Hypothesis(
    name="node equations",
    statement=r"$v_j = \sum_d P_d h_{jd}$ and $\gamma = \sum_d P_d$",
    rules=((h11, (v1 - P2 * h12) / P1), (h21, (v2 - P2 * h22) / P1), (g, P1 + P2)),
)
a1, a2, x1, x2, y1, y2 = sp.symbols("a_1 a_2 x_1 x_2 y_1 y_2")
t, far_away, real = sp.Symbol("t"), sp.Symbol("f"), sp.Symbol("z", real=True)
beyond = Hypothesis(name="far", statement=r"$|a| = 8 + f$, $f > 0$", rules=((t, 8 + far_away),), positive=(far_away,))

Pc, dP, vc, dv, da, t0, t1, t2, second, third = sp.symbols("P_c dP v_c dv da T_0 T_1 T_2 xi_2 xi_3")

MARGIN = sp.Rational(2784645428, 10**10)
TWIST = sp.Rational(44775, 10**5)


def pushed(u, output):
    """v sum_d P_d tanh'(u x_d) x_d for two samples."""
    return output * sum(p * (1 - sp.tanh(u * c) ** 2) * c for p, c in ((P1, x1), (P2, x2)))


THEOREM = Theorem(
    identifier="T10-enumeration",
    title="What every stationary point of a small network obeys",
    statement=(
        r"In the setting above: (a) given $P$ the nodes decouple; (b) $\sum_j v_j^2 + \gamma^2 = \sum_d "
        r"P_d\Delta_d \le 0.2784645428/\lambda$; (c) $|U_j|^2 \le 0.44775\,\frac{v_j}2\sum_d|P_d|$; (d) $(U_j, v_j) "
        r"\to -(U_j, v_j)$ is a symmetry, so $v_j \ge 0$; (e) exchanging the inputs exchanges the samples $01$ and "
        r"$10$, so $P_{01} \ge P_{10}$."
    ),
    variables=((r"$P_d$", r"$s_d q_d/(\lambda D)$"), (r"$U_j, v_j$", "weights into and out of node $j$")),
    hypotheses=(node, beyond),
    rests_on=(
        "T2-gauge",
        r"$e^y \ge 1 + y$",
        "Taylor's theorem",
        r"$\cosh^2 z \ge 1 + z^2$",
        "linearity of sums over samples and nodes",
    ),
    source="this package",
    steps=(
        Step(
            name="decoupling",
            claim=r"$\partial_v\ell = -sqh$, $\partial_w\ell = -sqv\,\sigma'(wx)\,x$, $\partial_\gamma\ell = -sq$.",
            obligations=(
                Identity(left=partial(loss, v), right=-s * share * sigma(w * x)),
                Identity(left=partial(loss, w), right=-s * share * v * smooth("sigma", 1, 1)(w * x) * x),
                Identity(left=partial(loss, gamma), right=-s * share),
            ),
        ),
        Step(
            name="energy",
            claim=r"$\sum_j v_j^2 + \gamma^2 = \sum_d P_d(\sum_j v_j h_{jd} + \gamma)$.",
            obligations=(
                Identity(
                    left=v1**2 + v2**2 + g**2,
                    right=P1 * (v1 * h11 + v2 * h21 + g) + P2 * (v1 * h12 + v2 * h22 + g),
                ),
            ),
            uses=(node.name,),
        ),
        Step(
            name="margin",
            claim=(
                r"$m = 0.2784645428$: $m(1 + e^t) - t \ge m + m e^c(1 + t - c) - t = m + 1 - c > 0$ with $m e^c = 1$, "
                r"as $m e^{m+1} > 1$; so $q t = t/(1 + e^t) < m$."
            ),
            obligations=(
                SomePositive(
                    alternatives=(MARGIN * sp.exp(MARGIN + 1) - 1 + 0 * real,), box={real: (Fraction(0), Fraction(1))}
                ),
            ),
        ),
        Step(
            name="twist",
            claim=(
                r"$U\cdot\frac v2\sum_d P_d h'_d x_d = \frac v2\sum_d P_d\,a_d h'_d$, and "
                r"$a\operatorname{sech}^2 a < 0.44775$ on $[0, 8]$."
            ),
            obligations=(
                Identity(
                    left=U1 * (P1 * h11 * x1 + P2 * h12 * x2) + U2 * (P1 * h11 * y1 + P2 * h12 * y2),
                    right=P1 * h11 * (U1 * x1 + U2 * y1) + P2 * h12 * (U1 * x2 + U2 * y2),
                ),
                SomePositive(
                    alternatives=(TWIST - real * (1 - sp.tanh(real) ** 2),), box={real: (Fraction(0), Fraction(8))}
                ),
            ),
        ),
        Step(
            name="twist far away",
            claim=r"$a\operatorname{sech}^2 a \le a/(1 + a^2) < 0.44775$ for $a > 8$.",
            obligations=(Positive(expression=TWIST - t / (1 + t**2)),),
            uses=(beyond.name,),
        ),
        Step(
            name="sign",
            claim=r"$(U, v) \to -(U, v)$ keeps $v\tanh(U\cdot x)$ and turns the sign of both node equations.",
            obligations=(
                Identity(left=(-v1) * sp.tanh(-U1 * x1), right=v1 * sp.tanh(U1 * x1)),
                Identity(left=pushed(-U1, -v1), right=-pushed(U1, v1)),
                Identity(left=at(P1 * sp.tanh(U1 * x1) + P2 * sp.tanh(U1 * x2), {U1: 0})),
            ),
        ),
        Step(
            name="Taylor form of the node equations",
            claim=(
                r"With $T_k$ the derivatives of $\tanh$ at the centre and its remainders at $\xi$, $vP\tanh'$ and "
                r"$P\tanh$ are linear in $(dv, dP, da)$ up to $T_1\,dv\,dP + (vP - v_cP_c)T_2\,da + "
                r"\frac12vP\tanh^{(3)}(\xi)\,da^2$ and $T_1\,dP\,da + \frac12P\tanh''(\xi)\,da^2$."
            ),
            obligations=(
                Identity(
                    left=(vc + dv) * (Pc + dP) * (t1 + t2 * da + third * da**2 / 2),
                    right=vc * Pc * t1
                    + Pc * t1 * dv
                    + vc * t1 * dP
                    + vc * Pc * t2 * da
                    + t1 * dv * dP
                    + ((vc + dv) * (Pc + dP) - vc * Pc) * t2 * da
                    + (vc + dv) * (Pc + dP) * third * da**2 / 2,
                ),
                Identity(
                    left=(Pc + dP) * (t0 + t1 * da + second * da**2 / 2),
                    right=Pc * t0 + t0 * dP + Pc * t1 * da + t1 * dP * da + (Pc + dP) * second * da**2 / 2,
                ),
                Identity(
                    left=sp.diff(sp.tanh(real), real, 3),
                    right=(1 - sp.tanh(real) ** 2) * (6 * sp.tanh(real) ** 2 - 2),
                ),
            ),
        ),
        Step(
            name="peak of the third derivative",
            claim=r"$\frac23 - (1 - \tau)(6\tau - 2) = 6(\tau - \frac23)^2 \ge 0$.",
            obligations=(
                Identity(
                    left=sp.Rational(2, 3) - (1 - t) * (6 * t - 2),
                    right=6 * (t - sp.Rational(2, 3)) ** 2,
                ),
            ),
        ),
        Step(
            name="exchange of the inputs",
            claim=r"$w_2 x_1 + w_1 x_2 + b$ is the node at the exchanged input.",
            obligations=(Identity(left=at(U1 * x1 + U2 * x2 + w, {x1: y2, x2: y1}), right=U2 * y1 + U1 * y2 + w),),
        ),
    ),
)
