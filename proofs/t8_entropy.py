"""T8: the loss of a stationary point is an entropy, and what follows: bounds on weights, no gain of an index."""

import sympy as sp

from symland.theorems import Fact, Hypothesis, Identity, Notation, Positive, Step, Theorem, at, partial, smooth

t, penalty, size = sp.symbols("t lambda Q")
ell = smooth("ell", 3)


class Sample:
    """Three logits, of which the first is the sample's class; three classes stand for any number."""

    def __init__(self, name):
        self.z = sp.symbols(f"z_1{name} z_2{name} z_3{name}")
        self.log_partition = sp.log(sp.Add(*map(sp.exp, self.z)))
        self.loss = self.log_partition - self.z[0]
        self.p = [partial(self.loss, z) + int(k == 0) for k, z in enumerate(self.z)]
        # -ln p_k = log_partition - z_k.
        self.entropy = sp.Add(*(p * (self.log_partition - z) for p, z in zip(self.p, self.z, strict=True)))
        self.slope = sp.Add(*(partial(self.loss, z) * z for z in self.z))


first, second = Sample("a"), Sample("b")
z = first.z
scaled = ell(*((1 + t) * c for c in z))

data_slope, mean_entropy, mean_loss = sp.symbols("S H L")
stationary = Hypothesis(
    name="stationary",
    statement=(
        r"$\theta$ is a stationary point, so $\theta_{\rm out}\cdot\nabla E = S + 2\lambda|\theta_{\rm out}|^2 = 0$ "
        r"(step \emph{outputs are linear}), and $\lambda > 0$"
    ),
    rules=((size, -data_slope / (2 * penalty)),),
)
means = Notation(
    name="means",
    statement=(
        r"$L = \frac1D\sum_d\ell_d$, $H = \frac1D\sum_d H_d$, $S = \frac1D\sum_d r_d\cdot z_d$; two samples stand "
        r"for any number"
    ),
    rules=(
        (mean_loss, (first.loss + second.loss) / 2),
        (mean_entropy, (first.entropy + second.entropy) / 2),
        (data_slope, (first.slope + second.slope) / 2),
    ),
)

ENTROPY = Theorem(
    identifier="T8-entropy",
    title="The loss of a stationary point is an entropy",
    setting=(
        r"A network of any depth, activation and data, with $K$ outputs $z = W h + c$, $h$ the outputs of its last "
        r"hidden layer, softmax probabilities $p_k = e^{z_k}/\sum_j e^{z_j}$, mean cross-entropy $L = "
        r"\frac1D\sum_d\ell_d$, $\ell_d = -\ln p_{d,y_d}$, and a loss $E = L + \lambda|\theta_{\rm out}|^2 + \dots$ "
        r"whose penalty holds $\theta_{\rm out} = (W, c)$ with $\lambda$, and other parameters in any way. $H = "
        r"\frac1D\sum_d H_d$ is the mean entropy $H_d = -\sum_k p_{d,k}\ln p_{d,k}$ of the predictions."
    ),
    hypotheses=(stationary,),
    conclusion=(
        r"$L = H - 2\lambda|\theta_{\rm out}|^2$ at every stationary point, of whatever index. Hence $L \le \ln K$: no "
        r"stationary point is worse than chance; and $|\theta_{\rm out}|^2 \le \ln K/(2\lambda)$."
    ),
    notation=(means,),
    variables=(
        (r"Q", r"$|\theta_{\rm out}|^2$"),
        (r"r", r"$\nabla_z\ell$"),
    ),
    rests_on=(r"an entropy of $K$ probabilities lies between $0$ and $\ln K$", r"$L \ge 0$"),
    source="this package",
    steps=(
        Step(
            name="outputs are linear",
            claim=(
                r"$\theta_{\rm out}\cdot\nabla\ell = \partial_t\,\ell((1+t) z) = r\cdot z$, since $z$ is linear in "
                r"$\theta_{\rm out}$."
            ),
            obligations=(
                Identity(
                    left=at(partial(scaled, t), {t: 0}),
                    right=sum(smooth("ell", 3, *((k == j) * 1 for k in range(3)))(*z) * c for j, c in enumerate(z)),
                ),
            ),
        ),
        Step(
            name="residual times logits",
            claim=r"$r\cdot z = \sum_k p_k z_k - z_c = \ell - H(p)$ for $\ell = -\ln p_c$, $H = -\sum_k p_k\ln p_k$.",
            obligations=(
                Identity(left=first.slope, right=first.loss - first.entropy),
                *(Identity(left=p, right=sp.exp(c) / sp.Add(*map(sp.exp, z))) for p, c in zip(first.p, z, strict=True)),
            ),
        ),
        Step(
            name="at a stationary point",
            claim=r"$L = H + S = H - 2\lambda|\theta_{\rm out}|^2$.",
            obligations=(Identity(left=mean_loss, right=mean_entropy - 2 * penalty * size),),
            uses=(stationary.name, means.name),
        ),
    ),
)

