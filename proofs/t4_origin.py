"""T4: the origin is a minimum for every width and every penalty."""

import sympy as sp

from symland.theorems import Hypothesis, Identity, Positive, Step, Theorem, at, partial

c0, c1, penalty, mean, slope = sp.symbols("c_0 c_1 lambda g s")
partition = sp.exp(c0) + sp.exp(c1)
loss_0 = sp.log(partition) - c0
loss_1 = sp.log(partition) - c1
# A network without nodes: the two biases, and as many samples of either class.
bias_only = (loss_0 + loss_1) / 2 + penalty * (c0**2 + c1**2)
origin = {c0: 0, c1: 0}

positive = Hypothesis(name="penalty positive", statement=r"$\lambda > 0$, on every parameter", positive=(penalty,))
balanced = Hypothesis(
    name="balanced",
    statement=r"as many samples of one class as of the other: $\frac1D\sum_d y_d = 0$, $y_d = \pm1$",
    rules=((sp.Symbol("ybar"), 0),),
)
uncorrelated = Hypothesis(
    name="labels uncorrelated with inputs",
    statement=r"$\sum_d y_d x_d = 0$, so that $C = 0$ at the origin",
    rules=((mean, 0),),
)
ybar = sp.Symbol("ybar")
weighted = (1 + ybar) / 2 * loss_1 + (1 - ybar) / 2 * loss_0 + penalty * (c0**2 + c1**2)


def residual_mean(inputs, labels, k):
    """sum_d y_d x_d[k], with 1 for the last."""
    return sum((2 * y - 1) * (x[k] if k < 2 else 1) for x, y in zip(inputs, labels, strict=True))


XOR = (0, 1, 1, 0)
ENCODINGS = (((0, 0), (0, 1), (1, 0), (1, 1)), ((-1, -1), (-1, 1), (1, -1), (1, 1)))

THEOREM = Theorem(
    identifier="T4-origin",
    title="The origin",
    statement=(
        r"Two balanced classes, labels uncorrelated with the inputs (XOR in both encodings), softmax, $\sigma(0) = "
        r"0$, one hidden layer of any width $N$, penalty on all parameters: at $\theta = 0$ the loss is $\ln 2$, "
        r"the gradient zero and the "
        r"spectrum $\{2\lambda\ (P - 1\ \text{times}),\ 2\lambda + \tfrac12\}$. It is a minimum for every $\lambda "
        r"> 0$ and every width."
    ),
    variables=(
        (r"$c$", "the output biases"),
        (r"$P$", r"the number of parameters, $5N + 2$ for XOR"),
        (r"$g$", r"$\frac1D\sum_d y_d (x_d, 1)$, up to a factor the row of $C$"),
        (r"$\bar y$", r"$\frac1D\sum_d y_d$"),
    ),
    hypotheses=(positive, balanced, uncorrelated),
    rests_on=("T5-extension and T5-spectrum, with $N$ nodes added to the network without nodes",),
    source="this package; that random minimisation misses it was observed with several programs",
    steps=(
        Step(
            name="network without nodes",
            claim=r"At $c = 0$ the loss is $\ln 2$ and its gradient is zero.",
            obligations=(
                Identity(left=at(weighted, origin), right=sp.log(2)),
                Identity(left=at(partial(weighted, c0), origin)),
                Identity(left=at(partial(weighted, c1), origin)),
            ),
            uses=(balanced.name,),
        ),
        Step(
            name="its Hessian",
            claim=(
                r"$\begin{pmatrix} 2\lambda + \frac14 & -\frac14\\ -\frac14 & 2\lambda + \frac14\end{pmatrix}$: "
                r"eigenvalue $2\lambda$ on $(1,1)$, $2\lambda + \frac12$ on $(1,-1)$."
            ),
            obligations=(
                Identity(left=at(partial(bias_only, c0, c0) + partial(bias_only, c0, c1), origin), right=2 * penalty),
                Identity(
                    left=at(partial(bias_only, c0, c0) - partial(bias_only, c0, c1), origin),
                    right=2 * penalty + sp.Rational(1, 2),
                ),
                Identity(left=at(partial(bias_only, c1, c1) - partial(bias_only, c0, c0), origin)),
            ),
        ),
        Step(
            name="adding N nodes",
            claim=(
                r"The residuals at $z = 0$ are $r_d = \tfrac12 (y_d, -y_d)$, so $C = \tfrac12 (g, -g)^{T} = 0$ and "
                r"all singular values vanish: each node adds the eigenvalue $2\lambda$ as often as it has weights."
            ),
            obligations=(
                Identity(left=at(partial(loss_0, c1), origin), right=sp.Rational(1, 2)),
                Identity(left=at(partial(loss_1, c1), origin), right=-sp.Rational(1, 2)),
                Identity(left=slope * mean / 2),
            ),
            uses=(uncorrelated.name,),
        ),
        Step(
            name="XOR is balanced and uncorrelated",
            claim=r"$\sum_d y_d (x_d, 1) = 0$ in both encodings.",
            obligations=tuple(Identity(left=residual_mean(inputs, XOR, k)) for inputs in ENCODINGS for k in range(3)),
        ),
        Step(
            name="count and sign",
            claim=(
                r"$2 + N(n + 1 + 2)$ eigenvalues, for XOR $5N + 2$, of which all but one are $2\lambda$; all are "
                r"positive."
            ),
            obligations=(
                Identity(left=2 + sp.Symbol("N") * (2 + 1 + 2), right=5 * sp.Symbol("N") + 2),
                Positive(expression=2 * penalty),
                Positive(expression=2 * penalty + sp.Rational(1, 2)),
            ),
            uses=(positive.name,),
        ),
    ),
)
