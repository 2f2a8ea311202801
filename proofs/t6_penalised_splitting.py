"""T6 under a penalty: which splits stay stationary (only that of a zero node), and which penalties keep others."""

import sympy as sp

from symland.theorems import Hypothesis, Identity, Positive, Step, Theorem, smooth

penalty, v, w, G, m, total, k = sp.symbols("lambda v w G m S k")
v1, v2 = sp.symbols("v_1 v_2")

positive = Hypothesis(name="penalty positive", statement=r"$\lambda > 0$", positive=(penalty,))
stationary = Hypothesis(
    name="narrow point stationary",
    statement=r"$G + 2\lambda v = 0$ with $G = \frac1D\sum_d r_d\,\sigma(s_d)$",
    rules=((G, -2 * penalty * v),),
)
split = Hypothesis(
    name="same function",
    statement=r"the copies have the incoming weights $w$ and $\sum_{a=1}^m v_a = v$",
    rules=((total, v),),
)
several = Hypothesis(name="several copies", statement=r"$m = k + 1 \ge 2$", rules=((m, k + 1),), positive=(k,))

NONE = Theorem(
    identifier="T6-penalty-forbids",
    title="No split stays stationary under a penalty",
    statement=(
        r"Let $\lambda > 0$ hold the outgoing weights (on all parameters, or on weights alone). If a node $(w, v)$ "
        r"of a stationary point is split into $m \ge 2$ copies $(w, v_a)$ with $\sum_a v_a = v$, "
        r"the result is stationary only if $v = 0$, whence $w = 0$ too: the node was a zero node, and the split is "
        r"a zero extension. For odd $\sigma$ the same holds for copies $(\pm w, \pm v_a)$. "
        r"So the line of stationary points of Fukumizu and Amari does not survive any $\lambda > 0$."
    ),
    variables=(
        (r"$G$", r"the data's gradient along the outgoing weights; all copies share it"),
        (r"$S$", r"$\sum_a v_a$"),
    ),
    hypotheses=(several, stationary, split, positive),
    rests_on=("T1-hidden",),
    source="this package",
    steps=(
        Step(
            name="each copy",
            claim=(
                r"$\partial E/\partial v_a = G + 2\lambda v_a = 2\lambda(v_a - v)$, so that stationarity asks $v_a "
                r"= v$ of every copy."
            ),
            obligations=(Identity(left=G + 2 * penalty * v1, right=2 * penalty * (v1 - v)),),
            uses=(stationary.name,),
        ),
        Step(
            name="their sum",
            claim=r"$\sum_a \partial E/\partial v_a = m G + 2\lambda\sum_a v_a = -2\lambda (m - 1) v$.",
            obligations=(Identity(left=m * G + 2 * penalty * total, right=-2 * penalty * k * v),),
            uses=(several.name, stationary.name, split.name),
        ),
        Step(
            name="so v = 0",
            claim=r"$2\lambda (m-1) \ne 0$.",
            obligations=(Positive(expression=2 * penalty * (m - 1)),),
            uses=(several.name, positive.name),
        ),
        Step(
            name="then w = 0",
            claim=r"The node's incoming gradient is $\sum_d(\cdots)(v\cdot r_d) + 2\lambda w = 2\lambda w$ at $v = 0$.",
            obligations=(
                Identity(left=sp.Symbol("M") * 0 + 2 * penalty * w, right=2 * penalty * w),
                Positive(expression=2 * penalty),
            ),
            uses=(positive.name,),
        ),
    ),
)

x, r = sp.symbols("x r")
F = sp.Symbol("F")
outgoing, incoming = sp.symbols("lambda_v lambda_w")
data_in, data_out = sp.symbols("F G")
incoming_stationary = Hypothesis(
    name="narrow point stationary",
    statement=r"$F + 2\lambda w = 0$, $G + 2\lambda v = 0$ with the data's gradients $F$ along $w$ and $G$ along $v$",
    rules=((F, -2 * penalty * w), (G, -2 * penalty * v)),
)
rescaled = Hypothesis(
    name="rescaled penalties",
    statement=(
        r"the $m$ copies have the penalties $\lambda_v = m\lambda$ on outgoing and $\lambda_w = \lambda/m$ on "
        r"incoming weights"
    ),
    rules=((outgoing, m * penalty), (incoming, penalty / m)),
)

REPLACED = Theorem(
    identifier="T6-rescaled-penalty",
    title="The penalty that keeps a split",
    statement=(
        r"Splitting a node into $m$ equal copies $(w, v/m)$ keeps a stationary point stationary, with equal loss, "
        r"if the copies' outgoing weights are penalised by $m\lambda$ and their incoming ones by $\lambda/m$; no "
        r"other pair of penalties does where $v, w \ne 0$."
    ),
    variables=(
        (r"$F, G$", "the data's gradients along $w$ and $v$ of the node"),
        (r"$\lambda_v, \lambda_w$", "the copies' penalties"),
    ),
    hypotheses=(incoming_stationary, rescaled),
    source="this package",
    steps=(
        Step(
            name="gradients",
            claim=r"Each copy's data gradients are $F/m$ and $G$.",
            obligations=(Identity(left=F / m + 2 * incoming * w), Identity(left=G + 2 * outgoing * v / m)),
            uses=(incoming_stationary.name, rescaled.name),
        ),
        Step(
            name="equal loss",
            claim=r"$m(\lambda_v |v/m|^2 + \lambda_w |w|^2) = \lambda(|v|^2 + |w|^2)$.",
            obligations=(
                Identity(left=m * (outgoing * (v / m) ** 2 + incoming * w**2), right=penalty * (v**2 + w**2)),
            ),
            uses=(rescaled.name,),
        ),
        Step(
            name="no other",
            claim=(
                r"$F/m + 2\lambda_w w = 2 w(\lambda_w - \lambda/m)$ and $G + 2\lambda_v v/m = (2v/m)(\lambda_v - "
                r"m\lambda)$."
            ),
            obligations=(
                Identity(left=F / m + 2 * incoming * w, right=2 * w * (incoming - penalty / m)),
                Identity(left=G + 2 * outgoing * v / m, right=2 * v / m * (outgoing - m * penalty)),
            ),
            uses=(incoming_stationary.name,),
        ),
    ),
)

