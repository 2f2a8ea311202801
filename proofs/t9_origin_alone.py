"""T9: above a penalty that does not depend on the width, the origin is the only stationary point.

Two balanced classes, y_d = +-1, and one hidden layer of any width N. By T2 the outgoing weights are (-v_j, v_j) and the
output biases (-gamma, gamma); the contrast is u = 2 (sum_j v_j h_j + gamma), h_j = sigma(s_j), s_j = w_j . (x, 1), and

    E = mean ln(1 + exp(-y u)) + lambda (2 |v|^2 + 2 gamma^2 + |w|^2).

With tau = tanh(y u / 2) and alpha = artanh tau = y u / 2 the residual is r = y (1 - tau) / 2, and stationarity reads

    2 lambda v_j = mean r h_j,   2 lambda gamma = mean r,   lambda |w_j|^2 = v_j mean r g(s_j),   g(s) = s sigma'(s).

Let X = mean tau alpha, Y = mean alpha, T^2 = mean tau^2, A^2 = |v|^2 + gamma^2, and for a node

    a(w) = mean y sigma(w.x),   b(w) = mean y g(w.x),   c(w)^2 = mean g(w.x)^2.

    (1)  4 lambda A^2 = mean r u = Y - X,
    (2)  Y = sum_j v_j a(w_j)                          (balanced labels: gamma drops out),
    (3)  2 lambda |w_j|^2 <= |v_j| (|b(w_j)| + T c(w_j))     (Cauchy-Schwarz for mean tau y g),
    so   Y <= (A^2 / 2 lambda) max_w |a| (|b| + T c) / |w|^2 = (Y - X) / (8 lambda^2) max_w |a| (|b| + T c) / |w|^2,
    (4)  (Y - X) / Y <= 1 - T                           (Jensen, twice),
    (5)  (1 - T)(|b| + T c) <= (c + |b|)^2 / (4 c),

and 32 lambda^2 <= max_w |a| (c + |b|)^2 / (c |w|^2) wherever Y > 0, that is at every stationary point but the origin.
"""

from fractions import Fraction

import sympy as sp

from symland.theorems import (
    Fact,
    Hypothesis,
    Identity,
    Notation,
    Positive,
    SomePositive,
    Step,
    Theorem,
    at,
    partial,
    smooth,
)

y, u, v, w, x, gamma, penalty, rest, alpha = sp.symbols("y u v w x gamma lambda rest alpha")
sigma = smooth("sigma", 1)
contrast = 2 * (rest + v * sigma(w * x) + gamma)
loss = sp.log(1 + sp.exp(-y * contrast))
e = sp.exp(y * contrast)
tau = (e - 1) / (e + 1)
residual = y * (1 - tau) / 2

# alpha = artanh tau, of which only its derivative 1 / (1 - tau^2) and its value at zero are used.
s, t, k = sp.symbols("s t k")
A = smooth("artanh", 1)
tau_s = sp.Symbol("tau")
derivative = Notation(
    name="artanh",
    statement=(
        r"$\alpha = \operatorname{artanh}\tau$: $\frac{d\alpha}{d\tau} = 1/(1-\tau^2)$, $\operatorname{artanh} 0 = 0$"
    ),
    rules=((smooth("artanh", 1, 1)(tau_s), 1 / (1 - tau_s**2)), (A(0), 0)),
)
between = Notation(
    name="tau in (0, 1)", statement=r"$\tau = 1/(1+t)$, $t > 0$", rules=((tau_s, 1 / (1 + t)),), positive=(t,)
)

