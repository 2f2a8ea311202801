"""T6: splitting a node, the line of stationary points at lambda = 0, and what a penalty leaves of it.

One sample. A node with incoming weights w and outgoing weights v becomes two nodes,

    w1 = w + (1 - mu) eta,  w2 = w - mu eta,   v1 = mu v + zeta,  v2 = (1 - mu) v - zeta,

an invertible change of the 2 (n + m) new parameters to (w, eta, v, zeta). f(theta, q) is the sample's loss as a
function of any other parameter and of what the node hands on to two inputs i and k of the next layer.
"""

import sympy as sp

from symland.theorems import Hypothesis, Identity, Positive, Step, Theorem, at, partial, smooth

old, mu, s, x1, x2 = sp.symbols("theta mu s x_1 x_2")
o1, o2, e1, e2 = sp.symbols("omega_1 omega_2 eta_1 eta_2")
v_i, v_k, zeta_i, zeta_k = sp.symbols("v_i v_k zeta_i zeta_k")
f, sigma = smooth("f", 3), smooth("sigma", 1)

centre = s + o1 * x1 + o2 * x2
step = e1 * x1 + e2 * x2
first, second = sigma(centre + (1 - mu) * step), sigma(centre - mu * step)
split = f(
    old,
    (mu * v_i + zeta_i) * first + ((1 - mu) * v_i - zeta_i) * second,
    (mu * v_k + zeta_k) * first + ((1 - mu) * v_k - zeta_k) * second,
)
whole = f(old, v_i * sigma(centre), v_k * sigma(centre))
eta0, zeta0 = sp.symbols("eta_0 zeta_0")
point = {e1: eta0, e2: eta0, zeta_i: zeta0, zeta_k: zeta0}
same_in = Hypothesis(
    name="same incoming weights", statement=r"$\eta = 0$: both nodes have the incoming weights $w$", rules=((eta0, 0),)
)
same_out = Hypothesis(
    name="proportional outgoing weights",
    statement=r"$\zeta = 0$: outgoing weights $\mu v$ and $(1-\mu) v$",
    rules=((zeta0, 0),),
)
r_i = smooth("f", 3, 0, 1, 0)(old, v_i * sigma(centre), v_k * sigma(centre))
r_k = smooth("f", 3, 0, 0, 1)(old, v_i * sigma(centre), v_k * sigma(centre))
slope, bend = smooth("sigma", 1, 1)(centre), smooth("sigma", 1, 2)(centre)
both = (same_in.name, same_out.name)

w, w1, w2, v, v1, v2 = sp.symbols("w w_1 w_2 v v_1 v_2")
W, ETA, V, ZETA = sp.symbols("W ETA V ZETA")


def entry(*variables):
    return at(partial(split, *variables), point)


SPLIT = Theorem(
    identifier="T6-splitting",
    title="Splitting a node without penalty",
    statement=(
        r"At $\lambda = 0$, splitting a node $(w, v)$ of a stationary point into $(w, \mu v)$ and $(w, (1-\mu) v)$ "
        r"gives a line of stationary points of equal loss, for any depth, widths, data and loss. "
        r"In suitable coordinates the Hessian is the narrow one and the block $\begin{pmatrix}\mu(1-\mu) B & A\\ "
        r"A^{T} & 0\end{pmatrix}$ in $(\eta, \zeta)$, "
        r"$B = \frac1D\sum_d (v\cdot r_d)\,\sigma''(s_d)\,\xi_d\xi_d^{T}$, $A = \frac1D\sum_d \sigma'(s_d)\,\xi_d "
        r"r_d^{T}$, where $A v = 0$."
    ),
    variables=(
        (r"$\omega$", "a change of $w$"),
        (r"$s_d, \xi_d$", "the node's input and the signals it reads"),
        (r"$r_d$", r"$\partial\ell_d/\partial a$, $a$ the inputs of the next layer"),
    ),
    hypotheses=(same_in, same_out),
    source="Fukumizu and Amari, Neural Networks 13, 317 (2000), one output; several outputs: this package",
    rests_on=("linearity of the mean over samples", "Sylvester's law of inertia"),
    steps=(
        Step(
            name="coordinates",
            claim=(
                r"$w = \mu w_1 + (1-\mu) w_2$, $\eta = w_1 - w_2$, $v = v_1 + v_2$, $\zeta = (1-\mu) v_1 - \mu v_2$ "
                r"invert the change."
            ),
            obligations=(
                Identity(left=mu * (W + (1 - mu) * ETA) + (1 - mu) * (W - mu * ETA), right=W),
                Identity(left=(W + (1 - mu) * ETA) - (W - mu * ETA), right=ETA),
                Identity(left=(mu * V + ZETA) + ((1 - mu) * V - ZETA), right=V),
                Identity(left=(1 - mu) * (mu * V + ZETA) - mu * ((1 - mu) * V - ZETA), right=ZETA),
            ),
        ),
        Step(
            name="same function",
            claim=(
                r"At $\eta = 0$ the two nodes do what the one did, for every $\zeta$, $\theta$, $w$, $v$: so do all "
                r"derivatives in $(\theta, w, v)$."
            ),
            obligations=(Identity(left=at(split, {e1: eta0, e2: eta0}), right=whole),),
            uses=(same_in.name,),
        ),
        Step(
            name="gradient",
            claim=(
                r"$\partial_\eta f = \partial_\zeta f = 0$ for every $\theta$, $w$, $v$; so the cross blocks with "
                r"them vanish too."
            ),
            obligations=(Identity(left=entry(e1)), Identity(left=entry(zeta_i))),
            uses=both,
        ),
        Step(
            name="eta block",
            claim=r"$\partial_{\eta_m}\partial_{\eta_n} f = \mu(1-\mu)\,(v\cdot r)\,\sigma''(s)\,x_m x_n$.",
            obligations=(
                Identity(left=entry(e1, e2), right=mu * (1 - mu) * (v_i * r_i + v_k * r_k) * bend * x1 * x2),
                Identity(left=entry(e1, e1), right=mu * (1 - mu) * (v_i * r_i + v_k * r_k) * bend * x1**2),
            ),
            uses=both,
        ),
        Step(
            name="mixed and zeta blocks",
            claim=(
                r"$\partial_{\eta_m}\partial_{\zeta_i} f = \sigma'(s)\,x_m r_i$, "
                r"$\partial_{\zeta_i}\partial_{\zeta_k} f = 0$."
            ),
            obligations=(
                Identity(left=entry(e1, zeta_i), right=slope * x1 * r_i),
                Identity(left=entry(e2, zeta_k), right=slope * x2 * r_k),
                Identity(left=entry(zeta_i, zeta_k)),
                Identity(left=entry(zeta_i, zeta_i)),
            ),
            uses=both,
        ),
        Step(
            name="A v = 0",
            claim=(
                r"$\partial_{w_m} f = \sigma'(s)\,x_m\,(v\cdot r)$: its mean, zero at a stationary point, is $(A "
                r"v)_m$."
            ),
            obligations=(Identity(left=at(partial(whole, o1), {}), right=slope * x1 * (v_i * r_i + v_k * r_k)),),
        ),
    ),
)

