"""T12: what a box search says where the penalty is an interval, and how the points in a region are counted.

One sample, one node and one component of U and x stand for any number: every sum is linear in each of its terms. In the
reduction A is the equation along the softest direction and B the others, of which one stands for any number; both are
expanded to second order about a point.
"""

import sympy as sp

from symland.theorems import Identity, Step, Theorem, at, partial

P, kappa = sp.symbols("P kappa", positive=True)
U, v, x, gamma, t_d = sp.symbols("U v x gamma t_d")
share = kappa / (1 + sp.exp(t_d))
by_margin = (
    2 * U - v * P * (1 - sp.tanh(U * x) ** 2) * x,
    v - P * sp.tanh(U * x),
    t_d - v * sp.tanh(U * x) - P,
)

pull = kappa / (1 + sp.exp(v * sp.tanh(U * x) + gamma))
equations = (
    2 * U - v * pull * (1 - sp.tanh(U * x) ** 2) * x,
    v - pull * sp.tanh(U * x),
    gamma - pull,
)

X, Y, t, u = sp.symbols("X Y t u")
a1, a2, a11, a12, a22 = sp.symbols("a_1 a_2 a_11 a_12 a_22")
b1, b2, b11, b12, b22 = sp.symbols("b_1 b_2 b_11 b_12 b_22")
f, h, c = sp.symbols("f h c")


def second(linear, square, cross, other):
    return linear[0] * X + linear[1] * Y + (square * X**2 + 2 * cross * X * Y + other * Y**2) / 2


sinh2, sin2, cos2 = sp.symbols("S s c", positive=True)

A, B = second((a1, a2), a11, a12, a22), second((b1, b2), b11, b12, b22)
slope = -b1 / b2
bend = -(b11 + 2 * b12 * slope + b22 * slope**2) / b2
curve = {Y: slope * X + bend * X**2 / 2}
left = -a2 / b2
along, beside = at(A, curve), at(B, curve)

