"""T14: a pitchfork, and how many points are around it.

y stands for the components of the reduction that x does not; as in T12 one stands for any number, and everything is
expanded about a point: to third order in x, to first order in kappa. H is what is left of an odd equation when it is
divided by x.
"""

import sympy as sp

from symland.theorems import Identity, Step, Theorem, at, partial

X, Y, K, s = sp.symbols("X Y K s")
a1, a2, a11, a12, a22, a111, a112, a122, a222 = sp.symbols("a_1 a_2 a_11 a_12 a_22 a_111 a_112 a_122 a_222")
b1, b2, b11, b12, b22, b111, b112, b122, b222 = sp.symbols("b_1 b_2 b_11 b_12 b_22 b_111 b_112 b_122 b_222")
ak, ak1, ak2, bk, bk1, bk2 = sp.symbols("a_k a_k1 a_k2 b_k b_k1 b_k2")


def expanded(first, second, third, moved):
    square = second[0] * X**2 + 2 * second[1] * X * Y + second[2] * Y**2
    cube = third[0] * X**3 + 3 * third[1] * X**2 * Y + 3 * third[2] * X * Y**2 + third[3] * Y**3
    return first[0] * X + first[1] * Y + square / 2 + cube / 6 + K * (moved[0] + moved[1] * X + moved[2] * Y)


A = expanded((a1, a2), (a11, a12, a22), (a111, a112, a122, a222), (ak, ak1, ak2))
B = expanded((b1, b2), (b11, b12, b22), (b111, b112, b122, b222), (bk, bk1, bk2))
left = -a2 / b2
slope = -b1 / b2
bend = -(b11 + 2 * b12 * slope + b22 * slope**2) / b2


def along_twice(second):
    """Second derivatives along (1, slope)."""
    return second[0] + 2 * second[1] * slope + second[2] * slope**2


def along_thrice(third):
    """Third derivatives along (1, slope)."""
    return third[0] + 3 * third[1] * slope + 3 * third[2] * slope**2 + third[3] * slope**3


def along_and_beside(second):
    """Second derivatives along (1, slope) and (0, bend)."""
    return (second[1] + second[2] * slope) * bend


cubic = -(along_thrice((b111, b112, b122, b222)) + 3 * along_and_beside((b11, b12, b22))) / b2
curve = {Y: slope * X + bend * X**2 / 2 + cubic * X**3 / 6}
along, beside = at(A, {**curve, K: 0}), at(B, {**curve, K: 0})

# With kappa: y = slope X + drift K + turn X K, as far as the mixed derivative needs it.
drift = -bk / b2
turn = -((b12 + b22 * slope) * drift + bk1 + bk2 * slope) / b2
moving = {Y: slope * X + drift * K + turn * X * K}
mixed, held = at(A, moving), at(B, moving)

c0, c1, c2, c3 = sp.symbols("c_0 c_1 c_2 c_3")
odd = c1 * X + c3 * X**3
e0, e2, f1, f3, w = sp.symbols("e_0 e_2 f_1 f_3 w")

