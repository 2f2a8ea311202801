"""T10: the equations, bounds and symmetries on which complete enumeration rests.

Two softmax classes, one hidden tanh layer, all parameters penalised. By T2 only the contrast Delta_d = sum_j v_j h_jd +
gamma counts, h_jd = tanh(U_j . x_d). With s_d = +-1 the label, q_d = 1/(1 + exp(s_d Delta_d)) and P_d = s_d q_d /
(lambda D), a point is stationary iff

    v_j = sum_d P_d h_jd,   2 U_j = v_j sum_d P_d (1 - h_jd^2) x_d,   gamma = sum_d P_d:

given P, every node solves equations of its own. Two samples, two nodes and two components of U and x stand for any
number in what follows: every sum is linear in each of its terms.
"""

from fractions import Fraction

import sympy as sp

from symland.theorems import Hypothesis, Identity, Notation, Positive, SomePositive, Step, Theorem, at, partial

s1, s2, v, gamma, penalty, rest1, rest2 = sp.symbols("s_1 s_2 v gamma lambda rest_1 rest_2")
U1, U2, x1, x2, y1, y2, P1, P2 = sp.symbols("U_1 U_2 x_1 x_2 y_1 y_2 P_1 P_2")
# Sample 1 has the components x_1, y_1, sample 2 the components x_2, y_2.
SAMPLES = ((s1, rest1, x1, y1), (s2, rest2, x2, y2))


def tanh_of(u, w, x, y):
    return sp.tanh(u * x + w * y)


def data(sign, rest, x, y):
    return sp.log(1 + sp.exp(-sign * (rest + v * tanh_of(U1, U2, x, y) + gamma)))


def share(sign, rest, x, y):
    """q_d."""
    return 1 / (1 + sp.exp(sign * (rest + v * tanh_of(U1, U2, x, y) + gamma)))


# The rows of the outgoing weights are -v/2 and v/2, and so are the biases: their squares add up to v^2/2.
loss = (data(*SAMPLES[0]) + data(*SAMPLES[1])) / 2 + penalty * (v**2 / 2 + gamma**2 / 2 + U1**2 + U2**2)


def node_equations(u, w, output):
    """F(U, v; P): two components of the equation of U, and that of v."""
    both = ((P1, x1, y1), (P2, x2, y2))
    slopes = [p * (1 - tanh_of(u, w, x, y) ** 2) for p, x, y in both]
    return (
        2 * u - output * sum(k * x for k, (_, x, _) in zip(slopes, both, strict=True)),
        2 * w - output * sum(k * y for k, (_, _, y) in zip(slopes, both, strict=True)),
        output - sum(p * tanh_of(u, w, x, y) for p, x, y in both),
    )


F = node_equations(U1, U2, v)
residuals = Notation(
    name="residuals",
    statement=r"$P_d = s_d q_d/(\lambda D)$, here with $D = 2$",
    rules=tuple((p, sample[0] * share(*sample) / (2 * penalty)) for p, sample in zip((P1, P2), SAMPLES, strict=True)),
)

v1, v2, h11, h12, h21, h22, g = sp.symbols("v_1 v_2 h_11 h_12 h_21 h_22 g")
stationary = Hypothesis(
    name="node equations",
    statement=r"for (d): $\theta$ is stationary, so $v_j = \sum_d P_d h_{jd}$ and $\gamma = \sum_d P_d$, by (a)",
    rules=((h11, (v1 - P2 * h12) / P1), (h21, (v2 - P2 * h22) / P1), (g, P1 + P2)),
)
t, far_away, real = sp.Symbol("t"), sp.Symbol("f"), sp.Symbol("z", real=True)
beyond = Notation(
    name="far", statement=r"where $|a| > 8$: $|a| = 8 + f$, $f > 0$", rules=((t, 8 + far_away),), positive=(far_away,)
)
contrast, label = sp.symbols("Delta s")

Pc, dP, vc, dv, da, t0, t1, t2, second, third = sp.symbols("P_c dP v_c dv da T_0 T_1 T_2 xi_2 xi_3")
p, q, r = sp.symbols("p q r")
r1, r2 = sp.symbols("r_1 r_2")

MARGIN = sp.Rational(2784645428, 10**10)
TWIST = sp.Rational(44775, 10**5)


