"""The independent checker accepts true certificates of completeness and refuses every lie that was thought of."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symland.rigor.enumeration_check
from symland.cli import main
from symland.records import Verdict
from symland.rigor.enumeration import certificate_text, enumerate_points
from symland.rigor.enumeration_check import check_enumeration, verify
from symland.spec import builtin
from tests.rigor.test_search import TWO, listed

ORIGIN = builtin("xor").with_(hidden=(1,), penalty="1e-1")
"""One node at a penalty where the origin is the only stationary point."""


def sealed(values: dict[str, Any]) -> str:
    """The text of a certificate with its seal made anew: whoever lies can do that."""
    body = {key: value for key, value in values.items() if key != "seal"}
    seal = hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    return json.dumps({**body, "seal": seal})


@pytest.fixture(scope="module")
def certificate() -> dict[str, Any]:
    return json.loads(certificate_text(TWO, enumerate_points(TWO, listed(TWO))))


def test_the_checker_imports_nothing_of_the_search() -> None:
    folder = Path(symland.rigor.enumeration_check.__file__).parent
    allowed = {"symland.records", "symland.rigor.strict", "symland.rigor.enumeration_check"}
    for file in folder.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("symland"):
                assert any(node.module == a or (node.module or "").startswith(f"{a}.") for a in allowed), file.name
            if isinstance(node, ast.Import):
                assert not any(name.name.startswith("symland") for name in node.names), file.name


def test_true_certificates_are_proved_again_as_a_whole(certificate: dict[str, Any]) -> None:
    found = check_enumeration(sealed(certificate), TWO.canonical())
    assert found.verdict is Verdict.CERTIFIED
    assert found.checked == found.proved == found.leaves > 10
    origin = certificate_text(ORIGIN, enumerate_points(ORIGIN, [np.zeros(7)]))
    assert check_enumeration(origin).verdict is Verdict.CERTIFIED


def test_a_share_is_no_proof_and_says_how_likely_a_lie_passes(certificate: dict[str, Any]) -> None:
    found = check_enumeration(sealed(certificate), seed="1", share=0.4)
    assert found.verdict is Verdict.UNDECIDED
    assert found.proved == found.checked == round(0.4 * found.leaves)
    assert found.seed == "1"
    assert 0.5 < found.passes(1) < 0.7
    assert found.passes(found.leaves) == 0.0


def without_class(values: dict[str, Any], number: int) -> dict[str, Any]:
    """The list lacks a class, and every leaf that it closed says another reason."""
    points = [p for k, p in enumerate(values["points"]) if k != number]

    def leaf(row: Any) -> Any:
        if isinstance(row, list):
            return row
        reason, _, met = row.partition(" ")
        if met in ("", "several") or int(met) < number:
            return row
        if int(met) == number:
            return "joint" if reason == "known" else reason
        return f"{reason} {int(met) - 1}"

    return {**values, "points": points, "tree": [leaf(row) for row in values["tree"]]}


def old_fault(values: dict[str, Any]) -> dict[str, Any]:
    """What the search once wrote: one box, closed as if no logits fitted, and a list without the global minimum."""
    return {**values, "points": values["points"][1:], "tree": ["logits"]}


def forgotten_leaf(values: dict[str, Any]) -> dict[str, Any]:
    return {**values, "tree": values["tree"][:-1]}


def spare_leaf(values: dict[str, Any]) -> dict[str, Any]:
    return {**values, "tree": [*values["tree"], "joint"]}


def smaller_box(values: dict[str, Any]) -> dict[str, Any]:
    low, high = values["box"][0]
    return {**values, "box": [[low, ((float.fromhex(low) + float.fromhex(high)) / 2).hex()], *values["box"][1:]]}


def no_reason(values: dict[str, Any]) -> dict[str, Any]:
    return {**values, "tree": ["" if isinstance(row, str) else row for row in values["tree"]]}


def wrong_point(values: dict[str, Any]) -> dict[str, Any]:
    first = [(float.fromhex(x) + 0.5).hex() for x in values["points"][0]]
    return {**values, "points": [first, *values["points"][1:]]}


def point_twice(values: dict[str, Any]) -> dict[str, Any]:
    return {**values, "points": [*values["points"], values["points"][0]]}


def other_order(values: dict[str, Any]) -> dict[str, Any]:
    return {**values, "points": values["points"][::-1]}


def other_spec(values: dict[str, Any]) -> dict[str, Any]:
    spec = TWO.with_(penalty="1/40")
    return {**values, "spec": spec.canonical(), "spec_digest": spec.digest}


def moved_cut(values: dict[str, Any]) -> dict[str, Any]:
    rows = [list(row) if isinstance(row, list) else row for row in values["tree"]]
    rows[0][1] = (float.fromhex(values["box"][rows[0][0]][1]) + 1.0).hex()
    return {**values, "tree": rows}


LIES = (
    old_fault,
    forgotten_leaf,
    spare_leaf,
    smaller_box,
    no_reason,
    wrong_point,
    point_twice,
    other_order,
    other_spec,
    moved_cut,
)


@pytest.mark.parametrize("lie", LIES)
def test_lies_are_refused(certificate: dict[str, Any], lie: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    assert check_enumeration(sealed(lie(certificate))).verdict is not Verdict.CERTIFIED


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_class_that_is_missing_is_found_and_refutes(certificate: dict[str, Any], number: int) -> None:
    found = check_enumeration(sealed(without_class(certificate, number)))
    assert found.verdict is Verdict.REFUTED


def test_the_log_of_the_old_fault_is_refuted_with_the_point_that_it_lacks(certificate: dict[str, Any]) -> None:
    found = check_enumeration(sealed(old_fault(certificate)))
    assert found.verdict is Verdict.REFUTED


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "symland-enumeration/1"}', "\N{SNOWMAN}" * 9])
def test_other_files_are_refused_in_one_line(text: str) -> None:
    found = check_enumeration(text)
    assert found.verdict is Verdict.REFUTED
    assert "\n" not in found.reason


def test_the_command_writes_a_certificate_and_proves_it_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def call(*arguments: str) -> int:
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        return int(caught.value.code or 0)

    proof, question = str(tmp_path / "proof.json"), ("xor", "--hidden", "1", "--penalty", "4e-2")
    db = str(tmp_path / "xor.sqlite")
    assert call("enumerate", *question, "--db", db, "--by", "boxes", "-o", proof, "--audit", "1", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["verdict"], document["audit"]["verdict"]) == ("certified", "certified")
    assert call("check", proof, "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["verdict"] == "certified"
    assert call("check", proof, "--share", "2") == 2
    lie = json.loads(Path(proof).read_text())
    Path(proof).write_text(sealed({**lie, "points": []}))
    assert call("check", proof) == 1


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_missing_class_is_found_where_no_leaf_is_looked_at_that_holds_it(
    certificate: dict[str, Any], number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "follow", lambda *_: pytest.fail("the looks have found nothing"))
    assert check_enumeration(sealed(without_class(certificate, number))).verdict is Verdict.REFUTED
