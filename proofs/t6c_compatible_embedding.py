"""T6: general compatible embeddings of one layer at lambda = 0, in the sense of Zhang, Zhang, Luo and Xu (2021)."""

import sympy as sp

from symland.theorems import Hypothesis, Identity, Step, Theorem, at, partial, smooth

# A node j with input s + (change of its own incoming weight) x is replaced by nodes a with outgoing weights
# mu_a v + n_a; constant nodes have w = 0, any bias t, and outgoing weights p. Two of either kind stand for any number.
# f is the loss of a sample; two samples, with s, x and f of their own, stand for any number. Two components of the next
# layer's inputs, with outgoing weights V and W, stand for any number.
old, c, b, t, wp = sp.symbols("theta c b t w_p")
s, x = sp.symbols("s_1 s_2"), sp.symbols("x_1 x_2")
mu1, mu2, v, w, n1, n2, m1, m2 = sp.symbols("mu_1 mu_2 v w n_1 n_2 m_1 m_2")
u1, u2, p, q = sp.symbols("u_1 u_2 p q")
V1, V2, W1, W2, C0, B0 = sp.symbols("V_1 V_2 W_1 W_2 C_0 B_0")
sigma, slope = smooth("sigma", 1), smooth("sigma", 1, 1)
f = (smooth("f_1", 3), smooth("f_2", 3))


def wide(d):
    def total(first, second, constant, base):
        return (
            base + first * sigma(s[d] + u1 * x[d]) + second * sigma(s[d] + u2 * x[d]) + constant * sigma(t + wp * x[d])
        )

    return f[d](old, total(V1, V2, p, C0), total(W1, W2, q, B0))


def narrow(d):
    return f[d](old, c + v * sigma(s[d]), b + w * sigma(s[d]))


def r(d, k):
    """The slope of sample d along component k of the next layer's inputs, at the narrow point."""
    return smooth(f"f_{d + 1}", 3, 0, int(k == 0), int(k == 1))(old, c + v * sigma(s[d]), b + w * sigma(s[d]))


point = {u1: 0, u2: 0, wp: 0, V1: mu1 * v + n1, V2: mu2 * v + n2, W1: mu1 * w + m1, W2: mu2 * w + m2}
E = (wide(0) + wide(1)) / 2


def gradient(variable):
    return at(partial(E, variable), point)


def weighted(weights, factor):
    """mean_d factor_d x_d (r_d . weights)."""
    return sum(factor(d) * x[d] * (r(d, 0) * weights[0] + r(d, 1) * weights[1]) for d in (0, 1)) / 2


An = weighted((n1, m1), lambda d: slope(s[d]))
Cp = weighted((p, q), lambda d: 1)

shares = Hypothesis(
    name="shares sum to one",
    statement=r"$\sum_a \mu_a = 1$, $\sum_a n_a = 0$",
    rules=((mu2, 1 - mu1), (n2, -n1), (m2, -m1)),
)
absorbed = Hypothesis(
    name="constants absorbed",
    statement=r"the next layer's biases $c$ become $c - \sum p\,\sigma(t)$",
    rules=((C0, c - p * sigma(t)), (B0, b - q * sigma(t))),
)
bias = Hypothesis(
    name="bias stationary",
    statement=r"the next layer has biases, and $\partial E/\partial c = \frac1D\sum_d r_d = 0$",
    rules=((r(1, 0), -r(0, 0)), (r(1, 1), -r(0, 1))),
)
outgoing = Hypothesis(
    name="node stationary, outgoing",
    statement=r"$\partial E/\partial v_j = \frac1D\sum_d r_d\,\sigma(s_d) = 0$",
    rules=((r(1, 0), -r(0, 0) * sigma(s[0]) / sigma(s[1])), (r(1, 1), -r(0, 1) * sigma(s[0]) / sigma(s[1]))),
)
incoming = Hypothesis(
    name="node stationary, incoming",
    statement=r"$\partial E/\partial w_j = A_j v_j = 0$",
    rules=((x[1], -slope(s[0]) * x[0] * (r(0, 0) * v + r(0, 1) * w) / (slope(s[1]) * (r(1, 0) * v + r(1, 1) * w))),),
)