X, Y, T, aT, xi1, xi2, b, c = sp.symbols("X Y T a xi_1 xi_2 b c")
jensen = Fact(
    name="Jensen",
    statement=(
        r"with $a = \operatorname{artanh} T$: $X = T a + \xi_1$ and $Y - X = (1-T) a - \xi_2$, $\xi_1, \xi_2 \ge 0$"
    ),
    rules=((Y, X + (1 - T) * aT - xi2), (X, T * aT + xi1)),
    after=("convexity", "signs of the slopes"),
    by="Jensen's inequality",
)
y1, y2, h1, h2, g1, g2, tau1, tau2 = sp.symbols("y_1 y_2 h_1 h_2 g_1 g_2 tau_1 tau_2")
a_j, b_j, pull = sp.symbols("a_j b_j R_j")
# Labels are +-1, so that y = 1 / y and two of them are balanced when the second is the first reversed.
balanced = Hypothesis(name="balanced", statement=r"$\frac1D\sum_d y_d = 0$", rules=((y2, -y1),))
sums = Notation(
    name="means of a node",
    statement=(
        r"$Y = \frac1D\sum_d y_d u_d/2$, $a_j = \frac1D\sum_d y_d h_{jd}$, $b_j = \frac1D\sum_d y_d g(s_{jd})$, $R_j = "
        r"\frac1D\sum_d r_d\,g(s_{jd})$; two samples and one node stand for any number"
    ),
    rules=(
        (Y, (y1 * (v * h1 + gamma) + y2 * (v * h2 + gamma)) / 2),
        (a_j, (y1 * h1 + y2 * h2) / 2),
        (b_j, (y1 * g1 + y2 * g2) / 2),
        (pull, (y1 * (1 - tau1) / 2 * g1 + y2 * (1 - tau2) / 2 * g2) / 2),
    ),
)
size, reach, square, spare, out = sp.symbols("a k n xi v")
cauchy = Fact(
    name="Cauchy-Schwarz",
    statement=r"$|v_j|\,k_j = 2\lambda n_j + \xi$, $\xi \ge 0$, with $k_j = |b_j| + T c_j$ and $n_j = |w_j|^2$",
    rules=((reach, (2 * penalty * square + spare) / out),),
    positive=(out, spare, penalty, square, size),
    after=("equation (3)",),
    by="the Cauchy-Schwarz inequality for the mean of $\\tau y g$",
)
positive = Notation(
    name="range of T",
    statement=r"$0 < T < 1$: $T = 1/(1+k)$",
    rules=((T, 1 / (1 + k)),),
    positive=(k, xi1, xi2),
)

