"""T5 repeated: zero nodes in several layers at once."""

import sympy as sp

from symland.theorems import Hypothesis, Identity, Step, Theorem, at, partial, smooth

u, v, x, q = sp.symbols("u v x q")
sigma, g = smooth("sigma", 1), smooth("g", 1)
vanishing = Hypothesis(name="sigma(0) = 0", statement=r"$\sigma(0) = 0$", rules=((sigma(0), 0),))
zero_in = Hypothesis(name="incoming weights zero", statement="$u = 0$", rules=((sp.Symbol("u_0"), 0),))
zero_out = Hypothesis(name="outgoing weights zero", statement="$v = 0$", rules=((sp.Symbol("v_0"), 0),))

THEOREM = Theorem(
    identifier="T5-layers",
    title="Zero nodes in several layers",
    setting=(
        r"A network of any depth with $\sigma(0) = 0$, one hidden layer of which already holds a zero node: incoming "
        r"weights $u$, bias and outgoing weights $v$ all zero. $C$ is the residual matrix of T5-extension for adding "
        r"a node to another hidden layer."
    ),
    hypotheses=(zero_in, zero_out, vanishing),
    conclusion=(
        r"The zero node adds to $C$ a zero column where the new node reads it, and a zero row where the new node "
        r"feeds it. The non-zero singular values of $C$, and so the rise of the index by a zero node, are those of "
        r"the network without it, in any order of extension."
    ),
    variables=(
        (r"$u, v$", "weights of a zero node"),
        (r"$g$", "the loss of a sample as a function of what the node hands on"),
        (r"$q$", "something added to the node's input"),
    ),
    rests_on=("T5-extension", "T5-spectrum", "a zero row or column changes no non-zero singular value"),
    source="this package",
    steps=(
        Step(
            name="zero column",
            claim=r"The node's output, which a later layer's new node reads, is $\xi = \sigma(u x) = 0$.",
            obligations=(Identity(left=at(sigma(u * x), {u: sp.Symbol("u_0")})),),
            uses=(zero_in.name, vanishing.name),
        ),
        Step(
            name="zero row",
            claim=r"The residual at the node's input is $\partial_q\, g(v\,\sigma(u x + q)) = 0$ at $q = 0$.",
            obligations=(Identity(left=at(partial(g(v * sigma(u * x + q)), q), {q: 0, v: sp.Symbol("v_0")})),),
            uses=(zero_out.name,),
        ),
    ),
)
