"""T1: the symmetries of the landscape: permutations and sign flips of hidden nodes, automorphisms of the data."""

import sympy as sp

from symland.theorems import Count, Hypothesis, Identity, Step, Theorem, smooth

# Two nodes of a layer; `rest` is what all others add to an input of the next layer.
v_i, v_j, a_i, a_j, rest, penalty = sp.symbols("v_i v_j a_i a_j rest lambda")
w_i, w_j, b_i, b_j = sp.symbols("w_i w_j b_i b_j")
sigma, g = smooth("sigma", 1), smooth("g", 1)


def loss(first, second):
    (v, w, b, a), (v2, w2, b2, a2) = first, second
    return g(rest + v * sigma(a) + v2 * sigma(a2)) + penalty * (v**2 + w**2 + b**2 + v2**2 + w2**2 + b2**2)


node_i, node_j = (v_i, w_i, b_i, a_i), (v_j, w_j, b_j, a_j)
flipped = tuple(-part for part in node_i)

odd = Hypothesis(name="odd activation", statement=r"$\sigma(-z) = -\sigma(z)$", rules=((sigma(-a_i), -sigma(a_i)),))
even = Hypothesis(name="even activation", statement=r"$\sigma(-z) = \sigma(z)$", rules=((sigma(-a_i), sigma(a_i)),))

HIDDEN = Theorem(
    identifier="T1-hidden",
    title="Permutations and sign flips of hidden nodes",
    statement=(
        r"In every hidden layer, exchanging two nodes with all their weights leaves $E$ unchanged, penalty "
        r"included, so all $N_h!$ permutations do. "
        r"For an odd $\sigma$ changing the sign of all weights of a node, $2^{N_h}$ ways, leaves $E$ unchanged; for "
        r"an even one changing the sign of its incoming weights."
    ),
    variables=(
        (r"$a_i$", "the input of node $i$, a linear form in its incoming weights"),
        (r"rest", "what the other nodes add, any number of them"),
    ),
    hypotheses=(odd, even),
    rests_on=("transpositions generate the permutations",),
    source="classical (Hecht-Nielsen 1990)",
    steps=(
        Step(
            name="exchange",
            claim="Two nodes trade places.",
            obligations=(Identity(left=loss(node_j, node_i), right=loss(node_i, node_j)),),
        ),
        Step(
            name="odd flip",
            claim=r"$(v, w, b) \mapsto -(v, w, b)$ sends $a$ to $-a$.",
            obligations=(Identity(left=loss(flipped, node_j), right=loss(node_i, node_j)),),
            uses=(odd.name,),
        ),
        Step(
            name="even flip",
            claim=r"$(v, w, b) \mapsto (v, -w, -b)$ sends $a$ to $-a$.",
            obligations=(Identity(left=loss((v_i, -w_i, -b_i, -a_i), node_j), right=loss(node_i, node_j)),),
            uses=(even.name,),
        ),
    ),
)

# An orthogonal map of two inputs stands for signed permutations of any number: they are products of such maps.
w1, w2, x1, x2, b = sp.symbols("w_1 w_2 x_1 x_2 b")
cosine, sine = sp.symbols("c s")
orthogonal = Hypothesis(
    name="orthogonal",
    statement=r"$A$ is orthogonal: $c^2 + s^2 = 1$",
    rules=((sp.Symbol("s2"), 1 - cosine**2),),
)
turned_w = (cosine * w1 - sine * w2, sine * w1 + cosine * w2)
turned_x = (cosine * x1 - sine * x2, sine * x1 + cosine * x2)
s2 = sp.Symbol("s2")
mirrored_w, mirrored_x = (w2, w1), (x2, x1)


def form(w, x):
    return w[0] * x[0] + w[1] * x[1]


zeroone = ((0, 0), (0, 1), (1, 0), (1, 1))
plusminus = ((-1, -1), (-1, 1), (1, -1), (1, 1))
xor = (0, 1, 1, 0)

DATA = Theorem(
    identifier="T1-data",
    title="Automorphisms of the data",
    statement=(
        r"If an orthogonal map $A$ of the inputs and a permutation of the classes carry the labelled data to "
        r"itself, then $W_1 \mapsto W_1 A^{T}$ with the same permutation of the outputs' weights and biases "
        r"leaves $E$ unchanged. XOR with inputs $\{0,1\}$ has 2 such signed permutations (the exchange of the "
        r"inputs), with inputs $\{-1,+1\}$ it has 8, the group of the square, half of them with an exchange of the "
        r"outputs. "
        r"With inputs $\{0,1\}$ the complement $x \mapsto 1 - x$ keeps the data term and changes the penalty."
    ),
    variables=(
        (r"$A$", "a rotation of two inputs with cosine $c$ and sine $s$, or their exchange"),
        (r"$w, b$", "incoming weights and bias of a node"),
    ),
    hypotheses=(orthogonal,),
    rests_on=(
        "the mean over samples does not depend on their order",
        "a permutation of classes relabels the sum in the softmax",
    ),
    source="this package",
    steps=(
        Step(
            name="inputs of the nodes",
            claim=r"$(A w)\cdot(A x) = w\cdot x$ and $|A w| = |w|$; $s^2$ is written as a symbol of its own.",
            obligations=(
                Identity(left=sp.expand(form(turned_w, turned_x)).subs(sine**2, s2), right=form((w1, w2), (x1, x2))),
                Identity(left=sp.expand(form(turned_w, turned_w)).subs(sine**2, s2), right=form((w1, w2), (w1, w2))),
            ),
            uses=(orthogonal.name,),
        ),
        Step(
            name="exchange of inputs",
            claim=r"$(w_2, w_1)\cdot(x_2, x_1) = w\cdot x$.",
            obligations=(Identity(left=form(mirrored_w, mirrored_x), right=form((w1, w2), (x1, x2))),),
        ),
        Step(
            name="XOR",
            claim="All signed permutations of two inputs and permutations of two classes, enumerated.",
            obligations=(
                Count(kind="automorphisms", arguments=(zeroone, xor), value=2),
                Count(kind="automorphisms", arguments=(plusminus, xor), value=8),
            ),
        ),
        Step(
            name="complement",
            claim=(
                r"$w\cdot(1-x) + b = (-w)\cdot x + (b + w_1 + w_2)$, and the penalty changes by $(b + w_1 + w_2)^2 "
                r"- b^2$."
            ),
            obligations=(
                Identity(left=form((w1, w2), (1 - x1, 1 - x2)) + b, right=form((-w1, -w2), (x1, x2)) + b + w1 + w2),
                Identity(
                    left=form((-w1, -w2), (-w1, -w2)) + (b + w1 + w2) ** 2 - form((w1, w2), (w1, w2)) - b**2,
                    right=(w1 + w2) * (2 * b + w1 + w2),
                ),
            ),
        ),
    ),
)

THEOREMS = (HIDDEN, DATA)
