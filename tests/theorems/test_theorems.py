"""The machine that decides proofs: what it must and must never accept, and its independent second reader."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction

import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from symland.errors import ProofError
from symland.records import Verdict
from symland.theorems import (
    Count,
    Fact,
    Hypothesis,
    Identity,
    Notation,
    Positive,
    SomePositive,
    Step,
    Theorem,
    at,
    check_proof,
    load_theorems,
    partial,
    prove,
    save_proof,
    smooth,
)
from symland.theorems.smooth import derivative

x, y, t = sp.symbols("x y t")
f, sigma = smooth("f", 2), smooth("sigma", 1)


def theorem(*obligations, hypotheses=(), uses=None):
    names = tuple(h.name for h in hypotheses) if uses is None else uses
    step = Step(name="step", claim="", obligations=obligations, uses=names)
    return Theorem(identifier="test", title="", conclusion="", hypotheses=tuple(hypotheses), steps=(step,))


def both(*obligations, hypotheses=()):
    """The verdicts of the prover and of the checker of what it saved."""
    result = prove(theorem(*obligations, hypotheses=hypotheses))
    return result.verdict, check_proof(save_proof(result))["step"]


TRUE_IDENTITIES = [
    Identity(left=(x + y) ** 3, right=x**3 + 3 * x**2 * y + 3 * x * y**2 + y**3),
    Identity(left=1 / (x - y) - 1 / (x + y), right=2 * y / (x**2 - y**2)),
    Identity(left=partial(sp.log(1 + sp.exp(-x)), x), right=-1 / (1 + sp.exp(x))),
    Identity(left=sp.exp(2 * x + y) / sp.exp(y), right=sp.exp(x) ** 2),
    Identity(left=partial(sp.tanh(x * y), x, y), right=(1 - sp.tanh(x * y) ** 2) * (1 - 2 * x * y * sp.tanh(x * y))),
    Identity(left=at(partial(f(x * t, y), t), {t: 0}), right=x * smooth("f", 2, 1, 0)(0, y)),
    Identity(left=at(partial(sigma(x * y), x, y), {x: 0}), right=smooth("sigma", 1, 1)(0)),
]
FALSE_IDENTITIES = [
    Identity(left=(x + y) ** 2, right=x**2 + y**2),
    Identity(left=f(x, y), right=f(y, x)),
    Identity(left=partial(f(x, y), x), right=partial(f(x, y), y)),
    Identity(left=sp.exp(x + y), right=sp.exp(x) + sp.exp(y)),
    Identity(left=sp.tanh(x), right=x),
    Identity(left=sigma(0)),
    Identity(left=sp.Rational(1, 10**30)),
    Identity(left=sp.log(2)),
]


@pytest.mark.parametrize("identity", TRUE_IDENTITIES)
def test_true_identities_are_certified_by_both_readers(identity):
    assert both(identity) == (Verdict.CERTIFIED, Verdict.CERTIFIED)


@pytest.mark.parametrize("identity", FALSE_IDENTITIES)
def test_false_identities_are_certified_by_neither_reader(identity):
    assert Verdict.CERTIFIED not in both(identity)


def test_symbols_that_trade_places_and_go_to_one_value_are_told_apart():
    # SymPy's Subs calls these two equal.
    ell = smooth("ell", 2)
    first = at(partial(ell(x, y), x), {x: 0, y: 0})
    second = at(partial(ell(x, y), y), {x: 0, y: 0})
    assert Verdict.CERTIFIED not in both(Identity(left=first, right=second))


@st.composite
def polynomials(draw):
    terms = draw(st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=4))
    atoms = (draw(st.sampled_from((x, sigma(x), sp.exp(x)))), draw(st.sampled_from((y, sp.tanh(y), f(x, y)))))
    return sp.Add(*(c * atoms[0] ** m * atoms[1] ** n for c, m, n in terms))


@settings(max_examples=40, deadline=None)
@given(polynomials(), polynomials(), st.sampled_from((x, y)))
def test_product_rule_holds_and_its_broken_form_does_not(a, b, variable):
    right = partial(a, variable) * b + a * partial(b, variable)
    assert both(Identity(left=partial(a * b, variable), right=right)) == (Verdict.CERTIFIED, Verdict.CERTIFIED)
    difference = sp.simplify(sp.diff(a, variable) * sp.diff(b, variable))
    if difference != 0:
        broken = Identity(left=partial(a * b, variable), right=right + partial(a, variable) * partial(b, variable))
        assert Verdict.CERTIFIED not in both(broken)


def test_signs_are_read_only_where_they_are_known():
    positive = Hypothesis(name="x", statement="", positive=(x,))
    assert both(Positive(expression=x + y**2 + sp.exp(y)), hypotheses=(positive,)) == (Verdict.CERTIFIED,) * 2
    assert Verdict.CERTIFIED not in both(Positive(expression=x + y), hypotheses=(positive,))
    assert Verdict.CERTIFIED not in both(Positive(expression=x - 1), hypotheses=(positive,))
    assert Verdict.CERTIFIED not in both(Positive(expression=y**2 * x), hypotheses=(positive,))


def test_a_box_is_certified_where_the_inequality_is_strict_and_left_open_where_it_touches():
    z = sp.Symbol("z", real=True)
    box = {z: (Fraction(-2), Fraction(3))}
    above = SomePositive(alternatives=(z**2 - 2 * z + sp.Rational(101, 100),), box=box)
    touching = SomePositive(alternatives=(z**2 - 2 * z + 1,), box=box, deepest=25)
    assert both(above) == (Verdict.CERTIFIED,) * 2
    assert Verdict.CERTIFIED not in both(touching)
    halves = SomePositive(alternatives=(z + sp.Rational(1, 9), -z + sp.Rational(1, 9)), box=box)
    assert both(halves) == (Verdict.CERTIFIED,) * 2


def test_a_box_whose_witness_was_shortened_is_refused():
    z = sp.Symbol("z", real=True)
    claim = SomePositive(alternatives=(sp.tanh(z) - z / 2,), box={z: (Fraction(1, 2), Fraction(3, 2))})
    record = json.loads(save_proof(prove(theorem(claim))))
    saved = record["steps"][0]["obligations"][0]
    assert check_proof(json.dumps(record))["step"] is Verdict.CERTIFIED
    saved["box"] = [["z", "1/2", "5/2"]]
    assert check_proof(json.dumps(record))["step"] is not Verdict.CERTIFIED


SQUARE = ((-1, -1), (-1, 1), (1, -1), (1, 1))


def test_enumerations_agree_with_recurrences():
    claims = [
        Count(kind="surjections", arguments=(2, 4), value=14),
        Count(kind="set partitions", arguments=(4,), value=15),
        Count(kind="choices", arguments=(2, 5), value=10),
        Count(kind="named partitions", arguments=(1, 3), value=10),
        Count(kind="named partitions", arguments=(0, 4), value=15),
        Count(kind="automorphisms", arguments=(SQUARE, (0, 1, 1, 0)), value=8),
        Count(kind="automorphisms that keep labels", arguments=(SQUARE, (0, 1, 1, 0)), value=4),
        Count(kind="automorphisms that keep labels", arguments=(SQUARE, (0, 0, 0, 0)), value=8),
    ]
    assert both(*claims) == (Verdict.CERTIFIED,) * 2
    assert both(Count(kind="surjections", arguments=(2, 4), value=15)) == (Verdict.REFUTED,) * 2


def test_the_checker_does_not_believe_a_saved_verdict():
    record = json.loads(save_proof(prove(theorem(Identity(left=x, right=y)))))
    record["verdict"] = record["steps"][0]["verdict"] = "certified"
    assert check_proof(json.dumps(record))["step"] is not Verdict.CERTIFIED


def test_a_saved_proof_with_one_changed_sign_is_refused():
    text = save_proof(prove(theorem(Identity(left=(x + y) * (x - y), right=x**2 - y**2))))
    assert check_proof(text)["step"] is Verdict.CERTIFIED
    assert check_proof(text.replace('["q","-1"]', '["q","1"]', 1))["step"] is not Verdict.CERTIFIED


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format":"other"}', '{"format":"symland proof 2"}'])
def test_what_is_no_proof_is_refused_in_one_line(text):
    with pytest.raises(ProofError) as caught:
        check_proof(text)
    assert "\n" not in str(caught.value)


def test_a_theorem_must_use_what_it_assumes_and_assume_what_it_uses():
    hypothesis = Hypothesis(name="h", statement="", rules=((x, 0),))
    with pytest.raises(ProofError, match="never uses"):
        theorem(Identity(left=y, right=y), hypotheses=(hypothesis,), uses=())
    with pytest.raises(ProofError, match="does not assume"):
        theorem(Identity(left=y, right=y), uses=("other",))
    with pytest.raises(ProofError, match="says nothing"):
        Hypothesis(name="empty", statement="")
    with pytest.raises(ProofError, match="no hypothesis"):
        theorem(Identity(left=y, right=y)).without("h")


def test_a_fact_follows_from_steps_before_it_by_something():
    fact = Fact(name="f", statement="", rules=((x, 0),), after=("first",), by="a theorem")
    first = Step(name="first", claim="", obligations=(Identity(left=y, right=y),))
    second = Step(name="second", claim="", obligations=(Identity(left=x * y),), uses=("f",))
    record = {"identifier": "test", "title": "", "conclusion": "", "facts": (fact,)}
    assert prove(Theorem(**record, steps=(first, second))).verdict is Verdict.CERTIFIED
    with pytest.raises(ProofError, match="used before"):
        Theorem(**record, steps=(second, first))
    with pytest.raises(ProofError, match="follows by nothing"):
        replace(fact, by="")


def test_rules_act_in_the_order_in_which_a_step_names_them_and_carry_out_derivatives():
    first = Hypothesis(name="first", statement="", rules=((x, y),))
    second = Notation(name="second", statement="", rules=((y, partial(t**2, t)),))
    record = {"identifier": "test", "title": "", "conclusion": "", "hypotheses": (first,), "notation": (second,)}
    for names, outcome in ((("first", "second"), True), (("second", "first"), False)):
        step = Step(name="step", claim="", obligations=(Identity(left=x, right=2 * t),), uses=names)
        result = prove(Theorem(**record, steps=(step,)))
        verdicts = (result.verdict, check_proof(save_proof(result))["step"])
        assert [v is Verdict.CERTIFIED for v in verdicts] == [outcome] * 2


def test_a_rule_meets_its_atom_however_the_argument_is_written():
    rule = Hypothesis(name="h", statement="", rules=((sigma(x * y + x), 0),))
    assert both(Identity(left=t * sigma(x * (y + 1))), hypotheses=(rule,)) == (Verdict.CERTIFIED,) * 2
    assert Verdict.CERTIFIED not in both(Identity(left=t * sigma(x * (y + 2))), hypotheses=(rule,))


def test_a_function_unknown_to_the_format_cannot_be_saved_nor_certified():
    strange = theorem(Identity(left=sp.Abs(x), right=sp.Abs(-y)))
    assert prove(strange).verdict is not Verdict.CERTIFIED
    with pytest.raises(ProofError, match="no word"):
        save_proof(prove(theorem(Identity(left=sp.gamma(x), right=sp.gamma(x) + y))))


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "no theorem"), ("THEOREM = 3", "no theorem"), ("THEOREMS = ()", "no theorem"), ("1/0", "does not run")],
)
def test_a_file_without_a_theorem_is_named_in_one_line(tmp_path, text, reason):
    file = tmp_path / "mine.py"
    file.write_text(text)
    with pytest.raises(ProofError, match=reason) as caught:
        load_theorems(file)
    assert "\n" not in str(caught.value)
    with pytest.raises(ProofError):
        load_theorems(tmp_path / "absent.py")


def test_derivatives_are_those_of_sympy():
    expressions = (
        sp.exp(-x * y) / (1 + sp.tanh(x**2 + y)) ** 3,
        x * sigma(x * y) ** 2 * f(y, 3 * x) + f(x + y, x * y),
        sp.log(1 + sp.exp(x * sigma(y))) * y ** (x - 1) + x**y,
        sp.sin(x * y) / x + sigma(y) * sp.tanh(y),
    )
    for expression in expressions:
        for symbol in (x, y):
            difference = derivative(expression, symbol) - sp.diff(expression, symbol)
            assert sp.expand(sp.numer(sp.together(sp.powsimp(difference)))) == 0