THEOREM = Theorem(
    identifier="T9-origin-alone",
    title="A penalty above which the origin is the only stationary point",
    setting=(
        r"A network with one hidden layer of any width, an activation with $\sigma(0) = 0$, two softmax outputs, "
        r"labels $y_d = \pm1$, and $E(\theta) = \frac1D\sum_d\ell_d + \lambda\sum_p\theta_p^2$ with the "
        r"cross-entropy $\ell_d$ and the penalty over all parameters. For a vector $w$ of incoming weights and bias, "
        r"$\xi = (x, 1)$ and $g(s) = s\,\sigma'(s)$: $a(w) = \frac1D\sum_d y_d\,\sigma(w\cdot\xi_d)$, $b(w) = "
        r"\frac1D\sum_d y_d\,g(w\cdot\xi_d)$, $c(w)^2 = \frac1D\sum_d g(w\cdot\xi_d)^2$, $c \ge 0$."
    ),
    hypotheses=(balanced,),
    conclusion=(
        r"If $32\lambda^2\,c\,|w|^2 > |a|\,(c + |b|)^2$ for every $w$ with $c(w) \ne 0$, then the origin is the only "
        r"stationary point of $E$, of whatever index, at every width."
    ),
    notation=(derivative, between, sums, positive),
    facts=(cauchy, jensen),
    variables=(
        (
            r"u, r, \tau",
            r"contrast $z_1 - z_0 = 2(\sum_j v_j h_j + \gamma)$ by T2-gauge, residual $y(1-\tau)/2$, $\tau = "
            r"\tanh(yu/2)$",
        ),
        (
            r"X, Y, T, A^2",
            r"means $\langle\tau\alpha\rangle$, $\langle\alpha\rangle$, $\langle\tau^2\rangle^{1/2}$, "
            r"$\alpha = \operatorname{artanh}\tau = yu/2$; $A^2 = \sum_j v_j^2 + \gamma^2$",
        ),
    ),
    rests_on=("T2-gauge", "linearity of sums over samples and nodes"),
    source="this package",
    steps=(
        Step(
            name="gradient of a sample",
            claim=(
                r"$\partial_v\ell = -2 r\,\sigma(s)$, $\partial_\gamma\ell = -2 r$, $w\,\partial_w\ell = -2 "
                r"v\,r\,s\,\sigma'(s)$ with $r = y(1-\tau)/2$; against the penalty's $4\lambda v$, "
                r"$4\lambda\gamma$, $2\lambda w$ these are the equations above."
            ),
            obligations=(
                Identity(left=partial(loss, v), right=-2 * residual * sigma(w * x)),
                Identity(left=partial(loss, gamma), right=-2 * residual),
                Identity(left=w * partial(loss, w), right=-2 * v * residual * w * x * smooth("sigma", 1, 1)(w * x)),
                Identity(left=partial(penalty * (2 * v**2 + 2 * gamma**2 + w**2), v), right=4 * penalty * v),
            ),
        ),
        Step(
            name="equation (1)",
            claim=(
                r"$r u = (1-\tau)\alpha$ for both labels, with $u = 2 y\alpha$; and $2\lambda v_j\cdot 2 v_j + "
                r"2\lambda\gamma\cdot 2\gamma$ add up to $4\lambda A^2$."
            ),
            obligations=tuple(
                Identity(left=at(y * (1 - tau_s) / 2 * 2 * y * alpha, {y: label}), right=(1 - tau_s) * alpha)
                for label in (1, -1)
            ),
        ),
        Step(
            name="equation (2)",
            claim=r"$Y = \frac1D\sum_d y_d u_d/2 = \sum_j v_j a_j + \gamma\,\frac1D\sum_d y_d = \sum_j v_j a_j$.",
            obligations=(Identity(left=Y, right=v * a_j),),
            uses=(sums.name, balanced.name),
        ),
        Step(
            name="equation (3)",
            claim=(
                r"$2 R_j = b_j - \frac1D\sum_d\tau_d\,y_d\,g(s_{jd})$, so $2\lambda|w_j|^2 = 2 v_j R_j \le "
                r"|v_j|(|b_j| + T c_j)$. Where $c_j = 0$ this is $w_j = 0$, and then $a_j = 0$."
            ),
            obligations=(Identity(left=2 * pull, right=b_j - (tau1 * y1 * g1 + tau2 * y2 * g2) / 2),),
            uses=(sums.name,),
        ),
        Step(
            name="bound of a node",
            claim=(
                r"$|v_j a_j| \le v_j^2\,|a_j|\,(|b_j| + T c_j)/(2\lambda|w_j|^2)$: the difference is $|v_j "
                r"a_j|\,\xi/(2\lambda n_j) \ge 0$. With $M$ the largest $|a_j|(|b_j| + T c_j)/|w_j|^2$ of the nodes "
                r"and (1), $Y \le M A^2/(2\lambda) = M (Y - X)/(8\lambda^2)$."
            ),
            obligations=(
                Identity(
                    left=out**2 * size * reach / (2 * penalty * square) - out * size,
                    right=out * size * spare / (2 * penalty * square),
                ),
                Positive(expression=out**2 * size * reach / (2 * penalty * square) - out * size),
            ),
            uses=(cauchy.name,),
        ),
        Step(
            name="convexity",
            claim=(
                r"In $\tau^2$, for $0 < \tau < 1$: $\tau\alpha$ is convex and $(1-\tau)\alpha$ concave. Their "
                r"derivatives by $\tau^2$ are $\frac12(\frac\alpha\tau + \frac1{1-\tau^2})$ and "
                r"$\frac12(\frac1{\tau(1+\tau)} - \frac\alpha\tau)$; $\alpha/\tau$ rises because "
                r"$\frac\tau{1-\tau^2} - \alpha$ is zero at $0$ and rises. For $\tau < 0$ both $\tau\alpha$ is even "
                r"and $(1-\tau)\alpha < 0$."
            ),
            obligations=(
                Identity(
                    left=partial(tau_s * A(tau_s), tau_s) / (2 * tau_s),
                    right=(A(tau_s) / tau_s + 1 / (1 - tau_s**2)) / 2,
                ),
                Identity(
                    left=partial((1 - tau_s) * A(tau_s), tau_s) / (2 * tau_s),
                    right=(1 / (tau_s * (1 + tau_s)) - A(tau_s) / tau_s) / 2,
                ),
                Identity(left=partial(A(tau_s) / tau_s, tau_s), right=(tau_s / (1 - tau_s**2) - A(tau_s)) / tau_s**2),
                Identity(left=at(tau_s / (1 - tau_s**2) - A(tau_s), {tau_s: 0})),
            ),
            uses=(derivative.name,),
        ),
        Step(
            name="signs of the slopes",
            claim=(
                r"$\frac{d}{d\tau}(\frac\tau{1-\tau^2} - \alpha) > 0$, $\frac{d}{d\tau}\frac1{1-\tau^2} > 0$ and "
                r"$\frac{d}{d\tau}\frac1{\tau(1+\tau)} < 0$."
            ),
            obligations=(
                Positive(expression=partial(tau_s / (1 - tau_s**2) - A(tau_s), tau_s)),
                Positive(expression=partial(1 / (1 - tau_s**2), tau_s)),
                Positive(expression=-partial(1 / (tau_s * (1 + tau_s)), tau_s)),
            ),
            uses=(derivative.name, between.name),
        ),
        Step(
            name="equation (4)",
            claim=(
                r"$(1-T)\,Y - (Y - X) = (1-T)\,\xi_1 + T\,\xi_2 \ge 0$. So $8\lambda^2 Y \le M (1 - T) Y$; $Y > 0$ "
                r"at every stationary point but the origin, as $Y \ge Y - X = 4\lambda A^2$, and $A = 0$ gives $w_j "
                r"= 0$."
            ),
            obligations=(
                Identity(left=(1 - T) * Y - (Y - X), right=(1 - T) * xi1 + T * xi2),
                Positive(expression=(1 - T) * xi1 + T * xi2),
            ),
            uses=(jensen.name, positive.name),
        ),
        Step(
            name="equation (5)",
            claim=(
                r"$\frac{(c+b)^2}{4c} - (1-T)(b + Tc) = c\,\bigl(T - \frac{c-b}{2c}\bigr)^2 \ge 0$: so $8\lambda^2 \le "
                r"|a_j|(c_j + |b_j|)^2/(4 c_j|w_j|^2)$ for some node, against the hypothesis on $\lambda$."
            ),
            obligations=(
                Identity(left=(c + b) ** 2 / (4 * c) - (1 - T) * (b + T * c), right=c * (T - (c - b) / (2 * c)) ** 2),
            ),
        ),
    ),
)

