"""Question: what does the landscape do at a temperature?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, final

import msgspec

from symland.analysis.question import QUIET, Picture, Question, Setting
from symland.errors import SpecError
from symland.records import Verdict
from symland.tables import Cell, Column, Enclosed, Sampled, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symland.landscape.landscape import Landscape

__all__ = ["QUESTION", "AtTemperature", "Crossover", "PassageTime", "Rate", "SampledLogZ", "Thermo", "ThermoOptions"]

LARGEST_TERM = 0.05
"""Largest next term |c T|, averaged over the occupations, at which the harmonic form is trusted; in units of ln Z."""

LARGEST_SHALLOW = 0.05
"""Largest share of the probability in minima whose lowest barrier is below T at which it is trusted."""


CURVE = 200
"""Temperatures of a curve that is drawn."""


class SampledLogZ(msgspec.Struct, frozen=True, kw_only=True):
    """ln Z from independent runs of the sampler: its standard error, and the interval that should cover it at 95 %."""

    log_z: float
    error: float
    ess: float
    lower: float
    upper: float
    energy: float
    energy_error: float
    heat_capacity: float
    acceptance: float
    holds: bool


class AtTemperature(msgspec.Struct, frozen=True, kw_only=True):
    """The harmonic superposition at one temperature.

    Attributes
    ----------
    temperature, log_z, energy, heat_capacity, entropy : float
        Heat capacity and entropy in units of Boltzmann's constant.
    occupations : tuple of float
        Of the classes in the order of `minima`.
    next_term : float
        sum_a p_a c_a T: by how much the first anharmonic term moves ln Z.
    next_size : float
        sum_a p_a |c_a| T.
    shallow : float
        Share of the probability in minima whose lowest barrier is below T.
    trusted : bool
    reason : str
        Why the harmonic form is not trusted; empty where it is.
    enclosure : Enclosed or None
        Bounds of the harmonic sum from certificates.
    sampled : SampledLogZ or None
    """

    temperature: float
    log_z: float
    energy: float
    heat_capacity: float
    entropy: float
    occupations: tuple[float, ...]
    next_term: float
    next_size: float
    shallow: float
    trusted: bool
    reason: str
    enclosure: Enclosed | None
    sampled: SampledLogZ | None


class Crossover(msgspec.Struct, frozen=True, kw_only=True):
    """Two classes that are equally occupied at a temperature; below it the first one is the more occupied."""

    lower: int
    higher: int
    temperature: float


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """ln k from a copy of one class of minima to all copies of another, or to other copies of its own."""

    start: int = msgspec.field(name="class")
    to: int
    temperature: float
    log_rate: float


class PassageTime(msgspec.Struct, frozen=True, kw_only=True):
    """ln of the mean first-passage time between two classes; None where no pathway leads there."""

    start: int = msgspec.field(name="class")
    to: int
    temperature: float
    log_time: float | None


class Thermo(msgspec.Struct, frozen=True, kw_only=True):
    """Thermodynamics and kinetics of a list of minima and transition states."""

    minima: tuple[int, ...]
    parameters: int
    anharmonic: tuple[float, ...]
    barriers: tuple[float | None, ...]
    temperatures: tuple[AtTemperature, ...]
    crossovers: tuple[Crossover, ...]
    rates: tuple[Rate, ...]
    passage_times: tuple[PassageTime, ...]
    decide: float


@dataclass(frozen=True, kw_only=True)
class ThermoOptions:
    """At which temperatures, and how hard to sample."""

    temperature: Annotated[str, 'Temperatures in units of the loss: "1e-2", "1e-3,1e-2", or a range "1e-4..1".'] = (
        "1e-4..1"
    )
    samples: Annotated[int, "Particles of each run of the sampler; 0 leaves it out."] = 1024
    runs: Annotated[int, "Independent runs, from which the standard error comes."] = 16
    seed: Annotated[int, "Makes the sampler repeatable."] = 0
    decide: Annotated[float, "The largest standard error of ln Z with which the sampler decides anything."] = 0.25


@final
class _Thermo(Question[ThermoOptions, Thermo]):
    name: ClassVar[str] = "thermo"
    help: ClassVar[str] = "Partition function, heat capacity, occupations, rates and passage times at temperatures."
    options: ClassVar[type] = ThermoOptions
    answer: ClassVar[type] = Thermo
    verb: ClassVar[bool] = True
    section: ClassVar[str] = "The landscape at a temperature"

    def ask(self, landscape: Landscape, *others: Landscape, options: ThermoOptions, setting: Setting = QUIET) -> Thermo:
        import numpy as np

        from symland.analysis.sampling.sampled import check_effort
        from symland.analysis.temperature.elimination import log_passage_times
        from symland.analysis.temperature.enclosure import enclose_superposition
        from symland.analysis.temperature.grid import parse_temperatures
        from symland.analysis.temperature.kinetics import crossings_of, log_rates, lowest_barriers
        from symland.analysis.temperature.superposition import anharmonic, basins_of, crossovers, superpose

        exact = parse_temperatures(options.temperature)
        if options.samples:
            check_effort(options.samples, options.runs)
        if not options.decide > 0:
            raise SpecError.at("--decide", f"{options.decide} nats", "write a positive error of ln Z")
        basins = basins_of(landscape)
        minima = basins.classes
        crossings = crossings_of(landscape)
        barriers = lowest_barriers(landscape, crossings)
        setting.listener.advance("third and fourth derivatives")
        terms = anharmonic(landscape, minima)
        rates, times, rows = [], [], []
        sampled = _sample(landscape, [float(t) for t in exact], options, setting)
        for given, bounds, seen in zip(exact, enclose_superposition(landscape, exact), sampled, strict=True):
            t = float(given)
            found = superpose(basins, t)
            shares = found.occupations
            size = float(shares @ np.abs(terms)) * t
            low = float(sum(p for p, b in zip(shares, barriers, strict=True) if b is not None and b < t))
            reason = _reason(size, low)
            rows.append(
                AtTemperature(
                    temperature=t,
                    log_z=found.log_z,
                    energy=found.energy,
                    heat_capacity=found.heat_capacity,
                    entropy=found.entropy,
                    occupations=tuple(shares.tolist()),
                    next_term=float(shares @ terms) * t,
                    next_size=size,
                    shallow=low,
                    trusted=not reason,
                    reason=reason,
                    enclosure=bounds,
                    sampled=seen,
                )
            )
            log_k = log_rates(landscape, crossings, t)
            log_t = log_passage_times(log_k)
            for i, a in enumerate(minima):
                for j, b in enumerate(minima):
                    if np.isfinite(log_k[i, j]):
                        rates.append(Rate(start=a, to=b, temperature=t, log_rate=float(log_k[i, j])))
                    if i != j:
                        time = float(log_t[i, j]) if np.isfinite(log_t[i, j]) else None
                        times.append(PassageTime(start=a, to=b, temperature=t, log_time=time))
        return Thermo(
            minima=minima,
            parameters=basins.size,
            anharmonic=tuple(terms.tolist()),
            barriers=barriers,
            temperatures=tuple(rows),
            crossovers=tuple(Crossover(lower=a, higher=b, temperature=t) for a, b, t in crossovers(basins)),
            rates=tuple(rates),
            passage_times=tuple(times),
            decide=options.decide,
        )

    def sentence(self, answer: Thermo) -> str:
        held = [row for row in answer.temperatures if row.trusted]
        low, high = answer.temperatures[0], answer.temperatures[-1]
        span = f"T = {low.temperature:g}" + (f" to {high.temperature:g}" if high is not low else "")
        if not held:
            return f"At {span} the harmonic form is not to be trusted: {low.reason}.{_contest(answer)}"
        text = (
            f"At {span} the harmonic form holds at {len(held)} of {len(answer.temperatures)} temperatures"
            f", up to T = {held[-1].temperature:g}; ln Z = {held[-1].log_z:.6g} there."
        )
        worst = [row for row in answer.temperatures if not row.trusted]
        if worst:
            text = f"{text} At T = {worst[0].temperature:g} {worst[0].reason}."
        return f"{text}{_contest(answer)}"

    def tables(self, answer: Thermo) -> tuple[Table, ...]:
        columns = (
            Column(name="T"),
            Column(name="ln Z", digits=9),
            Column(name="sampled", digits=7),
            Column(name="next term", digits=3),
            Column(name="shallow", digits=3),
            Column(name="harmonic form"),
        )
        rows: list[tuple[Cell, ...]] = [
            (
                r.temperature,
                r.log_z,
                None if r.sampled is None else Sampled(value=r.sampled.log_z, error=r.sampled.error, ess=r.sampled.ess),
                r.next_term,
                r.shallow,
                _word(r),
            )
            for r in answer.temperatures
        ]
        names = ("T", "ln Z of the harmonic sum, proved", "U", "C", "S")
        energies: list[tuple[Cell, ...]] = [
            (r.temperature, r.enclosure, r.energy, r.heat_capacity, r.entropy) for r in answer.temperatures
        ]
        shares: list[tuple[Cell, ...]] = [(r.temperature, *r.occupations) for r in answer.temperatures]
        heads = (Column(name="T"), *(Column(name=f"class {n}", digits=4) for n in answer.minima))
        crossing: list[tuple[Cell, ...]] = [(c.lower, c.higher, c.temperature) for c in answer.crossovers]
        found = [
            Table(name="thermo", title="Harmonic superposition beside the sampler", columns=columns, rows=tuple(rows)),
            Table(
                name="energies",
                title="Energy, heat capacity and entropy of the harmonic form",
                columns=tuple(Column(name=n) for n in names),
                rows=tuple(energies),
            ),
            Table(name="occupations", title="Occupations of the classes", columns=heads, rows=tuple(shares)),
        ]
        if crossing:
            heads = (Column(name="class"), Column(name="and class"), Column(name="T"))
            title = "Equally occupied; the first class is the more occupied one below T"
            found.append(Table(name="crossovers", title=title, columns=heads, rows=tuple(crossing)))
        return tuple(found)

    def verdict(self, answer: Thermo) -> Verdict:
        if any(_apart(row) for row in answer.temperatures):
            return Verdict.REFUTED
        blind = any(not row.trusted and not (row.sampled and row.sampled.holds) for row in answer.temperatures)
        return Verdict.UNDECIDED if blind else Verdict.CERTIFIED

    def figures(self, answer: Thermo, landscape: Landscape) -> Mapping[str, Picture]:
        if len(answer.temperatures) < 3:
            return {}
        import numpy as np

        from symland.analysis.temperature.superposition import basins_of, superpose
        from symland.figures.thermal import heat_figure, occupation_figure

        ends = (answer.temperatures[0].temperature, answer.temperatures[-1].temperature)
        basins = basins_of(landscape)
        curve = [superpose(basins, float(t)) for t in np.geomspace(*ends, CURVE)]
        points = [
            (r.temperature, r.sampled.heat_capacity) for r in answer.temperatures if r.sampled and r.sampled.holds
        ]
        heat = heat_figure([c.temperature for c in curve], [c.heat_capacity for c in curve], points, answer.parameters)
        shares = occupation_figure(
            [c.temperature for c in curve], [c.occupations.tolist() for c in curve], answer.minima
        )
        return {
            "heat-capacity": Picture(
                figure=heat, caption="Heat capacity: the harmonic superposition, the sampler (points), and $P/2$."
            ),
            "occupations": Picture(figure=shares, caption="Occupations of the classes of minima."),
        }


def _sample(
    landscape: Landscape, temperatures: list[float], options: ThermoOptions, setting: Setting
) -> tuple[SampledLogZ | None, ...]:
    """The sampler's answers at ascending temperatures, from the hottest down."""
    if not options.samples:
        return (None,) * len(temperatures)
    from symland.analysis.sampling.sampled import cooling_path, temper
    from symland.analysis.sampling.target import target_of
    from symland.kernels import compile_kernel

    spec = landscape.spec
    corners, before = cooling_path(temperatures[::-1])
    found = temper(
        target_of(spec, compile_kernel(spec), landscape.group),
        corners,
        samples=options.samples,
        runs=options.runs,
        seed=options.seed,
        progress=lambda note, done, total: setting.listener.advance(note, done, total),
    )
    return tuple(
        SampledLogZ(
            log_z=stop.log_z.value,
            error=stop.log_z.error,
            ess=stop.ess,
            lower=stop.log_z.lower,
            upper=stop.log_z.upper,
            energy=stop.energy.value,
            energy_error=stop.energy.error,
            heat_capacity=stop.variance / t**2,
            acceptance=stop.acceptance,
            holds=stop.log_z.error <= options.decide,
        )
        for t, stop in zip(temperatures, found.stops[before:][::-1], strict=True)
    )


