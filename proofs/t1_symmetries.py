"""T1: the symmetries of the landscape: permutations and sign flips of hidden nodes, automorphisms of the data."""

import sympy as sp

from symland.theorems import Count, Hypothesis, Identity, Notation, Step, Theorem, smooth

# Two nodes of a layer; `rest` is what all others add to an input of the next layer.
v_i, v_j, rest, penalty = sp.symbols("v_i v_j rest lambda")
w_i, w_j, b_i, b_j, x = sp.symbols("w_i w_j b_i b_j x")
sigma, g = smooth("sigma", 1), smooth("g", 1)


def loss(first, second):
    (v, w, b), (v2, w2, b2) = first, second
    return g(rest + v * sigma(w * x + b) + v2 * sigma(w2 * x + b2)) + penalty * (
        v**2 + w**2 + b**2 + v2**2 + w2**2 + b2**2
    )


node_i, node_j = (v_i, w_i, b_i), (v_j, w_j, b_j)
mirrored = sigma(-w_i * x - b_i)

odd = Hypothesis(
    name="odd activation",
    statement=r"for (b): $\sigma(-z) = -\sigma(z)$",
    rules=((mirrored, -sigma(w_i * x + b_i)),),
)
even = Hypothesis(
    name="even activation",
    statement=r"for (c): $\sigma(-z) = \sigma(z)$",
    rules=((mirrored, sigma(w_i * x + b_i)),),
)

HIDDEN = Theorem(
    identifier="T1-hidden",
    title="Permutations and sign flips of hidden nodes",
    setting=(
        r"A fully connected network with any number of hidden layers, activation $\sigma$, and a loss $E(\theta)$ that "
        r"depends on the parameters $\theta$ (weights and biases) through the network's outputs on the data and "
        r"through a penalty $\lambda\sum_p\theta_p^2$, $\lambda \ge 0$, over all parameters or over the weights "
        r"alone. A node of a hidden layer has the incoming weights $w$, the bias $b$ and the outgoing weights $v$; "
        r"$N$ is the number of nodes of a hidden layer."
    ),
    hypotheses=(odd, even),
    conclusion=(
        r"(a) Exchanging two nodes of a hidden layer with all their parameters leaves $E$ unchanged, so all $N!$ "
        r"permutations of the layer do. (b) If $\sigma$ is odd, $(v, w, b) \mapsto -(v, w, b)$ at a node leaves $E$ "
        r"unchanged, so all $2^{N}$ choices of signs do. (c) If $\sigma$ is even, $(v, w, b) \mapsto (v, -w, -b)$ at "
        r"a node leaves $E$ unchanged."
    ),
    variables=(
        (r"x", "one signal that the two nodes read; sums over signals are linear in each"),
        (r"g", "the loss of a sample as a function of one input of the next layer"),
        (r"{\rm rest}", "what the other nodes add to that input, any number of them"),
    ),
    rests_on=("transpositions generate the permutations", "linearity of the mean over samples"),
    source=r"classical; see \cite{hechtnielsen1990}",
    steps=(
        Step(
            name="exchange",
            claim="Two nodes trade places.",
            obligations=(Identity(left=loss(node_j, node_i), right=loss(node_i, node_j)),),
        ),
        Step(
            name="odd flip",
            claim=r"$(v, w, b) \mapsto -(v, w, b)$ changes the sign of the node's input and of its output.",
            obligations=(Identity(left=loss((-v_i, -w_i, -b_i), node_j), right=loss(node_i, node_j)),),
            uses=(odd.name,),
        ),
        Step(
            name="even flip",
            claim=r"$(v, w, b) \mapsto (v, -w, -b)$ changes the sign of the node's input and not its output.",
            obligations=(Identity(left=loss((v_i, -w_i, -b_i), node_j), right=loss(node_i, node_j)),),
            uses=(even.name,),
        ),
    ),
)

# A rotation of two inputs with cosine (1 - t^2) / (1 + t^2), and the exchange of two.
w1, w2, x1, x2, b = sp.symbols("w_1 w_2 x_1 x_2 b")
cosine, sine, t = sp.symbols("c s t")
rotation = Notation(
    name="rotation",
    statement=r"$A$ is the rotation with $c = \frac{1-t^2}{1+t^2}$, $s = \frac{2t}{1+t^2}$",
    rules=((cosine, (1 - t**2) / (1 + t**2)), (sine, 2 * t / (1 + t**2))),
)
turned_w = (cosine * w1 - sine * w2, sine * w1 + cosine * w2)
turned_x = (cosine * x1 - sine * x2, sine * x1 + cosine * x2)
exchanged_w, exchanged_x = (w2, w1), (x2, x1)