THEOREM = Theorem(
    identifier="T12-slabs",
    title="Stationary points for every penalty of an interval",
    setting=(
        r"The network of T10-enumeration, and a slab: a closed interval $[\lambda_1, \lambda_2]$ of penalties, or "
        r"of $\kappa = 1/(\lambda D)$. $z$ stands for all $U_j$, $v_j$ and $\gamma$, and $F(z, \kappa) = A z - "
        r"\kappa g(z)$ for the left sides of its equations (a). In coordinates $(x, y)$ of a box, $G = (G_x, G_y)$"
        r" are invertible linear combinations of $F$."
    ),
    conclusion=(
        r"(a) Given the margins, $P$ is $\kappa$ times a number: with $\kappa = \kappa_0 + \delta u$ it is "
        r"$P_0 + \delta P_0 u/\kappa_0$, one $u$ for all samples, and nothing else contains $\kappa$. So a box of "
        r"margins and states that closes with $|u| \le 1$ holds no stationary point for any $\lambda$ of the slab. "
        r"(b) $F$ is affine in $\kappa$. (c) Let $G_y(x, \cdot, \kappa)$ have exactly one"
        r" zero $y(x, \kappa)$ in the box for all $x$ and $\kappa$, with $\partial G_y/\partial y$ nonsingular. "
        r"Then $g(x, \kappa) = G_x(x, y(x, \kappa), \kappa)$ has the derivatives $g_x = (1, l)\,\partial_x G$, "
        r"$g_\kappa = (1, l)\,\partial_\kappa G$ and $g_{xx} = (1, l)\,G''[T, T]$ with $l = -\partial_y "
        r"G_x(\partial_y G_y)^{-1}$ and $T = (1, \partial_x y)$. (d) If $g_x$ has one sign and $g$ opposite signs "
        r"at the ends of $x$, the box holds exactly one stationary point for each $\kappa$, and it is not "
        r"degenerate. (e) If $g_\kappa$ has one sign, $g$ falls, then bends upward, then rises in $x$, and is "
        r"positive at both ends (or all reversed), and one stationary point of the box at $\kappa^*$ is "
        r"degenerate, then the box holds two stationary points, neither degenerate, on one side of $\kappa^*$ and "
        r"none on the other. (f) The index of a stationary point is that of $\partial_y G_y$ as a form, and one "
        r"more where the form's rest, $g_x$, is negative. (g) Two branches that are not degenerate in the slab, "
        r"each alone in its box, are one up to a symmetry for all $\lambda$ of the slab or for none; so the number"
        r" of copies is constant. (h) Let $x = x_c + \rho e_1$, $\kappa = \kappa_c + K e_2$, $p(e)$ polynomials, $A_c$"
        r" a matrix and $H(e, w) = A_c G_y$ at $y = p(e) + w$. If $\sum_j |\delta_{ij} - \partial H_i/\partial w_j| "
        r"Y_j \le Z Y_i$ and $|H_i(e, 0)| \le \eta Y_i$ with $\eta + Z < 1$ for all complex $|e_k| \le 1$, $|w_i| "
        r"\le Y_i$, then for each $e$ exactly one $y(e)$ with $G_y = 0$ has $|y - p|_i \le Y_i$, it has $|y - p|_i \le "
        r"Y_i \eta/(1 - Z)$, and it is analytic in $e$; so is $g$. If $|g - P| \le \varepsilon$ for a polynomial $P$, "
        r"the derivatives of $g - P$, $m$ by $e_1$ and $k$ by $e_2$, are at most $m!\,k!\,\varepsilon\,(1 - a)^{-m} "
        r"(1 - b)^{-k}$ for $|e_1| \le a$, $|e_2| \le b$. (i) For real $x$ and $\pi/4 \le |y| < \pi/2$ is "
        r"$|\tanh(x + iy)| \le \tan|y|$, and at most 1 for smaller $|y|$."
    ),
    rests_on=(
        "T10-enumeration",
        "T3-eigenvalue",
        "Krawczyk's theorem",
        "the implicit function theorem",
        "the intermediate value theorem",
        "Sylvester's law of inertia",
        "an interval is connected",
        "Banach's fixed point theorem",
        "Cauchy's estimate",
    ),
    source="this package",
    steps=(
        Step(
            name="motion with the penalty",
            claim=(
                r"With $s = 1$ and $P = \kappa/(1 + e^t)$: $\partial P/\partial\kappa = P/\kappa$, whose derivative "
                r"by $\kappa$ is 0; the left sides of the equations in $t$, $U$, $v$ and $P$ contain no other $\kappa$."
            ),
            obligations=(
                Identity(left=partial(share, kappa), right=share / kappa),
                Identity(left=partial(share, kappa, kappa)),
                *(Identity(left=partial(e, kappa)) for e in by_margin),
            ),
        ),
        Step(
            name="affine in kappa",
            claim=r"$P$ is $\kappa$ times a function of $z$, so the second derivatives of $F$ by $\kappa$ vanish.",
            obligations=tuple(Identity(left=partial(e, kappa, kappa)) for e in equations),
        ),
        Step(
            name="the curve",
            claim=(
                r"Along $y = tX + uX^2/2$ with $t = -b_1/b_2$ and $u = -(b_{11} + 2 b_{12}t + b_{22}t^2)/b_2$ the "
                r"equation $B = 0$ holds to second order."
            ),
            obligations=(
                Identity(left=at(partial(beside, X), {X: 0})),
                Identity(left=at(partial(beside, X, X), {X: 0})),
            ),
        ),
        Step(
            name="the reduced equation",
            claim=(
                r"Along it $A$ has the derivatives $a_1 + l b_1$ and $(1, l)$ times the second derivatives of $(A, B)$ "
                r"along $(1, t)$, with $l = -a_2/b_2$."
            ),
            obligations=(
                Identity(left=at(partial(along, X), {X: 0}), right=a1 + left * b1),
                Identity(
                    left=at(partial(along, X, X), {X: 0}),
                    right=a11 + 2 * a12 * slope + a22 * slope**2 + left * (b11 + 2 * b12 * slope + b22 * slope**2),
                ),
            ),
        ),
        Step(
            name="tanh in a strip",
            claim=(
                r"$|\tanh(x + iy)|^2 = (S + s)/(S + c)$ with $S = \sinh^2 x$, $s = \sin^2 y = 1 - c$: $|\sinh(x + "
                r"iy)|^2 = S c + (1 + S) s$, $|\cosh(x + iy)|^2 = (1 + S) c + S s$. And "
                r"$s/c - (S + s)/(S + c) = S (s - c)/(c (S + c))$, which is not negative for $s \ge c$; "
                r"$1 - (S + s)/(S + c) = (c - s)/(S + c)$, which is not for $s \le c$."
            ),
            obligations=(
                Identity(left=sinh2 * cos2 + (1 + sinh2) * (1 - cos2), right=sinh2 + 1 - cos2),
                Identity(left=(1 + sinh2) * cos2 + sinh2 * (1 - cos2), right=sinh2 + cos2),
                Identity(
                    left=sin2 / cos2 - (sinh2 + sin2) / (sinh2 + cos2),
                    right=sinh2 * (sin2 - cos2) / (cos2 * (sinh2 + cos2)),
                ),
                Identity(left=1 - (sinh2 + sin2) / (sinh2 + cos2), right=(cos2 - sin2) / (sinh2 + cos2)),
            ),
        ),
        Step(
            name="index",
            claim=r"$f X^2 + 2 h X Y + c Y^2 = (f - h^2/c) X^2 + c\,(Y + h X/c)^2$: the form splits as in (f).",
            obligations=(
                Identity(
                    left=f * X**2 + 2 * h * X * Y + c * Y**2,
                    right=(f - h**2 / c) * X**2 + c * (Y + h * X / c) ** 2,
                ),
            ),
        ),
    ),
)
