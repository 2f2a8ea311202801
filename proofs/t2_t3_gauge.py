"""T2 and T3: the gauge freedom of softmax, on stationary points and in every Hessian, and a slice across it."""

import sympy as sp

from symland.theorems import Hypothesis, Identity, Notation, Positive, Step, Theorem, partial, smooth

# The sample's class comes first; `others` is the sum of exp over all classes beside two, any number of them.
t, penalty, total_w, total_r = sp.symbols("t lambda W R")
h_1, h_2 = sp.symbols("h_1 h_2")


def residual_sum(sample):
    """sum_i dl/dz_i = d/dt l(z + t 1) of one sample."""
    z1, z2, others = sp.symbols(f"z_1{sample} z_2{sample} T_{sample}")
    shifted = sp.log(sp.exp(z1 + t) + sp.exp(z2 + t) + others * sp.exp(t)) - (z1 + t)
    return partial(shifted, t)


stationary = Hypothesis(
    name="stationary",
    statement=(
        r"$\theta$ is a stationary point of $E$: $\frac1D\sum_d r_{di} h_{dj} + 2\lambda\,W_{ij} = 0$ for each output "
        r"$i$; summed over $i$, $R + 2\lambda W = 0$"
    ),
    rules=((total_w, -total_r / (2 * penalty)),),
)
positive = Hypothesis(name="penalty positive", statement=r"$\lambda > 0$", positive=(penalty,))
residuals = Notation(
    name="sum of residuals",
    statement=(
        r"$W = \sum_i W_{ij}$ and $R = \frac1D\sum_d\bigl(\sum_i r_{di}\bigr) h_{dj}$, $\sum_i r_{di} = "
        r"\partial_t\,\ell_d(z_d + t\mathbf 1)$; two samples stand for any number"
    ),
    rules=((total_r, (residual_sum(1) * h_1 + residual_sum(2) * h_2) / 2),),
)

T2 = Theorem(
    identifier="T2-gauge",
    title="Gauge identities of stationary points",
    setting=(
        r"A network of any depth, activation and data with $K$ outputs $z_i = \sum_j W_{ij} h_j + c_i$, $h_j$ the "
        r"outputs of its last hidden layer, and $E(\theta) = \frac1D\sum_d\ell_d + \lambda\sum_p\theta_p^2$ with the "
        r"softmax cross-entropy $\ell_d = \ln\sum_k e^{z_k} - z_{y_d}$ and the penalty over all parameters."
    ),
    hypotheses=(positive, stationary),
    conclusion=r"$\sum_i W_{ij} = 0$ for every node $j$ of the last hidden layer, and $\sum_i c_i = 0$.",
    notation=(residuals,),
    variables=(
        (r"r_{di}", r"$\partial\ell_d/\partial z_i$"),
        (r"h_{dj}", "the output of node $j$ on sample $d$; 1 for the bias $c$"),
        (r"T_d", r"$\sum e^{z_k}$ over all classes but two"),
    ),
    rests_on=("linearity of the mean over samples",),
    source="this package",
    steps=(
        Step(
            name="residuals",
            claim=r"$\sum_i r_{di} = \partial_t\,\ell(z + t\mathbf 1) = 0$, for every $z$ and any number of classes.",
            obligations=(Identity(left=residual_sum(1)),),
        ),
        Step(
            name="sum over outputs",
            claim=r"$W = -R/(2\lambda) = 0$, where $2\lambda \ne 0$.",
            obligations=(Identity(left=total_w), Positive(expression=2 * penalty)),
            uses=(stationary.name, residuals.name, positive.name),
        ),
    ),
)

theta, e, s, kappa = sp.symbols("theta e s kappa")
xi = smooth("h", 1)(theta)
y1, y2, y3 = (smooth(f"z_{k}", 1)(theta) for k in (1, 2, 3))
moved = sp.log(sp.exp(y1 + s * xi) + sp.exp(y2 + s * xi) + sp.exp(y3 + s * xi)) - (y1 + s * xi)
a1, a2, a3 = sp.symbols("W_1 W_2 W_3")

