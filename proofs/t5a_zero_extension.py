"""T5: nodes whose weights are all zero keep a stationary point stationary, in any layer of any network.

The network is cut at the layer after the new nodes. One sample's loss is a function f(theta, q) of the old
parameters and of what the new nodes add to the inputs of that layer, q_i = sum_a v_ai sigma(u_a . xi(theta)); xi(theta)
are the outputs of the layer before, with a 1 for the bias if there is one. f and xi are arbitrary smooth functions:
nothing is assumed of the depth, the widths, the loss, the data or the number of old nodes.

A second derivative at a point depends only on the plane of its two variables, so two old parameters, two new nodes
a and b, two of their inputs and two of the layer's inputs i and k stand for all of them; and the loss is a mean over
samples, so that what holds for each summand holds for the mean.
"""

import sympy as sp

from symland.theorems import Hypothesis, Identity, Step, Theorem, at, partial, smooth

t1, t2 = sp.symbols("theta_1 theta_2")
v_ai, v_ak, v_bi, v_bk = sp.symbols("v_ai v_ak v_bi v_bk")
u_a1, u_a2, u_b1, u_b2 = sp.symbols("u_a1 u_a2 u_b1 u_b2")
lambda_v, lambda_1, lambda_2 = sp.symbols("lambda_v lambda_1 lambda_2")
outgoing, incoming = sp.symbols("v_0 u_0")

f, xi_1, xi_2, penalty = smooth("f", 4), smooth("xi_1", 2), smooth("xi_2", 2), smooth("R", 2)
sigma = smooth("sigma", 1)

a_input = u_a1 * xi_1(t1, t2) + u_a2 * xi_2(t1, t2)
b_input = u_b1 * xi_1(t1, t2) + u_b2 * xi_2(t1, t2)
q_i = v_ai * sigma(a_input) + v_bi * sigma(b_input)
q_k = v_ak * sigma(a_input) + v_bk * sigma(b_input)

narrow = f(t1, t2, 0, 0) + penalty(t1, t2)
wide = (
    f(t1, t2, q_i, q_k)
    + penalty(t1, t2)
    + lambda_v * (v_ai**2 + v_ak**2 + v_bi**2 + v_bk**2)
    + lambda_1 * (u_a1**2 + u_b1**2)
    + lambda_2 * (u_a2**2 + u_b2**2)
)
point = {
    **dict.fromkeys((v_ai, v_ak, v_bi, v_bk), outgoing),
    **dict.fromkeys((u_a1, u_a2, u_b1, u_b2), incoming),
}

zero_out = Hypothesis(name="outgoing weights zero", statement=r"$v_{ai} = 0$", rules=((outgoing, 0),))
zero_in = Hypothesis(name="incoming weights zero", statement=r"$u_{am} = 0$", rules=((incoming, 0),))
vanishing = Hypothesis(name="sigma(0) = 0", statement=r"$\sigma(0) = 0$", rules=((sigma(0), 0),))

slope = smooth("sigma", 1, 1)(0)
residual_i = smooth("f", 4, 0, 0, 1, 0)(t1, t2, 0, 0)
residual_k = smooth("f", 4, 0, 0, 0, 1)(t1, t2, 0, 0)


def entry(*variables):
    return at(partial(wide, *variables), point)