q, e2, e3, miss, K, X, slope = sp.symbols("q e_2 e_3 delta K X s")
bound, missed, more = sp.symbols("Lambda m more")
probability = Notation(
    name="probabilities",
    statement=r"$q = p_c = 1 - e_2 - e_3$, $e_i > 0$",
    rules=((q, 1 - e2 - e3),),
    positive=(e2, e3),
)
likelihood = Fact(
    name="mean probability",
    statement=(
        r"$\frac1D\sum_d p_{d,y_d} \ge e^{-L} \ge 1/K$, so $m = \frac1D\sum_d(1 - p_{d,y_d}) = 1 - \frac1K - \delta^2$"
    ),
    rules=((missed, 1 - 1 / K - miss**2),),
    positive=(K, X, slope),
    after=("T8-entropy",),
    by="Jensen's inequality for the exponential",
)
large = Hypothesis(
    name="large penalty",
    statement=r"$\Lambda = \sqrt2\lambda > s X (1 - 1/K)$",
    rules=((bound, slope * X * (1 - 1 / K) + more),),
    positive=(more,),
)

NO_GAIN = Theorem(
    identifier="T8-no-gain",
    title="Above this penalty no extension gains an index",
    setting=(
        r"A network with one hidden layer of any width, $\sigma(0) = 0$, $K$ softmax outputs, mean cross-entropy, "
        r"and the penalty $\lambda\sum_p\theta_p^2$ over all parameters. $X = \max_d|(x_d, 1)|$, $s = |\sigma'(0)|$, "
        r"and $C$ is the residual matrix of T5-extension."
    ),
    hypotheses=(large,),
    conclusion=(
        r"If $\lambda > |\sigma'(0)|\,(1 - \tfrac1K)\,X/\sqrt2$, then $|\sigma'(0)|\,\|C\|_2 < 2\lambda$ at every "
        r"stationary point of every width: zero extension never raises an index, and non-degenerate minima stay "
        r"minima. For deeper networks the same holds for nodes added to the last hidden layer at a point where "
        r"$\max_d|(\xi_d, 1)| \le X$, $\xi_d$ being what they read."
    ),
    notation=(probability,),
    facts=(likelihood,),
    variables=(
        (r"q, e_i", "probabilities of the sample's class and of the others"),
        (r"\delta", "any real number"),
    ),
    rests_on=("T5-spectrum", "triangle inequality for the spectral norm"),
    source="this package",
    steps=(
        Step(
            name="residual of a sample",
            claim=(
                r"$|r|^2 = (1-q)^2 + e_2^2 + e_3^2 \le 2(1-q)^2$: the difference is $2 e_2 e_3 > 0$; for more "
                r"classes a sum of such products, for two classes $0$."
            ),
            obligations=(
                Identity(left=2 * (1 - q) ** 2 - ((1 - q) ** 2 + e2**2 + e3**2), right=2 * e2 * e3),
                Positive(expression=2 * (1 - q) ** 2 - ((1 - q) ** 2 + e2**2 + e3**2)),
            ),
            uses=(probability.name,),
        ),
        Step(
            name="norm of C",
            claim=(
                r"$\|C\|_2 \le \frac1D\sum_d |r_d||\xi_d| \le \sqrt2\,m X$ and $\sqrt2\,(2\lambda - s\sqrt2\,m X)/2 "
                r"= \Lambda - s m X > 0$."
            ),
            obligations=(Positive(expression=bound - slope * missed * X),),
            uses=(likelihood.name, large.name),
        ),
    ),
)

THEOREMS = (ENTROPY, NO_GAIN)