T3 = Theorem(
    identifier="T3-eigenvalue",
    title="An eigenvalue 2 lambda of every Hessian",
    setting=(
        r"A network of any depth, activation and data with $K$ outputs $z_i = \sum_{j=1}^{N} W_{ij} h_j + c_i$, $h_j$ "
        r"the outputs of its last hidden layer of $N$ nodes, and $E(\theta) = \frac1D\sum_d\ell_d + "
        r"\lambda\sum_p\theta_p^2$ with the softmax cross-entropy $\ell_d = \ln\sum_k e^{z_k} - z_{y_d}$. The penalty "
        r"is over all parameters, or over the weights alone."
    ),
    conclusion=(
        r"Let $e_j$ be the direction $W_{ij} \mapsto W_{ij} + 1$ for all $i$, and $e_0$ the direction $c_i \mapsto c_i "
        r"+ 1$ for all $i$. At \emph{every} $\theta$ the Hessian $H$ of $E$ has $H e_j = 2\lambda e_j$ for $j = 1, "
        r"\dots, N$, and $H e_0 = 2\lambda e_0$ if the biases are penalised, $H e_0 = 0$ if not. So the eigenvalue "
        r"$2\lambda$ has at least the multiplicity $N + 1$ in the first case; in the second $2\lambda$ has at least "
        r"$N$, and $0$ at least 1."
    ),
    variables=(
        (r"s", r"a multiple of the direction"),
        (r"h(\theta)", "the output of node $j$, or 1 for the biases"),
        (r"z_k(\theta)", "the logits of a sample; three classes stand for any number"),
        (r"\kappa", r"$\lambda$ where the parameter is penalised, and 0 where not"),
    ),
    rests_on=(
        "linearity of the mean over samples",
        "the directions have disjoint supports, so they are linearly independent",
    ),
    source="this package",
    steps=(
        Step(
            name="the data term does not move",
            claim=(
                r"Along the direction every logit gains $s\,h(\theta)$: $\partial_s$, $\partial_s\partial_\theta$ and "
                r"$\partial_s^2$ of $\ell$ vanish for every $s$ and $\theta$, so the data term adds nothing to $H e_j$."
            ),
            obligations=(
                Identity(left=partial(moved, s)),
                Identity(left=partial(moved, s, theta)),
                Identity(left=partial(moved, s, s)),
            ),
        ),
        Step(
            name="the penalty",
            claim=(
                r"The gradient of $\kappa\sum_i (W_i + s)^2$ by each $W_i$ moves by $2\kappa$ along the direction, and "
                r"that by any other parameter does not: $H e_j = 2\kappa e_j$. Three outputs stand for any number."
            ),
            obligations=(
                *(
                    Identity(
                        left=partial(kappa * ((a1 + s) ** 2 + (a2 + s) ** 2 + (a3 + s) ** 2), w, s), right=2 * kappa
                    )
                    for w in (a1, a2, a3)
                ),
                Identity(left=partial(kappa * ((a1 + s) ** 2 + theta**2), s, theta)),
            ),
        ),
    ),
)

g_1, g_2, g_3, t_1, t_2, t_3, m, u = sp.symbols("g_1 g_2 g_3 t_1 t_2 t_3 m u")
total = t_1 + t_2 + t_3
added = m * total**2 / 2
free = Hypothesis(
    name="not penalised",
    statement=r"the penalty does not hold the parameters of the set: $\kappa = 0$",
    rules=((kappa, 0),),
)
flat = Notation(
    name="flat gradient",
    statement=r"$g$ is the gradient of $E$ by the set's parameters; it has no part along $e$ (step \emph{flat})",
    rules=((g_3, -g_1 - g_2),),
)
height = Notation(name="height", statement=r"$m > 0$", positive=(m,))

