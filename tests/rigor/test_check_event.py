"""The checker of events: it accepts what `symland follow` proves, and refuses every planted fault."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from symland.cli import main
from symland.codec import plain
from symland.records import Verdict
from symland.rigor.check_event import check_event, check_followed
from symland.rigor.strict import digest
from tests.families.test_follow import followed


def sealed(values: dict[str, Any]) -> dict[str, Any]:
    return {**values, "seal": digest({k: v for k, v in values.items() if k != "seal"})}


def certificate(number: int, hidden: int = 2) -> dict[str, Any]:
    found = followed("xor", hidden, "1e-3" if hidden == 2 else "1e-2").events[number].certificate
    assert found is not None
    return copy.deepcopy(found)


def test_every_event_of_one_node_is_proved_again_and_so_are_pitchforks() -> None:
    for event in followed("xor", 1, "1e-2").events:
        assert check_event(event.certificate).verdict is Verdict.CERTIFIED
    wide = followed("xor", 2, "1e-3").events
    for number in (0, next(k for k, e in enumerate(wide) if e.kind == "pitchfork")):
        assert check_event(wide[number].certificate).verdict is Verdict.CERTIFIED


def _moved_penalty(values: dict[str, Any]) -> None:
    values["penalty"] = "0.02284331080167567"
    values["value"] = ["0.0228433107", "0.0228433109"]


def _false_index(values: dict[str, Any]) -> None:
    values["index"] += 1


def _other_sign(values: dict[str, Any]) -> None:
    values["degree"] = ["0.01", "0.1"] if values["degree"][0].startswith("-") else ["-0.1", "-0.01"]


def _other_data(values: dict[str, Any]) -> None:
    values["spec"]["inputs"][3] = ["1", "2"]


def _smaller_space(values: dict[str, Any]) -> None:
    values["inside"] = values["across"] = values["inside"][1:]
    values["z"], values["w"], values["row"] = values["z"][1:], values["w"][1:], values["row"][1:]


def _other_kind(values: dict[str, Any]) -> None:
    values["kind"] = "pitchfork"


def _narrow_value(values: dict[str, Any]) -> None:
    values["value"] = [values["value"][1], values["value"][1]]


def _no_symmetry(values: dict[str, Any]) -> None:
    values["elements"][-1]["output_signs"] = [1, -1]


@pytest.mark.parametrize(
    "fault",
    [
        _moved_penalty,
        _false_index,
        _other_sign,
        _other_data,
        _smaller_space,
        _other_kind,
        _narrow_value,
        _no_symmetry,
    ],
)
def test_a_planted_fault_is_refused(fault: Callable[[dict[str, Any]], None]) -> None:
    values = certificate(0, 1)
    fault(values)
    assert check_event(values).reason == "the seal does not fit the content"
    assert check_event(sealed(values)).verdict is not Verdict.CERTIFIED


def test_a_document_is_held_against_its_certificates() -> None:
    whole = json.loads(json.dumps(plain(followed("xor", 1, "1e-2"))))
    assert check_followed(json.dumps(whole)).verdict is Verdict.CERTIFIED
    for key, value in (("value", "0.0228433108026757"), ("index", 3), ("kind", "pitchfork"), ("certificate", None)):
        wrong = copy.deepcopy(whole)
        wrong["events"][0][key] = value
        assert check_followed(json.dumps(wrong)).verdict is not Verdict.CERTIFIED


def test_the_command_checks_a_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = {"schema": "symland-follow/2", **json.loads(json.dumps(plain(followed("xor", 1, "1e-2"))))}
    file = tmp_path / "follow.json"
    for event, status in ((whole["events"][0], 0), ({**whole["events"][0], "value": "0.03"}, 1)):
        file.write_text(json.dumps({**whole, "events": [event]}))
        with pytest.raises(SystemExit) as end:
            main(["check", str(file)])
        assert end.value.code == status
    assert "1 of 1 events" in capsys.readouterr().out