weights = sp.symbols("w_1 w_2 w_3", real=True)
LARGEST_G = sp.Rational(448, 1000)
XOR_LABELS = (-1, 1, 1, -1)


def xor_box(inputs, bound, mirrored):
    """32 lambda^2 |w|^2 c > |a| (c + |b|)^2 on a box, up to the symmetries of the data, near zero and far away."""
    bound = sp.Rational(bound)
    inner = [weights[0] * p + weights[1] * q + weights[2] for p, q in inputs]
    h = [sp.tanh(z) for z in inner]
    g = [z * (1 - value**2) for z, value in zip(inner, h, strict=True)]
    a = sum(label * value for label, value in zip(XOR_LABELS, h, strict=True)) / 4
    b = sum(label * value for label, value in zip(XOR_LABELS, g, strict=True)) / 4
    c = sp.sqrt(sum(value**2 for value in g) / 4)
    square = sum(weight**2 for weight in weights)
    far = LARGEST_G / (8 * bound**2)
    images = (weights[0] - weights[1],)
    if not mirrored:
        images += (-(weights[0] + weights[1]) * (2 * weights[2] + weights[0] + weights[1]),)
    side = Fraction(int(sp.ceiling(10 * sp.sqrt(far))), 10)
    low = Fraction(0) if mirrored else -side
    return SomePositive(
        alternatives=(
            square - far,
            8 * bound**2 / 3 - square,
            *images,
            8 * bound**2 * square - LARGEST_G * sp.Abs(a),
            32 * bound**2 * square * c - sp.Abs(a) * (c + sp.Abs(b)) ** 2,
        ),
        box={weights[0]: (low, side), weights[1]: (low, side), weights[2]: (Fraction(0), side)},
    )


