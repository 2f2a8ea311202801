"""T6 under a penalty: which splits stay stationary (only that of a zero node), and which penalties keep others."""

import sympy as sp

from symland.theorems import Hypothesis, Identity, Notation, Positive, Step, Theorem, at, partial, smooth

penalty, v, w, m, total, k = sp.symbols("lambda v w m S k")
v1, others, old, b, x = sp.symbols("v_1 rest theta b x")
sigma = smooth("sigma", 1)
# Copies with the same incoming weights act through the sum of their outgoing weights alone: the mean loss is a function
# data of that sum and of everything else.
data = smooth("L", 2)
V1 = sp.Symbol("V_1")

positive = Hypothesis(name="penalty positive", statement=r"$\lambda > 0$", positive=(penalty,))
stationary = Hypothesis(
    name="narrow point stationary",
    statement=r"the narrow point is stationary along $v$: $\partial_v L(\theta, v) + 2\lambda v = 0$",
    rules=((smooth("L", 2, 0, 1)(old, v), -2 * penalty * v),),
)
split = Hypothesis(
    name="same function",
    statement=r"the copies have the incoming weights and bias of the node, and $\sum_{a=1}^m v_a = v$",
    rules=((others, v - v1), (total, v)),
)
several = Hypothesis(name="several copies", statement=r"$m = k + 1 \ge 2$", rules=((m, k + 1),), positive=(k,))

one = smooth("f", 2)(old, v * sigma(w * x + b))

NONE = Theorem(
    identifier="T6-penalty-forbids",
    title="No split stays stationary under a penalty",
    setting=(
        r"A network of any depth, activation $\sigma$ and data with a smooth loss, and the penalty "
        r"$\lambda\sum_p\theta_p^2$ over all parameters or over the weights alone. A node of a stationary point, "
        r"with incoming weights $w$, bias $b$ and outgoing weights $v$, is split into $m$ nodes $(w, b, v_a)$, all "
        r"other parameters kept. $L(\theta, v)$ is the mean loss of the data as a function of $v$ and of all other "
        r"parameters $\theta$."
    ),
    hypotheses=(positive, several, stationary, split),
    conclusion=(
        r"If the wide point is stationary, then $v_a = 0$ for every copy, $v = 0$ and $w = 0$, and $b = 0$ if the "
        r"penalty is over all parameters. So a node that is not zero has no split that stays stationary, under "
        r"either penalty, and the line of stationary points that a split is without a penalty does not survive any "
        r"$\lambda > 0$. With the penalty over all parameters the node was a zero node, and the split is a zero "
        r"extension; with the penalty over the weights alone its bias is free (T5-flat-bias). For odd $\sigma$ the "
        r"same holds for copies $(\pm w, \pm b, \pm v_a)$."
    ),
    variables=((r"S", r"$\sum_a v_a$"), (r"{\rm rest}", r"$\sum_{a > 1} v_a$"), (r"f", "the loss of a sample")),
    rests_on=("T1-hidden for the copies of opposite sign", "linearity of the mean over samples"),
    source=r"this package; the line without a penalty: \cite{fukumizu2000}",
    steps=(
        Step(
            name="each copy",
            claim=(
                r"$\partial E/\partial v_a = \partial_v L(\theta, v) + 2\lambda v_a = 2\lambda(v_a - v)$, so that "
                r"stationarity asks $v_a = v$ of every copy."
            ),
            obligations=(
                Identity(
                    left=at(partial(data(old, V1 + others) + penalty * V1**2, V1), {V1: v1}),
                    right=2 * penalty * (v1 - v),
                ),
            ),
            uses=(split.name, stationary.name),
        ),
        Step(
            name="their sum",
            claim=r"$\sum_a \partial E/\partial v_a = m\,\partial_v L + 2\lambda\sum_a v_a = -2\lambda (m - 1) v$.",
            obligations=(
                Identity(left=m * partial(data(old, v), v) + 2 * penalty * total, right=-2 * penalty * k * v),
            ),
            uses=(several.name, stationary.name, split.name),
        ),
        Step(
            name="so v = 0",
            claim=r"$2\lambda (m-1) \ne 0$; so $v = 0$, and each $v_a = v = 0$.",
            obligations=(Positive(expression=2 * penalty * (m - 1)),),
            uses=(several.name, positive.name),
        ),
        Step(
            name="then w = 0",
            claim=(
                r"At $v = 0$ the data do not feel $w$ and $b$: the gradient along $w$ is $2\lambda w$, that along a "
                r"penalised $b$ is $2\lambda b$, that along a free $b$ is zero."
            ),
            obligations=(
                Identity(left=at(partial(one + penalty * (w**2 + b**2), w), {v: 0}), right=2 * penalty * w),
                Identity(left=at(partial(one + penalty * (w**2 + b**2), b), {v: 0}), right=2 * penalty * b),
                Identity(left=at(partial(one + penalty * w**2, b), {v: 0})),
            ),
        ),
    ),
)

