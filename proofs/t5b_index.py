"""T5: the spectrum of a new node's block by singular values, and by how much the index rises."""

import sympy as sp

from symland.theorems import Fact, Hypothesis, Identity, Notation, Positive, Step, Theorem, at, partial

penalty, slope, tau, gap = sp.symbols("lambda s tau delta")
p, q, Cp, CTq = sp.symbols("p_m q_i Cp_i CTq_m")
n_in, n_out, rank = sp.symbols("n m r")

# The block as a quadratic form in two incoming and two outgoing parameters of the node.
u1, u2, v1, v2, a1, a2, b1, b2 = sp.symbols("u_1 u_2 v_1 v_2 a_1 a_2 b_1 b_2")
c11, c12, c21, c22 = sp.symbols("C_11 C_12 C_21 C_22")
form = penalty * (u1**2 + u2**2 + v1**2 + v2**2) + slope * (v1 * (c11 * u1 + c12 * u2) + v2 * (c21 * u1 + c22 * u2))
right_kernel, left_kernel = {u1: a1, u2: a2, v1: 0, v2: 0}, {u1: 0, u2: 0, v1: b1, v2: b2}

pair = Notation(
    name="singular pair",
    statement=r"$p, q$ are unit vectors with $C p = \tau q$ and $C^{T} q = \tau p$",
    rules=((Cp, tau * q), (CTq, tau * p)),
)
kernel = Notation(
    name="kernels",
    statement=r"$C a = 0$ and $C^{T} b = 0$",
    rules=(
        (c11, -c12 * a2 / a1),
        (c21, -c22 * a2 / a1),
    ),
)
left = Notation(name="left kernel", statement=r"$C^{T} b = 0$", rules=((c11, -c21 * b2 / b1), (c12, -c22 * b2 / b1)))
positive = Hypothesis(name="penalty positive", statement=r"$\lambda > 0$", positive=(penalty,))
above = Notation(
    name="above",
    statement=r"where $|\sigma'(0)|\,\tau > 2\lambda$: $|\sigma'(0)|\,\tau = 2\lambda + \delta$, $\delta > 0$",
    rules=((tau, (2 * penalty + gap) / slope),),
    positive=(gap,),
)
size = Notation(
    name="slope",
    statement=r"$s = |\sigma'(0)| > 0$ and $\tau > 0$; the sign of $\sigma'(0)$ is absorbed in $q$",
    positive=(slope, tau),
)

