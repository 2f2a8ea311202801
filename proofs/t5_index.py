"""T5: the spectrum of a new node's block by singular values, and by how much the index rises."""

import sympy as sp

from symland.theorems import Hypothesis, Identity, Positive, Step, Theorem, at, partial, smooth

penalty, slope, tau, gap = sp.symbols("lambda s tau delta")
p, q, Cp, CTq = sp.symbols("p_m q_i Cp_i CTq_m")
n_in, n_out, rank = sp.symbols("n m r")
g1, g2, g3 = sp.symbols("g_1 g_2 g_3")

pair = Hypothesis(
    name="singular pair",
    statement=r"$C p = \tau q$ and $C^{T} q = \tau p$ ($p, q$ unit vectors)",
    rules=((Cp, tau * q), (CTq, tau * p)),
)
kernel = Hypothesis(
    name="kernel", statement=r"$C p_0 = 0$ and $C^{T} q_0 = 0$", rules=((sp.Symbol("Cp_0"), 0), (sp.Symbol("CTq_0"), 0))
)
positive = Hypothesis(name="penalty positive", statement=r"$\lambda > 0$", positive=(penalty,))
above = Hypothesis(
    name="above",
    statement=r"$|\sigma'(0)|\,\tau = 2\lambda + \delta$, $\delta > 0$",
    rules=((tau, (2 * penalty + gap) / slope),),
    positive=(gap,),
)
size = Hypothesis(
    name="slope", statement=r"$s = |\sigma'(0)| > 0$, $\tau \ge 0$ (signs absorbed in $q$)", positive=(slope, tau)
)

SPECTRUM = Theorem(
    identifier="T5-spectrum",
    title="Spectrum of a new node's block",
    statement=(
        r"With every new parameter penalised, the block of a zero node has the eigenvalues $2\lambda \pm "
        r"|\sigma'(0)|\tau_k$ for the "
        r"non-zero singular values $\tau_1,\dots,\tau_r$ of $C$ ($m \times n$), and $2\lambda$ with multiplicity $n "
        r"+ m - 2r$. The index "
        r"rises by the number of $\tau_k$ with $|\sigma'(0)|\tau_k > 2\lambda$, and the nullity by the number with "
        r"equality; with $k$ new nodes, $k$ times."
    ),
    variables=((r"$C$", "the residual matrix of T5-extension"), (r"$\tau, p, q$", "a singular value with its vectors")),
    hypotheses=(pair, kernel, positive, above, size),
    rests_on=("singular value decomposition", "Sylvester's law of inertia"),
    source="this package",
    steps=(
        Step(
            name="pairs",
            claim=(
                r"$(u, v) = (p, \pm q)$ is an eigenvector with eigenvalue $2\lambda \pm s\tau$; shown for any "
                r"component $m$ of $u$ and $i$ of $v$."
            ),
            obligations=(
                Identity(left=2 * penalty * p + slope * CTq, right=(2 * penalty + slope * tau) * p),
                Identity(left=slope * Cp + 2 * penalty * q, right=(2 * penalty + slope * tau) * q),
                Identity(left=2 * penalty * p - slope * CTq, right=(2 * penalty - slope * tau) * p),
                Identity(left=slope * Cp - 2 * penalty * q, right=-(2 * penalty - slope * tau) * q),
            ),
            uses=(pair.name,),
        ),
        Step(
            name="kernels",
            claim=r"$(p_0, 0)$ and $(0, q_0)$ have the eigenvalue $2\lambda$.",
            obligations=(
                Identity(
                    left=2 * penalty * sp.Symbol("p_0"),
                    right=2 * penalty * sp.Symbol("p_0") + slope * sp.Symbol("CTq_0"),
                ),
                Identity(
                    left=slope * sp.Symbol("Cp_0") + 2 * penalty * sp.Symbol("q_0"),
                    right=2 * penalty * sp.Symbol("q_0"),
                ),
            ),
            uses=(kernel.name,),
        ),
        Step(
            name="these are all",
            claim=r"$2r + (n - r) + (m - r) = n + m$ orthogonal eigenvectors.",
            obligations=(Identity(left=2 * rank + (n_in - rank) + (n_out - rank), right=n_in + n_out),),
        ),
        Step(
            name="positive eigenvalues",
            claim=r"$2\lambda > 0$ and $2\lambda + s\tau > 0$.",
            obligations=(Positive(expression=2 * penalty), Positive(expression=2 * penalty + slope * tau)),
            uses=(positive.name, size.name),
        ),
        Step(
            name="negative eigenvalues",
            claim=r"If $s\tau = 2\lambda + \delta$ with $\delta > 0$ then $2\lambda - s\tau = -\delta < 0$.",
            obligations=(Positive(expression=-(2 * penalty - slope * tau)),),
            uses=(above.name, size.name),
        ),
    ),
)

