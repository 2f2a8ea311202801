"""T6: splitting a node, the line of stationary points at lambda = 0, and what a penalty leaves of it.

One sample. A node with incoming weights w and outgoing weights v becomes two nodes,

    w1 = w + (1 - mu) eta,  w2 = w - mu eta,   v1 = mu v + zeta,  v2 = (1 - mu) v - zeta,

an invertible change of the 2 (n + m) new parameters to (w, eta, v, zeta). f(theta, q) is the sample's loss as a
function of any other parameter and of what the node hands on to two inputs i and k of the next layer.
"""

import sympy as sp

from symland.theorems import Fact, Hypothesis, Identity, Notation, Positive, Step, Theorem, at, partial, smooth

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
    setting=(
        r"A network of any depth, activation $\sigma$ and data with a smooth loss $E(\theta) = \frac1D\sum_d\ell_d$, "
        r"no penalty, at a stationary point. A node of a hidden layer with incoming weights and bias $w$ and "
        r"outgoing weights $v$ is split into two, $(w_1, v_1)$ and $(w_2, v_2)$. $s_d$ is the node's input on sample "
        r"$d$, $\xi_d$ the signals that it reads, 1 for the bias, and $r_d = \partial\ell_d/\partial a$ for the "
        r"inputs $a$ of the next layer."
    ),
    hypotheses=(same_in, same_out),
    conclusion=(
        r"The points $(w, \mu v)$, $(w, (1-\mu) v)$, $\mu$ any real number, are stationary with the same loss: a "
        r"line. In the coordinates $w = \mu w_1 + (1-\mu) w_2$, $\eta = w_1 - w_2$, $v = v_1 + v_2$, $\zeta = "
        r"(1-\mu) v_1 - \mu v_2$ the Hessian there is the narrow network's, and the block $\begin{pmatrix}\mu(1-\mu) "
        r"B & A\\ A^{T} & 0\end{pmatrix}$ in $(\eta, \zeta)$ with $B = \frac1D\sum_d (v\cdot "
        r"r_d)\,\sigma''(s_d)\,\xi_d\xi_d^{T}$, $A = \frac1D\sum_d \sigma'(s_d)\,\xi_d r_d^{T}$, where $A v = 0$."
    ),
    variables=(
        (r"\omega", "a change of $w$"),
        (r"f", "the loss of a sample; two signals and two inputs of the next layer stand for any number"),
    ),
    source=r"one output: \cite{fukumizu2000}; several outputs: this package",
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

b, u0, u1, t, gap = sp.symbols("b v_0 v_1 t delta")
alpha, bent, step_length = sp.symbols("alpha beta zeta")
# One signal and two samples: k_d = sigma'(s_d) xi_d / D, and the residuals r_d of two outputs.
k1, k2, r10, r11, r20, r21 = sp.symbols("k_1 k_2 r_10 r_11 r_20 r_21")
inside = Notation(
    name="inside",
    statement=r"where $0 < \mu < 1$: $\mu = 1/(1 + t)$, $t > 0$",
    rules=((mu, 1 / (1 + t)),),
    positive=(t,),
)
definite = Notation(name="definite", statement=r"a direction $\eta$ with $b = \eta^{T} B\eta > 0$", positive=(b,))
opposite = Fact(
    name="two outputs",
    statement=r"for two softmax outputs $r_{d1} = -r_{d0}$",
    rules=((r11, -r10), (r21, -r20)),
    after=("T5-classes",),
    by=r"$\sum_i\partial\ell/\partial z_i = 0$, its step \emph{gauge}",
)
coupled = Notation(
    name="coupled",
    statement=(
        r"where $A \ne 0$: $\eta$ and $\zeta_0$ with $\alpha = \eta^{T} A\zeta_0 > 0$, $\beta = \mu(1-\mu)\,\eta^{T} "
        r"B\eta$, and $\zeta = -\frac{\beta + \delta}{2\alpha}\,\zeta_0$ with $\delta > 0$"
    ),
    rules=((step_length, -(bent + gap) / (2 * alpha)),),
    positive=(gap, alpha),
)

