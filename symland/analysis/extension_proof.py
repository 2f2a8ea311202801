"""The zero extension proved for one architecture: its own layers, symbolic weights, symbolic data, any loss.

The network is written out with a symbol for every weight and every input of a sample; the activation is a smooth
function of which only sigma(0) = 0 is known, the loss of a sample an unknown smooth function of the outputs. The two
facts about the specification's own activation, sigma(0) = 0 and the value of sigma'(0), are steps of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy as sp

from symland.analysis.extension import Extension, extend
from symland.layout import Layout
from symland.spec import LandscapeSpec, Penalised
from symland.symbolic.activation import Z, derive_activation
from symland.theorems import Hypothesis, Identity, Positive, ProofResult, Step, Theorem, at, partial, prove, smooth

__all__ = ["extension_theorem", "nonvanishing_theorem", "prove_extension", "shifted_extension_theorem"]

REPRESENTATIVES = 8
"""New parameters of one node above which two incoming and two outgoing ones stand for all in the second derivatives."""

_SIGMA = smooth("sigma", 1)


def _symbols(layout: Layout) -> list[sp.Symbol]:
    return [sp.Symbol(name) for name in layout.names()]


def _layer_inputs(layout: Layout, theta: Sequence[Any], signal: Sequence[Any], layer: int) -> list[Any]:
    weight, bias = layout.weight(layer), layout.biases(layer)
    rows, columns = weight.shape
    return [
        sp.Add(*(theta[weight.offset + i * columns + j] * signal[j] for j in range(columns)))
        + (theta[bias.offset + i] if bias else 0)
        for i in range(rows)
    ]


def _forward(
    layout: Layout,
    theta: Sequence[Any],
    x: Sequence[Any],
    shift: dict[int, Sequence[Any]],
    lowered: tuple[int, int] = (0, 0),
) -> dict[int, Any]:
    """Signals h_l, l = 0..L, and the outputs as the last.

    `shift[l]` is added to the inputs of layer l; the last k nodes of layer l have the activation sigma - sigma(0) for
    `lowered` = (l, k).
    """
    signals: dict[int, Any] = {0: list(x)}
    for layer in range(1, layout.n_layers + 1):
        inputs = _layer_inputs(layout, theta, signals[layer - 1], layer)
        inputs = [a + q for a, q in zip(inputs, shift.get(layer, [0] * len(inputs)), strict=True)]
        signals[layer] = inputs if layer == layout.n_layers else [_SIGMA(a) for a in inputs]
        if layer == lowered[0]:
            kept = len(inputs) - lowered[1]
            signals[layer] = [h if i < kept else h - _SIGMA(0) for i, h in enumerate(signals[layer])]
    return signals


def _some(places: Sequence[int], whole: int) -> list[int]:
    return list(places) if whole <= REPRESENTATIVES else list(places[:2])


def _setting(spec: LandscapeSpec, layer: int) -> str:
    """The network and its extension, in LaTeX."""
    held = "all parameters" if spec.penalised is Penalised.ALL else "the weights"
    bias = " and bias" if spec.bias else ""
    return (
        rf"The fully connected {'-'.join(map(str, spec.widths))} network with $\sigma(z) = "
        rf"{sp.latex(derive_activation(spec.activation).expression)}$, any smooth loss $\ell$ of the outputs, and "
        rf"the penalty $\lambda\sum_p\theta_p^2$ over {held}: $E_{{\rm narrow}}(\theta)$, a mean over any samples. "
        rf"Nodes with the incoming weights{bias} $u$ and the outgoing weights $v$ are added to hidden layer {layer}: "
        rf"$E(\theta, u, v)$."
    )


def extension_theorem(extension: Extension) -> Theorem:
    """The theorem for this architecture; with more than two new nodes, two of them stand for any two."""
    if extension.nodes > 2:
        extension = extend(extension.narrow, extension.layer, 2)
    narrow, wide, layer = extension.narrow.layout, extension.wide.layout, extension.layer
    activation = derive_activation(extension.narrow.activation)
    penalty = sp.Symbol("lambda")
    theta, x = _symbols(wide), [sp.Symbol(f"x[{k}]") for k in range(narrow.widths[0])]
    old = [theta[place] for place in extension.old_places]
    loss = smooth("ell", narrow.widths[-1])

    def squares(places: Sequence[int]) -> Any:
        return penalty * sp.Add(*(theta[p] ** 2 for p in places if extension.penalised(p)))

    shift = [sp.Symbol(f"q[{i}]") for i in range(narrow.widths[layer + 1])]
    shifted = _forward(narrow, old, x, {layer + 1: shift})
    unshifted = loss(*_forward(narrow, old, x, {})[narrow.n_layers])
    narrow_loss = unshifted + squares(extension.old_places)
    wide_loss = loss(*_forward(wide, theta, x, {})[wide.n_layers]) + squares(range(wide.size))
    # xi: what the new node reads, the signals of the layer before and 1 for its bias.
    xi = [*shifted[layer - 1], *([sp.Integer(1)] if narrow.bias else [])]
    residual = [at(partial(loss(*shifted[narrow.n_layers]), q), dict.fromkeys(shift, 0)) for q in shift]

    out_value, in_value = sp.symbols("v_0 u_0")
    point = {theta[p]: out_value for node in extension.outgoing for p in node}
    point |= {theta[p]: in_value for node in extension.incoming for p in node}
    zero_out = Hypothesis(name="outgoing weights zero", statement="$v = 0$", rules=((out_value, 0),))
    zero_in = Hypothesis(name="incoming weights zero", statement="$u = 0$", rules=((in_value, 0),))
    vanishing = Hypothesis(name="sigma(0) = 0", statement=r"$\sigma(0) = 0$", rules=((_SIGMA(0), 0),))
    slope = smooth("sigma", 1, 1)(0)
    every = (zero_out.name, zero_in.name, vanishing.name)

    def entry(*places: int) -> Any:
        return at(partial(wide_loss, *(theta[p] for p in places)), point)

    whole = len(extension.incoming[0]) + len(extension.outgoing[0])
    ins = [_some(node, whole) for node in extension.incoming]
    outs = [_some(node, whole) for node in extension.outgoing]
    nodes = range(extension.nodes)
    diagonal, mixed = [], []
    for a in nodes:
        for b in nodes:
            for kind in (ins, outs):
                diagonal += [
                    Identity(left=entry(p, q), right=2 * penalty if p == q and extension.penalised(p) else 0)
                    for p in kind[a]
                    for q in kind[b]
                    if p <= q
                ]
            mixed += [
                Identity(left=entry(p, q), right=slope * residual[i] * xi[m] if a == b else 0)
                for m, p in enumerate(ins[a])
                for i, q in enumerate(outs[b])
            ]
    steps = (
        Step(
            name="activation",
            claim=rf"$\sigma(0) = 0$ for $\sigma(z) = {sp.latex(activation.expression)}$.",
            obligations=(Identity(left=at(activation.expression, {Z: 0})),),
        ),
        Step(
            name="same loss",
            claim=(
                r"$E(\theta, 0, 0) = E_{\rm narrow}(\theta)$ for every $\theta$: the gradient and the Hessian in "
                r"the old parameters are the narrow network's."
            ),
            obligations=(Identity(left=at(wide_loss, point), right=narrow_loss),),
            uses=every,
        ),
        Step(
            name="new gradient",
            claim=(
                r"$\partial E/\partial u = \partial E/\partial v = 0$ for every $\theta$, so that the cross blocks "
                r"with the old parameters vanish too."
            ),
            obligations=tuple(
                Identity(left=entry(p)) for node in (*extension.incoming, *extension.outgoing) for p in node
            ),
            uses=every,
        ),
        Step(
            name="diagonal blocks",
            claim=(
                r"$\partial^2 E/\partial u\,\partial u$ and $\partial^2 E/\partial v\,\partial v$ hold $2\lambda$ "
                r"for each penalised weight and nothing else."
            ),
            obligations=tuple(diagonal),
            uses=every,
        ),
        Step(
            name="mixed block",
            claim=(
                r"$\partial^2 E/\partial v_i\,\partial u_m = \sigma'(0)\,(\partial\ell/\partial a_i)\,\xi_m$ within "
                r"a node, $0$ between two nodes."
            ),
            obligations=tuple(mixed),
            uses=every,
        ),
    )
    widths = "-".join(map(str, narrow.widths))
    return Theorem(
        identifier=f"extension-{widths}-layer{layer}",
        title=f"Zero extension of the {widths} network in hidden layer {layer}",
        setting=_setting(extension.narrow, layer),
        conclusion=(
            r"At $u = v = 0$ the loss is the narrow network's, its gradient is $(\nabla E_{\rm narrow}, 0)$, and its "
            r"Hessian is that of the narrow network and, for each new node, $\begin{pmatrix} 2\Lambda_u & \sigma'(0) "
            r"C^{T} \\ \sigma'(0) C & 2\Lambda_v \end{pmatrix}$ with $C_{im} = \frac1D\sum_d(\partial\ell_d/\partial "
            r"a_i)\,\xi_m$, $a$ the inputs of the next layer, $\xi$ what the node reads, and $\Lambda$ the penalties "
            r"on its parameters."
        ),
        variables=(
            (r"$W_l, b_l, x$", "symbols, one for each weight, bias and input"),
            (r"$\ell$", "any smooth loss of the outputs"),
        ),
        source="T5-extension, written out for this architecture",
        rests_on=("linearity of the mean over samples",),
        hypotheses=(zero_out, zero_in, vanishing),
        steps=steps,
    )


def shifted_extension_theorem(extension: Extension) -> Theorem:
    """The theorem for an activation with sigma(0) != 0 where the penalty leaves biases alone; see T5-shifted."""
    if extension.nodes > 2:
        extension = extend(extension.narrow, extension.layer, 2)
    narrow, wide, layer = extension.narrow.layout, extension.wide.layout, extension.layer
    theta, x = _symbols(wide), [sp.Symbol(f"x[{k}]") for k in range(narrow.widths[0])]
    old = [theta[place] for place in extension.old_places]
    loss, penalty = smooth("ell", narrow.widths[-1]), sp.Symbol("lambda")
    bias = wide.biases(layer + 1)
    assert bias is not None

    def squares(places: Sequence[int]) -> Any:
        return penalty * sp.Add(*(theta[p] ** 2 for p in places if extension.penalised(p)))

    narrow_loss = loss(*_forward(narrow, old, x, {})[narrow.n_layers]) + squares(extension.old_places)
    wide_loss = loss(*_forward(wide, theta, x, {})[wide.n_layers]) + squares(range(wide.size))
    out_value, in_value, kappa = sp.symbols("v_0 u_0 kappa")
    point = {theta[p]: out_value for node in extension.outgoing for p in node}
    point |= {theta[p]: in_value for node in extension.incoming for p in node}
    sheared = list(theta)
    for i in range(bias.size):
        sheared[bias.offset + i] -= _SIGMA(0) * sp.Add(*(theta[node[i]] for node in extension.outgoing))
    held = [theta[bias.offset + i] for i in range(bias.size)]
    moved = [sheared[bias.offset + i] for i in range(bias.size)]
    zero_out = Hypothesis(name="outgoing weights zero", statement="$v = 0$", rules=((out_value, 0),))
    zero_in = Hypothesis(name="incoming weights zero", statement="$u = 0$", rules=((in_value, 0),))
    free = Hypothesis(
        name="next bias free",
        statement=r"the penalty does not hold the biases of the next layer: $\kappa = 0$",
        rules=((kappa, 0),),
    )
    every = (zero_out.name, zero_in.name)
    lowered = _forward(wide, theta, x, {}, lowered=(layer, extension.nodes))
    widths = "-".join(map(str, narrow.widths))
    return Theorem(
        identifier=f"shifted-extension-{widths}-layer{layer}",
        title=f"Shifted extension of the {widths} network in hidden layer {layer}",
        setting=_setting(extension.narrow, layer),
        conclusion=(
            r"At $u = v = 0$ the loss is the narrow network's, and stationary where it is. In the variables "
            r"$(b_{l+1} - \sigma(0)\sum_a v_a, v, u)$ the loss is that of the network whose new nodes have the "
            r"activation $\sigma - \sigma(0)$, so the Hessian is block diagonal as for $\sigma(0) = 0$, and the "
            r"index rises by the number of eigenvalues of its new blocks that are negative (Sylvester)."
        ),
        variables=((r"$W_l, b_l, x$", "symbols, one for each weight, bias and input"),),
        source="T5-shifted, written out for this architecture",
        rests_on=("linearity of the mean over samples", "T5-extension", "Sylvester's law of inertia"),
        hypotheses=(zero_out, zero_in, free),
        steps=(
            Step(
                name="same loss",
                claim=r"$E(\theta, 0, 0) = E_{\rm narrow}(\theta)$ for every $\theta$.",
                obligations=(Identity(left=at(wide_loss, point), right=narrow_loss),),
                uses=every,
            ),
            Step(
                name="new gradient",
                claim=(
                    r"$\partial E/\partial u = 0$ and $\partial E/\partial v_i = \sigma(0)\,\partial E_{\rm "
                    r"narrow}/\partial "
                    r"b_{l+1,i}$ for every $\theta$: zero at a stationary point."
                ),
                obligations=(
                    *(Identity(left=at(partial(wide_loss, theta[p]), point)) for n in extension.incoming for p in n),
                    *(
                        Identity(
                            left=at(partial(wide_loss, theta[p]), point),
                            right=_SIGMA(0) * partial(narrow_loss, held[i]),
                        )
                        for node in extension.outgoing
                        for i, p in enumerate(node)
                    ),
                ),
                uses=every,
            ),
            Step(
                name="shear",
                claim=(
                    r"$E(b_{l+1} - \sigma(0)\sum_a v_a, v, u)$ is the loss of the network whose new nodes have the "
                    r"activation "
                    r"$\sigma - \sigma(0)$, which vanishes at zero; $\kappa$ is the penalty on $b_{l+1}$."
                ),
                obligations=(
                    Identity(
                        left=loss(*_forward(wide, sheared, x, {})[wide.n_layers]) + kappa * sum(b**2 for b in moved),
                        right=loss(*lowered[wide.n_layers]) + kappa * sum(b**2 for b in held),
                    ),
                ),
                uses=(free.name,),
            ),
        ),
    )


def nonvanishing_theorem(extension: Extension) -> Theorem:
    """The theorem for sigma(0) != 0 under a penalty on all parameters: which points extend; see T5-nonvanishing."""
    if extension.nodes > 2:
        extension = extend(extension.narrow, extension.layer, 2)
    narrow, wide, layer = extension.narrow.layout, extension.wide.layout, extension.layer
    activation = derive_activation(extension.narrow.activation)
    theta, x = _symbols(wide), [sp.Symbol(f"x[{k}]") for k in range(narrow.widths[0])]
    old = [theta[place] for place in extension.old_places]
    loss, penalty = smooth("ell", narrow.widths[-1]), sp.Symbol("lambda")
    shift = [sp.Symbol(f"q[{i}]") for i in range(narrow.widths[layer + 1])]
    shifted = loss(*_forward(narrow, old, x, {layer + 1: shift})[narrow.n_layers])
    narrow_loss = loss(*_forward(narrow, old, x, {})[narrow.n_layers]) + penalty * sp.Add(*(t**2 for t in old))
    wide_loss = loss(*_forward(wide, theta, x, {})[wide.n_layers]) + penalty * sp.Add(*(t**2 for t in theta))
    out_value, in_value = sp.symbols("v_0 u_0")
    point = {theta[p]: out_value for node in extension.outgoing for p in node}
    point |= {theta[p]: in_value for node in extension.incoming for p in node}
    zero_out = Hypothesis(name="outgoing weights zero", statement="$v = 0$", rules=((out_value, 0),))
    zero_in = Hypothesis(name="incoming weights zero", statement="$u = 0$", rules=((in_value, 0),))
    every = (zero_out.name, zero_in.name)
    bias, value = wide.biases(layer + 1), activation.expression.subs(Z, 0)
    sign = 1 if float(value) > 0 else -1
    # A logarithm's sign is read off its exponential.
    nonzero = sp.exp(value) - 1 if value.has(sp.log) else value

    def slope(i: int) -> Any:
        """dE/dv_i: by the next bias where there is one, else by what is added to the next layer's input."""
        if bias is None:
            return _SIGMA(0) * at(partial(shifted, shift[i]), dict.fromkeys(shift, 0))
        own = theta[bias.offset + i]
        return _SIGMA(0) * (partial(narrow_loss, own) - 2 * penalty * own)

    where = r"$\lambda b_{l+1} = 0$" if bias is not None else r"the mean slopes in the next layer's inputs vanish"
    formula = (
        r"\partial E/\partial v_i = \sigma(0) (\partial E_{\rm narrow}/\partial b_{l+1,i} - 2\lambda\,b_{l+1,i})"
        if bias is not None
        else r"\partial E/\partial v_i = \sigma(0)\,\partial \ell/\partial a_i"
    )
    widths = "-".join(map(str, narrow.widths))
    return Theorem(
        identifier=f"nonvanishing-{widths}-layer{layer}",
        title=f"Which points of the {widths} network extend in hidden layer {layer}, where sigma(0) is not zero",
        setting=_setting(extension.narrow, layer),
        conclusion=(
            rf"At $u = v = 0$ the loss is the narrow network's. A stationary point extends if and only if {where}: "
            rf"${formula}$, $\partial E/\partial u = 0$, and $\sigma(0) \ne 0$."
        ),
        variables=((r"$W_l, b_l, x$", "symbols, one for each weight, bias and input"),),
        source="T5-nonvanishing, written out for this architecture",
        rests_on=("linearity of the mean over samples",),
        hypotheses=(zero_out, zero_in),
        steps=(
            Step(
                name="activation",
                claim=rf"$\sigma(0) = {sp.latex(value)} \ne 0$.",
                obligations=(Positive(expression=sign * nonzero),),
            ),
            Step(
                name="same loss",
                claim=r"$E(\theta, 0, 0) = E_{\rm narrow}(\theta)$ for every $\theta$.",
                obligations=(Identity(left=at(wide_loss, point), right=narrow_loss),),
                uses=every,
            ),
            Step(
                name="new gradient",
                claim=rf"$\partial E/\partial u = 0$ and ${formula}$ for every $\theta$.",
                obligations=(
                    *(Identity(left=at(partial(wide_loss, theta[p]), point)) for n in extension.incoming for p in n),
                    *(
                        Identity(left=at(partial(wide_loss, theta[p]), point), right=slope(i))
                        for node in extension.outgoing
                        for i, p in enumerate(node)
                    ),
                ),
                uses=every,
            ),
        ),
    )


def prove_extension(spec: LandscapeSpec, layer: int = 1, nodes: int = 1) -> ProofResult:
    """Prove the zero extension for a specification's own architecture.

    Where sigma(0) is not zero, the shifted extension is proved if the penalty leaves biases alone; otherwise the
    theorem is the one that says which points extend all the same.

    Raises
    ------
    SpecError
        If there is no such layer.
    """
    extension = extend(spec, layer, nodes)
    free = spec.bias and (spec.penalised is Penalised.WEIGHTS or not spec.penalty)
    if derive_activation(spec.activation).vanishes_at_zero:
        return prove(extension_theorem(extension))
    return prove(shifted_extension_theorem(extension) if free else nonvanishing_theorem(extension))
