"""T13: how many cells hidden hyperplanes cut, and how the weight of one unit scales with the density of samples."""

from functools import cache

import sympy as sp

from symland.theorems import Count, Fact, Identity, Notation, Positive, Step, Theorem, partial, smooth

m, k = sp.symbols("m k")


@cache
def pascal(nodes, chosen):
    """By Pascal's rule alone."""
    if not 0 <= chosen <= nodes:
        return 0
    return 1 if nodes == 0 else pascal(nodes - 1, chosen) + pascal(nodes - 1, chosen - 1)


@cache
def cells(nodes, inputs):
    """By deletion and restriction alone."""
    return 1 if not nodes or not inputs else cells(nodes - 1, inputs) + cells(nodes - 1, inputs - 1)


CELLS = Theorem(
    identifier="T13-cells",
    title="Cells of hidden hyperplanes",
    setting=(
        r"$m \ge 0$ different hyperplanes $w_j\cdot x + b_j = 0$, $w_j \ne 0$, in $\mathbb R^n$, $n \ge 0$. A cell is "
        r"a connected component of what they leave. General position: any $k \le n$ of them meet in a flat of "
        r"dimension $n - k$, and no $n + 1$ have a common point. $r(m, n) = \sum_{k \le n}\binom mk$."
    ),
    conclusion=r"There are at most $r(m, n)$ cells, and exactly $r(m, n)$ in general position.",
    rests_on=(
        "a convex open cell that a hyperplane $H$ meets is cut in two by it, and the cells that $H$ meets are, each "
        "once, those of the arrangement that the other hyperplanes cut out of $H$",
        "in general position the others cut out of $H$ an arrangement of $m - 1$ hyperplanes in general position",
        "a recurrence with its values at $m = 0$ and at $n = 0$ determines a sequence",
    ),
    remarks=(
        r"In any position the others cut out of $H$ at most $m - 1$ different hyperplanes of dimension $n - 2$, and "
        r"$r$ grows with $m$: this is the inequality.",
    ),
    source="Zaslavsky, Facing up to arrangements (1975); the proof here is by deletion and restriction",
    steps=(
        Step(
            name="Pascal's rule",
            claim=(
                r"$\binom{m-1}k = \frac{m-k}m\binom mk$ and $\binom{m-1}{k-1} = \frac km\binom mk$ add up to "
                r"$\binom mk$. Summed over $k \le n$: $r(m, n) = r(m-1, n) + r(m-1, n-1)$, which is the recurrence of "
                r"cells when one hyperplane is deleted, and $r(0, n) = r(m, 0) = 1$."
            ),
            obligations=(
                Identity(left=(m - k) / m + k / m, right=1),
                *(
                    Count(kind="choices", arguments=(chosen, nodes), value=pascal(nodes, chosen))
                    for nodes in range(8)
                    for chosen in range(nodes + 1)
                ),
                *(
                    Count(kind="choices", arguments=(n, nodes), value=cells(nodes, n) - cells(nodes, n - 1))
                    for nodes in range(1, 8)
                    for n in range(1, min(nodes, 6) + 1)
                ),
            ),
        ),
    ),
)

t, u, rho, penalty, departure, whole = sp.symbols("t u rho lambda delta c")
wrong = sp.Symbol("w")
loss, J = smooth("L", 1), smooth("J", 1)
sample = sp.log(1 + sp.exp(-k * t))
integrand = u / (1 + sp.exp(u))
bound = u * sp.exp(-u)

antiderivative = Notation(
    name="J",
    statement=r"$J(x) = \int_0^x\frac{u\,du}{1 + e^u}$, at $x = kt$",
    rules=((smooth("J", 1, 1)(k * t), k * t / (1 + sp.exp(k * t))),),
)
side = Notation(name="one side", statement=r"$k, t, u > 0$", positive=(k, t, u))
held = Notation(name="held back", statement=r"$w, \lambda > 0$", positive=(wrong, penalty))
slope = Fact(
    name="slope",
    statement=r"$L'(k) = -\frac{2\rho}{k^2}J(k)$ with $J(k) = \frac{\pi^2}{12}(1 - \delta(k))$",
    rules=((smooth("L", 1, 1)(k), -2 * rho / k**2 * whole * (1 - departure)),),
    after=("slope of a sample", "substitution"),
    by=r"$\int_0^\infty\frac{u\,du}{1+e^u} = \frac{\pi^2}{12}$, of which $\delta$ is the share beyond $k$",
)
k_law_cubed = rho * whole / penalty

