"""What a landscape's database holds, for a person at the terminal, and the exit status that goes with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from symland.cli.display import print_json, print_table, say

if TYPE_CHECKING:
    from symland.landscape.database import Database

__all__ = ["INCOMPLETE", "complain", "show_account"]

INCOMPLETE = 1
"""Exit status where the Morse sum or an inequality shows that stationary points are missing."""


def show_account(database: Database, json: bool) -> int:
    """Print the classes, how complete their list is, and what connects them; the exit status."""
    from symland.pipeline import summary

    result = summary(database)
    if json:
        print_json(result)
        return complain(result)
    rows = [
        [str(number), str(c["index"]), f"{c['loss']:.15g}", str(c["orbit"]), "yes" if c["certified"] else "no"]
        for number, c in enumerate(result["classes"])
    ]
    print_table(
        f"{database.spec.name}: hidden {database.spec.hidden}, lambda {database.spec.penalty}",
        ["class", "index", "loss", "copies", "certified"],
        rows,
    )
    account = result["completeness"] or {}
    if account.get("by_index"):
        rows = [
            [str(index), str(r["observed"]), *map(_count, r["estimate"]), str(r["draws"]), f"{r['coverage']:.5f}"]
            for index, r in enumerate(account["by_index"])
        ]
        columns = ["index", "classes found", "at least", "estimate", "at most", "finds", "coverage"]
        print_table(f"{account['searches']} searches; estimated classes, 95 %", columns, rows)
    counts, copies = (" ".join(map(str, result[key])) for key in ("counts", "copies"))
    say(f"classes by index {counts}; copies {copies}; Morse sum {result['morse_sum']}")
    links = result["connections"]
    if links is not None:
        say(
            f"{links['pathways']} pathways; {links['on_saddles']} end on saddles; {links['descents']} descents go on "
            f"from those of index 2 or more; minima in {_parts(links['components'])}"
        )
    return complain(result)


def _count(number: float | None) -> str:
    return "inf" if number is None else f"{number:.1f}"


def _parts(count: int) -> str:
    return "one connected part" if count == 1 else f"{count} parts that NO pathway joins"


def complain(result: dict[str, Any]) -> int:
    """Say loudly where stationary points are missing, and how a search ended; the exit status."""
    account = result["completeness"] or {}
    if account and not account["satisfied"]:
        searches, rules = account["searches"], account["rules"]
        say(f"WARNING: the search ended after {searches} searches, before its rules {rules!r} held")
    if result["connections"] and result["connections"]["lost"]:
        say(f"WARNING: {len(result['connections']['lost'])} branches of transition states did not arrive anywhere")
    if result["morse"] == "refuted":
        say(
            f"WARNING: the Morse sum is {result['morse_sum']}, not 1, or a Morse inequality fails: the list is NOT "
            "complete; search longer"
        )
        return INCOMPLETE
    if result["classes"] and result["morse_sum"] != 1:
        say(f"The Morse sum {result['morse_sum']} is no test of completeness here: {result['morse_why']}")
    return 0
