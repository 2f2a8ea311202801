"""One call from a kernel and its symmetry group to a list of stationary points and an account of its completeness."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import BrokenExecutor, Executor, as_completed
from dataclasses import dataclass

from symland.errors import ExplorationError
from symland.explore.campaign import BatchResult, Campaign, KernelFactory, Plan, run_batch, run_batch_from
from symland.explore.coverage import Completeness
from symland.explore.protocol import Kernel
from symland.explore.stopping import DEFAULT_RULES, parse_rules, satisfied
from symland.records import FloatArray, StationaryPoint
from symland.symmetry import SymmetryGroup

__all__ = ["MOST_SEARCHES", "Exploration", "explore"]

MOST_SEARCHES = 500_000
"""Searches after which an exploration stops whatever its rules say."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Exploration:
    """What an exploration found.

    Attributes
    ----------
    points : tuple of StationaryPoint
        One representative of each class, sorted by index, then loss.
    tallies : tuple of int
        How often each class was found, other than from itself.
    given : tuple of bool
        Whether a given start reached it.
    completeness : Completeness
    satisfied : bool
        Whether the stop rules were met; otherwise the budget ran out.
    """

    points: tuple[StationaryPoint, ...]
    tallies: tuple[int, ...]
    given: tuple[bool, ...]
    completeness: Completeness
    satisfied: bool


def explore(
    kernel: Kernel,
    group: SymmetryGroup,
    *,
    seed: int = 0,
    max_index: int | None = None,
    until: str = DEFAULT_RULES,
    budget: float | None = None,
    clock: Callable[[], float] | None = None,
    max_searches: int = MOST_SEARCHES,
    given: FloatArray | None = None,
    plan: Plan | None = None,
    stored: Iterable[BatchResult] = (),
    keep: Callable[[BatchResult], None] | None = None,
    progress: Callable[[Completeness], None] | None = None,
    executor: Executor | None = None,
    factory: KernelFactory | None = None,
) -> Exploration:
    """Search until the rules hold, or the budget or the searches run out.

    Parameters
    ----------
    kernel, group
        The landscape and its symmetries.
    seed : int
        The list found depends on it, and not on the number of workers.
    max_index : int, optional
        Highest index to search for; by default one beyond the highest found, as the run goes on.
    until : str
        Stop rules, as `parse_rules` reads them.
    budget, clock : float and callable, optional
        Seconds by the clock after which no batch is begun; with a budget the list depends on the machine's speed.
    max_searches : int
    given : (n, P), optional
        Starts to be tried first.
    plan : Plan, optional
        In place of `seed`, `max_index` and `given`.
    stored : iterable of BatchResult
        Results of an earlier run with the same plan, in order; they are merged, not run again.
    keep : callable, optional
        Takes each new result as it comes, to store it.
    progress : callable, optional
        Takes the account after each round.
    executor, factory : optional
        Where batches run, and what makes the kernel there.

    Raises
    ------
    ExplorationError
        If the rules cannot be read, or an executor comes without a kernel factory or a budget without a clock.
    """
    rules = parse_rules(until)
    if executor is not None and factory is None:
        raise ExplorationError("an executor needs a factory that makes the kernel in its workers; give factory=...")
    if budget is not None and clock is None:
        raise ExplorationError("a budget needs a clock; give clock=time.monotonic")
    spec = getattr(kernel, "spec", None)
    coercive = spec is None or bool(spec.coercive)
    plan = plan or Plan(seed=seed, max_index=max_index, given=given, coercive=coercive)
    campaign = Campaign(kernel=kernel, group=group, plan=plan)
    for result in stored:
        campaign.absorb(result)
    end = None if budget is None or clock is None else clock() + budget

    def late() -> bool:
        return end is not None and clock is not None and clock() >= end

    met = bool(campaign.round) and satisfied(rules, *campaign.asked())
    while not met and campaign.searches < max_searches and not (campaign.begun and late()):
        for result in _results(campaign, executor, factory, late):
            if keep is not None:
                keep(result)
            if campaign.absorb(result):
                if progress is not None:
                    progress(campaign.completeness())
                met = satisfied(rules, *campaign.asked())
    campaign.close()
    order = sorted(range(len(campaign.points)), key=lambda k: (campaign.points[k].index, campaign.points[k].loss, k))
    return Exploration(
        points=tuple(campaign.points[k] for k in order),
        tallies=tuple(campaign.tallies[k] for k in order),
        given=tuple(k in campaign.given for k in order),
        completeness=campaign.completeness(),
        satisfied=met,
    )


def _results(
    campaign: Campaign, executor: Executor | None, factory: KernelFactory | None, late: Callable[[], bool]
) -> Iterable[BatchResult]:
    """Results of the pending batches of one round, as they come; none but the first is begun once it is late."""
    batches = campaign.pending()
    if executor is None or factory is None:
        for batch in batches:
            yield run_batch(campaign.kernel, campaign.group, batch)
            if late():
                return
        return
    futures = [executor.submit(run_batch_from, factory, campaign.group, batch) for batch in batches]
    try:
        for future in as_completed(futures):
            yield future.result()
            if late():
                return
    except BrokenExecutor:
        raise ExplorationError(
            "a worker process died; finished batches are kept, so run again, with fewer workers if memory ran out"
        ) from None
    finally:
        for future in futures:
            future.cancel()