z, n, far_away, near_by, bound = sp.symbols("z n f d lambda_0")
outer = Notation(
    name="far", statement=r"where $|z| > 8$: $|z| = 8 + f$, $f > 0$", rules=((z, 8 + far_away),), positive=(far_away,)
)
inner = Notation(
    name="near",
    statement=r"where $0 < |w|^2 < \frac83\lambda^2$: $|w|^2 = n = \frac83\lambda^2 - d$ with $n, d > 0$",
    rules=((bound, 3 * (n + near_by)),),
    positive=(n, near_by),
)
real_z = sp.Symbol("z", real=True)

XOR = Theorem(
    identifier="T9-xor",
    title="XOR: the origin is alone",
    setting=(
        r"The XOR data, inputs $x \in \{0,1\}^2$ or $\{-1,+1\}^2$, label $y = 1$ where $x_1 \ne x_2$ and $-1$ else, "
        r"and a network with one hidden layer of \emph{any} number of $\tanh$ nodes, two softmax outputs, mean "
        r"cross-entropy, and the penalty $\lambda\sum_p\theta_p^2$ over all parameters, biases too."
    ),
    conclusion=(
        r"The origin is the only stationary point of the loss, of whatever index, for every $\lambda \ge 0.048$ "
        r"(inputs $\{0,1\}$) and every $\lambda \ge 0.075$ (inputs $\{-1,+1\}$)."
    ),
    notation=(outer, inner),
    variables=((r"a, b, c, g", "as in T9-origin-alone"), (r"n", r"$|w|^2$"), (r"\lambda_0", r"$8\lambda^2$")),
    rests_on=(
        "T9-origin-alone",
        r"$\cosh^2 z \ge 1 + z^2$, $|\tanh z| \le |z|$, $|\tanh z - z| \le |z|^3/3$",
        r"the right side falls with $\lambda$: a bound for one $\lambda$ holds for all larger ones",
    ),
    remarks=(
        r"The bounds are not sharp: with two nodes the last branch beside the origin, followed numerically, folds at "
        r"$\lambda = 0.0288$ and $0.0550$.",
    ),
    source="this package",
    steps=(
        Step(
            name="largest g",
            claim=r"$g(z) = z\operatorname{sech}^2 z < 0.448$ for $0 \le z \le 8$.",
            obligations=(
                SomePositive(
                    alternatives=(LARGEST_G - real_z * (1 - sp.tanh(real_z) ** 2),),
                    box={real_z: (Fraction(0), Fraction(8))},
                ),
            ),
        ),
        Step(
            name="g far away",
            claim=r"$g(z) \le z/(1 + z^2) < 0.448$ for $z > 8$.",
            obligations=(Positive(expression=LARGEST_G - z / (1 + z**2)),),
            uses=(outer.name,),
        ),
        Step(
            name="near zero",
            claim=(
                r"With $\sum_d y_d\xi_d = 0$ and $|\xi_d|^2 \le 3$: $|a|c \le 3|w|^4 < 8\lambda^2|w|^2$ for $|w|^2 "
                r"< \frac83\lambda^2$, and $(c+|b|)^2/(4c) \le c$."
            ),
            obligations=(Positive(expression=bound * n - 3 * n**2),),
            uses=(inner.name,),
        ),
        Step(
            name="inputs -1 and +1",
            claim=(
                r"$32\lambda^2|w|^2 c > |a|(c + |b|)^2$ for $\lambda = 0.075$: where $8\lambda^2|w|^2 > 0.448$ "
                r"($|a| < 1$, $c < 0.448$); near zero; where $8\lambda^2|w|^2 > 0.448|a|$; and elsewhere by "
                r"enclosures. $w_i \ge 0$ and $w_1 \le w_2$ by the symmetries of the square."
            ),
            obligations=(xor_box(((-1, -1), (-1, 1), (1, -1), (1, 1)), "0.075", True),),
        ),
        Step(
            name="inputs 0 and 1",
            claim=(
                r"The same for $\lambda = 0.048$. $w_3 \ge 0$ since $w \mapsto -w$ keeps $|a|, |b|, c$; $w_1 \le "
                r"w_2$; and of $w$ and its complement $(-w_1, -w_2, w_1 + w_2 + w_3)$, which has the same $|a|, "
                r"|b|, c$, the one with the smaller $|w|$ decides."
            ),
            obligations=(xor_box(((0, 0), (0, 1), (1, 0), (1, 1)), "0.048", False),),
        ),
    ),
)

THEOREMS = (THEOREM, XOR)