THEOREM = Theorem(
    identifier="T5-extension",
    title="Zero extension",
    setting=(
        r"A network of any depth and activation $\sigma$, with a loss $E_{\rm narrow}(\theta) = \frac1D\sum_d\ell_d "
        r"+ R(\theta)$: $\ell_d$ any smooth loss of the outputs on sample $d$, $R$ any smooth penalty. Any number of "
        r"nodes is added to one hidden layer; $u$ are a new node's incoming weights, and its bias if there are "
        r"biases, and $v$ its outgoing weights. The wide loss is $E(\theta, u, v)$, with the additional penalty "
        r"$\sum_m \Lambda_m u_m^2 + \Lambda_v |v|^2$ for each new node, any $\Lambda_m, \Lambda_v \ge 0$."
    ),
    hypotheses=(zero_out, zero_in, vanishing),
    conclusion=(
        r"At \emph{every} $\theta$, $E(\theta, 0, 0) = E_{\rm narrow}(\theta)$ and $\nabla E(\theta, 0, 0) = (\nabla "
        r"E_{\rm narrow}(\theta), 0, 0)$, so stationary points stay stationary. The Hessian is block diagonal: the "
        r"narrow network's, and for each new node $\begin{pmatrix} 2\Lambda_u & \sigma'(0) C^{T} \\ \sigma'(0) C & "
        r"2\Lambda_v \end{pmatrix}$ in $(u, v)$ with $\Lambda_u = \operatorname{diag}(\Lambda_m)$ and the residual "
        r"matrix $C_{im} = \frac1D\sum_d (\partial \ell_d/\partial a_i)\,\xi_m(x_d)$, where $a$ are the inputs of "
        r"the next layer and $\xi$ the outputs of the layer before, followed by 1 if there are biases."
    ),
    variables=(
        (r"f(\theta, q)", "the loss of one sample when $q$ is added to the inputs of the next layer"),
        (r"\xi(\theta)", "the outputs of the layer before, and 1 where there is a bias"),
        (r"u_a, v_a", "incoming and outgoing weights of the new node $a$"),
        (r"R(\theta)", "the penalty on the old parameters"),
    ),
    source=(
        r"stationarity of one hidden layer: \cite{mehta2018}; $\lambda = 0$: \cite{zhang2021}; the rest: this package"
    ),
    rests_on=("linearity of the mean over samples", "chain rule"),
    steps=(
        Step(
            name="same loss",
            claim=r"$E(\theta, u, 0) = E_{\rm narrow}(\theta)$ up to the penalty on $u$, for every $\theta$.",
            obligations=(Identity(left=at(wide, point), right=narrow),),
            uses=(zero_out.name, zero_in.name),
        ),
        Step(
            name="old gradient",
            claim=r"$\partial_\theta E$ is the narrow network's, for every $\theta$.",
            obligations=(Identity(left=entry(t1), right=partial(narrow, t1)),),
            uses=(zero_out.name,),
        ),
        Step(
            name="gradient along v",
            claim=r"$\partial E/\partial v_{ai} = f_{q_i}\,\sigma(0) = 0$, for every $\theta$.",
            obligations=(Identity(left=entry(v_ai)), Identity(left=entry(v_bk))),
            uses=(zero_out.name, zero_in.name, vanishing.name),
        ),
        Step(
            name="gradient along u",
            claim=r"$\partial E/\partial u_{am}$ is proportional to $v$, so it is zero, for every $\theta$.",
            obligations=(Identity(left=entry(u_a1)), Identity(left=entry(u_b2))),
            uses=(zero_out.name, zero_in.name),
        ),
        Step(
            name="old block",
            claim=r"$\partial^2 E/\partial\theta_1\partial\theta_2$ is the narrow network's.",
            obligations=(
                Identity(left=entry(t1, t2), right=partial(narrow, t1, t2)),
                Identity(left=entry(t1, t1), right=partial(narrow, t1, t1)),
            ),
            uses=(zero_out.name,),
        ),
        Step(
            name="cross blocks",
            claim=r"$\partial^2 E/\partial\theta\,\partial v = \partial^2 E/\partial\theta\,\partial u = 0$.",
            obligations=(Identity(left=entry(t1, v_ai)), Identity(left=entry(t1, u_a1))),
            uses=(zero_out.name, zero_in.name, vanishing.name),
        ),
        Step(
            name="outgoing block",
            claim=r"$\partial^2 E/\partial v_{ai}\partial v_{bk} = 2\Lambda_v\,\delta_{ab}\delta_{ik}$.",
            obligations=(
                Identity(left=entry(v_ai, v_ai), right=2 * lambda_v),
                Identity(left=entry(v_ai, v_ak)),
                Identity(left=entry(v_ai, v_bi)),
                Identity(left=entry(v_ai, v_bk)),
            ),
            uses=(zero_out.name, zero_in.name, vanishing.name),
        ),
        Step(
            name="incoming block",
            claim=r"$\partial^2 E/\partial u_{am}\partial u_{bn} = 2\Lambda_u\,\delta_{ab}\delta_{mn}$.",
            obligations=(
                Identity(left=entry(u_a1, u_a1), right=2 * lambda_1),
                Identity(left=entry(u_a2, u_a2), right=2 * lambda_2),
                Identity(left=entry(u_a1, u_a2)),
                Identity(left=entry(u_a1, u_b1)),
                Identity(left=entry(u_a1, u_b2)),
            ),
            uses=(zero_out.name, zero_in.name),
        ),
        Step(
            name="mixed block",
            claim=(
                r"$\partial^2 E/\partial v_{ai}\partial u_{bm} = \delta_{ab}\,\sigma'(0)\,f_{q_i}\,\xi_m$ for each "
                r"sample; the mean over samples is $\sigma'(0)\,C_{im}$."
            ),
            obligations=(
                Identity(left=entry(v_ai, u_a1), right=slope * residual_i * xi_1(t1, t2)),
                Identity(left=entry(v_ak, u_a2), right=slope * residual_k * xi_2(t1, t2)),
                Identity(left=entry(v_ai, u_b1)),
                Identity(left=entry(v_bk, u_a2)),
            ),
            uses=(zero_out.name, zero_in.name, vanishing.name),
        ),
    ),
)
