"""The theorems that come with the package: all proved, each hypothesis needed, faults found."""

from __future__ import annotations

import json
import re
from functools import cache
from graphlib import TopologicalSorter

import pytest
import sympy as sp

from symland.records import Verdict
from symland.theorems import (
    Hypothesis,
    Identity,
    Positive,
    Step,
    Theorem,
    at,
    check_proof,
    load_theorems,
    partial,
    prove,
    save_proof,
    smooth,
    theorem_files,
)
from tests.proofs.restated import restatements

SLOW = {"inputs -1 and +1", "inputs 0 and 1"}
"""Steps on boxes: tests/rigor/test_enumeration.py decides the quicker one, and `make prove` both."""

THEOREMS = {theorem.identifier: theorem for path in theorem_files() for theorem in load_theorems(path)}

STATEMENTS = {
    "T1-hidden", "T1-data", "T2-gauge", "T2-slice", "T3-eigenvalue", "T4-origin",
    "T5-extension", "T5-spectrum", "T5-classes", "T5-flat-bias", "T5-shifted", "T5-nonvanishing", "T5-layers",
    "T6-splitting", "T6-deciding-matrix", "T6-penalty-forbids", "T6-rescaled-penalty", "T6-linear-circle",
    "T6-constant-nodes", "T6-compatible",
    "T7-counting", "T7-penalised", "T7-Morse", "T8-entropy", "T8-no-gain", "T9-origin-alone", "T9-xor",
    "T10-enumeration", "T11-condensation", "T12-slabs", "T13-cells", "T13-weight-scale", "T14-pitchforks",
}  # fmt: skip


def quick(theorem):
    return theorem.only(tuple(step for step in theorem.steps if step.name not in SLOW))


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


PAIRS = [(theorem.identifier, grant.name) for theorem in THEOREMS.values() for grant in theorem.grants]


@pytest.mark.parametrize(("identifier", "name"), PAIRS)
def test_no_hypothesis_notation_or_fact_can_be_dropped(identifier, name):
    theorem = quick(THEOREMS[identifier])
    cut = theorem.only(tuple(step for step in theorem.steps if name in step.uses))
    assert cut.steps
    held = {step.name: step.verdict for step in proved(identifier).steps}
    assert {held[step.name] for step in cut.steps} == {Verdict.CERTIFIED}
    weaker = prove(cut.without(name))
    assert weaker.verdict is not Verdict.CERTIFIED
    assert Verdict.CERTIFIED is not Verdict.all(*check_proof(save_proof(weaker)).values())


@pytest.mark.parametrize("identifier", sorted(THEOREMS))
def test_no_hypothesis_is_the_conclusion_of_a_step(identifier):
    assert list(restatements(THEOREMS[identifier])) == []


x, y, z, t, a, b = sp.symbols("x y z t a b")
ell, slopes = smooth("ell", 2), (smooth("ell", 2, 1, 0)(x, y), smooth("ell", 2, 0, 1)(x, y))
ASSUMED = [
    # What T7-penalised, T5-classes, T6-compatible and T5-flat-bias once did, and a sign that is assumed.
    (Identity(left=a * x, right=b * x), ((a, b),), ()),
    (Identity(left=at(partial(ell(x + t, y + t), t), {t: 0})), ((slopes[0], -slopes[1]),), ()),
    (Identity(left=a), ((a, 0),), ()),
    (Identity(left=sp.Symbol("sigma") * a), ((a, 0),), ()),
    (Positive(expression=2 * a), (), (a,)),
]


@pytest.mark.parametrize(("obligation", "rules", "positive"), ASSUMED)
def test_the_search_for_assumed_conclusions_finds_them(obligation, rules, positive):
    hypothesis = Hypothesis(name="h", statement="", rules=rules, positive=positive)
    step = Step(name="step", claim="", obligations=(obligation,), uses=("h",))
    theorem = Theorem(identifier="T0-assumed", title="", conclusion="", hypotheses=(hypothesis,), steps=(step,))
    assert prove(theorem).verdict is Verdict.CERTIFIED
    assert list(restatements(theorem)) == ["step"]