# Two softmax outputs: the loss of a sample is a function of the contrast z_1 - z_0.
z0, z1, t = sp.symbols("z_0 z_1 t")
contrast = smooth("h", 1)
gram_11 = g1**2 + g2**2 + g3**2
two = Hypothesis(
    name="two classes",
    statement=r"$C_{0m} = -C_{1m} =: -g_m$",
    rules=tuple((sp.Symbol(f"C_0{k}"), -g) for k, g in ((1, g1), (2, g2), (3, g3)))
    + tuple((sp.Symbol(f"C_1{k}"), g) for k, g in ((1, g1), (2, g2), (3, g3))),
)
C0 = [sp.Symbol(f"C_0{k}") for k in (1, 2, 3)]
C1 = [sp.Symbol(f"C_1{k}") for k in (1, 2, 3)]


def dot(a, b):
    return sp.Add(*(x * y for x, y in zip(a, b, strict=True)))


f_shift = smooth("ell", 3)
y = sp.symbols("y_1 y_2")
shifted = f_shift(z0 + t, z1 + t, y[0] + t)
gauge = Hypothesis(
    name="shift invariance",
    statement=r"$\ell(z + t\,\mathbf 1) = \ell(z)$, so $\partial_t \ell(z + t\,\mathbf 1) = 0$",
    rules=(
        (
            smooth("ell", 3, 1, 0, 0)(z0, z1, y[0]),
            -smooth("ell", 3, 0, 1, 0)(z0, z1, y[0]) - smooth("ell", 3, 0, 0, 1)(z0, z1, y[0]),
        ),
    ),
)

RANK = Theorem(
    identifier="T5-classes",
    title="By how much the index can rise",
    statement=(
        r"In the last hidden layer of a softmax network with $K$ classes $\mathbf 1^{T} C = 0$, so that $C$ has "
        r"rank at most $K-1$ and a zero node "
        r"raises the index by at most $\min(K-1, n)$; for two classes, and for one output, by \emph{exactly one} if "
        r"$|\sigma'(0)|\,\|C\|_F > 2\lambda$ and else by none. "
        r"A minimum becomes a minimum or a transition state."
    ),
    variables=(
        (r"$C$", "the residual matrix of the last hidden layer"),
        (r"$g$", "its row for class 1, of any length: three components stand for all"),
    ),
    hypotheses=(gauge, two),
    rests_on=("T5-spectrum", "rank of a matrix with linearly dependent rows"),
    source="this package; two classes: checked for XOR by the authors of the reference landscape",
    steps=(
        Step(
            name="gauge",
            claim=(
                r"$\sum_i \partial\ell/\partial z_i = \partial_t\,\ell(z + t\mathbf 1) = 0$ for each sample; "
                r"multiplied by $\xi_m$ and averaged, $\sum_i C_{im} = 0$. Three outputs stand for all."
            ),
            obligations=(Identity(left=at(partial(shifted, t), {t: 0})),),
            uses=(gauge.name,),
        ),
        Step(
            name="two outputs",
            claim=(
                r"For two classes $C C^{T} = |g|^2 \begin{pmatrix}1&-1\\-1&1\end{pmatrix}$: the eigenvector "
                r"$(1,-1)$ has the eigenvalue $2|g|^2 = \|C\|_F^2$, the eigenvector $(1,1)$ has $0$."
            ),
            obligations=(
                Identity(left=dot(C0, C0) - dot(C0, C1), right=2 * gram_11),
                Identity(left=dot(C1, C0) - dot(C1, C1), right=-2 * gram_11),
                Identity(left=dot(C0, C0) + dot(C0, C1)),
                Identity(left=dot(C1, C0) + dot(C1, C1)),
                Identity(left=dot(C0, C0) + dot(C1, C1), right=2 * gram_11),
            ),
            uses=(two.name,),
        ),
    ),
)

THEOREMS = (SPECTRUM, RANK)
