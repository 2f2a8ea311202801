"""Question: how does a network divide the space of its inputs, and where do its gradients form?"""

from __future__ import annotations

from fractions import Fraction
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar, final

from symland.analysis.answer_types.geometry import (
    Band,
    Component,
    Confidence,
    Geometry,
    GeometryOptions,
    GradientShare,
    NearestShare,
    Region,
    Subsample,
    Training,
)
from symland.analysis.question import QUIET, Picture, Question, Setting
from symland.errors import SpecError
from symland.exact import need_float64, parse_exact
from symland.records import Verdict
from symland.tables import Column, Enclosed, Sampled, Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from symland.landscape.landscape import Landscape
    from symland.records import FloatArray
    from symland.spec import LandscapeSpec

__all__ = ["QUESTION", "Geometry", "GeometryOptions", "look"]

SHARES = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0)
"""Shares of samples that are kept."""

GRADIENTS = (0.5, 0.9, 0.99)
"""Shares of the gradient."""

FACTORS = (0.5, 1.0, 2.0, 4.0)
"""Factors of weights."""

DRAWS = 200
"""Random subsets."""

STARTS = 8
"""Random starts of each rule of training."""

STEPS = 200
"""Of gradient descent."""

RATE = 0.5
"""Length of a step in units of the gradient."""

SPREAD = 1.0
"""Standard deviation of parameters at a start."""

GRID = 41
"""Points of a grid along each axis, up to two inputs; 9 above."""

MOST_ROWS = 40
"""Of cells and of regions in a table."""

DIGITS = 6
"""Decimals of an enclosed area."""


