"""T5 where the penalty leaves biases alone, and what holds for sigma(0) != 0.

Two samples, each with a loss f(theta, c_i, c_k) and a signal xi(theta) of its own, stand for any number, and so do two
inputs of the next layer with the biases c_i and c_k. The new node adds v_i sigma(w xi + t) and v_k sigma(w xi + t).
"""

import sympy as sp

from symland.theorems import Hypothesis, Identity, Notation, Positive, Step, Theorem, at, partial, smooth

old, c_i, c_k, v_i, v_k, w, t, penalty = sp.symbols("theta c_i c_k v_i v_k w t lambda")
sigma, slope = smooth("sigma", 1), smooth("sigma", 1, 1)
SAMPLES = tuple((smooth(f"f_{d}", 3), smooth(f"xi_{d}", 1)(old)) for d in (1, 2))


def mean(term):
    """The mean over samples of what `term` makes of a sample's loss and signal."""
    return sp.Add(*(term(f, xi) for f, xi in SAMPLES)) / len(SAMPLES)


def data(added):
    """The mean loss when `added(xi)` times v is added to the inputs of the next layer."""
    return mean(lambda f, xi: f(old, c_i + v_i * added(xi), c_k + v_k * added(xi)))


narrow = mean(lambda f, xi: f(old, c_i, c_k))
squares = penalty * (v_i**2 + v_k**2 + w**2)
wide = data(lambda xi: sigma(w * xi + t)) + squares
# The shear takes the constant sigma(t) of the point at hand, bias, off the next layer's bias.
bias = sp.Symbol("t_0")
sheared = data(lambda xi: sigma(w * xi + t) - sigma(bias)) + squares
point = {v_i: 0, v_k: 0, w: 0}
at_bias = {**point, t: bias}
C_i = mean(lambda f, xi: partial(f(old, c_i, c_k), c_i) * xi)
C_k = mean(lambda f, xi: partial(f(old, c_i, c_k), c_k) * xi)


def entry(*variables):
    return at(partial(wide, *variables), point)


def sheared_entry(*variables):
    return at(partial(sheared, *variables), at_bias)


def other(*orders):
    """The second sample's slope as the first's, reversed: their mean vanishes."""
    return smooth("f_1", 3, *orders)(old, c_i, c_k), -smooth("f_2", 3, *orders)(old, c_i, c_k)


stationary = Hypothesis(
    name="next bias stationary",
    statement=(
        r"the narrow point is stationary, so $\partial E_{\rm narrow}/\partial c = \frac1D\sum_d \partial "
        r"f_d/\partial c = 0$"
    ),
    rules=(other(0, 1, 0), other(0, 0, 1)),
)

SETTING = (
    r"A network of any depth, activation $\sigma$ and smooth loss $\frac1D\sum_d\ell_d$, with biases in every layer, "
    r"a penalty $\lambda \ge 0$ on the square of each weight, and \emph{no} penalty on biases: its loss is $E_{\rm "
    r"narrow}(\theta)$. One node is added to a hidden layer, with incoming weights $w$, bias $t$ and outgoing "
    r"weights $v$: $E(\theta, w, v, t)$. $c$ are the biases of the next layer, $\xi$ the outputs of the layer "
    r"before, $f_d$ the loss of sample $d$ as a function of $\theta$, and $C_{im} = \frac1D\sum_d (\partial "
    r"f_d/\partial c_i)\,\xi_m(x_d)$ the residual matrix of T5-extension without its bias column, $\tau_k$ its "
    r"singular values. "
)