SLICE = Theorem(
    identifier="T2-slice",
    title="One stationary point of each flat: the slice across a free gauge",
    setting=(
        r"A network of any depth, activation and data with $K$ outputs $z_i = \sum_j W_{ij} h_j + c_i$, $h_j$ the "
        r"outputs of its last hidden layer, and $E(\theta) = \frac1D\sum_d\ell_d + {}$penalty, with the softmax "
        r"cross-entropy $\ell_d = \ln\sum_k e^{z_k} - z_{y_d}$. Take one or more of the sets $\{W_{1j}, \dots, "
        r"W_{Kj}\}$ for a node $j$ and $\{c_1, \dots, c_K\}$; $e$ is the vector that is 1 on a set and 0 elsewhere. "
        r"With $m > 0$ "
        r"let $E_s(\theta) = E(\theta) + \frac m2\sum_e (e\cdot\theta)^2$."
    ),
    hypotheses=(free,),
    conclusion=(
        r"(a) $E(\theta + s\,e) = E(\theta)$ for every $\theta$ and $s$: each stationary point lies on a flat of them, "
        r"along $e$. (b) The stationary points of $E_s$ are those of $E$ with $e\cdot\theta = 0$ for each set, one on "
        r"each flat, at the same loss. (c) The Hessian of $E_s$ is that of $E$ on the complement of the $e$, and has "
        r"$e$ as eigenvector of the eigenvalue $mK$, where that of $E$ has 0: so its index is that of $E$, and it is "
        r"nonsingular if and only if that of $E$ has no null direction but the $e$."
    ),
    notation=(flat, height),
    variables=(
        (r"s", r"a multiple of $e$"),
        (r"t_1, t_2, t_3", "the parameters of a set; three outputs stand for any number"),
        (r"u", "another parameter"),
        (r"\kappa", r"the penalty on the set"),
    ),
    rests_on=("linearity of the mean over samples", "the sets are disjoint", "symmetric matrices"),
    source="this package",
    steps=(
        Step(
            name="flat",
            claim=(
                r"Along $e$ every logit gains $s\,h(\theta)$, and $\partial_s\ell = 0$ for every $s$ and $\theta$; "
                r"the penalty does not move either, as $\kappa = 0$. So $E$ is constant along $e$, and $e\cdot\nabla "
                r"E = 0$."
            ),
            obligations=(
                Identity(left=partial(moved, s)),
                Identity(left=partial(kappa * ((a1 + s) ** 2 + (a2 + s) ** 2 + (a3 + s) ** 2), s)),
            ),
            uses=(free.name,),
        ),
        Step(
            name="gradient",
            claim=(
                r"The gradient of $E_s$ by $t_i$ is $g_i + m\,(e\cdot\theta)$; these sum to $mK\,(e\cdot\theta)$. "
                r"Where they vanish, so does $e\cdot\theta$, as $mK > 0$, and then every $g_i$. By other parameters "
                r"the "
                r"gradient is that of $E$."
            ),
            obligations=(
                Identity(
                    left=g_1 + g_2 + g_3 + partial(added, t_1) + partial(added, t_2) + partial(added, t_3),
                    right=3 * m * total,
                ),
                Identity(left=partial(added + u, u), right=1),
                Positive(expression=3 * m),
            ),
            uses=(flat.name, height.name),
        ),
        Step(
            name="Hessian",
            claim=(
                r"The second derivatives of $\frac m2 (e\cdot\theta)^2$ are $m$ within the set and 0 elsewhere: on "
                r"vectors orthogonal to $e$ it adds nothing, and $e$ goes to $mK\,e$, as "
                r"$\nabla^2E\,e = 0$ by the first step."
            ),
            obligations=(
                Identity(
                    left=partial(added, t_1, t_1) + partial(added, t_1, t_2) + partial(added, t_1, t_3), right=3 * m
                ),
                Identity(
                    left=partial(added, t_1, t_1) * g_1
                    + partial(added, t_1, t_2) * g_2
                    + partial(added, t_1, t_3) * (-g_1 - g_2)
                ),
                Identity(left=partial(added, t_1, u)),
            ),
        ),
    ),
)

THEOREMS = (T2, SLICE, T3)