THEOREM = Theorem(
    identifier="T6-compatible",
    title="Compatible embeddings of one layer",
    setting=(
        r"A network of any depth and activation $\sigma$ with biases and a smooth loss $E(\theta) = "
        r"\frac1D\sum_d\ell_d$, no penalty, at a stationary point. In one hidden layer each node $j$, with incoming "
        r"weights and bias $w_j$, outgoing weights $v_j$ and input $s_{d}$ on sample $d$, is replaced by nodes with "
        r"the same $w_j$ and the outgoing weights $\mu_a v_j + n_a$, and any number of constant nodes with incoming "
        r"weights $0$, any bias $t$ and outgoing weights $p$ are added. $r_d = \partial\ell_d/\partial a$ for the "
        r"inputs $a$ of the next layer, $\xi_d$ are the outputs of the layer before, and 1 for the bias; $A_j = "
        r"\frac1D\sum_d\sigma'(s_d)\,\xi_d r_d^{T}$, and $C = \frac1D\sum_d\xi_d r_d^{T}$ without the row of the "
        r"bias."
    ),
    hypotheses=(shares, absorbed, bias, outgoing, incoming),
    conclusion=(
        r"(a) The network's function and all signals of other nodes stay. (b) The wide point is stationary if and "
        r"only if $A_j n_a = 0$ for every copy and $\sigma'(t)\,C p = 0$ for every constant node. (c) So $A_j n_a = "
        r"0$ is necessary, and $C p = 0$ is where $\sigma'(t) \ne 0$; where $\sigma'(t) = 0$ a constant node is "
        r"stationary with any $p$. Zero extension ($p = 0$) and splitting ($n_a = 0$) are cases."
    ),
    variables=(
        (r"f_d", "the loss of a sample; two samples and two inputs of the next layer stand for any number"),
        (r"u_a, w_p", "changes of incoming weights of a copy and of a constant node, along one signal $x$"),
    ),
    rests_on=("linearity of sums over samples", "a function that equals another one has its derivatives"),
    source=r"after \cite{zhang2021}; null directions of several outputs and the case $\sigma'(t) = 0$: this package",
    steps=(
        Step(
            name="same function",
            claim=r"The inputs of the next layer do not change, for every $\theta$ and $s$: other gradients stay zero.",
            obligations=tuple(Identity(left=at(wide(d), point), right=narrow(d)) for d in (0, 1)),
            uses=(shares.name, absorbed.name),
        ),
        Step(
            name="outgoing weights of a copy",
            claim=r"$\partial E/\partial V_a = \frac1D\sum_d r_d\,\sigma(s_d) = 0$.",
            obligations=(Identity(left=gradient(V1)), Identity(left=gradient(W1))),
            uses=(shares.name, absorbed.name, outgoing.name),
        ),
        Step(
            name="incoming weights of a copy",
            claim=r"$\partial E/\partial u_a = \mu_a A v + A n_a = A n_a$: it vanishes if and only if $A n_a$ does.",
            obligations=(Identity(left=gradient(u1), right=An),),
            uses=(shares.name, absorbed.name, incoming.name),
        ),
        Step(
            name="outgoing weights and bias of a constant node",
            claim=(
                r"$\partial E/\partial p = \sigma(t)\frac1D\sum_d r_d = 0$ and $\partial E/\partial t = "
                r"\sigma'(t)\,p\cdot\frac1D\sum_d r_d = 0$."
            ),
            obligations=(Identity(left=gradient(p)), Identity(left=gradient(q)), Identity(left=gradient(t))),
            uses=(shares.name, absorbed.name, bias.name),
        ),
        Step(
            name="incoming weights of a constant node",
            claim=(
                r"$\partial E/\partial w_p = \sigma'(t)\,C p$: it vanishes if and only if $\sigma'(t) = 0$ or $C p = "
                r"0$."
            ),
            obligations=(Identity(left=gradient(wp), right=slope(t) * Cp),),
            uses=(shares.name, absorbed.name),
        ),
    ),
)