FLAT = Theorem(
    identifier="T5-flat-bias",
    title="Penalty on the weights alone: the new bias is a flat direction",
    setting=SETTING + r"$F = \partial^2 E_{\rm narrow}/\partial c\,\partial c$.",
    hypotheses=(stationary,),
    conclusion=(
        r"(a) For \emph{any} $t$ the extension by $v = 0$, $w = 0$ is stationary with the same loss: a line of "
        r"stationary points. (b) There the Hessian on $(w, v, t)$ is $\begin{pmatrix} 2\lambda I & \sigma'(t) C^{T} "
        r"& 0\\ \sigma'(t) C & 2\lambda I + \sigma(t)^2 F & 0\\ 0 & 0 & 0\end{pmatrix}$; $v$ is coupled to the old "
        r"parameters by $\partial^2 E/\partial v\,\partial\theta = \sigma(t)\,\partial^2 E_{\rm narrow}/\partial "
        r"c\,\partial\theta$, and $w$ and $t$ are not coupled to them. (c) In the variables $(\theta\text{ with }c - "
        r"\sigma(t) v\text{ for }c,\ w, v, t)$ the Hessian is block diagonal: the narrow network's, the block of "
        r"T5-spectrum with $\sigma'(t) C$, and $0$ for $t$. So the index rises by the number of $\tau_k$ with "
        r"$|\sigma'(t)|\tau_k > 2\lambda$, and the nullity by one and the number with equality. Only where "
        r"$\sigma(t) = 0$ are the eigenvalues of (b) those of T5-spectrum, and $0$."
    ),
    variables=(
        (r"f_d(\theta, c_i, c_k)", "the loss of a sample; two samples and two components of $c$ stand for any number"),
        (r"\xi_d(\theta)", "a signal that the new node reads"),
        (r"t_0", "the value of $t$ at the point at hand, which the shear keeps fixed"),
    ),
    rests_on=("linearity of sums over samples", "T5-spectrum", "Sylvester's law of inertia"),
    source="this package",
    steps=(
        Step(
            name="the loss does not feel t",
            claim=r"$E(\theta, w, 0, t) = E_{\rm narrow}(\theta) + \lambda|w|^2$ for every $t$ and $w$.",
            obligations=(Identity(left=at(wide, {v_i: 0, v_k: 0}), right=narrow + penalty * w**2),),
        ),
        Step(
            name="gradient",
            claim=(
                r"At $v = w = 0$: $\partial_v E = \sigma(t)\,\partial_c E_{\rm narrow} = 0$ and $\partial_w E = "
                r"\partial_t E = 0$; $\partial_\theta E$ is the narrow network's."
            ),
            obligations=(
                Identity(left=entry(v_i)),
                Identity(left=entry(v_k)),
                Identity(left=entry(w)),
                Identity(left=entry(t)),
                Identity(left=entry(old), right=partial(narrow, old)),
                Identity(left=entry(c_i), right=partial(narrow, c_i)),
            ),
            uses=(stationary.name,),
        ),
        Step(
            name="new block",
            claim=(
                r"$\partial_v\partial_v E = 2\lambda I + \sigma(t)^2 F$, $\partial_v\partial_w E = \sigma'(t) C$, "
                r"$\partial_w\partial_w E = 2\lambda I$."
            ),
            obligations=(
                Identity(left=entry(v_i, v_i), right=2 * penalty + sigma(t) ** 2 * partial(narrow, c_i, c_i)),
                Identity(left=entry(v_i, v_k), right=sigma(t) ** 2 * partial(narrow, c_i, c_k)),
                Identity(left=entry(v_i, w), right=slope(t) * C_i),
                Identity(left=entry(v_k, w), right=slope(t) * C_k),
                Identity(left=entry(w, w), right=2 * penalty),
            ),
        ),
        Step(
            name="flat direction",
            claim=(
                r"$\partial_t\partial_v E = \sigma'(t)\,\partial_c E_{\rm narrow} = 0$, and $\partial_t$ with $w$, "
                r"$t$ and the old parameters vanishes."
            ),
            obligations=(
                Identity(left=entry(t, v_i)),
                Identity(left=entry(t, v_k)),
                Identity(left=entry(t, w)),
                Identity(left=entry(t, t)),
                Identity(left=entry(t, old)),
                Identity(left=entry(t, c_i)),
            ),
            uses=(stationary.name,),
        ),
        Step(
            name="coupling",
            claim=(
                r"$\partial_v\partial_\theta E = \sigma(t)\,\partial_c\partial_\theta E_{\rm narrow}$, "
                r"$\partial_w\partial_\theta E = 0$."
            ),
            obligations=(
                Identity(left=entry(v_i, old), right=sigma(t) * partial(narrow, c_i, old)),
                Identity(left=entry(v_i, c_k), right=sigma(t) * partial(narrow, c_i, c_k)),
                Identity(left=entry(w, old)),
                Identity(left=entry(w, c_i)),
            ),
        ),
        Step(
            name="shear",
            claim=(
                r"With $c - \sigma(t_0) v$ in place of $c$, at $t = t_0$: $\partial_v\partial_v = 2\lambda I$, $v$ "
                r"is no longer coupled to the old parameters, $\partial_v\partial_w = \sigma'(t) C$ stays, and so do "
                r"the old block and the zeros."
            ),
            obligations=(
                Identity(left=at(wide, {c_i: c_i - sigma(bias) * v_i, c_k: c_k - sigma(bias) * v_k}), right=sheared),
                Identity(left=sheared_entry(v_i, v_i), right=2 * penalty),
                Identity(left=sheared_entry(v_i, v_k)),
                Identity(left=sheared_entry(v_i, old)),
                Identity(left=sheared_entry(v_i, c_k)),
                Identity(left=sheared_entry(v_i, w), right=slope(bias) * C_i),
                Identity(left=sheared_entry(w, w), right=2 * penalty),
                Identity(left=sheared_entry(t, v_i)),
                Identity(left=sheared_entry(t, w)),
                Identity(left=sheared_entry(t, t)),
                Identity(left=sheared_entry(t, old)),
                Identity(left=sheared_entry(w, old)),
                Identity(left=sheared_entry(old, old), right=partial(narrow, old, old)),
                Identity(left=sheared_entry(c_i, c_k), right=partial(narrow, c_i, c_k)),
                Identity(left=sheared_entry(c_i, old), right=partial(narrow, c_i, old)),
            ),
            uses=(stationary.name,),
        ),
    ),
)