W1, share, rest = sp.symbols("W_1 V rest")
F, G = sp.symbols("F G")
outgoing, incoming = sp.symbols("lambda_v lambda_w")
f = smooth("f", 2)
narrow = f(old, v * sigma(w * x))
copy = f(old, share * sigma(W1 * x) + rest)
at_copy = {W1: w}
whole = {v: m * share}
narrow_stationary = Hypothesis(
    name="narrow point stationary",
    statement=r"$F + 2\lambda w = 0$ and $G + 2\lambda v = 0$",
    rules=((F, -2 * penalty * w), (G, -2 * penalty * v)),
)
rescaled = Hypothesis(
    name="rescaled penalties",
    statement=r"for (a): $\lambda_v = m\lambda$ and $\lambda_w = \lambda/m$",
    rules=((outgoing, m * penalty), (incoming, penalty / m)),
)
wide_stationary = Hypothesis(
    name="wide point stationary",
    statement=r"for (b): $F/m + 2\lambda_w w = 0$ and $G + 2\lambda_v v/m = 0$, $w, v \ne 0$",
    rules=((incoming, -F / (2 * m * w)), (outgoing, -m * G / (2 * v))),
)
equal = Notation(
    name="other copies",
    statement=r"$v = m V$, and the other $m - 1$ copies add $(m - 1) V\sigma(w x)$",
    rules=((rest, (m - 1) * share * sigma(w * x)),),
)

REPLACED = Theorem(
    identifier="T6-rescaled-penalty",
    title="The penalty that keeps a split",
    setting=(
        r"A network of any depth with a smooth loss and the penalty $\lambda\sum_p\theta_p^2$. A node of a "
        r"stationary point, with incoming weights and bias $w$ and outgoing weights $v$, is split into $m$ equal "
        r"copies $(w, v/m)$, whose penalties are $\lambda_w |w|^2$ on incoming and $\lambda_v |v/m|^2$ on outgoing "
        r"weights. $F$ and $G$ are the gradients of the mean loss of the data along $w$ and along $v$ at the narrow "
        r"point."
    ),
    hypotheses=(narrow_stationary, rescaled, wide_stationary),
    conclusion=(
        r"(a) With $\lambda_v = m\lambda$ and $\lambda_w = \lambda/m$ the wide point is stationary, with equal loss. "
        r"(b) No other pair of penalties keeps it stationary where $v, w \ne 0$."
    ),
    notation=(equal,),
    variables=((r"f", "the loss of a sample"), (r"W_1, V", "the parameters of one copy")),
    rests_on=("linearity of the mean over samples",),
    source="this package",
    steps=(
        Step(
            name="gradients of the data",
            claim=r"A copy's gradients are $F/m$ along its $w$ and $G$ along its $v$, for each sample.",
            obligations=(
                Identity(left=m * at(partial(copy, W1), at_copy), right=at(partial(narrow, w), whole)),
                Identity(left=at(partial(copy, share), at_copy), right=at(partial(narrow, v), whole)),
            ),
            uses=(equal.name,),
        ),
        Step(
            name="stationary",
            claim=r"$F/m + 2\lambda_w w = 0$ and $G + 2\lambda_v v/m = 0$.",
            obligations=(Identity(left=F / m + 2 * incoming * w), Identity(left=G + 2 * outgoing * v / m)),
            uses=(narrow_stationary.name, rescaled.name),
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
            claim=r"$\lambda_w = -F/(2mw) = \lambda/m$ and $\lambda_v = -mG/(2v) = m\lambda$.",
            obligations=(Identity(left=incoming, right=penalty / m), Identity(left=outgoing, right=m * penalty)),
            uses=(wide_stationary.name, narrow_stationary.name),
        ),
    ),
)

c, s, t, y, v2 = sp.symbols("c s t y v_2")
linear = Hypothesis(
    name="linear activation",
    statement=r"$\sigma(z) = \kappa z$",
    rules=(
        (sigma(c * x), sp.Symbol("kappa") * c * x),
        (sigma(s * x), sp.Symbol("kappa") * s * x),
        (sigma(x), sp.Symbol("kappa") * x),
    ),
)
unit = Notation(
    name="rotation",
    statement=(
        r"$c = \frac{1-t^2}{1+t^2}$, $s = \frac{2t}{1+t^2}$: every point of the circle but one, which follows by "
        r"continuity"
    ),
    rules=((c, (1 - t**2) / (1 + t**2)), (s, 2 * t / (1 + t**2))),
)