def look(
    spec: LandscapeSpec, theta: FloatArray | Sequence[float], options: GeometryOptions, number: int | None = None
) -> Geometry:
    """The geometry of the network with parameters theta (P,).

    Raises
    ------
    SpecError
        For more than 6 inputs, a loss without labels, weights that are not finite, or options that cannot be read.
    """
    import numpy as np

    from symland.analysis.regions.arrangement import arrange, zaslavsky
    from symland.analysis.regions.confidence import areas, band_width, scaled_shares
    from symland.analysis.regions.decision import Tree, components
    from symland.analysis.regions.gradients import (
        Classifier,
        gradient_share,
        nearest_share,
        need_finite,
        subsample,
    )
    from symland.analysis.regions.network import read_network

    level = parse_exact(options.level, "--level")
    need_float64(level, "--level")
    if not 0 < level < Fraction(1, 2):
        raise SpecError.at("--level", f"{options.level} is out of range", "write a number between 0 and 1/2")
    if options.seed < 0:
        raise SpecError.at("--seed", f"{options.seed} is negative", "write 0 or more")
    trained = () if options.train is None else _train(spec, options.train, options.seed)
    network = read_network(spec, theta)
    box = _box(spec, options.box)
    classifier = Classifier(network, logistic=spec.n_outputs == 1)
    samples = np.array([[float(c) for c in x] for x in spec.data.inputs])
    gradients = classifier.gradients(samples, spec.data.labels, spec.bias)
    need_finite(gradients)
    found = arrange(network.hyperplanes, network.n_inputs)
    places = np.array([[float(c) for c in x] for x in found.witnesses]).reshape(len(found.signs), network.n_inputs)
    labels = classifier.logits(places).argmax(axis=1)
    tree = Tree(network, box)
    counted = components(tree, network.labels)
    parts = []
    for k, group in counted.items():
        for members in group.members[: group.lower]:
            centres = [[(a + b) / 2 for a, b in tree.place(key)] for key in members]
            parts.append(Component(label=k, nodes=tuple(_cutting(network.hyperplanes, centres))))
    tube = [tree.place(key) for key, leaf in tree.leaves.items() if len(leaf.possible) > 1]
    by_label, confident, band = areas(network, box, level)
    axes = [np.linspace(float(a), float(b), GRID if len(box) <= 2 else 9 if len(box) <= 4 else 5) for a, b in box]
    grid = np.stack([g.ravel() for g in np.meshgrid(*axes, indexing="ij")], axis=1)
    scaled = tuple(
        Band(part=part, factor=f, share=scaled_shares(network, grid, float(level), f, part))
        for part in ("all", *(f"layer {k + 1}" for k in range(len(network.weights))), "biases")
        for f in FACTORS
    )
    norms = [float(np.linalg.norm([float(w) for w in row])) for row in network.weights[0]]
    rng = np.random.default_rng(options.seed)
    kept = []
    for share in SHARES:
        top, near, drawn, error, bias = subsample(gradients, share, rng, DRAWS)
        kept.append(
            Subsample(
                share=share, cosine=top, confidence_cosine=near, random_cosine=drawn, random_error=error, bias=bias
            )
        )
    settled = all(group.lower == group.upper for group in counted.values())
    return Geometry(
        number=number,
        inputs=network.n_inputs,
        cells=len(found.signs),
        zaslavsky=zaslavsky(len(found.hyperplanes), found.dimension),
        hyperplanes=found.distinct,
        faces=found.faces,
        vertices=tuple(tuple(float(c) for c in x) for x in found.vertices),
        regions=tuple(
            Region(signs="".join("-0+"[s + 1] for s in signs), point=tuple(map(float, x)), label=int(label))
            for signs, x, label in zip(found.signs, places, labels, strict=True)
        ),
        box=box,
        components={str(k): group.lower for k, group in counted.items()},
        component_bounds={str(k): (group.lower, group.upper) for k, group in counted.items()},
        tube_width=max((b - a for place in tube for a, b in place), default=Fraction(0)),
        tube_area=sum((prod((b - a for a, b in place), start=Fraction(1)) for place in tube), Fraction(0)),
        parts=tuple(parts),
        confidence=Confidence(
            level=level,
            box=prod((high - low for low, high in box), start=Fraction(1)),
            labels={str(k): _enclosed(*pair) for k, pair in enumerate(by_label)},
            confident={str(k): _enclosed(*pair) for k, pair in enumerate(confident)},
            band=_enclosed(*band),
            unit_width=tuple(band_width(norm, level) if norm else 0.0 for norm in norms),
            scaled=scaled,
        ),
        gradient_share=tuple(
            GradientShare(gradient=share, samples=gradient_share(gradients.norms, share)) for share in GRADIENTS
        ),
        nearest=tuple(
            NearestShare(samples=share, gradient=nearest_share(gradients.norms, gradients.margin, share))
            for share in SHARES
        ),
        blocks={name: float(norms.mean()) for name, norms in gradients.blocks.items()},
        slopes=(float(gradients.slopes.min()), float(gradients.slopes.mean()), float(gradients.slopes.max())),
        subsample=tuple(kept),
        training=trained,
        verdict=Verdict.CERTIFIED if settled else Verdict.UNDECIDED,
    )


def _train(spec: LandscapeSpec, text: str, seed: int) -> tuple[Training, ...]:
    """Each rule from the same starts."""
    import numpy as np

    from symland.analysis.regions.gradients import Classifier
    from symland.analysis.regions.network import read_network
    from symland.analysis.regions.training import RULES, train

    share = parse_exact(text, "--train")
    need_float64(share, "--train")
    if not 0 < share <= 1:
        raise SpecError.at("--train", f"{text} is no share of the samples", 'write a number up to 1, such as "0.2"')
    samples = np.array([[float(c) for c in x] for x in spec.data.inputs])
    runs: dict[str, list[Any]] = {rule: [] for rule in RULES}
    for child in np.random.SeedSequence(seed).spawn(STARTS):
        rng = np.random.default_rng(child)
        theta = SPREAD * rng.standard_normal(spec.n_parameters)
        start = Classifier(read_network(spec, theta), logistic=spec.n_outputs == 1)
        for rule in RULES:
            runs[rule].append(
                train(start, samples, spec.data.labels, rule, float(share), rng, steps=STEPS, rate=RATE, bias=spec.bias)
            )
    budget = STEPS * min(group[0].cost for group in runs.values())
    found = []
    for rule, group in runs.items():
        losses, right = [run.losses[-1] for run in group], [run.accuracy for run in group]
        found.append(
            Training(
                rule=rule,
                share=1.0 if rule == "all" else float(share),
                cost=group[0].cost / runs["all"][0].cost,
                loss=float(np.mean(losses)),
                loss_error=float(np.std(losses, ddof=1) / np.sqrt(STARTS)),
                loss_at_equal_cost=float(np.mean([run.loss_at(budget) for run in group])),
                accuracy=float(np.mean(right)),
                accuracy_error=float(np.std(right, ddof=1) / np.sqrt(STARTS)),
                departure=float(np.mean([run.departure for run in group])),
                starts=STARTS,
            )
        )
    return tuple(found)