# One sample and one output stand for any number here: the identity holds for each.
c, v, x, q, kappa = sp.symbols("c v x q kappa")
f, xi = smooth("f", 2), smooth("xi", 1)
one = f(old, c + v * sigma(w * xi(old) + t))
shear = one.subs(c, c - v * sigma(t))
shifted_network = f(old, c + v * (sigma(w * xi(old) + t) - sigma(t)))
free = Hypothesis(
    name="next bias free",
    statement=r"the biases $c$ of the next layer are not penalised: $\kappa = 0$",
    rules=((kappa, 0),),
)

SHIFTED = Theorem(
    identifier="T5-shifted",
    title="Shifted extension for any activation",
    setting=SETTING,
    hypotheses=(free,),
    conclusion=(
        r"For every $t$ the linear change of variables $c \mapsto c - \sigma(t)\,v$ turns $E$ into the loss of the "
        r"network whose new node has the bias $0$ and the activation $\tilde\sigma(z) = \sigma(z + t) - \sigma(t)$, "
        r"and $\tilde\sigma(0) = 0$, $\tilde\sigma'(0) = \sigma'(t)$. So for \emph{every} activation, sigmoid and "
        r"softplus among them, the extension of a stationary point by $v = w = 0$ is stationary with the same loss, "
        r"and the index rises by the number of $\tau_k$ with $|\sigma'(t)|\tau_k > 2\lambda$."
    ),
    variables=((r"t", "bias of the new node"), (r"\kappa", r"the penalty on $c$")),
    rests_on=("Sylvester's law of inertia", "T5-extension", "T5-flat-bias"),
    source="this package",
    steps=(
        Step(
            name="shear",
            claim=(
                r"$E_\sigma(c - \sigma(t) v, v, w) = E_{\tilde\sigma}(c, v, w)$ for every $v$, $w$; the penalty "
                r"does not hold $c$."
            ),
            obligations=(
                Identity(
                    left=shear + kappa * (c - v * sigma(t)) ** 2 + penalty * (v**2 + w**2),
                    right=shifted_network + kappa * c**2 + penalty * (v**2 + w**2),
                ),
            ),
            uses=(free.name,),
        ),
        Step(
            name="it vanishes",
            claim=r"$\tilde\sigma(0) = 0$ and $\tilde\sigma'(0) = \sigma'(t)$.",
            obligations=(
                Identity(left=at(sigma(q + t) - sigma(t), {q: 0})),
                Identity(left=at(partial(sigma(q + t) - sigma(t), q), {q: 0}), right=slope(t)),
            ),
        ),
    ),
)

