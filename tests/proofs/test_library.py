"""The theorems that come with the package: all proved, each hypothesis needed, faults found."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache

import pytest

from symland.records import Verdict
from symland.theorems import check_proof, load_theorems, prove, save_proof, theorem_files
from symland.theorems.decide import decide

SLOW = {"inputs -1 and +1", "inputs 0 and 1"}
"""Steps on boxes: proved once, in a test of their own, and read again by the checker outside the tests."""

THEOREMS = {theorem.identifier: theorem for path in theorem_files() for theorem in load_theorems(path)}

STATEMENTS = {
    "T1-hidden", "T1-data", "T2-gauge", "T3-eigenvalue", "T4-origin",
    "T5-extension", "T5-spectrum", "T5-classes", "T5-flat-bias", "T5-shifted", "T5-nonvanishing", "T5-layers",
    "T6-splitting", "T6-deciding-matrix", "T6-penalty-forbids", "T6-rescaled-penalty", "T6-linear-circle",
    "T6-constant-nodes", "T6-compatible",
    "T7-counting", "T7-penalised", "T7-Morse", "T8-entropy", "T8-no-gain", "T9-origin-alone", "T9-xor",
    "T10-enumeration",
}  # fmt: skip


def quick(theorem):
    return replace(theorem, steps=tuple(step for step in theorem.steps if step.name not in SLOW))


@cache
def proved(identifier):
    return prove(quick(THEOREMS[identifier]))


def test_the_statements_are_all_there():
    assert set(THEOREMS) == STATEMENTS


@pytest.mark.parametrize("identifier", sorted(THEOREMS))
def test_every_step_is_certified_by_the_prover_and_by_the_checker(identifier):
    result = proved(identifier)
    assert {step.name: step.verdict for step in result.steps} == dict.fromkeys(
        (step.name for step in result.steps), Verdict.CERTIFIED
    )
    assert set(check_proof(save_proof(result)).values()) == {Verdict.CERTIFIED}


@pytest.mark.parametrize("step", [s for s in THEOREMS["T9-xor"].steps if s.name in SLOW], ids=lambda s: s.name)
def test_the_origin_of_xor_is_alone(step):
    (obligation,) = step.obligations
    verdict, _, witness = decide(obligation, (), frozenset())
    assert verdict is Verdict.CERTIFIED
    assert len(witness) > 1000


PAIRS = [(theorem.identifier, h.name) for theorem in THEOREMS.values() for h in theorem.hypotheses]


@pytest.mark.parametrize(("identifier", "name"), PAIRS)
def test_no_hypothesis_can_be_dropped(identifier, name):
    theorem = quick(THEOREMS[identifier])
    touched = tuple(step for step in theorem.steps if name in step.uses)
    rest = {used for step in touched for used in step.uses}
    cut = replace(theorem, steps=touched, hypotheses=tuple(h for h in theorem.hypotheses if h.name in rest))
    assert prove(cut).verdict is Verdict.CERTIFIED
    weaker = prove(cut.without(name))
    assert weaker.verdict is not Verdict.CERTIFIED
    assert Verdict.CERTIFIED is not Verdict.all(*check_proof(save_proof(weaker)).values())


FAULTS = [
    # A factor, a sign, a derivative or a number changed on purpose.
    ("t5_zero_extension.py", "right=2 * lambda_v", "right=lambda_v"),
    ("t5_zero_extension.py", "right=slope * residual_i * xi_1(t1, t2)", "right=slope * residual_k * xi_1(t1, t2)"),
    ("t5_index.py", "right=(2 * penalty + slope * tau) * p", "right=(2 * penalty - slope * tau) * p"),
    ("t6_splitting.py", "right=mu * (1 - mu) * (v_i * r_i", "right=mu * mu * (v_i * r_i"),
    ("t4_origin.py", "2 * penalty + sp.Rational(1, 2)", "2 * penalty + sp.Rational(1, 4)"),
    ("t7_counting.py", "comb(nodes, u) * onto(width, nodes - u)", "comb(nodes, u) * onto(width, nodes)"),
    ("t8_entropy.py", "loss = log_partition - z1", "loss = log_partition + z1"),
    ("t9_origin_alone.py", "residual = y * (1 - tau) / 2", "residual = y * (1 + tau) / 2"),
    ("t10_enumeration.py", "MARGIN = sp.Rational(2784645428", "MARGIN = sp.Rational(2784645427"),
    ("t10_enumeration.py", "TWIST = sp.Rational(44775", "TWIST = sp.Rational(44774"),
    ("t10_enumeration.py", "rules=((h11, (v1 - P2 * h12) / P1)", "rules=((h11, (v1 + P2 * h12) / P1)"),
    ("t1_symmetries.py", "arguments=(plusminus, xor), value=8", "arguments=(plusminus, xor), value=4"),
]


@pytest.mark.parametrize(("name", "old", "new"), FAULTS)
def test_planted_faults_are_found(tmp_path, name, old, new):
    (path,) = (p for p in theorem_files() if p.name == name)
    text = path.read_text()
    assert old in text
    broken = tmp_path / name
    broken.write_text(text.replace(old, new))
    results = [prove(quick(theorem)) for theorem in load_theorems(broken)]
    assert Verdict.all(*(result.verdict for result in results)) is not Verdict.CERTIFIED


def test_the_record_of_a_proof_is_plain_json():
    record = json.loads(json.dumps(proved("T5-extension").to_dict()))
    assert record["verdict"] == "certified"
    assert {"name", "claim", "methods", "verdict", "seconds", "detail"} == set(record["steps"][0])
