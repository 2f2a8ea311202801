"""T7: how many copies of a narrow network's point a wider network holds, and how their Morse sums add up."""

from math import comb, factorial

import sympy as sp

from symland.theorems import Count, Hypothesis, Identity, Step, Theorem

r, i, m, B = sp.symbols("r i m B")


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


pascal = Hypothesis(
    name="binomials",
    statement=r"$\binom{r-1}{i} = \frac{r-i}{r}\binom{r}{i}$",
    rules=((sp.Symbol("B_less"), B * (r - i) / r),),
)

COUNTING = Theorem(
    identifier="T7-counting",
    title="Copies without penalty",
    statement=(
        r"At $\lambda = 0$ an irreducible point of width $r$ lies in width $m$ as $T(r,m) = G(r,m) + "
        r"\sum_{u=1}^{m-r}\binom mu G(r,m-u)\,g(u)$ affine subspaces of stationary points: "
        r"$G(r,m) = \sum_i (-1)^{r-i}\binom ri i^m$ ways to make every node a copy of one of the $r$, each used, "
        r"and $g(u) = \sum_j G(j,u)/j!$ ways to group $u$ nodes whose outgoing weights cancel."
    ),
    variables=((r"$B$", r"$\binom ri$"),),
    hypotheses=(pascal,),
    rests_on=("the last of m + 1 nodes copies a node that the others already cover, or the only one that they miss",),
    source="Simsek et al., ICML 2021",
    steps=(
        Step(
            name="recurrence of the formula",
            claim=(
                r"Term by term in $i^m$: $r\bigl[\binom ri - \binom{r-1}i\bigr] = i\binom ri$, so $G(r,m+1) = "
                r"r\,[G(r,m) + G(r-1,m)]$, the recurrence of maps onto $r$ nodes; with equal values at $m = 0$ they "
                r"are equal for all $r$, $m$."
            ),
            obligations=(
                Identity(left=r * (B - sp.Symbol("B_less")), right=i * B),
                Count(kind="surjections", arguments=(1, 1), value=1),
            ),
            uses=(pascal.name,),
        ),
        Step(
            name="maps onto r nodes, enumerated",
            claim=r"$G(r,m)$ for $m \le 6$.",
            obligations=tuple(
                Count(kind="surjections", arguments=(k, n), value=onto(k, n))
                for n in range(1, 7)
                for k in range(1, n + 1)
            ),
        ),
        Step(
            name="groups of cancelling nodes, enumerated",
            claim=r"$g(u)$ for $u \le 6$: 1, 2, 5, 15, 52, 203.",
            obligations=tuple(Count(kind="set partitions", arguments=(u,), value=groupings(u)) for u in range(1, 7)),
        ),
        Step(
            name="all together, enumerated",
            claim=r"$T(1,1..6) = 1, 3, 10, 37, 151, 674$, $T(2,2..6) = 2, 12, 62, 320, 1712$, $T(3,3..6)$.",
            obligations=tuple(
                Count(kind="named partitions", arguments=(k, n), value=copies(k, n))
                for k in (1, 2, 3)
                for n in range(k, 7)
            ),
        ),
    ),
)

orbit = sp.Symbol("o")
no_split = Hypothesis(
    name="only zero extensions",
    statement=r"$\lambda > 0$: no split is stationary (T6-penalty-forbids), so the $m - r$ other nodes are zero nodes",
    rules=((sp.Symbol("places"), sp.Symbol("binom")),),
)

