"""Verbs at a temperature that are asked of a specification: evidence of models, test error of sampled networks."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from symland.cli.account import OPEN
from symland.cli.app import app
from symland.cli.display import Progress, print_json, print_table, say
from symland.cli.options import Json, Overrides, Spec, read_spec
from symland.errors import SpecError
from symland.tables import Column, Sampled, Table

if TYPE_CHECKING:
    from fractions import Fraction

    from symland.analysis.sampling.evidence import Evidence, Number
    from symland.landscape.landscape import Landscape
    from symland.spec import LandscapeSpec

__all__ = ["evidence", "posterior", "sample"]

MIXED = 1.05
"""R-hat up to which chains agree."""

WIDEST = 64
"""Hidden nodes of a model at most."""


@app.command
def evidence(
    spec: Spec,
    /,
    *,
    hidden: Annotated[str, Parameter(help="Hidden nodes: 2, 0,1,2 or 0..6; 0 has output biases alone.")] = "0..3",
    penalty: Annotated[
        str | None, Parameter(allow_leading_hyphen=True, help="lambda as exact text, or several joined by commas.")
    ] = None,
    sd: Annotated[
        str | None, Parameter(allow_leading_hyphen=True, help="Standard deviation of the prior, in place of lambda.")
    ] = None,
    temperature: Annotated[
        str | None, Parameter(allow_leading_hyphen=True, help="T; 1 / D by default, the Bayesian posterior.")
    ] = None,
    db: Annotated[
        list[Path] | None, Parameter(name="--db", negative="", help="Databases whose minima give the Laplace value.")
    ] = None,
    activation: Annotated[str | None, Parameter(allow_leading_hyphen=True, help="Of the hidden nodes.")] = None,
    samples: Annotated[int, Parameter(help="Particles of each run.")] = 512,
    runs: Annotated[int, Parameter(help="Independent runs, from which the standard error comes.")] = 8,
    ladders: Annotated[int, Parameter(help="Ladders of replica exchange side by side.")] = 32,
    sweeps: Annotated[int, Parameter(help="Moves of every replica.")] = 300,
    seed: Annotated[int, Parameter(help="Makes the numbers repeatable.")] = 0,
    json: Json = False,
) -> int:
    """Compare networks by their evidence, with the prior normalised: two samplers, and the Laplace value beside them.

    Exit status 1 where the two samplers disagree, or their errors are too large to say which model leads.

    Example: `symland evidence xor --hidden 0..3 --penalty 1e-2`
    """
    from fractions import Fraction

    from symland.analysis.sampling.evidence import Effort, evidence_of, penalty_of_sd, select
    from symland.analysis.sampling.sampled import check_effort
    from symland.analysis.temperature.grid import parse_temperatures
    from symland.codec import plain
    from symland.exact import parse_exact
    from symland.landscape.database import Database

    question = read_spec(spec, Overrides(activation=activation))
    if len(question.hidden) != 1:
        raise SpecError.at("network.hidden", f"{len(question.hidden)} hidden layers", "evidence compares widths of one")
    if penalty is not None and sd is not None:
        raise SpecError.at("--sd", "the penalty sets the prior too", "give one of --penalty and --sd")
    check_effort(samples, runs)
    if ladders < 4 or sweeps < 40:
        raise SpecError.at("--ladders", f"{ladders} ladders of {sweeps} sweeps", "write at least 4 and 40")
    given = Fraction(1, question.n_samples)
    if temperature is not None:
        several = parse_temperatures(temperature)
        if len(several) != 1:
            raise SpecError.at("--temperature", f"{temperature!r} are {len(several)}", "write one, such as 1e-2")
        (given,) = several
    penalties = [question.penalty] if penalty is None else [parse_exact(p, "--penalty") for p in penalty.split(",")]
    if sd is not None:
        width = parse_exact(sd, "--sd")
        if width <= 0:
            raise SpecError.at("--sd", f"{sd} is not positive", "write a standard deviation such as 3")
        penalties = [penalty_of_sd(width, given)]
    widths = _widths(hidden)
    effort = Effort(samples=samples, runs=runs, ladders=ladders, sweeps=sweeps, seed=seed)
    rows, progress = [], Progress()
    with ExitStack() as stack:
        known: dict[str, Landscape] = {}
        for path in db or ():
            landscape = stack.enter_context(Database.open(path)).landscape()
            known[landscape.spec.digest] = landscape
        for each in penalties:
            for nodes in widths:
                model = _model(question, nodes, each)
                progress.begin(f"{nodes} hidden nodes, lambda {each}")
                row = evidence_of(model, nodes, float(given), effort, known.get(model.digest), progress.advance)
                progress.end(f"ln evidence {row.log_evidence.value:.4g} +- {row.log_evidence.error:.2g}")
                rows.append(row)
    found = select(question.name, question.n_samples, rows)
    if json:
        print_json({"schema": "symland-evidence/1", **plain(found)})
    else:
        table = _evidence_table(found)
        print_table(table.title, table.heads, table.texts())
    say(_verdict(found))
    return 0 if found.decided else OPEN


def _model(question: LandscapeSpec, nodes: int, penalty: Fraction) -> LandscapeSpec:
    return question.with_(hidden=(max(nodes, 1),), penalty=penalty)


def _widths(text: str) -> tuple[int, ...]:
    ends = text.split("..")
    parts = [part.strip() for part in (ends if len(ends) == 2 else text.split(","))]
    if len(ends) > 2 or not all(part.isdecimal() and len(part) < 5 and int(part) <= WIDEST for part in parts):
        raise SpecError.at("--hidden", f"{text!r} are no numbers of hidden nodes", "write 2, 0,1,2 or 0..6")
    numbers = [int(part) for part in parts]
    if len(ends) == 2:
        if numbers[0] > numbers[1]:
            raise SpecError.at("--hidden", f"{text!r} runs downward", "write the smaller number first")
        return tuple(range(numbers[0], numbers[1] + 1))
    return tuple(sorted(set(numbers)))


def _cell(number: Number, ess: float) -> Sampled:
    return Sampled(value=number.value, error=number.error, ess=ess)


def _evidence_table(found: Evidence) -> Table:
    names = ("hidden", "lambda", "P", "prior sd", "ln evidence", "by integration", "Laplace", "agree", "round trips")
    rows: list[tuple[Any, ...]] = [
        (
            r.hidden,
            r.penalty,
            r.parameters,
            r.sd,
            _cell(r.log_evidence, r.ess),
            f"{r.integrated.value:.6g} +- {r.integrated.error:.2g}",
            r.laplace,
            r.agree,
            r.round_trips,
        )
        for r in found.rows
    ]
    title = f"Evidence of {found.name}, {found.samples} samples, T = {found.rows[0].temperature:g}"
    return Table(name="evidence", title=title, columns=tuple(Column(name=n) for n in names), rows=tuple(rows))


def _verdict(found: Evidence) -> str:
    best = found.rows[found.best]
    text = f"{best.hidden} hidden nodes at lambda {best.penalty} have the largest evidence"
    apart = [row for row in found.rows if not row.agree]
    if apart:
        return (
            f"{text}, but the two samplers disagree at {apart[0].hidden} hidden nodes; write more --samples, --sweeps"
        )
    if len(found.rows) == 1:
        return f"{text}: the only model"
    lead = f"{found.lead:.3g} +- {found.lead_error:.2g}"
    if not found.decided:
        return f"{text}, by {lead}: the error is larger than what it is asked to decide; write more --samples"
    return f"{text}, by {lead}"


@app.command
def posterior(
    spec: Spec,
    /,
    *,
    overrides: Overrides = Overrides(),
    temperature: Annotated[
        str, Parameter(allow_leading_hyphen=True, help="Temperatures, such as 1e-4..1.")
    ] = "1e-4..1",
    holdout: Annotated[
        str, Parameter(allow_leading_hyphen=True, help="Share of the samples that is kept back to test on.")
    ] = "1/3",
    samples: Annotated[int, Parameter(help="Networks of each run.")] = 256,
    runs: Annotated[int, Parameter(help="Independent runs, from which the standard errors come.")] = 6,
    seed: Annotated[int, Parameter(help="Makes split and numbers repeatable.")] = 0,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"], help="File for the picture.")] = None,
    json: Json = False,
) -> int:
    """Draw networks from exp(-E / T) on some samples and test them on others: test error against temperature.

    Exit status 1 where the errors are too large to say that any temperature is better than another.

    Example: `symland posterior iris --penalty 1e-4 --temperature 1e-4..1`
    """
    from symland.analysis.sampling.evidence import Effort
    from symland.analysis.sampling.posterior import posterior as judge
    from symland.analysis.sampling.posterior import split
    from symland.analysis.sampling.sampled import check_effort
    from symland.analysis.temperature.grid import parse_temperatures
    from symland.codec import plain
    from symland.exact import parse_exact
    from symland.report.drawing import need_suffix, save_drawing

    if output is not None:
        need_suffix(output)
    question = read_spec(spec, overrides)
    share = parse_exact(holdout, "--holdout")
    if not 0 < share < 1:
        raise SpecError.at("--holdout", f"{holdout} is no share", "write a fraction between 0 and 1, such as 1/3")
    check_effort(samples, runs)
    temperatures = [float(t) for t in parse_temperatures(temperature)]
    fitted, test = split(question, share, seed)
    progress = Progress()
    progress.begin("posterior")
    found = judge(fitted, test, temperatures, Effort(samples=samples, runs=runs, seed=seed), progress.advance)
    progress.end(f"smallest test error of the mean at T = {found.best:g}")
    if json:
        print_json({"schema": "symland-posterior/1", **plain(found)})
    else:
        rows = [
            [f"{r.temperature:g}", *(f"{x.value:.4g} +- {x.error:.1g}" for x in (r.train_loss, r.gibbs, r.bayes))]
            for r in found.rows
        ]
        title = f"{found.name}: {found.fitted} samples fitted, {found.tested} kept back"
        print_table(title, ["T", "loss", "test error of one network", "test error of their mean"], rows)
    if output is not None:
        from symland.figures.thermal import error_figure

        figure = error_figure(
            [r.temperature for r in found.rows],
            [(r.gibbs.value, r.gibbs.error) for r in found.rows],
            [(r.bayes.value, r.bayes.error) for r in found.rows],
        )
        say(str(save_drawing(figure, output)))
    if not found.decided:
        say("the errors are larger than what they are asked to decide: no temperature is better; write more --samples")
        return OPEN
    at_end = found.best in (found.rows[0].temperature, found.rows[-1].temperature)
    place = (
        "a minimum between the ends"
        if found.interior
        else "an end of the range"
        if at_end
        else "that it errs more at both ends is not shown"
    )
    say(f"the mean of the networks errs least at T = {found.best:g}: {place}")
    return 0


@app.command
def sample(
    spec: Spec,
    /,
    *,
    overrides: Overrides = Overrides(),
    temperature: Annotated[str, Parameter(allow_leading_hyphen=True, help="T, in units of the loss.")] = "1e-2",
    chains: Annotated[int, Parameter(help="Chains; each is the coldest level of one ladder of replicas.")] = 32,
    sweeps: Annotated[int, Parameter(help="Moves of every replica; the first quarter is not counted.")] = 400,
    samples: Annotated[int, Parameter(help="Particles of the runs that make the ladder and ln Z.")] = 512,
    runs: Annotated[int, Parameter(help="Independent runs, from which the standard error of ln Z comes.")] = 8,
    seed: Annotated[int, Parameter(help="Makes the chains repeatable.")] = 0,
    output: Annotated[
        Path | None, Parameter(name=["--output", "-o"], help="File for the chains: .npz, or .nc with ArviZ.")
    ] = None,
    picture: Annotated[Path | None, Parameter(help="File for a picture of the replicas' paths.")] = None,
    json: Json = False,
) -> int:
    """Draw networks from exp(-E / T) by replica exchange, and say how well the replicas moved.

    Exit status 1 where the two estimates of ln Z disagree, or the chains do (R-hat above 1.05).

    Example: `symland sample xor --penalty 1e-2 --temperature 1e-2 -o chains.npz`
    """
    from symland.analysis.sampling.chains import inference_data
    from symland.analysis.sampling.chains import sample as draw
    from symland.analysis.sampling.evidence import Effort
    from symland.analysis.sampling.sampled import check_effort
    from symland.analysis.temperature.grid import parse_temperatures
    from symland.codec import plain

    question = read_spec(spec, overrides)
    given = parse_temperatures(temperature)
    if len(given) != 1:
        raise SpecError.at("--temperature", f"{temperature!r} are {len(given)} temperatures", "write one, such as 1e-2")
    check_effort(samples, runs)
    if chains < 4 or sweeps < 40:
        raise SpecError.at("--chains", f"{chains} chains of {sweeps} sweeps", "write at least 4 and 40")
    if output is not None and output.suffix not in (".npz", ".nc"):
        raise SpecError.at("-o", f"{output.name!r} has no form that is known", "write a name ending in .npz or .nc")
    progress = Progress()
    progress.begin("sample")
    effort = Effort(samples=samples, runs=runs, ladders=chains, sweeps=sweeps, seed=seed)
    found, drawn = draw(question, float(given[0]), effort, progress.advance)
    progress.end(f"{found.chains} chains of {found.draws} draws")
    if output is not None:
        if output.suffix == ".npz":
            import numpy as np

            np.savez_compressed(output, theta=drawn.theta, energy=drawn.energy, temperature=found.temperature)
        else:
            inference_data(found, drawn).to_netcdf(str(output))
        say(str(output))
    if picture is not None:
        from symland.figures.thermal import replica_figure

        replica_figure(drawn.seen.path).savefig(picture)
        say(str(picture))
    if json:
        print_json({"schema": "symland-sample/1", **plain(found)})
    else:
        rows = [
            [
                str(k),
                *(f"{x:.4g}" for x in (v.loss_coupling, v.penalty_coupling, v.energy, v.acceptance)),
                "-" if v.exchange is None else f"{v.exchange:.2f}",
            ]
            for k, v in enumerate(found.levels)
        ]
        heads = ["level", "b", "a", "mean E", "acceptance", "exchange upward"]
        print_table(f"Ladder of {found.name} down to T = {found.temperature:g}", heads, rows)
    say(
        f"mean E {found.energy.value:.6g} +- {found.energy.error:.2g} (ESS {found.ess:.0f}, R-hat {found.r_hat:.3f}); "
        f"ln Z {found.log_z.value:.6g} +- {found.log_z.error:.2g} by weights, {found.integrated.value:.6g} +- "
        f"{found.integrated.error:.2g} by integration; {found.round_trips} round trips"
    )
    if not found.agree:
        say("the two estimates of ln Z disagree: replicas are trapped; write more --sweeps and --samples")
    if found.r_hat > MIXED:
        say(f"R-hat {found.r_hat:.3f}: the chains disagree; write more --sweeps")
    return 0 if found.agree and found.r_hat <= MIXED else OPEN