c, s, v_i, rest = sp.symbols("c s v_i rest")
g, sigma = smooth("g", 1), smooth("sigma", 1)
linear = Hypothesis(
    name="linear activation",
    statement=r"$\sigma(z) = \kappa z$",
    rules=(
        (sigma(c * x), sp.Symbol("kappa") * c * x),
        (sigma(s * x), sp.Symbol("kappa") * s * x),
        (sigma(x), sp.Symbol("kappa") * x),
    ),
)
cc, ss = sp.symbols("cc ss")
unit = Hypothesis(name="unit", statement=r"$c^2 + s^2 = 1$", rules=((cc, 1 - ss),))

CIRCLE = Theorem(
    identifier="T6-linear-circle",
    title="The exception: linear activations",
    statement=(
        r"For $\sigma(z) = \kappa z$ a node $(w, v)$ of a stationary point splits into $(c\,w, c\,v)$ and $(s\,w, "
        r"s\,v)$, $c^2 + s^2 = 1$: a circle of points of equal loss and gradient norm zero, for every $\lambda \ge "
        r"0$. It is the orbit of a rotation of the two nodes."
    ),
    variables=((r"$x$", "the node's input $w\\cdot\\xi$"), (r"$cc, ss$", "$c^2$ and $s^2$")),
    hypotheses=(linear, unit),
    rests_on=("a loss that is invariant under rotations is stationary on the orbit of a zero extension",),
    source="classical for linear networks",
    steps=(
        Step(
            name="same output",
            claim=r"$c v\,\sigma(c x) + s v\,\sigma(s x) = (c^2 + s^2)\,v\,\sigma(x)$.",
            obligations=(
                Identity(left=c * v * sigma(c * x) + s * v * sigma(s * x), right=(c**2 + s**2) * v * sigma(x)),
            ),
            uses=(linear.name,),
        ),
        Step(
            name="same penalty",
            claim=r"$(c^2 + s^2)(|v|^2 + |w|^2) = |v|^2 + |w|^2$.",
            obligations=(Identity(left=(cc + ss) * (v**2 + w**2), right=v**2 + w**2),),
            uses=(unit.name,),
        ),
        Step(
            name="rotation",
            claim=(
                r"For any two nodes, rotating $(w_1, w_2)$ and $(v_1, v_2)$ by one angle keeps $v_1 w_1 + v_2 w_2$: "
                r"$(c v_1 - s v_2)(c w_1 - s w_2) + (s v_1 + c v_2)(s w_1 + c w_2) = (c^2 + s^2)(v_1 w_1 + v_2 "
                r"w_2)$."
            ),
            obligations=(
                Identity(
                    left=(c * v1 - s * v2) * (c * w - s * x) + (s * v1 + c * v2) * (s * w + c * x),
                    right=(c**2 + s**2) * (v1 * w + v2 * x),
                ),
            ),
        ),
    ),
)

share, bias, constant_mean, constant = sp.symbols("p c R sigma_t")
wide_stationary = Hypothesis(
    name="wide point stationary",
    statement=r"$\sigma(t) R + 2\lambda p = 0$ and $R + 2\lambda c = 0$ with $R = \frac1D\sum_d r_d$",
    rules=((share, constant * bias), (constant_mean, -2 * penalty * bias)),
)
speaking = Hypothesis(
    name="it says something",
    statement=r"$\lambda, \sigma(t), c > 0$ (other signs by symmetry), so that $p = \sigma(t) c \ne 0$",
    positive=(penalty, constant, bias),
)

CONSTANT = Theorem(
    identifier="T6-constant-nodes",
    title="A constant node is no extension",
    statement=(
        r"Let $\lambda > 0$ hold all parameters, biases too. If a stationary point has a node with $w = 0$ whose "
        r"output $\sigma(t)$ is handed on by $p \ne 0$, then the narrower network that takes $\sigma(t) p$ into its "
        r"next bias computes the same "
        r"function and is \emph{not} stationary: constant nodes share the bias as twins share outgoing weights."
    ),
    variables=(
        (r"$c$", "the next layer's bias in the wide network"),
        (r"$p, t$", "outgoing weights and bias of the constant node"),
    ),
    hypotheses=(wide_stationary, speaking),
    source="this package",
    steps=(
        Step(
            name="narrow gradient",
            claim=(
                r"Along the narrow bias $c + \sigma(t) p$ it is $R + 2\lambda (c + \sigma(t) p) = "
                r"2\lambda\,\sigma(t)^2 c$."
            ),
            obligations=(
                Identity(
                    left=constant_mean + 2 * penalty * (bias + constant * share), right=2 * penalty * constant**2 * bias
                ),
                Positive(expression=constant_mean + 2 * penalty * (bias + constant * share)),
            ),
            uses=(wide_stationary.name, speaking.name),
        ),
    ),
)

THEOREMS = (NONE, REPLACED, CIRCLE, CONSTANT)