SCALE = Theorem(
    identifier="T13-weight-scale",
    title="Weight scale against the density of samples",
    setting=(
        r"One logistic unit $kx$, $k > 0$, on samples of line density $\rho > 0$ that fill $[-1, 1]$ and are labelled "
        r"by their sign: $L(k) = 2\rho\int_0^1\ln(1 + e^{-kt})\,dt$. $\delta(k) = "
        r"\frac{12}{\pi^2}\int_k^\infty\frac{u\,du}{1 + e^u}$ and $k_0 = (\rho\pi^2/12\lambda)^{1/3}$, "
        r"$\lambda > 0$."
    ),
    conclusion=(
        r"$L'(k) = -\frac{\rho\pi^2}{6k^2}(1 - \delta(k))$ with $0 < \delta(k) < \frac{12}{\pi^2}(k+1)e^{-k}$. So "
        r"without a penalty $L$ falls for every $k$ and has no minimum. $L(k) + \lambda k^2$ is strictly convex and "
        r"has one stationary point $k^*$ on $k > 0$; $k^* = k_0(1 - \delta(k^*))^{1/3} < k_0$, and $k^*/k_0 \to 1$ as "
        r"$\lambda \to 0$. Where some samples have the other label, and $w$ is the integral of $\rho|t|$ over "
        r"them, $L'(k) = w - \frac{\rho\pi^2}{6k^2}(1 - \delta(k))$; for $0 < w < \rho/2$ a stationary point exists "
        r"without a penalty too."
    ),
    notation=(antiderivative, side, held),
    facts=(slope,),
    variables=(
        (r"t", "the distance of a sample from the boundary"),
        (r"u", r"$kt$, and the distance of a wrong sample"),
        (r"c", r"$\pi^2/12$"),
        (r"w", "what wrong samples are wrong by"),
    ),
    rests_on=(
        r"$\sum_{n\ge1}(-1)^{n-1}n^{-2} = \pi^2/12$, and differentiation under the integral of a smooth integrand",
        "fundamental theorem of calculus",
        r"$L'(0^+) = w - \rho/2 < 0$, and $L' + 2\lambda k \to \infty$ or $L' \to w > 0$, so a continuous increasing "
        r"slope has one zero",
    ),
    remarks=(
        r"$k^* \to \infty$ as $\lambda \to 0$: at a bounded $k^*$ the slope $-2\lambda k^*$ would tend to $0$, and "
        r"$L' < 0$ is bounded away from $0$ on bounded sets. Then $\delta(k^*) \to 0$ exponentially.",
    ),
    source="this package; the question is that of arXiv:1605.00329, of which only the abstract was read",
    steps=(
        Step(
            name="slope of a sample",
            claim=(
                r"$\partial_k\ln(1 + e^{-kt}) = -\frac{t}{1 + e^{kt}}$ and $\partial_k^2\ln(1 + e^{-kt}) = "
                r"\frac{t^2e^{kt}}{(1 + e^{kt})^2} > 0$: strictly convex."
            ),
            obligations=(
                Identity(left=partial(sample, k), right=-t / (1 + sp.exp(k * t))),
                Identity(left=partial(sample, k, k), right=t**2 * sp.exp(k * t) / (1 + sp.exp(k * t)) ** 2),
                Positive(expression=t**2 * sp.exp(k * t) / (1 + sp.exp(k * t)) ** 2),
            ),
            uses=(side.name,),
        ),
        Step(
            name="substitution",
            claim=r"$\partial_t\,J(kt)/k^2 = \frac{t}{1 + e^{kt}}$, so $\int_0^1\frac{t\,dt}{1 + e^{kt}} = J(k)/k^2$.",
            obligations=(Identity(left=partial(J(k * t) / k**2, t), right=t / (1 + sp.exp(k * t))),),
            uses=(antiderivative.name,),
        ),
        Step(
            name="what lies beyond k",
            claim=(
                r"$0 < \frac{u}{1 + e^u} < u e^{-u} = -\partial_u\,(u + 1)e^{-u}$: the difference is "
                r"$\frac{u e^{-u}}{1 + e^u}$. Integrated from $k$: $0 < \delta < \frac{12}{\pi^2}(k + 1)e^{-k}$."
            ),
            obligations=(
                Identity(left=partial(-(u + 1) * sp.exp(-u), u), right=bound),
                Identity(left=bound - integrand, right=u * sp.exp(-u) / (1 + sp.exp(u))),
                Positive(expression=integrand),
                Positive(expression=bound - integrand),
            ),
            uses=(side.name,),
        ),
        Step(
            name="with a penalty",
            claim=(
                r"$\partial_k(L + \lambda k^2) = \frac{2\lambda}{k^2}\,(k^3 - k_0^3(1 - \delta))$, which is $0$ where "
                r"$k^3 = k_0^3(1 - \delta)$."
            ),
            obligations=(
                Identity(
                    left=partial(loss(k) + penalty * k**2, k),
                    right=2 * penalty / k**2 * (k**3 - k_law_cubed * (1 - departure)),
                ),
            ),
            uses=(slope.name,),
        ),
        Step(
            name="wrong samples",
            claim=(
                r"A sample at distance $u$ on the wrong side adds $\ln(1 + e^{ku})$, whose slope by $k$ is "
                r"$\frac u{1 + e^{-ku}} = u - \frac u{1 + e^{ku}}$: that of a right one, and $u$. So $L'$ rises by "
                r"$w$. $2\lambda k^3 + wk^2$ increases from $0$ without bound: it is $\rho\pi^2/6$ at one $k$, where "
                r"the law without $\delta$ has its stationary point; for $\lambda = 0$ that is $(\rho\pi^2/6w)^{1/2}$."
            ),
            obligations=(
                Identity(left=partial(sp.log(1 + sp.exp(k * u)), k), right=u - u / (1 + sp.exp(k * u))),
                Identity(left=u / (1 + sp.exp(-k * u)), right=u - u / (1 + sp.exp(k * u))),
                Identity(left=partial(2 * penalty * k**3 + wrong * k**2, k), right=6 * penalty * k**2 + 2 * wrong * k),
                Positive(expression=6 * penalty * k**2 + 2 * wrong * k),
            ),
            uses=(side.name, held.name),
        ),
    ),
)

THEOREMS = (CELLS, SCALE)