def test_theorems_rest_on_earlier_knowledge_and_never_on_themselves():
    sorter = TopologicalSorter(
        {
            theorem.identifier: {
                name
                for text in (*theorem.rests_on, *(after for fact in theorem.facts for after in fact.after))
                for name in re.findall(r"T\d+-[\w-]+", text)
            }
            for theorem in THEOREMS.values()
        }
    )
    assert set(sorter.static_order()) == STATEMENTS  # a circle raises, an unknown name is one too many


def test_facts_follow_from_steps_or_theorems_that_exist():
    for theorem in THEOREMS.values():
        for fact in theorem.facts:
            assert fact.after
            assert set(fact.after) <= {step.name for step in theorem.steps} | STATEMENTS


@pytest.mark.parametrize("identifier", sorted(THEOREMS))
def test_a_statement_says_what_it_speaks_of_and_nothing_that_was_only_computed(identifier):
    theorem = THEOREMS[identifier]
    whole = " ".join((theorem.setting, theorem.conclusion, *(h.statement for h in theorem.hypotheses)))
    assert len(theorem.setting) > 100
    assert theorem.conclusion.endswith(".")
    assert whole.count("$") % 2 == 0
    for phrase in ("above", "numerically", "checked", "as before", "in the setting"):
        assert phrase not in theorem.conclusion.lower()


def test_the_order_of_the_theorems_is_that_of_their_numbers():
    numbers = [int(re.match(r"T(\d+)", identifier)[1]) for identifier in THEOREMS]
    assert numbers == sorted(numbers)
    assert (numbers[0], numbers[-1]) == (1, 14)


FAULTS = [
    # A factor, a sign, a derivative or a number changed on purpose.
    ("t5a_zero_extension.py", "right=2 * lambda_v", "right=lambda_v"),
    ("t5a_zero_extension.py", "right=slope * residual_i * xi_1(t1, t2)", "right=slope * residual_k * xi_1(t1, t2)"),
    ("t5b_index.py", "right=(2 * penalty + slope * tau) * p", "right=(2 * penalty - slope * tau) * p"),
    # The spectrum that T5-flat-bias once claimed: no sigma(t)^2 F in the new block.
    (
        "t5c_penalty_on_weights.py",
        "right=2 * penalty + sigma(t) ** 2 * partial(narrow, c_i, c_i)",
        "right=2 * penalty",
    ),
    ("t6a_splitting.py", "right=mu * (1 - mu) * (v_i * r_i", "right=mu * mu * (v_i * r_i"),
    ("t6c_compatible_embedding.py", "right=slope(t) * Cp", "right=Cp"),
    ("t4_origin.py", "2 * penalty + sp.Rational(1, 2)", "2 * penalty + sp.Rational(1, 4)"),
    ("t7_counting.py", "comb(nodes, u) * onto(width, nodes - u)", "comb(nodes, u) * onto(width, nodes)"),
    ("t7_counting.py", "right=r * named + r * named_less", "right=r * named + named_less"),
    ("t8_entropy.py", "self.loss = self.log_partition - self.z[0]", "self.loss = self.log_partition + self.z[0]"),
    ("t9_origin_alone.py", "residual = y * (1 - tau) / 2", "residual = y * (1 + tau) / 2"),
    ("t10_enumeration.py", "MARGIN = sp.Rational(2784645428", "MARGIN = sp.Rational(2784645427"),
    ("t10_enumeration.py", "TWIST = sp.Rational(44775", "TWIST = sp.Rational(44774"),
    ("t10_enumeration.py", "rules=((h11, (v1 - P2 * h12) / P1)", "rules=((h11, (v1 + P2 * h12) / P1)"),
    ("t10_enumeration.py", "penalty * (v**2 / 2", "penalty * (v**2"),
    ("t13_geometry.py", "cells(nodes - 1, inputs) + cells(nodes - 1, inputs - 1)", "2 * cells(nodes - 1, inputs)"),
    ("t13_geometry.py", "right=-t / (1 + sp.exp(k * t))", "right=-t / (1 + sp.exp(-k * t))"),
    ("t13_geometry.py", "k_law_cubed = rho * whole", "k_law_cubed = 2 * rho * whole"),
    (
        "t1_symmetries.py",
        'labels", arguments=(plusminus, xor), value=4',
        'labels", arguments=(plusminus, xor), value=8',
    ),
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
    assert {"setting", "hypotheses", "notation", "facts", "conclusion", "remarks"} <= set(record)
    assert {"name", "claim", "methods", "verdict", "seconds", "detail"} == set(record["steps"][0])
