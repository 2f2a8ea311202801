"""Question: how fast does the landscape's network carry one minimum into another?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, final

import msgspec

from symland.analysis.question import QUIET, Picture, Question, Setting
from symland.analysis.thermo import PassageTime, Rate
from symland.errors import DatabaseError, SpecError
from symland.records import Verdict
from symland.tables import Cell, Column, Table

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping
    from fractions import Fraction

    from symland.analysis.temperature.kinetics import Crossing
    from symland.landscape.landscape import Landscape

__all__ = ["QUESTION", "ExactTime", "FastestPath", "NetworkAt", "Rates", "RatesOptions"]


class ExactTime(msgspec.Struct, frozen=True, kw_only=True):
    """A rate and a mean first-passage time as decimal texts; None where there is no pathway."""

    start: int = msgspec.field(name="class")
    to: int
    temperature: float
    rate: str | None
    time: str | None


class FastestPath(msgspec.Struct, frozen=True, kw_only=True):
    """The path that contributes most to the rate to the lowest minimum."""

    start: int = msgspec.field(name="class")
    to: int
    temperature: float
    minima: tuple[int, ...]
    transition_states: tuple[int, ...]
    barrier: float


class NetworkAt(msgspec.Struct, frozen=True, kw_only=True):
    """The network at one temperature.

    Attributes
    ----------
    committors : tuple of float or None
        For each class the chance to reach B before A.
    relaxation : tuple of float or None
        ln of the relaxation rates, ascending; None where they are too far apart.
    groups : tuples of classes
        Joined below the threshold.
    balance : float
        Largest relative gap of detailed balance.
    """

    temperature: float
    committors: tuple[float | None, ...]
    relaxation: tuple[float, ...] | None
    groups: tuple[tuple[int, ...], ...]
    balance: float


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """Rates, passage times, paths and groups of the classes of minima."""

    minima: tuple[int, ...]
    a: tuple[int, ...]
    b: tuple[int, ...]
    threshold: float
    digits: int
    open_ends: tuple[int, ...]
    rates: tuple[Rate, ...]
    passage_times: tuple[PassageTime, ...]
    exact: tuple[ExactTime, ...]
    fastest: tuple[FastestPath, ...]
    networks: tuple[NetworkAt, ...]


@dataclass(frozen=True, kw_only=True)
class RatesOptions:
    """At which temperatures, and what of."""

    temperature: Annotated[str, 'Temperatures in units of the loss: "1e-2", "1e-3,1e-2", or a range "1e-4..1".'] = (
        "1e-2"
    )
    digits: Annotated[int, "Decimal digits of rates and passage times found with mpmath; 0 leaves them out."] = 0
    a: Annotated[str, 'Classes of the set A of committors, such as "0,1"; the lowest minimum by default.'] = ""
    b: Annotated[str, "Classes of the set B; the highest minimum by default."] = ""
    threshold: Annotated[float, "Groups of minima are joined below this free-energy barrier."] = 0.0


@final
class _Rates(Question[RatesOptions, Rates]):
    name: ClassVar[str] = "rates"
    help: ClassVar[str] = "Transition-state rates, passage times, committors and relaxation of the network of minima."
    options: ClassVar[type] = RatesOptions
    answer: ClassVar[type] = Rates
    verb: ClassVar[bool] = True
    section: ClassVar[str] = "Rates between minima"

    def ask(self, landscape: Landscape, *others: Landscape, options: RatesOptions, setting: Setting = QUIET) -> Rates:
        import numpy as np

        from symland.analysis.temperature.elimination import log_passage_times
        from symland.analysis.temperature.grid import parse_temperatures
        from symland.analysis.temperature.kinetics import crossings_of, log_rates
        from symland.analysis.temperature.spectrum import committors, groups_below, relaxation
        from symland.analysis.temperature.superposition import basins_of

        temperatures = parse_temperatures(options.temperature)
        if options.digits < 0:
            raise SpecError.at("--digits", f"{options.digits} digits", "write 1 or more, or 0 for none")
        basins = basins_of(landscape)
        minima = basins.classes
        crossings = crossings_of(landscape)
        if not crossings:
            raise DatabaseError(f"{landscape.spec.name}: no pathway is known; run `symland connect` first")
        first = _classes(options.a, "--a", minima) or minima[:1]
        second = _classes(options.b, "--b", minima) or minima[-1:]
        if set(first) & set(second):
            raise SpecError.at("--b", f"class {min(set(first) & set(second))} is in A too", "write two sets apart")
        place = {number: k for k, number in enumerate(minima)}
        rates, times, paths, networks = [], [], [], []
        for t in map(float, temperatures):
            setting.listener.advance(f"T = {t:g}")
            log_k = log_rates(landscape, crossings, t)
            log_t = log_passage_times(log_k)
            weights = basins.log_terms(t)
            flow = log_k + weights[:, None]
            linked = np.isfinite(flow)
            for i, a in enumerate(minima):
                for j, b in enumerate(minima):
                    if linked[i, j]:
                        rates.append(Rate(start=a, to=b, temperature=t, log_rate=float(log_k[i, j])))
                    if i != j:
                        time = float(log_t[i, j]) if np.isfinite(log_t[i, j]) else None
                        times.append(PassageTime(start=a, to=b, temperature=t, log_time=time))
            networks.append(
                NetworkAt(
                    temperature=t,
                    committors=committors(log_k, [place[n] for n in first], [place[n] for n in second]),
                    relaxation=relaxation(log_k, weights),
                    groups=tuple(
                        tuple(minima[k] for k in group) for group in groups_below(log_k, weights, t, options.threshold)
                    ),
                    balance=float(np.abs(np.expm1(flow[linked] - flow.T[linked])).max(initial=0.0)),
                )
            )
            paths += _fastest(landscape, minima, t)
        whole = 1 - 1e-12
        return Rates(
            minima=minima,
            a=first,
            b=second,
            threshold=options.threshold,
            digits=options.digits,
            open_ends=tuple(c.number for c in crossings if min(sum(c.minus.values()), sum(c.plus.values())) < whole),
            rates=tuple(rates),
            passage_times=tuple(times),
            exact=_exact(landscape, crossings, temperatures, options.digits, setting) if options.digits else (),
            fastest=tuple(paths),
            networks=tuple(networks),
        )

    def sentence(self, answer: Rates) -> str:
        net = answer.networks[0]
        text = f"At T = {net.temperature:g} "
        slow = [p for p in answer.passage_times if p.temperature == net.temperature and p.log_time is not None]
        if not slow:
            return text + "no pathway joins two minima."
        last = max(slow, key=lambda p: p.log_time or 0.0)
        text += f"the slowest passage is from class {last.start} to {last.to}, ln of its mean time {last.log_time:.6g}"
        if net.relaxation:
            text += f"; the slowest relaxation has the rate exp({net.relaxation[0]:.6g})"
        if answer.open_ends:
            text += f"; the ends of {len(answer.open_ends)} transition states are not all known"
        return f"{text}. Detailed balance holds to {net.balance:.1e}."

    def tables(self, answer: Rates) -> tuple[Table, ...]:
        times = {(p.start, p.to, p.temperature): p.log_time for p in answer.passage_times}
        rates = {(r.start, r.to, r.temperature): r.log_rate for r in answer.rates}
        columns = tuple(Column(name=n) for n in ("T", "from", "to", "ln k", "ln mean passage time"))
        rows: list[tuple[Cell, ...]] = [
            (t, a, b, rates.get((a, b, t)), times.get((a, b, t))) for a, b, t in sorted({*times, *rates}, key=_by_t)
        ]
        heads = tuple(Column(name=n) for n in ("T", "class", "chance to reach B before A"))
        chances: list[tuple[Cell, ...]] = [
            (net.temperature, n, q)
            for net in answer.networks
            for n, q in zip(answer.minima, net.committors, strict=True)
        ]
        sets = f"A = {', '.join(map(str, answer.a))}, B = {', '.join(map(str, answer.b))}"
        found = [
            Table(name="rates", title="Rates and mean first-passage times", columns=columns, rows=tuple(rows)),
            Table(name="committors", title=f"Committors, {sets}", columns=heads, rows=tuple(chances)),
        ]
        if answer.fastest:
            heads = tuple(Column(name=n) for n in ("T", "from", "to", "over transition states", "barrier"))
            ways: list[tuple[Cell, ...]] = [
                (p.temperature, p.start, p.to, " ".join(map(str, p.transition_states)), p.barrier)
                for p in answer.fastest
            ]
            found.append(Table(name="fastest", title="Fastest paths", columns=heads, rows=tuple(ways)))
        if answer.exact:
            heads = tuple(Column(name=n) for n in ("T", "from", "to", "k", "mean passage time"))
            digits: list[tuple[Cell, ...]] = [(e.temperature, e.start, e.to, e.rate, e.time) for e in answer.exact]
            title = f"To {answer.digits} digits"
            found.append(Table(name="exact-times", title=title, columns=heads, rows=tuple(digits)))
        if answer.threshold > 0:
            heads = (Column(name="T"), Column(name="groups"))
            groups: list[tuple[Cell, ...]] = [
                (net.temperature, "; ".join(" ".join(map(str, g)) for g in net.groups)) for net in answer.networks
            ]
            title = f"Joined below a free-energy barrier of {answer.threshold:g}"
            found.append(Table(name="groups", title=title, columns=heads, rows=tuple(groups)))
        return tuple(found)

    def verdict(self, answer: Rates) -> Verdict:
        return Verdict.UNDECIDED if answer.open_ends else Verdict.CERTIFIED

    def figures(self, answer: Rates, landscape: Landscape) -> Mapping[str, Picture]:
        from symland.analysis.temperature.trees import free_energy_tree
        from symland.figures import disconnectivity_figure

        net = answer.networks[0]
        tree = free_energy_tree(landscape, net.temperature)
        chances: dict[Hashable, float] = {
            n: q for n, q in zip(answer.minima, net.committors, strict=True) if q is not None
        }
        figure = disconnectivity_figure(tree, colours=chances, colour_label="committor", quantity="free energy")
        caption = (
            f"Free energies at $T = {net.temperature:g}$, without the common factor, coloured by the chance to reach B "
            "before A."
        )
        return {"free-energy": Picture(figure=figure, caption=caption)}


def _by_t(key: tuple[int, int, float]) -> tuple[float, int, int]:
    return key[2], key[0], key[1]


def _classes(text: str, path: str, minima: tuple[int, ...]) -> tuple[int, ...]:
    """The classes of minima that a text lists."""
    if not text:
        return ()
    parts = [part.strip() for part in text.split(",")]
    bad = [part for part in parts if not (part.isdecimal() and len(part) < 10 and int(part) in minima)]
    if bad:
        known = ", ".join(map(str, minima))
        raise SpecError.at(path, f"{bad[0]!r} is not a class of minima", f"write some of {known}, joined by commas")
    return tuple(sorted({int(part) for part in parts}))


def _fastest(landscape: Landscape, minima: tuple[int, ...], temperature: float) -> list[FastestPath]:
    """The fastest path from every minimum to the lowest one, where there is any."""
    from symland.landscape.network import fastest_path

    network, found = landscape.network(), []
    for n in minima[1:]:
        try:
            way = fastest_path(network, n, minima[0], temperature)
        except DatabaseError:
            continue
        found.append(
            FastestPath(
                start=n,
                to=minima[0],
                temperature=temperature,
                minima=way.minima,
                transition_states=way.transition_states,
                barrier=way.barrier,
            )
        )
    return found


def _exact(
    landscape: Landscape,
    crossings: tuple[Crossing, ...],
    temperatures: tuple[Fraction, ...],
    digits: int,
    setting: Setting,
) -> tuple[ExactTime, ...]:
    from symland.analysis.temperature.exact import exact_network

    network = exact_network(
        landscape,
        crossings,
        digits,
        temperatures[0],
        lambda done, total: setting.listener.advance("points refined", done, total),
    )
    found = []
    for temperature in temperatures:
        rates, times = network.rates(temperature), network.passage_times(temperature)
        for i, a in enumerate(network.minima):
            for j, b in enumerate(network.minima):
                rate, time = rates[i][j], times[i][j] if i != j else None
                if rate or time is not None:
                    found.append(
                        ExactTime(
                            start=a,
                            to=b,
                            temperature=float(temperature),
                            rate=network.text(rate) if rate else None,
                            time=None if time is None else network.text(time),
                        )
                    )
    return tuple(found)


QUESTION = _Rates()
