"""T5 where the penalty leaves biases alone, and what holds for sigma(0) != 0."""

import sympy as sp

from symland.theorems import Hypothesis, Identity, Positive, Step, Theorem, at, partial, smooth

x, c, v, w, t, q, old = sp.symbols("x c v w t q theta")
penalty, slope, b_next, mean_r = sp.symbols("lambda s beta R")
sigma, f, xi = smooth("sigma", 1), smooth("f", 2), smooth("xi", 1)

# One sample; c stands for the bias of the next layer, which the new node's output is added to.
wide = f(old, c + v * sigma(w * xi(old) + t))
narrow = f(old, c)
point = {v: 0, w: 0}
residual = smooth("f", 2, 0, 1)(old, c)

balanced = Hypothesis(
    name="next bias stationary and free",
    statement=(
        r"the bias $c$ of the next layer is not penalised and $\partial E/\partial c = \frac1D\sum_d \partial "
        r"f_d/\partial c = 0$"
    ),
    rules=((mean_r, 0),),
)

FLAT = Theorem(
    identifier="T5-flat-bias",
    title="Penalty on the weights alone: the new bias is a flat direction",
    statement=(
        r"If biases are not penalised, then at a stationary point the bias column of $C$ vanishes. The extension by "
        r"a node with $v = w = 0$ and \emph{any} bias $t$ "
        r"is stationary with the same loss: a line of stationary points. Across the line the new block has the "
        r"eigenvalues $2\lambda \pm |\sigma'(t)|\tau_k$ and $2\lambda$, "
        r"with $\tau_k$ the singular values of $C$ without its bias column."
    ),
    variables=(
        (r"$t$", "bias of the new node"),
        (r"$R$", r"$\frac1D\sum_d \partial f_d/\partial c$"),
        (r"$\xi$", "any signal that the new node reads"),
    ),
    hypotheses=(balanced,),
    rests_on=("linearity of the mean over samples", "T5-spectrum"),
    source="this package",
    steps=(
        Step(
            name="the loss does not feel t",
            claim=r"$f(\theta, c + v\,\sigma(w\xi + t)) = f(\theta, c)$ at $v = 0$, for every $t$ and $w$.",
            obligations=(Identity(left=at(wide, {v: 0}), right=narrow),),
        ),
        Step(
            name="gradient",
            claim=(
                r"At $v = w = 0$: $\partial_v f = \sigma(t)\,\partial_c f$, whose mean is $\sigma(t) R = 0$; "
                r"$\partial_w f = \partial_t f = 0$."
            ),
            obligations=(
                Identity(left=at(partial(wide, v), point), right=sigma(t) * residual),
                Identity(left=sigma(t) * mean_r),
                Identity(left=at(partial(wide, w), point)),
                Identity(left=at(partial(wide, t), point)),
            ),
            uses=(balanced.name,),
        ),
        Step(
            name="new block",
            claim=(
                r"$\partial_w\partial_v f = \sigma'(t)\,\xi\,\partial_c f$, whose mean is $\sigma'(t) C$; "
                r"$\partial_t\partial_v f = \sigma'(t)\,\partial_c f$, whose mean is $\sigma'(t) R = 0$; "
                r"$\partial_t^2 = \partial_t\partial_w = \partial_w^2 = 0$."
            ),
            obligations=(
                Identity(left=at(partial(wide, v, w), point), right=smooth("sigma", 1, 1)(t) * xi(old) * residual),
                Identity(left=at(partial(wide, v, t), point), right=smooth("sigma", 1, 1)(t) * residual),
                Identity(left=smooth("sigma", 1, 1)(t) * mean_r),
                Identity(left=at(partial(wide, t, t), point)),
                Identity(left=at(partial(wide, t, w), point)),
                Identity(left=at(partial(wide, w, w), point)),
            ),
            uses=(balanced.name,),
        ),
    ),
)

