"""T6: general compatible embeddings of one layer at lambda = 0, in the sense of Zhang, Zhang, Luo and Xu (2021)."""

import sympy as sp

from symland.theorems import Hypothesis, Identity, Step, Theorem, at, partial, smooth

# A node j with input s + (change of its own incoming weight) x is replaced by nodes a with outgoing weights
# mu_a v + n_a; constant nodes have w = 0, any bias t, and outgoing weights p. Two of either kind stand for any number.
old, x, s, c = sp.symbols("theta x s c")
mu1, mu2, n1, n2, v = sp.symbols("mu_1 mu_2 n_1 n_2 v")
u1, u2, p, t, wp = sp.symbols("u_1 u_2 p t w_p")
V1, V2, C = sp.symbols("V_1 V_2 C")
f, sigma = smooth("f", 2), smooth("sigma", 1)
wide = f(old, C + V1 * sigma(s + u1 * x) + V2 * sigma(s + u2 * x) + p * sigma(t + wp * x))
narrow = f(old, c + v * sigma(s))
point = {u1: 0, u2: 0, wp: 0, V1: mu1 * v + n1, V2: mu2 * v + n2, C: sp.Symbol("C_0")}
shares = Hypothesis(
    name="shares sum to one", statement=r"$\sum_a \mu_a = 1$, $\sum_a n_a = 0$", rules=((mu2, 1 - mu1), (n2, -n1))
)
absorbed = Hypothesis(
    name="constants absorbed",
    statement=r"the next layer's bias becomes $c - p\,\sigma(t)$",
    rules=((sp.Symbol("C_0"), c - p * sigma(t)),),
)
R, Gv, Av, An, Cp = sp.symbols("R G Av An Cp")
bias = Hypothesis(
    name="bias stationary", statement=r"$R = \frac1D\sum_d r_d = 0$: the next layer has biases", rules=((R, 0),)
)
node = Hypothesis(
    name="node stationary",
    statement=r"$\frac1D\sum_d r_d\sigma(s_d) = 0$ and $A v = \frac1D\sum_d\sigma'(s_d)\xi_d\,(r_d\cdot v) = 0$",
    rules=((Gv, 0), (Av, 0)),
)
null = Hypothesis(
    name="null directions",
    statement=r"$A n_a = 0$ and $C p = \frac1D\sum_d\xi_d (r_d\cdot p) = 0$",
    rules=((An, 0), (Cp, 0)),
)

r = smooth("f", 2, 0, 1)(old, c + v * sigma(s))

THEOREM = Theorem(
    identifier="T6-compatible",
    title="Compatible embeddings of one layer",
    statement=(
        r"At $\lambda = 0$ let a layer be widened so that each node $(w_j, v_j)$ becomes nodes $(w_j, \mu_a v_j + "
        r"n_a)$ with $\sum_a\mu_a = 1$, $\sum_a n_a = 0$, $A_j n_a = 0$, and any number of constant nodes $(w, b, "
        r"v) = (0, t, p)$ with $C^{T}p = 0$ are added, "
        r"their constants taken off the next layer's bias. Then the network function and all other signals stay, "
        r"and stationary points go to stationary points; the conditions $A_j n_a = 0$, $C^{T} p = 0$ are also "
        r"necessary. "
        r"Zero extension ($p = 0$), splitting ($n_a = 0$) and every composition of them are cases; for one "
        r"output $n_a$ is a multiple of $v_j$ and only $C = 0$ lets $p \ne 0$."
    ),
    variables=(
        (r"$r$", r"$\partial\ell/\partial a$, $a$ the inputs of the next layer"),
        (r"$A_j, C$", r"$\frac1D\sum_d\sigma'(s_d)\xi_d r_d^{T}$ and $\frac1D\sum_d\xi_d r_d^{T}$"),
    ),
    hypotheses=(shares, absorbed, bias, node, null),
    rests_on=("linearity of the mean over samples",),
    source="after Zhang, Zhang, Luo, Xu, NeurIPS 2021; null directions of several outputs: this package",
    steps=(
        Step(
            name="same function",
            claim=r"The inputs of the next layer do not change.",
            obligations=(Identity(left=at(wide, point), right=narrow),),
            uses=(shares.name, absorbed.name),
        ),
        Step(
            name="gradients of one sample",
            claim=(
                r"$\partial_{V_a} = r\,\sigma(s)$, $\partial_{u_a} = r\,(\mu_a v + n_a)\,\sigma'(s)\,x$, "
                r"$\partial_p = r\,\sigma(t)$, $\partial_t = r\,p\,\sigma'(t)$, $\partial_{w_p} = "
                r"r\,p\,\sigma'(t)\,x$."
            ),
            obligations=(
                Identity(left=at(partial(wide, V1), point), right=r * sigma(s)),
                Identity(left=at(partial(wide, u1), point), right=r * (mu1 * v + n1) * smooth("sigma", 1, 1)(s) * x),
                Identity(left=at(partial(wide, p), point), right=r * sigma(t)),
                Identity(left=at(partial(wide, t), point), right=r * p * smooth("sigma", 1, 1)(t)),
                Identity(left=at(partial(wide, wp), point), right=r * p * smooth("sigma", 1, 1)(t) * x),
            ),
            uses=(shares.name, absorbed.name),
        ),
        Step(
            name="their means",
            claim=(
                r"$G_v = 0$; $\mu_a A v + A n_a = 0$; $\sigma(t) R = 0$; $\sigma'(t)\,p\cdot R = 0$; "
                r"$\sigma'(t)\,C^{T} p = 0$. The terms $A n_a$ and $C^{T}p$ stand alone, so their vanishing is "
                r"necessary."
            ),
            obligations=(
                Identity(left=Gv),
                Identity(left=mu1 * Av + An),
                Identity(left=sigma(t) * R),
                Identity(left=smooth("sigma", 1, 1)(t) * p * R),
                Identity(left=smooth("sigma", 1, 1)(t) * Cp),
            ),
            uses=(bias.name, node.name, null.name),
        ),
    ),
)
