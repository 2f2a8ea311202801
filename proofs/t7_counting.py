"""T7: how many copies of a narrow network's point a wider network holds, and how their Morse sums add up.

The exponential generating function of a sequence N(m) is sum_m N(m) x^m / m!. Its derivative belongs to N(m + 1), and a
product of two belongs to the binomial convolution sum_u C(m, u) M(m - u) N(u).
"""

from math import comb, factorial

import sympy as sp

from symland.theorems import Count, Fact, Hypothesis, Identity, Notation, Step, Theorem, at, partial, smooth

r, i, m, x = sp.symbols("r i m x")


def onto(width, nodes):
    """G(r, m) = sum_i (-1)^(r - i) C(r, i) i^m."""
    return sum((-1) ** (width - k) * comb(width, k) * k**nodes for k in range(width + 1))


def groupings(elements):
    """g(u) = sum_j G(j, u) / j!."""
    return sum(onto(j, elements) // factorial(j) for j in range(elements + 1))


def copies(width, nodes):
    """T(r, m) = G(r, m) + sum_u C(m, u) G(r, m - u) g(u)."""
    return onto(width, nodes) + sum(
        comb(nodes, u) * onto(width, nodes - u) * groupings(u) for u in range(1, nodes - width + 1)
    )


less = smooth("Q", 1)
power = Notation(
    name="power",
    statement=r"$Q = (e^x - 1)^{r-1}$, so that $Q' = (r-1)\,e^x Q/(e^x - 1)$",
    rules=((smooth("Q", 1, 1)(x), (r - 1) * sp.exp(x) * less(x) / (sp.exp(x) - 1)),),
)
bell = sp.exp(sp.exp(x) - 1)
named = less(x) * (sp.exp(x) - 1) * bell
named_less = less(x) * bell
# A group of two nodes with the input s and the outgoing weights V and -a adds nothing at V = a.
f, sigma, slope = smooth("f", 2), smooth("sigma", 1), smooth("sigma", 1, 1)
old, q, V, a, s, change, xi, residual = sp.symbols("theta q V a s u xi r_d")
group = f(old, q + V * sigma(s + change * xi) - a * sigma(s))
at_zero = {V: a, change: 0}
exact = Notation(
    name="residuals vanish",
    statement=r"for (d): $r_d = \partial f/\partial q = 0$ on every sample",
    rules=((smooth("f", 2, 0, 1)(old, q), 0),),
)

COUNTING = Theorem(
    identifier="T7-counting",
    title="Copies without penalty",
    setting=(
        r"A network with one hidden layer, any activation and any smooth loss, no penalty. A point of width $r$ is "
        r"\emph{irreducible} if its nodes have pairwise different incoming weights (and biases) $w_1, \dots, w_r$ "
        r"and outgoing weights $v_j \ne 0$. A point of width $m \ge r$ is \emph{built} from it if its $m$ labelled "
        r"nodes fall into groups of equal incoming weights, $r$ of the groups carry $w_1, \dots, w_r$ with the "
        r"outgoing weights $\mu_a v_j$, $\sum_a\mu_a = 1$ in each, and the outgoing weights of each other group add "
        r"up to zero. $G(r,m) = \sum_i (-1)^{r-i}\binom ri i^m$ and $g(u) = \sum_j G(j,u)/j!$."
    ),
    conclusion=(
        r"(a) The nodes can be grouped so in $T(r,m) = G(r,m) + \sum_{u=1}^{m-r}\binom mu G(r,m-u)\,g(u)$ ways; in "
        r"$G(r,m)$ of them every node is a copy of one of the $r$, and none is in a group that cancels. This holds "
        r"for all $0 \le r \le m$. (b) Every point built computes the function of the narrow one. (c) If the narrow "
        r"point is stationary, so are the points built in the $G(r,m)$ ways without groups that cancel: an affine "
        r"space of dimension $m - r$ for each. (d) If, moreover, all residuals vanish on every sample, so are the "
        r"points built in all $T(r,m)$ ways."
    ),
    notation=(power, exact),
    variables=(
        (r"x", r"the variable of exponential generating functions"),
        (r"f(\theta, q)", "the loss of a sample when $q$ is added to the inputs of the next layer"),
        (
            r"V, -a",
            "outgoing weights of two nodes of one group with input $s$; $u$ changes the first one's incoming weight",
        ),
    ),
    rests_on=(
        "binomial theorem: $(e^x - 1)^r$ is the generating function of $G(r, m)$ in $m$, and $e^{e^x - 1} = \\sum_j "
        "(e^x-1)^j/j!$ that of $g$",
        "the generating function of a binomial convolution is the product",
        "a recurrence with its value at $m = 0$ determines a sequence",
        "T6-splitting",
    ),
    remarks=(
        r"At a stationary point with residuals that do not vanish, groups that cancel are in general not stationary: "
        r"the gradient along their outgoing weights is $\frac1D\sum_d r_d\,\sigma(s_d)$ for incoming weights that "
        r"are free.",
    ),
    source=r"\cite{simsek2021}",
    steps=(
        Step(
            name="maps onto r nodes",
            claim=(
                r"Term by term in $i^m$, with $\binom{r-1}i = \frac{r-i}r\binom ri$: $r\bigl[\binom ri - "
                r"\binom{r-1}i\bigr] = i\binom ri$, so $G(r,m+1) = r\,[G(r,m) + G(r-1,m)]$. This is the recurrence "
                r"of maps of $m$ nodes onto $r$: the last node copies one that the others cover, or the only one "
                r"that they miss."
            ),
            obligations=(
                Identity(left=r * (1 - (r - i) / r), right=i),
                *(
                    Count(kind="surjections", arguments=(k, n), value=onto(k, n))
                    for n in range(1, 7)
                    for k in range(1, n + 1)
                ),
            ),
        ),
        Step(
            name="recurrence of the generating function",
            claim=(
                r"$y_r = (e^x - 1)^r\,e^{e^x - 1}$, the generating function of the formula for $T$, has $y_r' = "
                r"r\,y_r + r\,y_{r-1} + e^x y_r$ for every $r \ge 1$, and $y_0' = e^x y_0$. This is the recurrence "
                r"of groupings, $N(r,m+1) = r N(r,m) + r N(r-1,m) + \sum_k\binom mk N(r,m-k)$: the last node joins "
                r"one of the $r$ carrying groups, is one by itself, or is in a group that cancels with $k$ others."
            ),
            obligations=(
                Identity(left=partial(named, x), right=r * named + r * named_less + sp.exp(x) * named),
                Identity(left=partial(bell, x), right=sp.exp(x) * bell),
            ),
            uses=(power.name,),
        ),
        Step(
            name="its first value",
            claim=r"$y_0(0) = 1$ and $y_r(0) = 0$ for $r \ge 1$, as $N(0, 0) = 1$ and $N(r, 0) = 0$.",
            obligations=(Identity(left=at(bell, {x: 0}), right=1), Identity(left=at(named, {x: 0}))),
        ),
        Step(
            name="groupings, enumerated",
            claim=(
                r"$g(u)$ for $u \le 6$: 1, 2, 5, 15, 52, 203; $T(1,1..6) = 1, 3, 10, 37, 151, 674$, $T(2,2..6) = 2, "
                r"12, 62, 320, 1712$, $T(3,3..6)$."
            ),
            obligations=(
                *(Count(kind="set partitions", arguments=(u,), value=groupings(u)) for u in range(1, 7)),
                *(
                    Count(kind="named partitions", arguments=(k, n), value=copies(k, n))
                    for k in (1, 2, 3)
                    for n in range(k, 7)
                ),
            ),
        ),
        Step(
            name="groups that cancel compute nothing",
            claim=r"$a\,\sigma(s) - a\,\sigma(s) = 0$, for every $\theta$, $q$ and $s$.",
            obligations=(Identity(left=at(group, at_zero), right=f(old, q)),),
        ),
        Step(
            name="and are stationary where residuals vanish",
            claim=r"The gradients along their parameters are $r_d\,\sigma(s)$ and $r_d\,a\,\sigma'(s)\,\xi$.",
            obligations=(
                Identity(left=at(partial(group, V), at_zero)),
                Identity(left=at(partial(group, change), at_zero)),
            ),
            uses=(exact.name,),
        ),
    ),
)

PENALISED = Theorem(
    identifier="T7-penalised",
    title="Copies under a penalty",
    setting=(
        r"A network with one hidden layer, $\sigma(0) = 0$, any smooth loss and the penalty "
        r"$\lambda\sum_p\theta_p^2$ over all parameters. A \emph{zero node} has only zero weights and a zero bias. "
        r"$\theta$ is a stationary point of width $r$ without zero nodes, and $o$ the number of its labelled copies: "
        r"of its images under the symmetries of the landscape (T1-hidden, T1-data), each of which has $r$ nodes in "
        r"an order."
    ),
    conclusion=(
        r"The extensions of $\theta$ and of its copies by $m - r$ zero nodes, at any places, are $\binom mr\,o$ "
        r"different stationary points of width $m \ge r$; they are the images of one of them under the symmetries of "
        r"the wide landscape."
    ),
    rests_on=(
        "T5-extension",
        "no copy has a zero node, so an extended point shows the places of its zero nodes, and the copy that is "
        "extended",
        "ratio of factorials: $\\binom{m+1}r = \\frac{m+1}{m+1-r}\\binom mr$, $\\binom m{r-1} = \\frac "
        "r{m+1-r}\\binom mr$",
    ),
    source="this package",
    steps=(
        Step(
            name="places",
            claim=(
                r"The places of $m + 1 - r$ zero nodes among $m + 1$ nodes: the last node is one, or is not. "
                r"$\binom{m+1}r = \binom mr + \binom m{r-1}$, divided by $\binom mr$; so there are $\binom mr$ for "
                r"every $m$ and $r$, and with each copy as many points."
            ),
            obligations=(Identity(left=(m + 1) / (m + 1 - r), right=1 + r / (m + 1 - r)),),
        ),
        Step(
            name="enumerated",
            claim=r"$\binom mr$ for $m \le 8$.",
            obligations=tuple(
                Count(kind="choices", arguments=(k, n), value=comb(n, k)) for n in range(1, 9) for k in range(n + 1)
            ),
        ),
    ),
)

plus, minus, M0, M2, rho, sign, node_sign = sp.symbols("M_1^+ M_1^- M_0 M_2 rho e_n d")
one_node = Notation(
    name="rise",
    statement=(
        r"a zero node raises the index of the point at hand by $\rho \in \{0, 1\}$ (T5-classes), and $d = 1 - 2\rho$"
    ),
    rules=((node_sign, 1 - 2 * rho),),
)
sum_1 = Fact(
    name="Morse sum at width 1",
    statement=r"$M_0 + M_1^{+} + M_1^{-} = 1$",
    rules=((plus, 1 - M0 - minus),),
    after=("induction over nodes",),
    by="Morse theory, as in (a) for $m = 1$",
)
sum_2 = Fact(
    name="Morse sum at width 2",
    statement=r"$M_0 + 2(M_1^{+} - M_1^{-}) + M_2 = 1$",
    rules=((M2, 1 - M0 - 2 * (plus - minus)),),
    after=("induction over nodes",),
    by="Morse theory, as in (a) for $m = 2$",
)
alone = Hypothesis(
    name="origin alone at width 0",
    statement=(
        r"for (b): the network without nodes has one stationary point, a minimum, with $C = 0$: $M_0^{+} = M_0 = 1$, "
        r"$M_0^{-} = 0$"
    ),
    rules=((M0, 1),),
)

MORSE = Theorem(
    identifier="T7-Morse",
    title="The Morse sum under extension",
    setting=(
        r"A network with one hidden layer of width $m$, $\sigma(0) = 0$, two softmax outputs, and the penalty "
        r"$\lambda\sum_p\theta_p^2$, $\lambda > 0$, over all parameters, at whose widths $0, \dots, m$ no stationary "
        r"point is degenerate. For each $r \le m$, $M_r^{+}$ and $M_r^{-}$ are the sums of $(-1)^{\rm index}$ over "
        r"all labelled stationary points of width $r$ without zero nodes: over those whose extension by a zero node "
        r"keeps the index ($+$), and those where it gains one ($-$). $M_r = M_r^{+} + M_r^{-}$."
    ),
    hypotheses=(alone,),
    conclusion=(
        r"(a) $\sum_{r\le m}\binom mr\bigl(M_r^{+} + (-1)^{m-r} M_r^{-}\bigr) = 1$ for every $m$. (b) If the network "
        r"without nodes has only its minimum, with residual matrix $0$, as for XOR, then $M_1 = 0$ and $M_2 = 4 "
        r"M_1^{-}$."
    ),
    notation=(one_node,),
    facts=(sum_1, sum_2),
    variables=((r"e_n", r"the sign that $n$ zero nodes give: $(-1)^{n\rho}$"),),
    rests_on=(
        "Morse theory of a function that tends to infinity in all directions: the sum of $(-1)^{\\rm index}$ is 1",
        "T5-extension: without its zero nodes a stationary point is one of a narrower network, and it has them at "
        "places of its own",
        "T5-spectrum and T5-classes: each further zero node raises the index by the same $\\rho$",
        "T7-penalised: $\\binom mr$ places",
        "T4-origin and strict convexity, for XOR without nodes",
    ),
    source=r"this package; Morse theory: \cite{milnor1963}",
    steps=(
        Step(
            name="sign of one node",
            claim=r"$(-1)^\rho = 1 - 2\rho$ for $\rho = 0$ and $\rho = 1$.",
            obligations=(
                Identity(left=at(1 - 2 * rho, {rho: 0}), right=(-1) ** 0),
                Identity(left=at(1 - 2 * rho, {rho: 1}), right=(-1) ** 1),
            ),
        ),
        Step(
            name="induction over nodes",
            claim=(
                r"$e_{n+1} = d\,e_n$, $e_0 = 1$: where $\rho = 0$, $e_{n+1} = e_n$; where $\rho = 1$, $e_{n+1} = "
                r"-e_n$. So $m - r$ nodes give $1$ or $(-1)^{m-r}$, and (a) sums this over points and places."
            ),
            obligations=(
                Identity(left=at(sign * (1 - 2 * rho), {rho: 0}), right=sign),
                Identity(left=sign + at(sign * (1 - 2 * rho), {rho: 1})),
                Identity(left=node_sign**2 - 1, right=4 * rho * (rho - 1)),
            ),
            uses=(one_node.name,),
        ),
        Step(
            name="width 1",
            claim=r"$M_1^{+} + M_1^{-} = 0$.",
            obligations=(Identity(left=plus + minus),),
            uses=(sum_1.name, alone.name),
        ),
        Step(
            name="width 2",
            claim=r"$M_2 = 1 - M_0 - 2(M_1^{+} - M_1^{-}) = 4 M_1^{-}$.",
            obligations=(Identity(left=M2, right=4 * minus),),
            uses=(sum_2.name, sum_1.name, alone.name),
        ),
    ),
)

THEOREMS = (COUNTING, PENALISED, MORSE)