CIRCLE = Theorem(
    identifier="T6-linear-circle",
    title="The exception: linear activations",
    setting=(
        r"A network whose hidden layer has the activation $\sigma(z) = \kappa z$, any smooth loss, and the penalty "
        r"$\lambda\sum_p\theta_p^2$, $\lambda \ge 0$, over all parameters or over the weights alone. A node of a "
        r"stationary point has the incoming weights and bias $w$ and the outgoing weights $v$."
    ),
    hypotheses=(linear,),
    conclusion=(
        r"The points at which the node is replaced by the two nodes $(c\,w, c\,v)$ and $(s\,w, s\,v)$, $c^2 + s^2 = "
        r"1$, are a circle of stationary points of equal loss, for every $\lambda \ge 0$: the orbit of the zero "
        r"extension ($c = 1$) under the rotations of the two nodes, which leave the loss unchanged everywhere."
    ),
    notation=(unit,),
    variables=(
        (r"x, y", r"the nodes' inputs $w_1\cdot\xi$ and $w_2\cdot\xi$"),
        (r"w, y", "in the rotation, their weights"),
    ),
    rests_on=(
        "T5-extension, as a linear activation vanishes at 0",
        "an orthogonal map that leaves a function unchanged maps stationary points to stationary points",
    ),
    source="classical for linear networks",
    steps=(
        Step(
            name="same output",
            claim=r"$c v\,\sigma(c x) + s v\,\sigma(s x) = v\,\sigma(x)$.",
            obligations=(Identity(left=c * v * sigma(c * x) + s * v * sigma(s * x), right=v * sigma(x)),),
            uses=(linear.name, unit.name),
        ),
        Step(
            name="rotation",
            claim=(
                r"Rotating $(w_1, w_2)$ and $(v_1, v_2)$ by one angle keeps $v_1 w_1 + v_2 w_2$, through which alone "
                r"the two nodes act, and the sums of squares."
            ),
            obligations=(
                Identity(
                    left=(c * v1 - s * v2) * (c * w - s * y) + (s * v1 + c * v2) * (s * w + c * y),
                    right=v1 * w + v2 * y,
                ),
                Identity(left=(c * v1 - s * v2) ** 2 + (s * v1 + c * v2) ** 2, right=v1**2 + v2**2),
            ),
            uses=(unit.name,),
        ),
    ),
)

p, bias, constant_mean, constant = sp.symbols("p c R sigma_t")
both_stationary = Hypothesis(
    name="wide point stationary",
    statement=r"the wide point is stationary: $\sigma(t) R + 2\lambda p = 0$ and $R + 2\lambda c = 0$",
    rules=((p, -constant * constant_mean / (2 * penalty)), (constant_mean, -2 * penalty * bias)),
)
speaking = Notation(
    name="it says something",
    statement=(
        r"the case $\lambda, \sigma(t), c > 0$ of a component with $p \ne 0$; the sign of $c$ is that of the product"
    ),
    positive=(penalty, constant, bias),
)

CONSTANT = Theorem(
    identifier="T6-constant-nodes",
    title="A constant node is no extension",
    setting=(
        r"A network of any depth with a smooth loss, biases, and the penalty $\lambda\sum_p\theta_p^2$, $\lambda > "
        r"0$, over \emph{all} parameters. A stationary point of it has a node with the incoming weights $0$, the "
        r"bias $t$ and the outgoing weights $p \ne 0$; $c$ are the biases of the next layer, $R = "
        r"\frac1D\sum_d\partial\ell_d/\partial c$."
    ),
    hypotheses=(both_stationary,),
    conclusion=(
        r"The narrower network that takes $\sigma(t)\,p$ into its next bias computes the same function and is "
        r"\emph{not} stationary there: along its bias $c + \sigma(t) p$ the gradient is $2\lambda\,\sigma(t)^2 c \ne "
        r"0$, and $p = \sigma(t)\,c$."
    ),
    notation=(speaking,),
    rests_on=("linearity of the mean over samples",),
    source="this package",
    steps=(
        Step(
            name="the share",
            claim=r"$p = \sigma(t)\,c$: where $p \ne 0$ neither $\sigma(t)$ nor that component of $c$ vanishes.",
            obligations=(Identity(left=p, right=constant * bias),),
            uses=(both_stationary.name,),
        ),
        Step(
            name="narrow gradient",
            claim=(
                r"Along the narrow bias $c + \sigma(t) p$ it is $R + 2\lambda (c + \sigma(t) p) = "
                r"2\lambda\,\sigma(t)^2 c$."
            ),
            obligations=(
                Identity(
                    left=constant_mean + 2 * penalty * (bias + constant * p), right=2 * penalty * constant**2 * bias
                ),
                Positive(expression=constant_mean + 2 * penalty * (bias + constant * p)),
            ),
            uses=(both_stationary.name, speaking.name),
        ),
    ),
)

THEOREMS = (NONE, REPLACED, CIRCLE, CONSTANT)
