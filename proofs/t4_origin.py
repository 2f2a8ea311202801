"""T4: the origin is a minimum for every width and every penalty."""

import sympy as sp

from symland.theorems import Hypothesis, Identity, Notation, Positive, Step, Theorem, at, partial

c0, c1, penalty, nodes, inputs = sp.symbols("c_0 c_1 lambda N n")
C0, C1 = sp.symbols("C_0 C_1")
# Four samples stand for any number: labels y = +-1 and one input of each.
labels = sp.symbols("y_1 y_2 y_3 y_4")
signals = sp.symbols("x_1 x_2 x_3 x_4")
partition = sp.log(sp.exp(c0) + sp.exp(c1))
origin = {c0: 0, c1: 0}


def sample(y):
    """The cross-entropy of a network without nodes, whose logits are its output biases: class 1 for y = 1, else 0."""
    return (1 + y) / 2 * (partition - c1) + (1 - y) / 2 * (partition - c0)


bias_only = sp.Add(*map(sample, labels)) / 4 + penalty * (c0**2 + c1**2)


def row(bias):
    """C_i = mean_d (dl_d/dz_i) x_d at the origin."""
    return sp.Add(*(at(partial(sample(y), bias), origin) * x for y, x in zip(labels, signals, strict=True))) / 4


positive = Hypothesis(name="penalty positive", statement=r"$\lambda > 0$", positive=(penalty,))
balanced = Hypothesis(
    name="balanced",
    statement=r"as many samples of one class as of the other: $\sum_d y_d = 0$",
    rules=((labels[3], -sp.Add(*labels[:3])),),
)
uncorrelated = Hypothesis(
    name="labels uncorrelated with inputs",
    statement=r"$\sum_d y_d x_d = 0$",
    rules=((signals[3], -sp.Add(*(y * x for y, x in zip(labels[:3], signals[:3], strict=True))) / labels[3]),),
)
matrix = Notation(
    name="residual matrix",
    statement=(
        r"$C_i = \frac1D\sum_d (\partial\ell_d/\partial z_i)\, x_d$ at $z = 0$; four samples stand for any number"
    ),
    rules=((C0, row(c0)), (C1, row(c1))),
)


G0, G1 = sp.symbols("G_0 G_1")
gradient = Notation(
    name="gradient",
    statement=r"$G_i = \partial E/\partial c_i$ at $c = 0$, for the network without nodes",
    rules=((G0, at(partial(bias_only, c0), origin)), (G1, at(partial(bias_only, c1), origin))),
)
label_mean = sp.Add(*labels)
moment = sp.Add(*(y * x for y, x in zip(labels, signals, strict=True)))


def xor_values(inputs, k):
    """XOR's labels +-1 in place of y, and component k of its inputs in place of x."""
    values = [x[k] for x in inputs]
    return dict(zip((*labels, *signals), (*(2 * y - 1 for y in XOR), *values), strict=True))


XOR = (0, 1, 1, 0)
ENCODINGS = (((0, 0), (0, 1), (1, 0), (1, 1)), ((-1, -1), (-1, 1), (1, -1), (1, 1)))

THEOREM = Theorem(
    identifier="T4-origin",
    title="The origin",
    setting=(
        r"A network with one hidden layer of $N \ge 0$ nodes, $n$ inputs, an activation with $\sigma(0) = 0$, two "
        r"outputs $z_0, z_1$, and $E(\theta) = \frac1D\sum_d\ell_d + \lambda\sum_p\theta_p^2$ with the softmax "
        r"cross-entropy $\ell_d = \ln(e^{z_0} + e^{z_1}) - z_{(1 + y_d)/2}$, labels $y_d = \pm1$, and the penalty over "
        r"all $P = 2 + N(n + 3)$ parameters. XOR: $x \in \{0,1\}^2$ or $\{-1,+1\}^2$, $y = 1$ where $x_1 \ne x_2$."
    ),
    hypotheses=(positive, balanced, uncorrelated),
    conclusion=(
        r"$\theta = 0$ is a stationary point with $E = \ln 2$ and the spectrum $\{2\lambda\ (P - 1\ \text{times}),\ "
        r"2\lambda + \tfrac12\}$: a minimum for every width and every $\lambda > 0$. Both encodings of XOR satisfy the "
        r"hypotheses on the data, with $P = 5N + 2$."
    ),
    notation=(gradient, matrix),
    variables=(
        (r"c_0, c_1", "the output biases, which are the logits of the network without nodes"),
        (r"C", "the residual matrix of T5-extension, one column for each input, and one for the new node's bias"),
    ),
    rests_on=("T5-extension and T5-spectrum, with $N$ nodes added to the network without nodes",),
    source="this package",
    steps=(
        Step(
            name="network without nodes",
            claim=r"At $c = 0$ the loss is $\ln 2$ and its gradient is zero.",
            obligations=(
                Identity(left=at(bias_only, origin), right=sp.log(2)),
                Identity(left=G0),
                Identity(left=G1),
            ),
            uses=(gradient.name, balanced.name),
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
                r"$C_0 = C_1 = 0$; the column of the bias is the gradient of the first step and vanishes too. All "
                r"singular values vanish: each node adds the eigenvalue $2\lambda$ as often as it has parameters."
            ),
            obligations=(Identity(left=C0), Identity(left=C1)),
            uses=(matrix.name, uncorrelated.name),
        ),
        Step(
            name="XOR is balanced and uncorrelated",
            claim=r"$\sum_d y_d = 0$ and $\sum_d y_d x_d = 0$ in both encodings.",
            obligations=tuple(
                Identity(left=at(whole, xor_values(inputs, k)))
                for inputs in ENCODINGS
                for k in (0, 1)
                for whole in (label_mean, moment)
            ),
        ),
        Step(
            name="count and sign",
            claim=(
                r"$2 + N(n + 1 + 2)$ parameters, for XOR $5N + 2$; all eigenvalues but one are $2\lambda$, and "
                r"$2\lambda > 0$, $2\lambda + \frac12 > 0$."
            ),
            obligations=(
                Identity(left=2 + nodes * (inputs + 1 + 2), right=2 + nodes * (inputs + 3)),
                Identity(left=at(2 + nodes * (inputs + 3), {inputs: 2}), right=5 * nodes + 2),
                Positive(expression=2 * penalty),
                Positive(expression=2 * penalty + sp.Rational(1, 2)),
            ),
            uses=(positive.name,),
        ),
    ),
)
