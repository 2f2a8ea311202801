"""T8: the loss of a stationary point is an entropy, and what follows: bounds on weights, no gain of an index."""

import sympy as sp

from symland.theorems import Hypothesis, Identity, Positive, Step, Theorem, at, partial, smooth

old, t, penalty, size = sp.symbols("theta t lambda Q")
z1, z2, z3 = sp.symbols("z_1 z_2 z_3")
ell = smooth("ell", 3)
scaled = ell((1 + t) * z1, (1 + t) * z2, (1 + t) * z3)
partition = sp.exp(z1) + sp.exp(z2) + sp.exp(z3)
p1, p2, p3 = (sp.exp(z) / partition for z in (z1, z2, z3))
log_partition = sp.log(partition)
loss = log_partition - z1
entropy = -sum(p * (z - log_partition) for p, z in ((p1, z1), (p2, z2), (p3, z3)))

data_slope, mean_entropy, mean_loss = sp.symbols("S H L")
stationary = Hypothesis(
    name="stationary",
    statement=(
        r"$\theta_{\rm out}\cdot\nabla E = 0$: $S + 2\lambda|\theta_{\rm out}|^2 = 0$ with $S = \frac1D\sum_d "
        r"r_d\cdot z_d$"
    ),
    rules=((data_slope, -2 * penalty * size),),
)
softmax = Hypothesis(
    name="softmax",
    statement=r"$r_d\cdot z_d = \ell_d - H_d$ (step \emph{residual times logits}), so $L = H + S$ for the means",
    rules=((mean_loss, mean_entropy + data_slope),),
)

ENTROPY = Theorem(
    identifier="T8-entropy",
    title="The loss of a stationary point is an entropy",
    statement=(
        r"Softmax outputs, any depth, activation and data; $\theta_{\rm out} = (W_{L+1}, b_{L+1})$ penalised by "
        r"$\lambda$. At every stationary point, of whatever index, the mean cross-entropy is the mean entropy of "
        r"the predictions minus $2\lambda|\theta_{\rm out}|^2$. "
        r"Hence it is at most $\ln K$ — no stationary point is worse than chance — and $|\theta_{\rm out}|^2 \le "
        r"\ln K/(2\lambda)$."
    ),
    variables=(
        (r"$Q$", r"$|\theta_{\rm out}|^2$"),
        (r"$H, L$", "mean entropy and mean cross-entropy of the samples"),
        (r"$p$", "softmax probabilities; three classes stand for any number"),
    ),
    hypotheses=(softmax, stationary),
    rests_on=("an entropy lies between 0 and ln K (Gibbs)", "linearity of the mean over samples"),
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
                    right=sum(
                        smooth("ell", 3, *((k == j) * 1 for k in range(3)))(z1, z2, z3) * z
                        for j, z in enumerate((z1, z2, z3))
                    ),
                ),
            ),
        ),
        Step(
            name="residual times logits",
            claim=r"$r\cdot z = \sum_k p_k z_k - z_c = \ell - H(p)$ for $\ell = -\ln p_c$, $H = -\sum_k p_k\ln p_k$.",
            obligations=(
                Identity(left=sum(partial(loss, z) * z for z in (z1, z2, z3)), right=loss - entropy),
                Identity(left=partial(loss, z1), right=p1 - 1),
                Identity(left=partial(loss, z2), right=p2),
            ),
        ),
        Step(
            name="at a stationary point",
            claim=r"$L = H + S = H - 2\lambda|\theta_{\rm out}|^2$.",
            obligations=(Identity(left=mean_loss, right=mean_entropy - 2 * penalty * size),),
            uses=(softmax.name, stationary.name),
        ),
    ),
)

q, e2, e3, miss, K, k, X, slope = sp.symbols("q e_2 e_3 delta K k X s")
probability = Hypothesis(
    name="probabilities", statement=r"$p_c = 1 - e_2 - e_3$, $e_i \ge 0$", rules=((q, 1 - e2 - e3),), positive=(e2, e3)
)
likelihood = Hypothesis(
    name="mean loss at most ln K",
    statement=(
        r"T8-entropy with Jensen: $\frac1D\sum_d p_{d,c_d} \ge e^{-L} \ge 1/K$, so $\frac1D\sum_d(1 - p_{d,c_d}) = "
        r"1 - \frac1K - \delta$, $\delta \ge 0$"
    ),
    rules=((sp.Symbol("m"), 1 - 1 / K - miss),),
    positive=(miss, K, X, slope),
)
large = Hypothesis(
    name="large penalty",
    statement=r"$\lambda\sqrt2 = s X (1 - 1/K)$ or more",
    rules=((sp.Symbol("Lambda"), slope * X * (1 - 1 / K) + sp.Symbol("more")),),
    positive=(sp.Symbol("more"),),
)

NO_GAIN = Theorem(
    identifier="T8-no-gain",
    title="Above this penalty no extension gains an index",
    statement=(
        r"One hidden layer, softmax with $K$ classes, penalty on all parameters, $\sigma(0) = 0$. If $\lambda > "
        r"|\sigma'(0)|\,(1 - \tfrac1K)\,\max_d|(x_d,1)|/\sqrt2$, then $|\sigma'(0)|\,\|C\|_2 < 2\lambda$ at every "
        r"stationary point of every width: "
        r"zero extension never raises an index, minima stay minima. For deep networks the same holds for the last "
        r"hidden layer with $\max_d |\xi_d|$ in place of $\max_d|(x_d,1)|$."
    ),
    variables=(
        (r"$q, e_i$", "probabilities of the sample's class and of the others"),
        (r"$m$", r"$\frac1D\sum_d (1 - p_{d,c_d})$"),
        (r"$X$", r"$\max_d|(x_d, 1)|$"),
        (r"$s$", r"$|\sigma'(0)|$"),
        (r"$\Lambda$", r"$\sqrt2\lambda$"),
    ),
    hypotheses=(probability, likelihood, large),
    rests_on=("T8-entropy", "T5-spectrum", "Jensen's inequality", "triangle inequality for the spectral norm"),
    source="this package",
    steps=(
        Step(
            name="residual of a sample",
            claim=(
                r"$|r|^2 = (1-q)^2 + e_2^2 + e_3^2 \le 2(1-q)^2$: the difference is $2 e_2 e_3 \ge 0$; for more "
                r"classes, a sum of such products."
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
            obligations=(Positive(expression=sp.Symbol("Lambda") - slope * sp.Symbol("m") * X),),
            uses=(likelihood.name, large.name),
        ),
    ),
)

THEOREMS = (ENTROPY, NO_GAIN)
