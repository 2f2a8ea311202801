"""T11: how hidden nodes turn at small weights: decoupling, what the flow keeps, and where orientations end.

One sample stands for any number: the loss is a mean over samples. Two nodes with input signals s = w . xi, r = u . xi
and output weights a, b stand for any number of nodes; all weights are t times fixed ones. f is the loss of a sample as
a function of what the nodes add to the output.
"""

import sympy as sp

from symland.theorems import Hypothesis, Identity, Step, Theorem, at, partial, smooth

t, a, b, s, r, zero = sp.symbols("t a b s r theta_0")
f, sigma = smooth("f", 1), smooth("sigma", 1)
loss = f(t * a * sigma(t * s) + t * b * sigma(t * r))
residual = smooth("f", 1, 1)(0)


def flat(order):
    """The derivative of sigma of an order vanishes at 0."""
    name = "sigma(0) = 0" if not order else f"derivative {order} of sigma vanishes"
    text = r"$\sigma(0) = 0$" if not order else rf"$\sigma^{{({order})}}(0) = 0$, where $p > {order}$"
    return Hypothesis(name=name, statement=text, rules=((smooth("sigma", 1, order)(0), 0),))


FLAT = (flat(0), flat(1), flat(2))


def decoupled(p):
    """The derivative of order p + 1 along t is that of the sum of the nodes' own energies."""
    energy = residual * smooth("sigma", 1, p)(0) / sp.factorial(p) * (a * s**p + b * r**p)
    return Step(
        name=f"multiplicity {p}",
        claim=(
            rf"With $p = {p}$ the derivatives of the loss along $t$ of order $1, \dots, {p}$ vanish at $t = 0$, and "
            rf"that of order {p + 1} is $({p + 1})!\,e\,\frac{{\sigma^{{({p})}}(0)}}{{{p}!}}\,(a s^{p} + b r^{p})$: a "
            rf"sum over nodes."
        ),
        obligations=(
            *(Identity(left=at(partial(loss, *[t] * n), {t: 0})) for n in range(1, p + 1)),
            Identity(left=at(partial(loss, *[t] * (p + 1)), {t: 0}), right=sp.factorial(p + 1) * energy),
        ),
        uses=tuple(h.name for h in FLAT[:p]),
    )


w1, w2, x1, x2, y1, y2, m, n, c, weight = sp.symbols("w_1 w_2 x_1 x_2 y_1 y_2 m n c a")


def form(p):
    """Two samples and two input weights stand for any number."""
    return m * (w1 * x1 + w2 * x2) ** p + n * (w1 * y1 + w2 * y2) ** p


def slopes(p):
    return partial(form(p), w1), partial(form(p), w2)


def along(expression, p):
    """The derivative of a function of w along w' = a c grad F."""
    return sum(
        (partial(expression, v) * weight * c * g for v, g in zip((w1, w2), slopes(p), strict=True)), sp.Integer(0)
    )


ORDERS = (1, 2, 3)
square = w1**2 + w2**2

THEOREM = Theorem(
    identifier="T11-condensation",
    title="Orientations of hidden nodes at small weights",
    setting=(
        r"A network with one hidden layer of any width and a smooth loss without penalty. $p$ is the multiplicity of "
        r"the activation: $\sigma^{(p)}(0) \ne 0$ and all lower derivatives vanish at $0$. $e_d$ is the residual of "
        r"sample $d$ at zero weights, $\xi_d$ its inputs followed by $1$ for the bias, $F(w) = "
        r"\frac1D\sum_d(-e_d)(w\cdot\xi_d)^p$ and $c = \sigma^{(p)}(0)/p!$."
    ),
    hypotheses=FLAT,
    conclusion=(
        r"For $p \le 3$, $E = E(0) - \sum_j a_j c\,F(w_j) + O(p+2)$ in the weights: to leading order nodes are "
        r"decoupled. For $p \le 3$, the gradient flow of this energy, $w' = a c\,\nabla F$, $a' = c F$, keeps $|w|^2 - "
        r"p a^2$, and $F(w)^2/|w|^{2p}$ grows at the rate $2 a c F\,(|\nabla F|^2|w|^2 - (w\cdot\nabla "
        r"F)^2)/|w|^{2p+2}$, while $a^2$ grows at the rate $2 a c F$. So while $a c F > 0$ the orientation climbs to "
        r"larger $|F|$, $a$ keeps its sign, and the orientations that attract are the strict maxima of $F$ on the "
        r"sphere with $F > 0$ and the strict minima with $F < 0$."
    ),
    variables=(
        (r"s, r", r"the input signals $w\cdot\xi$ of two nodes, with output weights $a$ and $b$"),
        (r"f", "the loss of a sample as a function of what the nodes add to the output"),
        (r"m, n", r"$-e_d/D$ for two samples $x$ and $y$"),
    ),
    rests_on=(
        "linearity of the mean over samples",
        "Taylor's theorem",
        "the Cauchy-Schwarz inequality",
        "Lyapunov's theorem, for the stability of a strict extremum of a function that grows along a flow",
    ),
    source="this package; for two layers and the claim of at most 2p orientations, arXiv:2105.11686",
    steps=(
        *(decoupled(p) for p in (1, 2, 3)),
        Step(
            name="what the flow keeps",
            claim=(
                r"$w\cdot\nabla F = p F$, so $(|w|^2)' = 2 a c\,p F = p\,(a^2)'$; two samples and two weights stand "
                r"for any, as both sides are sums over them."
            ),
            obligations=tuple(Identity(left=along(square, p), right=p * 2 * weight * c * form(p)) for p in ORDERS),
        ),
        Step(
            name="the orientation climbs",
            claim=(
                r"$\frac{d}{dt}\frac{F^2}{|w|^{2p}} = \frac{2 a c F}{|w|^{2p+2}}\,(|w|^2|\nabla F|^2 - (w\cdot\nabla "
                r"F)^2)$, and with two weights the bracket is $(w_2\,\partial_1 F - w_1\,\partial_2 F)^2 \ge 0$."
            ),
            obligations=tuple(
                Identity(
                    left=along(form(p) ** 2 / square**p, p),
                    right=2 * weight * c * form(p) / square ** (p + 1) * (w2 * slopes(p)[0] - w1 * slopes(p)[1]) ** 2,
                )
                for p in ORDERS
            ),
        ),
    ),
)