DECIDE = Theorem(
    identifier="T6-deciding-matrix",
    title="Minimum or saddle after a split",
    setting=(
        r"As in T6-splitting: a network of any depth with a smooth loss and no penalty; at a stationary point a node "
        r"with outgoing weights $v$ is split into $(w, \mu v)$ and $(w, (1-\mu) v)$, and the Hessian gains the block "
        r"$\begin{pmatrix}\mu(1-\mu) B & A\\ A^{T} & 0\end{pmatrix}$ with $A v = 0$. $n$ is the number of incoming "
        r"parameters of the node, so $B$ is $n \times n$."
    ),
    conclusion=(
        r"(a) If the node's layer is followed by one output and $v \ne 0$, or by two softmax outputs and $v_0\ne "
        r"v_1$, then $A = 0$. (b) If $A = 0$ and $B$ is definite, the split adds $n$ positive eigenvalues for "
        r"$\mu(1-\mu) B > 0$, and $n$ negative ones for $\mu(1-\mu) B < 0$; all others that it adds are zero, and "
        r"belong to the affine space $\eta = 0$ of stationary points with the same loss. So the split of a minimum "
        r"with a positive definite Hessian is a minimum (not strict) in the first case, and a saddle of index $n$ in "
        r"the second. (c) If $A = 0$ and $B$ is indefinite, the split is a saddle for every $\mu \ne 0, 1$. (d) If "
        r"$A \ne 0$ the block is indefinite for every $\mu$: every split of every stationary point, minima included, "
        r"is a saddle."
    ),
    notation=(inside, definite, coupled),
    facts=(opposite,),
    variables=(
        (
            r"k_d",
            r"$\sigma'(s_d)\,\xi_d/D$ for one signal, so that $A_i = \sum_d k_d r_{di}$; two samples stand for any",
        ),
    ),
    rests_on=(
        "T6-splitting",
        "a function that is constant on a manifold of stationary points, and has a positive definite Hessian across "
        "it, has a local minimum on it",
        "a symmetric matrix with a negative value of its quadratic form has a negative eigenvalue",
    ),
    source=r"one output: \cite{fukumizu2000}; several outputs: this package",
    steps=(
        Step(
            name="A = 0",
            claim=(
                r"$A v = A_0 v_0 + A_1 v_1 = A_0 (v_0 - v_1)$ and $A_1 = -A_0$; so $A v = 0$ and $v_0 \ne v_1$ give "
                r"$A = 0$. For one output $A v$ is $A$ times the number $v$."
            ),
            obligations=(
                Identity(
                    left=k1 * (r10 * u0 + r11 * u1) + k2 * (r20 * u0 + r21 * u1),
                    right=(k1 * r10 + k2 * r20) * (u0 - u1),
                ),
                Identity(left=k1 * r11 + k2 * r21, right=-(k1 * r10 + k2 * r20)),
            ),
            uses=(opposite.name,),
        ),
        Step(
            name="between the ends",
            claim=(
                r"$\mu(1-\mu) b > 0$ for $\mu = 1/(1+t)$, $t > 0$; beyond the ends, for $\mu = 1 + t$, it is "
                r"negative, and so it is for $\mu = -t$."
            ),
            obligations=(
                Positive(expression=mu * (1 - mu) * b),
                *(Positive(expression=-at(mu * (1 - mu) * b, {mu: beyond})) for beyond in (1 + t, -t)),
            ),
            uses=(inside.name, definite.name),
        ),
        Step(
            name="coupled",
            claim=(
                r"The quadratic form of the block at $(\eta, \zeta)$ is $\beta + 2\,\eta^{T} A\zeta = -\delta < 0$; "
                r"with $\zeta$ reversed it is $2\beta + \delta > 0$ for large $\delta$."
            ),
            obligations=(
                Identity(left=bent + 2 * step_length * alpha, right=-gap),
                Identity(left=bent - 2 * step_length * alpha, right=2 * bent + gap),
                Positive(expression=-(bent + 2 * step_length * alpha)),
            ),
            uses=(coupled.name,),
        ),
    ),
)

THEOREMS = (SPLIT, DECIDE)
