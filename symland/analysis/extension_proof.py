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
from symland.layout import Layout, widths_text
from symland.spec import LandscapeSpec, Penalised
from symland.symbolic.activation import Z, derive_activation
from symland.theorems import Hypothesis, Identity, Positive, ProofResult, Step, Theorem, at, partial, prove, smooth

__all__ = ["extension_theorem", "nonvanishing_theorem", "prove_extension", "shifted_extension_theorem"]

REPRESENTATIVES = 8
"""New parameters of one node above which two incoming and two outgoing ones stand for all in the second derivatives."""

_SIGMA = smooth("sigma", 1)


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
        rf"The fully connected {widths_text(spec.widths)} network with $\sigma(z) = "
        rf"{sp.latex(derive_activation(spec.activation).expression)}$, any smooth loss $\ell$ of the outputs, and "
        rf"the penalty $\lambda\sum_p\theta_p^2$ over {held}: $E_{{\rm narrow}}(\theta)$, a mean over any samples. "
        rf"Nodes with the incoming weights{bias} $u$ and the outgoing weights $v$ are added to hidden layer {layer}: "
        rf"$E(\theta, u, v)$."
    )


class _Ground:
    """What every theorem about an extension stands on: its symbols, both losses, and u = v = 0.

    With more than two new nodes, two of them stand for any two.
    """

    def __init__(self, extension: Extension) -> None:
        self.extension = extension if extension.nodes <= 2 else extend(extension.narrow, extension.layer, 2)
        self.narrow, self.wide = self.extension.narrow.layout, self.extension.wide.layout
        self.layer, self.widths = extension.layer, widths_text(self.narrow.widths)
        self.penalty, self.loss = sp.Symbol("lambda"), smooth("ell", self.narrow.widths[-1])
        self.theta = [sp.Symbol(name) for name in self.wide.names()]
        self.x = [sp.Symbol(f"x[{k}]") for k in range(self.narrow.widths[0])]
        self.old = [self.theta[place] for place in self.extension.old_places]
        self.narrow_loss = self.loss_of(self.narrow, self.old) + self._squares(self.extension.old_places)
        self.wide_loss = self.loss_of(self.wide, self.theta) + self._squares(range(self.wide.size))
        out_value, in_value = sp.symbols("v_0 u_0")
        self.point = {self.theta[p]: out_value for node in self.extension.outgoing for p in node}
        self.point |= {self.theta[p]: in_value for node in self.extension.incoming for p in node}
        self.zero_out = Hypothesis(name="outgoing weights zero", statement="$v = 0$", rules=((out_value, 0),))
        self.zero_in = Hypothesis(name="incoming weights zero", statement="$u = 0$", rules=((in_value, 0),))

    def _squares(self, places: Sequence[int]) -> Any:
        return self.penalty * sp.Add(*(self.theta[p] ** 2 for p in places if self.extension.penalised(p)))

    def loss_of(self, layout: Layout, theta: Sequence[Any], lowered: tuple[int, int] = (0, 0)) -> Any:
        """The loss of one sample without its penalty."""
        return self.loss(*_forward(layout, theta, self.x, {}, lowered=lowered)[layout.n_layers])

    def shifted(self) -> tuple[dict[int, Any], list[Any]]:
        """The narrow network's signals with q added to the inputs of the next layer, and d ell / d q at q = 0."""
        shift = [sp.Symbol(f"q[{i}]") for i in range(self.narrow.widths[self.layer + 1])]
        signals = _forward(self.narrow, self.old, self.x, {self.layer + 1: shift})
        loss = self.loss(*signals[self.narrow.n_layers])
        return signals, [at(partial(loss, q), dict.fromkeys(shift, 0)) for q in shift]

    def slope(self, *places: int) -> Any:
        """A partial derivative of the wide loss at u = v = 0."""
        return at(partial(self.wide_loss, *(self.theta[p] for p in places)), self.point)

    def new_gradient(self, by_outgoing: Sequence[Any]) -> tuple[Identity, ...]:
        """dE/du = 0, and dE/dv_i as given, for every new node."""
        return (
            *(Identity(left=self.slope(p)) for node in self.extension.incoming for p in node),
            *(
                Identity(left=self.slope(p), right=by_outgoing[i])
                for node in self.extension.outgoing
                for i, p in enumerate(node)
            ),
        )

    def same_loss(self) -> Identity:
        """E at u = v = 0 is the narrow network's."""
        return Identity(left=at(self.wide_loss, self.point), right=self.narrow_loss)