THEOREM = Theorem(
    identifier="T14-pitchforks",
    title="The number of stationary points around a pitchfork",
    setting=(
        r"$F$, $G$ and $g(x, \kappa)$ as in T12-slabs (c): $y(x, \kappa)$ is the one zero of $G_y(x, \cdot, \kappa)$ in"
        r" a box, and $\partial_y G_y$ is nonsingular. $R$ is a symmetry of order two, $F(Rz) = R F(z)$ with $R$ "
        r"orthogonal; $R n = -n$, $R$ keeps the middle of the box, and the columns of $Q$ are kept or turned round by "
        r"it, so that $R$ maps the box onto itself: $(x, y)$ to $(-x, D y)$. $h = g/x$, $h(0, \kappa) = g_x(0, "
        r"\kappa)$. $L = (1, l)$ times the rows that make $G$ of $F$, and $T = n + Q\,\partial_x y$."
    ),
    conclusion=(
        r"(a) $y(-x, \kappa) = D\,y(x, \kappa)$ and $g(-x, \kappa) = -g(x, \kappa)$. (b) $g_{xxx} = L(F'''[T, T, T] + "
        r"3 F''[T, Q y_{xx}])$ with $y_{xx} = -(\partial_y G_y)^{-1} G_y''[T, T]$, and $\partial_\kappa g_x = "
        r"L(F''[T, Q y_\kappa] + \partial_\kappa J\,T)$ with $y_\kappa = -(\partial_y G_y)^{-1}\partial_\kappa G_y$. "
        r"(c) If $g_{xx}$ has the sign $s$ for all $0 < x \le X$, then so has $h_x$; and $g_x = x h_x$ where $g$ "
        r"vanishes. (d) Let also $g(X, \kappa)$ have the sign $s$ for all $\kappa$ of the slab, $\partial_\kappa "
        r"g_x(0, \kappa)$ have one sign, and one point with $x = 0$ be degenerate, at $\kappa^*$. Then the box holds "
        r"one point with $x = 0$ for every $\kappa$, degenerate at $\kappa^*$ only; on the side where $h(0, \kappa)$ "
        r"has the sign $-s$ it holds two more, $x$ and $-x$, images of one another under $R$ and not degenerate; on "
        r"the other side none. The index of the branch changes by one at $\kappa^*$; the two have the index that it "
        r"has where it is alone, and together twice as many copies. (e) With $z = e + x w$, $e$ kept and $w$ turned "
        r"round by $R$, the zeros with $x > 0$ are those of the even equations and of the odd ones divided by $x$; the "
        r"derivatives of these by $x$ are $x$ times smooth functions."
    ),
    rests_on=(
        "T12-slabs",
        "a zero that is the only one is kept by a symmetry that keeps its box",
        "Rolle's theorem",
        "the implicit function theorem",
        "the intermediate value theorem",
        "the orbit-stabiliser theorem",
    ),
    source="this package; the extended system after B. Werner and A. Spence, SIAM J. Numer. Anal. 21 (1984) 388",
    steps=(
        Step(
            name="the curve to third order",
            claim=(
                r"Along $y = tX + uX^2/2 + vX^3/6$, $v = -(b_{111} + \ldots + 3 (b_{12} + b_{22}t) u)/b_2$, the "
                r"equation $B = 0$ holds to third order."
            ),
            obligations=(
                Identity(left=at(partial(beside, X), {X: 0})),
                Identity(left=at(partial(beside, X, X), {X: 0})),
                Identity(left=at(partial(beside, X, X, X), {X: 0})),
            ),
        ),
        Step(
            name="the third derivative",
            claim=(
                r"Along it $A$ has the third derivative $(1, l)$ times those of $(A, B)$ along $(1, t)$ and three "
                r"times the second ones along $(1, t)$ and $(0, u)$, with $l = -a_2/b_2$."
            ),
            obligations=(
                Identity(
                    left=at(partial(along, X, X, X), {X: 0}),
                    right=along_thrice((a111, a112, a122, a222))
                    + 3 * along_and_beside((a11, a12, a22))
                    + left * (along_thrice((b111, b112, b122, b222)) + 3 * along_and_beside((b11, b12, b22))),
                ),
            ),
        ),
        Step(
            name="the tilt",
            claim=(
                r"With $y = tX + dK + m X K$, $d = -b_k/b_2$: $B = 0$ holds in the orders $X$, $K$ and $XK$, and $A$ "
                r"has the mixed derivative $(1, l)$ times the second derivatives along $(1, t)$ and $(0, d)$ plus "
                r"those of the slopes by $\kappa$ along $(1, t)$."
            ),
            obligations=(
                Identity(left=at(partial(held, X), {X: 0, K: 0})),
                Identity(left=at(partial(held, K), {X: 0, K: 0})),
                Identity(left=at(partial(held, X, K), {X: 0, K: 0})),
                Identity(
                    left=at(partial(mixed, X, K), {X: 0, K: 0}),
                    right=(a12 + a22 * slope) * drift
                    + ak1
                    + ak2 * slope
                    + left * ((b12 + b22 * slope) * drift + bk1 + bk2 * slope),
                ),
            ),
        ),
        Step(
            name="an odd equation",
            claim=(
                r"For $g = c_0 + c_1 X + c_2 X^2 + c_3 X^3$ the even part of $g$ is $c_0 + c_2 X^2$, which oddness "
                r"excludes; with $g = X h$: $X^2 h_X = X g_X - g$, and $(X g_X - g)_X = X g_{XX}$."
            ),
            obligations=(
                Identity(
                    left=(c0 + c1 * X + c2 * X**2 + c3 * X**3 + c0 - c1 * X + c2 * X**2 - c3 * X**3) / 2,
                    right=c0 + c2 * X**2,
                ),
                Identity(left=X**2 * partial(odd / X, X), right=X * partial(odd, X) - odd),
                Identity(left=partial(X * partial(odd, X) - odd, X), right=X * partial(odd, X, X)),
            ),
        ),
        Step(
            name="divided by the amplitude",
            claim=(
                r"An odd equation $f_1 w X + f_3 w^3 X^3/6$ divided by $X$ has the derivative $X f_3 w^3/3$: the mean "
                r"of $s^2 F'''[w, w, w]$ over $0 \le s \le 1$, as $\int_0^1 s^2 = 1/3$; an even one, $e_0 + e_2 w^2 "
                r"X^2/2$, has the derivative $X e_2 w^2$."
            ),
            obligations=(
                Identity(
                    left=partial((f1 * w * X + f3 * w**3 * X**3 / 6) / X, X),
                    right=X * f3 * w**3 * sp.integrate(s**2, (s, 0, 1)),
                ),
                Identity(left=partial(e0 + e2 * w**2 * X**2 / 2, X), right=X * e2 * w**2),
            ),
        ),
    ),
)