def _apart(row: AtTemperature) -> bool:
    """Whether both hold and differ by more than three standard errors and twice the next term."""
    seen = row.sampled
    if seen is None or not (row.trusted and seen.holds):
        return False
    return abs(row.log_z + row.next_term - seen.log_z) > 3 * seen.error + 2 * row.next_size


def _contest(answer: Thermo) -> str:
    """Where neither or both answers hold, in words; empty where there is nothing to say."""
    rows = answer.temperatures
    blind = [row for row in rows if not row.trusted and not (row.sampled and row.sampled.holds)]
    text = ""
    for row in rows:
        if _apart(row) and row.sampled:
            text += (
                f" At T = {row.temperature:g} the sampler says {row.sampled.log_z:.6g} +- {row.sampled.error:.2g}, the "
                "superposition another number: a minimum is missing, or every run was trapped."
            )
            break
    if blind and blind[0].sampled is None:
        text += f" At T = {blind[0].temperature:g} neither holds: nothing was sampled."
    elif blind and blind[0].sampled:
        text += (
            f" At T = {blind[0].temperature:g} neither holds: the sampler's error {blind[0].sampled.error:.2g} is "
            f"above the {answer.decide:g} that it is asked to decide; write more --samples."
        )
    return text


def _word(row: AtTemperature) -> str:
    """Why the harmonic form does not hold, in a word or two."""
    if row.trusted:
        return "holds"
    parts = ["next term"] if row.next_size > LARGEST_TERM else []
    return " and ".join([*parts, "shallow wells"] if row.shallow > LARGEST_SHALLOW else parts)


def _reason(size: float, shallow: float) -> str:
    parts = []
    if size > LARGEST_TERM:
        parts.append(f"the next term is {size:.2g}")
    if shallow > LARGEST_SHALLOW:
        parts.append(f"{shallow:.0%} of the probability is in minima with a barrier below T")
    return " and ".join(parts)


QUESTION = _Thermo()