PENALISED = Theorem(
    identifier="T7-penalised",
    title="Copies under a penalty",
    statement=(
        r"For $\lambda > 0$ and $\sigma(0) = 0$ an irreducible stationary point of width $r$ with an orbit of $o$ "
        r"labelled copies has $\binom mr\,o$ copies at width $m$ among the zero extensions."
    ),
    variables=(
        (r"$o$", "orbit size at width $r$"),
        (r"places", "ways to choose the zero nodes"),
        (r"binom", r"$\binom mr$"),
    ),
    hypotheses=(no_split, pascal),
    rests_on=("an irreducible point has no zero node, so the zero nodes' places are read off the extended point",),
    source="this package",
    steps=(
        Step(
            name="product",
            claim="Places of the zero nodes times copies of the rest.",
            obligations=(Identity(left=sp.Symbol("places") * orbit, right=sp.Symbol("binom") * orbit),),
            uses=(no_split.name,),
        ),
        Step(
            name="recurrence",
            claim=r"$\binom{r-1}{i} + \frac ir\binom ri = \binom ri$: adding one node at a time counts the same.",
            obligations=(Identity(left=sp.Symbol("B_less") + i / r * B, right=B),),
            uses=(pascal.name,),
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

plus, minus, M0, M1, M2, sign = sp.symbols("M_1^+ M_1^- M_0 M_1 M_2 epsilon")
width_0 = Hypothesis(
    name="origin alone at width 0",
    statement=r"the network without nodes has one stationary point, a minimum, with $C = 0$: $M_0 = 1$",
    rules=((M0, 1),),
)
width_1 = Hypothesis(
    name="Morse at width 1", statement=r"$M_0 + M_1^{+} + M_1^{-} = 1$", rules=((plus, 1 - M0 - minus),)
)
width_2 = Hypothesis(
    name="Morse at width 2",
    statement=r"$M_0 + 2(M_1^{+} - M_1^{-}) + M_2 = 1$",
    rules=((M2, 1 - M0 - 2 * (plus - minus)),),
)
parity = Hypothesis(
    name="rise",
    statement=r"each zero node raises the index by $\rho \in \{0, 1\}$ (T5-classes)",
    rules=((sp.Symbol("rho2"), sp.Symbol("rho")),),
)
rho, rho2 = sp.symbols("rho rho2")

MORSE = Theorem(
    identifier="T7-Morse",
    title="The Morse sum under extension",
    statement=(
        r"Let $\lambda > 0$, no stationary point degenerate, two classes. With $M_r^{\pm} = \sum (-1)^{\rm "
        r"index}\,o$ over the irreducible classes of width $r$ whose zero extension does not ($+$) or does ($-$) "
        r"gain an index, "
        r"$\sum_{r\le m}\binom mr\bigl(M_r^{+} + (-1)^{m-r} M_r^{-}\bigr) = 1$ for every $m$. So the narrow "
        r"landscapes fix the signed number of irreducible points of the wide one: for XOR $M_1^{+} + M_1^{-} = 0$ "
        r"and $M_2^{+} + M_2^{-} = 4 M_1^{-}$."
    ),
    variables=(
        (r"$M_0, M_1^\pm, M_2$", "signed numbers of labelled copies"),
        (r"$\rho$", "0 or 1"),
        (r"rho2", r"$\rho^2$"),
    ),
    hypotheses=(parity, width_2, width_1, width_0),
    rests_on=(
        "Morse theory of a coercive function: the signed number of critical points is 1",
        "T5-classes, T7-penalised",
    ),
    source="this package",
    steps=(
        Step(
            name="sign",
            claim=(
                r"$(-1)^{k + \rho} = (-1)^k (1 - 2\rho)$ for $\rho\in\{0,1\}$, and $(1 - 2\rho)^2 = 1$: $m - r$ "
                r"nodes give $(1-2\rho)^{m-r}$."
            ),
            obligations=(Identity(left=1 - 4 * rho + 4 * rho2, right=1),),
            uses=(parity.name,),
        ),
        Step(
            name="width 1",
            claim=r"$M_1^{+} + M_1^{-} = 0$.",
            obligations=(Identity(left=plus + minus),),
            uses=(width_1.name, width_0.name),
        ),
        Step(
            name="width 2",
            claim=r"$M_2 = 1 - M_0 - 2(M_1^{+} - M_1^{-}) = 4 M_1^{-}$.",
            obligations=(Identity(left=M2, right=4 * minus),),
            uses=(width_2.name, width_1.name, width_0.name),
        ),
    ),
)

THEOREMS = (COUNTING, PENALISED, MORSE)