def extension_theorem(extension: Extension) -> Theorem:
    """The theorem for this architecture."""
    ground = _Ground(extension)
    extension, narrow, layer = ground.extension, ground.narrow, ground.layer
    activation = derive_activation(extension.narrow.activation)
    penalty, zero_out, zero_in = ground.penalty, ground.zero_out, ground.zero_in
    shifted, residual = ground.shifted()
    # xi: what the new node reads, the signals of the layer before and 1 for its bias.
    xi = [*shifted[layer - 1], *([sp.Integer(1)] if narrow.bias else [])]
    vanishing = Hypothesis(name="sigma(0) = 0", statement=r"$\sigma(0) = 0$", rules=((_SIGMA(0), 0),))
    slope = smooth("sigma", 1, 1)(0)
    every = (zero_out.name, zero_in.name, vanishing.name)

    whole = len(extension.incoming[0]) + len(extension.outgoing[0])
    ins = [_some(node, whole) for node in extension.incoming]
    outs = [_some(node, whole) for node in extension.outgoing]
    nodes = range(extension.nodes)
    diagonal, mixed = [], []
    for a in nodes:
        for b in nodes:
            for kind in (ins, outs):
                diagonal += [
                    Identity(left=ground.slope(p, q), right=2 * penalty if p == q and extension.penalised(p) else 0)
                    for p in kind[a]
                    for q in kind[b]
                    if p <= q
                ]
            mixed += [
                Identity(left=ground.slope(p, q), right=slope * residual[i] * xi[m] if a == b else 0)
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
            obligations=(ground.same_loss(),),
            uses=every,
        ),
        Step(
            name="new gradient",
            claim=(
                r"$\partial E/\partial u = \partial E/\partial v = 0$ for every $\theta$, so that the cross blocks "
                r"with the old parameters vanish too."
            ),
            obligations=tuple(
                Identity(left=ground.slope(p)) for node in (*extension.incoming, *extension.outgoing) for p in node
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
    return Theorem(
        identifier=f"extension-{ground.widths}-layer{layer}",
        title=f"Zero extension of the {ground.widths} network in hidden layer {layer}",
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
    ground = _Ground(extension)
    extension, wide, layer, theta = ground.extension, ground.wide, ground.layer, ground.theta
    zero_out, zero_in, kappa = ground.zero_out, ground.zero_in, sp.Symbol("kappa")
    bias = wide.biases(layer + 1)
    assert bias is not None
    sheared = list(theta)
    for i in range(bias.size):
        sheared[bias.offset + i] -= _SIGMA(0) * sp.Add(*(theta[node[i]] for node in extension.outgoing))
    held = [theta[bias.offset + i] for i in range(bias.size)]
    moved = [sheared[bias.offset + i] for i in range(bias.size)]
    free = Hypothesis(
        name="next bias free",
        statement=r"the penalty does not hold the biases of the next layer: $\kappa = 0$",
        rules=((kappa, 0),),
    )
    every = (zero_out.name, zero_in.name)
    return Theorem(
        identifier=f"shifted-extension-{ground.widths}-layer{layer}",
        title=f"Shifted extension of the {ground.widths} network in hidden layer {layer}",
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
                obligations=(ground.same_loss(),),
                uses=every,
            ),
            Step(
                name="new gradient",
                claim=(
                    r"$\partial E/\partial u = 0$ and $\partial E/\partial v_i = \sigma(0)\,\partial E_{\rm "
                    r"narrow}/\partial "
                    r"b_{l+1,i}$ for every $\theta$: zero at a stationary point."
                ),
                obligations=ground.new_gradient([_SIGMA(0) * partial(ground.narrow_loss, own) for own in held]),
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
                        left=ground.loss_of(wide, sheared) + kappa * sum(b**2 for b in moved),
                        right=ground.loss_of(wide, theta, (layer, extension.nodes)) + kappa * sum(b**2 for b in held),
                    ),
                ),
                uses=(free.name,),
            ),
        ),
    )


def nonvanishing_theorem(extension: Extension) -> Theorem:
    """The theorem for sigma(0) != 0 under a penalty on all parameters: which points extend; see T5-nonvanishing."""
    ground = _Ground(extension)
    extension, layer, zero_out, zero_in = ground.extension, ground.layer, ground.zero_out, ground.zero_in
    activation = derive_activation(extension.narrow.activation)
    every = (zero_out.name, zero_in.name)
    bias, value = ground.wide.biases(layer + 1), activation.expression.subs(Z, 0)
    sign = 1 if float(value) > 0 else -1
    # A logarithm's sign is read off its exponential.
    nonzero = sp.exp(value) - 1 if value.has(sp.log) else value

    # dE/dv_i: by the next bias where there is one, else by what is added to the next layer's input.
    if bias is None:
        slopes = [_SIGMA(0) * residual for residual in ground.shifted()[1]]
    else:
        held = ground.theta[bias.offset : bias.offset + bias.size]
        slopes = [_SIGMA(0) * (partial(ground.narrow_loss, own) - 2 * ground.penalty * own) for own in held]
    where = r"$\lambda b_{l+1} = 0$" if bias is not None else r"the mean slopes in the next layer's inputs vanish"
    formula = (
        r"\partial E/\partial v_i = \sigma(0) (\partial E_{\rm narrow}/\partial b_{l+1,i} - 2\lambda\,b_{l+1,i})"
        if bias is not None
        else r"\partial E/\partial v_i = \sigma(0)\,\partial \ell/\partial a_i"
    )
    return Theorem(
        identifier=f"nonvanishing-{ground.widths}-layer{layer}",
        title=f"Which points of the {ground.widths} network extend in hidden layer {layer}, where sigma(0) is not zero",
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
                obligations=(ground.same_loss(),),
                uses=every,
            ),
            Step(
                name="new gradient",
                claim=rf"$\partial E/\partial u = 0$ and ${formula}$ for every $\theta$.",
                obligations=ground.new_gradient(slopes),
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
