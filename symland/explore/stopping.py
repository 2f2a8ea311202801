"""When an exploration may stop: rules that a user can state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from symland.errors import ExplorationError
from symland.explore.coverage import Completeness
from symland.records import Verdict

__all__ = ["DEFAULT_RULES", "LOW_INDEX_RULES", "Condition", "Rule", "parse_duration", "parse_rules", "satisfied"]

DEFAULT_RULES = "morse, coverage 0.998, repeat 3, quiet 0.5"
"""Stop when the Morse sum is 1, the estimated coverage is high, every class was found three times, and no class was
new in the second half of the searches. The sum alone does not do: classes whose signs cancel may be missing."""

LOW_INDEX_RULES = "coverage 0.998, repeat 3, quiet 0.5"
"""The same where a highest index is given: without the Morse sum, which needs points of every index."""


class Condition(Enum):
    """What must hold before an exploration stops."""

    MORSE = "morse"
    """The Morse sum is 1 and its inequalities hold; degenerate points leave it open and do not hold a run up."""
    COVERAGE = "coverage"
    """The lower limit of Good and Turing's coverage is at least the number that follows; a class that a given start
    reached says nothing of what is unseen, and is not counted among those drawn once."""
    REPEAT = "repeat"
    """Every class was found at least so many times, other than from itself, or a given start reached it."""
    QUIET = "quiet"
    """No class was new in the last N searches, or in the last share (below 1) of all of them."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One condition with its number."""

    condition: Condition
    amount: float = 0.0

    def holds(self, state: Completeness, tallies: Sequence[int], given: Sequence[bool] = ()) -> bool:
        """Whether the state of an exploration satisfies the rule; classes that are `given` need not be drawn."""
        match self.condition:
            case Condition.MORSE:
                return state.counts.total > 0 and state.counts.morse is not Verdict.REFUTED
            case Condition.COVERAGE:
                return state.overall.coverage_low >= self.amount
            case Condition.REPEAT:
                known = given or (False,) * len(tallies)
                return all(k or tally >= self.amount for tally, k in zip(tallies, known, strict=True))
            case Condition.QUIET:
                quiet = state.searches - state.last_new
                return quiet >= (self.amount * state.searches if self.amount < 1.0 else self.amount)


def satisfied(rules: Sequence[Rule], state: Completeness, tallies: Sequence[int], given: Sequence[bool] = ()) -> bool:
    """Whether all rules hold."""
    return all(rule.holds(state, tallies, given) for rule in rules)


def parse_rules(text: str) -> tuple[Rule, ...]:
    """Rules from text such as "morse, coverage 0.999, quiet 2000", joined by commas or "and".

    Raises
    ------
    ExplorationError
        If a rule or its number is not known.
    """
    rules = []
    for part in text.replace(" and ", ",").split(","):
        words = part.split()
        advice = 'write rules such as "morse, coverage 0.999, repeat 3, quiet 0.5"'
        try:
            condition = Condition(words[0].lower()) if words else None
        except ValueError:
            condition = None
        if condition is None:
            raise ExplorationError(f"until: {part.strip()!r} is no stop rule; {advice}")
        rules.append(Rule(condition=condition, amount=_amount(condition, words[1:], part.strip(), advice)))
    return tuple(rules)


def _amount(condition: Condition, words: Sequence[str], part: str, advice: str) -> float:
    if condition is Condition.MORSE:
        if words:
            raise ExplorationError(f"until: {part!r}: morse takes no number; {advice}")
        return 0.0
    try:
        (word,) = words
        amount = float(word)
    except ValueError:
        raise ExplorationError(f"until: {part!r} needs one number; {advice}") from None
    limit = 1.0 if condition is Condition.COVERAGE else float("inf")
    if not 0.0 < amount < limit:
        raise ExplorationError(f"until: {part!r}: the number must lie above 0 and below {limit:g}; {advice}")
    return amount


UNITS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
"""Seconds in each unit of a budget."""


def parse_duration(text: str) -> float:
    """Seconds from text such as "60s", "10 min" or "2h"; a bare number is seconds.

    Raises
    ------
    ExplorationError
    """
    stripped = text.strip().lower()
    number = stripped.rstrip("abcdefghijklmnopqrstuvwxyz ")
    unit = stripped[len(number) :].strip() or "s"
    try:
        seconds = float(number) * UNITS[unit]
    except (ValueError, KeyError):
        raise ExplorationError(f"budget: {text!r} is no duration; write 60s, 10min or 2h") from None
    if not 0.0 < seconds < float("inf"):
        raise ExplorationError(f"budget: {text!r} is not positive and finite; write 60s, 10min or 2h")
    return seconds