a, b, c, u0, u1, t = sp.symbols("a b c u_0 u_1 t")
inside = Hypothesis(name="inside", statement=r"$0 < \mu < 1$", rules=((mu, 1 / (1 + t)),), positive=(t,))
definite = Hypothesis(
    name="definite",
    statement=r"$B$ is positive definite: $\eta^{T} B\eta = b > 0$ for the direction at hand",
    positive=(b,),
)
opposite = Hypothesis(
    name="two outputs",
    statement=r"$r = (\rho, -\rho)$, so $A = a\,(1,-1)$, and $v_0 \ne v_1$: $A v = a (v_0 - v_1) = 0$",
    rules=((a, c / (u0 - u1)), (c, 0)),
)
coupled = Hypothesis(
    name="coupled", statement=r"$\eta^{T} A\zeta = a \ne 0$ for some $\eta, \zeta$", positive=(sp.Symbol("alpha"),)
)
alpha = sp.Symbol("alpha")

DECIDE = Theorem(
    identifier="T6-deciding-matrix",
    title="Minimum or saddle after a split",
    statement=(
        r"For one output, or two softmax outputs with $v_0\ne v_1$, $A = 0$ and the block is $\mu(1-\mu) B$: with "
        r"$B$ definite a minimum splits into minima for $\mu(1-\mu) B > 0$ (up to the flat line) and into saddles "
        r"of index $n$ for $\mu(1-\mu) B < 0$; "
        r"with $B$ indefinite always into saddles. For more outputs, if $A \ne 0$ the block is indefinite for every "
        r"$\mu$: every split of every stationary point, minima included, is a saddle."
    ),
    variables=(
        (r"$a, b$", r"values of $A$ and $B$ in one direction"),
        (r"$\alpha$", r"$|a|$"),
        (r"$t$", r"$1/\mu - 1$"),
    ),
    hypotheses=(inside, definite, opposite, coupled),
    rests_on=("T6-splitting", "interlacing: a 2 x 2 compression with negative determinant shows a negative eigenvalue"),
    source="Fukumizu and Amari (2000) for one output; several outputs: this package",
    steps=(
        Step(
            name="A = 0",
            claim=r"$a = 0/(v_0 - v_1)$; for one output $A v = a v = 0$ says the same.",
            obligations=(Identity(left=a),),
            uses=(opposite.name,),
        ),
        Step(
            name="between the ends",
            claim=(
                r"$\mu(1-\mu) b > 0$ for $\mu = 1/(1+t)$, $t > 0$; beyond the ends, for $\mu = 1 + t$, it is "
                r"negative."
            ),
            obligations=(Positive(expression=mu * (1 - mu) * b), Positive(expression=-(1 + t) * (1 - (1 + t)) * b)),
            uses=(inside.name, definite.name),
        ),
        Step(
            name="coupled",
            claim=r"$\det\begin{pmatrix}\mu(1-\mu) b & a\\ a & 0\end{pmatrix} = -a^2 < 0$.",
            obligations=(
                Identity(left=mu * (1 - mu) * b * 0 - alpha**2, right=-(alpha**2)),
                Positive(expression=-(mu * (1 - mu) * b * 0 - alpha**2)),
            ),
            uses=(coupled.name,),
        ),
    ),
)

THEOREMS = (SPLIT, DECIDE)