def _cutting(hyperplanes: Sequence[Any], centres: Sequence[Sequence[Fraction]]) -> list[int]:
    """Nodes whose argument is proved to take both signs at points of one part."""
    found = []
    for node, plane in enumerate(hyperplanes):
        seen = set()
        for x in centres:
            value = plane.at(x)
            seen.add((value > 0) - (value < 0))
            if {1, -1} <= seen:
                found.append(node)
                break
    return found


def _enclosed(low: Fraction, high: Fraction) -> Enclosed:
    """Decimal bounds, rounded outwards."""
    scale = 10**DIGITS
    down, up = low * scale // 1, -(-high * scale // 1)
    return Enclosed(
        lower=f"{float(Fraction(down, scale)):.{DIGITS}f}", upper=f"{float(Fraction(up, scale)):.{DIGITS}f}"
    )


def _box(spec: LandscapeSpec, text: str | None) -> tuple[tuple[Fraction, Fraction], ...]:
    """The box that a text names; by default the data's own, with half its side added at each end."""
    columns = list(zip(*spec.data.inputs, strict=True))
    if text is None:
        extents = [(min(c), max(c)) for c in columns]
        return tuple((a - ((b - a) or 1) / 2, b + ((b - a) or 1) / 2) for a, b in extents)
    advice = 'write "low,high", or one such pair for each input with ";" between them'
    pairs = [part.split(",") for part in text.split(";")]
    if len(pairs) == 1:
        pairs *= len(columns)
    if len(pairs) != len(columns) or any(len(pair) != 2 for pair in pairs):
        raise SpecError.at("--box", f"{text!r} is no box of {len(columns)} inputs", advice)
    box = tuple((parse_exact(a, "--box"), parse_exact(b, "--box")) for a, b in pairs)
    if any(a >= b for a, b in box):
        raise SpecError.at("--box", f"{text!r} has a low end that is not below its high end", advice)
    return box