def form(w, x):
    return w[0] * x[0] + w[1] * x[1]


zeroone = ((0, 0), (0, 1), (1, 0), (1, 1))
plusminus = ((-1, -1), (-1, 1), (1, -1), (1, 1))
xor = (0, 1, 1, 0)

DATA = Theorem(
    identifier="T1-data",
    title="Automorphisms of the data",
    setting=(
        r"A fully connected classifier with $K$ outputs, mean softmax cross-entropy over labelled data $(x_d, y_d)$, "
        r"$y_d \in \{1, \dots, K\}$, and the penalty $\lambda\sum_p\theta_p^2$ over all parameters or over the weights "
        r"alone: the loss is $E(\theta)$. $W_1$ are the weights of the first layer, $w$ those of one of its nodes and "
        r"$b$ that node's bias. XOR: $x \in \{0,1\}^2$ or $\{-1,+1\}^2$, class 1 where $x_1 \ne x_2$."
    ),
    conclusion=(
        r"(a) If an orthogonal map $A$ of the inputs and a permutation $\pi$ of the classes carry the labelled data "
        r"to itself, then $W_1 \mapsto W_1 A^{T}$, together with $\pi$ on the outputs' weights and biases, leaves "
        r"$E$ unchanged. (b) XOR with inputs $\{0,1\}$ has 2 such pairs $(A, \pi)$ in which $A$ is a signed "
        r"permutation, and $\pi$ is the identity in both: the exchange of the inputs, and the identity. With inputs "
        r"$\{-1,+1\}$ it has 8, the group of the square; in 4 of them $\pi$ is the identity, in the other 4 it "
        r"exchanges the outputs. (c) With inputs $\{0,1\}$ the map $(w, b) \mapsto (-w, b + w_1 + w_2)$ at every "
        r"node of the first layer, which stands for $x \mapsto 1 - x$, keeps the mean cross-entropy, and changes a "
        r"penalty on the biases by $\lambda (w_1 + w_2)(2b + w_1 + w_2)$ at each node."
    ),
    notation=(rotation,),
    rests_on=(
        "rotations of two coordinates and the exchange of two generate the orthogonal maps",
        "the mean over samples does not depend on their order",
        "a permutation of the classes relabels the sum in the softmax",
    ),
    source="this package",
    steps=(
        Step(
            name="rotations",
            claim=r"$(A w)\cdot(A x) = w\cdot x$ and $|A w| = |w|$.",
            obligations=(
                Identity(left=form(turned_w, turned_x), right=form((w1, w2), (x1, x2))),
                Identity(left=form(turned_w, turned_w), right=form((w1, w2), (w1, w2))),
            ),
            uses=(rotation.name,),
        ),
        Step(
            name="exchange of inputs",
            claim=r"$(w_2, w_1)\cdot(x_2, x_1) = w\cdot x$ and $|(w_2, w_1)| = |w|$.",
            obligations=(
                Identity(left=form(exchanged_w, exchanged_x), right=form((w1, w2), (x1, x2))),
                Identity(left=form(exchanged_w, exchanged_w), right=form((w1, w2), (w1, w2))),
            ),
        ),
        Step(
            name="XOR",
            claim=(
                "All signed permutations of two inputs, with all permutations of two classes and without, enumerated."
            ),
            obligations=(
                Count(kind="automorphisms", arguments=(zeroone, xor), value=2),
                Count(kind="automorphisms that keep labels", arguments=(zeroone, xor), value=2),
                Count(kind="automorphisms", arguments=(plusminus, xor), value=8),
                Count(kind="automorphisms that keep labels", arguments=(plusminus, xor), value=4),
            ),
        ),
        Step(
            name="complement",
            claim=(
                r"$w\cdot(1-x) + b = (-w)\cdot x + (b + w_1 + w_2)$: the node at the complement is the mapped node at "
                r"$x$, and the labels of XOR do not change under the complement. The squares change by "
                r"$(b + w_1 + w_2)^2 - b^2$."
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
