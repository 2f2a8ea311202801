"""T2 and T3: the gauge freedom of softmax, on stationary points and in every Hessian."""

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

THEOREMS = (T2, T3)