@final
class _Geometry(Question[GeometryOptions, Geometry]):
    name: ClassVar[str] = "geometry"
    help: ClassVar[str] = "Cells, decision regions, confidence and gradients in the space of inputs."
    options: ClassVar[type] = GeometryOptions
    answer: ClassVar[type] = Geometry
    version: ClassVar[int] = 2
    section: ClassVar[str] = "Geometry of the classifier"

    def ask(
        self, landscape: Landscape, *others: Landscape, options: GeometryOptions, setting: Setting = QUIET
    ) -> Geometry:
        explored = landscape.explored()
        number = options.number
        if number is None:
            number = explored.minima[0] if explored.minima else 0
        return look(landscape.spec, explored.point(number).theta, options, number)

    def verdict(self, answer: Geometry) -> Verdict:
        return answer.verdict

    def sentence(self, answer: Geometry) -> str:
        who = "the saved point" if answer.number is None else f"class {answer.number}"
        counts = ", ".join(
            f"label {k}: {low}" if low == high else f"label {k}: {low} to {'?' if high is None else high}"
            for k, (low, high) in answer.component_bounds.items()
        )
        return (
            f"The hidden nodes of {who} cut the input space into {answer.cells} cells ({answer.zaslavsky} in general "
            f"position); connected regions in the box ({answer.verdict.value}): {counts}."
        )

    def tables(self, answer: Geometry) -> tuple[Table, ...]:
        areas = answer.confidence
        regions = Table(
            name="geometry-regions",
            title="Decision regions in the box",
            columns=(Column(name="label"), Column(name="regions"), Column(name="area"), Column(name="confident area")),
            rows=tuple((k, n, areas.labels[k], areas.confident[k]) for k, n in answer.components.items()),
        )
        parts = Table(
            name="geometry-parts",
            title="Hidden nodes that cut each region",
            columns=(Column(name="label"), Column(name="nodes")),
            rows=tuple((part.label, " ".join(map(str, part.nodes)) or "none") for part in answer.parts[:MOST_ROWS]),
        )
        cells = Table(
            name="geometry-cells",
            title="Hidden cells",
            columns=(Column(name="cell"), Column(name="signs"), Column(name="label")),
            rows=tuple((n + 1, r.signs, r.label) for n, r in enumerate(answer.regions[:MOST_ROWS])),
        )
        scaled = Table(
            name="geometry-scaled",
            title="Share of the box without confidence, by factor of weights",
            columns=(Column(name="part"), *(Column(name=f"times {f:g}", digits=4) for f in FACTORS)),
            rows=tuple(
                (part, *(b.share for b in areas.scaled if b.part == part))
                for part in dict.fromkeys(b.part for b in areas.scaled)
            ),
        )
        blocks = Table(
            name="geometry-blocks",
            title="Mean norm of a sample's gradient",
            columns=(Column(name="block"), Column(name="norm", digits=4)),
            rows=tuple(answer.blocks.items()),
        )
        shares = Table(
            name="geometry-gradient",
            title="Samples that carry a share of the gradient",
            columns=(
                Column(name="share of the gradient", digits=3),
                Column(name="least share of samples", digits=4),
            ),
            rows=tuple((g.gradient, g.samples) for g in answer.gradient_share),
        )
        kept = Table(
            name="geometry-subsample",
            title="Cosine to the whole gradient, by share of samples",
            columns=(
                Column(name="share", digits=3),
                Column(name="largest gradient", digits=5),
                Column(name="smallest margin", digits=5),
                Column(name="random", digits=4),
                Column(name="bias", digits=3),
            ),
            rows=tuple(
                (
                    s.share,
                    s.cosine,
                    s.confidence_cosine,
                    s.random_cosine
                    if s.random_cosine is None or s.random_error is None
                    else Sampled(value=s.random_cosine, error=s.random_error, ess=DRAWS),
                    s.bias,
                )
                for s in answer.subsample
            ),
        )
        nearest = Table(
            name="geometry-nearest",
            title="Gradient of the samples nearest to the boundary",
            columns=(Column(name="share of samples", digits=3), Column(name="share of the gradient", digits=4)),
            rows=tuple((n.samples, n.gradient) for n in answer.nearest),
        )
        found = (regions, parts, cells, scaled, blocks, shares, nearest, kept)
        if not answer.training:
            return found
        trained = Table(
            name="geometry-training",
            title="Training on a share of the samples, by rule of choice",
            columns=(
                Column(name="rule"),
                Column(name="share", digits=3),
                Column(name="cost", digits=3),
                Column(name="loss", digits=4),
                Column(name="at equal cost", digits=4),
                Column(name="accuracy", digits=4),
                Column(name="departure", digits=3),
            ),
            rows=tuple(
                (
                    t.rule,
                    t.share,
                    t.cost,
                    Sampled(value=t.loss, error=t.loss_error, ess=t.starts),
                    t.loss_at_equal_cost,
                    Sampled(value=t.accuracy, error=t.accuracy_error, ess=t.starts),
                    t.departure,
                )
                for t in answer.training
            ),
        )
        return (*found, trained)

    def figures(self, answer: Geometry, landscape: Landscape) -> Mapping[str, Picture]:
        if answer.inputs != 2 or answer.number is None:
            return {}
        from symland.analysis.regions.pictures import pictures

        return pictures(answer, landscape.spec, landscape.point(answer.number).theta)


QUESTION = _Geometry()