SPECTRUM = Theorem(
    identifier="T5-spectrum",
    title="Spectrum of a new node's block",
    setting=(
        r"$C$ is the $m \times n$ residual matrix of a stationary point, as in T5-extension: a zero node with $n$ "
        r"incoming parameters $u$ and $m$ outgoing weights $v$ is added to a hidden layer, all of them penalised by "
        r"$\lambda$, so that its block of the Hessian is "
        r"$\begin{pmatrix} 2\lambda I & \sigma'(0) C^{T} \\ \sigma'(0) C & 2\lambda I \end{pmatrix}$. $\tau_1, \dots, "
        r"\tau_r$ are the non-zero singular values of $C$."
    ),
    hypotheses=(positive,),
    conclusion=(
        r"The block has the eigenvalues $2\lambda \pm |\sigma'(0)|\tau_k$, $k = 1, \dots, r$, and $2\lambda$ with "
        r"multiplicity $n + m - 2r$. With the node the index rises by the number of $\tau_k$ with "
        r"$|\sigma'(0)|\tau_k > 2\lambda$, and the nullity by the number with equality; with several new nodes, by "
        r"as many times that."
    ),
    notation=(pair, kernel, left, size, above),
    variables=((r"p, q, \tau", "singular vectors and value"), (r"a, b", r"vectors of the kernels of $C$ and $C^{T}$")),
    rests_on=("singular value decomposition", "T5-extension: the Hessian is block diagonal"),
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
            name="kernel",
            claim=(
                r"$(u, v) = (a, 0)$ has the eigenvalue $2\lambda$: the gradient of half the block's quadratic form "
                r"there is $2\lambda (a, 0)$. Two components of $u$ and $v$ stand for any number."
            ),
            obligations=(
                Identity(left=at(partial(form, u1), right_kernel), right=2 * penalty * a1),
                Identity(left=at(partial(form, v1), right_kernel)),
                Identity(left=at(partial(form, v2), right_kernel)),
            ),
            uses=(kernel.name,),
        ),
        Step(
            name="left kernel",
            claim=r"So has $(u, v) = (0, b)$.",
            obligations=(
                Identity(left=at(partial(form, v1), left_kernel), right=2 * penalty * b1),
                Identity(left=at(partial(form, u1), left_kernel)),
                Identity(left=at(partial(form, u2), left_kernel)),
            ),
            uses=(left.name,),
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

# Three logits stand for any number in the first step, two signals in the others.
t = sp.Symbol("t")
shifted = [sp.Symbol(f"z_{i}") + t for i in (1, 2, 3)]
cross_entropy = sp.log(sp.Add(*map(sp.exp, shifted))) - shifted[0]
C = {(i, m): sp.Symbol(f"C_{i}{m}") for i in (0, 1) for m in (1, 2)}
g1, g2 = C[1, 1], C[1, 2]
opposite = Fact(
    name="opposite rows",
    statement=r"for two outputs $C_{0m} = -C_{1m}$",
    rules=((C[0, 1], -g1), (C[0, 2], -g2)),
    after=("gauge",),
    by="linearity of the mean over samples",
)

RANK = Theorem(
    identifier="T5-classes",
    title="By how much the index can rise",
    setting=(
        r"A zero node is added to the last hidden layer of a network with $K$ outputs and mean softmax "
        r"cross-entropy, or with one output and any smooth loss, at a stationary point; its $n$ incoming parameters "
        r"and its outgoing weights are penalised by $\lambda > 0$ each, and $\sigma(0) = 0$. $C$ is the residual "
        r"matrix of T5-extension."
    ),
    conclusion=(
        r"(a) For $K$ softmax outputs $\mathbf 1^{T} C = 0$, so $C$ has at most the rank $K - 1$, and the node "
        r"raises the index by at most $\min(K-1, n)$. (b) For two softmax outputs, and for one output, the node "
        r"raises the index by \emph{exactly one} if $|\sigma'(0)|\,\|C\|_F > 2\lambda$, and else by none: a "
        r"non-degenerate minimum becomes a minimum or a transition state, degenerate at equality only."
    ),
    facts=(opposite,),
    variables=((r"t", r"a shift of all logits"),),
    rests_on=("T5-spectrum", "rank of a matrix with linearly dependent rows", "linearity of the mean over samples"),
    source="this package",
    steps=(
        Step(
            name="gauge",
            claim=(
                r"$\sum_i \partial\ell/\partial z_i = \partial_t\,\ell(z + t\mathbf 1) = 0$ for each sample; "
                r"multiplied by $\xi_m$ and averaged, $\sum_i C_{im} = 0$. Three outputs stand for any number."
            ),
            obligations=(Identity(left=partial(cross_entropy, t)),),
        ),
        Step(
            name="two outputs",
            claim=(
                r"With $g$ the row of class 1, $C C^{T} = |g|^2 \begin{pmatrix}1&-1\\-1&1\end{pmatrix}$: the "
                r"eigenvector $(1,-1)$ has the eigenvalue $2|g|^2 = \|C\|_F^2$, the eigenvector $(1,1)$ has $0$."
            ),
            obligations=(
                Identity(left=C[0, 1] ** 2 + C[0, 2] ** 2, right=g1**2 + g2**2),
                Identity(left=C[0, 1] * g1 + C[0, 2] * g2, right=-(g1**2) - g2**2),
            ),
            uses=(opposite.name,),
        ),
        Step(
            name="one singular value",
            claim=(
                r"So $\|C\|_F = \sqrt2|g|$ is the only singular value that may not vanish; a single row is its own: "
                r"$\|C\|_F^2 = C C^{T}$."
            ),
            obligations=(Identity(left=sp.Add(*(entry**2 for entry in C.values())), right=2 * (g1**2 + g2**2)),),
            uses=(opposite.name,),
        ),
    ),
)

THEOREMS = (SPECTRUM, RANK)
