"""The checker of tubes: it accepts what `symland follow --tubes` proves, and refuses every planted fault."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flint import acb, arb

from symland.cli import main
from symland.codec import plain
from symland.kernels import compile_kernel
from symland.records import Verdict
from symland.rigor.check_tube import _Network, check_diagram, check_tube
from symland.spec import load_spec
from tests.families.test_tubes import proved


def sealed(values: dict[str, Any]) -> dict[str, Any]:
    """With the seal made anew, so that the content itself is what is refused."""
    content = {k: v for k, v in values.items() if k != "seal"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return {**content, "seal": sha256(text.encode()).hexdigest()}


def tube(number: int) -> dict[str, Any]:
    found = proved().branches[number].tube
    assert found is not None
    return copy.deepcopy(found)


def short() -> dict[str, Any]:
    """Three pieces about the fold of the first branch."""
    values = tube(0)
    run = values["runs"][0]
    turn = next(k for k, piece in enumerate(run) if len(piece["segments"]) > 1)
    values["runs"] = [run[max(turn - 1, 0) : turn + 2]]
    return values


def document() -> dict[str, Any]:
    """The answer with the branch of the highest fold and the origin alone, and the two highest intervals."""
    answer: dict[str, Any] = json.loads(json.dumps(plain(proved())))
    answer["branches"] = [answer["branches"][k] for k in (0, 2)]
    answer["intervals"] = answer["intervals"][-2:]
    return answer


@pytest.mark.parametrize("hidden", [1, 3])
def test_gradient_and_hessian_written_again_are_those_of_the_kernel(hidden: int) -> None:
    spec = load_spec("xor", hidden=[hidden], penalty="1/8")
    theta = np.random.default_rng(3).normal(size=(1, spec.n_parameters))
    _, gradient, hessian = compile_kernel(spec).value_gradient_hessian(theta)
    ours, bent = _Network(spec.canonical()).derivatives([acb(x) for x in theta[0].tolist()], acb(arb(1) / 8))
    assert np.allclose([float(x.real) for x in ours], gradient[0], rtol=0, atol=1e-12)
    assert np.allclose([[float(x.real) for x in row] for row in bent.tolist()], hessian[0], rtol=0, atol=1e-12)


def test_a_piece_through_a_fold_is_proved_again() -> None:
    result, sheets = check_tube(sealed(short()))
    assert result.verdict is Verdict.CERTIFIED
    assert sorted(sheet.index for sheet in sheets) == [0, 1]
    fold = float(proved().events[0].value)
    for sheet in sheets:
        assert abs(float(sheet.high.exp()) / fold - 1) < 1e-7


def _gap(values: dict[str, Any]) -> None:
    del values["runs"][0][1]


def _neighbour(values: dict[str, Any]) -> None:
    values["runs"][0][-1] = tube(3)["runs"][0][-1]


def _false_index(values: dict[str, Any]) -> None:
    values["runs"][0][0]["segments"][0]["index"] += 1


def _other_way(values: dict[str, Any]) -> None:
    segment = values["runs"][0][0]["segments"][0]
    segment["rising"] = not segment["rising"]


def _over_the_fold(values: dict[str, Any]) -> None:
    piece = next(p for p in values["runs"][0] if len(p["segments"]) > 1)
    first = piece["segments"][0]
    piece["segments"] = [{**first, "high": "1.0"}]


def _beside(values: dict[str, Any]) -> None:
    table = values["runs"][0][0]["table"]
    table[0][0] = repr(float(table[0][0]) + 1e-6)


def _too_near(values: dict[str, Any]) -> None:
    values["runs"][0][0]["radius"] = "1e-30"


def _too_wide(values: dict[str, Any]) -> None:
    values["runs"][0][0]["unique"] = "10.0"


def _other_data(values: dict[str, Any]) -> None:
    values["spec"]["inputs"][3] = ["1", "2"]


def _lost_block(values: dict[str, Any]) -> None:
    values["blocks"] = values["blocks"][1:]
    for piece in values["runs"][0]:
        piece["borders"] = piece["borders"][1:]


def _smaller_space(values: dict[str, Any]) -> None:
    values["basis"] = values["basis"][1:]


@pytest.mark.parametrize(
    "fault",
    [
        _gap,
        _neighbour,
        _false_index,
        _other_way,
        _over_the_fold,
        _beside,
        _too_near,
        _too_wide,
        _other_data,
        _lost_block,
        _smaller_space,
    ],
)
def test_a_planted_fault_is_refused(fault: Callable[[dict[str, Any]], None], monkeypatch: pytest.MonkeyPatch) -> None:
    # One attempt is enough to be refused, and quicker.
    monkeypatch.setattr("symland.rigor.check_tube.ATTEMPTS", ((0.6, 72, 64),))
    values = short()
    fault(values)
    assert check_tube(values)[0].reason == "the seal does not fit the content"
    assert check_tube(sealed(values))[0].verdict is not Verdict.CERTIFIED


def test_what_the_answer_says_must_follow_from_its_tubes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("symland.rigor.check_tube.check_tube", _remembered())
    good = document()
    result = check_diagram(json.dumps(good))
    assert result.verdict is Verdict.CERTIFIED
    assert "counts of 2 of 2 intervals" in result.reason

    more = document()
    more["intervals"][0]["at_least"][0] += 1
    assert check_diagram(json.dumps(more)).reason == "classes are claimed that no tube proves"
    copies = document()
    copies["intervals"][0]["copies_at_least"][1] += 1
    assert check_diagram(json.dumps(copies)).reason == "copies are claimed that no tube proves"
    wide = document()
    wide["branches"][0]["proved"][0]["high"] = "0.03"
    assert "range of branch 0" in check_diagram(json.dumps(wide)).reason
    # A branch in the place of its neighbour: one class stands twice, the other is gone.
    swapped = document()
    swapped["branches"][1] = swapped["branches"][0]
    assert check_diagram(json.dumps(swapped)).reason == "classes are claimed that no tube proves"
    bare = document()
    for branch in bare["branches"]:
        branch["tube"] = None
    assert check_diagram(json.dumps(bare)).reason == "a range is claimed without a tube"


def _remembered() -> Callable[[Any], Any]:
    """The checker, each tube checked once; tubes that are the same text are the same."""
    known: dict[str, Any] = {}

    def check(values: Any) -> Any:
        key = values["seal"]
        if key not in known:
            known[key] = check_tube(values)
        return known[key]

    return check


def test_the_command_checks_a_followed_diagram(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = document()
    answer["events"], answer["intervals"], answer["maxwell"] = answer["events"][:1], [], []
    lone = short()
    lone["runs"] = [lone["runs"][0][:1]]
    answer["branches"] = [{**answer["branches"][0], "tube": sealed(lone), "proved": []}]
    file = tmp_path / "follow.json"
    file.write_text(json.dumps({"schema": "symland-follow/3", **answer}))
    with pytest.raises(SystemExit) as end:
        main(["check", str(file)])
    assert end.value.code == 0
    assert "1 pieces of tubes" in " ".join(capsys.readouterr().out.split())