shear = wide.subs(c, c - v * sigma(t))
shifted_network = f(old, c + v * (sigma(w * xi(old) + t) - sigma(t)))
free = Hypothesis(
    name="next bias free",
    statement=r"the bias $c$ of the next layer is not penalised: $\kappa = 0$",
    rules=((sp.Symbol("kappa"), 0),),
)
kappa = sp.Symbol("kappa")

SHIFTED = Theorem(
    identifier="T5-shifted",
    title="Shifted extension for any activation",
    statement=(
        r"If the bias $c$ of the next layer is not penalised, the linear change of variables $c \mapsto c - "
        r"\sigma(t)\,v$ turns the wide network into one whose new node has the "
        r"activation $\tilde\sigma(z) = \sigma(z + t) - \sigma(t)$, which vanishes at $0$. So for \emph{every} "
        r"activation, sigmoid and softplus among them, the extension by $v = w = 0$ is stationary, "
        r"and by Sylvester's law the index rises by the number of singular values of $\sigma'(t) C$ above "
        r"$2\lambda$ (with $C$ without its bias column)."
    ),
    variables=((r"$t$", "bias of the new node"), (r"$\kappa$", r"the penalty on $c$")),
    hypotheses=(free,),
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
                Identity(left=at(partial(sigma(q + t) - sigma(t), q), {q: 0}), right=smooth("sigma", 1, 1)(t)),
            ),
        ),
    ),
)

stationary = Hypothesis(
    name="narrow point stationary",
    statement=r"$\partial E/\partial c = R + 2\lambda\beta = 0$ at the narrow point, $c = \beta$ penalised",
    rules=((mean_r, -2 * penalty * b_next),),
)
signs = Hypothesis(
    name="nothing vanishes",
    statement=r"$\lambda, \beta, \sigma(0) > 0$ (other signs by symmetry)",
    positive=(penalty, b_next, sp.Symbol("sigma_0")),
)

FAILS = Theorem(
    identifier="T5-nonvanishing",
    title="Zero extension fails for sigma(0) != 0 under a penalty on biases",
    statement=(
        r"If $\sigma(0) \ne 0$ and the biases are penalised, the zero extension of a stationary point in hidden "
        r"layer $l$ is stationary if and only if $\lambda\, b_{l+1} = 0$: "
        r"$\partial E/\partial v = \sigma(0) R = -2\lambda\,\sigma(0)\,b_{l+1}$. No choice of the new node's bias "
        r"mends it: at $v = w = 0$ the gradient along its bias $t$ is $2\lambda t$, so $t = 0$."
    ),
    variables=((r"$\beta$", r"a component of $b_{l+1}$"), (r"$R$", r"$\frac1D\sum_d \partial f_d/\partial c$")),
    hypotheses=(stationary, signs),
    rests_on=("linearity of the mean over samples",),
    source="this package",
    steps=(
        Step(
            name="gradient",
            claim=r"$\partial_v f = \sigma(0)\,\partial_c f$ at $v = w = t = 0$ for each sample.",
            obligations=(Identity(left=at(partial(wide, v), {v: 0, w: 0, t: 0}), right=sigma(0) * residual),),
        ),
        Step(
            name="its mean",
            claim=r"$\sigma(0) R = -2\lambda\beta\,\sigma(0)$, which is not zero.",
            obligations=(
                Identity(left=sp.Symbol("sigma_0") * mean_r, right=-2 * penalty * b_next * sp.Symbol("sigma_0")),
                Positive(expression=-sp.Symbol("sigma_0") * mean_r),
            ),
            uses=(stationary.name, signs.name),
        ),
        Step(
            name="other biases",
            claim=r"At $v = 0$ the data do not feel $t$, so its gradient is that of $\lambda t^2$.",
            obligations=(Identity(left=at(partial(wide + penalty * t**2, t), {v: 0}), right=2 * penalty * t),),
        ),
    ),
)

THEOREMS = (FLAT, SHIFTED, FAILS)
