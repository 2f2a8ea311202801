"""T2 and T3: the gauge freedom of softmax, on stationary points and in every Hessian."""

import sympy as sp

from symland.theorems import Hypothesis, Identity, Positive, Step, Theorem, partial, smooth

# Class 1 is the sample's; `others` is the sum of exp over all classes beside 1 and 2, any number of them.
z1, z2, t, penalty, total_w, total_r, h = sp.symbols("z_1 z_2 t lambda W R h")
others = sp.Symbol("T")
partition = sp.exp(z1 + t) + sp.exp(z2 + t) + others * sp.exp(t)
shifted = sp.log(partition) - (z1 + t)
q1, q2, q_rest = sp.symbols("q_1 q_2 q_rest")

positive = Hypothesis(name="penalty positive", statement=r"$\lambda > 0$, on every parameter", positive=(penalty,))
stationary = Hypothesis(
    name="stationary",
    statement=(
        r"$\frac1D\sum_d r_{di} h_{dj} + 2\lambda\,W_{ij} = 0$ for each output $i$; summed over $i$: $R + 2\lambda "
        r"W = 0$"
    ),
    rules=((total_w, -total_r / (2 * penalty)),),
)
gauge = Hypothesis(
    name="softmax",
    statement=(
        r"$\ell(z) = \ln\sum_k e^{z_k} - z_c$, so that $R = \frac1D\sum_d\bigl(\sum_i r_{di}\bigr) h_{dj} = 0$ "
        r"(step \emph{residuals})"
    ),
    rules=((total_r, 0),),
)

T2 = Theorem(
    identifier="T2-gauge",
    title="Gauge identities of stationary points",
    statement=(
        r"For softmax outputs and $\lambda > 0$ on all parameters, every stationary point has $\sum_i W_{L+1}[i,j] "
        r"= 0$ for each node $j$ of the last hidden layer, and $\sum_i b_{L+1}[i] = 0$."
    ),
    variables=(
        (r"$r_{di}$", r"$\partial\ell_d/\partial z_i$"),
        (r"$W, R$", r"$\sum_i W_{L+1}[i,j]$ and $\frac1D\sum_d\sum_i r_{di} h_{dj}$; for the bias $h = 1$"),
        (r"$T$", r"$\sum e^{z_k}$ over all classes but two"),
    ),
    hypotheses=(stationary, gauge, positive),
    rests_on=("linearity of the mean over samples",),
    source="checked numerically for the reference landscape",
    steps=(
        Step(
            name="residuals",
            claim=r"$\sum_i r_i = \partial_t\,\ell(z + t\mathbf 1) = 0$, for every $z$ and any number of classes.",
            obligations=(Identity(left=partial(shifted, t)),),
        ),
        Step(
            name="sum over outputs",
            claim=r"$W = -R/(2\lambda) = 0$.",
            obligations=(Identity(left=total_w),),
            uses=(stationary.name, gauge.name),
        ),
        Step(
            name="division",
            claim=r"$2\lambda \ne 0$.",
            obligations=(Positive(expression=2 * penalty),),
            uses=(positive.name,),
        ),
    ),
)

f, xi = smooth("f", 2), smooth("h", 1)
old, e, s = sp.symbols("theta e s")
contrast = smooth("f", 2)(old, (z1 + s * xi(old)) - (z2 + s * xi(old)))
normal = Hypothesis(name="probabilities", statement=r"$\sum_k p_k = 1$", rules=((q_rest, 1 - q1 - q2),))

T3 = Theorem(
    identifier="T3-eigenvalue",
    title="An eigenvalue 2 lambda of every Hessian",
    statement=(
        r"For softmax outputs, at \emph{every} $\theta$, the directions $W_{L+1} \mapsto W_{L+1} + \mathbf 1 "
        r"s^{T}$, $b_{L+1} \mapsto b_{L+1} + s_0\mathbf 1$ span $N + 1$ dimensions ($N$ nodes in the last hidden "
        r"layer) "
        r"on which the Hessian is $2\lambda$ times the identity, if every parameter is penalised: the eigenvalue "
        r"$2\lambda$ has multiplicity at least $N + 1$. (With penalty on weights alone: $2\lambda$ $N$ times, and "
        r"$0$ for the bias.)"
    ),
    variables=(
        (r"$s$", r"a multiple of the direction $e = \mathbf 1 \otimes e_j$"),
        (r"$h(\theta)$", "the output of node $j$, or 1"),
        (r"$p_k$", "softmax probabilities"),
    ),
    hypotheses=(normal,),
    rests_on=(
        "a function that is constant along a direction has constant gradient along it",
        "linearity of the mean over samples",
    ),
    source="checked numerically for the reference landscape",
    steps=(
        Step(
            name="the data term does not move",
            claim=(
                r"Along $e$ every logit gains $s\,h(\theta)$, the contrasts do not change: $\partial_s$, "
                r"$\partial_s\partial_\theta$ and $\partial_s^2$ of the data term vanish for every $s$, $\theta$."
            ),
            obligations=(
                Identity(left=partial(contrast, s)),
                Identity(left=partial(contrast, s, old)),
                Identity(left=partial(contrast, s, s)),
            ),
        ),
        Step(
            name="curvature of softmax",
            claim=(
                r"The same from the curvature $\operatorname{diag}(p) - p p^{T}$ in the logits, for any number of "
                r"classes: each row sums to $p_i(1 - \sum_k p_k) = 0$."
            ),
            obligations=(Identity(left=q1 - q1 * (q1 + q2 + q_rest)),),
            uses=(normal.name,),
        ),
        Step(
            name="the penalty",
            claim=(
                r"$\lambda\sum_i (W_{ij} + s)^2$ has the second derivative $2\lambda$ times the number of outputs, "
                r"that is $2\lambda |e|^2$, and no mixed one; three outputs stand for all."
            ),
            obligations=(
                Identity(
                    left=partial(penalty * ((z1 + s) ** 2 + (z2 + s) ** 2 + (e + s) ** 2), s, s),
                    right=2 * penalty * 3,
                ),
                Identity(left=partial(penalty * ((z1 + s) ** 2 + old**2), s, old)),
            ),
        ),
    ),
)

THEOREMS = (T2, T3)