def moved(epsilon):
    """What an automorphism leaves: q_d, and the node equations with P times epsilon, v times epsilon, x_d as U turned.

    The exchange of the two components, with a change of sign of one, stands for a signed permutation: Q (U_1, U_2) =
    (-U_2, U_1).
    """
    image = node_equations(-U2, U1, epsilon * v)
    places = {P1: epsilon * P1, P2: epsilon * P2, x1: -y1, y1: x1, x2: -y2, y2: x2}
    images = [at(f, places) for f in image]
    return (
        Identity(left=1 / (1 + sp.exp(epsilon * label * epsilon * contrast)), right=1 / (1 + sp.exp(label * contrast))),
        Identity(left=images[0], right=-F[1]),
        Identity(left=images[1], right=F[0]),
        Identity(left=images[2], right=epsilon * F[2]),
    )


THEOREM = Theorem(
    identifier="T10-enumeration",
    title="What every stationary point of a small network obeys",
    setting=(
        r"A network with one hidden layer of $N$ nodes with $\sigma = \tanh$, two softmax outputs, labels $s_d = "
        r"\pm1$, and the loss $E(\theta) = \frac1D\sum_d\ell_d + \lambda\sum_p\theta_p^2$ with the cross-entropy "
        r"$\ell_d$ and the penalty over all parameters, $\lambda > 0$. $x_d$ is the input of sample $d$, followed by "
        r"1. For a parameter vector whose two rows of outgoing weights, and two output biases, are opposite, $U_j$ "
        r"are the incoming weights of node $j$, followed by its bias, $v_j$ is the difference of its outgoing "
        r"weights, $\gamma$ that of the output biases, $h_{jd} = \tanh(U_j\cdot x_d)$, $\Delta_d = \sum_j v_j h_{jd} "
        r"+ \gamma$, $q_d = 1/(1 + e^{s_d\Delta_d})$ and $P_d = s_d q_d/(\lambda D)$."
    ),
    hypotheses=(stationary,),
    conclusion=(
        r"(a) $\theta$ is stationary if and only if its two rows of outgoing weights, and its two output biases, are "
        r"opposite, and $v_j = \sum_d P_d h_{jd}$, $2 U_j = v_j\sum_d P_d (1 - h_{jd}^2) x_d$, $\gamma = \sum_d "
        r"P_d$: given $P$, each node solves equations of its own. (b) These are linear in $P$. (c) The zero node, "
        r"$U_j = 0$ and $v_j = 0$, solves them for every $P$, and in every other solution $U_j \ne 0$ and $v_j \ne "
        r"0$. (d) $\sum_j v_j^2 + \gamma^2 = \sum_d P_d\Delta_d \le 0.2784645428/\lambda$ and $|\Delta_d|^2 \le "
        r"(N+1)(\sum_j v_j^2 + \gamma^2)$. (e) $|U_j|^2 \le 0.44775\,\frac{|v_j|}2\sum_d|P_d|$. (f) $(U_j, v_j) \to "
        r"-(U_j, v_j)$ maps stationary points to stationary points with the same $P$, so each has an image with $v_j "
        r"\ge 0$ for all $j$. (g) Let $Q$ be a signed permutation of the inputs and $\pi$ one of the samples with "
        r"$x_{\pi(d)} = Q x_d$ and $s_{\pi(d)} = \varepsilon s_d$, $\varepsilon = \pm1$. Then $U_j \to Q U_j$, $v_j "
        r"\to \varepsilon v_j$, $\gamma \to \varepsilon\gamma$ maps stationary points to stationary points, "
        r"$q_{\pi(d)} \to q_d$. So for a group of such maps each stationary point has an image with $q_b \ge q_d$ "
        r"for all $d$ in the orbit of a given sample $b$, and so on along the stabilisers; for XOR with inputs "
        r"$\{0,1\}$, $P_{01} \ge P_{10}$."
    ),
    notation=(residuals, beyond),
    variables=(
        (r"a_d", r"$U_j\cdot x_d$"),
        (r"{\rm rest}_d", "what the other nodes add to the contrast of sample $d$"),
        (r"F(U, v; P)", "left minus right side of the equations of a node"),
    ),
    rests_on=(
        "T2-gauge",
        r"$e^y \ge 1 + y$",
        r"$|\tanh| \le 1$",
        "Taylor's theorem",
        r"$\cosh^2 z \ge 1 + z^2$",
        "a finite orbit has a largest member, and the group moves it to any place of the orbit",
        "linearity of sums over samples and nodes",
    ),
    source="this package",
    steps=(
        Step(
            name="decoupling",
            claim=(
                r"$\partial_v E = \lambda (v - \sum_d P_d h_d)$, $\partial_U E = \lambda\,(2 U - v\sum_d P_d (1 - "
                r"h_d^2) x_d)$, $\partial_\gamma E = \lambda(\gamma - \sum_d P_d)$; along the sum of the rows T2 "
                r"speaks."
            ),
            obligations=(
                Identity(left=partial(loss, U1), right=penalty * F[0]),
                Identity(left=partial(loss, v), right=penalty * F[2]),
                Identity(left=partial(loss, gamma), right=penalty * (gamma - P1 - P2)),
            ),
            uses=(residuals.name,),
        ),
        Step(
            name="linear equations in P",
            claim=r"All second derivatives of $F$ by $P$ vanish.",
            obligations=tuple(Identity(left=partial(f, a, b)) for f in F for a, b in ((P1, P1), (P1, P2), (P2, P2))),
        ),
        Step(
            name="zero node",
            claim=(
                r"At $v = 0$ the equation of $U$ reads $2 U = 0$, and at $U = 0$ that of $v$ reads $v = 0$: one "
                r"vanishes if and only if the other does, and both solve all equations, for every $P$."
            ),
            obligations=(
                Identity(left=at(F[0], {v: 0}), right=2 * U1),
                Identity(left=at(F[1], {v: 0}), right=2 * U2),
                Identity(left=at(F[2], {U1: 0, U2: 0}), right=v),
                *(Identity(left=at(f, {U1: 0, U2: 0, v: 0})) for f in F),
            ),
        ),
        Step(
            name="energy",
            claim=(r"$\sum_j v_j^2 + \gamma^2 = \sum_d P_d(\sum_j v_j h_{jd} + \gamma)$."),
            obligations=(
                Identity(
                    left=v1**2 + v2**2 + g**2,
                    right=P1 * (v1 * h11 + v2 * h21 + g) + P2 * (v1 * h12 + v2 * h22 + g),
                ),
            ),
            uses=(stationary.name,),
        ),
        Step(
            name="margin",
            claim=(
                r"With $t = s_d\Delta_d$, $P_d\Delta_d = q t/(\lambda D)$. For $m = 0.2784645428$: $m(1 + e^t) - t "
                r"\ge m + m e^c(1 + t - c) - t = m + 1 - c > 0$ with $m e^c = 1$, as $m e^{m+1} > 1$; so $q t = t/(1 "
                r"+ e^t) < m$."
            ),
            obligations=(
                SomePositive(
                    alternatives=(MARGIN * sp.exp(MARGIN + 1) - 1 + 0 * real,), box={real: (Fraction(0), Fraction(1))}
                ),
            ),
        ),
        Step(
            name="logits",
            claim=(
                r"$|\Delta_d| \le |\gamma| + \sum_j|v_j|$, and $3 (p^2 + q^2 + r^2) - (p + q + r)^2$ is a sum of "
                r"squares; so it is for $N + 1$ numbers."
            ),
            obligations=(
                Identity(
                    left=3 * (p**2 + q**2 + r**2) - (p + q + r) ** 2, right=(p - q) ** 2 + (p - r) ** 2 + (q - r) ** 2
                ),
            ),
        ),
        Step(
            name="twist",
            claim=(
                r"$2|U|^2 = U\cdot v\sum_d P_d h'_d x_d = v\sum_d P_d\,a_d h'_d$, $h' = \operatorname{sech}^2 a$, and "
                r"$a\operatorname{sech}^2 a < 0.44775$ on $[0, 8]$."
            ),
            obligations=(
                Identity(
                    left=U1 * (P1 * h11 * x1 + P2 * h12 * x2) + U2 * (P1 * h11 * y1 + P2 * h12 * y2),
                    right=P1 * h11 * (U1 * x1 + U2 * y1) + P2 * h12 * (U1 * x2 + U2 * y2),
                ),
                SomePositive(
                    alternatives=(TWIST - real * (1 - sp.tanh(real) ** 2),), box={real: (Fraction(0), Fraction(8))}
                ),
            ),
        ),
        Step(
            name="twist far away",
            claim=r"$a\operatorname{sech}^2 a \le a/(1 + a^2) < 0.44775$ for $a > 8$.",
            obligations=(Positive(expression=TWIST - t / (1 + t**2)),),
            uses=(beyond.name,),
        ),
        Step(
            name="sign",
            claim=r"$(U, v) \to -(U, v)$ keeps $v\tanh(U\cdot x)$ and turns the sign of all equations of the node.",
            obligations=(
                Identity(left=(-v) * tanh_of(-U1, -U2, x1, y1), right=v * tanh_of(U1, U2, x1, y1)),
                *(Identity(left=image, right=-f) for image, f in zip(node_equations(-U1, -U2, -v), F, strict=True)),
            ),
        ),
        Step(
            name="automorphisms that keep labels",
            claim=(
                r"$(Q U)\cdot(Q x) = U\cdot x$, so $h$, $\Delta$ and $q$ stay; the equations of the image are $Q F$. "
                r"The quarter turn of two inputs stands for a signed permutation: it and the exchange generate them."
            ),
            obligations=moved(1),
        ),
        Step(
            name="automorphisms that exchange labels",
            claim=(
                r"The same with $s$, $\Delta$, $P$ and $v$ reversed: $q$ stays, and the equation of $v$ changes its "
                r"sign."
            ),
            obligations=moved(-1),
        ),
        Step(
            name="exchange of the inputs",
            claim=(
                r"$w_2 x_1 + w_1 x_2 + b$ is the node at the exchanged input; so the image of $(P_{01}, P_{10})$ is "
                r"$(P_{10}, P_{01})$, and one of the two has $P_{01} \ge P_{10}$."
            ),
            obligations=(
                Identity(left=at(U1 * x1 + U2 * y1 + rest1, {x1: y1, y1: x1}), right=U2 * x1 + U1 * y1 + rest1),
                Identity(left=at(P1 - P2, {P1: P2, P2: P1}), right=-(P1 - P2)),
            ),
        ),
        Step(
            name="node equations near 0",
            claim=(
                r"With $U = v r/2$ the equation of $U$ is $v$ times $r - \sum_d P_d (1 - h_d^2) x_d$, that of $v$ is "
                r"$v/2$ times $2 - \sum_d P_d (x_d\cdot r)\tanh(a_d)/a_d$, $a_d = v\,(x_d\cdot r)/2$: for $v \ne 0$ "
                r"both factors vanish, and the zero node solves neither."
            ),
            obligations=(
                *(
                    Identity(
                        left=node_equations(v * r1 / 2, v * r2 / 2, v)[k],
                        right=v
                        * (
                            (r1, r2)[k]
                            - sum(
                                p * (1 - sp.tanh(v * (x * r1 + y * r2) / 2) ** 2) * (x, y)[k]
                                for p, x, y in ((P1, x1, y1), (P2, x2, y2))
                            )
                        ),
                    )
                    for k in (0, 1)
                ),
                Identity(
                    left=node_equations(v * r1 / 2, v * r2 / 2, v)[2],
                    right=v
                    / 2
                    * (
                        2
                        - sum(
                            p * (x * r1 + y * r2) * sp.tanh(v * (x * r1 + y * r2) / 2) / (v * (x * r1 + y * r2) / 2)
                            for p, x, y in ((P1, x1, y1), (P2, x2, y2))
                        )
                    ),
                ),
            ),
        ),
        Step(
            name="Taylor form of the node equations",
            claim=(
                r"With $T_k$ the derivatives of $\tanh$ at the centre and its remainders at $\xi$, $vP\tanh'$ and "
                r"$P\tanh$ are linear in $(dv, dP, da)$ up to $T_1\,dv\,dP + (vP - v_cP_c)T_2\,da + "
                r"\frac12vP\tanh^{(3)}(\xi)\,da^2$ and $T_1\,dP\,da + \frac12P\tanh''(\xi)\,da^2$."
            ),
            obligations=(
                Identity(
                    left=(vc + dv) * (Pc + dP) * (t1 + t2 * da + third * da**2 / 2),
                    right=vc * Pc * t1
                    + Pc * t1 * dv
                    + vc * t1 * dP
                    + vc * Pc * t2 * da
                    + t1 * dv * dP
                    + ((vc + dv) * (Pc + dP) - vc * Pc) * t2 * da
                    + (vc + dv) * (Pc + dP) * third * da**2 / 2,
                ),
                Identity(
                    left=(Pc + dP) * (t0 + t1 * da + second * da**2 / 2),
                    right=Pc * t0 + t0 * dP + Pc * t1 * da + t1 * dP * da + (Pc + dP) * second * da**2 / 2,
                ),
                Identity(
                    left=sp.diff(sp.tanh(real), real, 3),
                    right=(1 - sp.tanh(real) ** 2) * (6 * sp.tanh(real) ** 2 - 2),
                ),
            ),
        ),
        Step(
            name="peak of the third derivative",
            claim=r"With $\tau = \tanh^2$: $\frac23 - (1 - \tau)(6\tau - 2) = 6(\tau - \frac23)^2 \ge 0$.",
            obligations=(
                Identity(
                    left=sp.Rational(2, 3) - (1 - t) * (6 * t - 2),
                    right=6 * (t - sp.Rational(2, 3)) ** 2,
                ),
            ),
        ),
    ),
)