beta, mean_r, value = sp.symbols("beta R sigma_0")
narrow_stationary = Hypothesis(
    name="narrow point stationary",
    statement=(
        r"the narrow point is stationary: $\partial E_{\rm narrow}/\partial c = R + 2\lambda\beta = 0$ at $c = \beta$"
    ),
    rules=((mean_r, -2 * penalty * beta),),
)
signs = Notation(
    name="nothing vanishes",
    statement=r"the case $\lambda, \beta, \sigma(0) > 0$ of a component; other signs change that of the product alone",
    positive=(penalty, beta, value),
)
gradient_v = Notation(
    name="gradient along v",
    statement=r"$G = \partial E/\partial v = \sigma(0) R$ (step \emph{gradient}, averaged)",
    rules=((sp.Symbol("G"), value * mean_r),),
)
G = sp.Symbol("G")

FAILS = Theorem(
    identifier="T5-nonvanishing",
    title="Zero extension fails for sigma(0) != 0 under a penalty on biases",
    setting=(
        r"A network of any depth and smooth loss with an activation $\sigma(0) \ne 0$, biases, and the penalty "
        r"$\lambda\sum_p\theta_p^2$ over all parameters: $E_{\rm narrow}(\theta)$. One node is added to a hidden "
        r"layer, with incoming weights $w$, bias $t$ and outgoing weights $v$: $E(\theta, w, v, t)$. $c$ are the "
        r"biases of the next layer, with the value $\beta$ at the point, and $R = \frac1D\sum_d\partial f_d/\partial "
        r"c$ the mean slope of the samples' losses."
    ),
    hypotheses=(narrow_stationary,),
    conclusion=(
        r"The extension of a stationary point by $v = w = 0$, $t = 0$ is stationary if and only if $\lambda\beta = "
        r"0$: $\partial E/\partial v = \sigma(0) R = -2\lambda\,\sigma(0)\,\beta$, and all other new components of "
        r"the gradient vanish. No other bias mends it where $\lambda > 0$: at $v = w = 0$ the gradient along $t$ is "
        r"$2\lambda t$, so $t = 0$."
    ),
    notation=(gradient_v, signs),
    rests_on=("linearity of the mean over samples",),
    source="this package",
    steps=(
        Step(
            name="gradient",
            claim=(
                r"$\partial_v f = \sigma(0)\,\partial_c f$ and $\partial_w f = 0$ at $v = w = t = 0$ for each sample."
            ),
            obligations=(
                Identity(left=at(partial(one, v), {v: 0, w: 0, t: 0}), right=sigma(0) * smooth("f", 2, 0, 1)(old, c)),
                Identity(left=at(partial(one + penalty * w**2, w), {v: 0, w: 0, t: 0})),
            ),
        ),
        Step(
            name="its mean",
            claim=(
                r"$\partial E/\partial v = \sigma(0) R = -2\lambda\beta\,\sigma(0)$, which is not zero where "
                r"$\lambda\beta$ is not."
            ),
            obligations=(
                Identity(left=G, right=-2 * penalty * beta * value),
                Positive(expression=-G),
            ),
            uses=(gradient_v.name, narrow_stationary.name, signs.name),
        ),
        Step(
            name="other biases",
            claim=r"At $v = 0$ the data do not feel $t$, so its gradient is that of $\lambda t^2$.",
            obligations=(Identity(left=at(partial(one + penalty * t**2, t), {v: 0}), right=2 * penalty * t),),
        ),
    ),
)

THEOREMS = (FLAT, SHIFTED, FAILS)
